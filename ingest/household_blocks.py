"""Household blocks (L5): the household columns of a head's row, filled down to the rows below that are of its household.

Which rows those are is told here. What the rows of a sheet are otherwise is said in ``layout``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from ingest.addresses.parser import parse_address
from ingest.contract import Column, Contract
from ingest.headers import Header
from ingest.normalise.dates import parse_date
from ingest.normalise.names import name_key
from ingest.normalise.texts import code_text, fold, is_ditto, is_null, without_spaces
from ingest.readers.sheet import Cell
from ingest.values import cell_text

if TYPE_CHECKING:
    from ingest.layout import SourceRow

_HEAD_CODES: Final = ("01", "02")
_NUMBER: Final = re.compile(r"(?a)[+-]?\d+(?:\.\d+)?")


class Blocks:
    """Fills household columns down (L5): from the head's row to the rows below, until the next household starts.

    A household starts where a column of the contract's ``blockStart`` has a new value; of several, the strongest decides,
    but another head's name under the same number is another household, and so is a head's own row with another door or
    serial number (one number for two families, a family listed at two places). A row that says none of these starts one when it is another head; when it is not said to be a member and has a door, or serial number and household
    values, of its own. Any other row is a member, and what it says of the household otherwise than the head's row is set
    aside and told (``docs/lists`` say so to those who fill in the list).
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._household = {column.name: column for column in contract.columns if column.is_household}
        self._counters = {column.name for column in contract.columns if column.is_row_counter}
        self._strong: list[str] = []
        self._number = 0
        self._current: dict[str, Cell] | None = None
        self._has_head = False

    @property
    def is_active(self) -> bool:
        """Whether the rows of the present sheet form blocks."""
        return bool(self._strong)

    def start_sheet(self, header: Header) -> None:
        """Another sheet begins: nothing is filled down into it."""
        present = [name for name in self._contract.block_start if name in header.match.positions]
        self._strong = [name for name in present if name not in self._counters]
        if self._strong == ["address"]:
            self._strong = []  # neighbours behind one door are no household
        self.end()

    def end(self) -> None:
        """The block ends here whatever comes."""
        self._current = None
        self._has_head = False

    def place(self, row: SourceRow) -> None:
        """Give the row its block number and what its household's first row says."""
        if not self._strong:
            return
        own = {name: row.cells[name] for name in self._household if not _is_nothing(row.cells.get(name))}
        is_head = self._is_head(row)
        is_named = any(name in own for name in self._strong)
        if self._current is None or not self._continues(own, row, is_head):
            if not is_named and self._current and any(name in self._current for name in self._strong):
                self._note_unnamed(row)
            self._number += 1
            self._current = own
            self._has_head = False
        else:
            for name, cell in self._current.items():
                if name in self._counters:
                    continue
                if name not in row.cells:
                    row.cells[name] = cell
                    row.filled += (name,)
                elif not is_named and name in own and not _same(self._household[name], own[name], cell):
                    row.findings += (("household_value_differs", name, cell_text(own[name])),)
                    row.cells[name] = cell
                    row.filled += (name,)
        self._has_head = self._has_head or is_head or self._is_named_head(row, self._current or {})
        row.block_no = self._number

    def _note_unnamed(self, row: SourceRow) -> None:
        """A household of its own that the row does not name: members after it cannot be told from another's."""
        column = self._contract.column(self._strong[0])
        if column is not None and not column.is_required:  # an empty required cell is told anyway
            row.findings += (("household_not_named", column.name, None),)

    def place_all(self, columns: dict[str, list[str]]) -> tuple[list[int], dict[str, list[str]]] | None:
        """The same for rows that all say their household in its strongest column, by columns (``""`` is no value).

        Returns:
            Block number of each row, and the household columns that were filled down, whole; None when not all rows say
            their household: then nothing was placed.
        """
        key = self._strong[0]
        texts = columns[key]
        if any(map(_is_nothing, set(texts))) or (self._current is not None and key not in self._current):
            return None
        if key != "head_name" and "head_name" in columns and self._has_two_heads(texts, columns):
            return None
        own = [name for name in self._household if name in columns]
        gaps = {name: list(columns[name]) for name in own if name != key and "" in columns[name]}
        numbers = []
        said = code_text(str(self._current[key])) if self._current is not None else None
        last, begin = texts[0] if said is not None and code_text(texts[0]) == said else None, 0
        if last is None:
            said = None
        for index, text in enumerate(texts):
            if text != last and (said is None or code_text(text) != said):
                self._number += 1
                begin, said = index, code_text(text)
                self._current = {name: cell for name in own if not _is_nothing(cell := columns[name][index])}
                self._has_head = False
            last = text
            numbers.append(self._number)
            if gaps and self._current is not None:
                for name, cells in gaps.items():
                    if not cells[index] and name not in self._counters and name in self._current:
                        cells[index] = str(self._current[name])
        relations = columns.get("relation_code", ())
        self._has_head = self._has_head or any(map(self._is_heads_relation, relations[begin:]))
        return numbers, {name: cells for name, cells in gaps.items() if cells != columns[name]}

    def _has_two_heads(self, texts: list[str], columns: dict[str, list[str]]) -> bool:
        """Whether neighbours of one number name two heads, or a head stands there twice: they are told row by row."""
        names = columns["head_name"]
        persons = columns.get("person_name", names)
        last = str((self._current or {}).get(self._strong[0], ""))
        head = str((self._current or {}).get("head_name", ""))
        seen = self._has_head
        for text, name, person in zip(texts, names, persons, strict=True):
            if text != last:
                last, head, seen = text, name, person == name
            elif name and (name != head or (seen and person == name)):
                return True
            else:
                seen = seen or person == name
        return False

    def differ(self, one: str, other: str) -> bool:
        """Whether two rows that say these in the strongest column are of different households for sure."""
        return (
            one != other
            and not (_is_nothing(one) or _is_nothing(other))
            and code_text(one) != code_text(other)
        )

    @property
    def key(self) -> str:
        """The strongest column of the present sheet."""
        return self._strong[0]

    def _continues(self, own: dict[str, Cell], row: SourceRow, is_head: bool) -> bool:
        current = self._current or {}
        shared = [name for name in self._strong if name in own and name in current]
        if shared:
            is_same = _same(self._household[shared[0]], own[shared[0]], current[shared[0]])
            if is_same and shared[0] != "address":
                return not self._is_another_head(own, row, is_head)
            if not is_same:
                return False
        if not shared and any(name in own for name in self._strong):
            return False  # says a household the block does not know
        if not any(name in current for name in self._strong):
            return False
        if is_head and self._has_head:
            return self._is_named_head(row, current)
        if self._relation(row.cells.get("relation_code")) is not None and not is_head:
            return True
        unlike = [
            name
            for name, cell in own.items()
            if name not in self._counters
            and name in current
            and not _same(self._household[name], cell, current[name])
        ]
        return not unlike or not ("address" in unlike or any(name in own for name in self._counters))

    def _is_another_head(self, own: dict[str, Cell], row: SourceRow, is_head: bool) -> bool:
        """Whether a row that says the block's number, or its head's name, is another household's first row all the same."""
        current = self._current or {}
        if "head_name" not in own or "head_name" not in current:
            return False
        if not _same(self._household["head_name"], own["head_name"], current["head_name"]):
            return True
        relation = self._relation(row.cells.get("relation_code"))
        if not self._has_head or not self._is_named_head(row, own) or (relation is not None and not is_head):
            return False
        return any(
            name in current and not _same(column, own[name], current[name])
            for name, column in self._household.items()
            if name in own and name not in self._counters
        )

    def _is_head(self, row: SourceRow) -> bool:
        return self._is_heads_relation(row.cells.get("relation_code"))

    def _is_heads_relation(self, cell: Cell) -> bool:
        return self._relation(cell) in _HEAD_CODES

    def _relation(self, cell: Cell) -> str | None:
        column = self._contract.column("relation_code")
        if column is None or column.code_list is None or not isinstance(cell, str):
            return None
        return column.code_list.by_text.get(code_text(cell))

    def _is_named_head(self, row: SourceRow, current: dict[str, Cell]) -> bool:
        name, head = row.cells.get("person_name"), current.get("head_name")
        return isinstance(name, str) and isinstance(head, str) and name_key(name) == name_key(head)


def with_heads_as_members(rows: Iterable[SourceRow], contract: Contract) -> Iterator[SourceRow]:
    """The rows in order; where a household's first row names its head and no member, the head is the member of that row.

    Unless the head has a row of its own further down in the household: then the first row is only the household's.
    """
    if contract.column("head_name") is None or contract.column("person_name") is None:
        yield from rows
        return
    waiting: list[SourceRow] = []
    for row in rows:
        if waiting and row.block_no != waiting[0].block_no:
            yield from _settled(waiting, contract)
            waiting = []
        if waiting or _names_only_head(row, contract):
            waiting.append(row)
        else:
            yield row
    yield from _settled(waiting, contract)


def _names_only_head(row: SourceRow, contract: Contract) -> bool:
    """Whether a row says a head itself and, below the headers of members, nobody."""
    return (
        row.fault is None
        and row.block_no is not None
        and "head_name" not in row.filled
        and not _is_nothing(row.cells.get("head_name"))
        and all(_is_nothing(row.cells.get(name)) for name in ("person_name", "id_no", "birth_date"))
        and (_is_nothing(row.cells.get("relation_code")) or _relation_of(row, contract) in _HEAD_CODES)
    )


def _settled(block: list[SourceRow], contract: Contract) -> list[SourceRow]:
    if not block:
        return block
    first, *others = block
    head = name_key(cell_text(first.cells["head_name"]))
    has_own_row = any(
        _relation_of(row, contract) in _HEAD_CODES or name_key(cell_text(row.cells["person_name"])) == head
        for row in others
        if not _is_nothing(row.cells.get("person_name"))
    )
    if not has_own_row:
        make_head_the_member(first.cells)
        first.findings += (("head_is_member", "person_name", None),)
    return block


def _relation_of(row: SourceRow, contract: Contract) -> str | None:
    column, cell = contract.column("relation_code"), row.cells.get("relation_code")
    if column is None or column.code_list is None or not isinstance(cell, str):
        return None
    return column.code_list.by_text.get(code_text(cell))


def make_head_the_member(cells: dict[str, Cell]) -> None:
    """The head that a row names is whom it is about; what stands there for nobody (无, /) goes."""
    for own, heads in (("person_name", "head_name"), ("id_no", "head_id_no")):
        if heads in cells and _is_nothing(cells.get(own)):
            cells[own] = cells[heads]
    cells.setdefault("relation_code", "户主")


def _is_nothing(cell: Cell) -> bool:
    return is_empty(cell) or (isinstance(cell, str) and (is_null(fold(cell)) or is_ditto(fold(cell))))


def _same(column: Column, one: Cell, other: Cell) -> bool:
    """Whether two cells of a household column say the same, however they are written."""
    first, second = cell_text(one), cell_text(other)
    if column.semantic_type == "address":
        here, there = parse_address(first), parse_address(second)
        return here.key == there.key if here.key or there.key else fold(first) == fold(second)
    if column.semantic_type == "person_name" or column.name.endswith("_name"):
        return name_key(first) == name_key(second)
    if code_text(first) == code_text(second):
        return True
    if column.code_list is not None:
        codes = [column.code_list.by_text.get(code_text(text)) for text in (first, second)]
        return codes[0] is not None and codes[0] == codes[1]
    if column.semantic_type in ("amount", "integer"):
        numbers = [_NUMBER.search(without_spaces(fold(text)).replace(",", "")) for text in (first, second)]
        return all(numbers) and len({float(found[0]) for found in numbers if found}) == 1
    if column.semantic_type == "date":
        days = [parse_date(text).value for text in (first, second)]
        return days[0] is not None and days[0] == days[1]
    return False


def is_empty(cell: Cell) -> bool:
    """Whether nothing but white space stands in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip(" \t\r\n\u3000\u00a0\ufeff\u200b"))
