"""By what the platform's own fill-in template is known when it comes back: its title, and the sheets without data.

The template itself is made in ``template``. A sheet of another workbook that only bears such a name is read as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.normalise.texts import fold

if TYPE_CHECKING:
    from ingest.contract import Contract
    from ingest.readers.sheet import Cell, Sheet

GUIDE_SHEET: Final = "填表说明"
CHOICES_SHEET: Final = "选项"
_TITLE_END: Final = "（填报表）"
_GUIDE_END: Final = "怎样填"


def template_title(contract: Contract) -> str:
    """What stands in the first cell of the sheet to fill in."""
    return f"{contract.title}{_TITLE_END}"


def guide_title(contract: Contract) -> str:
    """What stands in the first cell of the sheet that explains the columns."""
    return f"《{contract.title}》{_GUIDE_END}"


def is_template_title(cell: Cell) -> bool:
    """Whether a first cell says that the sheet is a template's."""
    return isinstance(cell, str) and fold(cell).endswith(fold(_TITLE_END))


def is_own_sheet(sheet: Sheet) -> bool:
    """Whether a sheet is one of the template's own that hold no data: the explanations, the hidden choices."""
    if sheet.title == CHOICES_SHEET:
        return sheet.is_hidden
    if sheet.title != GUIDE_SHEET or not sheet.rows or not sheet.rows[0].cells:
        return False
    first = sheet.rows[0].cells[0]
    return isinstance(first, str) and fold(first).endswith(_GUIDE_END)
