with

loaded_rows as (
    {{ loaded_rows('problem') }}
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

    -- problem
    problem_no,
    stage_code,
    stage_at,
    problem_status_code,
    visit_no,
    problem_source_code,
    problem_topic_code,
    problem_class_code,
    problem_colour_code,
    problem_severity_code,
    description_encrypted,
    is_cross_department,
    is_repeat,
    repeat_of_no,

    -- household
    source_household_no,
    reporter_name,
    reporter_name_key,
    reporter_name_pinyin,
    reporter_name_key as contact_name_key,
    reporter_phone_encrypted,
    reporter_phone_token,
    reporter_phone_masked,
    reporter_phone_kind,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,
    grid_name,

    -- handling
    responsible_unit,
    responsible_person,
    deadline_basis_code,
    deadline_count,
    due_at,
    handler_name,
    handling_note_encrypted,
    is_resolved,
    satisfaction_level_code,
    remark_encrypted,

    -- time
    least(coalesce((stage_at at time zone 'Asia/Shanghai')::date, snapshot_date), snapshot_date)
        as evidence_date,

    -- currency
    -- the last row of a stage of a problem: a later one corrects it
    row_number() over (
        partition by
            coalesce(problem_no, record_id),
            stage_code,
            stage_at
        order by
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
