"""The first tables of every station, and what every login is denied."""

import contextlib
from pathlib import Path

from alembic import op
from psycopg import Connection, errors
from psycopg.sql import SQL, Identifier

from infra.errors import PermanentError

revision = "0001"
down_revision = None

PUBLISHER = "yihu_publisher"
SCHEMAS = ("ops", "linkage", "quality", "release")


def upgrade() -> None:
    """Make role, tables and rights in the transaction of the caller."""
    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, Connection)
    _make_publisher_role(connection)
    for schema in SCHEMAS:
        # In name order: 0001_release.sql, then its continuations 0001_release_gate.sql and so on.
        for path in sorted((Path(__file__).parent.parent / "sql").glob(f"0001_{schema}*.sql")):
            # Without parameters psycopg sends the text as it is: many statements, and % means %.
            connection.execute(path.read_bytes())
    connection.execute("revoke all on schema public from public")
    # Temporary tables and functions would let a login shadow names and plant functions in pg_temp.
    database = Identifier(connection.info.dbname)
    connection.execute(SQL("revoke temporary on database {} from public").format(database))


def _make_publisher_role(connection: Connection) -> None:
    """The group role of those who may publish, with ourselves in it.

    Roles belong to the server: another database's migration, or an administrator, may have made it. On servers from
    16 on, having made a role is not yet being able to act as it.
    """
    role = Identifier(PUBLISHER)
    right = "set" if connection.info.server_version >= 160_000 else "member"
    try:
        if not connection.execute("select from pg_roles where rolname = %s", [PUBLISHER]).rowcount:
            # A savepoint: losing the race against another database's migration must not end ours.
            with (
                contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation),
                connection.transaction(),
            ):
                connection.execute(SQL("create role {} nologin").format(role))
        if connection.execute("select pg_has_role(%s, %s)", [PUBLISHER, right]).fetchone() != (True,):
            connection.execute(SQL("grant {} to current_user").format(role))
    except errors.InsufficientPrivilege:
        raise PermanentError(
            "建立数据库角色",
            came=f"用户 {connection.info.user} 无权建立角色 {PUBLISHER} 或加入它",
            next_step=f"请管理员执行 create role {PUBLISHER} nologin（如尚无此角色）"
            f" 和 grant {PUBLISHER} to {connection.info.user}，然后重试",
        ) from None
