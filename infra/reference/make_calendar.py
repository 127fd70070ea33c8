"""Write ``calendar.csv``: every day since 2006, whether people work on it, and how surely that is known.

    python -m infra.reference.make_calendar

To be run when the State Council has announced the next year's schedule (November) and both packages carry it; a unit
test says when the installed packages know more than the file. Checked with holidays 0.109 and chinesecalendar 1.11.0
(both MIT), which agree on every day of 2006 to 2026 (``domain.md`` 2.5).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from infra.working_days import CALENDAR_FILE

_FIRST_YEAR: Final = 2006
# Years after the announced ones: weekends and statutory days only, so that deadlines can already be counted.
_PROVISIONAL_YEARS: Final = 2
_COLUMNS: Final = ("date", "kind", "name", "is_working_day", "is_provisional", "source", "vintage")
_FULL_NAMES: Final = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节", "农历除夕": "春节"}


def calendar_rows() -> Iterator[tuple[str, ...]]:
    """The rows of the calendar, by date.

    ``statutory_holiday`` is every day of an announced holiday, its weekend days and swapped days off included;
    ``make_up_working_day`` the weekend day on which they are worked off.

    Raises:
        ValueError: The packages disagree about a day.
    """
    import chinese_calendar.constants as announced
    import holidays
    from chinese_calendar import Holiday, is_workday

    chinese_names = {holiday.value: holiday.chinese for holiday in Holiday}
    last_announced = max(day.year for day in announced.workdays)
    years = range(_FIRST_YEAR, last_announced + _PROVISIONAL_YEARS + 1)
    statutory = holidays.country_holidays("CN", years=years, language="zh_CN")
    day, end = date(years[0], 1, 1), date(years[-1], 12, 31)
    while day <= end:
        is_provisional = day.year > last_announced
        if not is_provisional and is_workday(day) != statutory.is_working_day(day):
            raise ValueError(f"holidays and chinesecalendar disagree about {day}")
        if is_provisional:
            kind, name = ("statutory_holiday", statutory[day]) if day in statutory else (_plain_kind(day), "")
        elif day in announced.holidays:
            kind, name = "statutory_holiday", chinese_names[announced.holidays[day]]
        elif day in announced.workdays:
            kind, name = "make_up_working_day", chinese_names[announced.workdays[day]]
        else:
            kind, name = _plain_kind(day), ""
        yield (
            day.isoformat(),
            kind,
            _full_name(name),
            "true" if kind in ("working_day", "make_up_working_day") else "false",
            "true" if is_provisional else "false",
            "holidays" if is_provisional else "holidays+chinesecalendar",
            "推算" if is_provisional else f"{day.year}年安排",
        )
        day += timedelta(days=1)


def render() -> str:
    """The text of the CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(calendar_rows())
    return text.getvalue()


def _plain_kind(day: date) -> str:
    return "weekend" if day.weekday() >= 5 else "working_day"


def _full_name(name: str) -> str:
    parts = [re.sub(r"（.*?）", "", part) for part in name.split("; ")]
    return "、".join(_FULL_NAMES.get(part, part) for part in parts)


if __name__ == "__main__":
    CALENDAR_FILE.write_text(render(), encoding="utf-8")
