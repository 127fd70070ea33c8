-- The database of a visit app as a small software house would make it: its own names, surrogate keys, enums, JSON, a change time
-- kept by a trigger. The views are what the app shows to the platform; ingest/app_sources.yaml maps them.
create schema visit_app;
set search_path to visit_app;

create type visit_method as enum ('home', 'phone', 'online', 'outdoor');
create type visit_outcome as enum ('success', 'nobody', 'refused', 'vacant');
create type problem_stage as enum ('found', 'registered', 'assigned', 'handling', 'feedback', 'rated');

create table org_unit (
    id integer generated always as identity primary key,
    community varchar(40) not null,
    grid varchar(40) not null,
    unique (community, grid)
);

create table household (
    id bigint generated always as identity primary key,
    household_no varchar(20) not null unique,
    org_unit_id integer not null references org_unit,
    full_address varchar(200) not null,
    housing varchar(20),
    updated_at timestamptz not null default now()
);

create table member (
    id bigint generated always as identity primary key,
    household_id bigint not null references household,
    name varchar(60) not null,
    id_card varchar(32),
    relation varchar(20),
    gender char(1) check (gender in ('M', 'F')),
    birthday date,
    mobile varchar(20),
    job varchar(40),
    health text,
    registered_on date,
    updated_at timestamptz not null default now()
);

create table visit (
    id bigint generated always as identity primary key,
    visit_no varchar(24) not null unique,
    household_id bigint not null references household,
    method visit_method not null,
    outcome visit_outcome not null,
    visited_at timestamptz not null,
    created_at timestamptz not null default now(),
    visitor varchar(40) not null,
    consent boolean not null default false,
    needs jsonb not null default '[]',
    problem_count smallint not null default 0,
    score smallint,
    remark text,
    updated_at timestamptz not null default now()
);

create table problem (
    id bigint generated always as identity primary key,
    problem_no varchar(24) not null unique,
    household_id bigint references household,
    visit_id bigint references visit,
    reporter varchar(60),
    reporter_mobile varchar(20),
    topic varchar(20) not null,
    class varchar(20),
    colour varchar(4),
    severity varchar(8),
    description text,
    unit varchar(60)
);

create table problem_event (
    id bigint generated always as identity primary key,
    problem_id bigint not null references problem,
    stage problem_stage not null,
    stage_at timestamp not null,              -- an old table: local time without a zone
    resolved boolean,
    rating smallint,
    updated_at timestamptz not null default now()
);

create table need (
    id bigint generated always as identity primary key,
    need_no varchar(24) not null unique,
    household_id bigint not null references household,
    member_id bigint references member,
    visit_id bigint references visit,
    need_code varchar(8) not null,
    wanted boolean not null default true,
    urgency varchar(8),
    detail text,
    recorded_on date not null,
    recorder varchar(40),
    updated_at timestamptz not null default now()
);

create table resource (
    id bigint generated always as identity primary key,
    resource_no varchar(24) not null unique,
    household_id bigint not null references household,
    kind varchar(20) not null,
    name varchar(60) not null,
    willing boolean,
    matching_needs text[] not null default '{}',
    recorded_on date not null,
    valid_until date,
    recorder varchar(40),
    updated_at timestamptz not null default now()
);

create table questionnaire_answer (
    questionnaire_no varchar(24) not null,
    survey varchar(40),
    household_no varchar(20),
    question varchar(20) not null,
    scale varchar(8) not null,
    score numeric(5, 1),
    answered_on date,
    surveyor varchar(40),
    opinion text,
    updated_at timestamptz not null default now(),
    primary key (questionnaire_no, question)
);

create view household_register_v as
select
    member.id as member_id, household.household_no, org_unit.community, org_unit.grid, household.full_address, household.housing,
    member.name, member.id_card, member.relation, case member.gender when 'M' then '男' when 'F' then '女' end as gender,
    member.birthday, member.mobile, member.job, member.health, member.registered_on,
    greatest(member.updated_at, household.updated_at) as updated_at
from member
inner join household on member.household_id = household.id
inner join org_unit on household.org_unit_id = org_unit.id;

create view visit_v as
select
    visit.id, visit.visit_no, household.household_no, head.name as head_name, household.full_address, org_unit.community,
    org_unit.grid, visit.visited_at, visit.created_at, visit.visitor,
    case visit.method when 'home' then '入户' when 'phone' then '电话' when 'online' then '线上' else visit.method::text end as method,
    case visit.outcome when 'success' then '成功' when 'nobody' then '无人在家' when 'refused' then '拒访' else visit.outcome::text end
    as outcome,
    visit.consent, visit.needs, visit.problem_count, visit.score, visit.remark, visit.updated_at
from visit
inner join household on visit.household_id = household.id
inner join org_unit on household.org_unit_id = org_unit.id
left join lateral (
    select name from member where member.household_id = household.id order by relation <> '户主', id limit 1
) as head on true;

create view problem_event_v as
select
    event.id as event_id, problem.problem_no,
    case event.stage
        when 'found' then '发现' when 'registered' then '登记' when 'assigned' then '分流' when 'handling' then '办理'
        when 'feedback' then '反馈' else '评价'
    end as stage,
    event.stage_at, case when event.stage in ('feedback', 'rated') then '已办结' else '处理中' end as status,
    household.household_no, problem.reporter, problem.reporter_mobile, household.full_address, org_unit.community, org_unit.grid,
    visit.visit_no, problem.topic, problem.class, problem.colour, problem.severity, problem.description, problem.unit,
    event.resolved, event.rating, event.updated_at
from problem_event as event
inner join problem on event.problem_id = problem.id
left join household on problem.household_id = household.id
left join org_unit on household.org_unit_id = org_unit.id
left join visit on problem.visit_id = visit.id;

create view need_v as
select
    need.id, need.need_no, household.household_no, member.name, member.id_card, need.need_code, need.wanted, need.urgency,
    need.detail, need.recorded_on, need.recorder, visit.visit_no, need.updated_at
from need
inner join household on need.household_id = household.id
left join member on need.member_id = member.id
left join visit on need.visit_id = visit.id;

create view resource_v as
select
    resource.id, resource.resource_no, household.household_no, resource.kind, resource.name, resource.willing,
    resource.matching_needs, resource.recorded_on, resource.valid_until, resource.recorder, resource.updated_at
from resource
inner join household on resource.household_id = household.id;
