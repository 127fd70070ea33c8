{{ config(indexes=[{'columns': ['household_id']}], post_hook='analyze {{ this }}') }}

with

memberships as (

    select
        household_id,
        person_id,
        valid_from,
        valid_to
    from {{ source('linkage', 'household_membership') }}

),

placed_records as (

    select
        placements.household_id,
        placements.person_id,
        records.record_id,
        records.list_code,
        records.relation_code,
        records.is_head,
        records.is_current,
        records.source_household_no is not null as is_register_record,
        records.snapshot_date,
        records.evidence_date
    from {{ ref('int_record__household') }} as placements
    inner join {{ ref('int_person_record') }} as records
        on placements.record_id = records.record_id

),

birth_dates as (

    select
        entity_id as person_id,
        cast(value_text as date) as birth_date
    from {{ ref('int_attribute__value') }}
    where
        subject = 'person'
        and attribute = 'birth_date'
        and value_rank = 1

),

relation_priorities as (

    select distinct on (source_code)
        source_code,
        priority
    from {{ ref('survivorship') }}
    where
        subject = 'household_member'
        and attribute = 'relation_code'
        and valid_from <= {{ as_of() }}
    order by source_code, valid_from desc

),

relation_names as (

    select
        relation_code,
        relation_name,
        is_head
    from {{ ref('relation_code') }}

),

-- Who was stated to be the head, and when last; a register row that a later one replaced states nothing.
head_claims as (

    select
        household_id,
        person_id,
        max(snapshot_date) filter (where is_register_record) as register_snapshot_date,
        max(evidence_date) filter (where is_register_record) as register_evidence_date,
        max(snapshot_date) filter (where not is_register_record) as other_snapshot_date,
        max(evidence_date) filter (where not is_register_record) as other_evidence_date
    from placed_records
    where
        is_head
        and (is_current or not is_register_record)
    group by household_id, person_id

),

-- "Self" and "head" say nothing about the relation to whoever is the head now.
relations as (

    select distinct on (placed_records.household_id, placed_records.person_id)
        placed_records.household_id,
        placed_records.person_id,
        placed_records.relation_code
    from placed_records
    inner join relation_names
        on
            placed_records.relation_code = relation_names.relation_code
            and not relation_names.is_head
    inner join relation_priorities as any_source
        on any_source.source_code = '*'
    left join relation_priorities as own_source
        on placed_records.list_code = own_source.source_code
    order by
        placed_records.household_id,
        placed_records.person_id,
        coalesce(own_source.priority, any_source.priority),
        placed_records.snapshot_date desc,
        placed_records.evidence_date desc,
        placed_records.record_id

),

-- A household's time is cut where somebody comes or goes; between two cuts the same people live there.
cuts as (

    select
        household_id,
        valid_from as period_start
    from memberships

    union

    select
        household_id,
        valid_to as period_start
    from memberships
    where valid_to is not null

),

periods as (

    select
        household_id,
        period_start,
        lead(period_start) over (partition by household_id order by period_start) as period_end
    from cuts

),

members_in_period as (

    select
        memberships.household_id,
        memberships.person_id,
        memberships.valid_from as membership_start,
        periods.period_start,
        periods.period_end,
        row_number() over (
            partition by memberships.household_id, periods.period_start
            order by
                head_claims.register_snapshot_date desc nulls last,
                head_claims.register_evidence_date desc nulls last,
                head_claims.other_snapshot_date desc nulls last,
                head_claims.other_evidence_date desc nulls last,
                relations.person_id is not null,
                birth_dates.birth_date asc nulls last,
                memberships.person_id
        ) = 1 as is_head
    from memberships
    inner join periods
        on
            memberships.household_id = periods.household_id
            and memberships.valid_from <= periods.period_start
            and (memberships.valid_to is null or memberships.valid_to > periods.period_start)
    left join head_claims
        on
            memberships.household_id = head_claims.household_id
            and memberships.person_id = head_claims.person_id
    -- Whoever is somebody's wife or son is the head last: the head's own row may be missing from the list.
    left join relations
        on
            memberships.household_id = relations.household_id
            and memberships.person_id = relations.person_id
    left join birth_dates
        on memberships.person_id = birth_dates.person_id

),

members_with_last_role as (

    select
        *,
        lag(is_head) over (
            partition by household_id, person_id, membership_start order by period_start
        ) as was_head
    from members_in_period

),

members_with_role_number as (

    select
        *,
        count(*) filter (where is_head is distinct from was_head) over (
            partition by household_id, person_id, membership_start order by period_start
        ) as role_number
    from members_with_last_role

),

-- A membership is cut only where its person became head or ceased to be.
roles as (

    select
        household_id,
        person_id,
        is_head,
        min(period_start) as valid_from,
        case when bool_and(period_end is not null) then max(period_end) end as valid_to
    from members_with_role_number
    group by household_id, person_id, membership_start, role_number, is_head

),

roles_with_relation as (

    select
        roles.household_id,
        roles.person_id,
        case when roles.is_head then '02' else relations.relation_code end as relation_code,
        roles.is_head,
        roles.valid_from,
        roles.valid_to
    from roles
    left join relations
        on
            roles.household_id = relations.household_id
            and roles.person_id = relations.person_id

)

select
    roles_with_relation.household_id,
    roles_with_relation.person_id,
    roles_with_relation.relation_code,
    relation_names.relation_name,
    roles_with_relation.is_head,
    roles_with_relation.valid_from,
    roles_with_relation.valid_to
from roles_with_relation
left join relation_names
    on roles_with_relation.relation_code = relation_names.relation_code
