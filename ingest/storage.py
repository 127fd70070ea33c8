"""Storing the sealed rows of one delivery by COPY, inside the caller's transaction.

Not here: what the rows become before (``sealing``), the ledger (``ledger``).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final

from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection

from ingest.batch_sealing import Sealed
from ingest.contract import Contract
from ingest.repeats import Repeats, RepeatWarning
from ingest.sealing import QUARANTINE_COLUMNS, WARNING_COLUMNS

_SPOOLED_BYTES: Final = 8_000_000
_BLOCK: Final = 1 << 20


@dataclass
class StoredRows:
    """What was counted while rows were stored.

    Attributes:
        footer_count: Totals and footers among the quarantined rows: no sign of bad data.
        communities: Accepted rows by community; empty when the list has no such column.
        rounded_evident, rounded_doubtful: Ids that a spreadsheet has rounded, and ids that may be such.
    """

    accepted_count: int = 0
    quarantined_count: int = 0
    footer_count: int = 0
    warning_count: int = 0
    communities: Counter[str | None] = field(default_factory=Counter)
    rounded_evident: int = 0
    rounded_doubtful: int = 0


def store_rows(
    connection: Connection,
    contract: Contract,
    batches: Iterable[Sealed],
    line_of: Callable[[RepeatWarning], str],
) -> StoredRows:
    """Copy all rows of a delivery into raw, quarantine and warnings, as they come.

    Args:
        connection: Of the transaction.
        contract: The list.
        batches: Its rows.
        line_of: Seals a warning about what repeats across the delivery.
    """
    stored, repeats = StoredRows(), Repeats(contract)
    # One COPY at a time: quarantine and warnings, all sealed, wait in memory or on disk.
    with _spool() as quarantined, _spool() as warnings:

        def raw_blocks() -> Iterator[bytes]:
            for batch in batches:
                _count(stored, batch)
                repeats.add(batch.trace)
                quarantined.write(batch.quarantined)
                warnings.write(batch.warnings)
                yield batch.raw

        raw_names = [column.name for column in contract.raw_columns]
        _copy(connection, ("raw", contract.list_code), raw_names, raw_blocks())
        for warning in repeats.warnings():
            warnings.write(f"{line_of(warning)}\n".encode("utf-8", "replace"))
            stored.warning_count += 1
        _copy(connection, ("ops", "quarantined_row"), QUARANTINE_COLUMNS, _blocks(quarantined))
        _copy(connection, ("ops", "row_warning"), WARNING_COLUMNS, _blocks(warnings))
    return stored


def _count(stored: StoredRows, batch: Sealed) -> None:
    stored.accepted_count += batch.accepted_count
    stored.quarantined_count += batch.quarantined_count
    stored.footer_count += batch.footer_count
    stored.warning_count += batch.warning_count
    stored.communities.update(batch.communities)
    stored.rounded_evident += batch.rounded_evident
    stored.rounded_doubtful += batch.rounded_doubtful


def _spool() -> Any:
    return tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _copy(
    connection: Connection, table: tuple[str, str], columns: Sequence[str], blocks: Iterable[bytes]
) -> None:
    statement = SQL("copy {} ({}) from stdin").format(
        Identifier(*table), SQL(", ").join(Identifier(column) for column in columns)
    )
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
        for block in blocks:
            if block:
                copy.write(block)
