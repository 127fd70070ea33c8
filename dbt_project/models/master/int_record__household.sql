{{ config(materialized='view') }}

with

records as (

    select
        record_id,
        evidence_date
    from {{ ref('int_person_record') }}

),

links as (

    select
        record_id,
        person_id
    from {{ source('linkage', 'record_link') }}
    where person_id is not null

),

memberships as (

    select
        person_id,
        household_id,
        valid_from,
        valid_to,
        row_number() over (partition by person_id order by valid_from) = 1 as is_first
    from {{ source('linkage', 'household_membership') }}

),

-- A record speaks for the household its person lived in when it was true: an old record of a person who moved
-- says nothing about the new door. What is older than the first evidence belongs to the first household.
records_placed_in_time as (

    select
        records.record_id,
        links.person_id,
        memberships.household_id
    from records
    inner join links
        on records.record_id = links.record_id
    inner join memberships
        on
            links.person_id = memberships.person_id
            and (memberships.is_first or records.evidence_date >= memberships.valid_from)
            and (memberships.valid_to is null or records.evidence_date < memberships.valid_to)

)

select
    record_id,
    person_id,
    household_id
from records_placed_in_time
