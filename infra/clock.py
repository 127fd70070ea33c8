"""Where the time comes from. Stations take dates as arguments; only their callers ask the clock.

Instants are aware and in UTC; a business date is a calendar day in Asia/Shanghai.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from infra.errors import PermanentError

BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|(\d{2})(\d{2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日)"
)


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def business_today(now: datetime | None = None) -> date:
    """The calendar day in Asia/Shanghai at an aware instant (default: now)."""
    return (now or utc_now()).astimezone(BUSINESS_ZONE).date()


def parse_date(text: str) -> date:
    """Read a date somebody typed as an argument.

    ``2026-11-24``, ``20261124``, ``2026/11/24`` and ``2026年11月24日`` are understood. Dates inside deliveries are ingest's business and are read there.

    Raises:
        PermanentError: It is none of these, or no such day.
    """
    if match := _DATE.fullmatch(text.strip()):
        year, month, day = (int(part) for part in match.groups() if part is not None)
        try:
            return date(year, month, day)
        except ValueError:
            pass  # a day such as 2026-02-30 gets the same message as no date at all
    raise PermanentError(
        "读取日期参数",
        came=f"“{text[:20]}”",
        expected="真实存在的日期，例如 2026-11-24",
        next_step="改正日期后重试",
    )
