-- Linkage owes an answer for every accepted row; one without would vanish from what departments can check.
{{ config(meta={'dagster': {'ref': {'name': 'candidate_source_record'}}}) }}

with

accepted_rows as (

    select
        list_code,
        delivery_id,
        sheet_name,
        row_number
    from {{ ref('int_person_record') }}

    union all

    select
        list_code,
        delivery_id,
        sheet_name,
        row_number
    from {{ ref('int_household_record') }}

),

source_records as (

    select
        list_code,
        delivery_id,
        sheet_name,
        row_number
    from {{ ref('candidate_source_record') }}

)

select
    accepted_rows.list_code,
    accepted_rows.delivery_id,
    accepted_rows.sheet_name,
    accepted_rows.row_number
from accepted_rows
left join source_records
    on
        accepted_rows.list_code = source_records.list_code
        and accepted_rows.delivery_id = source_records.delivery_id
        and accepted_rows.sheet_name = source_records.sheet_name
        and accepted_rows.row_number = source_records.row_number
where source_records.list_code is null
