"""Alembic environment: runs on the connection handed over by ``infra.migrations.migrate``, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="ops")
context.run_migrations()
