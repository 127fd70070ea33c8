"""Which reader a file needs, told by its first bytes, never by its suffix (domain.md L9)."""

from __future__ import annotations

import re
from typing import Final

from ingest.readers.delimited import read_delimited
from ingest.readers.old_workbook import OLE_MAGIC, read_ole
from ingest.readers.sheet import Content, UnreadableFile
from ingest.readers.web_table import read_web_table
from ingest.readers.workbook import read_workbook
from ingest.readers.xml_workbook import NAMESPACE, read_xml_workbook

_WORKBOOK_SUFFIXES: Final = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".et")
_MACRO_SUFFIXES: Final = (".xlsm", ".xltm", ".xlam", ".xlsb")
_HTML: Final = re.compile(
    r"^\s*(<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*+)*+<(!doctype html|html|table|meta|div|head|body|style|center|title)",
    re.IGNORECASE | re.DOTALL,
)
_ARCHIVES: Final = {
    b"Rar!": "RAR 压缩包",
    b"7z\xbc\xaf": "7z 压缩包",
    b"\x1f\x8b": "gz 压缩包",
    b"%PDF": "PDF",
    b"\x89PNG": "图片",
    b"\xff\xd8\xff": "图片",
    b"GIF8": "图片",
    b"{\\rtf": "RTF 文档",
}


def read_file(content: bytes, file_name: str, password: str | None = None) -> Content:
    """All sheets of a file.

    Args:
        content: Its bytes.
        file_name: Only its suffix is looked at: to refuse what is meant to carry macros.
        password: Opens an encrypted workbook; ignored by everything else, and never kept.

    Raises:
        UnreadableFile: Empty, of a format that is not taken, closed by a password, or unreadable.
    """
    if not content.strip(b"\x00\xef\xbb\xbf \t\r\n"):
        raise UnreadableFile("empty_file", "文件是空的。请检查后重新报送。")
    suffix = "." + file_name.rpartition(".")[2].lower()
    if suffix in _MACRO_SUFFIXES:
        raise UnreadableFile(
            "active_content",
            f"不收可能带宏的工作簿（{suffix}）。请另存为 xlsx 后重新报送。",
        )
    if content.startswith(OLE_MAGIC[:4]):
        return read_ole(content, password)
    if content.startswith(b"PK\x03\x04"):
        return read_workbook(content)
    for magic, name in _ARCHIVES.items():
        if content.startswith(magic):
            raise UnreadableFile(
                "pdf" if name == "PDF" else "not_a_table", f"文件是{name}。请报送原始的 xlsx 或 csv 表格。"
            )
    head = _head(content)
    if head.lstrip().lower().startswith("mime-version:"):
        raise UnreadableFile(
            "web_archive", "文件是单个文件网页（.mht）。请用 Excel 或 WPS 打开后另存为 xlsx 重新报送。"
        )
    if head.lstrip().startswith("<?xml") and NAMESPACE in head:
        return read_xml_workbook(content)
    if _HTML.match(head):
        return read_web_table(content)
    if head.lstrip().startswith("<?xml"):
        return read_xml_workbook(content)
    if suffix in _WORKBOOK_SUFFIXES and "\x00" in head:
        raise UnreadableFile(
            "not_a_workbook",
            "文件名是 Excel 工作簿，内容却不是。请用 Excel 或 WPS 打开后另存为 xlsx 重新报送。",
        )
    return read_delimited(content)


def _head(content: bytes) -> str:
    """The beginning as text, to look for marks in ASCII only."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content[:8000].decode("utf-16", "ignore")
    return content[:4000].decode("utf-8", "ignore").lstrip("\ufeff")
