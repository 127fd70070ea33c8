"""The clock of a list: every day in exactly one period, due days on working days, status by business date."""

import dataclasses
import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.working_days import WorkingCalendar
from ingest.arrivals import Arrival, dues_of
from ingest.contract import load_contracts
from ingest.periods import RHYTHMS, Period, due_date, period_of, periods_between

CALENDAR = WorkingCalendar.load()
DAYS = st.dates(date(2006, 6, 1), date(2027, 12, 31))
RHYTHM = st.sampled_from(sorted(RHYTHMS))


@given(RHYTHM, DAYS)
def test_every_day_belongs_to_exactly_one_period(rhythm, day):
    period = period_of(rhythm, day)
    assert period.start <= day <= period.end
    assert period_of(rhythm, period.start) == period_of(rhythm, period.end) == period
    assert period_of(rhythm, period.end + timedelta(days=1)).start == period.end + timedelta(days=1)
    assert period_of(rhythm, period.start - timedelta(days=1)).end == period.start - timedelta(days=1)


@given(RHYTHM, DAYS, st.integers(0, 800))
def test_periods_follow_one_another_without_gap(rhythm, first, count):
    last = first + timedelta(days=count)
    periods = list(periods_between(rhythm, first, last))
    assert periods[0].start <= first
    assert periods[-1].start <= last <= periods[-1].end
    assert all(b.start - a.end == timedelta(days=1) for a, b in itertools.pairwise(periods))
    assert list(periods_between(rhythm, last + timedelta(days=1), first)) == []


@pytest.mark.parametrize(
    ("rhythm", "day", "period"),
    [
        ("daily", date(2026, 7, 5), Period(date(2026, 7, 5), date(2026, 7, 5))),
        ("monthly", date(2024, 2, 29), Period(date(2024, 2, 1), date(2024, 2, 29))),
        ("quarterly", date(2026, 12, 31), Period(date(2026, 10, 1), date(2026, 12, 31))),
        ("half_yearly", date(2026, 7, 1), Period(date(2026, 7, 1), date(2026, 12, 31))),
        ("per_term", date(2026, 8, 31), Period(date(2026, 3, 1), date(2026, 8, 31))),
        ("per_term", date(2027, 1, 15), Period(date(2026, 9, 1), date(2027, 2, 28))),
    ],
)
def test_periods_of_the_calendar(rhythm, day, period):
    assert period_of(rhythm, day) == period


@pytest.mark.parametrize(
    ("due_day", "unit", "is_after", "expected"),
    [
        (10, "day", False, date(2026, 10, 10)),
        (None, "day", False, date(2026, 10, 31)),
        # National Day 2026: 1 to 7 October off, 10 October (Saturday) is a make-up working day.
        (1, "working_day", False, date(2026, 10, 8)),
        (3, "working_day", False, date(2026, 10, 10)),
        (10, "day", True, date(2026, 11, 10)),
        (1, "working_day", True, date(2026, 11, 2)),
        (None, "working_day", False, date(2026, 11, 2)),  # 31 October is a Saturday
    ],
)
def test_due_dates_in_a_month_with_holidays(due_day, unit, is_after, expected):
    october = period_of("monthly", date(2026, 10, 5))
    assert due_date(october, due_day, unit, CALENDAR, is_after=is_after) == (expected, False)


@given(RHYTHM, DAYS, st.integers(1, 25), st.booleans())
def test_a_due_day_counted_in_working_days_is_one(rhythm, day, due_day, is_after):
    period = period_of(rhythm, day)
    due, is_provisional = due_date(period, due_day, "working_day", CALENDAR, is_after=is_after)
    assert CALENDAR.is_working_day(due)
    assert due >= (period.end if is_after else period.start)
    first = period.end + timedelta(days=1) if is_after else period.start
    passed = sum(CALENDAR.is_working_day(first + timedelta(days=n)) for n in range((due - first).days + 1))
    assert passed == due_day
    assert is_provisional == (due > CALENDAR.coverage_end)


def contract(**changes):
    base = {"rhythm": "monthly", "due_day": 10, "due_unit": "day", "expected_from": None}
    return dataclasses.replace(load_contracts()["low_income"], **base | changes)


def told(rows):
    return [(f"{row.period_start:%m-%d}", row.status, row.days_late) for row in rows]


def test_the_clock_starts_with_the_first_delivery():
    july = Arrival(7, date(2026, 7, 5), date(2026, 7, 8))
    assert dues_of(contract(), [], date(2026, 9, 1), CALENDAR) == []
    assert told(dues_of(contract(), [july], date(2026, 7, 8), CALENDAR)) == [("07-01", "on_time", 0)]
    assert told(dues_of(contract(), [july], date(2026, 9, 10), CALENDAR)) == [
        ("07-01", "on_time", 0),
        ("08-01", "missing", 31),
        ("09-01", "pending", 0),
    ]
    # What was due before anybody could deliver is not asked for, even when it comes along.
    old = [Arrival(8, date(2026, month, 5), date(2026, 11, 24)) for month in (7, 8, 9)]
    assert told(dues_of(contract(), old, date(2026, 12, 1), CALENDAR)) == [("12-01", "pending", 0)]
    assert dues_of(contract(), [july], date(2026, 7, 7), CALENDAR) == []


def test_a_late_delivery_stays_late_and_a_correction_does_not_make_it_later():
    arrivals = [
        Arrival(1, date(2026, 7, 5), date(2026, 7, 8)),
        Arrival(3, date(2026, 8, 5), date(2026, 8, 25)),
        Arrival(2, date(2026, 8, 5), date(2026, 8, 13)),
    ]
    rows = dues_of(contract(), arrivals, date(2026, 8, 31), CALENDAR)
    assert told(rows) == [("07-01", "on_time", 0), ("08-01", "late", 3)]
    assert rows[1].first_delivery_id == 2


def test_a_configured_start_asks_for_a_list_that_never_came():
    listed = contract(expected_from=date(2026, 8, 1))
    assert told(dues_of(listed, [], date(2026, 9, 11), CALENDAR)) == [
        ("08-01", "missing", 32),
        ("09-01", "missing", 1),
    ]


def test_a_daily_delivery_brings_what_happened_since_the_last():
    daily = contract(rhythm="daily", due_day=None, due_unit="working_day")
    arrivals = [
        Arrival(1, date(2026, 7, 3), date(2026, 7, 3)),  # a Friday
        Arrival(2, date(2026, 7, 7), date(2026, 7, 7)),
    ]
    assert told(dues_of(daily, arrivals, date(2026, 7, 9), CALENDAR)) == [
        ("07-03", "on_time", 0),
        ("07-04", "late", 1),  # Saturday and Sunday are due on Monday
        ("07-05", "late", 1),
        ("07-06", "late", 1),
        ("07-07", "on_time", 0),
        ("07-08", "missing", 1),
        ("07-09", "pending", 0),
    ]


def test_what_is_due_after_its_period_is_asked_for_from_the_first_delivery_on():
    listed = contract(rhythm="half_yearly", due_day=10, is_due_after_period=True)
    first = Arrival(1, date(2026, 6, 30), date(2026, 7, 9))
    assert told(dues_of(listed, [first], date(2027, 1, 12), CALENDAR)) == [
        ("01-01", "on_time", 0),
        ("07-01", "missing", 2),
        ("01-01", "pending", 0),
    ]


@given(
    RHYTHM,
    st.lists(st.tuples(DAYS, st.integers(0, 40)), max_size=6),
    DAYS,
    st.sampled_from(["day", "working_day"]),
)
def test_rows_are_a_row_of_periods_up_to_the_business_date(rhythm, deliveries, as_of, unit):
    if rhythm == "daily":
        deliveries = [(date(2026, 7, 1) + timedelta(days=day.day), wait) for day, wait in deliveries]
        as_of = date(2026, 9, 1) + timedelta(days=as_of.day)
    arrivals = [
        Arrival(number, snapshot, snapshot + timedelta(days=wait))
        for number, (snapshot, wait) in enumerate(deliveries, start=1)
        if snapshot + timedelta(days=wait) <= as_of
    ]
    rows = dues_of(contract(rhythm=rhythm, due_unit=unit, due_day=None), arrivals, as_of, CALENDAR)
    assert all(row.period_start <= as_of for row in rows)
    assert all(b.period_start - a.period_end == timedelta(days=1) for a, b in itertools.pairwise(rows))
    for row in rows:
        assert (row.status in ("on_time", "late")) == (row.first_delivery_id is not None)
        assert (row.days_late > 0) == (row.status in ("late", "missing"))
        assert (row.status == "pending") == (row.first_delivery_id is None and row.due_date >= as_of)
