with

loaded_rows as (
    {{ loaded_rows('need') }}
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

    -- need
    need_no,
    need_code,
    is_wanted,
    need_urgency_code,
    need_detail_encrypted,
    visit_no,
    recorder_name,
    has_consent,
    need_status_code,
    service_kind_code,
    provider_name,
    matched_date,
    remark_encrypted,

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
    phone_encrypted,
    phone_token,
    phone_masked,
    phone_kind,
    person_name is not null or id_no_kind <> 'missing' as names_person,

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

    -- time
    recorded_date,
    least(coalesce(recorded_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    -- the last row of a need: its number, else household, person and item, tell which
    row_number() over (
        partition by
            coalesce(need_no, source_household_no, address_key, record_id),
            case when need_no is null then coalesce(person_name_key, id_no_token) end,
            case when need_no is null then need_code end
        order by
            recorded_date desc nulls last,
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
