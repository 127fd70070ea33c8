{{ config(alias='household_member') }}

with

household_members as (

    select
        household_id,
        person_id,
        relation_code,
        relation_name,
        is_head,
        valid_from,
        valid_to
    from {{ ref('household_member') }}

)

select
    household_id,
    person_id,
    relation_code,
    relation_name,
    is_head,
    valid_from,
    valid_to
from household_members
