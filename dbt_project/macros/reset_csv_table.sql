{# As dbt does it, but a seed that got other columns with a new version is made anew: dbt would only empty the old table,
   and the insert would fail on every platform that is already in use. #}
{% macro postgres__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {% set columns = adapter.get_columns_in_relation(old_relation) | map(attribute='name') | list %}
  {% set is_same = columns == agate_table.column_names | list %}
  {{ return(default__reset_csv_table(model, full_refresh or not is_same, old_relation, agate_table)) }}
{% endmacro %}
