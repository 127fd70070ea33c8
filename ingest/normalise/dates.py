"""Dates and times as clerks write them (domain.md 1.5.2). Only what has one reading becomes a date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ingest.normalise.texts import fold, is_null, without_spaces

LOCAL_ZONE: Final = ZoneInfo("Asia/Shanghai")
_EXCEL_EPOCH: Final = date(1899, 12, 30)
_SERIALS: Final = range(1000, 80000)  # 1902-09-26 to 2119-01-10
_YEARS: Final = range(1880, 2101)
# Placeholders of systems that must have a date (domain.md 1.5, B60).
_PLACEHOLDERS: Final = frozenset({date(1900, 1, 1), date(1899, 12, 30), date(1899, 12, 31)})
_OPEN_ENDED: Final = frozenset({"长期", "长期有效", "永久", "永久有效", "终身", "至今"})

_DIGITS: Final = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_CHINESE: Final = re.compile(r"(?a)[〇○零一二三四五六七八九十]+年")
_CHINESE_NUMBER: Final = re.compile(r"(?a)[〇○零一二三四五六七八九十]+(?=[年月日号])")
_LUNAR: Final = re.compile(r"(?a)农历|阴历|旧历|初[一二三四五六七八九十]|正月|腊月|闰")
_TIME: Final = re.compile(
    r"(?a)[T ]?(?:上午|下午)?\s*(\d{1,2})[:时点](\d{1,2})?(?:[:分](\d{1,2})?(?:\.\d+)?秒?)?\s*"
    r"(AM|PM|Z|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)
_YMD: Final = re.compile(r"(?a)(\d{4})[-/.年_](\d{1,2})[-/.月_](\d{1,2})[日号.]?")
# As nearly all are written. Not with a day 0 behind a point, which a number cell makes of a month.
_PLAIN: Final = re.compile(
    r"(?a)(\d{4})(?:[-/.](\d{1,2})[-/.](\d{2}|[1-9])(?: 0?0:00(?::00)?)?|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))"
)
_YM: Final = re.compile(r"(?a)(\d{4})[-/.年_](\d{1,2})月?[.]?")
_COMPACT: Final = re.compile(r"(?a)(\d{4})(\d{2})(\d{2})")
_COMPACT_MONTH: Final = re.compile(r"(?a)(\d{4})(\d{2})")
_SHORT: Final = re.compile(r"(?a)(\d{2})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_DMY: Final = re.compile(r"(?a)(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_SERIAL: Final = re.compile(r"(?a)\d{4,5}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class ParsedDate:
    """A date, or why there is none.

    Attributes:
        value: The date; None when missing or not usable.
        precision: ``day`` or ``month`` (then the first of the month).
        finding: Rule of the warning, or None.
    """

    value: date | None
    precision: str = "day"
    finding: str | None = None


def parse_date(text: str) -> ParsedDate:
    """Parse the text of a date cell."""
    if found := _PLAIN.fullmatch(text):
        year, month, day, *others = found.groups()
        return _day(int(year), int(month or others[0] or others[2]), int(day or others[1] or others[3]))
    return _parse_written(text)


@lru_cache(maxsize=16384)
def _parse_written(text: str) -> ParsedDate:
    folded = fold(text)
    if is_null(folded) or folded in _OPEN_ENDED:
        return ParsedDate(None)
    if _LUNAR.search(folded):
        return ParsedDate(None, finding="date_lunar")
    compact = _without_time(folded).strip().removesuffix(".0")
    compact = re.sub(r"\s*([-/.年月日])\s*", r"\1", compact)
    if _CHINESE.search(compact):
        compact = _CHINESE_NUMBER.sub(lambda found: _chinese_number(found[0]), compact)
    compact = without_spaces(re.sub(r"(?<=\d)\s(?=\d)", "-", compact))
    if found := (_YMD.fullmatch(compact) or _COMPACT.fullmatch(compact)):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := (_YM.fullmatch(compact) or _COMPACT_MONTH.fullmatch(compact)):
        parsed = _day(int(found[1]), int(found[2]), 1)
        if parsed.finding:
            return parsed
        # A number cell 2024.1 may have been 2024.10.
        ambiguous = "." in compact and len(found[2]) == 1 and found[2] == "1"
        return ParsedDate(parsed.value, "month", "date_month_ambiguous" if ambiguous else None)
    if found := _SHORT.fullmatch(compact):
        year = int(found[1])
        # 00 to 29 may be either century; above that only the last one.
        if year < 30:
            return ParsedDate(None, finding="date_two_digit_year")
        parsed = _day(1900 + year, int(found[2]), int(found[3]))
        return ParsedDate(parsed.value, "day", parsed.finding or "date_two_digit_year_read")
    if found := _DMY.fullmatch(compact):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        if first == second or second > 12:
            return _day(year, first, second)
        if first > 12:
            return _day(year, second, first)
        return ParsedDate(None, finding="date_day_month_unclear")
    if _SERIAL.fullmatch(compact):
        return date_of_serial(float(compact))
    return ParsedDate(None, finding="date_unreadable")


def date_of_serial(serial: float) -> ParsedDate:
    """Date of a spreadsheet serial number of the 1900 system; a compact date in a number cell is one too."""
    if serial != serial or serial in (float("inf"), float("-inf")):
        return ParsedDate(None, finding="date_unreadable")
    if serial == int(serial) and 18800101 <= serial <= 21001231:
        digits = str(int(serial))
        return _day(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    if serial == int(serial) and 188001 <= serial <= 210012:
        parsed = _day(int(serial) // 100, int(serial) % 100, 1)
        return ParsedDate(parsed.value, "month", parsed.finding)
    if int(serial) in _SERIALS and not (1880 <= serial < 2101):
        return _judged(_EXCEL_EPOCH + timedelta(days=int(serial)))
    if 1880 <= serial < 2101 and serial != int(serial):
        # 2024.3 in a number cell: March, unless it was 2024.30; 2024.1 may have been October.
        month = round((serial - int(serial)) * 100)
        month = month // 10 if month % 10 == 0 else month
        if 1 <= month <= 12:
            return ParsedDate(
                date(int(serial), month, 1), "month", "date_month_ambiguous" if month == 1 else None
            )
    return ParsedDate(None, finding="date_unreadable")


@lru_cache(maxsize=65536)
def parse_datetime(text: str) -> tuple[datetime | None, str | None]:
    """Parse the text of a date-and-time cell: time in UTC (or None), and the rule of the warning (or None).

    A time without zone is local (Asia/Shanghai); a date alone is its midnight.
    """
    folded = fold(text)
    parsed = parse_date(folded)
    if parsed.value is None or parsed.precision != "day":
        return None, parsed.finding or ("date_unreadable" if parsed.value else None)
    if re.fullmatch(r"\d+\.\d+", folded):
        moment = _serial_time(float(folded))
        return datetime.combine(parsed.value, moment, LOCAL_ZONE).astimezone(UTC), parsed.finding
    found = _TIME.search(folded)
    if not found:
        return datetime.combine(parsed.value, time(), LOCAL_ZONE).astimezone(UTC), parsed.finding
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    marker = (found[4] or "").upper()
    if (marker == "PM" or "下午" in folded) and hour < 12:
        hour += 12
    if hour > 23 or minute > 59 or second > 59:
        return None, "time_impossible"
    value = datetime.combine(parsed.value, time(hour, minute, second), LOCAL_ZONE)
    if marker == "Z":
        value = value.replace(tzinfo=UTC)
    elif marker[:1] in ("+", "-"):
        hours, minutes = int(marker[1:3]), int(marker[-2:])
        if hours > 14 or minutes > 59:
            return None, "time_impossible"
        shift = timedelta(hours=hours, minutes=minutes) * (1 if marker[0] == "+" else -1)
        value = value.replace(tzinfo=UTC) - shift
    return value.astimezone(UTC), parsed.finding


def datetime_of_serial(serial: float) -> tuple[datetime | None, str | None]:
    """Time of a spreadsheet serial number, as :func:`parse_datetime`."""
    parsed = date_of_serial(serial)
    if parsed.value is None or parsed.precision != "day":
        return None, parsed.finding or "date_unreadable"
    return datetime.combine(parsed.value, _serial_time(serial), LOCAL_ZONE).astimezone(UTC), parsed.finding


def judge_date(value: date) -> ParsedDate:
    """A date that came as a date cell: refused when it is a placeholder or out of all reason."""
    return _judged(value)


def _day(year: int, month: int, day: int) -> ParsedDate:
    try:
        return _judged(date(year, month, day))
    except ValueError:
        return ParsedDate(None, finding="date_impossible")


def _judged(value: date) -> ParsedDate:
    if value in _PLACEHOLDERS:
        return ParsedDate(None, finding="date_placeholder")
    if value.year not in _YEARS:
        return ParsedDate(None, finding="date_impossible")
    return ParsedDate(value)


def _serial_time(serial: float) -> time:
    seconds = round((serial - int(serial)) * 86400) % 86400
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60)


def _without_time(folded: str) -> str:
    found = _TIME.search(folded)
    return folded[: found.start()] if found and found.start() >= 6 else folded


def _chinese_number(text: str) -> str:
    """二〇二〇 → 2020, 十二 → 12, 二十一 → 21."""
    if "十" not in text:
        return text.translate(_DIGITS)
    tens, _, ones = text.partition("十")
    return (tens.translate(_DIGITS) or "1") + (ones.translate(_DIGITS) or "0")
