"""Small numbers that could point at a family are not shown, nor can they be worked out from what is shown.

One column of a table at a time. Not here: which tables there are (`report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Inside government a count of one to four people or families is not shown (reliability.md 1g and section 5).
SMALLEST_CELL: Final = 5


@dataclass(frozen=True)
class ProtectedColumn:
    """A column as it may be shown: None is a hidden number."""

    cells: tuple[int | None, ...]
    total: int | None


def protect_column(cells: Sequence[int]) -> ProtectedColumn:
    """Hide the small cells of a column, and as many more as it takes that nobody can subtract them from the total.

    Zero is shown. One hidden cell would be the total minus the rest, and two whose sum is known to be 2 would both be
    1; so the smallest visible cells join the hidden ones until there are at least two of them that add up to at
    least twice the smallest cell shown. Where there are not enough, the total is hidden too.
    """
    hidden = {position for position, cell in enumerate(cells) if 0 < cell < SMALLEST_CELL}
    if not hidden:
        return ProtectedColumn(tuple(cells), sum(cells))
    spare = sorted(
        (position for position, cell in enumerate(cells) if cell >= SMALLEST_CELL), key=lambda p: cells[p]
    )
    while not _is_safe(cells, hidden) and spare:
        hidden.add(spare.pop(0))
    return ProtectedColumn(
        tuple(None if position in hidden else cell for position, cell in enumerate(cells)),
        sum(cells) if _is_safe(cells, hidden) else None,
    )


def protect_count(count: int) -> int | None:
    """A single number outside any table."""
    return None if 0 < count < SMALLEST_CELL else count


def _is_safe(cells: Sequence[int], hidden: set[int]) -> bool:
    return len(hidden) >= 2 and sum(cells[position] for position in hidden) >= 2 * SMALLEST_CELL
