"""Cross-checks that need more than rows: total rows of a sheet, and other lists once the rows are stored.

Amounts are compared in memory and never told. Not here: checks of rows and households (``cross_checks``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, text

from ingest.contract import Column, Contract, load_contracts
from ingest.cross_checks import NotInList, TotalRow
from ingest.layout import SourceRow
from ingest.messages import message, parts
from ingest.normalise.texts import fold, without_spaces
from ingest.partitions import standing_partitions
from ingest.values import CellReader

_GRAND_TOTAL: Final = re.compile(r"(本表|全表|街道|全街道)?(合计|总计|共计)[:：]?")


class SheetTotals:
    """Adds up what total rows of the sheets must say; its rows are seen once, in order.

    Args:
        contract: Whose checks of sheets are run.
        reader: Reads the cells.
    """

    def __init__(self, contract: Contract, reader: CellReader) -> None:
        self._contract = contract
        self._reader = reader
        self._checks = [
            (check, column)
            for check in contract.checks.of_sheet
            if isinstance(check, TotalRow) and (column := contract.column(check.column)) is not None
        ]
        self._sums: list[dict[str, _Sum]] = [{} for _ in self._checks]
        # Of a sheet's last total row the amount counts, 小计 are passed over.
        self._stated: list[dict[str, Decimal]] = [{} for _ in self._checks]

    def add(self, source: SourceRow) -> None:
        """One row, also one that is quarantined."""
        for (_, column), sums, stated in zip(self._checks, self._sums, self._stated, strict=True):
            if source.fault != "total_row":
                sums.setdefault(source.sheet_name, _Sum()).add(source, column, self._reader)
            elif _is_grand_total(source):
                alone = _Sum()
                alone.add(source, column, self._reader)
                if alone.amount:
                    stated[source.sheet_name] = alone.amount

    def notes(self) -> Iterator[str]:
        """A note a sheet whose amounts do not add up to its total row; the amounts are not told."""
        for (check, column), sums, stated in zip(self._checks, self._sums, self._stated, strict=True):
            for sheet, total in stated.items():
                found = sums.get(sheet, _Sum()).amount
                if found not in (None, total):
                    problem, remedy = self._contract.checks.wordings.get(check.rule) or parts(check.rule)
                    place = f"（工作表“{sheet}”）" if sheet else ""
                    yield f"“{column.header}”{place}：{problem}。{remedy}。"


class _Sum:
    """Sum of a column, a household's amount once; `amount` is None when one of the amounts cannot be read."""

    def __init__(self) -> None:
        self.amount: Decimal | None = Decimal(0)
        self._counted: set[int] = set()

    def add(self, row: SourceRow, column: Column, reader: CellReader) -> None:
        if self.amount is None:
            return
        is_shared = column.is_household and row.block_no is not None
        if is_shared and row.block_no in self._counted:
            return
        try:
            amount = _amount(row, column, reader)
        except InvalidOperation:
            self.amount = None
            return
        if amount is not None:
            self.amount += amount
            if is_shared and row.block_no is not None:
                self._counted.add(row.block_no)


def after_load(connection: Connection, contract: Contract, delivery_id: int) -> int:
    """Warn about rows of a stored delivery that contradict the rows of other lists that stand now.

    What waits does not stand: neither a held delivery nor a community that a delivery does not speak for, whose earlier
    rows count instead. Runs in the transaction that stored the rows; the ledger's count of warnings is brought up to date.

    Returns:
        How many more warnings the delivery has than before.
    """
    checks = [check for check in contract.checks.of_store if isinstance(check, NotInList)]
    if not checks:
        return 0
    # Whoever else looks at this delivery waits here.
    connection.execute(
        text("select from ops.delivery where delivery_id = :id for update"), {"id": delivery_id}
    )
    removed = connection.execute(
        text("delete from ops.row_warning where delivery_id = :id and rule = any(:rules)"),
        {"id": delivery_id, "rules": [check.rule for check in checks]},
    ).rowcount
    added = sum(_warn_of_other_list(connection, contract, check, delivery_id) for check in checks)
    if added != removed:
        connection.execute(
            text(
                "update ops.delivery set warning_count = warning_count + :more where delivery_id = :delivery_id"
            ),
            {"more": added - removed, "delivery_id": delivery_id},
        )
    return added - removed


def after_decision(connection: Connection, list_code: str, delivery_id: int) -> None:
    """Look again once a person has decided what of a list stands: at the delivery, and at the lists that are held against it.

    Runs in the transaction of the decision. A delivery that is taken in changes what stands too, but the lists before it
    were told what was so when they came; it is compared with them itself.
    """
    contracts = load_contracts()
    due = [(list_code, delivery_id)]
    for other in contracts.values():
        if any(
            isinstance(check, NotInList) and check.other_list == list_code for check in other.checks.of_store
        ):
            standing = standing_partitions(connection, other, date.max)
            due.extend((other.list_code, partition.delivery_id) for partition in standing.values())
    for code, number in sorted(set(due), key=itemgetter(1)):
        after_load(connection, contracts[code], number)


def _warn_of_other_list(
    connection: Connection, contract: Contract, check: NotInList, delivery_id: int
) -> int:
    column = contract.column(check.id)
    other = load_contracts()[check.other_list]
    standing = list(standing_partitions(connection, other, date.max).values())
    mine = f"and mine.{check.flag} is not false" if check.flag else ""
    theirs = f"and theirs.{check.other_flag} is not false" if check.other_flag else ""
    community = "theirs.community_name" if other.column("community_name") is not None else "null::text"
    # The names come from contracts of ours, whose names are identifiers.
    return connection.execute(
        text(
            "insert into ops.row_warning (delivery_id, record_id, sheet_name, row_number, rule, column_name, message) "
            "select mine.delivery_id, mine.record_id, mine.sheet_name, mine.row_number, :rule, :column_name, :message "
            f"from raw.{contract.list_code} as mine "
            f"where mine.delivery_id = :delivery_id and mine.{check.id}_kind = 'valid' {mine} and exists ("
            f"select from raw.{check.other_list} as theirs "
            "inner join unnest(cast(:deliveries as bigint[]), cast(:communities as text[])) "
            "as standing (delivery_id, community_name) on theirs.delivery_id = standing.delivery_id "
            f"and coalesce({community}, '') = coalesce(standing.community_name, '') "
            f"where theirs.{check.id}_token = mine.{check.id}_token and theirs.{check.id}_kind = 'valid' {theirs}) "
            "order by mine.sheet_name, mine.row_number"
        ),
        {
            "delivery_id": delivery_id,
            "rule": check.rule,
            "column_name": check.id,
            "message": message(
                check.rule,
                column.header if column else None,
                wording=contract.checks.wordings.get(check.rule),
            ),
            "deliveries": [partition.delivery_id for partition in standing],
            "communities": [partition.community_name for partition in standing],
        },
    ).rowcount


def _is_grand_total(row: SourceRow) -> bool:
    leading = [cell for cell in row.delivered.values() if isinstance(cell, str) and cell.strip()][:3]
    return any(_GRAND_TOTAL.fullmatch(without_spaces(fold(cell))) for cell in leading)


def _amount(row: SourceRow, column: Column, reader: CellReader) -> Decimal | None:
    """The amount of a row, None when it has none.

    Raises:
        InvalidOperation: The cell holds no amount that can be read.
    """
    cell = row.cells.get(column.name)
    value = None if cell is None else reader.read(column, cell)[0]
    return None if value is None else Decimal(str(value))
