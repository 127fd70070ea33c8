"""Rows of a delivery in batches, as they go from the reader to where they are judged.

Two shapes: `Table`, columns of text that need nothing but judging (nearly all rows of a large text file), and lists of
`SourceRow` for everything else. Both as plain tuples (`packed`), because the reader is another process which is not
trusted with more than ``marshal``. What becomes of a row is the same in either shape (tests).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain, islice
from typing import Any, Final

from ingest.contract import Contract
from ingest.footers import is_example, total_word
from ingest.headers import Header, normalise_header
from ingest.household_blocks import Blocks, with_heads_as_members
from ingest.layout import (
    Layout,
    SourceRow,
    TableRows,
    Tables,
    is_repeated_header,
    source_rows,
)
from ingest.messages import NOT_DATA
from ingest.normalise.texts import fold, is_ditto
from ingest.readers.delimited import StreamedRows
from ingest.readers.sheet import LONGEST_CELL, Cell, Row, is_blank

BATCH_ROWS: Final = 1000
_SPACES: Final = " \t\r\n\u3000\u00a0\ufeff\u200b"  # as ``layout`` has it
# A cell that begins otherwise is neither blank nor "same as above".
_BEGINNINGS: Final = frozenset(
    "\"＂'＇/／同上〃″\u2032\xad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
) | frozenset(chr(code) for code in range(0x10000) if chr(code).isspace())
_FEW: Final = 64
_LONGEST_BLOCK: Final = 5 * BATCH_ROWS
_Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one sheet by columns; a cell without a value is ``""``.

    Attributes:
        numbers: Number of each row.
        columns: Contract column to its cells.
        headers: Contract column to its header as written, in the order of the sheet.
        surplus: As in `SourceRow`, by columns.
        filled: Columns whose gaps were filled down from the household's first row; `columns` are as delivered.
        block_nos: As in `SourceRow`, or None when the sheet has no blocks.
    """

    sheet_name: str
    numbers: list[int]
    columns: dict[str, list[str]]
    headers: dict[str, str]
    surplus: dict[str, list[str]]
    filled: dict[str, list[str]] = field(default_factory=dict)
    block_nos: list[int] | None = None

    def row(self, index: int) -> SourceRow:
        """One row by itself."""
        cells: dict[str, Cell] = {}
        delivered: dict[str, Cell] = {}
        for name, header in self.headers.items():
            if cell := self.columns[name][index]:
                delivered[header] = cell
            if cell := self.filled.get(name, self.columns[name])[index]:
                cells[name] = cell
        surplus: dict[str, Cell] = {
            name: cell for name, column in self.surplus.items() if (cell := column[index])
        }
        block_no = None if self.block_nos is None else self.block_nos[index]
        filled = tuple(
            name for name, column in self.filled.items() if column[index] and not self.columns[name][index]
        )
        return SourceRow(
            self.sheet_name, self.numbers[index], cells, delivered, surplus, block_no, filled=filled
        )


Batch = Table | list[SourceRow]


@dataclass
class RowStream:
    """The rows of one delivery as they come from a reader; taken once, to the end.

    Attributes:
        layout: How the delivery is laid out: ``read_as`` and ``tables``, as the ledger shows it.
        missing: Required columns that no header means.
        batches: The rows; as they are, or packed by ``packed`` and ``marshal``.
        notes: What was noted about the layout; complete after the last batch.
        seem_rounded: A spreadsheet seems to have rounded ids; right or wrong, all is well, but wrong takes twice as long.
        sha256: Fingerprint of what the rows came from; known after the last batch.
    """

    layout: dict[str, Any]
    missing: list[str]
    batches: Iterator[Batch | bytes]
    notes: list[str]
    seem_rounded: bool = False
    sha256: str = ""


def batches_of(layout: Layout, contract: Contract) -> Iterator[Batch]:
    """All rows of a delivery in order; a household block is never cut."""
    if any(not isinstance(sheet.rows, StreamedRows) for sheet, _ in layout.tables):
        yield from _gathered(source_rows(layout, contract))
        return
    tables = Tables(layout, contract)
    for sheet, header in layout.tables:
        rows = sheet.rows
        assert isinstance(rows, StreamedRows)  # asked above
        table = tables.start(sheet, header)
        first = rows[header.last].number + 1
        records = (record for record in rows.records() if record[0] >= first)
        if table.is_of_heads or table.community:
            yield from _gathered(_placed(records, table))
        else:
            yield from _chunked(records, sheet.name, table, header, tables.blocks)
    tables.end()


def _chunked(
    records: Iterator[_Record], sheet_name: str, table: TableRows, header: Header, blocks: Blocks
) -> Iterator[Batch]:
    """The rows of a text file, as tables where that is possible."""
    shape = _Shape(sheet_name, table, header, blocks)
    left: list[_Record] = []
    while True:
        more = list(islice(records, BATCH_ROWS))
        chunk, left = left + more, []
        if not chunk:
            return
        if blocks.is_active and more:
            end = shape.last_household(chunk)
            if end == 0 and len(chunk) > _LONGEST_BLOCK:
                # Not every row says its household: the rows are told one by one where it ends.
                yield from _gathered(_placed(chain(chunk, records), table))
                return
            chunk, left = chunk[:end], chunk[end:]
            if not chunk:
                continue
        plain = shape.table(chunk)
        if plain is not None:
            yield plain
            table.pass_over(len(chunk), plain.row(len(chunk) - 1).cells)
        elif placed := list(_placed(iter(chunk), table)):
            yield placed


class _Shape:
    """Tells of a chunk of records whether all of them are plain: nothing to leave out, to resolve or to quarantine.

    What it cannot be sure of is not plain.
    """

    def __init__(self, sheet_name: str, table: TableRows, header: Header, blocks: Blocks) -> None:
        self._sheet_name = sheet_name
        self._blocks = blocks
        self._key = table.positions[blocks.key] if blocks.is_active else 0
        self._header = header
        by_position = {position: name for name, position in table.positions.items()}
        self._names = [by_position.get(position) for position in range(header.width)]
        self._headers = {
            name: table.headers[position] for position, name in enumerate(self._names) if name is not None
        }

    def last_household(self, chunk: list[_Record]) -> int:
        """Where in the chunk the last row stands that begins a household for sure; 0 when none does."""
        width, key = self._header.width, self._key
        for index in range(len(chunk) - 1, 0, -1):
            above, record = chunk[index - 1][1], chunk[index][1]
            if len(above) == len(record) == width and self._blocks.differ(above[key], record[key]):
                return index
        return 0

    def table(self, chunk: list[_Record]) -> Table | None:
        """The chunk as a table, or None."""
        width = self._header.width
        if {len(record) for _, record in chunk} != {width}:
            return None
        columns = list(zip(*[record for _, record in chunk], strict=True))
        full, full_and_no_header = 0, 0
        if self._has_heads_alone(columns):
            return None
        for position, column in enumerate(columns):
            distinct = set(column)
            if not self._is_plain(distinct):
                return None
            # The first three filled cells of every row lie in these columns.
            if full < 3 and any(
                total_word(cell) or is_example(cell) for cell in distinct if not cell.isascii()
            ):
                return None
            if self._names[position] in ("person_name", "head_name") and any(map(is_example, distinct)):
                return None
            if "" not in distinct:
                full += 1
                full_and_no_header += self._is_no_header(position, distinct)
        if not full:
            return None  # a row may be blank
        if full_and_no_header * 2 < width and any(
            is_repeated_header(record, self._header) for _, record in chunk
        ):
            return None
        known: dict[str, list[str]] = {}
        surplus: dict[str, list[str]] = {}
        for position, (name, column) in enumerate(zip(self._names, columns, strict=True)):
            if name is not None:
                known[name] = list(column)
            elif any(column):
                surplus[f"第{position + 1}列"] = list(column)
        numbers = [number for number, _ in chunk]
        if not self._blocks.is_active:
            return Table(self._sheet_name, numbers, known, self._headers, surplus)
        placed = self._blocks.place_all(known)
        if placed is None:
            return None
        block_nos, filled = placed
        return Table(self._sheet_name, numbers, known, self._headers, surplus, filled, block_nos)

    def _has_heads_alone(self, columns: list[tuple[str, ...]]) -> bool:
        """Whether a row may name a head and no member."""
        if not self._blocks.is_active or not {"head_name", "person_name"}.issubset(self._names):
            return False
        heads, persons = (columns[self._names.index(name)] for name in ("head_name", "person_name"))
        return any(head and len(person) < 2 for head, person in zip(heads, persons, strict=True))

    @staticmethod
    def _is_plain(distinct: set[str]) -> bool:
        """Whether no cell is white space only, says "same as above" or is beyond all measure."""
        if max(map(len, distinct)) > LONGEST_CELL:
            return False
        for cell in distinct:
            if cell and cell[0] in _BEGINNINGS and (not cell.strip(_SPACES) or is_ditto(fold(cell))):
                return False
        return True

    def _is_no_header(self, position: int, distinct: set[str]) -> bool:
        """Whether no cell of the column is its header again."""
        text = self._header.texts[position] if position < len(self._header.texts) else ""
        if len(distinct) <= _FEW:
            return all(normalise_header(cell) != text for cell in distinct)
        return not text.isascii() and "".join(distinct).isascii()


def _placed(records: Iterable[_Record], table: TableRows) -> Iterator[SourceRow]:
    return with_heads_as_members(_placed_one_by_one(records, table), table.contract)


def _placed_one_by_one(records: Iterable[_Record], table: TableRows) -> Iterator[SourceRow]:
    for number, record in records:
        cells = tuple(record)
        if not is_blank(cells) and (source := table.place(Row(number, cells))) is not None:
            yield source


def _gathered(rows: Iterator[SourceRow]) -> Iterator[list[SourceRow]]:
    batch: list[SourceRow] = []
    block: int | None = None
    for row in rows:
        # A block ends with a total row or with the next one's first row; a row too long to be read may stand inside it.
        is_cut_fit = block is None or row.fault in NOT_DATA or row.block_no not in (None, block)
        if len(batch) >= BATCH_ROWS and is_cut_fit:
            yield batch
            batch = []
        block = None if row.fault in NOT_DATA else block if row.block_no is None else row.block_no
        batch.append(row)
    if batch:
        yield batch


def packed(batch: Batch) -> tuple[Any, ...]:
    """A batch as ``marshal`` takes it."""
    if isinstance(batch, Table):
        return (
            batch.sheet_name, batch.numbers, batch.columns, batch.headers, batch.surplus, batch.filled, batch.block_nos
        )  # fmt: skip
    return (
        [
            (
                row.sheet_name, row.row_number, _packed_cells(row.cells), _packed_cells(row.delivered),
                _packed_cells(row.surplus), row.block_no, row.fault, row.fault_column, row.is_short, row.dittos,
                row.filled, row.findings,
            )
            for row in batch
        ],
    )  # fmt: skip


def unpacked(data: tuple[Any, ...]) -> Batch:
    """The batch that was packed."""
    if len(data) > 1:
        return Table(*data)
    return [
        SourceRow(
            sheet_name, number, _unpacked_cells(cells), _unpacked_cells(delivered), _unpacked_cells(surplus), *rest
        )
        for sheet_name, number, cells, delivered, surplus, *rest in data[0]
    ]  # fmt: skip


def _packed_cells(cells: dict[str, Cell]) -> dict[str, Any]:
    return {
        name: ("t" if isinstance(cell, datetime) else "d", cell.isoformat())
        if isinstance(cell, date)
        else cell
        for name, cell in cells.items()
    }


def _unpacked_cells(cells: dict[str, Any]) -> dict[str, Cell]:
    return {
        name: (datetime if cell[0] == "t" else date).fromisoformat(cell[1])
        if isinstance(cell, tuple)
        else cell
        for name, cell in cells.items()
    }
