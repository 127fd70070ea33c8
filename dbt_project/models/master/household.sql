{{ config(indexes=[{'columns': ['household_id'], 'unique': true}]) }}

with

households as (

    select
        household_id,
        min(valid_from) as valid_from,
        case when bool_and(valid_to is not null) then max(valid_to) end as valid_to
    from {{ source('linkage', 'household_membership') }}
    group by household_id

),

surviving_values as (

    select
        entity_id as household_id,
        max(value_text) filter (where attribute = 'address') as address,
        max(record_id) filter (where attribute = 'address') as address_record_id,
        max(value_text) filter (where attribute = 'community_name') as community_name,
        max(value_text) filter (where attribute = 'grid_name') as grid_name,
        max(value_text) filter (where attribute = 'source_household_no') as source_household_no
    from {{ ref('int_attribute__value') }}
    where
        subject = 'household'
        and value_rank = 1
    group by entity_id

),

address_keys as (

    select
        record_id,
        address_key
    from {{ ref('int_person_record') }}

    union all

    select
        record_id,
        address_key
    from {{ ref('int_visit') }}

),

registered_households as (

    select distinct placements.household_id
    from {{ ref('int_record__household') }} as placements
    inner join {{ ref('int_person_record') }} as records
        on placements.record_id = records.record_id
    where records.source_household_no is not null

),

current_members as (

    select
        household_id,
        count(*) as member_count,
        max(person_id) filter (where is_head) as head_person_id,
        max(person_name) filter (where is_head) as head_name,
        bool_or(is_low_income) as is_low_income,
        bool_or(is_disabled) as has_disabled_member
    from {{ ref('person') }}
    where household_id is not null
    group by household_id

),

last_visits as (

    select
        household_id,
        max(cast(visited_at at time zone 'Asia/Shanghai' as date)) as last_visited_date
    from {{ ref('visit') }}
    where
        household_id is not null
        and is_success
    group by household_id

)

select
    households.household_id,
    current_members.head_person_id,
    current_members.head_name,
    surviving_values.address,
    address_keys.address_key,
    surviving_values.community_name,
    surviving_values.grid_name,
    surviving_values.source_household_no,
    cast(coalesce(current_members.member_count, 0) as integer) as member_count,
    coalesce(current_members.is_low_income, false) as is_low_income,
    coalesce(current_members.has_disabled_member, false) as has_disabled_member,
    registered_households.household_id is not null as is_confirmed,
    last_visits.last_visited_date,
    households.valid_from,
    households.valid_to
from households
left join surviving_values
    on households.household_id = surviving_values.household_id
left join address_keys
    on surviving_values.address_record_id = address_keys.record_id
left join registered_households
    on households.household_id = registered_households.household_id
left join current_members
    on households.household_id = current_members.household_id
left join last_visits
    on households.household_id = last_visits.household_id
