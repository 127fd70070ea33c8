"""Another reader of deliveries, as plain as can be: how many data rows does a file have below its header, and whose?

Belongs here: counting with the standard library, openpyxl and fastexcel; nothing of `ingest` is imported. None where
this reader cannot read the file: then only ours can tell.
"""

import csv
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from xml.etree import ElementTree

SPACES = " \t\r\n\u3000\u00a0\ufeff\u200b"
_HEADERS = {"姓名", "身份证号", "家庭住址", "与户主关系", "家庭编号", "社区", "性别", "联系电话"}
_LEAST_HEADERS = 5
HOUSEHOLD = re.compile(r"WJ\d{6}")
Grid = list[list[str]]


def count_rows(content: bytes) -> int | None:
    """Non-blank rows below the first header, of all sheets that have one, without repeated headers; None: unreadable."""
    rows = _rows(content)
    return None if rows is None else len(rows)


def households(content: bytes) -> Counter[str]:
    """In how many of these rows each household's number stands; nothing when unreadable."""
    return Counter(number for row in _rows(content) or [] for number in {*filter(HOUSEHOLD.fullmatch, row)})


def count_members(content: bytes) -> int | None:
    """Rows of household members on card forms: below `姓名` and `身份证号`, up to a row that begins with text."""
    grids = _grids(content)
    if grids is None:
        return None
    total, is_inside = 0, False
    for grid in grids:
        for row in grid:
            cells = {cell.strip(SPACES) for cell in row}
            if {"姓名", "身份证号"} <= cells:
                is_inside = True
            elif is_inside and row and re.fullmatch(r"\d+(\.0)?", row[0].strip(SPACES)):
                total += any(cell.strip(SPACES) for cell in row[1:3])
            else:
                is_inside = False
    return total


def _rows(content: bytes) -> Grid | None:
    grids = _grids(content)
    found = [rows for grid in grids or [] if (rows := _below_header(grid)) is not None]
    return [row for rows in found for row in rows] if found else None


def _below_header(grid: Grid) -> Grid | None:
    filled = [[cell.strip(SPACES) for cell in row] for row in grid]
    filled = [row for row in filled if any(row)]
    first = next((n for n, row in enumerate(filled[:15]) if _is_header(row)), None)
    if first is None:
        return None
    return [row for row in filled[first + 1 :] if not _is_header(row) and not _is_of_headers(row)]


def _is_header(row: Sequence[str]) -> bool:
    return len(_HEADERS & set(row)) >= _LEAST_HEADERS


def _is_of_headers(row: Sequence[str]) -> bool:
    """A piece of the header: nothing else stands in the row."""
    return {cell for cell in row if cell} <= _HEADERS


def _grids(content: bytes) -> list[Grid] | None:
    if content.startswith(b"PK\x03\x04"):
        return _xlsx(content)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        return _xls(content)
    if b"<Workbook" in content[:2_000]:
        return _xml(content)
    if b"<html" in content[:2_000].lower() or b"<table" in content[:2_000].lower():
        return _html(content)
    return _text(content)


def _text(content: bytes) -> list[Grid] | None:
    codecs = ("utf-16",) if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "gb18030")
    for codec in codecs:
        try:
            text = content.decode(codec)
            break
        except UnicodeDecodeError:
            continue
    else:
        return None
    grids = []
    for delimiter in ",\t;|，":
        try:
            grid = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if _below_header(grid) is not None:
            grids.append(grid)
    return [max(grids, key=lambda grid: len(_below_header(grid) or ()))] if grids else None


def _xlsx(content: bytes) -> list[Grid] | None:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
            return [_sparse(sheet) for sheet in book.worksheets]
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return None
    except Exception:  # noqa: BLE001 - whatever a reader that knows no refusals raises, it could not read the file
        return None


def _sparse(sheet: object) -> Grid:
    """The rows that have cells: one cell far out would make a rectangle of a million rows."""
    rows: dict[int, list[str]] = {}
    for (row, column), cell in sorted(sheet._cells.items()):  # type: ignore[attr-defined]
        if column > 256:
            continue  # a stray cell far out is no row (B10)
        line = rows.setdefault(row, [])
        line.extend([""] * (column - 1 - len(line)))
        line.append(_written(cell.value))
    return list(rows.values())


def _xls(content: bytes) -> list[Grid] | None:
    import fastexcel

    try:
        book = fastexcel.read_excel(content)
        grids = []
        for name in book.sheet_names:
            frame = book.load_sheet(name, header_row=None, dtypes="string").to_arrow()
            columns = [column.to_pylist() for column in frame.columns]
            grids.append([[_written(cell) for cell in row] for row in zip(*columns, strict=True)])
        return grids
    except BaseException as error:  # a panic of the Rust reader is not an Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def _xml(content: bytes) -> list[Grid] | None:
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    space = "{urn:schemas-microsoft-com:office:spreadsheet}"
    return [
        [["".join(cell.itertext()) for cell in row.iter(f"{space}Cell")] for row in sheet.iter(f"{space}Row")]
        for sheet in root.iter(f"{space}Worksheet")
    ]


class _Table(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: Grid = []
        self._is_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        self._is_cell = tag in ("td", "th")
        if self._is_cell and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr"):
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_cell and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def _html(content: bytes) -> list[Grid] | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    table = _Table()
    table.feed(text)
    table.close()
    return [table.rows]


def _written(cell: object) -> str:
    return "" if cell is None else str(cell)
