-- ops: the delivery ledger, what was set aside, what was noted, and the log of refreshes.
create schema if not exists ops;

create table ops.refresh (
    refresh_id bigint generated always as identity primary key,
    as_of date not null,
    run_id text,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    outcome text check (outcome in ('released', 'unchanged', 'gate_refused', 'ingested', 'failed'))
);

-- The business date every model runs as of: the newest refresh. dbt reads it from here instead of
-- from a variable, because a changed variable makes dbt parse the whole project again.
create view ops.current_refresh as
select refresh_id, as_of, run_id, started_at
from ops.refresh
order by refresh_id desc
limit 1;

-- What the contracts say, as rows, so that stations other than ingest can read it.
create table ops.contract (
    list_code text primary key,
    department text not null,
    title text not null,
    grain text not null,
    version text not null,
    semantics text not null check (semantics in ('snapshot', 'upsert', 'append')),
    rhythm text not null,
    due_day integer,
    legal_basis text not null,
    purpose text not null
);

create table ops.contract_column (
    list_code text not null references ops.contract on delete cascade,
    column_name text not null,
    position integer not null,
    header text not null,
    semantic_type text not null,
    is_required boolean not null,
    code_list text,
    allowed_codes text[],
    data_class text not null check (data_class in ('P0', 'P1', 'P2', 'P3', 'P4')),
    is_encrypted boolean not null,
    primary key (list_code, column_name)
);

create table ops.delivery (
    delivery_id bigint generated always as identity primary key,
    department text not null,
    list_code text not null,
    file_name text not null,
    source_path text not null,
    file_modified_ns bigint,
    file_size bigint,
    content_sha256 text not null,
    snapshot_date date,
    snapshot_date_source text
        check (snapshot_date_source in ('note_row', 'file_name', 'watermark', 'arrival')),
    received_at timestamptz not null,
    status text not null check (status in ('loaded', 'held', 'refused', 'duplicate')),
    reason_code text,
    reason text,
    row_count integer not null default 0,
    accepted_count integer not null default 0,
    quarantined_count integer not null default 0,
    warning_count integer not null default 0,
    duplicate_of bigint references ops.delivery,
    contract_version text,
    layout jsonb not null default '{}'::jsonb,
    released_by text,
    released_at timestamptz,
    constraint delivery_conserves_rows check (row_count = accepted_count + quarantined_count)
);
-- The same bytes of one list are in at most once, whatever the file is called. Without a usable row nothing is in: once
-- the contract knows the header, the same file is taken.
create unique index delivery_content_is_in_once
    on ops.delivery (list_code, content_sha256) where status in ('loaded', 'held') and accepted_count > 0;
create index delivery_by_path on ops.delivery (source_path);

create table ops.quarantined_row (
    delivery_id bigint not null references ops.delivery on delete cascade,
    sheet_name text not null default '',
    row_number integer not null,
    rule text not null,
    column_name text,
    message text not null,
    row_encrypted text not null,
    primary key (delivery_id, sheet_name, row_number)
);

create table ops.row_warning (
    warning_id bigint generated always as identity primary key,
    delivery_id bigint not null references ops.delivery on delete cascade,
    record_id text not null,
    sheet_name text not null default '',
    row_number integer not null,
    rule text not null,
    column_name text,
    message text not null,
    value_encrypted text
);
create index row_warning_by_delivery on ops.row_warning (delivery_id);

-- Outbox of alert mails: template and numbers only, never a person's data.
create table ops.alert (
    alert_id bigint generated always as identity primary key,
    kind text not null,
    dedupe_key text not null unique,
    payload jsonb not null,
    message_id text not null unique,
    status text not null default 'waiting' check (status in ('waiting', 'sending', 'sent', 'dead')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error text,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);

-- Fingerprints of the keys this database has values under, so that a wrong key file is noticed at the door.
create table ops.field_key (
    key_id text primary key,
    fingerprint text not null,
    first_seen_at timestamptz not null default now()
);

--- What is what, in the words of those who read the tables ------------------------------------------------

comment on schema ops is '运行台账：来件、隔离、提示、刷新、告警';

comment on table ops.refresh is '刷新记录：整条流水线每运行一次一行';
comment on column ops.refresh.refresh_id is '刷新编号';
comment on column ops.refresh.as_of is '业务日期，本次刷新的一切计算都以这一天为准';
comment on column ops.refresh.run_id is 'Dagster 运行编号';
comment on column ops.refresh.started_at is '开始时刻（UTC）';
comment on column ops.refresh.finished_at is '结束时刻（UTC）；空表示仍在运行或中途中断';
comment on column ops.refresh.outcome
is '结果：released 已发布，unchanged 内容未变，gate_refused 未达标不发布，ingested 只接入来件，failed 失败';

comment on view ops.current_refresh is '最新一次刷新；各模型从这里取业务日期';
comment on column ops.current_refresh.refresh_id is '刷新编号';
comment on column ops.current_refresh.as_of is '业务日期';
comment on column ops.current_refresh.run_id is 'Dagster 运行编号';
comment on column ops.current_refresh.started_at is '开始时刻（UTC）';

comment on table ops.contract is '数据约定：每种清单一行，由约定文件写入';
comment on column ops.contract.list_code is '清单代码';
comment on column ops.contract.department is '报送部门（来件文件夹下的文件夹名）';
comment on column ops.contract.title is '清单名称';
comment on column ops.contract.grain is '一行代表什么';
comment on column ops.contract.version is '数据约定的版本';
comment on column ops.contract.semantics is '更新方式：snapshot 全量快照，upsert 按键更新，append 追加';
comment on column ops.contract.rhythm is '报送周期';
comment on column ops.contract.due_day is '应报送的日（每周期内第几日）';
comment on column ops.contract.legal_basis is '处理的法律依据';
comment on column ops.contract.purpose is '处理目的';

comment on table ops.contract_column is '数据约定的列：每种清单的每一列一行';
comment on column ops.contract_column.list_code is '清单代码';
comment on column ops.contract_column.column_name is '列名';
comment on column ops.contract_column.position is '列序';
comment on column ops.contract_column.header is '规范表头';
comment on column ops.contract_column.semantic_type is '语义类型，决定如何规范、加密和展开';
comment on column ops.contract_column.is_required is '是否必填';
comment on column ops.contract_column.code_list is '所用代码表';
comment on column ops.contract_column.allowed_codes is '允许的代码';
comment on column ops.contract_column.data_class is '数据级别：P0 汇总，P1 内部，P2 个人，P3 敏感，P4 受限';
comment on column ops.contract_column.is_encrypted is '是否只以密文存放';

comment on table ops.delivery is '来件台账：每个文件或每次拉取一行';
comment on column ops.delivery.delivery_id is '来件编号';
comment on column ops.delivery.department is '报送部门';
comment on column ops.delivery.list_code is '清单代码';
comment on column ops.delivery.file_name is '文件名';
comment on column ops.delivery.source_path is '文件的完整路径';
comment on column ops.delivery.file_modified_ns is '文件修改时刻（纳秒），与大小一起用来略过已看过的文件';
comment on column ops.delivery.file_size is '文件大小（字节）';
comment on column ops.delivery.content_sha256 is '内容的 SHA-256';
comment on column ops.delivery.snapshot_date is '清单所述状况的日期';
comment on column ops.delivery.snapshot_date_source
is '日期来历：note_row 填表日期，file_name 文件名，watermark 拉取水位，arrival 到达时刻';
comment on column ops.delivery.received_at is '收到时刻（UTC）';
comment on column ops.delivery.status is '状态：loaded 接收，held 扣留，refused 拒收，duplicate 重复';
comment on column ops.delivery.reason_code is '扣留或拒收的原因代码';
comment on column ops.delivery.reason is '扣留、拒收或重复的原因';
comment on column ops.delivery.row_count is '数据行数';
comment on column ops.delivery.accepted_count is '接收行数';
comment on column ops.delivery.quarantined_count is '隔离行数';
comment on column ops.delivery.warning_count is '提示条数';
comment on column ops.delivery.duplicate_of is '与哪次来件内容相同';
comment on column ops.delivery.contract_version is '所依数据约定的版本';
comment on column ops.delivery.layout is '识别出的版式：工作表、表头行、列对应、编码等';
comment on column ops.delivery.released_by is '由谁确认放行';
comment on column ops.delivery.released_at is '放行时刻（UTC）';

comment on table ops.quarantined_row is '隔离行：无法使用的数据行，每行一条';
comment on column ops.quarantined_row.delivery_id is '来件编号';
comment on column ops.quarantined_row.sheet_name is '工作表名；单表文件为空';
comment on column ops.quarantined_row.row_number is '行号，按人在文件中数的行';
comment on column ops.quarantined_row.rule is '违反的规则';
comment on column ops.quarantined_row.column_name is '有关的列';
comment on column ops.quarantined_row.message is '给报送部门的说明，不含个人数据';
comment on column ops.quarantined_row.row_encrypted is '整行的密文';

comment on table ops.row_warning is '行内提示：行已接收，其中有误的值另存于此';
comment on column ops.row_warning.warning_id is '提示编号';
comment on column ops.row_warning.delivery_id is '来件编号';
comment on column ops.row_warning.record_id is '记录编号';
comment on column ops.row_warning.sheet_name is '工作表名；单表文件为空';
comment on column ops.row_warning.row_number is '行号，按人在文件中数的行';
comment on column ops.row_warning.rule is '违反的规则';
comment on column ops.row_warning.column_name is '有关的列';
comment on column ops.row_warning.message is '给报送部门的说明，不含个人数据';
comment on column ops.row_warning.value_encrypted is '原值的密文';

comment on table ops.alert is '告警邮件的发件箱：只有模板和数字，没有个人数据';
comment on column ops.alert.alert_id is '告警编号';
comment on column ops.alert.kind is '告警种类';
comment on column ops.alert.dedupe_key is '去重键：同一件事只发一次';
comment on column ops.alert.payload is '填入模板的内容';
comment on column ops.alert.message_id is '邮件的 Message-ID，重发时不变';
comment on column ops.alert.status is '状态：waiting 待发，sending 发送中，sent 已发，dead 放弃';
comment on column ops.alert.attempts is '已尝试次数';
comment on column ops.alert.next_attempt_at is '下次尝试时刻（UTC）';
comment on column ops.alert.last_error is '最近一次失败的原因';
comment on column ops.alert.created_at is '产生时刻（UTC）';
comment on column ops.alert.sent_at is '发出时刻（UTC）';

comment on table ops.field_key is '本库已使用的字段密钥的指纹，用来发现密钥文件拿错；不含密钥';
comment on column ops.field_key.key_id is '密钥编号；token 是令牌密钥';
comment on column ops.field_key.fingerprint is '密钥指纹（HMAC-SHA-256）';
comment on column ops.field_key.first_seen_at is '首次使用时刻（UTC）';
