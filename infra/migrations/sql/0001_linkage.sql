-- linkage: which records are the same person, which persons live together, and the identity ledger.
create schema if not exists linkage;

create table linkage.model (
    model_id bigint generated always as identity primary key,
    settings_sha256 text not null,
    settings jsonb not null,
    trained_on_count integer not null,
    trained_as_of date not null,
    created_at timestamptz not null default now()
);

-- Newest assignment of every record. Rewritten by each linkage run in one transaction; the rows of the
-- run before are what keeps the ids where they are.
create table linkage.record_link (
    record_id text primary key,
    list_code text not null,
    delivery_id bigint not null,
    person_id text,
    household_id text,
    link_rule text not null,
    link_probability double precision not null check (link_probability between 0 and 1)
);
create index record_link_by_person on linkage.record_link (person_id);
create index record_link_by_household on linkage.record_link (household_id);

create table linkage.household_membership (
    person_id text not null,
    household_id text not null,
    valid_from date not null,
    valid_to date,
    membership_rule text not null,
    evidence_record_id text not null,
    primary key (person_id, valid_from),
    check (valid_to is null or valid_to > valid_from)
);
create unique index a_person_has_one_current_living_household
    on linkage.household_membership (person_id) where valid_to is null;
create index household_membership_by_household on linkage.household_membership (household_id);

-- The identity ledger: append only.
create table linkage.identity_event (
    event_id bigint generated always as identity primary key,
    entity text not null check (entity in ('person', 'household')),
    entity_id text not null,
    event text not null check (event in ('minted', 'merged_into', 'split_from', 'retired', 'reinstated')),
    other_id text,
    as_of date not null,
    reason text not null,
    recorded_at timestamptz not null default now()
);
create unique index an_id_is_minted_once on linkage.identity_event (entity_id) where event = 'minted';
create index identity_event_by_id on linkage.identity_event (entity_id);

-- Where every id ever minted points to now (itself, the id it merged into, or nothing when retired).
create table linkage.identity (
    entity_id text primary key,
    entity text not null check (entity in ('person', 'household')),
    serial bigint not null,
    status text not null check (status in ('active', 'merged', 'retired')),
    resolves_to text,
    minted_as_of date not null,
    unique (entity, serial)
);
