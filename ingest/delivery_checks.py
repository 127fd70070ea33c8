"""Cross-checks that need more than rows: total rows of a sheet, and other lists once the rows are stored.

Amounts are compared in memory and never told. Not here: checks of rows and households (``cross_checks``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from sqlalchemy import Connection, text

from ingest.contract import Column, Contract
from ingest.cross_checks import NotInList, TotalRow
from ingest.layout import SourceRow
from ingest.messages import message, parts
from ingest.normalise.texts import fold, without_spaces
from ingest.values import CellReader

_GRAND_TOTAL: Final = re.compile(r"(本表|全表|街道|全街道)?(合计|总计|共计)[:：]?")


def total_notes(
    contract: Contract, data: Sequence[SourceRow], totals: Sequence[SourceRow], reader: CellReader
) -> Iterator[str]:
    """A note a sheet whose amounts do not add up to its total row.

    Args:
        contract: Whose checks of sheets are run.
        data: Data rows, also those that were quarantined.
        totals: Total rows; of a sheet's last one the amount counts, 小计 are passed over.
        reader: Reads the cells.
    """
    for check in contract.checks.of_sheet:
        column = contract.column(check.column) if isinstance(check, TotalRow) else None
        if column is None:
            continue
        stated = {
            row.sheet_name: total
            for row in totals
            if _is_grand_total(row) and (total := _sum([row], column, reader))
        }
        for sheet, total in stated.items():
            rows = [row for row in data if row.sheet_name == sheet]
            if _sum(rows, column, reader) not in (None, total):
                problem, remedy = contract.checks.wordings.get(check.rule) or parts(check.rule)
                place = f"（工作表“{sheet}”）" if sheet else ""
                yield f"“{column.header}”{place}：{problem}。{remedy}。"


def after_load(connection: Connection, contract: Contract, delivery_id: int) -> int:
    """Warn about rows of a stored delivery that contradict the current rows of other lists.

    Runs in the transaction that stored the rows; the ledger's count of warnings is brought up to date.

    Returns:
        Number of warnings added.
    """
    added = 0
    for check in contract.checks.of_store:
        if isinstance(check, NotInList):
            added += _warn_of_other_list(connection, contract, check, delivery_id)
    if added:
        connection.execute(
            text(
                "update ops.delivery set warning_count = warning_count + :added where delivery_id = :delivery_id"
            ),
            {"added": added, "delivery_id": delivery_id},
        )
    return added


def _warn_of_other_list(
    connection: Connection, contract: Contract, check: NotInList, delivery_id: int
) -> int:
    column = contract.column(check.id)
    mine = f"and mine.{check.flag} is not false" if check.flag else ""
    theirs = f"and theirs.{check.other_flag} is not false" if check.other_flag else ""
    # The names come from contracts of ours, whose names are identifiers.
    return connection.execute(
        text(
            "insert into ops.row_warning (delivery_id, record_id, sheet_name, row_number, rule, column_name, message) "
            "select mine.delivery_id, mine.record_id, mine.sheet_name, mine.row_number, :rule, :column_name, :message "
            f"from raw.{contract.list_code} as mine "
            f"where mine.delivery_id = :delivery_id and mine.{check.id}_kind = 'valid' {mine} and exists ("
            f"select from raw.{check.other_list} as theirs where theirs.{check.id}_token = mine.{check.id}_token "
            f"and theirs.{check.id}_kind = 'valid' {theirs} and theirs.delivery_id = ("
            "select delivery_id from ops.delivery where list_code = :other_list and status = 'loaded' "
            "order by snapshot_date desc, received_at desc, delivery_id desc limit 1)) "
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
            "other_list": check.other_list,
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


def _sum(rows: Sequence[SourceRow], column: Column, reader: CellReader) -> Decimal | None:
    """Sum of a column, a household's amount once; None when one of the amounts cannot be read."""
    total, counted = Decimal(0), set()
    for row in rows:
        is_shared = column.is_household and row.block_no is not None
        if is_shared and row.block_no in counted:
            continue
        try:
            amount = _amount(row, column, reader)
        except InvalidOperation:
            return None
        if amount is not None:
            total += amount
            if is_shared:
                counted.add(row.block_no)
    return total
