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
from ingest.readers.delimited import StreamedRows
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
    """The day a delivery speaks of, and where that was found: ``note_row``, ``file_name``, ``watermark`` or ``arrival``."""

    value: date
    source: str


@dataclass(frozen=True)
class _Period:
    """What a name or note says: a day (first and last are the same), a month, a quarter, a range of days or months."""

    first: date
    last: date


def find_snapshot_date(
    tables: Sequence[tuple[Sheet, Header]],
    file_name: str,
    arrival: date,
    as_of: date | None = None,
    sub_folder: str = "",
) -> SnapshotDate:
    """The snapshot date of a delivery, in the order of preference of deliveries.md.

    Args:
        tables: The tables of the delivery with their headers.
        file_name: Name of the file as it arrived.
        arrival: Day of arrival.
        as_of: Business date of the refresh. A file of the month or quarter it lies in, or an undated one, speaks of the
            days up to it; one that names a later day or period stays of that and waits for a refresh as of then.
        sub_folder: The supplier's own folders below the list folder (``2026/07``); asked when the name says nothing.
    """
    for sheet, header in tables:
        found = _period_in_note(sheet.rows[: header.first]) or _period_in_note(_last_rows(sheet, header))
        # A day to come is a slip of the pen where the file name knows better.
        if found and (found.first <= arrival or not _says_a_past_period(file_name, sub_folder, arrival)):
            return SnapshotDate(_not_after(found, arrival, as_of), "note_row")
    found = _period_in_name(file_name) or _period_in_name(sub_folder.replace("年/", "年"))
    if found:
        return SnapshotDate(_not_after(found, arrival, as_of), "file_name")
    return SnapshotDate(min(arrival, as_of or arrival), "arrival")


def _says_a_past_period(file_name: str, sub_folder: str, arrival: date) -> bool:
    found = _period_in_name(file_name) or _period_in_name(sub_folder.replace("年/", "年"))
    return found is not None and found.first <= arrival


def _last_rows(sheet: Sheet, header: Header) -> Sequence[Row]:
    """The last rows below the header."""
    if isinstance(sheet.rows, StreamedRows):  # a large file: never all above its header
        return sheet.rows.last(_FOOTER_ROWS)
    return sheet.rows[max(header.last + 1, len(sheet.rows) - _FOOTER_ROWS) :]


def _not_after(found: _Period, arrival: date, as_of: date | None) -> date:
    if as_of is not None and found.first <= as_of:
        return min(found.last, arrival, as_of)
    return min(found.last, arrival)


def date_in_note(rows: Sequence[Row]) -> date | None:
    """The date behind a label such as 填报日期, in its cell or in the next filled one; of a period its last day."""
    found = _period_in_note(rows)
    return found.last if found else None


def date_in_file_name(file_name: str) -> date | None:
    """A day, a month (its last day) or a quarter (its last day) in a file name; of a range its end."""
    found = _period_in_name(file_name)
    return found.last if found else None


def _period_in_note(rows: Sequence[Row]) -> _Period | None:
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
                _read_period(rest)
                if rest
                else _period_of_cell(filled[index + 1] if index + 1 < len(filled) else None)
            )
            if found:
                return found
    return None


def _period_in_name(name: str) -> _Period | None:
    folded = fold(name)
    for pattern in (_NAME_DAY, _NAME_MOMENT):
        if found := _range(pattern, folded):
            try:
                first, last = (date(int(end[1]), int(end[2]), int(end[3])) for end in found)
            except ValueError:
                continue
            return _Period(min(first, last), last)
    if quarter := _NAME_QUARTER.search(folded):
        return _quarter(quarter)
    if found := _range(_NAME_MONTH, folded):
        begins, ends = (_months(int(end[1]), int(end[2] or end[3]), 1) for end in found)
        return _Period(min(begins.first, ends.first), ends.last)
    return None


def _range(pattern: re.Pattern[str], name: str) -> tuple[re.Match[str], re.Match[str]] | None:
    """The first match and the end of the range it begins (20260601-20260630); twice the same when it begins none."""
    matches = list(pattern.finditer(name))
    for found, following in itertools.pairwise(matches):
        if not _TO.fullmatch(name[found.end() : following.start()]):
            return matches[0], found
    return (matches[0], matches[-1]) if matches else None


def _period_of_cell(cell: Cell) -> _Period | None:
    if isinstance(cell, datetime):
        return _day(cell.date())
    if isinstance(cell, date):
        return _day(cell)
    return _read_period(without_spaces(fold(cell))) if isinstance(cell, str) else None


def _read_period(text: str) -> _Period | None:
    if quarter := _NAME_QUARTER.match(text):
        return _quarter(quarter)
    found = _DATE_TEXT.match(text)
    if not found:
        return None
    parsed = parse_date(found[0])
    if parsed.value is None or not 2000 <= parsed.value.year <= 2100:
        return None
    if parsed.precision == "month":
        return _months(parsed.value.year, parsed.value.month, 1)
    return _day(parsed.value)


def _day(value: date) -> _Period:
    return _Period(value, value)


def _quarter(found: re.Match[str]) -> _Period:
    quarter = found[3] or found[2]
    number = _CHINESE_QUARTERS.index(quarter) + 1 if quarter in _CHINESE_QUARTERS else int(quarter)
    return _months(int(found[1]), number * 3 - 2, 3)


def _months(year: int, month: int, count: int) -> _Period:
    last = month + count - 1
    return _Period(date(year, month, 1), date(year, last, calendar.monthrange(year, last)[1]))
