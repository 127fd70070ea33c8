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
def _rows() -> tuple[tuple[str, str, str], ...]:
    with ADMIN_DIVISION_FILE.open(encoding="utf-8", newline="") as file:
        return tuple((row["code"], row["name"], row["level"]) for row in csv.DictReader(file))


@cache
def known_area_codes() -> frozenset[str]:
    """Every six-digit code that ever stood; an id keeps the code of its first registration (GB 11643)."""
    return frozenset(code for code, _, _ in _rows())


@cache
def names_of(level: str) -> frozenset[str]:
    """Full names that ever stood on a level: ``province``, ``city`` or ``county``."""
    return frozenset(name for _, name, each in _rows() if each == level)
