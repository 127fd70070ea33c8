with

loaded_rows as (
    {{ loaded_rows('family_doctor') }}
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
    id_type,
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
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    address_community as community_name,

    -- contract
    contract_no,
    contract_status_code,
    institution,
    team,
    doctor_name,
    service_package_encrypted,
    population_tags_encrypted,
    signed_date,
    expiry_date,

    -- further columns of the list
    ended_date,
    termination_reason_code,
    contract_years,
    service_type_code,
    family_representative,
    family_representative_key,
    family_representative_pinyin,
    doctor_phone_encrypted,
    doctor_phone_token,
    doctor_phone_masked,
    doctor_phone_kind,
    entered_by,
    recorded_date,

    -- time
    least(coalesce(signed_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
