"""What HTML tables and XML workbooks share: their text, strictly decoded, and a grid of cells with merges.

Such files carry what they are encoded in inside themselves; that is tried first, strictly, then the fixed order of text
files. Which tags hold cells is said in ``web_table`` and ``xml_workbook``.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Final

from ingest.readers.delimited import decode
from ingest.readers.package import MAX_COLUMNS
from ingest.readers.sheet import Cell, Row, UnreadableFile, is_blank

MAX_MARKUP_BYTES: Final = 60_000_000  # the tree takes ten times as much
MAX_ROW_NUMBER: Final = 1_048_576
_MAX_CELLS: Final = 6_000_000
_DECLARED: Final = re.compile(
    rb"<\?xml[^>]{0,200}\bencoding\s*=\s*[\"']([\w.:-]{1,40})|\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})",
    re.IGNORECASE,
)
_PROLOGUE: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
# GB 18030 holds everything that its forerunners hold.
_GB: Final = frozenset({"gb2312", "gbk", "gb18030", "cp936", "936", "ms936", "x-gbk"})


def decode_markup(content: bytes) -> tuple[str, str]:
    """The text without its XML prologue, and the encoding's name.

    Raises:
        UnreadableFile: Too large, or not decodable.
    """
    if len(content) > MAX_MARKUP_BYTES:
        raise UnreadableFile(
            "file_too_large",
            f"网页或 XML 格式的表格超过 {MAX_MARKUP_BYTES // 1_000_000} MB。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
        )
    text, name = _declared(content) or decode(content)
    return _PROLOGUE.sub("", text.lstrip("\ufeff")), name


def _declared(content: bytes) -> tuple[str, str] | None:
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    found = _DECLARED.search(content[:4000])
    if not found:
        return None
    declared = (found[1] or found[2]).decode("ascii", "replace").lower()
    try:
        codec = codecs.lookup("gb18030" if declared in _GB else declared)
        if codec.name.startswith(("utf-16", "utf-32", "utf-7", "iso8859-1")):
            return None
        return content.decode(codec.name), codec.name.upper()
    except (LookupError, UnicodeDecodeError):
        return None


@dataclass
class Grid:
    """Cells placed one after the other, row by row, around the cells that are merged over several rows."""

    rows: list[Row] = field(default_factory=list)
    vertical_merges: list[tuple[int, int, int]] = field(default_factory=list)
    horizontal_merges: list[tuple[int, int, int]] = field(default_factory=list)
    is_cut: bool = False
    _covered: dict[int, int] = field(default_factory=dict)  # column to the last row that a merge covers
    _cells: dict[int, Cell] = field(default_factory=dict)
    _row: int = 0
    _column: int = 0
    _count: int = 0
    _width: int = 0

    def start_row(self, number: int | None = None) -> None:
        """The next row begins, or the row of that number."""
        self.end_row()
        self._row = self._row + 1 if number is None else number
        if self._row > MAX_ROW_NUMBER:
            raise UnreadableFile("too_many_rows", f"文件超过 {MAX_ROW_NUMBER} 行，请分批报送。")
        self._column = 0

    def skip_rows(self, count: int) -> None:
        """So many rows like the last one follow without cells."""
        self.end_row()
        self._row += count

    def add(self, cell: Cell, *, across: int = 1, down: int = 1, column: int | None = None) -> None:
        """The next free cell of the row, or the one of that column, merged over so many columns and rows."""
        if column is not None:
            self._column = column
        else:
            while self._covered.get(self._column, 0) >= self._row:
                self._column += 1
        if self._column >= MAX_COLUMNS:
            self.is_cut = self.is_cut or cell is not None
            return
        self._count += 1
        if self._count > _MAX_CELLS:
            raise UnreadableFile("too_many_rows", "表格的单元格过多，请分批报送。")
        across = max(1, min(across, MAX_COLUMNS - self._column))
        down = max(1, min(down, MAX_ROW_NUMBER - self._row + 1))
        if cell is not None:
            self._cells[self._column] = cell
        if across > 1:
            self.horizontal_merges.append((self._row, self._column, self._column + across - 1))
        if down > 1:
            self.vertical_merges.append((self._column, self._row, self._row + down - 1))
            for position in range(self._column, self._column + across):
                self._covered[position] = self._row + down - 1
        self._column += across

    def finish(self) -> list[Row]:
        """All rows, equally long: a cell left out at the end of a row is a blank one."""
        self.end_row()
        width = max([self._width, *(len(row.cells) for row in self.rows)])
        return [Row(row.number, row.cells + (None,) * (width - len(row.cells))) for row in self.rows]

    def end_row(self) -> None:
        """Keep the row that was begun; blank rows are left out."""
        self._width = max(self._width, self._column)
        if self._cells:
            width = max(self._cells) + 1
            cells = tuple(self._cells.get(position) for position in range(width))
            if not is_blank(cells):
                self.rows.append(Row(self._row, cells))
        self._cells = {}
