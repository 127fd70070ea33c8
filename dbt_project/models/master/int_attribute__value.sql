{{ config(pre_hook="set local work_mem = '64MB'", post_hook='analyze {{ this }}') }}

with

claims as (

    select
        'person' as subject,
        person_id as entity_id,
        record_id,
        list_code,
        source_code,
        snapshot_date,
        evidence_date,
        attribute,
        validity_rank,
        value_key,
        value_text
    from {{ ref('int_person__claim') }}

    union all

    select
        'household' as subject,
        household_id as entity_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        attribute,
        validity_rank,
        value_key,
        value_text
    from {{ ref('int_household__claim') }}

),

policies as (

    select distinct on (subject, attribute, source_code)
        subject,
        attribute,
        source_code,
        strategy,
        priority,
        weight,
        half_life_months,
        recency_unit
    from {{ ref('survivorship') }}
    where valid_from <= {{ as_of() }}
    order by subject, attribute, source_code, valid_from desc

),

-- Every attribute has a row for any other source ('*'), so a new list needs none of its own.
claims_with_policy as (

    select
        claims.*,
        any_source.strategy,
        coalesce(own_source.priority, any_source.priority) as priority,
        case
            when any_source.strategy = 'newest'
                then date_trunc(any_source.recency_unit, cast(claims.snapshot_date as timestamp))
        end as recency,
        -- Support fades with age relative to the newest claim, never to today: same facts, same score.
        cast(
            coalesce(own_source.weight, any_source.weight) * power(
                cast(0.5 as double precision),
                (
                    max(claims.snapshot_date)
                        over (partition by claims.subject, claims.entity_id, claims.attribute)
                    - claims.snapshot_date
                ) / (30.4375 * any_source.half_life_months)
            ) as numeric(12, 6)
        ) as claim_support
    from claims
    inner join policies as any_source
        on
            claims.subject = any_source.subject
            and claims.attribute = any_source.attribute
            and any_source.source_code = '*'
    left join policies as own_source
        on
            claims.subject = own_source.subject
            and claims.attribute = own_source.attribute
            and claims.source_code = own_source.source_code

),

claims_with_support_of_value as (

    select
        *,
        case when strategy in ('newest', 'priority') then priority end as leading_priority,
        sum(claim_support) over claims_of_value as score,
        count(*) over claims_of_value as claim_count,
        sum(claim_support) over (
            partition by subject, entity_id, attribute, value_key, value_text
        ) as form_score
    from claims_with_policy
    window claims_of_value as (partition by subject, entity_id, attribute, value_key)

),

-- The claim that speaks for its value: the record the ciphertext is taken from and the form that is shown.
best_claims as (

    select distinct on (subject, entity_id, attribute, value_key) *
    from claims_with_support_of_value
    order by
        subject,
        entity_id,
        attribute,
        value_key,
        validity_rank,
        recency desc nulls last,
        leading_priority,
        case when strategy = 'agreement' then form_score end desc nulls last,
        snapshot_date desc,
        evidence_date desc,
        priority,
        record_id,
        source_code

),

ranked_values as (

    select
        *,
        row_number() over (
            partition by subject, entity_id, attribute
            order by
                validity_rank,
                recency desc nulls last,
                leading_priority,
                case when strategy = 'agreement' then score end desc nulls last,
                snapshot_date desc,
                evidence_date desc,
                priority,
                score desc,
                value_key
        ) as value_rank
    from best_claims

)

select
    subject,
    entity_id,
    attribute,
    value_key,
    value_text,
    strategy,
    score,
    cast(claim_count as integer) as claim_count,
    record_id,
    list_code,
    snapshot_date,
    cast(value_rank as integer) as value_rank
from ranked_values
