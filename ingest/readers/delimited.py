"""Text files: strict decoding in a fixed order, the delimiter from the rows themselves, strict quoting.

A character detector is never asked: on short files it guesses (domain.md 1.1, L7).
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections import Counter
from typing import Final

from ingest.readers.sheet import Content, Row, Sheet, UnreadableFile, is_blank

_DELIMITERS: Final = (",", "\t", ";", "，", "|")
_DELIMITER_NAMES: Final = {",": "逗号", "\t": "制表符", ";": "分号", "，": "全角逗号", "|": "竖线"}
_SNIFFED_RECORDS: Final = 30
FIELD_LIMIT: Final = 1_000_000  # characters of one cell; longer means a quote that was never closed
MAX_ROWS: Final = 1_048_576


def read_delimited(content: bytes) -> Content:
    """Read a csv, semicolon, tab or full-width comma file.

    Row numbers count records as a spreadsheet shows them: blank lines count, a line break inside quotes does not.

    Raises:
        UnreadableFile: Not decodable, an unclosed quote, a cell or file beyond all measure.
    """
    text, encoding = decode(content)
    csv.field_size_limit(FIELD_LIMIT)
    delimiter = _sniff(text)
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, record in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise UnreadableFile("too_many_rows", f"文件超过 {MAX_ROWS} 行，请分批报送。")
            cells = tuple(record)
            if not is_blank(cells):
                rows.append(Row(number, cells))
    except csv.Error:
        raise UnreadableFile(
            "broken_quoting",
            f"第 {number + 1} 行起引号没有成对，后面的行会被吞掉。请检查该行的英文双引号，补齐后重新报送。",
        ) from None
    return Content(
        [Sheet("", rows)], {"格式": "文本", "编码": encoding, "分隔符": _DELIMITER_NAMES[delimiter]}
    )


def decode(content: bytes) -> tuple[str, str]:
    """Decode strictly: UTF-8 (with or without BOM), UTF-16 by its BOM, GB18030; the first that fits.

    Returns:
        The text without BOM, and the encoding's name.

    Raises:
        UnreadableFile: None fits, or the bytes are no text at all.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = [("utf-16", "UTF-16")]
    else:
        has_mark = content.startswith(codecs.BOM_UTF8)
        candidates = [("utf-8-sig", "UTF-8 带签名" if has_mark else "UTF-8"), ("gb18030", "GB18030")]
    for codec, name in candidates:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if text.count("\x00") > 0 and text.count("\x00") * 10 > len(text):
            break  # binary, or UTF-16 without its mark
        return text, name
    raise UnreadableFile(
        "not_decodable",
        "文件不是 UTF-8、UTF-16 或 GB18030 编码的文本（可能中途截断或混用了编码）。请另存为“CSV UTF-8”或 xlsx 后重新报送。",
    )


def _sniff(text: str) -> str:
    """The delimiter that parts most records into the same number of cells; of equals the one with more cells."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            widths = Counter(
                len(record) for record in itertools.islice(reader, _SNIFFED_RECORDS) if any(record)
            )
        except csv.Error:
            continue
        parted = {width: count for width, count in widths.items() if width > 1}
        if parted:
            width, count = max(parted.items(), key=lambda item: (item[1], item[0]))
            if (score := (round(count / widths.total(), 1), width)) > best_score:
                best, best_score = delimiter, score
    return best
