with

head_intervals as (

    select
        household_id,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by household_id order by valid_from) as next_valid_from
    from {{ ref('household_member') }}
    where is_head

)

select
    household_id,
    valid_from
from head_intervals
where
    (valid_to is null and next_valid_from is not null)
    or valid_to > next_valid_from
