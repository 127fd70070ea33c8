"""Which reader a file needs, told by its first bytes, never by its suffix (domain.md L9)."""

from __future__ import annotations

import re
from typing import Final

from ingest.readers.delimited import read_delimited
from ingest.readers.sheet import Content, UnreadableFile
from ingest.readers.workbook import read_workbook

_WORKBOOK_SUFFIXES: Final = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".et")
_MACRO_SUFFIXES: Final = (".xlsm", ".xltm")
_HTML: Final = re.compile(
    rb"^\s*(<\?xml[^>]*>\s*)?<(!doctype html|html|table|meta|div|head|body|style)", re.IGNORECASE
)
_OLE: Final = b"\xd0\xcf\x11\xe0"


def read_file(content: bytes, file_name: str) -> Content:
    """All sheets of a file.

    Raises:
        UnreadableFile: Empty, of a format that is not taken, or unreadable.
    """
    if not content.strip(b"\x00\xef\xbb\xbf \t\r\n"):
        raise UnreadableFile("empty_file", "文件是空的。请检查后重新报送。")
    suffix = "." + file_name.rpartition(".")[2].lower()
    if suffix in _MACRO_SUFFIXES:
        raise UnreadableFile("active_content", "不收带宏的工作簿。请另存为 xlsx 后重新报送。")
    if content.startswith((b"PK\x03\x04", _OLE)):
        return read_workbook(content)
    if content.startswith(b"%PDF"):
        raise UnreadableFile("pdf", "文件是 PDF。请报送原始的 xlsx 或 csv 表格。")
    if _HTML.match(content[:2000]):
        raise UnreadableFile(
            "html_table",
            "文件是网页格式的表格（常见于系统导出的 .xls）。请用 Excel 或 WPS 打开后另存为 xlsx 重新报送。",
        )
    if content.startswith(b"<?xml"):
        raise UnreadableFile(
            "xml_workbook", "文件是 XML 表格。请用 Excel 或 WPS 打开后另存为 xlsx 重新报送。"
        )
    if (
        suffix in _WORKBOOK_SUFFIXES
        and b"\x00" in content[:1000]
        and not content.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        return read_workbook(content)
    return read_delimited(content)
