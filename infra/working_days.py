"""Working days of mainland China, with the State Council's make-up days (调休), and how far they are known.

Deadlines stated in rules are seeds of dbt; here is only the calendar they are counted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from infra.errors import PermanentError

if TYPE_CHECKING:
    from holidays import HolidayBase

# From here on both packages have every make-up day and agree on every day.
_COVERAGE_START: Final = date(2006, 1, 1)


@dataclass(frozen=True)
class WorkingCalendar:
    """The calendar as far as two independent packages both know it.

    The State Council announces a year's make-up days in the November before. Past ``coverage_end`` only weekends
    and statutory holidays are known, and every answer there is provisional (``domain.md`` 2.5).

    Attributes:
        coverage_end: Last day for which both packages have the announced schedule.
    """

    coverage_end: date
    _holidays: HolidayBase

    @classmethod
    def load(cls) -> WorkingCalendar:
        """Read both packages; about 0.2 s the first time, because of their imports."""
        import chinese_calendar.constants
        import holidays

        last_year = max(day.year for day in chinese_calendar.constants.workdays)
        known = holidays.country_holidays("CN", years=range(_COVERAGE_START.year, last_year + 1))
        # `holidays` makes up a year it has no schedule for; a schedule shows by its weekend working days.
        while not any(day.year == last_year for day in known.weekend_workdays):
            last_year -= 1
        return cls(coverage_end=date(last_year, 12, 31), _holidays=known)

    def is_working_day(self, day: date) -> bool:
        """Whether people work on this day; provisional after ``coverage_end``.

        Raises:
            PermanentError: The day is before 2006.
        """
        if day < _COVERAGE_START:
            raise PermanentError(
                "判断工作日", came=f"{day:%Y-%m-%d}", expected=f"{_COVERAGE_START:%Y-%m-%d} 或以后的日期"
            )
        return bool(self._holidays.is_working_day(day))

    def add_working_days(self, start: date, count: int) -> tuple[date, bool]:
        """The day on which ``count`` working days after ``start`` have passed.

        Args:
            start: The day of the event; it does not count itself.
            count: Not negative; 0 gives ``start``.

        Returns:
            The day, and whether it is provisional because it lies after ``coverage_end``.
        """
        if count < 0:
            raise ValueError(f"count of working days must not be negative, got {count}")
        day = start
        while count:
            day += timedelta(days=1)
            count -= self.is_working_day(day)
        return day, day > self.coverage_end
