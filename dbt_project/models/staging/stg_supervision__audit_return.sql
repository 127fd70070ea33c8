with

loaded_rows as (
    {{ loaded_rows('audit_return') }}
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

    -- audited field
    audit_no,
    household_id,
    community_name,
    field_code,

    -- result
    outcome_code,
    shown_value_encrypted,
    verified_value_encrypted,
    remark_encrypted,
    inspector_name,
    inspected_date,

    -- currency
    -- the last row of its number: a later one corrects it
    row_number() over (
        partition by audit_no, field_code
        order by
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
