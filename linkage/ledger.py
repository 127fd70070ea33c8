"""The linkage tables in PostgreSQL: what the ledger remembers is read, what a run decided is written.

Belongs here: SQL and COPY. Not here: the rules of the ledger (``linkage.identity``). Everything is written in the
caller's transaction.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from linkage.identity import LedgerChange, LedgerState

if TYPE_CHECKING:
    from datetime import date

    import polars as pl
    import psycopg

    Connection = psycopg.Connection[Any]


def read_state(connection: Connection, entity: str) -> LedgerState:
    """What the ledger remembers of an entity (``person`` or ``household``)."""
    import polars as pl

    identities = _fetch(
        connection,
        f"select entity_id, serial, status, resolves_to from linkage.identity where entity = '{entity}'",
        {"entity_id": pl.String, "serial": pl.Int64, "status": pl.String, "resolves_to": pl.String},
    )
    memory = _fetch(
        connection,
        f"select record_id, entity_id, first_entity_id from linkage.record_identity where entity = '{entity}'",
        {"record_id": pl.String, "entity_id": pl.String, "first_entity_id": pl.String},
    )
    return LedgerState(entity=entity, identities=identities, memory=memory)


def is_backdated(connection: Connection, as_of: date) -> bool:
    """Whether the ledger has events of a later business date."""
    row = connection.execute("select max(as_of) > %s from linkage.identity_event", [as_of]).fetchone()
    return row is not None and bool(row[0])


def write_change(connection: Connection, entity: str, change: LedgerChange, as_of: date) -> None:
    """Record the events and bring identities and memory up to date."""
    import polars as pl

    stamp = pl.lit(as_of).alias("as_of")
    _copy_in(
        connection,
        "linkage.identity",
        change.new_identities.select(
            "entity_id",
            pl.lit(entity).alias("entity"),
            "serial",
            pl.lit("active").alias("status"),
            pl.col("entity_id").alias("resolves_to"),
            stamp.alias("minted_as_of"),
        ),
    )
    _copy_in(
        connection,
        "linkage.identity_event",
        change.events.select(
            pl.lit(entity).alias("entity"), "entity_id", "event", "other_id", stamp, "reason"
        ),
    )
    connection.execute(
        "update linkage.identity set status = changed.status, resolves_to = changed.resolves_to"
        " from unnest(%s::text[], %s::text[], %s::text[]) as changed (entity_id, status, resolves_to)"
        " where identity.entity_id = changed.entity_id",
        [change.changed_identities[name].to_list() for name in ("entity_id", "status", "resolves_to")],
    )
    connection.execute(
        "delete from linkage.record_identity where entity = %s and record_id = any(%s)",
        [entity, change.changed_memory["record_id"].to_list()],
    )
    _copy_in(
        connection,
        "linkage.record_identity",
        change.changed_memory.select(
            pl.lit(entity).alias("entity"), "record_id", "entity_id", "first_entity_id"
        ),
    )


def replace_links(connection: Connection, links: pl.DataFrame, memberships: pl.DataFrame) -> None:
    """Rewrite ``record_link`` and ``household_membership``.

    Rows are deleted, not truncated: a reader in another transaction keeps seeing the assignment of the run before.
    """
    for table, rows in (("linkage.record_link", links), ("linkage.household_membership", memberships)):
        connection.execute(f"delete from {table}")
        _copy_in(connection, table, rows)


def _fetch(connection: Connection, query: str, schema: dict[str, Any]) -> pl.DataFrame:
    import polars as pl

    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format csv)") as copy:
        data = b"".join(bytes(block) for block in copy)
    return (
        pl.read_csv(io.BytesIO(data), has_header=False, schema=schema)
        if data
        else pl.DataFrame(schema=schema)
    )


def _copy_in(connection: Connection, table: str, rows: pl.DataFrame) -> None:
    """COPY a frame in as CSV. Its texts are ids, codes and fixed sentences: none is empty."""
    names = ", ".join(rows.columns)
    if rows.is_empty():
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {table} ({names}) from stdin (format csv)") as copy,
    ):
        copy.write(rows.write_csv(include_header=False).encode())
