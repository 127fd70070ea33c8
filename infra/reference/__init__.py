"""Reference data that Python and SQL both read: one CSV a table, and the scripts that write them.

dbt seeds the CSV files of this folder into the schema ``reference`` (``seed-paths`` in dbt_project.yml), so the same
rows serve the stations and the SQL. They are described in dbt_project/seeds. Not here: code tables and policies that
only SQL reads (dbt_project/seeds). Decision: docs/decisions/0007-reference-data.md.
"""
