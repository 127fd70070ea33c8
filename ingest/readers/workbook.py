"""Workbooks: xlsx, opened only after a look into the zip, never trusting what it says about its own size.

What is refused, each with its own sentence: other formats under the name, passwords, macros and links, zip bombs,
DTDs, damage (reliability.md B03 to B11). Values are the cached ones; formulas are never run.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.sheet import Cell, Content, Row, Sheet, UnreadableFile, is_blank

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

MAX_UNPACKED_BYTES: Final = 300_000_000
MAX_RATIO: Final = 200
MAX_MEMBERS: Final = 2_000
MAX_COLUMNS: Final = 256
# calamine lays a sheet out as a full rectangle: one stray cell at XFD1048576 would take all memory (D14).
_MAX_RECTANGLE: Final = 6_000_000

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ACTIVE_PARTS: Final = re.compile(
    r"vbaProject|/externalLinks/|/embeddings/|/activeX/|xl/connections\.xml|/macrosheets/|/dialogsheets/",
    re.IGNORECASE,
)
_CELL: Final = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=\"([A-Z]{1,3})(\d{1,7})\"[^>]*?(/?)>")
_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def read_workbook(content: bytes) -> Content:
    """Read all sheets of an xlsx file.

    Raises:
        UnreadableFile: With the reason for the supplier.
    """
    from python_calamine import SheetVisibleEnum

    if content.startswith(_OLE):
        raise _refuse_ole(content)
    if not content.startswith(b"PK\x03\x04"):
        raise UnreadableFile(
            "not_a_workbook",
            "文件名是 Excel 工作簿，内容却不是。请用 Excel 或 WPS 打开后另存为 xlsx 重新报送。",
        )
    far_sheets = _inspect_zip(content)
    workbook = _open(content)
    metadata = workbook.sheets_metadata
    visible = {meta.name: meta.visible == SheetVisibleEnum.Visible for meta in metadata}
    worksheets = [meta.name for meta in metadata if "WorkSheet" in str(meta.typ)]
    if not worksheets:
        raise UnreadableFile("no_sheet", "工作簿里没有数据表。请把清单放在第一张工作表后重新报送。")
    streamed = _StreamedWorkbook(content) if far_sheets else None
    sheets = []
    titles: set[str] = set()
    for position, name in enumerate(worksheets, start=1):
        # The sheet's name is stored and shown; an id in it is not.
        title = with_numbers_hidden(name)
        title = f"{title}（{position}）" if title in titles else title
        titles.add(title)
        if streamed is not None and name in streamed.far(far_sheets):
            sheet = streamed.read(name, is_hidden=not visible[name])
        else:
            sheet = _read_sheet(workbook, name, is_hidden=not visible[name])
        sheets.append(replace(sheet, name=title if len(metadata) > 1 else "", title=title))
    return Content(sheets, {"格式": "xlsx"})


def _refuse_ole(content: bytes) -> UnreadableFile:
    """Old Office container: an encrypted workbook, or the .xls of before 2007."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            names = {"/".join(entry) for entry in container.listdir()}
    except (OSError, ValueError, IndexError, TypeError):
        names = set()
    if any("Encrypt" in name or name == "DataSpaces" for name in names):
        return UnreadableFile(
            "password_protected", "工作簿设有打开密码。请取消密码后重新报送；不要另行发送密码。"
        )
    return UnreadableFile(
        "old_workbook_format",
        "文件是旧版 Excel（.xls）或其他 Office 文档。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
    )


def _inspect_zip(content: bytes) -> set[str]:
    """Check the zip before any parser sees it; return the sheet parts whose cells lie too far apart."""
    far: set[str] = set()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(members) > MAX_MEMBERS or len(set(names)) < len(names):
                raise _damaged()
            if any(name.startswith("/") or ".." in name.split("/") for name in names):
                raise _damaged()
            if any(member.flag_bits & 0x1 for member in members):
                raise UnreadableFile("password_protected", "压缩包设有密码。请取消密码后重新报送。")
            if any(_ACTIVE_PARTS.search(f"/{name}") for name in names):
                raise UnreadableFile(
                    "active_content",
                    "工作簿含宏、外部链接或嵌入对象。请另存为不含宏的 xlsx（只留数值）后重新报送。",
                )
            if "xl/workbook.xml" not in names:
                if "xl/workbook.bin" in names:
                    raise UnreadableFile(
                        "old_workbook_format", "文件是 xlsb 格式。请另存为 xlsx 后重新报送。"
                    )
                raise UnreadableFile(
                    "not_a_workbook", "文件是压缩包，不是 Excel 工作簿。请另存为 xlsx 后重新报送。"
                )
            declared = sum(member.file_size for member in members)
            if declared > MAX_UNPACKED_BYTES or declared > MAX_RATIO * max(len(content), 10_000):
                raise _bomb()
            for member in members:
                if not member.filename.endswith((".xml", ".rels")):
                    continue
                with archive.open(member) as part:
                    data = part.read(member.file_size + 1)  # never more than was declared
                if len(data) > member.file_size:
                    raise _bomb()
                if _DOCTYPE.search(data):
                    raise UnreadableFile(
                        "dtd_not_allowed",
                        "工作簿含文档类型定义，可能被改动过。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
                    )
                if member.filename.startswith("xl/worksheets/") and _is_far(data):
                    far.add(member.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError):
        raise _damaged() from None
    return far


def _is_far(sheet_xml: bytes) -> bool:
    rows, columns = 0, 0
    for letters, number, empty in _CELL.findall(sheet_xml):
        if not empty:
            rows, columns = max(rows, int(number)), max(columns, _column_number(letters))
    return rows * columns > _MAX_RECTANGLE or columns > MAX_COLUMNS


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _open(content: bytes) -> CalamineWorkbook:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(content))
    except PasswordError:
        raise UnreadableFile("password_protected", "工作簿设有打开密码。请取消密码后重新报送。") from None
    except (CalamineError, OSError, ValueError):
        raise _damaged() from None
    except BaseException as error:
        # A panic of the Rust parser derives from BaseException and has no importable class.
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged() from None


def _read_sheet(workbook: CalamineWorkbook, name: str, *, is_hidden: bool) -> Sheet:
    from python_calamine import CalamineError

    try:
        sheet = workbook.get_sheet_by_name(name)  # parses the head of its part
        raw_rows = sheet.to_python(skip_empty_area=False)
        merges = sheet.merged_cell_ranges or []
    except (CalamineError, ValueError):
        raise _damaged() from None
    rows = []
    for number, raw in enumerate(raw_rows, start=1):
        cells = tuple(_cell(value) for value in raw)
        if not is_blank(cells):
            rows.append(Row(number, cells))
    vertical = tuple(
        (first[1], first[0] + 1, last[0] + 1)
        for first, last in merges
        if first[1] == last[1] and last[0] > first[0]
    )
    return Sheet(name, rows, is_hidden=is_hidden, vertical_merges=vertical)


class _StreamedWorkbook:
    """The same workbook read row by row with openpyxl, for sheets with a cell far out; slower, but flat in memory."""

    def __init__(self, content: bytes) -> None:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            self._book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        except (InvalidFileException, KeyError, ValueError, OSError):
            raise _damaged() from None

    def far(self, parts: set[str]) -> set[str]:
        """Names of the sheets stored in these parts of the zip."""
        return {
            sheet.title
            for sheet in self._book.worksheets
            if getattr(sheet, "_worksheet_path", "").lstrip("/") in parts
        }

    def read(self, name: str, *, is_hidden: bool) -> Sheet:
        """One sheet, its first 256 columns."""
        sheet = self._book[name]
        sheet.reset_dimensions()
        rows, cut = [], False
        try:
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                cut = cut or any(value is not None for value in values[MAX_COLUMNS:])
                cells = tuple(_cell(value) for value in values[:MAX_COLUMNS])
                if not is_blank(cells):
                    rows.append(Row(number, cells))
        except (SyntaxError, KeyError, ValueError):  # the XML parser's errors are SyntaxErrors
            raise _damaged() from None
        notes = (f"第 {MAX_COLUMNS} 列以后有孤立的单元格，已略过",) if cut else ()
        return Sheet(name, rows, is_hidden=is_hidden, notes=notes)


def _cell(value: object) -> Cell:
    if value is None or value == "":
        return None
    if isinstance(value, bool | str | datetime | date | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, time | timedelta):
        return str(value)
    return str(value)


def _damaged() -> UnreadableFile:
    return UnreadableFile(
        "damaged_workbook",
        "工作簿已损坏或不完整，打不开。请用 Excel 或 WPS 打开检查，另存为 xlsx 后重新报送。",
    )


def _bomb() -> UnreadableFile:
    return UnreadableFile(
        "too_large_unpacked", "工作簿解开后大得异常。请删去多余的格式和空白行列，另存为 xlsx 后重新报送。"
    )
