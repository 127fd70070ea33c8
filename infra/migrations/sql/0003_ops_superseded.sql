-- A held delivery that a later one corrected: it is settled by that one, and what may be such a pair is told where it waits.
alter table ops.delivery add column superseded_by bigint references ops.delivery;
comment on column ops.delivery.superseded_by is '由哪次来件更正：原被扣留，更正的来件已接收，不再使用';

-- As before, and beside each delivery that waits the ones of its period that were accepted since.
create or replace view ops.waiting as
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
        when delivery.accepted_count > 0 and since.delivery_ids is not null
            then since.said || '，请比较后放行或拒收'
        when since.delivery_ids is not null then since.said || '，请核对后拒收或等其更正' || case
            when delivery.reason_code = 'needs_password'
                then '；仍要用的，向报送单位要密码，由数据人员在命令行执行 yihu delivery unlock ' || delivery.delivery_id
            else ''
        end
        when delivery.reason_code = 'needs_password'
            then '向报送单位要密码，由数据人员在命令行执行 yihu delivery unlock '
                || delivery.delivery_id || '；或拒收，请其取消密码重报'
        when delivery.accepted_count = 0 then '没有可用的行，不能放行：拒收，请报送单位补齐后重报'
        else '核对：数据无误则放行，有误则拒收'
    end as next_step,
    case
        when delivery.accepted_count = 0 then 'refuse_delivery'
        else 'release_delivery / refuse_delivery'
    end as job_names
from ops.delivery
left join ops.contract using (list_code)
left join lateral (
    select
        array_agg(later.delivery_id order by later.delivery_id) as delivery_ids,
        case when delivery.snapshot_date is null then '其后已有来件 ' else '同一期已有来件 ' end
        || string_agg(later.delivery_id::text, '、' order by later.delivery_id) as said
    from ops.delivery as later
    where
        later.list_code = delivery.list_code
        and later.department = delivery.department
        and later.status = 'loaded'
        and (later.received_at, later.delivery_id) > (delivery.received_at, delivery.delivery_id)
        and (
            delivery.snapshot_date is null
            or later.snapshot_date = delivery.snapshot_date
            or exists (
                select from ops.delivery_due as due
                where
                    due.list_code = delivery.list_code
                    and delivery.snapshot_date between due.period_start and due.period_end
                    and later.snapshot_date between due.period_start and due.period_end
            )
        )
) as since on true
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

comment on table ops.delivery_decision is '人对来件的决定，只增不改：放行、拒收、确认社区已无对象、提供密码';
comment on column ops.delivery_decision.decision
is '决定：release 放行，refuse 拒收，confirm_gone 确认社区属实，unlock 提供密码';

-- What a rule says where it says more than anywhere (ops.row_rule): of one column, or as a contract words it.
create table ops.rule_wording (
    list_code text not null references ops.contract on delete cascade,
    column_name text not null,
    rule text not null,
    problem text not null,
    remedy text not null,
    primary key (list_code, rule, column_name)
);
comment on table ops.rule_wording is '行规则在某清单、某栏的说法：允许的值、上下限、日期的写法，以及数据约定自定的检查；启动接入时照约定重写';
comment on column ops.rule_wording.list_code is '清单代码';
comment on column ops.rule_wording.column_name is '栏；空表示约定自定的检查，不论哪一栏';
comment on column ops.rule_wording.rule is '规则代码';
comment on column ops.rule_wording.problem is '问题';
comment on column ops.rule_wording.remedy is '怎样改';
