with

current_members as (

    select person_id
    from {{ ref('household_member') }}
    where valid_to is null

)

select person_id
from current_members
group by person_id
having count(*) > 1
