"""The zip around a workbook, looked into before any parser opens it: nothing in it is believed.

Refused here, each with its own sentence: zips that lie or bomb, passwords, macros and links, DTDs (reliability.md B04 to
B08). Found here besides, from the XML of each sheet: cells that lie too far apart for a parser that lays sheets out as
rectangles (D14, B10), error cells and formulas without a value, which calamine gives as empty cells (B17, B18), hidden
rows and columns (B13). Values are not read here (``workbook``).
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from ingest.readers.sheet import UnreadableFile

if TYPE_CHECKING:
    from numpy import intp, uint8
    from numpy.typing import NDArray

# reliability.md B06 proposes 100 MB. Legitimate files break it: 200,000 rows of twelve columns are 154 MB of XML, and a
# register of nine columns whose clerk formatted the sheet to its last row (B11) is 278 MB. They pack 14 to 25 to one.
MAX_UNPACKED_BYTES: Final = 300_000_000
MAX_RATIO: Final = 100
MAX_MEMBERS: Final = 1_000
MAX_COLUMNS: Final = 256
# calamine lays a sheet out as a full rectangle: one stray cell at XFD1048576 would take all memory (D14).
MAX_RECTANGLE: Final = 6_000_000
# Stands where a formula has no stored value; the readers of values warn about it as about any spreadsheet error.
FORMULA_WITHOUT_VALUE: Final = "#CALC!"

_CHUNK_BYTES: Final = 1_000_000
_SMALLEST_ENTRY: Final = 30  # bytes of a local file header without its name
_MAX_PATCHES: Final = 200_000
_ACTIVE_PARTS: Final = re.compile(
    r"vbaProject|/externalLinks/|/embeddings/|/activeX/|xl/connections\.xml|/macrosheets/|/dialogsheets/",
    re.IGNORECASE,
)
_MACRO_CONTENT_TYPE: Final = re.compile(rb"macroEnabled|ms-excel\.sheet\.binary", re.IGNORECASE)
_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# None of these patterns may look further than the tag it began in: the text is an attacker's.
_CELL_END: Final = re.compile(rb"</(?:\w{1,20}:)?c>")
_PLACE: Final = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_ERROR_TYPE: Final = re.compile(rb"\bt\s*=\s*[\"']e[\"']")
_VALUE: Final = re.compile(rb"<(?:\w+:)?v>([^<]+)</|<(?:\w+:)?t[ >]")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[ />]")
_ODD_PLACE: Final = re.compile(rb"<(?:\w{1,20}:)?c\s(?:[^<>]*\s)?r(?:\s+=|=\s|=[\"'][^A-Z])")
_HIDDEN: Final = re.compile(rb"<(?:\w{1,20}:)?(?:row|col)\s[^<>]*\bhidden=\"(?:1|true)\"")


@dataclass
class SheetPart:
    """What the XML of one sheet says about itself.

    Attributes:
        is_far: Its filled cells span a rectangle (or columns) beyond the limits.
        patches: Errors, and formulas without a value, by (row number, column position).
    """

    is_far: bool = False
    patches: dict[tuple[int, int], str] = field(default_factory=dict)
    has_hidden: bool = False
    rows: int = 0
    columns: int = 0


@dataclass
class Package:
    """A workbook's zip that may be opened: its sheets by their part's name, and whether it has comments or pictures."""

    sheets: dict[str, SheetPart] = field(default_factory=dict)
    extras: tuple[str, ...] = ()


def inspect_package(content: bytes) -> Package:
    """Look into the zip of an xlsx file.

    Raises:
        UnreadableFile: It is not an xlsx workbook, or one that is not opened.
    """
    package = Package()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members, len(content))
            names = {member.filename for member in members}
            package.extras = tuple(
                word
                for word, pattern in (
                    ("批注", r"comments?\d*\.xml$|threadedComments/"),
                    ("图片", r"xl/media/"),
                    ("透视表缓存", r"pivotCache/"),
                )
                if any(re.search(pattern, name) for name in names)
            )
            for member in members:
                name = member.filename
                if not name.endswith((".xml", ".rels", ".vml")):
                    continue
                sheet = SheetPart() if name.startswith("xl/worksheets/") and name.endswith(".xml") else None
                with archive.open(member) as part:
                    _read_part(part, member.file_size, name, sheet)
                if sheet is not None:
                    package.sheets[name] = sheet
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError):
        raise damaged() from None
    return package


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(members) > MAX_MEMBERS:
        raise _bomb()
    if len({name.casefold() for name in names}) < len(names):
        raise damaged()
    if any(name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) for name in names):
        raise damaged()
    if any(member.flag_bits & 0x1 for member in members):
        raise UnreadableFile(
            "encrypted_archive",
            "压缩包设有密码，打不开。请解压后报送其中的 xlsx 或 csv 文件本身，不要压缩。",
        )
    if any(_ACTIVE_PARTS.search(f"/{name}") for name in names):
        raise UnreadableFile(
            "active_content",
            "工作簿含宏、外部链接或嵌入对象。请另存为不含宏的 xlsx（只留数值）后重新报送。",
        )
    if "xl/workbook.xml" not in names:
        raise _other_zip(names)
    declared = sum(member.file_size for member in members)
    if declared > MAX_UNPACKED_BYTES or declared > MAX_RATIO * max(size, 10_000):
        raise _bomb()
    # Entries that share bytes multiply a small file into a big one (B07).
    placed = sorted(members, key=lambda member: member.header_offset)
    for member, following in itertools.pairwise(placed):
        if member.header_offset + _SMALLEST_ENTRY + member.compress_size > following.header_offset:
            raise damaged()


def _other_zip(names: list[str]) -> UnreadableFile:
    if "xl/workbook.bin" in names:
        return UnreadableFile(
            "binary_workbook",
            "文件是二进制工作簿（.xlsb），其中可能带宏，不收。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
        )
    if "content.xml" in names and "mimetype" in names:
        return UnreadableFile(
            "opendocument",
            "文件是 OpenDocument 表格（.ods）。请用 Excel、WPS 或 LibreOffice 另存为 xlsx 后重新报送。",
        )
    if "word/document.xml" in names or "ppt/presentation.xml" in names:
        return UnreadableFile(
            "not_a_workbook", "文件是 Word 或 PPT 文档，不是表格。请报送原始的 xlsx 或 csv 表格。"
        )
    return UnreadableFile(
        "not_a_workbook",
        "文件是压缩包，不是 Excel 工作簿。请解压后把其中的 xlsx 或 csv 文件逐个报送，不要压缩。",
    )


def _read_part(part: IO[bytes], declared: int, name: str, sheet: SheetPart | None) -> None:
    """Read one part piece by piece: never more than it declares, never all of it at once."""
    is_first = True
    for chunk, is_whole_rows in _chunks(part, declared, by_rows=sheet is not None):
        if is_first and b"\x00" in chunk[:200]:
            raise damaged()  # UTF-16 hides what is looked for below; no spreadsheet program writes it
        is_first = False
        if b"!" in chunk and _DOCTYPE.search(chunk):
            raise UnreadableFile(
                "dtd_not_allowed",
                "工作簿含文档类型定义，可能被改动过。请用 Excel 或 WPS 另存为 xlsx 后重新报送。",
            )
        if name == "[Content_Types].xml" and _MACRO_CONTENT_TYPE.search(chunk):
            raise UnreadableFile("active_content", "不收带宏的工作簿。请另存为 xlsx 后重新报送。")
        if sheet is not None:
            _read_sheet_chunk(chunk, sheet)
            if not is_whole_rows:
                sheet.is_far = True  # one row of many megabytes: left to the streaming reader
    if sheet is not None:
        sheet.is_far = sheet.is_far or _is_far(sheet.rows, sheet.columns)


def _chunks(part: IO[bytes], declared: int, *, by_rows: bool) -> Iterator[tuple[bytes, bool]]:
    """Pieces of a part; those of a sheet are cut before a row begins, so that no tag is torn; whether that was possible.

    Where a piece is cut anywhere else its end comes again, so that nothing short is missed at the cut.
    """
    rest, total = b"", 0
    while data := part.read(_CHUNK_BYTES):
        total += len(data)
        if total > declared:
            raise _bomb()
        rest += data
        cut = max(rest.rfind(b"<row"), rest.rfind(b":row ")) if by_rows else 0
        if cut > 0:
            cut = rest.rfind(b"<", 0, cut + 1)
            yield rest[:cut], True
            rest = rest[cut:]
        elif not by_rows or len(rest) > 4 * _CHUNK_BYTES:
            yield rest, not by_rows
            rest = rest[-64:]
    yield rest, True


def _read_sheet_chunk(chunk: bytes, sheet: SheetPart) -> None:
    """Widen the sheet's extent by the places (r="AB12") of the filled cells; note errors, formulas, what is hidden.

    Done on whole arrays: matching two million places one by one took longer than parsing the sheet.
    """
    import numpy as np

    size = len(chunk)
    data = np.frombuffer(chunk + b" " * 16, dtype=np.uint8)
    tag_ends = np.flatnonzero(data[:size] == ord(">"))
    equals = np.flatnonzero(data[:size] == ord("="))
    equals = equals[equals >= 2]
    before, after, first = data[equals - 1], data[equals + 1], data[equals + 2]
    if ((before <= 32) | (after <= 32)).any() and _ODD_PLACE.search(chunk):
        sheet.is_far = True  # written as no spreadsheet program writes it: left to the streaming reader
    if not sheet.has_hidden and ((before == ord("n")) & (data[equals - 2] == ord("e"))).any():
        sheet.has_hidden = _HIDDEN.search(chunk) is not None
    is_place = (before == ord("r")) & (data[equals - 2] <= 32) & (first >= ord("A")) & (first <= ord("Z"))
    _widen(sheet, data, equals[is_place] + 2, tag_ends)
    has_errors = ((before == ord("t")) & (first == ord("e"))).any()
    # </f>, <f/> and <f t="shared" si="0"/>
    tag_ends = tag_ends[tag_ends >= 2]
    last = data[tag_ends - 1]
    has_formulas = (
        (last == ord("f")).any()
        or ((last == ord("/")) & (data[tag_ends - 2] == ord("f"))).any()
        or ((before == ord("i")) & (data[equals - 2] == ord("s"))).any()
    )
    if has_errors or has_formulas:
        _note_patches(chunk, sheet, has_formulas=bool(has_formulas))


def _widen(sheet: SheetPart, data: NDArray[uint8], places: NDArray[intp], tag_ends: NDArray[intp]) -> None:
    """Widen the extent by the cells at these places; of a wide one only by those that are more than formatted."""
    import numpy as np

    rows, columns = _extent(data, places)
    if _is_far(max(rows, sheet.rows), max(columns, sheet.columns)):
        # A cell whose tag is closed at once holds nothing.
        following = np.searchsorted(tag_ends, places)
        is_filled = following < tag_ends.size
        is_filled[is_filled] = data[tag_ends[following[is_filled]] - 1] != ord("/")
        rows, columns = _extent(data, places[is_filled])
    sheet.rows, sheet.columns = max(rows, sheet.rows), max(columns, sheet.columns)


def _is_far(rows: int, columns: int) -> bool:
    return rows * columns > MAX_RECTANGLE or columns > MAX_COLUMNS


def _extent(data: NDArray[uint8], places: NDArray[intp]) -> tuple[int, int]:
    """The greatest row and column number of the places (AB12) that begin here."""
    import numpy as np

    most_rows, most_columns = 0, 0
    columns = np.zeros(places.size, dtype=np.int32)
    rows = np.zeros(places.size, dtype=np.int32)
    for offset in range(10):  # XFD1048576
        if not places.size:
            return most_rows, most_columns
        sign = data[places + offset]
        is_letter, is_digit = (sign >= 65) & (sign <= 90), (sign >= 48) & (sign <= 57)
        going = is_letter | is_digit
        if not going.all():
            # Places differ in length; those that have ended are measured and leave.
            most_rows = max(most_rows, int(rows[~going].max()))
            most_columns = max(most_columns, int(columns[~going].max()))
            places, columns, rows = places[going], columns[going], rows[going]
            sign, is_letter = sign[going], is_letter[going]
            if not places.size:
                return most_rows, most_columns
        number = sign.astype(np.int32)
        columns = np.where(is_letter, columns * 26 + (number - 64), columns)
        rows = np.where(is_letter, rows, rows * 10 + (number - 48))
    return max(most_rows, int(rows.max())), max(most_columns, int(columns.max()))


def _note_patches(chunk: bytes, sheet: SheetPart, *, has_formulas: bool) -> None:
    for piece in _CELL_END.split(chunk):
        begin = max(piece.rfind(b"<c "), piece.rfind(b":c "))
        attributes, _, inner = piece[begin:].partition(b">")
        if begin < 0 or attributes.endswith(b"/"):
            continue
        is_error = _ERROR_TYPE.search(attributes) is not None
        if not is_error and not (inner and has_formulas and _FORMULA.search(inner)):
            continue
        value = _VALUE.search(inner)
        if value is not None and not is_error:
            continue
        place = _PLACE.search(attributes)
        if place is None or len(sheet.patches) >= _MAX_PATCHES:
            continue
        text = value[1].decode("ascii", "replace") if value is not None and value[1] else ""
        sheet.patches[int(place[2]), _column_number(place[1]) - 1] = (
            text if text.startswith("#") and len(text) < 20 else FORMULA_WITHOUT_VALUE
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def damaged() -> UnreadableFile:
    """Refusal of a workbook that is broken."""
    return UnreadableFile(
        "damaged_workbook",
        "工作簿已损坏或不完整，打不开。请用 Excel 或 WPS 打开检查，另存为 xlsx 后重新报送。",
    )


def _bomb() -> UnreadableFile:
    return UnreadableFile(
        "too_large_unpacked", "工作簿解开后大得异常。请删去多余的格式和空白行列，另存为 xlsx 后重新报送。"
    )
