-- ops: communities of a delivery that wait for a person, what people decided, and what a delivery changed.

-- What a loaded delivery speaks for: every community, or those it names.
alter table ops.delivery add column coverage text not null default 'whole'
    check (coverage in ('whole', 'community'));

-- The communities it does not speak for. Kept by the trigger below, never by hand: dbt reads it beside the
-- delivery, so that which rows are current is said by one table.
alter table ops.delivery add column held_communities text[] not null default '{}';

create table ops.partition_hold (
    delivery_id bigint not null references ops.delivery on delete cascade,
    community_name text not null,
    last_delivery_id bigint not null references ops.delivery,
    last_row_count integer not null,
    row_count integer not null,
    status text not null
        check (status in ('open', 'confirmed_gone', 'delivered', 'carried_on')),
    settled_by_delivery bigint references ops.delivery,
    opened_at timestamptz not null default now(),
    decided_by text,
    decided_at timestamptz,
    why text,
    primary key (delivery_id, community_name),
    constraint partition_hold_is_decided_by_a_person
        check ((status = 'confirmed_gone') = (decided_by is not null and decided_at is not null and why is not null))
);
create index partition_hold_open on ops.partition_hold (status) where status = 'open';

create function ops.keep_held_communities() returns trigger language plpgsql as $$
declare
    changed bigint := coalesce(new.delivery_id, old.delivery_id);
begin
    update ops.delivery as delivery
    set held_communities = coalesce(
        (
            select array_agg(hold.community_name order by hold.community_name)
            from ops.partition_hold as hold
            where hold.delivery_id = changed and hold.status <> 'confirmed_gone'
        ),
        '{}'
    )
    where delivery.delivery_id = changed;
    return null;
end $$;
create trigger partition_hold_is_seen_at_the_delivery
    after insert or update or delete on ops.partition_hold
    for each row execute function ops.keep_held_communities();

-- Append only: who let what in, or kept it out.
create table ops.delivery_decision (
    decision_no bigint generated always as identity primary key,
    delivery_id bigint not null references ops.delivery,
    community_name text,
    decision text not null check (decision in ('release', 'refuse', 'confirm_gone', 'unlock')),
    decided_by text not null,
    decided_at timestamptz not null default now(),
    why text
);

create table ops.delivery_change (
    delivery_id bigint not null references ops.delivery on delete cascade,
    replaces_delivery_id bigint not null references ops.delivery,
    kind text not null check (kind in ('added', 'removed', 'changed', 'unchanged')),
    column_name text not null default '',
    row_count integer not null check (row_count >= 0),
    primary key (delivery_id, kind, column_name),
    constraint delivery_change_names_columns_of_changed_rows_only check (column_name = '' or kind = 'changed')
);

-- Everything that waits for a person, one row an item.
create view ops.waiting as
select
    delivery.delivery_id,
    null::text as community_name,
    delivery.list_code,
    coalesce(contract.title, delivery.list_code) as list_title,
    delivery.department,
    delivery.file_name,
    delivery.snapshot_date,
    delivery.received_at as waits_since,
    delivery.reason_code,
    coalesce(delivery.reason, '') as reason,
    case
        when delivery.reason_code = 'needs_password'
            then '向报送单位要口令，由数据人员在命令行执行 yihu delivery unlock '
                || delivery.delivery_id || '；或拒收，请其去掉口令重报'
        when delivery.accepted_count = 0 then '没有可用的行，不能放行：拒收，请报送单位补齐后重报'
        else '核对：数据无误则放行，有误则拒收'
    end as next_step,
    case
        when delivery.accepted_count = 0 then 'refuse_delivery'
        else 'release_delivery / refuse_delivery'
    end as job_names
from ops.delivery
left join ops.contract using (list_code)
where delivery.status = 'held'
union all
select
    hold.delivery_id,
    hold.community_name,
    delivery.list_code,
    coalesce(contract.title, delivery.list_code),
    delivery.department,
    delivery.file_name,
    delivery.snapshot_date,
    hold.opened_at,
    'community_missing',
    '上次（来件 ' || hold.last_delivery_id || '）有 ' || hold.last_row_count || ' 行，这次 '
    || hold.row_count || ' 行；现仍沿用上次的行',
    '向报送单位核实：确实如此则确认；漏报则等其补报，补报后自动了结',
    'confirm_partition_gone'
from ops.partition_hold as hold
inner join ops.delivery using (delivery_id)
left join ops.contract using (list_code)
where hold.status = 'open';

--- What is what, in the words of those who read the tables ------------------------------------------------

comment on column ops.delivery.coverage
is '本次来件的范围：whole 全街道，community 只含其中写明的社区';
comment on column ops.delivery.held_communities
is '本次来件不作数的社区：缺报或行数骤减而未经确认，仍沿用以前的行（由 ops.partition_hold 推出）';

comment on table ops.partition_hold is '按社区的扣留：来件已接收，但其中某社区上次有、这次没有（或骤减），该社区等人确认';
comment on column ops.partition_hold.delivery_id is '缺报的来件编号';
comment on column ops.partition_hold.community_name is '社区';
comment on column ops.partition_hold.last_delivery_id is '该社区沿用哪次来件的行';
comment on column ops.partition_hold.last_row_count is '该社区沿用的行数';
comment on column ops.partition_hold.row_count is '该社区这次的行数';
comment on column ops.partition_hold.status
is '状态：open 待确认，confirmed_gone 已确认属实，delivered 已补报，carried_on 下一次来件仍缺，转到那一次';
comment on column ops.partition_hold.settled_by_delivery is '由哪次来件补报，或转到哪次来件';
comment on column ops.partition_hold.opened_at is '扣留时刻（UTC）';
comment on column ops.partition_hold.decided_by is '由谁确认';
comment on column ops.partition_hold.decided_at is '确认时刻（UTC）';
comment on column ops.partition_hold.why is '确认的依据';

comment on table ops.delivery_decision is '人对来件的决定，只增不改：放行、拒收、确认社区已无对象、提供口令';
comment on column ops.delivery_decision.decision_no is '决定编号';
comment on column ops.delivery_decision.delivery_id is '来件编号';
comment on column ops.delivery_decision.community_name is '所涉社区；整件时为空';
comment on column ops.delivery_decision.decision
is '决定：release 放行，refuse 拒收，confirm_gone 确认社区属实，unlock 提供口令';
comment on column ops.delivery_decision.decided_by is '由谁决定';
comment on column ops.delivery_decision.decided_at is '决定时刻（UTC）';
comment on column ops.delivery_decision.why is '依据或原因';

comment on table ops.delivery_change is '与所取代的来件相比改了什么：按业务键逐行比对的行数；只以密文存放的栏不比';
comment on column ops.delivery_change.delivery_id is '来件编号';
comment on column ops.delivery_change.replaces_delivery_id is '与哪次来件相比（涉及几次时为最新的一次）';
comment on column ops.delivery_change.kind is '变化：added 新增，removed 减少，changed 改动，unchanged 未变';
comment on column ops.delivery_change.column_name is '改动的栏；空表示按行计';
comment on column ops.delivery_change.row_count is '行数';

comment on view ops.waiting is '等待人处理的事项：被扣留的来件，缺报待确认的社区';
comment on column ops.waiting.delivery_id is '来件编号';
comment on column ops.waiting.community_name is '社区；整件来件时为空';
comment on column ops.waiting.list_code is '清单代码';
comment on column ops.waiting.list_title is '清单名称';
comment on column ops.waiting.department is '报送部门';
comment on column ops.waiting.file_name is '文件名';
comment on column ops.waiting.snapshot_date is '清单日期';
comment on column ops.waiting.waits_since is '从何时起等待（UTC）';
comment on column ops.waiting.reason_code is '原因代码';
comment on column ops.waiting.reason is '原因';
comment on column ops.waiting.next_step is '怎样处理';
comment on column ops.waiting.job_names is '用哪个任务处理';
