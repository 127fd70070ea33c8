{{ config(alias='source_record') }}

with

accepted_rows as (

    select
        record_id,
        list_code,
        delivery_id,
        file_name,
        sheet_name,
        row_number
    from {{ ref('int_person_record') }}

    union all

    select
        record_id,
        list_code,
        delivery_id,
        file_name,
        sheet_name,
        row_number
    from {{ ref('int_household_record') }}

),

links as (

    select
        record_id,
        person_id,
        household_id,
        link_rule,
        link_probability
    from {{ source('linkage', 'record_link') }}

)

select
    accepted_rows.list_code,
    accepted_rows.delivery_id,
    accepted_rows.file_name,
    accepted_rows.sheet_name,
    accepted_rows.row_number,
    links.person_id,
    links.household_id,
    links.link_rule,
    links.link_probability
from accepted_rows
inner join links
    on accepted_rows.record_id = links.record_id
