"""Areas of GB/T 2260, past and present, as ``infra/reference/admin_division.csv`` lists them.

Here: what Python asks about an area code or a region's name. SQL reads the same rows as ``reference.admin_division``.
Not here: streets and communities, which have no stable national list (``domain.md`` 2.2).
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Final

ADMIN_DIVISION_FILE: Final = Path(__file__).with_name("reference") / "admin_division.csv"


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with ADMIN_DIVISION_FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def known_area_codes() -> frozenset[str]:
    """Every six-digit code that ever stood; an id keeps the code of its first registration (GB 11643)."""
    return frozenset(row["code"] for row in _rows())


@cache
def names_of(level: str, *, only_current: bool = False) -> frozenset[str]:
    """Full names that ever stood, or stand now, on a level: ``province``, ``city`` or ``county``."""
    return frozenset(
        row["name"] for row in _rows() if row["level"] == level and not (only_current and row["valid_to"])
    )
