with

loaded_rows as (
    {{ loaded_rows('disabled') }}
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
    sex_code,
    phone_encrypted,
    phone_token,
    phone_masked,
    phone_kind,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,
    hukou_type,

    -- certificate
    disability_certificate_no_encrypted,
    disability_certificate_no_token,
    disability_certificate_no_masked,
    disability_certificate_no_kind,
    coalesce(disability_category_code, disability_certificate_no_category_code) as disability_category_code,
    coalesce(disability_level_code, disability_certificate_no_level_code) as disability_level_code,
    certificate_status_code,
    issued_date,

    -- guardian
    guardian_name,
    guardian_name_key,
    guardian_name_pinyin,
    guardian_phone_encrypted,
    guardian_phone_token,
    guardian_phone_masked,
    guardian_phone_kind,

    -- further columns of the list
    first_issued_date,
    disability_side_code,
    application_type_code,
    applied_date,
    employment_status,
    remark_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
