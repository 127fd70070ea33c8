"""One column of a delivery: every text in it is read once, and kept with what it becomes in the database.

Not here: what the values of a row say about each other, and what is put together from columns (``batch_sealing``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from ingest.check_kinds import has_value
from ingest.contract import Column
from ingest.sealing import RowSealer
from ingest.values import CellReader

_KNOWN_TEXTS: Final = 20_000  # of a column; more are forgotten and read again
_NUMBER: Final = re.compile(r"(?a)\d{17}")


class Entry(NamedTuple):
    """What is known of one text of a column.

    Attributes:
        value: What ``values`` makes of it.
        finding: What ``values`` has to say about it, or None.
        is_odd: There is something to say about it, or may be when the row is seen (it may hold somebody's id).
        plain: What is to be encrypted, or None.
        clear: Its columns in clear, as fields for COPY; for a type that is encrypted without the ciphertext's.
        json: Its member of the row as delivered; None when the cell is empty.
        is_missing: There is no value.
    """

    value: Any
    finding: str | None
    is_odd: bool
    plain: bytes | None
    clear: str
    json: str | None
    is_missing: bool


class ColumnReader:
    """Reads the cells of one column of one delivery."""

    def __init__(self, column: Column, reader: CellReader, sealer: RowSealer) -> None:
        self.column = column
        self._reader = reader
        self._header = self._begin = ""
        self._known: dict[str, Entry] = {}
        self._may_hold_ids = column.semantic_type == "text"
        self._parts = sealer.parts_of(column)

    def entries(self, cells: Sequence[str], header: str) -> list[Entry]:
        """An entry a cell."""
        if header != self._header or len(self._known) > _KNOWN_TEXTS:
            self._header = header
            self._begin = f"{encode_basestring(header)}: "
            self._known.clear()
        known = self._known
        unread = [cell for cell in set(cells) if cell not in known]
        if unread:
            reads = self._reader.read_all(self.column, unread)
            known.update(zip(unread, map(self._entry, unread, reads), strict=True))
        return [known[cell] for cell in cells]

    def absent(self) -> Entry:
        """The entry of a column that the sheet does not have."""
        return self._entry("", self._reader.read(self.column, None))

    def with_value(self, entry: Entry, value: Any) -> Entry:
        """The entry of the same cell, with a value from elsewhere."""
        plain, clear = self._parts(value)
        return entry._replace(
            value=value,
            plain=None if plain is None else plain.encode("utf-8", "replace"),
            clear=clear,
            is_missing=not has_value(value),
        )

    def _entry(self, cell: str, read: tuple[Any, str | None]) -> Entry:
        value, finding = read
        plain, clear = self._parts(value)
        is_missing = not has_value(value)
        return Entry(
            value,
            finding,
            finding is not None
            or (is_missing and self.column.is_required)
            or (self._may_hold_ids and value is not None and _NUMBER.search(value) is not None),
            None if plain is None else plain.encode("utf-8", "replace"),
            clear,
            self._begin + encode_basestring(cell) if cell else None,
            is_missing,
        )
