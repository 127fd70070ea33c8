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

addresses as (

    select
        record_id,
        list_code,
        is_current,
        address_key,
        address_compound,
        address_building,
        address_unit,
        address_room,
        community_name
    from {{ ref('int_person_record') }}

    union all

    select
        record_id,
        list_code,
        is_current,
        address_key,
        address_compound,
        address_building,
        address_unit,
        address_room,
        community_name
    from {{ ref('int_visit') }}

),

least_door_count as (

    select target_value as door_count
    from {{ ref('target') }}
    where
        target_code = 'COMPOUND_DOORS'
        and valid_from <= {{ as_of() }}
    order by valid_from desc
    limit 1

),

-- Compounds that the register knows by enough doors, and that no list puts into two communities.
compounds as (

    select
        address_compound,
        min(community_name) as community_name
    from addresses
    where
        is_current
        and address_compound is not null
        and community_name is not null
    group by address_compound
    having
        count(distinct community_name) = 1
        and count(distinct row(address_building, address_unit, address_room)) filter (
            where list_code = 'household_register' and address_building is not null
        ) >= (select least_door_count.door_count from least_door_count)

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
    addresses.address_key,
    coalesce(surviving_values.community_name, compounds.community_name) as community_name,
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
left join addresses
    on surviving_values.address_record_id = addresses.record_id
left join compounds
    on addresses.address_compound = compounds.address_compound
left join registered_households
    on households.household_id = registered_households.household_id
left join current_members
    on households.household_id = current_members.household_id
left join last_visits
    on households.household_id = last_visits.household_id
