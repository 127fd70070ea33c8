"""What every reader gives: sheets of numbered rows; and the refusal of a file that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

# What one cell may hold. Numbers of a spreadsheet stay numbers, so that an id in a number cell shows as one.
Cell = str | int | float | bool | date | datetime | None

# Longer than any remark somebody typed, and three times what a spreadsheet's cell can hold: such a cell condemns its row.
LONGEST_CELL: Final = 100_000
_WHITE_SPACE = " \t\r\n\u3000\u00a0\ufeff\u200b"


class UnreadableFile(Exception):
    """A file that no reader accepts; becomes a refused delivery.

    Attributes:
        code: Machine name of the reason.
        reason: Chinese sentence for the supplier: what came and what to send instead. Never a cell value.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Row(NamedTuple):
    """One row: its number as a person counts it, header included, and its cells from the first column on."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """One sheet, blank rows left out.

    Attributes:
        name: Name of the sheet; empty for a text file and for a workbook with one sheet.
        title: The sheet's own name, even when it is the only one.
        is_hidden: Hidden in the workbook.
        vertical_merges: Merged ranges of several rows: (first column position, first row number, last).
        notes: What was found besides, for the layout.
        horizontal_merges: Merged ranges of several columns: (row number, first column position, last).
        community: The community whose sheet it is by its name; said by the layout, not by readers.
    """

    name: str
    rows: Sequence[Row]
    title: str = ""
    is_hidden: bool = False
    vertical_merges: tuple[tuple[int, int, int], ...] = ()
    notes: tuple[str, ...] = field(default=())
    horizontal_merges: tuple[tuple[int, int, int], ...] = ()
    community: str | None = None


@dataclass(frozen=True)
class Content:
    """All sheets of one file, and how it was read (encoding, delimiter, format)."""

    sheets: list[Sheet]
    how: dict[str, str]


def is_blank(cells: tuple[Cell, ...]) -> bool:
    """Whether a row holds nothing but white space."""
    for cell in cells:
        if cell is not None and not (isinstance(cell, str) and not cell.strip(_WHITE_SPACE)):
            return False
    return True
