{{ config(indexes=[{'columns': ['record_id'], 'unique': true}]) }}

with

visits as (

    select *
    from {{ ref('stg_community__visit') }}

)

select
    record_id,
    list_code,
    delivery_id,
    file_name,
    sheet_name,
    row_number,
    snapshot_date,
    is_current,
    visit_no,
    source_household_no,
    head_name,
    head_name_key,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    community_name,
    grid_name,
    visited_at,
    entered_at,
    visitor_name,
    visit_method_code,
    visit_outcome_code,
    has_consent,
    need_codes,
    problem_count,
    satisfaction_score,
    remark_encrypted
from visits
