with

loaded_rows as (
    {{ loaded_rows('extreme_poverty') }}
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
    ethnic_code,
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
    support_no,
    urban_rural_code,
    support_form_code,
    monthly_support_encrypted,
    self_care_code,
    care_level_code,
    institution_name,
    guardian_name,
    guardian_name_key,
    guardian_name_pinyin,
    guardian_phone_encrypted,
    guardian_phone_token,
    guardian_phone_masked,
    guardian_phone_kind,
    approved_date,
    remark_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
