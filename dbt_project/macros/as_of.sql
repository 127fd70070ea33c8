{#- The business date of the running refresh; nothing in this project asks for today. -#}
{% macro as_of() -%}
    (select current_refresh.as_of from {{ source('ops', 'current_refresh') }} as current_refresh)
{%- endmacro %}
