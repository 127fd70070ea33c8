with

loaded_rows as (
    {{ loaded_rows('satisfaction') }}
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

    -- questionnaire
    questionnaire_no,
    survey_name,
    survey_method_code,
    surveyor_name,
    sent_date,
    is_returned,
    answered_date,
    is_valid,

    -- answer
    question_code,
    scale_code,
    score,
    satisfaction_level_code,
    is_satisfied,
    opinion_encrypted,
    remark_encrypted,

    -- household
    source_household_no,
    respondent_name,
    respondent_name_key,
    respondent_name_pinyin,
    respondent_name_key as contact_name_key,
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
    least(coalesce(answered_date, sent_date, snapshot_date), snapshot_date) as evidence_date,

    -- currency
    -- the last row of a question of a questionnaire: a later one corrects it
    row_number() over (
        partition by
            coalesce(questionnaire_no, record_id),
            question_code
        order by
            snapshot_date desc,
            received_at desc,
            delivery_id desc,
            row_number desc
    ) = 1 as is_current
from loaded_rows
