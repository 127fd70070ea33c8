"""Of which day a delivery speaks: from a note row, the file name, or its arrival; how it was found is kept.

A day stands for itself, a month for its last day, a quarter for its last day; nothing speaks of a day after its
arrival (a list that says "July" and arrives on the 5th of July is of the 5th).
"""

from __future__ import annotations

import calendar
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from ingest.headers import Header
from ingest.normalise.dates import parse_date
from ingest.normalise.texts import fold, without_spaces
from ingest.readers.sheet import Cell, Row, Sheet

_LABEL: Final = re.compile(
    r"(?:填报|填表|制表|报送|上报|数据|截止|截至|统计|更新|导出|打印)(?:日期|时间|时点|年月|月份)(?:为)?[:：(]?"
    r"|(?:截止|截至)(?:到|至)?[:：]?(?=\d{4})"
)
# A clock behind the date would run into its day once the spaces are gone: 2026-7-1 09:12.
_CLOCK: Final = re.compile(r"(?a)(?<=[\d日])[ T]+(?=\d{1,2}[:：时点])")
_DATE_TEXT: Final = re.compile(
    r"(?a)(?:\d{4}|[二][〇○零一二三四五六七八九]{3})\s*[-/.年]\s*(?:\d{1,2}|[一二三四五六七八九十]{1,3})\s*"
    r"(?:[-/.月]\s*(?:[0-3]?\d|[一二三四五六七八九十]{1,3})\s*日?|月)?|\d{8}|\d{6}"
)
_NAME_DAY: Final = re.compile(
    r"(?a)(?<!\d)(20\d{2})[-_.年/]?(0?[1-9]|1[0-2])[-_.月/]?(0[1-9]|[12]\d|3[01]|(?<=\D)[1-9])日?(?!\d)"
)
_NAME_MOMENT: Final = re.compile(
    r"(?a)(?<!\d)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?!\d)"
)
_NAME_MONTH: Final = re.compile(r"(?a)(?<!\d)(20\d{2})(?:[-_.年/](0?[1-9]|1[0-2])月?|(0[1-9]|1[0-2]))(?!\d)")
_NAME_QUARTER: Final = re.compile(
    r"(?a)(?<!\d)(20\d{2})年?[-_第]?(?:([1-4一二三四])季度?|Q([1-4]))", re.IGNORECASE
)
_CHINESE_QUARTERS: Final = "一二三四"
_FOOTER_ROWS: Final = 6
_TO: Final = re.compile(r"\s*[-~—–至到_]{1,2}\s*")


@dataclass(frozen=True)
class SnapshotDate:
    """The day a delivery speaks of, and where that was found: ``note_row``, ``file_name`` or ``arrival``."""

    value: date
    source: str


def find_snapshot_date(
    tables: Sequence[tuple[Sheet, Header]], file_name: str, arrival: date, as_of: date | None = None
) -> SnapshotDate:
    """The snapshot date of a delivery, in the order of preference of deliveries.md.

    Args:
        tables: The tables of the delivery with their headers.
        file_name: Name of the file as it arrived.
        arrival: Day of arrival.
        as_of: Business date of the refresh. A file of the month (quarter) it lies in, or an undated one, speaks of the
            days up to it; one that names a later day stays of that day and waits for a refresh as of then.
    """
    for sheet, header in tables:
        above, below = (
            sheet.rows[: header.first],
            sheet.rows[max(header.last + 1, len(sheet.rows) - _FOOTER_ROWS) :],
        )
        found = date_in_note(above) or date_in_note(below)
        if found:
            return SnapshotDate(_not_after(found, arrival, as_of), "note_row")
    found = date_in_file_name(file_name)
    if found:
        return SnapshotDate(_not_after(found, arrival, as_of), "file_name")
    return SnapshotDate(min(arrival, as_of or arrival), "arrival")


def _not_after(found: date, arrival: date, as_of: date | None) -> date:
    names_a_period = found == _month_end(found.year, found.month)
    if as_of is not None and names_a_period and found.replace(day=1) <= as_of:
        return min(found, arrival, as_of)
    return min(found, arrival)


def date_in_note(rows: Sequence[Row]) -> date | None:
    """The date behind a label such as 填报日期, in its cell or in the next filled one."""
    for row in rows:
        filled = [cell for cell in row.cells if cell is not None and cell != ""]
        for index, cell in enumerate(filled):
            if not isinstance(cell, str):
                continue
            note = without_spaces(_CLOCK.sub("；", fold(cell)))
            label = _LABEL.search(note)
            if not label:
                continue
            rest = note[label.end() :]
            found = (
                _read_date(rest)
                if rest
                else _date_of_cell(filled[index + 1] if index + 1 < len(filled) else None)
            )
            if found:
                return found
    return None


def date_in_file_name(file_name: str) -> date | None:
    """A day, a month (its last day) or a quarter (its last day) in a file name; of a range its end."""
    name = fold(file_name)
    for pattern in (_NAME_DAY, _NAME_MOMENT):
        if found := _last_of_range(pattern, name):
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:
                pass
    if found := _NAME_QUARTER.search(name):
        quarter = found[3] or found[2]
        number = _CHINESE_QUARTERS.index(quarter) + 1 if quarter in _CHINESE_QUARTERS else int(quarter)
        return _month_end(int(found[1]), number * 3)
    if found := _last_of_range(_NAME_MONTH, name):
        return _month_end(int(found[1]), int(found[2] or found[3]))
    return None


def _last_of_range(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    """The first match, or the end of the range it begins (20260601-20260630)."""
    matches = list(pattern.finditer(name))
    for found, following in itertools.pairwise(matches):
        if not _TO.fullmatch(name[found.end() : following.start()]):
            return found
    return matches[-1] if matches else None


def _date_of_cell(cell: Cell) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    return _read_date(without_spaces(fold(cell))) if isinstance(cell, str) else None


def _read_date(text: str) -> date | None:
    found = _DATE_TEXT.match(text)
    if not found:
        return None
    parsed = parse_date(found[0])
    if parsed.value is None or not 2000 <= parsed.value.year <= 2100:
        return None
    return _month_end(parsed.value.year, parsed.value.month) if parsed.precision == "month" else parsed.value


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])
