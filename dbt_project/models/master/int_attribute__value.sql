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
        date_trunc(any_source.recency_unit, cast(claims.snapshot_date as timestamp)) as recency,
        -- Support fades with age relative to the newest claim, never to today: same facts, same score.
        -- In millionths: whole numbers add up faster than numeric and, like it, to one sum in any order.
        cast(
            1000000 * coalesce(own_source.weight, any_source.weight) * power(
                cast(0.5 as double precision),
                (
                    max(claims.snapshot_date)
                        over (partition by claims.entity_id, claims.attribute)
                    - claims.snapshot_date
                ) / (30.4375 * any_source.half_life_months)
            ) as integer
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

claims_with_support as (

    select
        *,
        case when strategy in ('newest', 'priority') then priority end as leading_priority,
        sum(claim_support) over claims_of_value as score,
        count(*) over claims_of_value as claim_count,
        -- Support of the value, and of one way of writing it, by the sources and the month that decide.
        sum(claim_support) over (
            partition by entity_id, attribute, value_key, recency, priority
        ) as leading_score,
        sum(claim_support) over (
            partition by entity_id, attribute, value_key, value_text
        ) as form_score
    from claims_with_policy
    window claims_of_value as (partition by entity_id, attribute, value_key)

),

-- Who speaks for a value: the claim the ciphertext is taken from and whose way of writing is shown.
claims_with_representative as (

    select
        *,
        first_value(value_text) over best_first as shown_text,
        first_value(record_id) over best_first as shown_record_id,
        first_value(list_code) over best_first as shown_list_code,
        first_value(snapshot_date) over best_first as shown_snapshot_date
    from claims_with_support
    window best_first as (
        partition by entity_id, attribute, value_key
        order by
            validity_rank,
            case when strategy <> 'agreement' then recency end desc nulls last,
            leading_priority,
            form_score desc,
            snapshot_date desc,
            evidence_date desc,
            priority,
            record_id,
            source_code
    )

),

-- What a value stands on: its best claim by the strategy of the attribute.
standings as (

    select distinct on (entity_id, attribute, value_key) *
    from claims_with_representative
    order by
        entity_id,
        attribute,
        value_key,
        case when strategy = 'agreement' then validity_rank end,
        case when strategy = 'newest' then recency end desc nulls last,
        leading_priority,
        case when strategy = 'priority' then recency end desc nulls last,
        snapshot_date desc,
        evidence_date desc,
        validity_rank,
        priority,
        record_id,
        source_code

),

ranked_values as (

    select
        *,
        row_number() over (
            partition by entity_id, attribute
            order by
                case when strategy = 'agreement' then validity_rank end,
                case when strategy = 'newest' then recency end desc nulls last,
                leading_priority,
                case when strategy = 'priority' then recency end desc nulls last,
                case when strategy = 'agreement' then score else leading_score end desc,
                snapshot_date desc,
                evidence_date desc,
                validity_rank,
                priority,
                value_key
        ) as value_rank
    from standings

)

select
    subject,
    entity_id,
    attribute,
    value_key,
    shown_text as value_text,
    strategy,
    cast(score / 1000000.0 as numeric(12, 6)) as score,
    cast(claim_count as integer) as claim_count,
    shown_record_id as record_id,
    shown_list_code as list_code,
    shown_snapshot_date as snapshot_date,
    cast(value_rank as integer) as value_rank
from ranked_values
