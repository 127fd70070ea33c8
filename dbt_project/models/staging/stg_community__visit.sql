with

loaded_rows as (
    {{ loaded_rows('visit') }}
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

    -- visit
    visit_no,
    visitor_name,
    visit_method_code,
    visit_outcome_code,
    visited_at,
    entered_at,

    -- household
    source_household_no,
    head_name,
    head_name_key,
    head_name_pinyin,
    head_name_key as contact_name_key,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,
    grid_name,

    -- findings
    has_consent,
    need_codes,
    problem_count,
    satisfaction_score,
    remark_encrypted,

    -- time
    least(coalesce((visited_at at time zone 'Asia/Shanghai')::date, snapshot_date), snapshot_date)
        as evidence_date,

    -- currency
    -- the last row of its number: a later one corrects it
    row_number() over (
        partition by coalesce(visit_no, record_id)
        order by
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
