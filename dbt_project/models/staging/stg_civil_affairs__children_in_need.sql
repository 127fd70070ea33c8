with

loaded_rows as (
    {{ loaded_rows('children_in_need') }}
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
    birth_date,
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
    birth_certificate_no_encrypted,
    birth_certificate_no_token,
    birth_certificate_no_masked,
    birth_certificate_no_kind,
    birth_certificate_no_birth_date,
    birth_certificate_no_sex_code,
    birth_certificate_no_area_code,
    child_category_code,
    hardship_reason_encrypted,
    father_name,
    father_name_key,
    father_name_pinyin,
    father_status_encrypted,
    mother_name,
    mother_name_key,
    mother_name_pinyin,
    mother_status_encrypted,
    guardian_name,
    guardian_name_key,
    guardian_name_pinyin,
    guardian_relation_code,
    guardian_id_no_encrypted,
    guardian_id_no_token,
    guardian_id_no_masked,
    guardian_id_no_kind,
    guardian_id_no_birth_date,
    guardian_id_no_sex_code,
    guardian_id_no_area_code,
    guardian_phone_encrypted,
    guardian_phone_token,
    guardian_phone_masked,
    guardian_phone_kind,
    child_residence_code,
    school_name,
    grade,
    health_status_encrypted,
    disability_note_encrypted,
    support_standard_encrypted,
    approved_date,
    child_officer_name,
    child_officer_phone_encrypted,
    child_officer_phone_token,
    child_officer_phone_masked,
    child_officer_phone_kind,
    risk_level_code,
    remark_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
