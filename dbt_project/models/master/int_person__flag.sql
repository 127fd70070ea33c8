{{ config(materialized='view') }}

with

links as (

    select
        record_id,
        person_id
    from {{ source('linkage', 'record_link') }}
    where person_id is not null

),

low_income_records as (

    select record_id
    from {{ ref('stg_civil_affairs__low_income') }}
    where is_current

),

-- A row without a status is taken at the list's word: it lists holders of valid certificates.
disabled_records as (

    select
        records.record_id,
        records.disability_category_code,
        records.disability_level_code,
        records.issued_date
    from {{ ref('stg_civil_affairs__disabled') }} as records
    left join {{ ref('certificate_status') }} as statuses
        on records.certificate_status_code = statuses.certificate_status_code
    where
        records.is_current
        and coalesce(statuses.is_valid, true)

),

-- Lists keep contracts as running after their last day, so the day decides too.
family_doctor_records as (

    select records.record_id
    from {{ ref('stg_health__family_doctor') }} as records
    left join {{ ref('contract_status') }} as statuses
        on records.contract_status_code = statuses.contract_status_code
    where
        records.is_current
        and coalesce(statuses.is_active, true)
        and (
            records.expiry_date is null
            or records.expiry_date >= {{ as_of() }}
        )

),

low_income_persons as (

    select distinct links.person_id
    from low_income_records
    inner join links
        on low_income_records.record_id = links.record_id

),

-- Somebody with two certificates on the list holds the one issued last.
disabled_persons as (

    select distinct on (links.person_id)
        links.person_id,
        disabled_records.disability_category_code,
        disabled_records.disability_level_code
    from disabled_records
    inner join links
        on disabled_records.record_id = links.record_id
    order by links.person_id, disabled_records.issued_date desc nulls last, disabled_records.record_id

),

persons_with_family_doctor as (

    select distinct links.person_id
    from family_doctor_records
    inner join links
        on family_doctor_records.record_id = links.record_id

),

persons as (

    select distinct person_id
    from links

)

select
    persons.person_id,
    low_income_persons.person_id is not null as is_low_income,
    disabled_persons.person_id is not null as is_disabled,
    disabled_persons.disability_category_code,
    disabled_persons.disability_level_code,
    persons_with_family_doctor.person_id is not null as has_family_doctor
from persons
left join low_income_persons
    on persons.person_id = low_income_persons.person_id
left join disabled_persons
    on persons.person_id = disabled_persons.person_id
left join persons_with_family_doctor
    on persons.person_id = persons_with_family_doctor.person_id
