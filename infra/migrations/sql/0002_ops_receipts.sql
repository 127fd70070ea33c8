-- Receipts, the clock of the lists, and the suppliers' scorecard.

-- The business date a delivery arrived on: that of the refresh that took it in, so that a history replayed with
-- earlier business dates has the clock it would have had; the local day where there was no refresh.
create view ops.delivery_arrival as
select
    delivery.delivery_id,
    least(
        refresh.as_of,
        cast(delivery.received_at at time zone 'Asia/Shanghai' as date)
    ) as arrived_on
from ops.delivery as delivery
left join lateral (
    select as_of
    from ops.refresh
    where started_at <= delivery.received_at
    order by refresh_id desc
    limit 1
) as refresh on true;

-- A receipt is written again when the state of its delivery has changed. The row is the memory of that, not the file:
-- suppliers may take their files away.
create table ops.receipt (
    delivery_id bigint not null references ops.delivery on delete cascade,
    version integer not null check (version > 0),
    state_hash text not null,
    path text not null,
    mail_state text not null default 'waiting'
        check (mail_state in ('waiting', 'queued', 'none')),
    alert_id bigint references ops.alert on delete set null,
    written_at timestamptz not null default now(),
    primary key (delivery_id, version)
);
create index receipt_to_mail on ops.receipt (delivery_id) where mail_state = 'waiting';

create table ops.row_rule (
    rule text primary key,
    dimension text check (dimension in ('conformity', 'completeness', 'accuracy', 'consistency')),
    problem text not null,
    remedy text not null
);

create table ops.delivery_due (
    list_code text not null references ops.contract on delete cascade,
    period_start date not null,
    period_end date not null,
    due_date date not null,
    is_provisional boolean not null,
    first_delivery_id bigint references ops.delivery,
    delivered_at date,
    status text not null check (status in ('on_time', 'late', 'missing', 'pending')),
    days_late integer not null check (days_late >= 0),
    as_of date not null,
    primary key (list_code, period_start),
    check (period_start <= period_end),
    check ((status in ('on_time', 'late')) = (first_delivery_id is not null)),
    check ((days_late > 0) = (status in ('late', 'missing')))
);

create table quality.supplier_scorecard (
    month date not null check (extract(day from month) = 1),
    department text not null,
    list_code text not null,
    dimension text not null
        check (
            dimension in ('conformity', 'completeness', 'accuracy', 'consistency', 'timeliness', 'accessibility')
        ),
    numerator bigint not null check (numerator between 0 and denominator),
    denominator bigint not null,
    ratio numeric generated always as (
        case when denominator > 0 then round(cast(numerator as numeric) / denominator, 6) end
    ) stored,
    how text not null,
    primary key (month, list_code, dimension)
);

comment on view ops.delivery_arrival is '来件到达的业务日期：接入它的那次刷新的业务日期，不晚于当地收到日';
comment on column ops.delivery_arrival.delivery_id is '来件编号';
comment on column ops.delivery_arrival.arrived_on is '到达的业务日期';

comment on table ops.receipt is '回执：每次写出的回执一行；来件状态变化后另写一版';
comment on column ops.receipt.delivery_id is '来件编号';
comment on column ops.receipt.version is '回执版次，从 1 起';
comment on column ops.receipt.state_hash is '写这一版时来件状态的摘要，状态变了就写下一版';
comment on column ops.receipt.path is '回执文件（xlsx）在发件箱文件夹中的相对路径，JSON 与它同名';
comment on column ops.receipt.mail_state is '邮件：waiting 待排队，queued 已进发件箱，none 不发（没有收件人或由旧版迁来）';
comment on column ops.receipt.alert_id is '所在的邮件（ops.alert）';
comment on column ops.receipt.written_at is '写出时刻（UTC）';

comment on table ops.row_rule is '行规则：每条规则的说明、改法和所属的数据质量维度（GB/T 36344）';
comment on column ops.row_rule.rule is '规则';
comment on column ops.row_rule.dimension is '维度：conformity 规范性，completeness 完整性，accuracy 准确性，consistency 一致性；空表示不计分';
comment on column ops.row_rule.problem is '问题';
comment on column ops.row_rule.remedy is '怎样改';

comment on table ops.delivery_due is '报送时钟：每种清单每个报送周期一行，按业务日期判断按时、迟报或未报';
comment on column ops.delivery_due.list_code is '清单代码';
comment on column ops.delivery_due.period_start is '周期首日';
comment on column ops.delivery_due.period_end is '周期末日';
comment on column ops.delivery_due.due_date is '应报送日';
comment on column ops.delivery_due.is_provisional is '应报送日是否暂定（所在年份的放假安排尚未公布）';
comment on column ops.delivery_due.first_delivery_id is '本周期的第一次来件';
comment on column ops.delivery_due.delivered_at is '第一次来件到达的业务日期';
comment on column ops.delivery_due.status is '状态：on_time 按时，late 迟报，missing 逾期未报，pending 未到期';
comment on column ops.delivery_due.days_late is '逾期天数；未报的算到业务日期';
comment on column ops.delivery_due.as_of is '按哪一天判断';

comment on table quality.supplier_scorecard is '报送单位评分：每月每种清单在六个维度（GB/T 36344-2018）上各一行';
comment on column quality.supplier_scorecard.month is '月份（当月一日）';
comment on column quality.supplier_scorecard.department is '报送部门';
comment on column quality.supplier_scorecard.list_code is '清单代码';
comment on column quality.supplier_scorecard.dimension
is '维度：conformity 规范性，completeness 完整性，accuracy 准确性，consistency 一致性，timeliness 时效性，accessibility 可访问性';
comment on column quality.supplier_scorecard.numerator is '合格的个数';
comment on column quality.supplier_scorecard.denominator is '核对的个数';
comment on column quality.supplier_scorecard.ratio is '合格比例，0 到 1；没有可核对的为空';
comment on column quality.supplier_scorecard.how is '怎样计算';
