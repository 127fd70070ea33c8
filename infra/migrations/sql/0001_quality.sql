-- quality: results of checks, the audit sample, accuracy, and the verdict on a build.
create schema if not exists quality;

create table quality.check_result (
    check_result_id bigint generated always as identity primary key,
    refresh_id bigint,
    suite text not null,
    table_name text not null,
    check_name text not null,
    severity text not null check (severity in ('error', 'warn')),
    is_passed boolean not null,
    checked_count bigint,
    failed_count bigint,
    detail jsonb not null default '{}'::jsonb,
    checked_at timestamptz not null default now()
);
create index check_result_by_refresh on quality.check_result (refresh_id);

create table quality.audit_draw (
    draw_id bigint generated always as identity primary key,
    audit_month date not null,
    as_of date not null,
    seed bigint not null,
    frame_count integer not null,
    sample_count integer not null,
    drawn_at timestamptz not null default now(),
    unique (audit_month)
);

create table quality.audit_item (
    audit_no text not null,
    field_code text not null,
    draw_id bigint not null references quality.audit_draw,
    household_id text not null,
    person_id text,
    stratum text not null,
    weight double precision not null,
    primary key (audit_no, field_code)
);
create index audit_item_by_household on quality.audit_item (household_id);

create table quality.verdict (
    verdict_id bigint generated always as identity primary key,
    refresh_id bigint,
    as_of date not null,
    content_hash text not null,
    evidence_hash text not null,
    status text not null check (status in ('passed', 'failed', 'insufficient')),
    reasons jsonb not null,
    target_code text not null,
    target_ratio numeric not null,
    audited_household_count integer not null,
    audited_field_count integer not null,
    correct_field_count integer not null,
    accuracy_ratio double precision,
    lower_bound_ratio double precision,
    upper_bound_ratio double precision,
    judged_at timestamptz not null default now(),
    unique (content_hash, evidence_hash, target_code)
);
