-- release: rows stamped with a release number, the pointer, and the gate; published: what others read.
--
-- A release is whole because readers look at one pointer row, and it is right because the database itself, not
-- the caller, recomputes the content hash and looks for the verdict. Life of a release, one transaction:
-- stamp rows (five tables) -> insert release.release (gate; from here on its rows are sealed) -> move the pointer
-- (gate again). Whoever stamps, publishes, archives or prunes first locks the pointer row, so that rows cannot
-- slip in between the gate's look and the commit. Readers never wait for that lock.
--
-- This file: the tables. 0001_release_gate.sql: content hash, triggers, pruning. 0001_release_published.sql: rights,
-- comments, and the views that others read.
create schema if not exists release;
create schema if not exists published;
-- dbt fills it later; it exists now so that the publisher's rights can be given once.
create schema if not exists candidate;

-- The rows ---------------------------------------------------------------------------------------------------

-- No foreign key to release.release: the gate must see the rows before the release exists, and a deferred key
-- costs an event a row. The triggers below keep what the key would: rows of a release come before it, or never.
create table release.person (
    release_no bigint not null,
    person_id text not null,
    person_name text,
    sex_code text,
    sex_name text,
    birth_date date,
    id_no_masked text,
    id_no_kind text,
    phone_masked text,
    household_id text,
    relation_code text,
    relation_name text,
    is_head boolean,
    is_low_income boolean,
    is_disabled boolean,
    disability_category_code text,
    disability_level_code text,
    has_family_doctor boolean,
    list_count integer,
    source_record_count integer,
    valid_from date,
    valid_to date,
    primary key (release_no, person_id)
);
create index release_person_by_household on release.person (release_no, household_id);
create index release_person_by_name on release.person (release_no, person_name);

create table release.household (
    release_no bigint not null,
    household_id text not null,
    head_person_id text,
    head_name text,
    address text,
    address_key text,
    community_name text,
    grid_name text,
    source_household_no text,
    member_count integer,
    is_low_income boolean,
    has_disabled_member boolean,
    is_confirmed boolean,
    last_visited_date date,
    valid_from date,
    valid_to date,
    primary key (release_no, household_id)
);
create index release_household_by_community on release.household (release_no, community_name, grid_name);

create table release.household_member (
    release_no bigint not null,
    household_id text not null,
    person_id text not null,
    relation_code text,
    relation_name text,
    is_head boolean,
    valid_from date not null,
    valid_to date,
    primary key (release_no, household_id, person_id, valid_from)
);
create index release_household_member_by_person on release.household_member (release_no, person_id);

create table release.source_record (
    release_no bigint not null,
    list_code text not null,
    delivery_id bigint not null,
    file_name text not null,
    sheet_name text not null,
    row_number integer not null,
    person_id text,
    household_id text,
    link_rule text,
    link_probability double precision,
    primary key (release_no, delivery_id, sheet_name, row_number)
);
create index release_source_record_by_person on release.source_record (release_no, person_id);
create index release_source_record_by_household on release.source_record (release_no, household_id);

create table release.id_history (
    release_no bigint not null,
    event_no bigint not null,
    entity text not null,
    entity_id text not null,
    event text not null,
    other_id text,
    as_of date not null,
    reason text,
    primary key (release_no, event_no)
);
create index release_id_history_by_id on release.id_history (release_no, entity_id);

create table release.release (
    release_no bigint primary key check (release_no > 0),
    as_of date not null,
    content_hash text not null,
    verdict_id bigint not null references quality.verdict,
    target_code text not null,
    target_ratio numeric not null,
    audited_household_count integer not null,
    audited_field_count integer not null,
    correct_field_count integer not null,
    accuracy_ratio double precision,
    lower_bound_ratio double precision,
    interval_lower_ratio double precision,
    upper_bound_ratio double precision,
    summary jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    pruned_at timestamptz
);
create index release_by_content on release.release (content_hash);

create table release.pointer (
    is_the_only_row boolean primary key default true check (is_the_only_row),
    release_no bigint references release.release,
    version bigint not null default 0,
    moved_at timestamptz not null default clock_timestamp(),
    moved_by text not null,
    reason text not null check (reason <> '')
);
insert into release.pointer (moved_by, reason) values ('infra', '平台建立，尚无发布');
-- Too small for autovacuum ever to look at it, and part of every reader's plan.
analyze release.pointer;

create table release.pointer_history (
    history_no bigint generated always as identity primary key,
    moved_at timestamptz not null,
    from_release_no bigint references release.release,
    to_release_no bigint not null references release.release,
    move text not null check (move in ('publish', 'roll_back', 'reinstate')),
    moved_by text not null,
    reason text not null
);

create table release.archive (
    quarter_start date primary key
    check (quarter_start = date_trunc('quarter', quarter_start::timestamp)::date),
    release_no bigint not null references release.release,
    frozen_at timestamptz not null default clock_timestamp(),
    frozen_by text not null
);
