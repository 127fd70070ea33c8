{{ config(indexes=[{'columns': ['household_id']}]) }}

with

visits as (

    select *
    from {{ ref('int_visit') }}
    where is_current

),

links as (

    select
        record_id,
        household_id,
        link_rule,
        link_probability
    from {{ source('linkage', 'record_link') }}

),

methods as (

    select
        visit_method_code,
        visit_method_name
    from {{ ref('visit_method') }}

),

outcomes as (

    select
        visit_outcome_code,
        visit_outcome_name,
        is_success
    from {{ ref('visit_outcome') }}

)

select
    visits.record_id,
    visits.visit_no,
    links.household_id,
    links.link_rule,
    links.link_probability,
    visits.source_household_no,
    visits.community_name,
    visits.grid_name,
    visits.visited_at,
    visits.entered_at,
    visits.visitor_name,
    visits.visit_method_code,
    methods.visit_method_name,
    visits.visit_outcome_code,
    outcomes.visit_outcome_name,
    coalesce(outcomes.is_success, false) as is_success,
    visits.has_consent,
    visits.need_codes,
    visits.problem_count,
    visits.satisfaction_score,
    visits.remark_encrypted
from visits
left join links
    on visits.record_id = links.record_id
left join methods
    on visits.visit_method_code = methods.visit_method_code
left join outcomes
    on visits.visit_outcome_code = outcomes.visit_outcome_code
