"""Workbooks as bytes that depend on their cells only (no clock in the properties or the archive).

Belongs here: the L2 layout (merged title, notes, header, rows, footer). Not here: what the cells say (`lists`).
"""

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time

from tests.synthetic.lists import Cell


def workbook_bytes(
    titles: Sequence[str],
    notes: Sequence[Sequence[Cell]],
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    footers: Sequence[Sequence[Cell]],
    *,
    written_on: date,
) -> bytes:
    """One sheet: titles (merged over all columns), note rows, header, data rows, footer rows."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for line, title in enumerate(titles, start=1):
        sheet.append([title])
        sheet.merge_cells(start_row=line, start_column=1, end_row=line, end_column=len(header))
        sheet.cell(line, 1).alignment = Alignment(horizontal="center")
        sheet.cell(line, 1).font = Font(bold=True, size=16)
    for row in (*notes, header, *rows, *footers):
        sheet.append(list(row))
    for cells in sheet.iter_rows():
        for cell in cells:
            if isinstance(cell.value, float):
                cell.number_format = "0"
    return freeze_workbook(book, written_on)


def freeze_workbook(book: object, written_on: date) -> bytes:
    """Saves an openpyxl workbook with fixed times everywhere."""
    raw = io.BytesIO()
    book.save(raw)  # type: ignore[attr-defined]
    stamp = datetime.combine(written_on.replace(day=5), time(9))
    frozen = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(frozen, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(
                    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", f"{stamp:%Y-%m-%dT%H:%M:%SZ}".encode(), content
                )
            target.writestr(zipfile.ZipInfo(name, stamp.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return frozen.getvalue()
