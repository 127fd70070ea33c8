"""Alembic migrations of all tables that Python owns, run from code: there is no ``alembic.ini`` to find.

``sql/`` holds the DDL, one file a revision and schema; ``versions/`` says which file belongs to which revision.
dbt's tables and the generated ``raw`` tables are not migrated here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, text

from infra.errors import PermanentError

if TYPE_CHECKING:
    from alembic.config import Config

# Serialises processes that open the warehouse at the same moment.
MIGRATION_LOCK: Final = 0x79696875_0002

_FOLDER: Final = Path(__file__).parent


def migrate(engine: Engine) -> list[str]:
    """Bring the database to the newest revision, in one transaction; returns the revisions that were applied.

    Raises:
        PermanentError: The database is of a newer version of the platform, or a right is missing.
    """
    if not pending_migrations(engine):
        return []
    from alembic import command

    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        # The version table lives in ops, so ops comes before the first revision.
        connection.execute(text("create schema if not exists ops"))
        pending = _pending(connection)
        if pending:
            command.upgrade(_config(connection), "head")
    return pending


def pending_migrations(engine: Engine) -> list[str]:
    """Revisions that the database has not seen, oldest first; empty when the schema is as the code expects.

    Raises:
        PermanentError: The database has a revision that this version of the platform does not know.
    """
    with engine.connect() as connection:
        return _pending(connection)


def _pending(connection: Connection) -> list[str]:
    from alembic.script import ScriptDirectory

    current: str | None = None
    if connection.scalar(text("select to_regclass('ops.alembic_version') is not null")):
        current = connection.scalar(text("select version_num from ops.alembic_version"))
    revisions = [script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()][::-1]
    if current is None:
        return revisions
    if current not in revisions:
        raise PermanentError(
            "核对数据库结构版本",
            came=f"数据库的版本是 {current}，本程序只认识到 {revisions[-1]}",
            expected="不新于程序的数据库",
            next_step="升级程序，或恢复与本程序同期的数据库备份",
        )
    return revisions[revisions.index(current) + 1 :]


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
