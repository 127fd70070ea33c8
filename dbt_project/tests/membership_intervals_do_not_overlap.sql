with

intervals as (

    select
        person_id,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by person_id order by valid_from) as next_valid_from
    from {{ ref('household_member') }}

)

select
    person_id,
    valid_from
from intervals
where
    valid_to <= valid_from
    or (valid_to is null and next_valid_from is not null)
    or valid_to > next_valid_from
