-- linkage: which records are the same person, which persons live together, and the identity ledger.
create schema if not exists linkage;

create table linkage.model (
    model_id bigint generated always as identity primary key,
    settings_sha256 text not null,
    settings jsonb not null,
    trained_on_count integer not null,
    trained_as_of date not null,
    created_at timestamptz not null default now()
);

-- Newest assignment of every record. Rewritten by each linkage run in one transaction.
create table linkage.record_link (
    record_id text primary key,
    list_code text not null,
    delivery_id bigint not null,
    person_id text,
    household_id text,
    link_rule text not null,
    link_probability double precision not null check (link_probability between 0 and 1)
);
create index record_link_by_person on linkage.record_link (person_id);
create index record_link_by_household on linkage.record_link (household_id);

create table linkage.household_membership (
    person_id text not null,
    household_id text not null,
    valid_from date not null,
    valid_to date,
    membership_rule text not null,
    evidence_record_id text not null,
    primary key (person_id, valid_from),
    check (valid_to is null or valid_to > valid_from)
);
create unique index a_person_has_one_current_living_household
    on linkage.household_membership (person_id) where valid_to is null;
create index household_membership_by_household on linkage.household_membership (household_id);

-- The identity ledger: append only.
create table linkage.identity_event (
    event_id bigint generated always as identity primary key,
    entity text not null check (entity in ('person', 'household')),
    entity_id text not null,
    event text not null check (event in ('minted', 'merged_into', 'split_from', 'retired', 'reinstated')),
    other_id text,
    as_of date not null,
    reason text not null,
    recorded_at timestamptz not null default now()
);
create unique index an_id_is_minted_once on linkage.identity_event (entity_id) where event = 'minted';
create index identity_event_by_id on linkage.identity_event (entity_id);

-- Where every id ever minted points to now (itself, the id it merged into, or nothing when retired).
create table linkage.identity (
    entity_id text primary key,
    entity text not null check (entity in ('person', 'household')),
    serial bigint not null,
    status text not null check (status in ('active', 'merged', 'retired')),
    resolves_to text,
    minted_as_of date not null,
    unique (entity, serial),
    check ((status = 'active') = (resolves_to is not distinct from entity_id)),
    check ((status = 'retired') = (resolves_to is null))
);

-- What keeps the ids where they are: the id each record last supported, kept also while the record is away
-- (a delivery withdrawn, a run as of an earlier day), and the id it supported first, so that an id merged by
-- mistake comes back when its records part again.
create table linkage.record_identity (
    entity text not null check (entity in ('person', 'household')),
    record_id text not null,
    entity_id text not null references linkage.identity,
    first_entity_id text not null references linkage.identity,
    primary key (entity, record_id)
);

create function linkage.forbid_change() returns trigger language plpgsql as $$
begin
    raise exception '身份台账只增不改：%.% 不接受 %', tg_table_schema, tg_table_name, tg_op
        using hint = '新的事实请追加一条事件。';
end
$$;
create trigger identity_event_is_append_only
    before update or delete on linkage.identity_event
    for each row execute function linkage.forbid_change();
create trigger identity_event_is_not_truncated
    before truncate on linkage.identity_event
    for each statement execute function linkage.forbid_change();

-- The id that stands today for an id from any time; null when the id was retired or never minted.
create function linkage.resolve(id text) returns text language sql stable as $$
    with recursive chain as (
        select entity_id, resolves_to, 1 as depth
        from linkage.identity
        where entity_id = upper(regexp_replace(id, '[\s-]', '', 'g'))
        union all
        select identity.entity_id, identity.resolves_to, chain.depth + 1
        from chain
        inner join linkage.identity as identity on chain.resolves_to = identity.entity_id
        where chain.resolves_to <> chain.entity_id and chain.depth < 1000
    )

    select chain.entity_id
    from chain
    where chain.resolves_to = chain.entity_id
    limit 1
$$;

comment on schema linkage is '关联：哪些记录是同一个人、哪些人同住一户，以及编号台账';

comment on table linkage.model is '人员匹配模型：只含规则与参数，不含任何人的数据；最新一行且定义未变者为现用模型';
comment on column linkage.model.model_id is '模型序号';
comment on column linkage.model.settings_sha256 is '模型定义（比较项与候选规则）的摘要；定义变了，旧模型不再使用';
comment on column linkage.model.settings is '训练后的模型参数';
comment on column linkage.model.trained_on_count is '训练所用的记录数';
comment on column linkage.model.trained_as_of is '训练数据的业务日期';
comment on column linkage.model.created_at is '入库时间';

comment on table linkage.record_link is '每条来源记录归属的人和户：人员记录与走访记录各占一行';
comment on column linkage.record_link.record_id is '来源记录编号';
comment on column linkage.record_link.list_code is '清单代码';
comment on column linkage.record_link.delivery_id is '来件编号';
comment on column linkage.record_link.person_id is '人员编号；走访记录为空';
comment on column linkage.record_link.household_id is '人员记录：此人现在的居住家庭；走访记录：被走访的家庭，无法判定时为空';
comment on column linkage.record_link.link_rule is '判定依据';
comment on column linkage.record_link.link_probability is '判定依据的可信程度，0 到 1;独立成人的单条记录为 1';

comment on table linkage.household_membership is '人员居住家庭的先后：由记录推得，一人同时只在一户';
comment on column linkage.household_membership.person_id is '人员编号';
comment on column linkage.household_membership.household_id is '居住家庭编号';
comment on column linkage.household_membership.valid_from is '最早有据可查的日期';
comment on column linkage.household_membership.valid_to is '下一户最早有据可查的日期；现住户为空';
comment on column linkage.household_membership.membership_rule is '归户依据';
comment on column linkage.household_membership.evidence_record_id is '作为依据的来源记录编号';

comment on table linkage.identity_event is '编号台账：编号的产生、合并、拆分、停用与恢复，只增不改';
comment on column linkage.identity_event.event_id is '事件序号';
comment on column linkage.identity_event.entity is '对象：person 人员，household 居住家庭';
comment on column linkage.identity_event.entity_id is '编号';
comment on column linkage.identity_event.event is
    '事件：minted 产生，merged_into 并入，split_from 拆出，retired 停用，reinstated 恢复';
comment on column linkage.identity_event.other_id is '相关编号：并入或拆出的另一方';
comment on column linkage.identity_event.as_of is '业务日期';
comment on column linkage.identity_event.reason is '原因';
comment on column linkage.identity_event.recorded_at is '记录时间';

comment on table linkage.identity is '每个产生过的编号现在指向谁';
comment on column linkage.identity.entity_id is '编号';
comment on column linkage.identity.entity is '对象：person 人员，household 居住家庭';
comment on column linkage.identity.serial is '台账序号，从不重复使用';
comment on column linkage.identity.status is '状态：active 在用，merged 已并入他号，retired 已停用';
comment on column linkage.identity.resolves_to is '现在的编号：在用者为自身，已并入者为并入的编号，已停用者为空';
comment on column linkage.identity.minted_as_of is '产生时的业务日期';

comment on table linkage.record_identity is '编号的凭据：每条记录最近和最初支持的编号，记录撤回后仍保留，以便恢复原号';
comment on column linkage.record_identity.entity is '对象：person 人员，household 居住家庭';
comment on column linkage.record_identity.record_id is '来源记录编号';
comment on column linkage.record_identity.entity_id is '最近支持的编号';
comment on column linkage.record_identity.first_entity_id is '最初支持的编号';

comment on function linkage.resolve(text) is '任何时候发布过的编号现在对应的编号；已停用或从未产生的返回空';
