with

loaded_rows as (
    {{ loaded_rows('student_support') }}
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
    student_no_encrypted,
    term,
    school_name,
    school_stage_code,
    grade,
    class_name,
    study_mode_code,
    head_name,
    head_name_key,
    head_name_pinyin,
    family_no,
    guardian_name,
    guardian_name_key,
    guardian_name_pinyin,
    guardian_phone_encrypted,
    guardian_phone_token,
    guardian_phone_masked,
    guardian_phone_kind,
    is_disabled_student,
    disability_certificate_no_encrypted,
    disability_certificate_no_token,
    disability_certificate_no_masked,
    disability_certificate_no_kind,
    disability_certificate_no_category_code,
    disability_certificate_no_level_code,
    hardship_codes,
    absence_reason_encrypted,
    aid_project_encrypted,
    aid_amount_encrypted,
    remark_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
