-- ops: what is known of compounds, what was learned and waits for a person, and who decided what.

-- Version of the gazetteer that the addresses of a delivery were read with; '' is none. What differs from today's is
-- read again from the written address (ingest.addresses.rekeying).
alter table ops.delivery add column gazetteer_version text not null default '';

create table ops.gazetteer (
    entry_id bigint generated always as identity primary key,
    compound text not null check (compound <> ''),
    community text not null default '',
    aliases text[] not null default '{}',
    has_units boolean,
    buildings text[],
    source text not null,
    valid_from date,
    valid_to date,
    status text not null default 'approved' check (status in ('approved', 'withdrawn')),
    changed_by text not null,
    changed_at timestamptz not null default now(),
    unique (compound, community),
    check (valid_to is null or valid_from is null or valid_from <= valid_to)
);

create table ops.gazetteer_proposal (
    proposal_id bigint generated always as identity primary key,
    kind text not null check (kind in ('new', 'alias', 'has_units')),
    compound text not null,
    alias text not null default '',
    community text not null default '',
    has_units boolean,
    door_count integer not null,
    with_unit_count integer not null,
    without_unit_count integer not null,
    shared_door_count integer,
    shared_person_count integer,
    similarity numeric(4, 3),
    first_seen date not null,
    last_seen date not null,
    status text not null default 'open' check (status in ('open', 'approved', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    unique (kind, compound, alias, community),
    check ((kind = 'alias') = (alias <> '')),
    check ((status = 'open') = (decided_at is null) and (decided_at is null) = (decided_by is null))
);

-- Append only: every change of the gazetteer, with who made it.
create table ops.gazetteer_decision (
    decision_id bigint generated always as identity primary key,
    action text not null check (action in ('approve', 'reject', 'import')),
    proposal_id bigint,
    kind text,
    compound text not null,
    alias text not null default '',
    community text not null default '',
    entry jsonb,
    decided_by text not null check (decided_by <> ''),
    decided_at timestamptz not null default now()
);

comment on column ops.delivery.gazetteer_version
is '解析地址时所用小区地名库的版本（内容摘要）；空串表示没有地名库。地名库变动后会按原写地址重新解析';

comment on table ops.gazetteer is '小区地名库：每个小区在每个社区一行，只有已核准的；解析地址时使用';
comment on column ops.gazetteer.entry_id is '条目编号';
comment on column ops.gazetteer.compound is '小区名，即门牌键中的写法';
comment on column ops.gazetteer.community is '所在社区；不知道为空串';
comment on column ops.gazetteer.aliases is '别名，与小区名同样规范后的写法';
comment on column ops.gazetteer.has_units is '楼内是否分单元；不知道为空';
comment on column ops.gazetteer.buildings is '全部楼号；不知道为空。写的楼号不在其中的地址不给门牌键';
comment on column ops.gazetteer.source is '来源，如 公安标准地址、来件归纳';
comment on column ops.gazetteer.valid_from is '起用日期；不知道为空';
comment on column ops.gazetteer.valid_to is '停用日期（如已拆迁）；已停用的小区仍用于解析，因为户籍地址还会写它';
comment on column ops.gazetteer.status is '状态：approved 使用中，withdrawn 已撤下，不再用于解析';
comment on column ops.gazetteer.changed_by is '最近由谁核准、导入或撤下';
comment on column ops.gazetteer.changed_at is '最近变动时刻（UTC）';

comment on table ops.gazetteer_proposal is '地名库建议：从来件中归纳，核准之前不使用';
comment on column ops.gazetteer_proposal.proposal_id is '建议编号';
comment on column ops.gazetteer_proposal.kind is '种类：new 新小区，alias 别名，has_units 是否分单元';
comment on column ops.gazetteer_proposal.compound is '小区名';
comment on column ops.gazetteer_proposal.alias is '建议作为别名的写法；其他种类为空串';
comment on column ops.gazetteer_proposal.community is '所在社区；不知道为空串';
comment on column ops.gazetteer_proposal.has_units is '证据表明是否分单元；证据不足为空';
comment on column ops.gazetteer_proposal.door_count is '见过的不同门牌数（别名：该写法的门牌数）';
comment on column ops.gazetteer_proposal.with_unit_count is '其中写了单元的门牌数';
comment on column ops.gazetteer_proposal.without_unit_count is '其中没写单元的门牌数';
comment on column ops.gazetteer_proposal.shared_door_count is '别名：两种写法共有的楼号加室号数';
comment on column ops.gazetteer_proposal.shared_person_count is '别名：两种写法下楼号室号都相同的同一人数（按令牌）';
comment on column ops.gazetteer_proposal.similarity is '别名：两种写法的相似度（Jaro-Winkler），1 为相同';
comment on column ops.gazetteer_proposal.first_seen is '最早见于哪天的清单';
comment on column ops.gazetteer_proposal.last_seen is '最近见于哪天的清单';
comment on column ops.gazetteer_proposal.status is '状态：open 待定，approved 已核准，rejected 已否决';
comment on column ops.gazetteer_proposal.decided_by is '由谁决定';
comment on column ops.gazetteer_proposal.decided_at is '决定时刻（UTC）';

comment on table ops.gazetteer_decision is '地名库决定记录：只增不改，谁在何时核准、否决或导入了什么';
comment on column ops.gazetteer_decision.decision_id is '记录编号';
comment on column ops.gazetteer_decision.action is '动作：approve 核准，reject 否决，import 导入';
comment on column ops.gazetteer_decision.proposal_id is '所决定的建议；导入为空';
comment on column ops.gazetteer_decision.kind is '建议的种类；导入为空';
comment on column ops.gazetteer_decision.compound is '小区名';
comment on column ops.gazetteer_decision.alias is '别名建议的写法';
comment on column ops.gazetteer_decision.community is '所在社区';
comment on column ops.gazetteer_decision.entry is '决定之后该条目的内容；否决为空';
comment on column ops.gazetteer_decision.decided_by is '由谁决定';
comment on column ops.gazetteer_decision.decided_at is '决定时刻（UTC）';
