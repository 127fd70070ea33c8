"""Text files: strict decoding in a fixed order, the delimiter from the rows themselves, strict quoting.

A character detector is never asked: on short files it guesses (domain.md 1.1, L7). A large file is not held in memory:
its rows are read again from its start whenever they are asked for.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, overload

from ingest.readers.sheet import Content, Row, Sheet, UnreadableFile, is_blank

_DELIMITERS: Final = (",", "\t", ";", "，", "|")
_DELIMITER_NAMES: Final = {",": "逗号", "\t": "制表符", ";": "分号", "，": "全角逗号", "|": "竖线"}
_SNIFFED_RECORDS: Final = 30
_TRADITIONAL_LABELS: Final = (
    "姓名",
    "身份",
    "身分",
    "編號",
    "住址",
    "地址",
    "電話",
    "社區",
    "性別",
    "日期",
    "關係",
)
_SIMPLE_LABELS: Final = ("姓名", "身份", "编号", "地址", "住址", "电话", "社区", "性别")
FIELD_LIMIT: Final = 1_000_000  # characters of one cell; longer means a quote that was never closed
MAX_ROWS: Final = 1_048_576
_BLOCK: Final = 1 << 20
_SNIFFED_CHARACTERS: Final = 200_000
_HEAD_ROWS: Final = 400
_TAIL_BYTES: Final = 1 << 16


def read_delimited(content: bytes) -> Content:
    """Read a csv, semicolon, tab or full-width comma file.

    Row numbers count records as a spreadsheet shows them: blank lines count, a line break inside quotes does not.

    Raises:
        UnreadableFile: Not decodable, an unclosed quote, a cell or file beyond all measure.
    """
    text, encoding = decode(content)
    delimiter = _sniff(text)
    rows = [
        Row(number, cells)
        for number, record in records(io.StringIO(text, newline=""), delimiter)
        if not is_blank(cells := tuple(record))
    ]
    return Content([Sheet("", rows)], _how(encoding, delimiter))


def stream_delimited(reopen: Callable[[], BinaryIO], size: int) -> Content:
    """The same of a large file, whose rows are read when they are asked for (`StreamedRows`).

    The encoding is told as for a small one, but that a file in GB18030 is sound to its end, and its quotes and number
    of rows, show only when its rows are read: then, too, `UnreadableFile` is raised.

    Args:
        reopen: Opens the file at its beginning.
        size: Its bytes.

    Raises:
        UnreadableFile: Not decodable.
    """
    with reopen() as file:
        codec, encoding = _encoding(file, size)
    with reopen() as file:
        try:
            head = _text(file, codec).read(_SNIFFED_CHARACTERS)
        except UnicodeDecodeError:
            raise _not_decodable() from None
    delimiter = _sniff(head)
    return Content([Sheet("", StreamedRows(reopen, size, codec, delimiter))], _how(encoding, delimiter))


class StreamedRows(Sequence[Row]):
    """The rows of a text file, blank ones left out: the first and the last are at hand, all others are read again.

    Counting them, and slices without an end, read the whole file.
    """

    def __init__(self, reopen: Callable[[], BinaryIO], size: int, codec: str, delimiter: str) -> None:
        self._reopen = reopen
        self._size = size
        self._codec = codec
        self.delimiter = delimiter
        self._head = list(itertools.islice(iter(self), _HEAD_ROWS))

    def __iter__(self) -> Iterator[Row]:
        for number, record in self.records():
            cells = tuple(record)
            if not is_blank(cells):
                yield Row(number, cells)

    def __len__(self) -> int:
        return sum(1 for _ in self) if len(self._head) == _HEAD_ROWS else len(self._head)

    def __bool__(self) -> bool:
        return bool(self._head)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        stop = index.stop if isinstance(index, slice) else index + 1
        begin = index.start or 0 if isinstance(index, slice) else index
        if stop is not None and begin >= 0 and 0 <= stop <= len(self._head):
            return self._head[index]
        return list(self)[index]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """All records with their numbers, blank ones too, as lists."""
        with self._reopen() as file:
            yield from records(_text(file, self._codec), self.delimiter)

    def last(self, count: int) -> list[Row]:
        """The last rows; read from the end where that is sure to be right: without quotes a line is a record.

        Their numbers count from 1 at the place where the reading began, unless the whole file was read.
        """
        if self._size > 2 * _TAIL_BYTES and self._codec != "utf-16":
            with self._reopen() as file:
                file.seek(-_TAIL_BYTES, io.SEEK_END)
                tail = file.read()
            _, _, whole_lines = tail.partition(b"\n")
            if b'"' not in whole_lines:
                rows = [
                    Row(number, cells)
                    for number, record in records(
                        io.StringIO(whole_lines.decode(self._codec, "replace"), newline=""), self.delimiter
                    )
                    if not is_blank(cells := tuple(record))
                ]
                if len(rows) >= count:
                    return rows[-count:]
        return (list(self._head) if len(self._head) < _HEAD_ROWS else list(self))[-count:]


def records(text: Any, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each record of an open text, strict in its quotes.

    Raises:
        UnreadableFile: Not decodable, an unclosed quote, a cell or file beyond all measure.
    """
    csv.field_size_limit(FIELD_LIMIT)
    number = 0
    try:
        for number, record in enumerate(csv.reader(text, delimiter=delimiter, strict=True), start=1):
            if number > MAX_ROWS:
                raise UnreadableFile("too_many_rows", f"文件超过 {MAX_ROWS} 行，请分批报送。")
            yield number, record
    except UnicodeDecodeError:
        # Decoded is a block ahead of the rows.
        raise _not_decodable(f"，第 {number + 1} 行以后不远处认不出") from None
    except csv.Error:
        raise UnreadableFile(
            "broken_quoting",
            f"第 {number + 1} 行起引号没有成对，后面的行会被吞掉。请检查该行的英文双引号，补齐后重新报送。",
        ) from None


def _how(encoding: str, delimiter: str) -> dict[str, str]:
    return {"格式": "文本", "编码": encoding, "分隔符": _DELIMITER_NAMES[delimiter]}


def _text(file: BinaryIO, codec: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding=codec, newline="")


def _encoding(file: BinaryIO, size: int) -> tuple[str, str]:
    """Codec and name of a large file's encoding: UTF-8 when all of it is, else GB18030."""
    head = file.read(_BLOCK)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "UTF-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf_8, zeros, block = True, 0, head
    while block:
        zeros += block.count(0)
        if is_utf_8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf_8 = False
        block = file.read(_BLOCK)
    if is_utf_8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf_8 = False
    if not is_utf_8 and _is_big5(head[: head.rfind(b"\n") + 1]):
        raise _big5()
    if zeros * 20 > size:  # a character of Chinese text has two bytes or more, one of a table of numbers one
        raise _not_decodable()
    if is_utf_8:
        return "utf-8-sig", "UTF-8 带签名" if head.startswith(codecs.BOM_UTF8) else "UTF-8"
    return "gb18030", "GB18030"


def _not_decodable(place: str = "") -> UnreadableFile:
    """The refusal; `place` says where the file cannot be decoded (reliability.md B46)."""
    return UnreadableFile(
        "not_decodable",
        f"文件不是 UTF-8、UTF-16 或 GB18030 编码的文本（可能中途截断或混用了编码{place}）。"
        "请另存为“CSV UTF-8”或 xlsx 后重新报送。",
    )


def decode(content: bytes) -> tuple[str, str]:
    """Decode strictly: UTF-8 (with or without BOM), UTF-16 by its BOM, GB18030; the first that fits.

    UTF-16 without BOM is what has the line ends and delimiters of it and no zero left (reliability.md B45); the bytes of
    Big5 mostly are GB18030, too, so it is told by its labels and refused by name: its traditional characters are none of
    the contracts' headers.

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
    decodable = 0
    for codec, name in candidates:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError as error:
            decodable = max(decodable, error.start)
            continue
        if text.count("\x00") > 0 and text.count("\x00") * 10 > len(text):
            if unmarked := _unmarked_utf_16(content):
                return unmarked
            break  # binary
        if codec == "gb18030" and _is_big5(content):
            raise _big5()
        return text, name
    else:
        if unmarked := _unmarked_utf_16(content):
            return unmarked
        if _is_big5(content):
            raise _big5()
        end = b"\n\0" if codec == "utf-16" and content.startswith(codecs.BOM_UTF16_LE) else b"\n"
        if end not in content:
            end = b"\r"
        raise _not_decodable(f"，第 {content.count(end, 0, decodable) + 1} 行起认不出")
    raise _not_decodable()


def _unmarked_utf_16(content: bytes) -> tuple[str, str] | None:
    """Text and name when the bytes are UTF-16 whose mark is missing: only one order of bytes gives lines and cells."""
    if b"\0" not in content or len(content) % 2:
        return None
    for codec, name in (("utf-16-le", "UTF-16 LE 无签名"), ("utf-16-be", "UTF-16 BE 无签名")):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if (
            "\0" not in text
            and "\n" in text.replace("\r", "\n")
            and any(sign in text for sign in _DELIMITERS)
        ):
            return text, name
    return None


def _is_big5(content: bytes) -> bool:
    """Whether bytes are Big5: they are by its rules, and only so they hold what lists of persons are headed with."""
    head = content[:_BLOCK]
    try:
        traditional = head.decode("cp950", "strict" if len(head) == len(content) else "ignore")
    except UnicodeDecodeError:
        return False
    labels = sum(word in traditional for word in _TRADITIONAL_LABELS)
    return labels >= 2 and not any(word in head.decode("gb18030", "ignore") for word in _SIMPLE_LABELS)


def _big5() -> UnreadableFile:
    return UnreadableFile(
        "big5",
        "文件是 Big5（繁体中文）编码，不在约定的编码之内。请用简体中文表头，另存为“CSV UTF-8”或 xlsx 后重新报送。",
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
