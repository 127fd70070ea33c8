{{ config(alias='id_history') }}

with

identity_events as (

    select
        event_id,
        entity,
        entity_id,
        event,
        other_id,
        as_of,
        reason
    from {{ source('linkage', 'identity_event') }}

)

select
    event_id as event_no,
    entity,
    entity_id,
    event,
    other_id,
    as_of,
    reason
from identity_events
