with

loaded_rows as (
    {{ loaded_rows('resource') }}
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

    -- resource
    resource_no,
    resource_kind_code,
    resource_name,
    resource_detail_encrypted,
    is_willing,
    available_time,
    need_codes,
    service_kind_code,
    valid_until,
    recorder_name,
    has_consent,
    resource_status_code,
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
    -- the last row of a resource: its number, else household, person and item, tell which
    row_number() over (
        partition by
            coalesce(resource_no, source_household_no, address_key, record_id),
            case when resource_no is null then coalesce(person_name_key, id_no_token) end,
            case when resource_no is null then resource_kind_code || '|' || resource_name end
        order by
            recorded_date desc nulls last,
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
