"""From a value of another database to a cell, as a spreadsheet would hold it: nothing is judged or mended here.

What a cell means is said by ``values``. Not here: reading the database (``app_reading``).
"""

from __future__ import annotations

import json
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from infra.clock import BUSINESS_ZONE
from ingest.readers.sheet import LONGEST_CELL, Cell

# Bytes say nothing readable: the reader notes them as any other lost character.
_BYTES: Final = "\ufffd"


def as_cell(value: Any, zone: tzinfo) -> Cell:
    """The cell of a value.

    Instants become local times of the register (Asia/Shanghai), as files have them; a date stays the day it is. A whole number
    is exact here, unlike in a spreadsheet, and becomes text; a floating-point number stays one, so that an id in it shows as
    damaged. Several values in one cell are joined by ``;``.

    Args:
        value: As the driver gives it.
        zone: What a time without a zone is in.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # not a number, infinity
    if isinstance(value, Decimal):
        return (
            format(value, "f") if value.is_finite() and abs(value.adjusted()) <= LONGEST_CELL else str(value)
        )
    if isinstance(value, datetime):
        return _local(value, zone)
    if isinstance(value, date):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _BYTES
    if isinstance(value, list | tuple | set | frozenset):
        return _joined(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def json_cell(text: str) -> Cell:
    """The cell of a JSON text: a list of values joined, a single value by itself, anything else as it stands."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return _joined(value)
    if isinstance(value, list | dict):
        return text
    return as_cell(value, BUSINESS_ZONE)


def _joined(values: Any) -> str:
    return ";".join(str(as_cell(item, BUSINESS_ZONE)) for item in values if item is not None)


def _local(value: datetime, zone: tzinfo) -> Cell:
    aware = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    try:
        return aware.astimezone(BUSINESS_ZONE).replace(tzinfo=None)
    except OverflowError:
        return value.isoformat()
