"""What issue 3 adds to the ledger: partition holds, receipts and clocks, gazetteer reviews, pulls."""

from pathlib import Path

from alembic import op
from psycopg import Connection

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run ``sql/0002_*.sql`` in name order, in the transaction of the caller."""
    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, Connection)
    for path in sorted((Path(__file__).parent.parent / "sql").glob("0002_*.sql")):
        connection.execute(path.read_bytes())
