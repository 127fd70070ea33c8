"""Dates, times and snapshot dates."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.normalise.dates import date_of_serial, datetime_of_serial, parse_date, parse_datetime
from ingest.readers.sheet import Row
from ingest.snapshot_dates import date_in_file_name, date_in_note, find_snapshot_date

MARCH = date(2024, 3, 1)


@pytest.mark.parametrize(
    "written",
    [
        "2024-03-01", "2024.3.1", "2024/3/1", "20240301", "2024年3月1日", "2024年03月01日", "2024/3/1 0:00:00",
        "2024-03-01T00:00:00", "２０２４．３．１", "二〇二四年三月一日", "2024 3 1", "2024-3-1.", "45352", "20240301.0",
        "2024年 3月 1日",
    ],
)  # fmt: skip
def test_spellings_of_a_day(written):
    assert parse_date(written).value == MARCH


@pytest.mark.parametrize(
    ("written", "value", "precision", "finding"),
    [
        ("2024年3月", MARCH, "month", None),
        ("2024-03", MARCH, "month", None),
        ("202403", MARCH, "month", None),
        ("2024.1", date(2024, 1, 1), "month", "date_month_ambiguous"),
        ("90-3-7", date(1990, 3, 7), "day", "date_two_digit_year_read"),
        ("24.3.1", None, "day", "date_two_digit_year"),
        ("2024.02.30", None, "day", "date_impossible"),
        ("1900-01-01", None, "day", "date_placeholder"),
        ("1900-02-29", None, "day", "date_impossible"),
        ("0001-01-01", None, "day", "date_impossible"),
        ("9999-12-31", None, "day", "date_impossible"),
        ("3/7/1990", None, "day", "date_day_month_unclear"),
        ("25/3/1990", date(1990, 3, 25), "day", None),
        ("农历1950年三月初三", None, "day", "date_lunar"),
        ("长期", None, "day", None),
        ("不详", None, "day", None),
        ("", None, "day", None),
        ("明天", None, "day", "date_unreadable"),
        ("٢٠٢٤-٠٣-٠١", None, "day", "date_unreadable"),
    ],
)
def test_days_months_and_what_is_neither(written, value, precision, finding):
    parsed = parse_date(written)
    assert (parsed.value, parsed.finding) == (value, finding)
    if value:
        assert parsed.precision == precision


@given(st.dates(date(1900, 1, 2), date(2100, 12, 31)))
def test_every_format_of_every_day_is_read(day):
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日"):
        assert parse_date(day.strftime(form)).value == day
    assert parse_date(f"{day.year}年{day.month}月{day.day}日").value == day


@given(st.text())
def test_any_text_is_a_date_or_none(text):
    parsed = parse_date(text)
    assert parsed.value is None or 1880 <= parsed.value.year <= 2100
    value, _ = parse_datetime(text)
    assert value is None or value.tzinfo is UTC


@given(st.floats() | st.integers())
def test_any_number_is_a_date_or_none(number):
    parsed = date_of_serial(number)
    assert parsed.value is None or 1880 <= parsed.value.year <= 2120
    assert datetime_of_serial(number)[0] is None or parsed.value is not None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-07-20 19:31", datetime(2026, 7, 20, 11, 31, tzinfo=UTC)),
        ("2026/7/20 9:05:07", datetime(2026, 7, 20, 1, 5, 7, tzinfo=UTC)),
        ("2026年7月20日 19时31分", datetime(2026, 7, 20, 11, 31, tzinfo=UTC)),
        ("2026-07-20T19:31:00+08:00", datetime(2026, 7, 20, 11, 31, tzinfo=UTC)),
        ("2026-07-20T11:31:00Z", datetime(2026, 7, 20, 11, 31, tzinfo=UTC)),
        ("2026-07-20 下午7:31", datetime(2026, 7, 20, 11, 31, tzinfo=UTC)),
        ("2026-07-20", datetime(2026, 7, 19, 16, 0, tzinfo=UTC)),
        ("2026-07-20 24:00", None),
    ],
)
def test_times_are_local_unless_they_say_otherwise(written, value):
    assert parse_datetime(written)[0] == value


@pytest.mark.parametrize(
    ("file_name", "value"),
    [
        ("名册202607.xlsx", date(2026, 7, 31)),
        ("名册_202607.csv", date(2026, 7, 31)),
        ("名册2026年7月.xlsx", date(2026, 7, 31)),
        ("2026-07名册.xlsx", date(2026, 7, 31)),
        ("名册2026-07-05.xlsx", date(2026, 7, 5)),
        ("名册20260705.xlsx", date(2026, 7, 5)),
        ("名册2026.7.5.xlsx", date(2026, 7, 5)),
        ("名册2026年7月5日.xlsx", date(2026, 7, 5)),
        ("名册2026年第3季度.xlsx", date(2026, 9, 30)),
        ("名册2026年三季度.xlsx", date(2026, 9, 30)),
        ("名册2026Q3.xlsx", date(2026, 9, 30)),
        ("名册2026年2月.xlsx", date(2026, 2, 28)),
        ("走访20260601-20260630.csv", date(2026, 6, 30)),
        ("走访2026-06-01至2026-06-30.csv", date(2026, 6, 30)),
        ("导出_20260705093000.csv", date(2026, 7, 5)),
        ("330102202607010012.csv", None),
        ("名册.xlsx", None),
        ("名册202613.xlsx", None),
    ],
)
def test_dates_in_file_names(file_name, value):
    assert date_in_file_name(file_name) == value


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (("填报单位：某街道", None, "填报日期：2026.7.5"), date(2026, 7, 5)),
        (("填表日期：2026年7月5日",), date(2026, 7, 5)),
        (("单位：元 填表日期:2026-07-05 填表人：王某",), date(2026, 7, 5)),
        (("填报日期：", "2026年7月5日"), date(2026, 7, 5)),
        (("填报日期", None, date(2026, 7, 5)), date(2026, 7, 5)),
        (("数据截止日期：20260705",), date(2026, 7, 5)),
        (("填报日期：2026年7月",), date(2026, 7, 31)),
        (("导出时间：2026-08-30 09:12:00",), date(2026, 8, 30)),
        (("导出时间：2026-7-1 09:12",), date(2026, 7, 1)),
        (("数据截至2026年6月30日",), date(2026, 6, 30)),
        (("填表日期（2026年7月5日）",), date(2026, 7, 5)),
        (("某街道名册（2026年7月）",), None),
        (("填报日期：",), None),
    ],
)
def test_dates_in_note_rows(cells, value):
    assert date_in_note([Row(2, cells)]) == value


@pytest.mark.parametrize(
    ("file_name", "as_of", "value", "source"),
    [
        ("名单202607.csv", date(2026, 11, 24), date(2026, 7, 31), "file_name"),
        ("名单202607.csv", date(2026, 7, 20), date(2026, 7, 20), "file_name"),  # the month is not over
        ("名单202607.csv", date(2026, 6, 30), date(2026, 7, 31), "file_name"),  # waits for July
        (
            "名单202611.csv",
            date(2026, 11, 20),
            date(2026, 11, 20),
            "file_name",
        ),  # nor is the month of arrival
        ("名单2026-07-15.csv", date(2026, 7, 10), date(2026, 7, 15), "file_name"),
        ("名单2026-07-31.csv", date(2026, 7, 20), date(2026, 7, 31), "file_name"),  # a day, not the month
        ("名单20260701-20260731.csv", date(2026, 7, 20), date(2026, 7, 20), "file_name"),
        ("名单202607-202609.csv", date(2026, 8, 20), date(2026, 8, 20), "file_name"),
        ("名单2026年第三季度.csv", date(2026, 8, 20), date(2026, 8, 20), "file_name"),  # as the month does
        ("名单2026Q3.csv", date(2026, 8, 20), date(2026, 8, 20), "file_name"),
        ("名单2026Q3.csv", date(2026, 10, 20), date(2026, 9, 30), "file_name"),
        ("名单2026Q3.csv", date(2026, 6, 30), date(2026, 9, 30), "file_name"),  # waits for its first day
        ("名单2026Q4.csv", None, date(2026, 11, 24), "file_name"),
        (
            "名单202612.csv",
            None,
            date(2026, 11, 24),
            "file_name",
        ),  # nothing speaks of a day after its arrival
        ("名单.csv", date(2026, 7, 20), date(2026, 7, 20), "arrival"),
        ("名单.csv", None, date(2026, 11, 24), "arrival"),
    ],
)
def test_the_snapshot_date_knows_the_business_date(file_name, as_of, value, source):
    found = find_snapshot_date([], file_name, date(2026, 11, 24), as_of)
    assert (found.value, found.source) == (value, source)


@pytest.mark.parametrize(
    ("file_name", "sub_folder", "value"),
    [
        ("名单.csv", "2026-07", date(2026, 7, 31)),
        ("名单.csv", "2026/07", date(2026, 7, 31)),
        ("名单.csv", "2026年/7月/近江社区", date(2026, 7, 31)),
        ("名单.csv", "2026年7月/近江社区", date(2026, 7, 31)),
        ("名单.csv", "2026Q3", date(2026, 9, 30)),
        ("名单202608.csv", "2026-07", date(2026, 8, 31)),  # the file knows better
        ("名单.csv", "近江社区", date(2026, 11, 24)),
    ],
)
def test_a_suppliers_own_folder_dates_a_file_that_does_not(file_name, sub_folder, value):
    assert find_snapshot_date([], file_name, date(2026, 11, 24), None, sub_folder).value == value


def test_a_note_row_may_name_a_quarter():
    assert date_in_note([Row(2, ("填报时间：2026年第三季度",))]) == date(2026, 9, 30)
