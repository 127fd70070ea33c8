{{ config(indexes=[{'columns': ['person_id'], 'unique': true}, {'columns': ['household_id']}]) }}

with

linked_records as (

    select
        links.person_id,
        records.record_id,
        records.list_code,
        records.evidence_date
    from {{ ref('int_person_record') }} as records
    inner join {{ source('linkage', 'record_link') }} as links
        on records.record_id = links.record_id

),

surviving_values as (

    select
        entity_id as person_id,
        max(value_text) filter (where attribute = 'person_name') as person_name,
        max(value_text) filter (where attribute = 'birth_date') as birth_date,
        max(value_text) filter (where attribute = 'sex_code') as sex_code,
        max(record_id) filter (where attribute = 'id_no') as id_no_record_id,
        max(record_id) filter (where attribute = 'phone') as phone_record_id
    from {{ ref('int_attribute__value') }}
    where
        subject = 'person'
        and value_rank = 1
    group by entity_id

),

id_records as (

    select
        record_id,
        id_no_encrypted,
        id_no_token,
        id_no_masked,
        id_no_kind
    from {{ ref('int_person_record') }}

),

phone_records as (

    select
        record_id,
        phone_encrypted,
        phone_token,
        phone_masked
    from {{ ref('int_person_record') }}

),

current_members as (

    select
        person_id,
        household_id,
        relation_code,
        relation_name,
        is_head
    from {{ ref('household_member') }}
    where valid_to is null

),

flags as (

    select *
    from {{ ref('int_person__flag') }}

),

sex_names as (

    select
        sex_code,
        sex_name
    from {{ ref('sex_code') }}

),

persons as (

    select
        person_id,
        count(distinct list_code) as list_count,
        count(*) as source_record_count,
        min(evidence_date) as valid_from
    from linked_records
    group by person_id

)

select
    persons.person_id,
    surviving_values.person_name,
    surviving_values.sex_code,
    sex_names.sex_name,
    cast(surviving_values.birth_date as date) as birth_date,
    -- The ciphertext opens with the context `<column>|<record_id>` of the record it was taken from.
    surviving_values.id_no_record_id,
    id_records.id_no_encrypted,
    id_records.id_no_token,
    id_records.id_no_masked,
    coalesce(id_records.id_no_kind, 'missing') as id_no_kind,
    surviving_values.phone_record_id,
    phone_records.phone_encrypted,
    phone_records.phone_token,
    phone_records.phone_masked,
    current_members.household_id,
    current_members.relation_code,
    current_members.relation_name,
    coalesce(current_members.is_head, false) as is_head,
    flags.is_low_income,
    flags.is_disabled,
    flags.disability_category_code,
    flags.disability_level_code,
    flags.has_family_doctor,
    cast(persons.list_count as integer) as list_count,
    cast(persons.source_record_count as integer) as source_record_count,
    persons.valid_from,
    -- No list reports a death or a move away from the sub-district; whoever is on the register is valid.
    cast(null as date) as valid_to
from persons
inner join flags
    on persons.person_id = flags.person_id
left join surviving_values
    on persons.person_id = surviving_values.person_id
left join id_records
    on surviving_values.id_no_record_id = id_records.record_id
left join phone_records
    on surviving_values.phone_record_id = phone_records.record_id
left join current_members
    on persons.person_id = current_members.person_id
left join sex_names
    on surviving_values.sex_code = sex_names.sex_code
