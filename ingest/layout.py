"""From sheets to source rows: which sheets belong to the list, where data begins, what each row is.

Layouts of domain.md 1.1: several sheets (L8), household blocks (L5), repeated headers, total and footer rows. What
the cells mean is not said here, only which contract column they stand under.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ingest.contract import Contract
from ingest.footers import is_example_row, is_total_row, stated_persons
from ingest.headers import Header, missing_columns, normalise_header, trimmed
from ingest.household_blocks import Blocks, is_empty, make_head_the_member, with_heads_as_members
from ingest.normalise.texts import fold, is_ditto
from ingest.readers.sheet import LONGEST_CELL, Cell, Content, Row, Sheet, UnreadableFile, is_blank
from ingest.sheets import tables_of, with_communities
from ingest.template_marks import is_own_sheet

_SAME_LIST_SHARE: Final = 0.7  # of the columns of the best sheet: less is an extract or a summary
_FILLED_MERGES: Final = frozenset({"text", "address", "code", "codes", "date", "integer", "boolean"})


@dataclass(slots=True)
class SourceRow:
    """One row of the data part, under the contract's columns.

    Attributes:
        cells: Contract column to its cell, household columns already filled down.
        delivered: Cells as delivered under the headers that the contract knows, by header.
        surplus: Cells under no known header, by position; kept (encrypted) only when the row is quarantined.
        fault: Rule that quarantines the row whatever its values, or None.
        fault_column: Contract column the fault is about, or None.
        is_short: The row has fewer cells than the header.
        dittos: Columns whose "same as above" was resolved.
        filled: Columns whose value stands in another row: the household's first one, or that of a merged cell.
        findings: Rule, column and cell (as text) of what is to be said of single cells.
    """

    sheet_name: str
    row_number: int
    cells: dict[str, Cell]
    delivered: dict[str, Cell]
    surplus: dict[str, Cell]
    block_no: int | None = None
    fault: str | None = None
    fault_column: str | None = None
    is_short: bool = False
    dittos: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    findings: tuple[tuple[str, str, str | None], ...] = ()


@dataclass
class Layout:
    """How a delivery is laid out: the sheets that are read, and what is worth telling data staff and suppliers.

    Attributes:
        hidden: Hidden sheets that hold rows of the list, too, beside the visible ones; they are not read.
    """

    tables: list[tuple[Sheet, Header]]
    notes: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


def choose_tables(content: Content, contract: Contract) -> Layout:
    """The sheets whose header fits the contract.

    Sheets with all required columns are taken, and those that fit nearly as well as the best: a community's sheet
    that lost a column is part of the list, and its rows are not passed over in silence. Hidden sheets are read only
    when no visible one fits; beside visible ones they are told (`Layout.hidden`), and a person decides.

    Raises:
        UnreadableFile: No sheet has a header that fits.
    """
    sheets = [sheet for sheet in content.sheets if not is_own_sheet(sheet)]
    found = [table for sheet in sheets for table in tables_of(sheet, contract)]
    if not found:
        raise UnreadableFile("no_header", f"找不到《{contract.title}》的表头。请按填报模板的表头报送。")
    visible = [(sheet, header) for sheet, header in found if not sheet.is_hidden] or found
    most = max(header.match.hits for _, header in visible)
    chosen = [
        (sheet, header)
        for sheet, header in visible
        if not missing_columns(header, contract) or header.match.hits >= most * _SAME_LIST_SHARE
    ]
    # Of a sheet that is read every table is read: one whose header was damaged is part of the list.
    taken = {sheet.title for sheet, _ in chosen}
    chosen = [(sheet, header) for sheet, header in visible if sheet.title in taken]
    layout = Layout(with_communities(chosen))
    copies: set[str] = set()
    for sheet, header in found:
        is_list = not missing_columns(header, contract) or header.match.hits >= most * _SAME_LIST_SHARE
        rows = _rows_of((sheet, header)) if sheet.is_hidden and sheet.title not in taken and is_list else None
        if rows and rows.issubset(set().union(*map(_rows_of, chosen))):
            copies.add(sheet.title)
        elif rows and sheet.title not in layout.hidden:
            layout.hidden.append(sheet.title)
    for sheet in sheets:
        if sheet.title not in taken and sheet.rows:
            hidden = "（隐藏）" if sheet.is_hidden else ""
            if sheet.title in copies and sheet.title not in layout.hidden:
                layout.notes.append(f"工作表“{sheet.title}”（隐藏）的各行都已在读取的工作表里，未重复读取")
                continue
            layout.notes.append(f"工作表“{sheet.title}”{hidden}不是清单，未读取")
        layout.notes.extend(sheet.notes)
    for sheet, header in chosen:
        if sheet.is_hidden:
            layout.notes.append(f"工作表“{sheet.title}”是隐藏的，已读取")
        layout.notes.extend(header.notes)
    return layout


def _rows_of(table: tuple[Sheet, Header]) -> set[tuple[Cell, ...]]:
    """The data rows of a table, without blanks at their ends."""
    sheet, header = table
    return {
        tuple(trimmed(row.cells))
        for row in islice(sheet.rows, header.last + 1, None)
        if not is_blank(row.cells)
    }


def source_rows(layout: Layout, contract: Contract) -> Iterator[SourceRow]:
    """All data rows of a delivery in order. Blank rows and repeated headers are left out."""
    tables = Tables(layout, contract)
    for sheet, header in layout.tables:
        table = tables.start(sheet, header)
        placed = map(table.place, islice(sheet.rows, header.last + 1, None))
        yield from with_heads_as_members((source for source in placed if source is not None), contract)
    tables.end()


class Tables:
    """The tables of one delivery, one after the other: what goes on from sheet to sheet is kept here."""

    def __init__(self, layout: Layout, contract: Contract) -> None:
        self._layout = layout
        self.contract = contract
        self.blocks = Blocks(contract)
        self.repeated_headers = 0
        self.tables: list[TableRows] = []

    def start(self, sheet: Sheet, header: Header) -> TableRows:
        """The next table begins."""
        self.blocks.start_sheet(header)
        self.tables.append(TableRows(self, sheet, header))
        return self.tables[-1]

    def end(self) -> None:
        """All rows are placed: note what was left out."""
        if self.repeated_headers:
            self._layout.notes.append(f"数据中重复出现表头 {self.repeated_headers} 次，已略过")
        self._layout.notes.extend(note for table in self.tables if (note := table.note_of_count()))


class TableRows:
    """Makes source rows of one table's rows, in order."""

    def __init__(self, tables: Tables, sheet: Sheet, header: Header) -> None:
        self._tables = tables
        self.contract = tables.contract
        self._sheet = sheet
        self._header = header
        self.positions = header.match.positions
        self.headers = {position: header.match.headers[name] for name, position in self.positions.items()}
        self.is_of_heads = "person_name" not in self.positions and "head_name" in self.positions
        self.community = (
            sheet.community
            if "community_name" not in self.positions and self.contract.column("community_name")
            else None
        )
        self._merges = _merged_values(sheet, header, self.contract)
        self._above: dict[str, Cell] = {}
        self._count = 0
        self._stated: int | None = None

    def place(self, row: Row) -> SourceRow | None:
        """The source row; None for a repeated header."""
        too_long = [place for place, cell in enumerate(row.cells) if _is_too_long(cell)]
        if too_long:
            return self._place_unreadable(row, too_long)
        if is_repeated_header(row.cells, self._header):
            self._tables.repeated_headers += 1
            return None
        source = _source_row(row, self._sheet, self.positions, self.headers)
        if is_total_row(row.cells):
            source.fault = "total_row"
            self._tables.blocks.end()
            self._stated = stated_persons(row.cells) or self._stated
            return source
        if is_example_row(row.cells, self.positions.get("person_name", self.positions.get("head_name"))):
            source.fault = "example_row"
            self._tables.blocks.end()
            return source
        self._count += 1
        if len(row.cells) > self._header.width and not is_blank(row.cells[self._header.width :]):
            source.fault = "row_longer_than_header"
        else:
            source.is_short = len(row.cells) < self._header.width
            if self._merges:
                for name, position in self.positions.items():
                    if name not in source.cells and (position, row.number) in self._merges:
                        source.cells[name] = self._merges[position, row.number]
                        source.filled += (name,)
            _resolve_dittos(source, self._above, self.contract)
            if self.is_of_heads:
                make_head_the_member(source.cells)
            if self.community:
                source.cells["community_name"] = self.community
            self._tables.blocks.place(source)
            self._above = source.cells
        return source

    def _place_unreadable(self, row: Row, too_long: list[int]) -> SourceRow:
        """A row with cells beyond all measure: its household goes on below it, with what its other cells say."""
        self._count += 1
        source = _source_row(row, self._sheet, self.positions, self.headers)
        source.fault = "cell_too_long"
        for name, position in self.positions.items():
            if position in too_long:
                source.fault_column = source.fault_column or name
                source.cells.pop(name)
        self._tables.blocks.place(source)
        self._above = source.cells
        return source

    def pass_over(self, count: int, above: dict[str, Cell]) -> None:
        """Rows were made without `place`; the last one's cells are what "same as above" means next."""
        self._count += count
        self._above = above

    def note_of_count(self) -> str | None:
        """A note when the sheet's last total row states another number of persons than the sheet has rows (B56)."""
        if self._stated in (None, self._count) or self.contract.column("person_name") is None:
            return None
        place = f"工作表“{self._sheet.title}”" if self._sheet.name else ""
        return f"{place}表尾写的是 {self._stated} 人，数据有 {self._count} 行：请核对是否漏行、多行，或合计没有更新"


def _source_row(row: Row, sheet: Sheet, positions: dict[str, int], headers: dict[int, str]) -> SourceRow:
    filled = {position: cell for position, cell in enumerate(row.cells) if not is_empty(cell)}
    return SourceRow(
        sheet_name=sheet.name,
        row_number=row.number,
        cells={name: filled[position] for name, position in positions.items() if position in filled},
        delivered={headers[position]: cell for position, cell in filled.items() if position in headers},
        surplus={f"第{position + 1}列": cell for position, cell in filled.items() if position not in headers},
    )


def _is_too_long(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell) > LONGEST_CELL


def is_repeated_header(cells: Sequence[Cell], header: Header) -> bool:
    """Whether a row says the header again.

    What it says again must be the contract's headers, a third of it at least: where a person's data have run into the
    header, the same person's row has much in common with it and is no header.
    """
    filled = [
        (position, cell, text)
        for position, (cell, text) in enumerate(zip(cells, header.texts, strict=False))
        if isinstance(cell, str) and cell.strip()
    ]
    same = []
    for done, (position, cell, text) in enumerate(filled, start=1):
        if normalise_header(cell) == text:
            same.append(position)
        if (done - len(same)) * 2 >= len(filled):
            return False  # as good as always after half the cells: it is a row of data
    known = set(header.match.positions.values()).intersection(same)
    return len(same) >= 3 and len(known) * 3 >= len(same)


def _merged_values(sheet: Sheet, header: Header, contract: Contract) -> dict[tuple[int, int], Cell]:
    """Value of each cell covered by a vertical merge, for the columns where a merge states a common value."""
    if not sheet.vertical_merges:
        return {}
    fillable = {
        position
        for name, position in header.match.positions.items()
        if (column := contract.column(name)) is not None
        and (column.is_household or column.semantic_type in _FILLED_MERGES)
    }
    by_number = {row.number: row for row in sheet.rows}
    values: dict[tuple[int, int], Cell] = {}
    for position, first, last in sheet.vertical_merges:
        row = by_number.get(first)
        if position not in fillable or row is None or position >= len(row.cells):
            continue
        if not _is_too_long(row.cells[position]):
            for number in range(first + 1, last + 1):
                values[position, number] = row.cells[position]
    return values


def _resolve_dittos(row: SourceRow, above: dict[str, Cell], contract: Contract) -> None:
    """Put the value of the row above where a cell says 同上; never a name or an id, which are nobody else's."""
    for name, cell in list(row.cells.items()):
        if not isinstance(cell, str) or not is_ditto(fold(cell)):
            continue
        column = contract.column(name)
        is_own = column is None or column.semantic_type in ("person_name", "id_no", "disability_certificate")
        if not is_own and name in above:
            row.cells[name] = above[name]
            row.dittos += (name,)
        else:
            del row.cells[name]
            row.findings += (("ditto_unresolved", name, cell),)
