{{ config(indexes=[{'columns': ['record_id'], 'unique': true}]) }}

with

household_records as (
    {{ union_household_records(var('household_record_models')) }}
)

select *
from household_records
