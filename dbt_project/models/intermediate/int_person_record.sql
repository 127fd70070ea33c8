{{ config(indexes=[{'columns': ['record_id'], 'unique': true}]) }}

with

person_records as (
    {{ union_person_records(var('person_record_models')) }}
)

select *
from person_records
