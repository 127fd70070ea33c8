"""Files that nobody may trust: one builder a kind of reliability.md section 3 (B01 to B54), each giving bytes.

Belongs here: bytes only, made from small sound files, seeded. Not here: what must come of them (tests/unit/ingest), and
the ordinary mistakes of a busy office (`bad_files`).
"""

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from tests.synthetic.bad_files import _compound_file

HEADER = ("家庭编号", "社区", "家庭住址", "姓名", "身份证号", "与户主关系", "性别", "联系电话", "备注")
_NAMES = ("张一", "王二", "李三", "赵四", "钱五", "孙六", "周七", "吴八", "郑九", "冯十")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
SHEET = "xl/worksheets/sheet1.xml"


def made_id(number: int) -> str:
    """A synthetic id with a right check digit."""
    first_17 = f"330102{1950 + number % 60}0{number % 9 + 1}1{number % 9}{number % 900 + 100:03d}"
    return first_17 + "10X98765432"[sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11]


def person(number: int, **changes: object) -> tuple[object, ...]:
    """One row of the household register; `changes` by header."""
    row: dict[str, object] = {
        "家庭编号": f"WJ{number:06d}",
        "社区": "近江社区",
        "家庭住址": f"清水苑{number % 30 + 1}幢1单元{number % 6 + 1}01室",
        "姓名": _NAMES[number % 10] + chr(0x5B89 + number % 200),
        "身份证号": made_id(number),
        "与户主关系": "户主",
        "性别": "女" if int(made_id(number)[16]) % 2 == 0 else "男",
        "联系电话": f"139{number:08d}",
        "备注": "",
    }
    return tuple({**row, **changes}.values())


def register(count: int = 10) -> list[Sequence[object]]:
    """Header and rows of a small sound register."""
    return [HEADER, *(person(number) for number in range(1, count + 1))]


def csv_file(
    rows: Iterable[Sequence[object]], encoding: str = "utf-8-sig", delimiter: str = ",", end: str = "\r\n"
) -> bytes:
    """A text file whose cells are quoted where they must be."""
    import csv

    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_file(
    *sheets: tuple[str, Iterable[Sequence[object]]], change: Callable[[object], None] | None = None
) -> bytes:
    """A workbook of (title, rows) sheets; the sound register when none is given."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets or (("Sheet1", register()),):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    if change is not None:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xls_file(
    rows: Iterable[Sequence[object]], change: Callable[[object, object], None] | None = None
) -> bytes:
    """A workbook of before 2007 (BIFF8)."""
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for line, row in enumerate(rows):
        for place, cell in enumerate(row):
            sheet.write(line, place, cell)
    if change is not None:
        change(book, sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def html_file(rows: Iterable[Sequence[object]], encoding: str = "gb18030", declared: str = "gb2312") -> bytes:
    """A system's export: an HTML table under the name .xls."""
    lines = "".join(
        "<tr>" + "".join(f"<td style=\"mso-number-format:'\\@'\">{cell}</td>" for cell in row) + "</tr>\r\n"
        for row in rows
    )
    return (
        f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={declared}"></head>'
        f"<body><table border=1>{lines}</table></body></html>"
    ).encode(encoding)


def xml_file(rows: Iterable[Sequence[object]], prologue: str = "") -> bytes:
    """An XML workbook of Excel 2003."""
    from xml.sax.saxutils import escape

    lines = "".join(
        "<Row>"
        + "".join(f'<Cell><Data ss:Type="String">{escape(str(c))}</Data></Cell>' for c in row)
        + "</Row>"
        for row in rows
    )
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prologue}<Workbook xmlns="{space}" xmlns:ss="{space}">'
        f'<Worksheet ss:Name="Sheet1"><Table>{lines}</Table></Worksheet></Workbook>'
    ).encode()


def rezipped(
    good: bytes,
    *,
    replace: Iterable[tuple[str, bytes, bytes]] = (),
    add: Iterable[tuple[str, bytes]] = (),
    drop: Iterable[str] = (),
) -> bytes:
    """The same workbook with parts changed, added or left out."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.infolist():
            data = source.read(member)
            for name, old, new in replace:
                if member.filename == name:
                    assert old in data, (name, old)
                    data = data.replace(old, new, 1)
            if member.filename not in set(drop):
                target.writestr(member.filename, data)
        for name, data in add:
            target.writestr(name, data)
    return out.getvalue()


def with_shared_strings(good: bytes, rich: str | None = None) -> bytes:
    """The same workbook as Excel writes it: texts in a part of their own. `rich` is the text that gets bold letters."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        sheet = archive.read(SHEET)
    texts: dict[bytes, int] = {}

    def share(found: re.Match[bytes]) -> bytes:
        return b'%s t="s"><v>%d</v></c>' % (found[1], texts.setdefault(found[2], len(texts)))

    shared = re.sub(rb'(<c [^>]*?) t="inlineStr"><is><t[^>]*>([^<]*)</t></is></c>', share, sheet)
    bold = b"" if rich is None else rich.encode("ascii", "xmlcharrefreplace")
    items = b"".join(
        b"<si><r><t></t></r><r><rPr><b/></rPr><t>%s</t></r></si>" % text
        if text == bold
        else b'<si><t xml:space="preserve">%s</t></si>' % text
        for text in texts
    )
    space = b"http://schemas.openxmlformats.org/"
    return rezipped(
        good,
        replace=[
            (SHEET, sheet, shared),
            ("xl/_rels/workbook.xml.rels", b"</Relationships>", b'<Relationship Id="rIdShared" Target="sharedStrings.xml" '
             b'Type="%sofficeDocument/2006/relationships/sharedStrings"/></Relationships>' % space),
            ("[Content_Types].xml", b"</Types>", b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
             b'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'),
        ],
        add=[("xl/sharedStrings.xml", b'<sst xmlns="%sspreadsheetml/2006/main">%s</sst>' % (space, items))],
    )  # fmt: skip


def with_doctype(good: bytes, part: str, doctype: bytes) -> bytes:
    """A DOCTYPE before the root element of a part."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        root = re.search(rb"<(?![?!])", archive.read(part))
        assert root is not None
        data = archive.read(part)
    changed = data[: root.start()] + doctype + data[root.start() :]
    return rezipped(good, replace=[(part, data, changed)])


BILLION_LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]>"
)
EXTERNAL_ENTITY = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
PARAMETER_ENTITY = b'<!DOCTYPE l [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'


def zip_bomb(megabytes: int = 291) -> bytes:
    """Spaces without end in a part of a sound workbook."""
    out = io.BytesIO(xlsx_file())
    pad = zipfile.ZipInfo("xl/media/pad.xml")
    pad.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "a") as target, target.open(pad, "w") as part:
        for _ in range(megabytes):
            part.write(b" " * 1_000_000)
    return out.getvalue()


def zip_of(*members: tuple[str, bytes]) -> bytes:
    """A zip that is no workbook."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members:
            target.writestr(name, data)
    return out.getvalue()


def lying_size(good: bytes, part: str = SHEET, declared: int = 100) -> bytes:
    """A workbook whose directory says that a part is smaller than it is."""
    return _change_entry(good, part, 24, struct.pack("<I", declared))


def overlapping_entries(good: bytes, part: str = SHEET, other: str = "xl/styles.xml") -> bytes:
    """Two entries of the directory that point to the same bytes."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        offset = archive.getinfo(other).header_offset
    return _change_entry(good, part, 42, struct.pack("<I", offset + 1))


def encrypted_entry(good: bytes, part: str = SHEET) -> bytes:
    """A zip with a password, told by the flags of an entry."""
    return _change_entry(good, part, 8, struct.pack("<H", 1))


def _change_entry(good: bytes, part: str, place: int, value: bytes) -> bytes:
    """Bytes at a place of a part's entry in the zip's central directory overwritten (APPNOTE 4.3.12)."""
    entry = good.rindex(b"PK\x01\x02", 0, good.rindex(part.encode()))
    return good[: entry + place] + value + good[entry + place + len(value) :]


def duplicate_member(good: bytes) -> bytes:
    """Two parts under one name: readers differ in which they take."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return rezipped(good, add=[(SHEET, b"<worksheet/>")])


def many_members(good: bytes, count: int = 1_100) -> bytes:
    """More parts than any workbook has."""
    return rezipped(good, add=[(f"xl/media/image{n}.png", b"x") for n in range(count)])


def formatted_rows(count: int = 1_048_576, columns: int = 0) -> bytes:
    """A sound register whose clerk formatted the whole sheet: rows without a value to the end."""
    good = xlsx_file()
    cells = "".join(f'<c r="{chr(65 + place)}%(n)d" s="1"/>' for place in range(columns))
    line = f'<row r="%(n)d" spans="1:9" s="1" customFormat="1" ht="14.25">{cells}</row>'
    rows = "".join(line % {"n": number} for number in range(12, count + 1))
    return rezipped(good, replace=[(SHEET, b"</sheetData>", rows.encode() + b"</sheetData>")])


def macro_xls() -> bytes:
    """An .xls container with a storage of macros beside the workbook."""
    import olefile

    with olefile.OleFileIO(io.BytesIO(xls_file(register(3)))) as container:
        book = container.openstream("Workbook").read()
    padded = book.ljust(-(-max(len(book), 4096) // 512) * 512, b"\0")
    return _compound_file({"Workbook": padded, "_VBA_PROJECT_CUR": b"\0" * 4096})


def password_xls() -> bytes:
    """An .xls whose workbook stream begins with the record FILEPASS, as one with an opening password does."""
    import olefile

    with olefile.OleFileIO(io.BytesIO(xls_file(register(3)))) as container:
        book = container.openstream("Workbook").read()
    first = 4 + struct.unpack_from("<H", book, 2)[0]
    key = random.Random(1).randbytes(48)
    locked = book[:first] + struct.pack("<HHHHH", 0x2F, 54, 1, 1, 1) + key + book[first:]
    return _compound_file({"Workbook": locked.ljust(-(-max(len(locked), 4096) // 512) * 512, b"\0")})


def with_formulas(results: list[bytes], *, is_by_office: bool) -> bytes:
    """An .xls whose first phones are formulas with these results: the eight bytes of the value and the low byte of the flags.

    xlwt writes formulas without a value; `is_by_office` adds the summary that only office programs write.
    """
    import olefile
    import xlwt

    rows = register()
    for line in range(1, len(results) + 1):
        rows[line] = person(line, 联系电话=xlwt.Formula(f'"1"&A{line + 1}'))
    with olefile.OleFileIO(io.BytesIO(xls_file(rows))) as container:
        book = container.openstream("Workbook").read()
    for result in results:
        assert book.count(b"\x03\0\0\0\0\0\xff\xff\0") >= 1
        book = book.replace(b"\x03\0\0\0\0\0\xff\xff\0", result.ljust(9, b"\0"), 1)
    streams = {"Workbook": book.ljust(-(-max(len(book), 4096) // 512) * 512, b"\0")}
    if is_by_office:
        streams["\x05SummaryInformation"] = b"\0" * 4096
    return _compound_file(streams)


def encrypted_xlsx(password: str) -> bytes:
    """A workbook with an opening password (agile encryption)."""
    from msoffcrypto.format.ooxml import OOXMLFile

    out = io.BytesIO()
    OOXMLFile(io.BytesIO(xlsx_file())).encrypt(password, out)
    return out.getvalue()


def cut_lengths(size: int, count: int = 100, seed: int = 1) -> list[int]:
    """Random lengths at which a copy broke off."""
    return sorted(random.Random(seed).sample(range(1, size), min(count, size - 1)))


def mac_dates() -> bytes:
    """A workbook that counts its days from 1904."""
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    def change(book: object) -> None:
        book.epoch = CALENDAR_MAC_1904  # type: ignore[attr-defined]

    return xlsx_file(("Sheet1", [("姓名", "出生日期"), ("张一", datetime(1990, 1, 1))]), change=change)  # noqa: DTZ001
