-- The visit app's own database: how far each list was pulled, what was taken, when it could not be read.

create table ops.app_watermark (
    list_code text primary key,
    watermark timestamptz,
    look_back interval not null,
    last_pull_at timestamptz not null,
    last_row_count bigint not null check (last_row_count >= 0),
    source_columns jsonb not null,
    mapping_hash text not null,
    held_delivery_id bigint references ops.delivery,
    held_watermark timestamptz,
    held_row_count bigint,
    check ((held_delivery_id is null) = (held_row_count is null))
);

-- A list that was read and had nothing new has come all the same: the clock of the lists asks here.
create table ops.app_read_day (
    list_code text not null,
    read_on date not null,
    primary key (list_code, read_on)
);

-- Keyed tokens only: an unkeyed hash of a row that holds an id number could be turned back.
create table ops.app_row (
    list_code text not null,
    key_token text not null,
    row_token text not null,
    delivery_id bigint not null references ops.delivery on delete cascade,
    is_waiting boolean not null default false,
    primary key (list_code, key_token, is_waiting)
);
create index app_row_by_delivery on ops.app_row (delivery_id);

create table ops.app_outage (
    outage_id bigint generated always as identity primary key,
    list_code text,
    reason text not null,
    began_at timestamptz not null,
    ended_at timestamptz,
    check (ended_at >= began_at)
);
create unique index app_outage_is_one_at_a_time on ops.app_outage ((ended_at is null)) where ended_at is null;

comment on table ops.app_watermark is '走访应用取数进度：每种清单一行；与来件在同一事务中推进';
comment on column ops.app_watermark.list_code is '清单代码';
comment on column ops.app_watermark.watermark is '水位：已取到的最晚更新时间（UTC）；还没有取到有更新时间的行时为空';
comment on column ops.app_watermark.look_back is '回看：每次从水位往前多读这么久，为了取到迟提交的行';
comment on column ops.app_watermark.last_pull_at is '上次读完的时刻（UTC），没有新行也算';
comment on column ops.app_watermark.last_row_count is '上次读时源表的行数';
comment on column ops.app_watermark.source_columns is '上次读时所用各栏的类型（不含数据）';
comment on column ops.app_watermark.mapping_hash is '上次读时对照表中这份清单的摘要；改了对照表才接受改了类型的栏';
comment on column ops.app_watermark.held_delivery_id is '因源表变少或退回旧备份而扣留的来件；没有则空';
comment on column ops.app_watermark.held_watermark is '放行这次来件后的水位';
comment on column ops.app_watermark.held_row_count is '放行这次来件后的行数';

comment on table ops.app_read_day is '走访应用的清单在哪些天读到底过；没有新行、因而没有来件的日子也算报过';
comment on column ops.app_read_day.list_code is '清单代码';
comment on column ops.app_read_day.read_on is '日期（北京时间）';

comment on table ops.app_row is '走访应用已取的行：只有密钥摘要，用来认出没有变化的行';
comment on column ops.app_row.list_code is '清单代码';
comment on column ops.app_row.key_token is '源表主键的密钥摘要';
comment on column ops.app_row.row_token is '这一行各栏内容的密钥摘要';
comment on column ops.app_row.delivery_id is '取到这一行的来件；来件被拒收的，这一行视为没有取过';
comment on column ops.app_row.is_waiting is '在因源表变少而扣留的来件中；放行后取代这份清单其余的摘要，拒收则删去';

comment on table ops.app_outage is '走访应用读不到的时段：一次一行，开始和恢复各告警一次';
comment on column ops.app_outage.outage_id is '编号';
comment on column ops.app_outage.list_code is '读到哪份清单时发生；空表示连不上';
comment on column ops.app_outage.reason is '原因（不含数据和口令）';
comment on column ops.app_outage.began_at is '第一次读不到的时刻（UTC）';
comment on column ops.app_outage.ended_at is '恢复的时刻（UTC）；空表示仍读不到';
