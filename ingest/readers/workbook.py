"""Workbooks: xlsx, opened only after a look into the zip (``package``); the sheets of xls are read by the same hand.

Values are the cached ones; formulas are never run. Nothing about lists is said here.
"""

from __future__ import annotations

import gc
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.package import MAX_COLUMNS, SheetPart, damaged, inspect_package
from ingest.readers.passwords import needs_password
from ingest.readers.sheet import Cell, Content, Row, Sheet, UnreadableFile, is_blank

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook


# What calamine gives that is a cell as it stands; an empty cell is an empty text.
_PLAIN: Final = frozenset({str, bool, date, datetime})


def read_workbook(content: bytes) -> Content:
    """Read all sheets of an xlsx file.

    Raises:
        UnreadableFile: With the reason for the supplier.
    """
    package = inspect_package(content)
    workbook = open_calamine(content)
    parts = _sheet_parts(content)
    facts = {name: package.sheets[part] for name, part in parts.items() if part in package.sheets}
    far = {name for name, part in facts.items() if part.is_far}
    streamed = _StreamedWorkbook(content) if far else None
    sheets = []
    for name in worksheet_names(workbook):
        part = facts.get(name, SheetPart())
        if streamed is not None and name in far:
            sheet = streamed.read(name, part.patches)
        else:
            sheet = read_calamine_sheet(workbook, name, part.patches)
        notes = (*sheet.notes, *(("有隐藏的行或列，已照常读取",) if part.has_hidden else ()))
        sheets.append(replace(sheet, notes=notes))
    if package.extras:
        extras = f"工作簿里的{'、'.join(package.extras)}没有读取"
        sheets[0] = replace(sheets[0], notes=(*sheets[0].notes, extras))
    return Content(with_titles(sheets, workbook), {"格式": "xlsx"})


def open_calamine(content: bytes) -> CalamineWorkbook:
    """The workbook as calamine opens it.

    Raises:
        UnreadableFile: It is damaged or has a password.
    """
    from python_calamine import CalamineWorkbook

    with _calamine_errors():
        return CalamineWorkbook.from_filelike(io.BytesIO(content))


@contextmanager
def _calamine_errors() -> Iterator[None]:
    """Turn what the Rust parser raises on broken files into refusals."""
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError:
        raise needs_password() from None
    except (CalamineError, OSError, ValueError):
        raise damaged() from None
    except BaseException as error:
        # A panic of the Rust parser derives from BaseException and has no importable class.
        if type(error).__name__ != "PanicException":
            raise
        raise damaged() from None


def worksheet_names(workbook: CalamineWorkbook) -> list[str]:
    """Names of the sheets that hold cells, in order.

    Raises:
        UnreadableFile: There is none.
    """
    names = [meta.name for meta in workbook.sheets_metadata if "WorkSheet" in str(meta.typ)]
    if not names:
        raise UnreadableFile("no_sheet", "工作簿里没有数据表。请把清单放在第一张工作表后重新报送。")
    return names


def with_titles(sheets: list[Sheet], workbook: CalamineWorkbook) -> list[Sheet]:
    """The sheets under the names that are stored and shown, ids hidden in them; with what the workbook hides marked."""
    from python_calamine import SheetVisibleEnum

    metadata = workbook.sheets_metadata
    visible = {meta.name: meta.visible == SheetVisibleEnum.Visible for meta in metadata}
    titled: list[Sheet] = []
    titles: set[str] = set()
    for position, sheet in enumerate(sheets, start=1):
        title = with_numbers_hidden(sheet.name)
        title = f"{title}（{position}）" if title in titles else title
        titles.add(title)
        name = title if len(metadata) > 1 else ""
        titled.append(replace(sheet, name=name, title=title, is_hidden=not visible[sheet.name]))
    return titled


def read_calamine_sheet(
    workbook: CalamineWorkbook, name: str, patches: Mapping[tuple[int, int], str]
) -> Sheet:
    """One sheet of an xlsx or xls workbook.

    Args:
        patches: What stands in cells that calamine gives as empty, by (row number, column position).
    """
    with _calamine_errors():
        sheet = workbook.get_sheet_by_name(name)  # parses the sheet
        raw_rows = sheet.iter_rows()
        merges = sheet.merged_cell_ranges or []
    start = sheet.start[1] if sheet.start else 0
    rows = _rows(raw_rows, (None,) * start, patches)
    vertical = tuple((first[1], first[0] + 1, last[0] + 1) for first, last in merges if last[0] > first[0])
    horizontal = tuple((first[0] + 1, first[1], last[1]) for first, last in merges if last[1] > first[1])
    return Sheet(name, rows, vertical_merges=vertical, horizontal_merges=horizontal)


def _rows(
    raw_rows: Iterable[list[Any]], padding: tuple[Cell, ...], patches: Mapping[tuple[int, int], str]
) -> list[Row]:
    """The rows that are not blank. `padding` stands for the columns left of the first filled one."""
    patched_rows = {number for number, _ in patches}
    rows = []
    # Millions of new objects and not one cycle: the collector would look through all of them again and again.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for number, raw in enumerate(raw_rows, start=1):
            cells = (
                tuple(raw)
                if _PLAIN.issuperset(map(type, raw))
                else tuple([value if type(value) in _PLAIN else as_cell(value) for value in raw])
            )
            if padding:
                cells = padding + cells
            if number in patched_rows:
                cells = _patched(number, cells, patches)
            if not is_blank(cells):
                rows.append(Row(number, cells))
    finally:
        if was_enabled:
            gc.enable()
    return rows


def _patched(
    number: int, cells: tuple[Cell, ...], patches: Mapping[tuple[int, int], str]
) -> tuple[Cell, ...]:
    changed = list(cells)
    for position in range(MAX_COLUMNS):
        text = patches.get((number, position))
        if text is not None:
            changed.extend([None] * (position + 1 - len(changed)))
            changed[position] = text
    return tuple(changed)


def _sheet_parts(content: bytes) -> dict[str, str]:
    """Part of the zip that holds each sheet, by the sheet's name; calamine does not tell."""
    import posixpath

    from defusedxml.ElementTree import fromstring

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            book = fromstring(archive.read("xl/workbook.xml"))
            relations = fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    except (SyntaxError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        raise damaged() from None
    targets = {
        entry.get("Id"): posixpath.normpath(posixpath.join("/xl", entry.get("Target") or "")).lstrip("/")
        for entry in relations
    }
    parts = {}
    for entry in book.iter():
        if entry.tag.rpartition("}")[2] == "sheet":
            number = next((value for key, value in entry.attrib.items() if key.endswith("}id")), None)
            parts[entry.get("name") or ""] = targets.get(number, "")
    return parts


class _StreamedWorkbook:
    """The same workbook read row by row with openpyxl, for sheets with a cell far out; slower, but flat in memory."""

    def __init__(self, content: bytes) -> None:
        import openpyxl

        try:
            self._book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - openpyxl builds its objects of whatever stands there, and fails in any way
            raise damaged() from None

    def read(self, name: str, patches: Mapping[tuple[int, int], str]) -> Sheet:
        """One sheet, its first 256 columns; `patches` as for `read_calamine_sheet`."""
        patched_rows = {number for number, _ in patches}
        sheet = self._book[name]
        sheet.reset_dimensions()
        rows, cut = [], False
        try:
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                cut = cut or any(value is not None for value in values[MAX_COLUMNS:])
                cells = tuple(as_cell(value) for value in values[:MAX_COLUMNS])
                if number in patched_rows:
                    cells = _patched(number, cells, patches)
                if not is_blank(cells):
                    rows.append(Row(number, cells))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - as above
            raise damaged() from None
        notes = (f"第 {MAX_COLUMNS} 列以后有孤立的单元格，已略过",) if cut else ()
        return Sheet(name, rows, notes=notes)


def as_cell(value: object) -> Cell:
    """What a spreadsheet's cell holds: whole numbers that are exact as such, times as text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and -1e15 < value < 1e15 else value
    if value is None or value == "":
        return None
    if isinstance(value, str | date | int):
        return value
    return str(value)
