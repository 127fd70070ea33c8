{{ config(alias='person') }}

with

persons as (

    select
        person_id,
        person_name,
        sex_code,
        sex_name,
        birth_date,
        id_no_masked,
        id_no_kind,
        phone_masked,
        household_id,
        relation_code,
        relation_name,
        is_head,
        is_low_income,
        is_disabled,
        disability_category_code,
        disability_level_code,
        has_family_doctor,
        list_count,
        source_record_count,
        valid_from,
        valid_to
    from {{ ref('person') }}

)

select
    person_id,
    person_name,
    sex_code,
    sex_name,
    birth_date,
    id_no_masked,
    id_no_kind,
    phone_masked,
    household_id,
    relation_code,
    relation_name,
    is_head,
    is_low_income,
    is_disabled,
    disability_category_code,
    disability_level_code,
    has_family_doctor,
    list_count,
    source_record_count,
    valid_from,
    valid_to
from persons
