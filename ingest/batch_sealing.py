"""Batches of rows judged and sealed: what goes to the database as text for COPY, and what is counted on the way.

The rows of a `Table` are treated column by column: every text of a column is read once (``ColumnReader``), and a row in
which nothing is to be said is put together from what is known of its texts. All other rows go the way of single rows,
with the same result (tests). May run in a process of its own, which has the keys and no database.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import compress, repeat
from operator import itemgetter
from typing import Any, Final

from infra.protection import FieldProtector
from ingest.addresses.gazetteer import EMPTY, Gazetteer
from ingest.batches import Batch, Table
from ingest.column_reading import ColumnReader, Entry
from ingest.contract import Column, Contract
from ingest.repeats import SEPARATOR, Trace, Tracer
from ingest.rows import AcceptedRow, QuarantinedRow, RoundedIds, RowJudge
from ingest.sealing import NULL, RecordIds, RowSealer, copy_text
from ingest.values import CellReader

_KNOWN_TEXTS: Final = 20_000  # of a column; more are forgotten and read again
_NUMBER: Final = re.compile(r"(?a)\d{17}")
_INCOMPLETE: Final = ("missing", "masked", "damaged")


@dataclass(frozen=True)
class Delivery:
    """What is the same for all rows of a delivery.

    Attributes:
        content_sha256: Fingerprint of its bytes; record ids depend on it.
        arrival: Local day of arrival.
        snapshot_date: Day the delivery speaks of.
        missing: Required columns that no header means: then no row can be used.
        rounded_ids: Ids that look rounded by a spreadsheet are not believed.
        gazetteer: What addresses are read with.
    """

    delivery_id: int
    contract: Contract
    content_sha256: str
    arrival: date
    snapshot_date: date
    missing: tuple[str, ...] = ()
    rounded_ids: bool = False
    gazetteer: Gazetteer = EMPTY


@dataclass
class Sealed:
    """One batch, ready to be stored.

    Attributes:
        raw, quarantined, warnings: Lines for COPY.
        communities: Accepted rows by community; empty when the list has no such column.
        trace: What is asked of the delivery as a whole.
        rounded_evident, rounded_doubtful: As `RoundedIds` counts them.
    """

    raw: bytes
    quarantined: bytes
    warnings: bytes
    accepted_count: int
    quarantined_count: int
    footer_count: int
    warning_count: int
    communities: Counter[str | None]
    trace: Trace
    rounded_evident: int
    rounded_doubtful: int


class BatchSealer:
    """Judges and seals the batches of one delivery, in any order, household blocks whole."""

    def __init__(self, protector: FieldProtector, delivery: Delivery) -> None:
        contract = delivery.contract
        self._protector = protector
        self._delivery = delivery
        self._contract = contract
        self.reader = CellReader(
            delivery.arrival, rounded_ids=delivery.rounded_ids, gazetteer=delivery.gazetteer
        )
        self._judge = RowJudge(contract, self.reader, list(delivery.missing), delivery.snapshot_date)
        self._record_ids = RecordIds(contract.list_code, delivery.content_sha256)
        self.sealer = RowSealer(protector, contract, delivery.delivery_id, self._record_ids)
        self._tracer = Tracer(contract)
        self._readers = [ColumnReader(column, self.reader, self.sealer) for column in contract.columns]
        self._names = [column.name for column in contract.columns]
        self._columns = {column.name: column for column in contract.columns}
        self._has_communities = "community_name" in self._names
        checks = contract.checks
        # What the checks of a household read.
        self._shared = sorted(
            {name for check in (*checks.of_household, *checks.of_block) for name in check.columns()}
        )
        self._checked = {*self._shared, *(name for check in checks.of_row for name in check.columns())}

    def seal(self, batch: Batch) -> Sealed:
        """One batch."""
        rounded = RoundedIds(self._contract)
        result = Sealed(b"", b"", b"", 0, 0, 0, 0, Counter(), self._tracer.empty(), 0, 0)
        if isinstance(batch, Table):
            for cell in batch.columns.get("id_no", ()):
                if (
                    cell[-3:] == "000"
                    or not cell.isalnum()
                    or not cell.isascii()
                    or "e" in cell
                    or "E" in cell
                ):
                    rounded.see(cell)
            lines = self._seal_table(batch, result)
        else:
            for source in batch:
                rounded.see(source.cells.get("id_no"))
            lines = []
            self._seal_rows(*self._judge.judge_all(batch), lines, result)
        result.raw = _block(lines)
        result.rounded_evident, result.rounded_doubtful = rounded.evident, rounded.doubtful
        return result

    def _seal_rows(
        self,
        accepted: list[AcceptedRow],
        quarantined: list[QuarantinedRow],
        lines: list[str],
        result: Sealed,
    ) -> None:
        for row in accepted:
            lines.append(self.sealer.raw_line(row))
            self._tracer.add(result.trace, row.source, row.values)
        if self._has_communities:
            result.communities.update(row.values["community_name"] for row in accepted)
        result.accepted_count += len(accepted)
        self._note(accepted, quarantined, result)

    def _note(self, accepted: list[AcceptedRow], quarantined: list[QuarantinedRow], result: Sealed) -> None:
        """What is to be said about rows."""
        warnings = [line for row in accepted for line in self.sealer.warning_lines(row)]
        result.warnings = _block(warnings)
        result.quarantined = _block([self.sealer.quarantined_line(row) for row in quarantined])
        result.quarantined_count += len(quarantined)
        result.footer_count += sum(row.rule == "total_row" for row in quarantined)
        result.warning_count += len(warnings)

    def _seal_table(self, table: Table, result: Sealed) -> list[str]:
        """Lines of the rows."""
        count = len(table.numbers)
        columns: list[list[Entry]] = []
        for reader in self._readers:
            name = reader.column.name
            cells = table.filled.get(name) or table.columns.get(name)
            columns.append(
                [reader.absent()] * count if cells is None else reader.entries(cells, table.headers[name])
            )
        verdicts = self._verdicts(table, columns)
        kept = list(range(count))
        judged = [verdict for _, verdict in sorted(verdicts.items(), key=itemgetter(0))]
        quarantined = [row for row in judged if isinstance(row, QuarantinedRow)]
        if quarantined:
            kept = [index for index in kept if not isinstance(verdicts.get(index), QuarantinedRow)]
        for index, row in verdicts.items():
            if isinstance(row, AcceptedRow):
                for reader, column in zip(self._readers, columns, strict=True):
                    value = row.values[reader.column.name]
                    if value is not column[index].value:  # taken from elsewhere, or set aside
                        column[index] = reader.with_value(column[index], value)
        if len(kept) < count:
            columns = [[column[index] for index in kept] for column in columns]
        if kept:
            self._trace(table, kept, columns, result)
        if self._has_communities:
            position = self._names.index("community_name")
            result.communities.update([entry.value for entry in columns[position]])
        result.accepted_count += len(kept)
        self._note([row for row in judged if isinstance(row, AcceptedRow)], quarantined, result)
        return self._lines(table, kept, columns)

    def _verdicts(self, table: Table, columns: list[list[Entry]]) -> dict[int, AcceptedRow | QuarantinedRow]:
        """Verdicts on the rows about which there is something to say, or may be, by their index."""
        count, names = len(table.numbers), self._names
        if self._delivery.missing:
            return {index: self._judge.judge(table.row(index)) for index in range(count)}
        by_name = dict(zip(names, columns, strict=True))
        single = self._with_values_elsewhere(table, by_name)
        for column in columns:
            single.update([index for index, entry in enumerate(column) if entry.is_odd])
        for anchor in self._judge.examples.anchors:
            cells = table.filled.get(anchor.name) or table.columns.get(anchor.name, [])
            if found := self._judge.examples.candidates(anchor, cells):
                single.update(index for index, cell in enumerate(cells) if cell in found)
        groups = [[by_name[name] for name in group] for group in self._contract.row_identity]
        for index in range(count):
            if not any(all(not column[index].is_missing for column in group) for group in groups):
                single.add(index)
        values = {name: [entry.value for entry in by_name[name]] for name in self._checked}
        for check in self._contract.checks.of_row:
            single.update(check.rows_to_look_at(values, self._delivery.snapshot_date))
        verdicts: dict[int, AcceptedRow | QuarantinedRow] = {}
        for index in sorted(single):
            source = table.row(index)
            for name, cell in source.cells.items():
                entry = by_name[name][index]
                self.reader.expect(self._columns[name], str(cell), (entry.value, entry.finding))
            verdicts[index] = self._judge.judge(source)
        self.reader.forget()
        self._check_households(table, by_name, values, verdicts)
        return verdicts

    def _check_households(
        self,
        table: Table,
        columns: dict[str, list[Entry]],
        checked: dict[str, list[Any]],
        verdicts: dict[int, AcceptedRow | QuarantinedRow],
    ) -> None:
        checks = self._contract.checks
        is_block = table.block_nos is not None
        if not checks.of_household and not (is_block and checks.of_block):
            return
        shared = self._shared
        values = [
            dict(zip(shared, row, strict=True))
            for row in zip(*[checked[name] for name in shared], strict=True)
        ]
        households: dict[int, list[int]] = {}
        for index, household in enumerate(table.block_nos or range(len(values))):
            verdict = verdicts.get(index)
            if isinstance(verdict, QuarantinedRow):
                continue
            if verdict is not None:
                values[index] = verdict.values
            households.setdefault(household, []).append(index)
        for members in households.values():
            rows = [values[index] for index in members]
            for position, finding in self._judge.household_findings(rows, is_block=is_block):
                index = members[position]
                row = verdicts.get(index)
                if not isinstance(row, AcceptedRow):
                    whole = {name: column[index].value for name, column in columns.items()}
                    row = verdicts[index] = AcceptedRow(table.row(index), whole)
                    values[index] = whole
                self._judge.warn(row, finding, [table.numbers[member] for member in members])

    def _with_values_elsewhere(self, table: Table, by_name: dict[str, list[Entry]]) -> set[int]:
        """Rows whose id or phone may be taken from another column (``rows``)."""
        found: set[int] = set()
        ids, phones = by_name.get("id_no"), by_name.get("phone")
        if ids is not None and "disability_certificate_no" in table.columns:
            found.update(index for index, entry in enumerate(ids) if entry.value.kind in _INCOMPLETE)
        if ids is not None and "head_id_no" in table.columns:
            found.update(
                index
                for index, (own, head) in enumerate(zip(ids, by_name["head_id_no"], strict=True))
                if own.value.kind in _INCOMPLETE or own.value.text == head.value.text
            )
        if phones is not None and "head_phone" in table.columns:
            found.update(index for index, entry in enumerate(phones) if entry.value.kind == "missing")
        return found

    def _trace(self, table: Table, kept: list[int], columns: list[list[Entry]], result: Sealed) -> None:
        """Fingerprints of the rows that are kept."""
        trace, tracer = result.trace, self._tracer
        cells: list[Any] = [
            table.filled.get(name) or table.columns.get(name) or repeat("") for name in tracer.columns
        ]
        contents = list(map(SEPARATOR.join, zip(*cells, strict=False)))
        by_name = dict(zip(self._names, columns, strict=True))
        empty = [""] * len(table.numbers)
        told = {
            check.status: table.filled.get(check.status) or table.columns.get(check.status) or empty
            for check in tracer.checks
        }
        tracer.add_all(
            trace,
            table.sheet_name,
            [table.numbers[index] for index in kept],
            [contents[index] for index in kept],
            {name: [entry.value for entry in by_name[name]] for name in tracer.value_columns},
            {name: [cells[index] for index in kept] for name, cells in told.items()},
        )

    def _lines(self, table: Table, kept: list[int], columns: list[list[Entry]]) -> list[str]:
        """Lines of the rows that are accepted; `columns` are theirs."""
        if not kept:
            return []
        protector = self._protector
        numbers = [table.numbers[index] for index in kept]
        blocks: list[Any] = (
            [table.block_nos[index] for index in kept] if table.block_nos else [NULL] * len(kept)
        )
        records = [self._record_ids.of(table.sheet_name, number) for number in numbers]
        record_bytes = [record.encode() for record in records]
        begin = f"\t{self._delivery.delivery_id}\t{copy_text(table.sheet_name)}\t"
        fields = [
            [
                f"{record}{begin}{number}\t{block}"
                for record, number, block in zip(records, numbers, blocks, strict=True)
            ]
        ]
        for reader, column in zip(self._readers, columns, strict=True):
            if reader.column.is_encrypted:
                fields.append(self._with_ciphertexts(reader.column, column, record_bytes))
            else:
                fields.append([entry.clear for entry in column])
        by_name = dict(zip(self._names, columns, strict=True))
        members = [
            [entry.json for entry in by_name[name]]
            if name not in table.filled
            else self._delivered(table, name, kept)
            for name in table.headers
        ]
        rows = [
            ("{" + ", ".join(filter(None, row)) + "}").encode("utf-8", "replace")
            for row in zip(*members, strict=True)
        ]
        fields.append(protector.encrypt_all(rows, "row", record_bytes))
        return list(map("\t".join, zip(*fields, strict=True)))

    def _delivered(self, table: Table, name: str, kept: list[int]) -> list[str | None]:
        """Members of the rows as delivered, of a column whose gaps were filled down."""
        reader = self._readers[self._names.index(name)]
        entries = reader.entries(table.columns[name], table.headers[name])
        return [entries[index].json for index in kept]

    def _with_ciphertexts(self, column: Column, entries: list[Entry], records: list[bytes]) -> list[str]:
        """The fields of a column whose first one is the ciphertext."""
        plains = [entry.plain for entry in entries]
        there = list(compress(range(len(plains)), [plain is not None for plain in plains]))
        sealed = self._protector.encrypt_all(
            [plain for plain in plains if plain is not None],
            column.name,
            records if len(there) == len(plains) else [records[index] for index in there],
        )
        fields = sealed
        if len(there) < len(plains):
            fields = [NULL] * len(plains)
            for index, ciphertext in zip(there, sealed, strict=True):
                fields[index] = ciphertext
        if not entries[0].clear:
            return fields
        return [f"{field}\t{entry.clear}" for field, entry in zip(fields, entries, strict=True)]


def _block(lines: list[str]) -> bytes:
    """Lines as COPY takes them."""
    return ("\n".join(lines) + "\n").encode("utf-8", "replace") if lines else b""
