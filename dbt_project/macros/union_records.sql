{#-
    One select a staging model, all with the same columns; a column the list does not have is a typed null.
    What a list has is what its yml declares (tested to be what the view has), so nothing is asked of the database.

    A list whose rows may speak of a person or of a whole household has `names_person`, and is in both unions: each takes
    its own rows of it (`names_person` says whose), so that no row is in both and none in neither.
-#}
{% macro union_records(model_names, columns, of_persons) -%}
    {%- for model_name in model_names %}
    {%- set relation = ref(model_name) %}
    {%- set declared = graph.nodes['model.' ~ project_name ~ '.' ~ model_name].columns if execute else {} %}
    select
        {%- for name, type in columns.items() %}
        cast({{ name if name in declared else 'null' }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    {%- if 'names_person' in declared %}
    where {{ '' if of_persons else 'not ' }}names_person
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{% macro union_person_records(model_names) -%}
    {{ union_records(model_names, {
        'record_id': 'text', 'list_code': 'text', 'delivery_id': 'bigint', 'file_name': 'text', 'sheet_name': 'text',
        'row_number': 'integer', 'snapshot_date': 'date', 'evidence_date': 'date', 'is_current': 'boolean',
        'person_name': 'text', 'person_name_key': 'text', 'person_name_pinyin': 'text',
        'id_no_encrypted': 'text', 'id_no_token': 'text', 'id_no_masked': 'text', 'id_no_kind': 'text',
        'id_no_birth_date': 'date', 'id_no_sex_code': 'text', 'birth_date': 'date', 'sex_code': 'text',
        'phone_encrypted': 'text', 'phone_token': 'text', 'phone_masked': 'text', 'phone_kind': 'text',
        'address': 'text', 'address_key': 'text', 'address_status': 'text', 'address_compound': 'text',
        'address_building': 'text', 'address_unit': 'text', 'address_room': 'text',
        'community_name': 'text', 'grid_name': 'text', 'household_group': 'text', 'source_household_no': 'text',
        'relation_code': 'text', 'is_head': 'boolean',
    }, of_persons=true) }}
{%- endmacro %}


{% macro union_household_records(model_names) -%}
    {{ union_records(model_names, {
        'record_id': 'text', 'list_code': 'text', 'delivery_id': 'bigint', 'file_name': 'text', 'sheet_name': 'text',
        'row_number': 'integer', 'snapshot_date': 'date', 'evidence_date': 'date', 'is_current': 'boolean',
        'source_household_no': 'text', 'contact_name_key': 'text',
        'address': 'text', 'address_key': 'text', 'address_status': 'text', 'address_compound': 'text',
        'address_building': 'text', 'address_unit': 'text', 'address_room': 'text',
        'community_name': 'text', 'grid_name': 'text',
    }, of_persons=false) }}
{%- endmacro %}
