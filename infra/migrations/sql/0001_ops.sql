-- ops: the delivery ledger, what was set aside, what was noted, and the log of refreshes.
create schema if not exists ops;

create table ops.refresh (
    refresh_id bigint generated always as identity primary key,
    as_of date not null,
    run_id text,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    outcome text check (outcome in ('released', 'unchanged', 'gate_refused', 'failed'))
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
    snapshot_date_source text check (snapshot_date_source in ('note_row', 'file_name', 'watermark', 'arrival')),
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
-- The same bytes of one list are in at most once, whatever the file is called.
create unique index delivery_content_is_in_once
    on ops.delivery (list_code, content_sha256) where status in ('loaded', 'held');
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
