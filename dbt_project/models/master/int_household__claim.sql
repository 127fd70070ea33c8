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

source_priorities as (

    select distinct on (source_code)
        source_code,
        priority
    from {{ ref('survivorship') }}
    where
        subject = 'household'
        and attribute = 'address'
        and valid_from <= {{ as_of() }}
    order by source_code, valid_from desc

),

address_claims as (

    select
        records.*,
        coalesce(own_source.priority, any_source.priority) as priority,
        case records.address_status
            when 'FULL' then 0
            when 'NO_UNIT' then 1
            when 'NO_ROOM' then 2
            when 'POI_ONLY' then 3
            else 4
        end as precision_rank,
        case
            when records.address_status in ('FULL', 'NO_UNIT', 'NO_ROOM', 'POI_ONLY')
                then concat_ws(
                    '|',
                    records.address_compound,
                    coalesce(records.address_building, '?'),
                    coalesce(records.address_unit, '?'),
                    coalesce(records.address_room, '?')
                )
            else records.address
        end as door_key
    from records
    inner join source_priorities as any_source
        on any_source.source_code = '*'
    left join source_priorities as own_source
        on records.list_code = own_source.source_code
    where records.address is not null

),

-- Each door a household was ever given, once, by whoever is believed first.
doors as (

    select distinct on (household_id, door_key)
        household_id,
        door_key,
        precision_rank,
        address,
        address_compound,
        address_building,
        address_unit,
        address_room,
        priority,
        snapshot_date,
        evidence_date
    from address_claims
    order by household_id, door_key, priority, snapshot_date desc, evidence_date desc, record_id

),

-- A clerk who leaves out the room has not moved the family: an incomplete door stands for the next more
-- precise one that says all it says. One that says anything else contradicts it, and a full door from before
-- a move is no better for being full. Of several the one believed first: the newest door of a compound
-- is not overtaken by a fuller one from before. An unclear text (AMBIGUOUS) must at least name the room.
completions as (

    select distinct on (doors.household_id, doors.door_key)
        doors.household_id,
        doors.door_key,
        more_precise.door_key as completed_key
    from doors
    inner join doors as more_precise
        on
            doors.household_id = more_precise.household_id
            and doors.address_compound = more_precise.address_compound
            and doors.precision_rank > more_precise.precision_rank
    where
        case
            when doors.precision_rank = 4
                then
                    more_precise.address_room <> ''
                    and translate(doors.address, '０１２３４５６７８９', '0123456789')
                    ~ ('(^|[^0-9])' || more_precise.address_room || '([^0-9]|$)')
            else
                coalesce(doors.address_building = more_precise.address_building, true)
                and coalesce(doors.address_unit = more_precise.address_unit, true)
                and (doors.precision_rank > 1 or doors.address_room = more_precise.address_room)
        end
    order by
        doors.household_id,
        doors.door_key,
        more_precise.priority,
        more_precise.snapshot_date desc,
        more_precise.evidence_date desc,
        more_precise.precision_rank,
        more_precise.door_key

),

-- From a compound to its building, from there to a room, from there to the unit: three steps at most.
completed_claims as (

    select
        address_claims.*,
        coalesce(
            step_three.completed_key, step_two.completed_key, step_one.completed_key, address_claims.door_key
        ) as completed_key
    from address_claims
    left join completions as step_one
        on
            address_claims.household_id = step_one.household_id
            and address_claims.door_key = step_one.door_key
    left join completions as step_two
        on
            step_one.household_id = step_two.household_id
            and step_one.completed_key = step_two.door_key
    left join completions as step_three
        on
            step_two.household_id = step_three.household_id
            and step_two.completed_key = step_three.door_key

),

claims as (

    select
        household_id,
        record_id,
        list_code,
        snapshot_date,
        evidence_date,
        'address' as attribute,
        precision_rank as validity_rank,
        completed_key as value_key,
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
    from completed_claims

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
