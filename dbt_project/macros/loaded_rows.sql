{#-
    Rows of one raw table that count on the business date: of loaded deliveries whose snapshot is not later than as_of.

    `is_newest_delivery` marks the rows of a snapshot that are current, community by community: those of the newest
    delivery (snapshot date, then arrival) that speaks for the community. A delivery speaks for every community, or for
    those it names and those it says nobody is left of (`coverage`, `gone_communities`), except its `held_communities`. Rows that name no community are a community of their own
    in a delivery of the whole street; else they follow their file, which is current as long as it is for one of its
    communities. The same rule in Python: ingest/partitions.py.

    Not every list has a column of communities, and in a unit test nothing tells which: hence to_jsonb, for the lists
    only where communities differ.
-#}
{% macro loaded_rows(list_code) -%}
    with

    deliveries as (
        select
            delivery_id,
            list_code,
            file_name,
            snapshot_date,
            received_at,
            coalesce(coverage, 'whole') as coverage,
            coalesce(held_communities, '{}') as held_communities,
            coalesce(gone_communities, '{}') as gone_communities,
            row_number() over (order by snapshot_date desc, received_at desc, delivery_id desc) as recency
        from {{ source('ops', 'delivery') }}
        where
            list_code = '{{ list_code }}'
            and status = 'loaded'
            and snapshot_date <= {{ as_of() }}
    ),

    named_communities as (
        select distinct
            raw_rows.delivery_id,
            to_jsonb(raw_rows) ->> 'community_name' as community_name
        from {{ source('raw', list_code) }} as raw_rows
        where raw_rows.delivery_id in (select delivery_id from deliveries where coverage = 'community')
    ),

    -- communities for which it is not simply the newest delivery that counts, and the delivery that does
    spoken_for as (
        select
            communities.community_name,
            min(deliveries.recency) as recency
        from (
            select unnest(held_communities || gone_communities) as community_name from deliveries
            union
            select community_name from named_communities where community_name is not null
        ) as communities
        left join deliveries
            on
                communities.community_name <> all(deliveries.held_communities)
                and (
                    deliveries.coverage = 'whole'
                    or communities.community_name = any(deliveries.gone_communities)
                    or exists (
                        select from named_communities
                        where
                            named_communities.delivery_id = deliveries.delivery_id
                            and named_communities.community_name = communities.community_name
                    )
                )
        group by communities.community_name
    )

    select
        raw_rows.*,
        deliveries.list_code,
        deliveries.file_name,
        deliveries.snapshot_date,
        deliveries.received_at,
        case
            when spoken_for.community_name is not null
                then coalesce(deliveries.recency = spoken_for.recency, false)
            when deliveries.coverage = 'whole' then deliveries.recency = 1
            else deliveries.recency in (select recency from spoken_for)
        end as is_newest_delivery
    from {{ source('raw', list_code) }} as raw_rows
    inner join deliveries on raw_rows.delivery_id = deliveries.delivery_id
    left join spoken_for
        on
            case when exists (select from spoken_for) then to_jsonb(raw_rows) ->> 'community_name' end
            = spoken_for.community_name
{%- endmacro %}
