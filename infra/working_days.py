"""Working days of mainland China, with the State Council's make-up days (调休), and how far they are known.

The days are rows of ``infra/reference/calendar.csv``, which SQL reads as ``reference.calendar``; its writer is
``infra.reference.make_calendar``. Deadlines stated in rules are seeds of dbt; here is only the calendar they are
counted on.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from infra.errors import PermanentError

CALENDAR_FILE: Final = Path(__file__).with_name("reference") / "calendar.csv"


@dataclass(frozen=True)
class WorkingCalendar:
    """The calendar as far as two independent packages both know it, and some provisional years.

    The State Council announces a year's make-up days in the November before. Past ``coverage_end`` only weekends
    and statutory holidays are known, and every answer there is provisional (``domain.md`` 2.5).

    Attributes:
        coverage_end: Last day for which both packages have the announced schedule.
    """

    coverage_end: date
    _is_working_day: Mapping[date, bool]

    @classmethod
    def load(cls) -> WorkingCalendar:
        """Read the calendar; about 20 ms."""
        days: dict[date, bool] = {}
        coverage_end = date.min
        with CALENDAR_FILE.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                day = date.fromisoformat(row["date"])
                days[day] = row["is_working_day"] == "true"
                if row["is_provisional"] == "false":
                    coverage_end = day
        return cls(coverage_end, days)

    def is_working_day(self, day: date) -> bool:
        """Whether people work on this day; provisional after ``coverage_end``.

        Raises:
            PermanentError: The day is before 2006, or more than two years after ``coverage_end``.
        """
        try:
            return self._is_working_day[day]
        except KeyError:
            raise PermanentError(
                "判断工作日",
                came=f"{day:%Y-%m-%d}",
                expected=f"{min(self._is_working_day):%Y-%m-%d} 至 {max(self._is_working_day):%Y-%m-%d} 之间的日期",
                next_step="日期没有写错时，按 infra/reference/make_calendar.py 的说明更新工作日历",
            ) from None

    def add_working_days(self, start: date, count: int) -> tuple[date, bool]:
        """The day on which ``count`` working days after ``start`` have passed.

        Args:
            start: The day of the event; it does not count itself.
            count: Not negative; 0 gives ``start``.

        Returns:
            The day, and whether it is provisional because it lies after ``coverage_end``.

        Raises:
            PermanentError: The count leads out of the calendar.
        """
        if count < 0:
            raise ValueError(f"count of working days must not be negative, got {count}")
        day = start
        while count:
            day += timedelta(days=1)
            count -= self.is_working_day(day)
        return day, day > self.coverage_end
