with

loaded_rows as (
    {{ loaded_rows('household_register') }}
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
    occupation,
    health_status_encrypted,

    -- household
    source_household_no,
    'household_register:' || source_household_no as household_group,
    relation_code,
    coalesce(relation_code in ('01', '02'), false) as is_head,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,
    grid_name,
    housing_type,

    -- time
    registered_date,
    least(coalesce(registered_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    -- the newest row of a member of a household; without a name the id says who it is
    row_number() over (
        partition by
            coalesce(source_household_no, record_id),
            coalesce(person_name_key, id_no_token, record_id)
        order by
            snapshot_date desc,
            registered_date desc nulls last,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
