with

loaded_rows as (
    {{ loaded_rows('low_income') }}
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

    -- household
    block_no,
    allowance_no,
    'low_income:' || coalesce(allowance_no, delivery_id || '#' || block_no) as household_group,
    relation_code,
    coalesce(relation_code in ('01', '02'), person_name_key = head_name_key, false) as is_head,
    head_name,
    head_name_key,
    head_name_pinyin,
    head_id_no_encrypted,
    head_id_no_token,
    head_id_no_masked,
    head_id_no_kind,
    head_id_no_birth_date,
    head_id_no_sex_code,
    head_id_no_area_code,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,

    -- allowance
    allowance_type_code,
    household_size,
    insured_count,
    income_per_capita_encrypted,
    monthly_allowance_encrypted,
    cause_encrypted,
    started_month,
    remark_encrypted,

    -- further columns of the list
    grant_class_code,
    special_support_encrypted,
    special_support_amount_encrypted,
    is_insured,
    payment_total_encrypted,
    health_status_encrypted,
    labour_capacity_code,
    occupation_status_code,
    disability_note_encrypted,
    bank_name,
    account_holder,
    account_holder_key,
    account_holder_pinyin,
    bank_account_encrypted,

    -- time
    snapshot_date as evidence_date,

    -- currency
    is_newest_delivery as is_current
from loaded_rows
