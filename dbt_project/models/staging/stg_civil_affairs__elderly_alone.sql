with

loaded_rows as (
    {{ loaded_rows('elderly_alone') }}
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
    age,
    living_status_code,
    self_care_code,
    health_status_encrypted,
    child_name,
    child_name_key,
    child_name_pinyin,
    child_phone_encrypted,
    child_phone_token,
    child_phone_masked,
    child_phone_kind,
    emergency_contact_name,
    emergency_contact_name_key,
    emergency_contact_name_pinyin,
    emergency_contact_phone_encrypted,
    emergency_contact_phone_token,
    emergency_contact_phone_masked,
    emergency_contact_phone_kind,
    has_medical_insurance,
    service_need_encrypted,
    visitor_name,
    visit_frequency,
    surveyed_date,
    remark_encrypted,

    -- time
    least(coalesce(surveyed_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
