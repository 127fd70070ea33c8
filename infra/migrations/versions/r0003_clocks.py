"""What the end of issue 3 adds to the ledger: a clock for each community, lists of which nobody is left."""

from pathlib import Path

from alembic import op
from psycopg import Connection

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run ``sql/0003_*.sql`` in name order, in the transaction of the caller."""
    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, Connection)
    for path in sorted((Path(__file__).parent.parent / "sql").glob("0003_*.sql")):
        connection.execute(path.read_bytes())
