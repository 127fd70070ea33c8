"""What rows of one delivery say of each other wherever they stand: the same row twice, one number under two names.

Of each row only fingerprints are kept (32 bytes or so), so that a delivery of any size can be asked. Not here: checks
within a household block (``rows``), against other lists (``delivery_checks``).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from ingest.contract import Contract
from ingest.cross_checks import OneCurrent, Unique
from ingest.layout import SourceRow
from ingest.messages import message
from ingest.values import cell_text

SEPARATOR: Final = "\x1f"


def fingerprint(text: str) -> int:
    """64 bits of a text's SHA-256, never 0: two of a million different ones agree once in 10 million deliveries."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8]) or 1


@dataclass
class Claims:
    """Who (a key, 0 for nobody) has what, row by row; the second of one key that differs is a finding."""

    keys: array[int] = field(default_factory=lambda: array("Q"))
    told: array[int] = field(default_factory=lambda: array("Q"))
    # The cell that a warning is about, for checks that show one.
    cells: list[str | None] = field(default_factory=list)

    def extend(self, other: Claims) -> None:
        """Append the rows of another part of the delivery."""
        self.keys.extend(other.keys)
        self.told.extend(other.told)
        self.cells.extend(other.cells)


@dataclass
class Trace:
    """Fingerprints of accepted rows, in any order; the places say which is the first.

    Attributes:
        sheets, numbers: Where each row stands.
        contents: Fingerprint of its cells, serial numbers left out.
        names: Valid id and name of its person.
        current: For each check of the whole delivery, whom it is about and the number told.
        unique: For each key that rows may not share, the key and the fingerprint of the row's cells.
    """

    sheets: list[str] = field(default_factory=list)
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    contents: array[int] = field(default_factory=lambda: array("Q"))
    names: Claims = field(default_factory=Claims)
    current: list[Claims] = field(default_factory=list)
    unique: list[Claims] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RepeatWarning:
    """A warning about a row, by its position among all that were added."""

    position: int
    sheet_name: str
    row_number: int
    rule: str
    column_name: str | None
    message: str
    value: str | None


class Tracer:
    """Takes the fingerprints of accepted rows of one contract."""

    def __init__(self, contract: Contract) -> None:
        counters = {column.name for column in contract.columns if column.is_row_counter}
        self.columns = sorted(column.name for column in contract.columns if column.name not in counters)
        self.has_names = contract.column("id_no") is not None and contract.column("person_name") is not None
        self.checks = [check for check in contract.checks.of_delivery if isinstance(check, OneCurrent)]
        self.uniques = [check for check in contract.checks.of_delivery if isinstance(check, Unique)]
        # What `add_all` reads of a row's values.
        self.value_columns = list(
            dict.fromkeys(
                [
                    *(("id_no", "person_name") if self.has_names else ()),
                    *(name for check in self.checks for name in check.columns()),
                    *(name for check in self.uniques for name in check.columns()),
                ]
            )
        )

    def empty(self) -> Trace:
        """A trace of no rows."""
        return Trace(current=[Claims() for _ in self.checks], unique=[Claims() for _ in self.uniques])

    def add(self, trace: Trace, source: SourceRow, values: dict[str, Any]) -> None:
        """One row."""
        cells = source.cells
        content = SEPARATOR.join([cell_text(cells[name]) if name in cells else "" for name in self.columns])
        told = {check.status: [cell_text(cells.get(check.status))] for check in self.checks}
        columns = {name: [values[name]] for name in self.value_columns}
        self.add_all(trace, source.sheet_name, [source.row_number], [content], columns, told)

    def add_all(
        self,
        trace: Trace,
        sheet_name: str,
        numbers: Sequence[int],
        contents: Iterable[str],
        values: Mapping[str, Sequence[Any]],
        cells: Mapping[str, Sequence[str]],
    ) -> None:
        """Rows of one sheet.

        Args:
            numbers: Where they stand.
            contents: The cells of each row as one text.
            values: What `value_columns` say.
            cells: What stands in the status columns of the checks; ``""`` is no cell.
        """
        trace.sheets.extend([sheet_name] * len(numbers))
        trace.numbers.extend(numbers)
        prints = list(map(fingerprint, contents))
        trace.contents.extend(prints)
        if self.has_names:
            pairs = [
                (int(identity.text[:17]), _name_fingerprint(name.key))
                if identity.kind == "valid" and name.key
                else (0, 0)
                for identity, name in zip(values["id_no"], values["person_name"], strict=True)
            ]
            trace.names.keys.extend([key for key, _ in pairs])
            trace.names.told.extend([told for _, told in pairs])
        for claims, check in zip(trace.current, self.checks, strict=True):
            for identity, status, number, cell in zip(
                values[check.id], values[check.status], values[check.number], cells[check.status], strict=True
            ):
                is_claim = identity.kind == "valid" and status in check.values
                claims.keys.append(int(identity.text[:17]) if is_claim else 0)
                claims.told.append(fingerprint(repr(number)) if is_claim else 0)
                claims.cells.append((cell or None) if is_claim else None)
        for claims, unique in zip(trace.unique, self.uniques, strict=True):
            claims.keys.extend(
                [0 if key is None else fingerprint(SEPARATOR.join(key)) for key in unique.keys_of(values)]
            )
            claims.told.extend(prints)


@lru_cache(maxsize=32768)
def _name_fingerprint(key: str) -> int:
    return fingerprint(key)


class Repeats:
    """Collects the traces of a delivery and tells what repeats."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._tracer = Tracer(contract)
        self._sheets: dict[str, int] = {}
        self._sheet = array("H")
        self._number = array("Q")
        self._contents = array("Q")
        self._names = Claims()
        self._current = [Claims() for _ in self._tracer.checks]
        self._unique = [Claims() for _ in self._tracer.uniques]

    def add(self, trace: Trace) -> None:
        """Rows of the delivery; their sheets in order."""
        self._sheet.extend(self._sheets.setdefault(name, len(self._sheets)) for name in trace.sheets)
        self._number.extend(trace.numbers)
        self._contents.extend(trace.contents)
        self._names.extend(trace.names)
        for mine, claims in zip(self._current, trace.current, strict=True):
            mine.extend(claims)
        for mine, claims in zip(self._unique, trace.unique, strict=True):
            mine.extend(claims)

    def warnings(self) -> Iterator[RepeatWarning]:
        """Warnings, row by row of each kind."""
        if len(self._number) < 2:
            return
        yield from self._duplicates()
        column = self._contract.column("id_no")
        if column is not None and self._tracer.has_names:
            for group in self._disagreeing(self._names):
                for position in group:
                    own = self._number[position]
                    others = [self._number[other] for other in group if self._number[other] != own]
                    yield self._warning(
                        position, "id_shared_by_two_names", column.name,
                        message("id_shared_by_two_names", column.header, detail=_see(others)),
                    )  # fmt: skip
        for claims, check in zip(self._current, self._tracer.checks, strict=True):
            yield from self._told(claims, check.rule, check.status)
        for claims, unique in zip(self._unique, self._tracer.uniques, strict=True):
            yield from self._told(claims, unique.rule, unique.key[0])

    def _told(self, claims: Claims, rule: str, name: str) -> Iterator[RepeatWarning]:
        """A warning on each of the rows that disagree, which names the others."""
        about = self._contract.column(name)
        wording = self._contract.checks.wordings.get(rule)
        for group in self._disagreeing(claims):
            for position in group:
                others = [self._number[other] for other in group if other != position]
                words = message(rule, about.header if about else None, detail=_see(others), wording=wording)
                cell = claims.cells[position] if claims.cells else None
                yield self._warning(position, rule, name, words, cell)

    def _duplicates(self) -> Iterator[RepeatWarning]:
        """Rows that equal an earlier one in everything but their place and serial number."""
        names = list(self._sheets)
        for first, *later in self._groups(self._contents):
            for position in later:
                where = (
                    f"（第 {self._number[first]} 行）"
                    if self._sheet[first] == self._sheet[position]
                    else f"（工作表“{names[self._sheet[first]]}”第 {self._number[first]} 行）"
                )
                yield self._warning(
                    position, "duplicate_of_row", None, message("duplicate_of_row", detail=where)
                )

    def _disagreeing(self, claims: Claims) -> Iterator[list[int]]:
        """Rows of one key that do not all tell the same: one number is wrong, or two people really have it."""
        for group in self._groups(claims.keys):
            if claims.keys[group[0]] and len({claims.told[position] for position in group}) > 1:
                yield group

    def _groups(self, keys: array[int]) -> Iterator[list[int]]:
        """Positions of rows whose key is not theirs alone, by place within a group."""
        import numpy as np

        values = np.frombuffer(keys, dtype=np.uint64)
        order = np.lexsort(
            (
                np.frombuffer(self._number, dtype=np.uint64),
                np.frombuffer(self._sheet, dtype=np.uint16),
                values,
            )
        )
        ordered = values[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
        sizes = np.diff(begins)
        for index in np.flatnonzero((sizes > 1) & (ordered[begins[:-1]] != 0)):
            yield [int(position) for position in order[begins[index] : begins[index + 1]]]

    def _warning(
        self, position: int, rule: str, column: str | None, words: str, value: str | None = None
    ) -> RepeatWarning:
        sheet = list(self._sheets)[self._sheet[position]]
        return RepeatWarning(position, sheet, self._number[position], rule, column, words, value)


def _see(numbers: Iterable[int]) -> str:
    others = "、".join(str(number) for number in sorted(numbers))
    return f"（另见第 {others} 行）" if others else ""
