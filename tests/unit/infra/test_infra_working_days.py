"""The working-day calendar against both packages and against known days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import PermanentError
from infra.working_days import WorkingCalendar


@pytest.fixture(scope="module")
def calendar() -> WorkingCalendar:
    return WorkingCalendar.load()


def test_two_packages_agree_on_every_covered_day(calendar: WorkingCalendar) -> None:
    import chinese_calendar

    day, differing = date(2006, 1, 1), []
    while day <= calendar.coverage_end:
        if calendar.is_working_day(day) != chinese_calendar.is_workday(day):
            differing.append(day)
        day += timedelta(days=1)
    assert differing == []


def test_coverage_reaches_to_the_end_of_an_announced_year(calendar: WorkingCalendar) -> None:
    assert calendar.coverage_end >= date(2026, 12, 31)
    assert (calendar.coverage_end.month, calendar.coverage_end.day) == (12, 31)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 11, 24), True),
        (date(2026, 11, 22), False),
        (date(2026, 2, 14), True),  # Saturday made up for the Spring Festival
        (date(2026, 2, 20), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 10), True),  # Saturday made up for the National Day
    ],
)
def test_known_days(calendar: WorkingCalendar, day: date, works: bool) -> None:
    assert calendar.is_working_day(day) is works


def test_three_working_days_skip_the_start_and_the_national_day(calendar: WorkingCalendar) -> None:
    assert calendar.add_working_days(date(2026, 11, 24), 3) == (date(2026, 11, 27), False)
    assert calendar.add_working_days(date(2026, 9, 30), 3) == (date(2026, 10, 10), False)
    assert calendar.add_working_days(date(2026, 11, 22), 0) == (date(2026, 11, 22), False)


def test_days_past_the_coverage_are_provisional(calendar: WorkingCalendar) -> None:
    day, is_provisional = calendar.add_working_days(calendar.coverage_end, 1)
    assert day > calendar.coverage_end
    assert is_provisional
    assert not calendar.is_working_day(date(calendar.coverage_end.year + 1, 1, 1)), (
        "statutory holiday is known"
    )


@given(st.dates(date(2006, 1, 1), date(2026, 6, 30)), st.integers(1, 60))
def test_adding_counts_exactly_the_working_days_between(
    calendar: WorkingCalendar, start: date, count: int
) -> None:
    end, _ = calendar.add_working_days(start, count)
    between = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(map(calendar.is_working_day, between)) == count
    assert calendar.is_working_day(end)


def test_negative_counts_and_days_before_the_coverage_are_refused(calendar: WorkingCalendar) -> None:
    with pytest.raises(ValueError, match="-1"):
        calendar.add_working_days(date(2026, 11, 24), -1)
    with pytest.raises(PermanentError, match="2006-01-01"):
        calendar.is_working_day(date(2005, 12, 31))
