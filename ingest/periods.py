"""The clock of a list: into which periods its rhythm cuts the calendar, and when each is due.

Pure arithmetic on dates. Which deliveries arrived for a period is `ingest.arrivals`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from infra.working_days import WorkingCalendar

# How often a list comes: the months its periods begin in (deliveries.md, domain.md 1.4). School terms begin in March
# and September. A daily list has a period a day.
RHYTHMS: Final[dict[str, tuple[int, ...]]] = {
    "daily": (),
    "monthly": tuple(range(1, 13)),
    "quarterly": (1, 4, 7, 10),
    "half_yearly": (1, 7),
    "per_term": (3, 9),
}
DUE_UNITS: Final = ("day", "working_day")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Period:
    """One period of a rhythm, both days included."""

    start: date
    end: date


def period_of(rhythm: str, day: date) -> Period:
    """The period a day belongs to; every day belongs to exactly one.

    Args:
        rhythm: A key of ``RHYTHMS``.
        day: Any day.
    """
    if rhythm == "daily":
        return Period(day, day)
    months = RHYTHMS[rhythm]
    # A day before the year's first period belongs to the last one of the year before (January is still autumn term).
    past = [month for month in months if month <= day.month]
    start = date(day.year, past[-1], 1) if past else date(day.year - 1, months[-1], 1)
    later = [month for month in months if month > start.month]
    following = date(start.year, later[0], 1) if later else date(start.year + 1, months[0], 1)
    return Period(start, following - _DAY)


def periods_between(rhythm: str, first: date, last: date) -> Iterator[Period]:
    """The periods that have a day from `first` to `last`, in order; none when `last` is before `first`."""
    day = first
    while day <= last:
        period = period_of(rhythm, day)
        yield period
        day = period.end + _DAY


def due_date(
    period: Period, due_day: int | None, due_unit: str, calendar: WorkingCalendar, *, is_after: bool = False
) -> tuple[date, bool]:
    """By when the list of a period has to be here.

    Args:
        period: The period.
        due_day: Number of the day within the period, from 1; None: its last day.
        due_unit: ``day``, or ``working_day``: only those are counted, and a last day that is none moves to the next
            one.
        calendar: Tells the working days.
        is_after: The due day is counted from the day after the period.

    Returns:
        The day, and whether it is provisional because its year's holidays are not announced yet.
    """
    before = period.end if is_after else period.start - _DAY
    if due_unit == "day":
        return (period.end if due_day is None else before + timedelta(days=due_day)), False
    if due_day is not None:
        return calendar.add_working_days(before, due_day)
    return calendar.add_working_days(period.end - _DAY, 1)
