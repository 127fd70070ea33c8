"""Old Office containers (OLE): the .xls of before 2007 and WPS's .et, and what else comes in one.

The records of the workbook stream ([MS-XLS] 2.1.4) are walked once before the parser sees them: for a password, for
macros, for cells that lie too far apart, and for error cells, which calamine gives as empty cells.

Formulas without a value (B17): unlike xlsx, the format cannot say that a formula was never calculated; its record always
holds a value, and libraries that do not calculate write an empty text (xlwt) or 0 (POI). So it is told where it can be: in
a workbook that no office program has saved (these write a summary of the document into the container) and in which no
formula has another value, they count as not calculated, as in xlsx. Where an office program had the file in its hands, all
of its formulas at 0 are noted and believed.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field, replace
from typing import Final

from ingest.readers.package import FORMULA_WITHOUT_VALUE, MAX_COLUMNS, MAX_RECTANGLE, damaged
from ingest.readers.passwords import open_encrypted
from ingest.readers.sheet import Content, UnreadableFile
from ingest.readers.workbook import (
    open_calamine,
    read_calamine_sheet,
    read_workbook,
    with_titles,
    worksheet_names,
)

OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SUMMARY: Final = "\x05SummaryInformation"
_BOF, _EOF, _FILEPASS = 0x0809, 0x000A, 0x002F
_FORMULA, _BOOLERR, _ROW = 0x0006, 0x0205, 0x0208
# Records that begin with row, column and format and hold one cell: RK, NUMBER, LABEL, LABELSST, BOOLERR, FORMULA, RSTRING.
_CELLS: Final = frozenset({0x027E, 0x0203, 0x0204, 0x00FD, 0x0205, 0x0006, 0x00D6})
_MANY_NUMBERS: Final = 0x00BD  # MULRK: row, first column, …, last column
_WORKSHEET: Final = 0x0010
_ERRORS: Final = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip


@dataclass
class _Substream:
    """What the records of one sheet say."""

    rows: int = 0
    columns: int = 0
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    empty_texts: set[tuple[int, int]] = field(default_factory=set)  # formulas whose value is one
    zeros: set[tuple[int, int]] = field(
        default_factory=set
    )  # formulas at 0 that are to be calculated on opening
    has_calculated: bool = False  # there are formulas with any other value
    has_hidden: bool = False


def read_ole(content: bytes, password: str | None) -> Content:
    """Read the workbook in an OLE container, opening it with the password when it has one.

    Raises:
        UnreadableFile: `needs_password`, `wrong_password`, `active_content`, `not_a_workbook`, `damaged_workbook` …
    """
    streams = _streams(content)
    if streams is None:
        raise damaged()
    names = set(streams)
    if {"EncryptedPackage", "EncryptionInfo"} & names:
        opened = open_encrypted(content, password)
        if not opened.startswith(b"PK\x03\x04"):
            raise damaged()
        return read_workbook(opened)
    book = streams.get("Workbook") or streams.get("Book")
    if book is None:
        raise UnreadableFile(
            "not_a_workbook",
            "文件是旧版 Word 等其他 Office 文档，不是表格。请报送原始的 xlsx、xls 或 csv 表格。",
        )
    if any("VBA" in name.upper() or "MACROS" in name.upper() or name.startswith("MBD") for name in names):
        raise UnreadableFile(
            "active_content", "工作簿含宏或嵌入对象。请另存为不含宏的 xlsx（只留数值）后重新报送。"
        )
    if _has_password(book):
        opened = open_encrypted(content, password)
        opened_streams = _streams(opened) or {}
        book = opened_streams.get("Workbook") or opened_streams.get("Book") or b""
        content = opened
    return _read_xls(content, book, is_by_office=_SUMMARY in names)


def _read_xls(content: bytes, book: bytes, *, is_by_office: bool) -> Content:
    substreams = _walk(book)
    if any(part.rows * part.columns > MAX_RECTANGLE or part.columns > MAX_COLUMNS for part in substreams):
        raise UnreadableFile(
            "cells_too_far",
            "工作表在很远的位置有孤立的单元格，旧版 .xls 无法安全读取。请删去表格以外的内容，另存为 xlsx 后重新报送。",
        )
    is_calculated = any(part.has_calculated for part in substreams)
    doubt = "公式的结果全部是 0，可能没有计算过，请核对" if not is_calculated and is_by_office else None
    if not is_calculated and not is_by_office:
        for part in substreams:
            part.errors.update(dict.fromkeys(part.empty_texts | part.zeros, FORMULA_WITHOUT_VALUE))
    workbook = open_calamine(content)
    names = worksheet_names(workbook)
    sheets = []
    for position, name in enumerate(names):
        part = substreams[position] if len(substreams) == len(names) else _Substream()
        sheet = read_calamine_sheet(workbook, name, part.errors)
        notes = ["有隐藏的行，已照常读取"] if part.has_hidden else []
        if doubt and part.zeros:
            notes.append(doubt)
        sheets.append(replace(sheet, notes=tuple(notes)))
    return Content(with_titles(sheets, workbook), {"格式": "xls"})


def _streams(content: bytes) -> dict[str, bytes] | None:
    """Streams of the root storage that matter, and the names of all; None when the container is broken."""
    import olefile

    found: dict[str, bytes] = {}
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            for entry in container.listdir(streams=True, storages=True):
                found["/".join(entry)] = b""
            for name in ("Workbook", "Book"):
                if name in found:
                    found[name] = container.openstream(name).read()
    except (
        OSError,
        ValueError,
        IndexError,
        TypeError,
        KeyError,
        struct.error,
        AttributeError,
        RecursionError,
    ):
        return None  # a directory may also lead back to itself
    return found


def _has_password(book: bytes) -> bool:
    return any(kind == _FILEPASS for kind, _ in _records(book, most=64))


def _records(book: bytes, most: int | None = None) -> list[tuple[int, memoryview]]:
    """Records of a workbook stream, as (type, body); stops where they end or break off."""
    view = memoryview(book)
    records: list[tuple[int, memoryview]] = []
    place, end = 0, len(book)
    while place + 4 <= end and (most is None or len(records) < most):
        kind, length = struct.unpack_from("<HH", view, place)
        records.append((kind, view[place + 4 : place + 4 + length]))
        place += 4 + length
    return records


def _walk(book: bytes) -> list[_Substream]:
    """What the sheets' records say, in order of the stream; sheets of charts and macros left out."""
    parts: list[_Substream] = []
    open_parts: list[_Substream] = []  # charts stand inside the sheets they lie on
    part = _Substream()
    for kind, body in _records(book):
        if kind == _BOF:
            open_parts.append(part)
            part = _Substream()
            if len(body) >= 4 and struct.unpack_from("<H", body, 2)[0] == _WORKSHEET:
                parts.append(part)
        elif kind == _EOF and open_parts:
            part = open_parts.pop()
        elif kind in _CELLS and len(body) >= 6:
            row, column = struct.unpack_from("<HH", body)
            part.rows, part.columns = max(part.rows, row + 1), max(part.columns, column + 1)
            error = _error(kind, body)
            if error:
                part.errors[row + 1, column] = error
            elif kind == _FORMULA:
                _note_formula(part, (row + 1, column), body)
        elif kind == _MANY_NUMBERS and len(body) >= 6:
            row = struct.unpack_from("<H", body)[0]
            part.rows = max(part.rows, row + 1)
            part.columns = max(part.columns, struct.unpack_from("<H", body, len(body) - 2)[0] + 1)
        elif kind == _ROW and len(body) >= 16 and body[12] & 0x20:
            part.has_hidden = True
    return parts


def _note_formula(part: _Substream, place: tuple[int, int], body: memoryview) -> None:
    value, flags = bytes(body[6:14]), bytes(body[14:15])
    if value[6:] == b"\xff\xff" and value[0] == 3:
        part.empty_texts.add(place)
    elif value == bytes(8) and flags and flags[0] & 0x02:
        part.zeros.add(place)
    else:
        part.has_calculated = True


def _error(kind: int, body: memoryview) -> str | None:
    if kind == _BOOLERR and len(body) >= 8 and body[7]:
        return _ERRORS.get(body[6], "#VALUE!")
    if kind == _FORMULA and len(body) >= 14 and body[6] == 2 and body[12:14] == b"\xff\xff":
        return _ERRORS.get(body[8], "#VALUE!")
    return None
