with

loaded_rows as (
    {{ loaded_rows('unemployed') }}
)

select
    -- source row
    record_id,
    list_code,
    delivery_id,
    file_name,
    sheet_name,
    row_number,
    snapshot_date,
    received_at,

    -- person
    person_name,
    person_name_key,
    person_name_pinyin,
    id_no_encrypted,
    id_no_token,
    id_no_masked,
    id_no_kind,
    id_no_birth_date,
    id_no_sex_code,
    id_no_area_code,
    id_type,
    sex_code,
    birth_date,
    ethnic_code,
    education_code,
    marital_status_code,
    hukou_type_code,
    phone_encrypted,
    phone_token,
    phone_masked,
    phone_kind,

    -- place
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,

    -- list
    sequence_no,
    hukou_address,
    hukou_address_key,
    hukou_address_status,
    hukou_address_compound,
    hukou_address_building,
    hukou_address_unit,
    hukou_address_room,
    hukou_address_community,
    registration_status_code,
    unemployed_date,
    registered_date,
    unemployment_reason_code,
    deregistered_date,
    deregistration_reason_code,
    certificate_no,
    job_wish,
    current_situation,
    surveyed_date,
    intention,
    is_disabled,
    employment_difficulty_codes,
    street_name,
    remark_encrypted,

    -- time
    least(coalesce(registered_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
