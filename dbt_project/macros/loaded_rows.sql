{#-
    Rows of one raw table that count on the business date: of loaded deliveries whose snapshot is not later than as_of.
    `is_newest_delivery` marks the newest snapshot; a delivery of the same snapshot date that came later replaces it.
-#}
{% macro loaded_rows(list_code) -%}
    select
        raw_rows.*,
        deliveries.list_code,
        deliveries.file_name,
        deliveries.snapshot_date,
        deliveries.received_at,
        deliveries.is_newest_delivery
    from {{ source('raw', list_code) }} as raw_rows
    inner join (
        select
            delivery_id,
            list_code,
            file_name,
            snapshot_date,
            received_at,
            row_number() over (order by snapshot_date desc, received_at desc, delivery_id desc) = 1
                as is_newest_delivery
        from {{ source('ops', 'delivery') }}
        where
            list_code = '{{ list_code }}'
            and status = 'loaded'
            and snapshot_date <= {{ as_of() }}
    ) as deliveries
        on raw_rows.delivery_id = deliveries.delivery_id
{%- endmacro %}
