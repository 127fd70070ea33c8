{{ config(meta={'dagster': {'ref': {'name': 'candidate_id_history'}}}) }}

with

ids as (

    select person_id as entity_id
    from {{ ref('candidate_person') }}

    union all

    select household_id as entity_id
    from {{ ref('candidate_household') }}

),

minted_ids as (

    select entity_id
    from {{ ref('candidate_id_history') }}
    where event = 'minted'

)

select ids.entity_id
from ids
left join minted_ids
    on ids.entity_id = minted_ids.entity_id
where minted_ids.entity_id is null
