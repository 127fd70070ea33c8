-- quality: results of checks, the audit sample, accuracy, and the verdict on a build.
create schema if not exists quality;
comment on schema quality is '质量：检查结果、抽查样本、准确率与发布裁定';

create table quality.check_result (
    check_result_id bigint generated always as identity primary key,
    refresh_id bigint,
    suite text not null check (suite in ('delivery', 'staging', 'master')),
    table_name text not null,
    check_name text not null,
    title text not null,
    severity text not null check (severity in ('error', 'warn')),
    is_passed boolean not null,
    checked_count bigint,
    failed_count bigint,
    detail jsonb not null default '{}'::jsonb,
    checked_at timestamptz not null default now()
);
create index check_result_by_refresh on quality.check_result (refresh_id);
create index check_result_by_delivery on quality.check_result ((detail ->> 'delivery_id'))
where suite = 'delivery';

comment on table quality.check_result is '每次刷新中每项检查的结果，只有计数，没有任何数据值';
comment on column quality.check_result.check_result_id is '检查结果编号';
comment on column quality.check_result.refresh_id is '所属刷新（ops.refresh）';
comment on column quality.check_result.suite is '检查组：delivery 来件，staging 暂存，master 主档';
comment on column quality.check_result.table_name is '被检查的表';
comment on column quality.check_result.check_name is '检查的名称，英文论断句';
comment on column quality.check_result.title is '检查的中文说明';
comment on column quality.check_result.severity is '严重程度：error 未通过则不得发布，warn 只提醒';
comment on column quality.check_result.is_passed is '是否通过；检查本身出错或有数据却检查了 0 行一律为未通过';
comment on column quality.check_result.checked_count is '检查的行数，由 SQL 计数；检查出错时为空';
comment on column quality.check_result.failed_count is '不合格的行数，由 SQL 计数；检查出错时为空';
comment on column quality.check_result.detail is '限值、来件编号、出错类型等，不含任何数据值';
comment on column quality.check_result.checked_at is '检查时间';

create table quality.audit_draw (
    draw_id bigint generated always as identity primary key,
    audit_month date not null,
    as_of date not null,
    target_code text not null,
    seed bigint not null,
    frame_count integer not null,
    sample_count integer not null,
    visit_count integer not null,
    drawn_at timestamptz not null default now(),
    unique (audit_month),
    check (extract(day from audit_month) = 1)
);
comment on table quality.audit_draw is '每月一次的抽查抽样登记：种子由月份、业务日期与抽样框算出，可重算，不可挑选';
comment on column quality.audit_draw.draw_id is '抽样编号';
comment on column quality.audit_draw.audit_month is '抽查月份（当月一日）';
comment on column quality.audit_draw.as_of is '抽样所依据的业务日期';
comment on column quality.audit_draw.target_code is '样本量所针对的准确率目标';
comment on column quality.audit_draw.seed is '随机种子';
comment on column quality.audit_draw.frame_count is '抽样框（当时在册居住家庭）户数';
comment on column quality.audit_draw.sample_count is '抽中户数';
comment on column quality.audit_draw.visit_count is '当月成功走访次数，抽查不少于其规定比例';
comment on column quality.audit_draw.drawn_at is '抽样登记时间';

create table quality.audit_stratum (
    draw_id bigint not null references quality.audit_draw,
    stratum text not null,
    frame_count integer not null check (frame_count > 0),
    sample_count integer not null check (sample_count between 1 and frame_count),
    primary key (draw_id, stratum)
);
comment on table quality.audit_stratum is '每次抽样各层（社区 × 家庭类别）的户数与抽中户数';
comment on column quality.audit_stratum.draw_id is '抽样编号';
comment on column quality.audit_stratum.stratum is '层：社区·重点 或 社区·普通';
comment on column quality.audit_stratum.frame_count is '层内在册户数';
comment on column quality.audit_stratum.sample_count is '层内抽中户数';

-- One row is one line of a work sheet: what was registered when it was drawn is kept, because nobody can
-- judge later whether an inspector was right without it. Protected values are kept as their masks only.
create table quality.audit_item (
    audit_no text not null,
    field_code text not null,
    draw_id bigint not null references quality.audit_draw,
    household_id text not null,
    person_id text,
    stratum text not null,
    weight double precision not null check (weight > 0),
    member_factor numeric not null check (member_factor >= 1),
    line_number integer not null,
    community_name text,
    address text,
    person_name text,
    field_name text not null,
    is_critical boolean not null,
    registered_value text,
    primary key (audit_no, field_code),
    foreign key (draw_id, stratum) references quality.audit_stratum
);
create index audit_item_by_household on quality.audit_item (household_id);
create index audit_item_by_draw on quality.audit_item (draw_id);

comment on table quality.audit_item is '抽查明细：核查表的一行，一户一人一个字段';
comment on column quality.audit_item.audit_no is '抽查编号：月份、户的序号、人的序号（0 为整户），与核查字段一起唯一';
comment on column quality.audit_item.field_code is '核查字段（reference.audit_field）';
comment on column quality.audit_item.person_id is '人员ID；核查整户字段时为空';
comment on column quality.audit_item.draw_id is '抽样编号';
comment on column quality.audit_item.household_id is '家庭ID';
comment on column quality.audit_item.stratum is '所在层';
comment on column quality.audit_item.weight is '设计权重：本行代表在册家庭（及其成员）的个数';
comment on column quality.audit_item.member_factor is '本人在本户内代表的成员数；整户字段和户主为 1';
comment on column quality.audit_item.line_number is '在核查表中的行序';
comment on column quality.audit_item.community_name is '社区（抽样时）';
comment on column quality.audit_item.address is '地址（抽样时）';
comment on column quality.audit_item.person_name is '姓名（抽样时）；整户字段为户主姓名';
comment on column quality.audit_item.field_name is '核查字段中文名';
comment on column quality.audit_item.is_critical is '是否关键字段';
comment on column quality.audit_item.registered_value is '抽样时的登记值；受保护的值只有遮盖后的样子';

create table quality.verdict (
    verdict_id bigint generated always as identity primary key,
    refresh_id bigint,
    as_of date not null,
    content_hash text not null,
    evidence_hash text not null,
    status text not null check (status in ('passed', 'failed', 'insufficient')),
    reasons jsonb not null,
    failed_check_names text[] not null default '{}',
    target_code text not null,
    target_ratio numeric not null,
    audited_household_count integer not null,
    audited_field_count integer not null,
    correct_field_count integer not null,
    accuracy_ratio double precision,
    lower_bound_ratio double precision,
    upper_bound_ratio double precision,
    interval_lower_ratio double precision,
    critical_accuracy_ratio double precision,
    critical_lower_bound_ratio double precision,
    household_accuracy_ratio double precision,
    household_lower_bound_ratio double precision,
    unverifiable_ratio double precision,
    outdated_ratio double precision,
    covered_frame_ratio double precision,
    design_effect double precision,
    effective_field_count double precision,
    needed_household_count integer,
    judged_at timestamptz not null default now(),
    unique (content_hash, evidence_hash, target_code),
    -- A pass states a measured bound at the target; no row can claim one without the other.
    constraint a_pass_reaches_its_target check (
        status <> 'passed'
        or (
            lower_bound_ratio is not null
            and lower_bound_ratio >= target_ratio
            and cardinality(failed_check_names) = 0
        )
    )
);
comment on table quality.verdict is '发布裁定：每个（候选内容、抽查证据、目标）一行，没有 passed 的裁定不能发布';
comment on column quality.verdict.verdict_id is '裁定编号';
comment on column quality.verdict.refresh_id is '作出裁定的刷新';
comment on column quality.verdict.as_of is '业务日期';
comment on column quality.verdict.content_hash is '候选内容的哈希（release.candidate_hash）';
comment on column quality.verdict.evidence_hash is '裁定依据的哈希：计入的抽查回执、未通过的检查、目标值和抽样方案';
comment on column quality.verdict.status is '裁定：passed 通过，failed 未达标，insufficient 证据不足';
comment on column quality.verdict.reasons is '中文理由，逐条';
comment on column quality.verdict.failed_check_names is '未通过的 error 级检查';
comment on column quality.verdict.target_code is '准确率目标代码（reference.target）';
comment on column quality.verdict.target_ratio is '目标值';
comment on column quality.verdict.audited_household_count is '计入的抽查户数';
comment on column quality.verdict.audited_field_count is '计入的抽查字段数（不含无法核实、不适用）';
comment on column quality.verdict.correct_field_count is '正确的字段数（含登记时正确、其后已变更）';
comment on column quality.verdict.accuracy_ratio is '准确率点估计（按设计加权）';
comment on column quality.verdict.lower_bound_ratio is '准确率单侧置信下限，关口读的就是它';
comment on column quality.verdict.upper_bound_ratio is '准确率双侧置信区间上端';
comment on column quality.verdict.interval_lower_ratio is '准确率双侧置信区间下端';
comment on column quality.verdict.critical_accuracy_ratio is '关键字段准确率';
comment on column quality.verdict.critical_lower_bound_ratio is '关键字段准确率的单侧置信下限';
comment on column quality.verdict.household_accuracy_ratio is '整户全对的比例';
comment on column quality.verdict.household_lower_bound_ratio is '整户全对比例的单侧置信下限';
comment on column quality.verdict.unverifiable_ratio is '无法核实的字段占比';
comment on column quality.verdict.outdated_ratio is '已变更的字段占比（时效，不算错误）';
comment on column quality.verdict.covered_frame_ratio is '有抽查结果的层所含户数占在册户数的比例';
comment on column quality.verdict.design_effect is '设计效应：相对于同样字段数简单随机抽样的方差倍数';
comment on column quality.verdict.effective_field_count is '有效样本量（字段）';
comment on column quality.verdict.needed_household_count is '证据不足时，按目前所见达标共需的抽查户数；为空表示抽查无法证明';
comment on column quality.verdict.judged_at is '裁定时间';
