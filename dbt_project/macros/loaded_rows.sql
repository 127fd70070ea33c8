{#-
    Rows of one raw table that count on the business date: of loaded deliveries whose snapshot is not later than as_of.

    `is_newest_delivery` marks the rows of a snapshot that are current, community by community: those of the newest
    delivery (snapshot date, then arrival) that speaks for the community. A delivery of a list of the whole street speaks
    for every community except its `held_communities`; one of a list by community for those it names. Rows without a
    community are a community of their own in the former; in the latter they follow their file, which is current as long
    as it is for one of its communities. The same rule in Python: ingest/partitions.py.
-#}
{% macro loaded_rows(list_code) -%}
    {%- set raw_source = (
        graph.sources.values() | selectattr('source_name', 'equalto', 'raw')
        | selectattr('name', 'equalto', list_code) | first
    ) if execute else none -%}
    {%- set by_community = raw_source and raw_source.config.meta.get('coverage') == 'community' -%}
    {%- set community = 'raw_rows.community_name' if raw_source and 'community_name' in raw_source.columns
        else 'cast(null as text)' -%}
    with

    deliveries as (
        select
            delivery_id,
            list_code,
            file_name,
            snapshot_date,
            received_at,
            coalesce(held_communities, '{}') as held_communities,
            row_number() over (order by snapshot_date desc, received_at desc, delivery_id desc) as recency
        from {{ source('ops', 'delivery') }}
        where
            list_code = '{{ list_code }}'
            and status = 'loaded'
            and snapshot_date <= {{ as_of() }}
    ),

    -- the newest delivery that speaks for a community; of a whole list only where it is not simply the newest
    spoken_for as (
        {%- if by_community %}
        select
            raw_rows.community_name,
            min(deliveries.recency) as recency
        from {{ source('raw', list_code) }} as raw_rows
        inner join deliveries
            on
                raw_rows.delivery_id = deliveries.delivery_id
                and raw_rows.community_name <> all(deliveries.held_communities)
        group by raw_rows.community_name
        {%- else %}
        select
            held.community_name,
            min(deliveries.recency) filter (
                where held.community_name <> all(deliveries.held_communities)
            ) as recency
        from (select distinct unnest(held_communities) as community_name from deliveries) as held
        cross join deliveries
        group by held.community_name
        {%- endif %}
    )

    select
        raw_rows.*,
        deliveries.list_code,
        deliveries.file_name,
        deliveries.snapshot_date,
        deliveries.received_at,
        {%- if by_community %}
        case
            when raw_rows.community_name is null
                then deliveries.recency in (select spoken_for.recency from spoken_for)
            else coalesce(deliveries.recency = spoken_for.recency, false)
        end as is_newest_delivery
        {%- else %}
        case
            when spoken_for.community_name is null then deliveries.recency = 1
            else coalesce(deliveries.recency = spoken_for.recency, false)
        end as is_newest_delivery
        {%- endif %}
    from {{ source('raw', list_code) }} as raw_rows
    inner join deliveries on raw_rows.delivery_id = deliveries.delivery_id
    left join spoken_for
        on {{ community }} = spoken_for.community_name
{%- endmacro %}
