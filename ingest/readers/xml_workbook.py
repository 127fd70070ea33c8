"""XML workbooks of Excel 2003 (``urn:schemas-microsoft-com:office:spreadsheet``), as some systems export them (L9).

No DTD, no entity, no network. What is refused: other XML, DTDs, damage.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.markup import Grid, decode_markup
from ingest.readers.package import FORMULA_WITHOUT_VALUE, MAX_COLUMNS
from ingest.readers.sheet import Cell, Content, Sheet, UnreadableFile
from ingest.readers.workbook import as_cell

if TYPE_CHECKING:
    from lxml.etree import _Element

NAMESPACE: Final = "urn:schemas-microsoft-com:office:spreadsheet"
_SS: Final = f"{{{NAMESPACE}}}"
_EXCEL: Final = "{urn:schemas-microsoft-com:office:excel}"
_MAX_INDEX: Final = 10_000_000


def read_xml_workbook(content: bytes) -> Content:
    """Read all worksheets of an XML workbook.

    Raises:
        UnreadableFile: `dtd_not_allowed`, `damaged_workbook`, `xml_not_a_workbook`, or beyond all measure.
    """
    from lxml import etree

    text, encoding = decode_markup(content)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableFile(
            "dtd_not_allowed",
            "XML 表格含文档类型定义，可能被改动过。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
        )
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        raise UnreadableFile(
            "damaged_workbook", "XML 表格已损坏或不完整，打不开。请重新导出，或另存为 xlsx 后重新报送。"
        ) from None
    if root.tag != f"{_SS}Workbook":
        raise UnreadableFile(
            "xml_not_a_workbook", "文件是 XML，但不是 Excel 的 XML 表格。请另存为 xlsx 或 csv 后重新报送。"
        )
    worksheets = list(root.iterchildren(f"{_SS}Worksheet"))
    if not worksheets:
        raise UnreadableFile("no_sheet", "工作簿里没有数据表。请把清单放在第一张工作表后重新报送。")
    return Content(
        [
            _sheet(worksheet, number, is_only=len(worksheets) == 1)
            for number, worksheet in enumerate(worksheets, start=1)
        ],
        {"格式": "XML 表格", "编码": encoding},
    )


def _sheet(worksheet: _Element, number: int, *, is_only: bool) -> Sheet:
    grid = Grid()
    has_hidden = False
    for table in worksheet.iterchildren(f"{_SS}Table"):
        for row in table.iterchildren(f"{_SS}Row"):
            has_hidden = has_hidden or row.get(f"{_SS}Hidden") == "1"
            index = row.get(f"{_SS}Index")
            grid.start_row(_number(index) if index else None)
            for cell in row.iterchildren(f"{_SS}Cell"):
                index = cell.get(f"{_SS}Index")
                grid.add(
                    _value(cell),
                    across=_number(cell.get(f"{_SS}MergeAcross")) + 1,
                    down=_number(cell.get(f"{_SS}MergeDown")) + 1,
                    column=max(_number(index) - 1, 0) if index else None,
                )
            grid.skip_rows(_number(row.get(f"{_SS}Span")))
    rows = grid.finish()
    title = with_numbers_hidden(worksheet.get(f"{_SS}Name") or f"表{number}")
    visible = worksheet.findtext(f"{_EXCEL}WorksheetOptions/{_EXCEL}Visible", "")
    notes = ["有隐藏的行或列，已照常读取"] if has_hidden else []
    if grid.is_cut:
        notes.append(f"第 {MAX_COLUMNS} 列以后的单元格已略过")
    return Sheet(
        name="" if is_only else title,
        rows=rows,
        title=title,
        is_hidden=visible in ("SheetHidden", "SheetVeryHidden"),
        vertical_merges=tuple(grid.vertical_merges),
        horizontal_merges=tuple(grid.horizontal_merges),
        notes=tuple(notes),
    )


def _value(cell: _Element) -> Cell:
    data = cell.find(f"{_SS}Data")
    if data is None:
        return FORMULA_WITHOUT_VALUE if cell.get(f"{_SS}Formula") else None
    text = "".join(data.itertext())
    kind = data.get(f"{_SS}Type")
    if not text:
        return FORMULA_WITHOUT_VALUE if cell.get(f"{_SS}Formula") else None
    try:
        if kind == "Number":
            # Excel holds fifteen digits of a number, whatever the file says: an id in a number cell is damaged.
            return as_cell(float(text))
        if kind == "DateTime":
            return datetime.fromisoformat(text)
    except ValueError:
        return text
    if kind == "Boolean":
        return text == "1"
    return text


def _number(text: str | None) -> int:
    text = (text or "").strip()
    return min(int(text), _MAX_INDEX) if text.isascii() and text.isdigit() and len(text) < 9 else 0
