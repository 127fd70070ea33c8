"""HTML tables saved as .xls, as many systems export them (L9): every table is a sheet, nothing is fetched or run.

Cells are read as the text that is written in them, so that ids marked as text (``mso-number-format``) keep all digits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.markup import Grid, decode_markup
from ingest.readers.package import MAX_COLUMNS, damaged
from ingest.readers.sheet import Content, Sheet, UnreadableFile

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MAX_TABLES: Final = 200
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_NOT_MARKUP: Final = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1", re.DOTALL | re.IGNORECASE)
_ROW: Final = re.compile(r"<tr[\s>]", re.IGNORECASE)
_CELL: Final = re.compile(r"<t[dh][\s>]", re.IGNORECASE)
# Names of the sheets that Excel writes into the head of a page it saved.
_SHEET_NAME: Final = re.compile(r"<x:Name>([^<]{1,100})</x:Name>", re.IGNORECASE)


def read_web_table(content: bytes) -> Content:
    """Read all tables of a page.

    Raises:
        UnreadableFile: Not decodable, too large, or without a table.
    """
    from lxml import etree
    from lxml.html import HTMLParser, document_fromstring

    text, encoding = decode_markup(content)
    names = _SHEET_NAME.findall(text)
    parser = HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        page = document_fromstring(text.replace("\x00", "").encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise _no_table() from None
    sheets: list[Grid] = []
    for table in page.iter("table"):
        if len(sheets) >= _MAX_TABLES:
            raise UnreadableFile("too_many_tables", f"网页里有 {_MAX_TABLES} 张以上的表格，请分批报送。")
        grid = _grid(table)
        if grid.rows:
            sheets.append(grid)
    if not sheets:
        raise _no_table()
    if _is_broken(text, page):
        raise damaged()
    # Names are given to sheets, not to tables: believed only when there are as many.
    titles = [f"表{number}" for number in range(1, len(sheets) + 1)]
    if len(names) == len(sheets) and len(set(names)) == len(names):
        titles = [with_numbers_hidden(name.strip()) for name in names]
    return Content(
        [
            Sheet(
                name=title if len(sheets) > 1 else "",
                rows=grid.rows,
                title=title,
                vertical_merges=tuple(grid.vertical_merges),
                horizontal_merges=tuple(grid.horizontal_merges),
                notes=(f"第 {MAX_COLUMNS} 列以后的单元格已略过",) if grid.is_cut else (),
            )
            for title, grid in zip(titles, sheets, strict=True)
        ],
        {"格式": "网页表格", "编码": encoding},
    )


def _grid(table: HtmlElement) -> Grid:
    """The table's own rows; a table inside a cell is a table of its own."""
    grid = Grid()
    for row in table.iter("tr"):
        if next(row.iterancestors("table"), None) is not table:
            continue
        grid.start_row()
        for cell in row:
            if cell.tag in ("td", "th"):
                text = "" if cell.find(".//table") is not None else _text(cell)
                grid.add(text or None, across=_span(cell, "colspan"), down=_span(cell, "rowspan"))
    grid.rows = grid.finish()
    return grid


def _is_broken(text: str, page: HtmlElement) -> bool:
    """Whether rows or cells are written that stand in no table and no row: parser and browser leave them out."""
    written = _NOT_MARKUP.sub("", text)
    if any(
        len(found.findall(written)) > sum(1 for _ in page.iter(*tags))
        for found, tags in ((_ROW, ("tr",)), (_CELL, ("td", "th")))
    ):
        return True
    return any(cell.text_content().strip() for cell in page.iter("td", "th") if not _is_of_a_row(cell))


def _is_of_a_row(cell: HtmlElement) -> bool:
    """Whether a cell stands in a row of a table, where it is read."""
    row = cell.getparent()
    return row is not None and row.tag == "tr" and next(row.iterancestors("table"), None) is not None


def _text(cell: HtmlElement) -> str:
    """The words of a cell as a browser shows them: runs of white space are one, a break is a line."""
    pieces: list[str] = []
    _gather(cell, pieces)
    return re.sub(r" ?\n ?", "\n", "".join(pieces)).strip(" \n\xa0")


def _gather(node: HtmlElement, pieces: list[str]) -> None:
    if node.tag not in ("script", "style"):
        if node.tag == "br" or (node.tag in ("p", "div", "li") and pieces):
            pieces.append("\n")
        pieces.append(_SPACES.sub(" ", node.text or ""))
        for child in node:
            _gather(child, pieces)  # the parser allows 256 levels
            pieces.append(_SPACES.sub(" ", child.tail or ""))


def _span(cell: HtmlElement, name: str) -> int:
    text = (cell.get(name) or "1").strip()
    return min(int(text), 65_536) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _no_table() -> UnreadableFile:
    return UnreadableFile(
        "no_table",
        "文件是网页，里面没有数据表（可能是系统的登录或出错页面）。请重新导出，或用 Excel、WPS 打开后另存为 xlsx 报送。",
    )
