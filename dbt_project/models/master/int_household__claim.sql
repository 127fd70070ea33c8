{{ config(materialized='view') }}

with

person_records as (

    select *
    from {{ ref('int_person_record') }}

),

placements as (

    select
        record_id,
        household_id
    from {{ ref('int_record__household') }}

),

visits as (

    select *
    from {{ ref('int_visit') }}
    where is_current

),

visited_households as (

    select
        record_id,
        household_id
    from {{ source('linkage', 'record_link') }}
    where
        person_id is null
        and household_id is not null

),

records as (

    select
        placements.household_id,
        person_records.record_id,
        person_records.list_code,
        person_records.snapshot_date,
        person_records.evidence_date,
        person_records.address,
        person_records.address_key,
        person_records.address_status,
        person_records.address_compound,
        person_records.address_building,
        person_records.address_unit,
        person_records.address_room,
        person_records.community_name,
        person_records.grid_name,
        person_records.source_household_no
    from person_records
    inner join placements
        on person_records.record_id = placements.record_id

    union all

    select
        visited_households.household_id,
        visits.record_id,
        visits.list_code,
        visits.snapshot_date,
        visits.snapshot_date as evidence_date,
        visits.address,
        visits.address_key,
        visits.address_status,
        visits.address_compound,
        visits.address_building,
        visits.address_unit,
        visits.address_room,
        visits.community_name,
        visits.grid_name,
        visits.source_household_no
    from visits
    inner join visited_households
        on visits.record_id = visited_households.record_id

),

claims as (

    select
        household_id,
        record_id,
        list_code,
        snapshot_date,
        evidence_date,
        'address' as attribute,
        case
            when address_status = 'FULL' then 0
            when address_status in ('NO_ROOM', 'NO_UNIT') then 1
            when address_status = 'POI_ONLY' then 2
            else 3
        end as validity_rank,
        -- The newest rows decide the compound, the most readable one the door in it: a clerk who leaves out
        -- the unit has not moved the family, and a full address from before a move is no better for that.
        coalesce(address_compound, address) as value_key,
        -- A door that was understood is shown in one standard form, however the clerk wrote it.
        case
            when address_status = 'FULL'
                then concat(
                    address_compound,
                    nullif(address_building, '')
                    || case when concat(address_unit, address_room) = '' then '号' else '幢' end,
                    nullif(address_unit, '') || '单元',
                    nullif(address_room, '') || '室'
                )
            else address
        end as value_text
    from records
    where address is not null

    union all

    select
        household_id,
        record_id,
        list_code,
        snapshot_date,
        evidence_date,
        'community_name' as attribute,
        0 as validity_rank,
        community_name as value_key,
        community_name as value_text
    from records
    where community_name is not null

    union all

    select
        household_id,
        record_id,
        list_code,
        snapshot_date,
        evidence_date,
        'grid_name' as attribute,
        0 as validity_rank,
        grid_name as value_key,
        grid_name as value_text
    from records
    where grid_name is not null

    union all

    select
        household_id,
        record_id,
        list_code,
        snapshot_date,
        evidence_date,
        'source_household_no' as attribute,
        0 as validity_rank,
        source_household_no as value_key,
        source_household_no as value_text
    from records
    where source_household_no is not null

)

select
    household_id,
    record_id,
    list_code,
    snapshot_date,
    evidence_date,
    attribute,
    validity_rank,
    value_key,
    value_text
from claims
