"""The verdict on each source row: accepted with warnings, or quarantined by exactly one rule.

A person is not dropped for a typing error: a row that still says who it is about is accepted, its faulty values
set aside. Not here: reading single cells (``values``), protecting and storing (``storage``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import Any, Final

from ingest.addresses.gazetteer import EMPTY, Gazetteer
from ingest.check_kinds import Finding
from ingest.column_words import words_of
from ingest.contract import Column, Contract
from ingest.delivery_checks import SheetTotals
from ingest.examples import ExampleRows
from ingest.layout import SourceRow
from ingest.messages import TAKEN_FROM, message
from ingest.normalise.ids import is_rounded, parse_id
from ingest.readers.sheet import Cell
from ingest.repeats import Repeats, Tracer
from ingest.values import MISSING, CellReader, cell_text

_HEAD_CODES: Final = ("01", "02")
ROUNDED_IDS_ENOUGH: Final = 2


@dataclass(frozen=True, slots=True)
class RowWarning:
    """Something to mend in an accepted row.

    Attributes:
        value: The cell it is about, stored encrypted; None when it is about the whole row.
    """

    rule: str
    column_name: str | None
    message: str
    value: str | None = None


@dataclass(slots=True)
class AcceptedRow:
    """A row for ``raw``: contract column to its value (what ``values`` makes of its semantic type)."""

    source: SourceRow
    values: dict[str, Any]
    warnings: list[RowWarning] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that cannot be used, and why."""

    source: SourceRow
    rule: str
    column_name: str | None
    message: str


@dataclass(frozen=True)
class JudgedRows:
    """All rows of a delivery with their verdicts, in order within each kind.

    Attributes:
        notes: What the checks found about the delivery as a whole, in Chinese, without values.
    """

    accepted: list[AcceptedRow]
    quarantined: list[QuarantinedRow]
    notes: tuple[str, ...] = ()

    @property
    def footer_count(self) -> int:
        """Rows that were totals or footers: quarantined, but no sign of bad data."""
        return sum(row.rule == "total_row" for row in self.quarantined)

    @property
    def warning_count(self) -> int:
        """All warnings of all rows."""
        return sum(len(row.warnings) for row in self.accepted)


def judge_rows(
    rows: Iterable[SourceRow],
    contract: Contract,
    arrival: date,
    missing: list[str],
    snapshot_date: date | None = None,
    *,
    gazetteer: Gazetteer = EMPTY,
) -> JudgedRows:
    """Judge all rows of a delivery.

    Args:
        rows: Its data rows in order.
        contract: What they should be.
        arrival: Local day of arrival.
        missing: Required columns that no header means: then no row can be used.
        snapshot_date: Day the delivery speaks of; None takes the day of arrival.
        gazetteer: What addresses are read with.
    """
    sources = list(rows)
    evidence = RoundedIds(contract)
    for source in sources:
        evidence.see(source.cells.get("id_no"))
    reader = CellReader(arrival, rounded_ids=evidence.is_enough, gazetteer=gazetteer)
    judge = RowJudge(contract, reader, missing, snapshot_date or arrival)
    accepted, quarantined = judge.judge_all(sources)
    tracer, repeats, totals = Tracer(contract), Repeats(contract), SheetTotals(contract, reader)
    trace = tracer.empty()
    for row in accepted:
        tracer.add(trace, row.source, row.values)
    repeats.add(trace)
    for warning in repeats.warnings():
        accepted[warning.position].warnings.append(
            RowWarning(warning.rule, warning.column_name, warning.message, warning.value)
        )
    for source in sources:
        totals.add(source)
    return JudgedRows(accepted, quarantined, tuple(totals.notes()))


class RoundedIds:
    """Whether a spreadsheet has rounded ids of a delivery: several look so and fail their check digit.

    Attributes:
        evident: Ids that look so and fail.
        doubtful: Ids that look so and are believed as long as there is no evidence.
    """

    def __init__(self, contract: Contract) -> None:
        self._has_ids = contract.column("id_no") is not None
        self.evident = 0
        self.doubtful = 0

    def see(self, cell: Cell) -> None:
        """One id cell of the delivery."""
        if self._has_ids and isinstance(cell, str) and is_rounded(cell):
            if parse_id(cell).finding == "id_rounded":
                self.evident += 1
            else:
                self.doubtful += 1

    @property
    def is_enough(self) -> bool:
        """Whether ids that look so are no longer believed."""
        return self.evident >= ROUNDED_IDS_ENOUGH


def warn_of_finding(row: AcceptedRow, finding: Finding, contract: Contract, detail: str = "") -> None:
    """Put what a cross-check found on its row, and the value that it takes from elsewhere."""
    column = contract.column(finding.column)
    if finding.taken is not None:
        row.values[finding.column] = finding.taken
    header = column.header if column else None
    if _is_told(row, finding.rule, finding.column, header, contract, is_gap=finding.is_gap):
        return
    cell = row.source.cells.get(finding.column)
    wording = contract.checks.wordings.get(finding.rule)
    words = message(finding.rule, header, detail=detail, wording=wording)
    row.warnings.append(
        RowWarning(finding.rule, finding.column, words, None if cell is None else cell_text(cell))
    )


def _is_told(
    row: AcceptedRow, rule: str, name: str, header: str | None, contract: Contract, *, is_gap: bool
) -> bool:
    """Whether a cell without a usable value has been told: one cell, one message.

    What was found in the cell is what the clerk must mend; from where the value was taken is put beside it. That the cell
    is empty is left to the rule that knows more.
    """
    taken = TAKEN_FROM.get(rule)
    earlier = next((warning for warning in row.warnings if warning.column_name == name), None)
    if earlier is None or not (taken or is_gap):
        return False
    place = row.warnings.index(earlier)
    if earlier.rule == "required_value_missing":
        del row.warnings[place]
        return False
    if taken:
        words = message(
            earlier.rule, header, detail=f"（{taken}）", wording=words_of(earlier.rule, contract.column(name))
        )
        row.warnings[place] = replace(earlier, message=words)
    return True


class RowJudge:
    """Judges the rows of one delivery, all but what repeats across it (``repeats``)."""

    def __init__(self, contract: Contract, reader: CellReader, missing: list[str], as_of: date) -> None:
        self._contract = contract
        self._reader = reader
        self._as_of = as_of
        self._columns = {column.name: column for column in contract.columns}
        self._missing = [self._columns[name] for name in missing]
        self._keys = contract.needed_keys
        self.examples = ExampleRows(contract)

    def judge_all(self, sources: Iterable[SourceRow]) -> tuple[list[AcceptedRow], list[QuarantinedRow]]:
        """Judge rows in order, household blocks whole; accepted and quarantined ones."""
        accepted: list[AcceptedRow] = []
        quarantined: list[QuarantinedRow] = []
        for source in sources:
            verdict = self.judge(source)
            if isinstance(verdict, AcceptedRow):
                accepted.append(verdict)
            else:
                quarantined.append(verdict)
        for block_no, members in groupby(accepted, key=lambda row: row.source.block_no):
            neighbours = list(members)
            for block in [neighbours] if block_no is not None else [[row] for row in neighbours]:
                values = [row.values for row in block]
                for position, finding in self.household_findings(values, is_block=block_no is not None):
                    self.warn(block[position], finding, [row.source.row_number for row in block])
        return accepted, quarantined

    def household_findings(
        self, rows: list[dict[str, Any]], *, is_block: bool
    ) -> Iterable[tuple[int, Finding]]:
        """What the checks of one household find: position of the row and finding."""
        return self._contract.checks.block_findings(rows, self._as_of, is_block=is_block)

    def warn(self, row: AcceptedRow, finding: Finding, numbers: list[int]) -> None:
        """Put what was found in a household on its row; `numbers` are those of the household's rows."""
        warn_of_finding(row, finding, self._contract, _where(numbers, finding.others))

    def judge(self, source: SourceRow) -> AcceptedRow | QuarantinedRow:
        """One row by itself."""
        if source.fault:
            return self._quarantine(source, source.fault, self._columns.get(source.fault_column or ""))
        if self._missing:
            return self._quarantine(source, "required_column_missing", self._missing[0])
        if self.examples.is_example(source.cells):
            return self._quarantine(source, "example_row")
        row = AcceptedRow(source, {})
        for name, column in self._columns.items():
            self._read(row, name, column)
        for rule, name, cell in source.findings:
            column = self._columns[name]
            words = message(rule, column.header, wording=words_of(rule, column))
            row.warnings.append(RowWarning(rule, name, words, cell))
        if source.is_short:
            row.warnings.append(
                RowWarning("row_shorter_than_header", None, message("row_shorter_than_header"))
            )
        self._take_id_from_elsewhere(row)
        self._take_heads_phone(row)
        fault = self._name_fault(row)
        if fault:
            return self._quarantine(source, fault, self._columns["person_name"])
        for name in self._keys:
            if self._is_missing(row, name) and self._is_left_out(row, name):
                return self._quarantine(source, "no_key", self._columns[name])
        if not self._has_identity(row):
            return self._quarantine(source, "no_identity")
        self._take_ids_out_of_numbers(row)
        for finding in self._contract.checks.row_findings(row.values, self._as_of):
            warn_of_finding(row, finding, self._contract)
        return row

    def _read(self, row: AcceptedRow, name: str, column: Column) -> None:
        cell = row.source.cells.get(name)
        row.values[name], finding = self._reader.read(column, cell)
        if name in row.source.filled or any(told == name for _, told, _ in row.source.findings):
            return  # what is to be said of it is said once: where the value stands, or by the layout
        if name in row.source.dittos:
            self._warn(row, "ditto", column)
        elif finding:
            self._warn(row, finding, column)
        elif column.is_required and self._is_missing(row, name):
            self._warn(row, "required_value_missing", column)

    def _quarantine(self, source: SourceRow, rule: str, column: Column | None = None) -> QuarantinedRow:
        return QuarantinedRow(
            source,
            rule,
            column.name if column else None,
            message(rule, column.header if column else None, is_quarantined=True),
        )

    def _warn(self, row: AcceptedRow, rule: str, column: Column, *, detail: str = "") -> None:
        if _is_told(row, rule, column.name, column.header, self._contract, is_gap=False):
            return
        cell = row.source.cells.get(column.name)
        value = None if cell is None else cell_text(cell)
        if rule == "phone_invalid" and value is not None:
            detail = f"，这里有 {sum(character.isdecimal() for character in value)} 位数字"
        words = message(rule, column.header, detail=detail, wording=words_of(rule, column))
        row.warnings.append(RowWarning(rule, column.name, words, value))

    def _is_missing(self, row: AcceptedRow, name: str) -> bool:
        value = row.values[name]
        semantic_type = self._columns[name].semantic_type
        if semantic_type == "person_name":
            return value.name is None
        if semantic_type in ("id_no", "phone", "disability_certificate"):
            return value.kind == "missing"
        if semantic_type == "address":
            return value[0] is None
        return value is None

    def _is_left_out(self, row: AcceptedRow, name: str) -> bool:
        """Whether a key without a value cannot be looked up: the number; of the rest what nobody tried to write."""
        rules = {warning.rule for warning in row.warnings if warning.column_name == name}
        return name == self._keys[0] or rules <= {"required_value_missing", "ditto_unresolved"}

    def _has_identity(self, row: AcceptedRow) -> bool:
        return any(
            not any(self._is_missing(row, name) for name in group) for group in self._contract.row_identity
        )

    def _name_fault(self, row: AcceptedRow) -> str | None:
        """A name cell that holds no name condemns the row, unless its characters alone are lost and the id is good."""
        name = row.values.get("person_name")
        if name is None or name.is_usable:
            return None
        identity = row.values.get("id_no")
        if name.finding == "name_unreadable" and identity is not None and identity.kind == "valid":
            return None
        return str(name.finding)

    def _take_id_from_elsewhere(self, row: AcceptedRow) -> None:
        """Use another column's id of the same person when the own one is incomplete; drop one that is the head's."""
        own = row.values.get("id_no")
        if own is None:
            return
        column = self._columns["id_no"]
        certificate = row.values.get("disability_certificate_no")
        if own.kind in ("missing", "masked", "damaged") and certificate is not None and certificate.id_text:
            inside = parse_id(certificate.id_text)
            if inside.kind == "valid" and _fits_mask(own, inside.text):
                row.values["id_no"] = inside
                self._warn(row, "id_taken_from_certificate", column)
        head, head_name = row.values.get("head_id_no"), row.values.get("head_name")
        name = row.values.get("person_name")
        if head is None or head.kind != "valid" or name is None or head_name is None or not head_name.key:
            return
        is_head = name.key == head_name.key and row.values.get("relation_code") in (*_HEAD_CODES, None)
        if is_head and own.kind in ("missing", "masked", "damaged") and _fits_mask(own, head.text):
            row.values["id_no"] = head
            self._warn(row, "id_taken_from_head_column", column)
        is_other = (
            name.key
            and name.key != head_name.key
            and row.values.get("relation_code") not in (*_HEAD_CODES, None)
        )
        if is_other and own.kind == "valid" and own.text == head.text:
            row.values["id_no"] = MISSING["id_no"]
            self._warn(row, "id_is_heads_id", column)

    def _take_heads_phone(self, row: AcceptedRow) -> None:
        """The phone in the head's column is the head's own where he has no other; never another member's."""
        own, heads = row.values.get("phone"), row.values.get("head_phone")
        if own is None or heads is None or own.kind != "missing":
            return
        relation, name = row.values.get("relation_code"), row.values.get("person_name")
        head_name = row.values.get("head_name")
        is_named = name is not None and head_name is not None and name.key and name.key == head_name.key
        if relation in _HEAD_CODES or (relation is None and is_named):
            row.values["phone"] = heads

    def _take_ids_out_of_numbers(self, row: AcceptedRow) -> None:
        """An office that numbers its files by citizen id: such a number would stand in clear beside the ciphertext."""
        numbers = [
            value.text
            for name, column in self._columns.items()
            if column.semantic_type == "id_no" and (value := row.values[name]).kind == "valid"
        ]
        for name, column in self._columns.items():
            value = row.values[name]
            if (
                column.semantic_type == "text"
                and value
                and any(number in value.upper() for number in numbers)
            ):
                row.values[name] = None
                if name not in row.source.filled:
                    self._warn(row, "id_in_number_column", column)


def _fits_mask(own: Any, number: str) -> bool:
    """Whether a masked or cut id may be this one: what it shows must agree."""
    if own.kind == "missing":
        return True
    shown = own.text[:6]
    if own.kind == "masked":
        return bool(shown.isdigit() and number.startswith(shown)) or not shown.isdigit()
    return bool(number[:6] == shown)


def _where(numbers: list[int], others: tuple[int, ...]) -> str:
    named = "、".join(str(numbers[position]) for position in others)
    return f"（另见第 {named} 行）" if named else ""
