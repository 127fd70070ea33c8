{{ config(materialized='view') }}

with

records as (

    select *
    from {{ ref('int_person_record') }}

),

links as (

    select
        record_id,
        person_id,
        household_id
    from {{ source('linkage', 'record_link') }}
    where person_id is not null

),

linked_records as (

    select
        links.person_id,
        links.household_id,
        records.*,
        -- Short names are typeset with a space inside, notes such as (户主) are no part of a name, and the dot
        -- has one standard form.
        case
            when records.person_name ~ '[一-龥]'
                then coalesce(
                    nullif(
                        regexp_replace(
                            translate(records.person_name, '•・‧∙⋅●．', '·······'),
                            '\s+|[(（\[【〔〈《<].*$',
                            '',
                            'g'
                        ),
                        ''
                    ),
                    records.person_name
                )
            else records.person_name
        end as person_name_shown,
        -- An id that contradicts birth date or sex of its own row was probably typed from another's card.
        (
            records.birth_date <> records.id_no_birth_date
            or (records.sex_code in ('1', '2') and records.sex_code <> records.id_no_sex_code)
        ) is true as contradicts_its_id
    from records
    inner join links
        on records.record_id = links.record_id

),

-- One id number belongs to one person: whose rows agree with it most. Clerks type the head's for the family.
id_support as (

    select
        id_no_token,
        person_id,
        count(*) filter (where not contradicts_its_id) as fitting_count,
        count(*) filter (where birth_date = id_no_birth_date) as confirming_count
    from linked_records
    where id_no_token is not null
    group by id_no_token, person_id

),

id_owners as (

    select distinct on (id_no_token)
        id_no_token,
        person_id
    from id_support
    order by id_no_token, fitting_count desc, confirming_count desc, person_id

),

records_with_own_id as (

    select
        linked_records.*,
        id_owners.person_id is null or id_owners.person_id = linked_records.person_id as is_own_id
    from linked_records
    left join id_owners
        on linked_records.id_no_token = id_owners.id_no_token

),

targets as (

    select distinct on (target_code)
        target_code,
        target_value
    from {{ ref('target') }}
    where valid_from <= {{ as_of() }}
    order by target_code, valid_from desc

),

-- A number that many people of many households give is the grid officer's or a shop's.
phone_limits as (

    select
        max(target_value) filter (where target_code = 'PHONE_SHARED_PERSONS') as person_count,
        max(target_value) filter (where target_code = 'PHONE_SHARED_HOUSEHOLDS') as household_count
    from targets

),

shared_phones as (

    select linked_records.phone_token
    from linked_records
    cross join phone_limits
    where linked_records.phone_token is not null
    group by linked_records.phone_token, phone_limits.person_count, phone_limits.household_count
    having
        count(distinct linked_records.person_id) > phone_limits.person_count
        and count(distinct linked_records.household_id) > phone_limits.household_count

),

claims as (

    select
        person_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        'person_name' as attribute,
        -- 王芳之子 is what a list calls a child until it has a name of its own.
        case
            when person_name_key ~ '^.{2,}之[长次大小双]?[子女儿]$|^(新生儿|未取名|未命名|未起名|待取名|暂无名|无名)' then 1
            else 0
        end as validity_rank,
        person_name_key as value_key,
        person_name_shown as value_text
    from records_with_own_id
    where person_name_key is not null

    union all

    select
        person_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        'id_no' as attribute,
        case
            when id_no_kind = 'valid' and not contradicts_its_id then 0
            when id_no_kind = 'valid' then 1
            when id_no_kind = 'other_document' then 2
            when id_no_kind = 'checksum_wrong' then 3
            when id_no_kind = 'masked' then 4
            else 5
        end as validity_rank,
        coalesce(id_no_token, id_no_masked) as value_key,
        id_no_masked as value_text
    from records_with_own_id
    where
        id_no_kind <> 'missing'
        and is_own_id

    union all

    select
        person_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        'birth_date' as attribute,
        0 as validity_rank,
        cast(birth_date as text) as value_key,
        cast(birth_date as text) as value_text
    from records_with_own_id
    where birth_date is not null

    union all

    select
        person_id,
        record_id,
        list_code,
        'id_no' as source_code,
        snapshot_date,
        evidence_date,
        'birth_date' as attribute,
        0 as validity_rank,
        cast(id_no_birth_date as text) as value_key,
        cast(id_no_birth_date as text) as value_text
    from records_with_own_id
    where
        id_no_birth_date is not null
        and is_own_id

    union all

    select
        person_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        'sex_code' as attribute,
        0 as validity_rank,
        sex_code as value_key,
        sex_code as value_text
    from records_with_own_id
    where sex_code in ('1', '2')

    union all

    select
        person_id,
        record_id,
        list_code,
        'id_no' as source_code,
        snapshot_date,
        evidence_date,
        'sex_code' as attribute,
        0 as validity_rank,
        id_no_sex_code as value_key,
        id_no_sex_code as value_text
    from records_with_own_id
    where
        id_no_sex_code is not null
        and is_own_id

    union all

    select
        person_id,
        record_id,
        list_code,
        list_code as source_code,
        snapshot_date,
        evidence_date,
        'phone' as attribute,
        case when phone_kind = 'mobile' then 0 else 1 end as validity_rank,
        phone_token as value_key,
        phone_masked as value_text
    from records_with_own_id
    where
        phone_kind in ('mobile', 'landline')
        and phone_token not in (select shared_phones.phone_token from shared_phones)

)

select
    person_id,
    record_id,
    list_code,
    source_code,
    snapshot_date,
    evidence_date,
    attribute,
    validity_rank,
    value_key,
    value_text
from claims
