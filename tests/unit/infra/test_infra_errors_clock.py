"""Errors that tell the reader what to do, and the clock."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clock import business_today, parse_date, utc_now
from infra.errors import PermanentError, TransientError, safe_message


@pytest.mark.parametrize("kind", [PermanentError, TransientError])
def test_error_states_doing_came_expected_and_next_step(kind: type[PermanentError | TransientError]) -> None:
    error = kind("读取端口", came="“abc”", expected="整数", next_step="改正后重试")
    assert str(error) == "读取端口：“abc”。应为：整数。请：改正后重试"
    assert str(kind("读取端口")) == "读取端口"


def test_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(PermanentError("读取端口", came="abc", next_step="改正")))
    assert str(error) == "读取端口：abc。请：改正"
    assert (error.doing, error.came, error.next_step) == ("读取端口", "abc", "改正")


def test_transient_and_permanent_are_told_apart_by_class() -> None:
    assert not issubclass(TransientError, PermanentError)
    assert not issubclass(PermanentError, TransientError)


def test_safe_message_of_a_foreign_error_is_its_type_only() -> None:
    assert safe_message(ValueError("330106199001011234")) == "ValueError"
    assert safe_message(PermanentError("读取", came="错误")) == "读取：错误"


def test_now_is_aware_and_utc() -> None:
    assert utc_now().utcoffset() == datetime.now(UTC).utcoffset()


def test_business_day_changes_at_midnight_in_shanghai() -> None:
    assert business_today(datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 23)
    assert business_today(datetime(2026, 11, 23, 16, 0, tzinfo=UTC)) == date(2026, 11, 24)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_way_to_write_a_day_is_read_back(day: date) -> None:
    assert {
        parse_date(day.isoformat()),
        parse_date(f" {day:%Y%m%d} "),
        parse_date(f"{day.year}/{day.month}/{day.day}"),
        parse_date(f"{day.year}年{day.month}月{day.day}日"),
    } == {day}


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "2026-13-01", "明天", "2026-11", "20261", "2026-11-24T00:00", "2026/11-24"]
)
def test_what_is_no_day_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PermanentError, match="例如 2026-11-24"):
        parse_date(text)
