with

loaded_rows as (
    {{ loaded_rows('serious_illness') }}
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
    illness_encrypted,
    diagnosed_encrypted,
    follow_up_group_code,
    followed_up_date,
    follow_up_method_code,
    follow_up_outcome_code,
    next_follow_up_date,
    institution,
    doctor_name,
    own_expense_encrypted,
    remark_encrypted,

    -- time
    least(coalesce(followed_up_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
