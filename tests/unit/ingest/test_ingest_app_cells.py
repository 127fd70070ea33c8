"""Values of another database as cells: exact, local, and never a reason to stop."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.app_cells import as_cell, json_cell

SHANGHAI = ZoneInfo("Asia/Shanghai")
NAIVE = datetime.fromisoformat  # cells of a file have no zone


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        (" 原样 ", " 原样 "),
        (True, "是"),
        (False, "否"),
        (330106194912310025, "330106194912310025"),  # a whole number is exact: no id is lost
        (-7, "-7"),
        (3.5, 3.5),
        (float("inf"), "inf"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), "NaN"),
        (date(1950, 1, 1), date(1950, 1, 1)),
        (datetime(2026, 8, 1, 17, 30, tzinfo=UTC), NAIVE("2026-08-02 01:30")),
        (NAIVE("2026-08-01 17:30"), NAIVE("2026-08-01 17:30")),
        (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC).isoformat()),
        (b"\xde\xad", "\ufffd"),
        (["YL01", None, "JO02"], "YL01;JO02"),
        ({"a": "乙"}, '{"a": "乙"}'),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (timedelta(hours=1), "1:00:00"),
    ],
)
def test_a_value_becomes_the_cell_a_file_would_have(value, cell):
    assert as_cell(value, SHANGHAI) == cell


def test_a_time_without_zone_is_read_in_the_apps_zone():
    assert as_cell(NAIVE("2026-08-01 17:30"), ZoneInfo("UTC")) == NAIVE("2026-08-02 01:30")


@given(st.dates(date(1900, 1, 1), date(2026, 12, 31)))
def test_a_day_kept_as_local_midnight_stays_its_day(day):
    """Also in the years with summer time, and before there was standard time (F39)."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    for zone in (UTC, timezone(timedelta(hours=-8)), SHANGHAI):
        cell = as_cell(midnight.astimezone(zone), SHANGHAI)
        assert isinstance(cell, datetime)
        assert cell.date() == day


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('["YL01", "JO02"]', "YL01;JO02"),
        ("[]", ""),
        ('"文字"', "文字"),
        ("5", "5"),
        ("true", "是"),
        ("null", None),
        ('{"a": 1}', '{"a": 1}'),
        ("[" * 1000 + "]" * 1000, "[" * 1000 + "]" * 1000),
        ("no json", "no json"),
        (r'"a\u0000b"', "a\x00b"),
    ],
)
def test_json(text, cell):
    assert json_cell(text) == cell


@given(st.text())
def test_any_json_text_gives_a_cell(text):
    json_cell(text)
