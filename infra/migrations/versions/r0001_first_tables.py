"""The first tables of every station, and what every login is denied."""

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
    """The group role of those who may publish. Roles belong to the server: another database may have made it."""
    if connection.execute("select from pg_roles where rolname = %s", [PUBLISHER]).rowcount:
        return
    try:
        with connection.transaction():
            connection.execute(SQL("create role {} nologin").format(Identifier(PUBLISHER)))
    except (errors.DuplicateObject, errors.UniqueViolation):
        return  # made by another database's migration meanwhile
    except errors.InsufficientPrivilege:
        raise PermanentError(
            "建立数据库角色",
            came=f"没有角色 {PUBLISHER}，当前用户也无权建立（缺少 CREATEROLE）",
            next_step=f"请管理员执行 create role {PUBLISHER} nologin，然后重试",
        ) from None
