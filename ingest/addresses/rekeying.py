"""Addresses read again when the gazetteer has changed, so that a key does not depend on when its row arrived.

Each delivery says with which version its addresses were read. What differs from today's is read again from the address as
it was written; nothing else of a row changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, Engine, text

from infra.warehouse import persistent
from ingest.addresses.entries import load_gazetteer
from ingest.addresses.gazetteer import Gazetteer
from ingest.addresses.parser import parse_address
from ingest.contract import Contract
from ingest.partitions import lock_list

_PARTS: Final = ("key", "status", "compound", "building", "unit", "room", "community")


@persistent("按地址词典重读地址")
def rekey_addresses(engine: Engine, contracts: Mapping[str, Contract]) -> dict[str, int]:
    """Read the addresses of all deliveries with the gazetteer of now. One transaction a list; idempotent.

    A list waits for the delivery of it that is just being taken in; that delivery is then looked at too.

    Args:
        engine: The warehouse; the raw tables exist.
        contracts: The lists to look at.

    Returns:
        List code to the number of rows that changed; only lists with deliveries of another version.
    """
    changed = {}
    for contract in contracts.values():
        columns = [column.name for column in contract.columns if column.semantic_type == "address"]
        with engine.begin() as connection:
            lock_list(connection, contract.list_code)
            gazetteer = load_gazetteer(connection)
            deliveries = connection.scalars(
                text(
                    "select delivery_id from ops.delivery where list_code = :list_code and status in ('loaded', 'held') "
                    "and gazetteer_version <> :version order by delivery_id"
                ),
                {"list_code": contract.list_code, "version": gazetteer.version},
            ).all()
            if not deliveries:
                continue
            changed[contract.list_code] = sum(
                _rekey_column(connection, contract.list_code, column, list(deliveries), gazetteer)
                for column in columns
            )
            connection.execute(
                text("update ops.delivery set gazetteer_version = :version where delivery_id = any(:ids)"),
                {"version": gazetteer.version, "ids": list(deliveries)},
            )
    return changed


def _rekey_column(
    connection: Connection, list_code: str, column: str, deliveries: list[int], gazetteer: Gazetteer
) -> int:
    table, written = Identifier("raw", list_code), Identifier(column)
    parts = [Identifier(f"{column}_{part}") for part in _PARTS]
    cursor = connection.connection.cursor()
    texts = [
        row[0]
        for row in cursor.execute(
            SQL("select distinct {} from {} where delivery_id = any(%s) and {} is not null").format(
                written, table, written
            ),
            (deliveries,),
        )
    ]

    def read() -> Iterator[tuple[str | None, ...]]:
        for address in texts:
            door = parse_address(address, gazetteer)
            yield (address, door.key, *(getattr(door, part) for part in _PARTS[1:]))

    cursor.execute(
        SQL("create temporary table read_address (written text primary key, {}) on commit drop").format(
            SQL(", ").join(SQL("{} text").format(Identifier(part)) for part in _PARTS)
        )
    )
    with cursor.copy("copy read_address from stdin") as copy:
        for row in read():
            copy.write_row(row)
    new = SQL(", ").join(SQL("new.{}").format(Identifier(part)) for part in _PARTS)
    old = SQL(", ").join(SQL("old.{}").format(part) for part in parts)
    cursor.execute(
        SQL(
            "update {} as old set ({}) = ({}) from read_address as new where old.delivery_id = any(%s) "
            "and old.{} = new.written and ({}) is distinct from ({})"
        ).format(table, SQL(", ").join(parts), new, written, old, new),
        (deliveries,),
    )
    changed = cursor.rowcount
    cursor.execute("drop table read_address")
    return changed
