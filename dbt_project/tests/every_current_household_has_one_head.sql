-- A household somebody lives in has exactly one head now, and the head is one of those who live there.
{{ config(meta={'dagster': {'ref': {'name': 'household'}}}) }}

with

current_heads as (

    select
        household_id,
        count(*) filter (where is_head) as head_count
    from {{ ref('household_member') }}
    where valid_to is null
    group by household_id

),

households as (

    select
        household_id,
        head_person_id
    from {{ ref('household') }}
    where valid_to is null

)

select households.household_id
from households
left join current_heads
    on households.household_id = current_heads.household_id
where
    households.head_person_id is null
    or current_heads.head_count is distinct from 1
