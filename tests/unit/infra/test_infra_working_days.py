"""The working-day calendar against both packages and against known days; the file that SQL reads as well."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import PermanentError
from infra.reference.make_calendar import render
from infra.working_days import CALENDAR_FILE, WorkingCalendar


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


def test_the_file_is_what_the_installed_packages_say() -> None:
    assert render() == CALENDAR_FILE.read_text(encoding="utf-8"), (
        "run python -m infra.reference.make_calendar"
    )


def test_every_day_is_there_once_with_its_kind_and_a_chinese_name() -> None:
    with CALENDAR_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    days = [date.fromisoformat(row["date"]) for row in rows]
    assert days == [date(2006, 1, 1) + timedelta(days=n) for n in range(len(days))]
    kinds = Counter(row["kind"] for row in rows if row["date"][:4] == "2026")
    # Six weekend days are worked in 2026; the holidays of the year's schedule take 33 days, weekends in them included.
    assert kinds["make_up_working_day"] == 6
    assert kinds["statutory_holiday"] == 33
    assert sum(kinds.values()) == 365
    named = {row["kind"] for row in rows if row["name"]}
    assert named == {"statutory_holiday", "make_up_working_day"}
    assert [row for row in rows if row["name"] and not re.fullmatch(r"[一-龥、0-9]+", row["name"])] == []
    assert {row["name"] for row in rows if row["is_provisional"] == "true"} >= {"元旦", "春节", "国庆节"}


def test_a_year_without_a_schedule_is_provisional_and_has_no_make_up_day() -> None:
    with CALENDAR_FILE.open(encoding="utf-8", newline="") as file:
        provisional = [row for row in csv.DictReader(file) if row["is_provisional"] == "true"]
    assert {row["date"][:4] for row in provisional} == {"2027", "2028"}
    assert Counter(row["kind"] for row in provisional if row["date"][:4] == "2027")["statutory_holiday"] == 19
    assert {row["kind"] for row in provisional} == {"working_day", "weekend", "statutory_holiday"}


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


def test_a_day_after_the_calendar_is_refused_with_what_to_do(calendar: WorkingCalendar) -> None:
    with pytest.raises(PermanentError, match="make_calendar"):
        calendar.is_working_day(date(calendar.coverage_end.year + 3, 1, 1))
