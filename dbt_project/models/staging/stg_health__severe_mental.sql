with

loaded_rows as (
    {{ loaded_rows('severe_mental') }}
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
    grid_name,

    -- list
    sequence_no,
    household_economy_encrypted,
    is_low_income,
    guardian_name,
    guardian_name_key,
    guardian_name_pinyin,
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
    first_onset_encrypted,
    diagnosis_encrypted,
    danger_level_encrypted,
    mental_condition_encrypted,
    incident_history_encrypted,
    incident_number_encrypted,
    last_incident_encrypted,
    treatment_encrypted,
    hospital_encrypted,
    admission_reason_encrypted,
    rehabilitation_encrypted,
    manager_names,
    assistance_encrypted,
    followed_up_encrypted,
    remark_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
