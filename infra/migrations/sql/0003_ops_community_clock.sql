-- Communities that deliver a list each for itself: who still owes it, and of whom nobody is left.

-- Of which communities a delivery without a row of theirs says that nobody is left, because a person confirmed it.
-- Beside held_communities: which rows are current is said by one table.
alter table ops.delivery add column gone_communities text[] not null default '{}';

create table ops.delivery_due_community (
    list_code text not null,
    period_start date not null,
    community_name text not null,
    first_delivery_id bigint references ops.delivery,
    delivered_at date,
    status text not null check (status in ('on_time', 'late', 'missing', 'pending')),
    days_late integer not null check (days_late >= 0),
    primary key (list_code, period_start, community_name),
    foreign key (list_code, period_start) references ops.delivery_due on delete cascade,
    check ((status in ('on_time', 'late')) = (first_delivery_id is not null)),
    check ((days_late > 0) = (status in ('late', 'missing')))
);

-- To be asked for: nothing newer of the community has come since.
create view ops.missing_community as
select
    due.list_code,
    contract.title as list_title,
    contract.department,
    due.period_start,
    due.period_end,
    due.due_date,
    community.community_name,
    community.days_late
from ops.delivery_due_community as community
inner join ops.delivery_due as due using (list_code, period_start)
inner join ops.contract as contract using (list_code)
where
    community.status = 'missing'
    and not exists (
        select from ops.delivery_due_community as newer
        where
            newer.list_code = community.list_code
            and newer.community_name = community.community_name
            and newer.period_start > community.period_start
            and newer.first_delivery_id is not null
    );

comment on column ops.delivery.gone_communities
is '经人确认已无对象的社区：本次来件没有它们的行，但对它们作数，此前的行不再沿用';
comment on column ops.delivery_due.first_delivery_id
is '本周期的第一次来件；按社区报送的清单为最后一个社区报齐的那一次，没报齐为空';
comment on column ops.delivery_due.delivered_at is '该次来件到达的业务日期';

comment on table ops.delivery_due_community
is '报送时钟，按社区：各社区自行报送的清单，每个报送周期每个应报的社区一行';
comment on column ops.delivery_due_community.list_code is '清单代码';
comment on column ops.delivery_due_community.period_start is '周期首日';
comment on column ops.delivery_due_community.community_name is '社区';
comment on column ops.delivery_due_community.first_delivery_id is '本周期含该社区的第一次来件';
comment on column ops.delivery_due_community.delivered_at is '该次来件到达的业务日期';
comment on column ops.delivery_due_community.status
is '状态：on_time 按时，late 迟报，missing 逾期未报，pending 未到期';
comment on column ops.delivery_due_community.days_late is '逾期天数；未报的算到业务日期';

comment on view ops.missing_community is '逾期未报、此后也没有报过的社区：要催的';
comment on column ops.missing_community.list_code is '清单代码';
comment on column ops.missing_community.list_title is '清单名称';
comment on column ops.missing_community.department is '报送部门';
comment on column ops.missing_community.period_start is '周期首日';
comment on column ops.missing_community.period_end is '周期末日';
comment on column ops.missing_community.due_date is '应报送日';
comment on column ops.missing_community.community_name is '社区';
comment on column ops.missing_community.days_late is '逾期天数，算到业务日期';
