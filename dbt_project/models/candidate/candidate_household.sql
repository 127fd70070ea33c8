{{ config(alias='household') }}

with

households as (

    select
        household_id,
        head_person_id,
        head_name,
        address,
        address_key,
        community_name,
        grid_name,
        source_household_no,
        member_count,
        is_low_income,
        has_disabled_member,
        is_confirmed,
        last_visited_date,
        valid_from,
        valid_to
    from {{ ref('household') }}

)

select
    household_id,
    head_person_id,
    head_name,
    address,
    address_key,
    community_name,
    grid_name,
    source_household_no,
    member_count,
    is_low_income,
    has_disabled_member,
    is_confirmed,
    last_visited_date,
    valid_from,
    valid_to
from households
