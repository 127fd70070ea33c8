"""Good deliveries of every format that is taken, and what can happen to their bytes: one mutated file a number and seed.

Belongs here: making files. Not here: what must come of them (`mutated`), how they are read independently (`plain_reader`).
"""

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.synthetic import untrusted_files as make

Rows = list[list[object]]
# What section 3 of reliability.md puts into cells.
INJECTIONS: Final = (
    "\x00", "\x01", "\x1a", "\x1f", "\x7f", "\ufeff", "\u202e甲", "\ud7ff", "a\u0301" * 300, "=cmd|'/c calc'!A1", "=1+1", "+1", "-1",
    "@SUM(A1)", "＝1", "'); drop table person; --", "$$", "%s", ":name", "{{ x }}", "\\copy", "\\.", "\\N", "\\", "<script>alert(1)</script>",
    "第一行\n第二行", "a\tb", '"', '""', "'", ",", ";", "x\r\ny", "\u2028", "字" * 40_000, "9" * 5_000, "NaN", "Inf", "1e309", "1E+17", "None", "null",
    "#N/A", "同上", "〃", "合计", "小计", "填表人：甲", "0001-01-01", "9999-12-31", "44000", "3/7/1990", "٣", "²", "𠮷", "\ue000", "\ufffd", "张·三",
    "330102199002310018", "33010219900101001X", "13800138000.0", "   ", "\u3000", "", "姓名", "身份证号",
)  # fmt: skip


@dataclass(frozen=True)
class Mutated:
    """A file after what happened to it.

    Attributes:
        format: Which of `FORMATS` it was made from.
        changes: What was done to it, in order.
    """

    number: int
    format: str
    name: str
    changes: tuple[str, ...]
    content: bytes


def card(number: int) -> list[Sequence[object]]:
    """One household's form."""
    home = make.person(number)
    return [
        ("家庭信息登记表",),
        ("家庭编号", home[0], "社区", home[1], "健康状况", None),
        ("家庭住址", home[2], None, None, "联系电话", home[7]),
        ("家庭成员情况",),
        ("序号", "姓名", "身份证号", "与户主关系", "性别", "爱好"),
        *((n, home[3] + "甲乙丙"[n], make.made_id(3 * number + n), "户主" if n == 0 else "配偶", None, None) for n in range(3)),
        ("备注", "常年在外", None, None, None, None),
        ("填表人：李某", None, None, "填表日期：2026年7月5日", None, None),
    ]  # fmt: skip


def _rows() -> Rows:
    return [list(row) for row in make.register(24)]


def _cards() -> Rows:
    return [list(line) for number in range(1, 5) for line in card(number)]


def _text(encoding: str, delimiter: str = ",") -> Callable[[Rows], bytes]:
    def build(rows: Rows) -> bytes:
        text = io.StringIO(newline="")
        import csv

        csv.writer(text, delimiter=delimiter).writerows(rows)
        return text.getvalue().encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")

    return build


def _xlsx(rows: Rows) -> bytes:
    from openpyxl.utils.exceptions import IllegalCharacterError

    try:
        return make.xlsx_file(("Sheet1", rows))
    except IllegalCharacterError:  # what XML itself forbids cannot be written
        clean = [
            [re.sub(r"[\x00-\x08\x0b-\x1f]", "", c) if isinstance(c, str) else c for c in row] for row in rows
        ]
        return make.xlsx_file(("Sheet1", clean))


def _shared(rows: Rows) -> bytes:
    return make.with_shared_strings(_xlsx(rows))


def _xls(rows: Rows) -> bytes:
    return make.xls_file([[c[:32_000] if isinstance(c, str) else c for c in row] for row in rows])


def _page(rows: Rows) -> bytes:
    from html import escape

    return make.html_file(
        [["" if c is None else escape(str(c)) for c in row] for row in rows], "utf-8", "utf-8"
    )


FORMATS: Final[dict[str, tuple[str, Callable[[], Rows], Callable[[Rows], bytes]]]] = {
    "csv utf-8": ("名册.csv", _rows, _text("utf-8-sig")),
    "csv gb18030": ("名册.csv", _rows, _text("gb18030")),
    "csv utf-16": ("名册.txt", _rows, _text("utf-16", "\t")),
    "xlsx inline": ("名册.xlsx", _rows, _xlsx),
    "xlsx shared": ("名册.xlsx", _rows, _shared),
    "xls": ("名册.xls", _rows, _xls),
    "html": ("名册.xls", _rows, _page),
    "xml": ("名册.xls", _rows, make.xml_file),
    "cards": ("登记表.xlsx", _cards, _xlsx),
}


@cache
def sound(kind: str) -> bytes:
    """The good file of a format."""
    _, rows, build = FORMATS[kind]
    return build(rows())


def mutated(number: int, seed: int) -> Mutated:
    """The file of that number; always the same for a seed."""
    order = random.Random(f"{seed}/{number}")
    kind = list(FORMATS)[number % len(FORMATS)]
    name, rows, build = FORMATS[kind]
    changes: list[str] = []
    content = b""
    if order.random() < 0.45:
        lines = rows()
        for _ in range(order.randint(1, 3)):
            change = order.choice(_OF_CELLS)
            changes.append(change.__name__)
            change(lines, order)
        content = build(lines)
    else:
        content = sound(kind)
    for _ in range(order.randint(0 if changes else 1, 2)):
        fitting = [*_OF_BYTES]
        if kind.startswith("xlsx") or kind == "cards":
            fitting += [*_OF_ZIPS, *_OF_ZIPS]
        elif kind != "xls":
            fitting += [*_OF_LINES, *_OF_LINES]
        mutation = order.choice(fitting)
        changes.append(mutation.__name__)
        content = mutation(content, order)
    return Mutated(number, kind, name, tuple(changes), content)


# --- cells -------------------------------------------------------------------------------------------------------


def inject(rows: Rows, order: random.Random) -> None:
    row = order.choice(rows[1:])
    if row:
        row[order.randrange(len(row))] = order.choice(INJECTIONS)


def inject_into_header(rows: Rows, order: random.Random) -> None:
    if rows[0]:
        rows[0][order.randrange(len(rows[0]))] = order.choice(INJECTIONS[:40])


def empty_column(rows: Rows, order: random.Random) -> None:
    place = order.randrange(1, 6)
    for row in rows[1:]:
        if place < len(row):
            row[place] = None


def swap_cells(rows: Rows, order: random.Random) -> None:
    row = order.choice(rows[1:])
    order.shuffle(row)


def drop_row(rows: Rows, order: random.Random) -> None:
    del rows[order.randrange(len(rows))]


def repeat_row(rows: Rows, order: random.Random) -> None:
    rows.insert(order.randrange(1, len(rows)), list(order.choice(rows[1:])))


def swap_rows(rows: Rows, order: random.Random) -> None:
    first, second = order.sample(range(1, len(rows)), 2)
    rows[first], rows[second] = rows[second], rows[first]


def longer_row(rows: Rows, order: random.Random) -> None:
    order.choice(rows[1:]).extend(["多"] * order.randint(1, 40))


def shorter_row(rows: Rows, order: random.Random) -> None:
    row = order.choice(rows[1:])
    del row[order.randrange(len(row) + 1) :]


def blank_rows(rows: Rows, order: random.Random) -> None:
    place = order.randrange(1, len(rows))
    rows[place:place] = [[None] * len(rows[0]) for _ in range(order.randint(1, 5))]


def ten_times(rows: Rows, order: random.Random) -> None:
    rows.extend([list(row) for row in rows[1:]] * order.randint(1, 10))


# --- bytes -------------------------------------------------------------------------------------------------------


def flip_bits(content: bytes, order: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(order.randint(1, 8)):
        if data:
            data[order.randrange(len(data))] ^= 1 << order.randrange(8)
    return bytes(data)


def other_bytes(content: bytes, order: random.Random) -> bytes:
    data = bytearray(content)
    start = order.randrange(len(data) + 1)
    data[start : start + order.randint(1, 64)] = order.randbytes(order.randint(0, 64))
    return bytes(data)


def cut(content: bytes, order: random.Random) -> bytes:
    return content[: order.randrange(len(content) + 1)]


def twice(content: bytes, order: random.Random) -> bytes:
    start = order.randrange(len(content) + 1)
    piece = content[start : start + order.randint(1, 4_000)]
    return content[:start] + piece + content[start:]


def taken_out(content: bytes, order: random.Random) -> bytes:
    start = order.randrange(len(content) + 1)
    return content[:start] + content[start + order.randint(1, 400) :]


def zeros(content: bytes, order: random.Random) -> bytes:
    start = order.randrange(len(content) + 1)
    return content[:start] + bytes(order.randint(1, 600)) + content[start:]


# --- lines -------------------------------------------------------------------------------------------------------


def _lines(content: bytes) -> tuple[list[bytes], bytes]:
    end = "\r\n".encode("utf-16-le") if content.startswith(b"\xff\xfe") else b"\r\n"
    return content.split(end), end


def line_out(content: bytes, order: random.Random) -> bytes:
    lines, end = _lines(content)
    del lines[order.randrange(len(lines))]
    return end.join(lines)


def lines_swapped(content: bytes, order: random.Random) -> bytes:
    lines, end = _lines(content)
    if len(lines) > 2:
        first, second = order.sample(range(1, len(lines)), 2)
        lines[first], lines[second] = lines[second], lines[first]
    return end.join(lines)


def other_delimiter(content: bytes, order: random.Random) -> bytes:
    old = b"\t" if content.startswith(b"\xff\xfe") else b","
    return content.replace(old, order.choice([b";", b"\t", b"|", b","]))


def one_other_delimiter(content: bytes, order: random.Random) -> bytes:
    lines, end = _lines(content)
    place = order.randrange(len(lines))
    lines[place] = lines[place].replace(b",", b";")
    return end.join(lines)


def quote(content: bytes, order: random.Random) -> bytes:
    start = order.randrange(len(content) + 1)
    return content[:start] + b'"' + content[start:]


def other_line_ends(content: bytes, order: random.Random) -> bytes:
    return content.replace(b"\r\n", order.choice([b"\n", b"\r", b"\n\r", b"\r\n\r\n"]))


def other_encoding(content: bytes, order: random.Random) -> bytes:
    lines, end = _lines(content)
    place = order.randrange(len(lines))
    was, will = order.choice(
        [("utf-8", "gb18030"), ("gb18030", "utf-8"), ("utf-8", "utf-16"), ("gb18030", "big5")]
    )
    lines[place] = lines[place].decode(was, "replace").encode(will, "replace")
    return end.join(lines)


# --- zip and XML -------------------------------------------------------------------------------------------------


def _parts(content: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [(member.filename, archive.read(member)) for member in archive.infolist()]
    except Exception:  # noqa: BLE001 - no zip any more, in whatever way
        return []


def _zipped(parts: list[tuple[str, bytes]]) -> bytes:
    import warnings

    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in parts:
                archive.writestr(name, data)
    return out.getvalue()


def part_renamed(content: bytes, order: random.Random) -> bytes:
    parts = _parts(content)
    if not parts:
        return content
    place = order.randrange(len(parts))
    name = parts[place][0]
    parts[place] = (
        order.choice([name.upper(), f"../{name}", f"/{name}", name + "\x01", name[:-1], f"a/{name}"]),
        parts[place][1],
    )
    return _zipped(parts)


def part_out(content: bytes, order: random.Random) -> bytes:
    parts = _parts(content)
    if not parts:
        return content
    del parts[order.randrange(len(parts))]
    return _zipped(parts)


def part_twice(content: bytes, order: random.Random) -> bytes:
    parts = _parts(content)
    return _zipped([*parts, order.choice(parts)]) if parts else content


def entry_changed(content: bytes, order: random.Random) -> bytes:
    """A size, checksum, flag, method or place in the zip's own records."""
    marks = [found.start() for found in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", content)]
    if not marks:
        return content
    place = order.choice(marks) + order.choice(
        [4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 42]
    )
    value = order.choice(
        [struct.pack("<I", order.getrandbits(32)), b"\0\0\0\0", b"\xff\xff\xff\xff", order.randbytes(2)]
    )
    return content[:place] + value + content[place + len(value) :]


def _in_xml(content: bytes, order: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    parts = _parts(content)
    names = [
        place for place, (name, _) in enumerate(parts) if name.startswith("xl/") and name.endswith(".xml")
    ]
    if not names:
        return content
    place = order.choice([*names, *[n for n in names if "sheet" in parts[n][0] or "shared" in parts[n][0]]])
    name, data = parts[place]
    parts[place] = (name, change(data))
    return _zipped(parts)


def xml_bytes(content: bytes, order: random.Random) -> bytes:
    return _in_xml(
        content,
        order,
        lambda data: order.choice([flip_bits, cut, twice, taken_out, other_bytes])(data, order),
    )


def xml_tag(content: bytes, order: random.Random) -> bytes:
    def change(data: bytes) -> bytes:
        tags = list(re.finditer(rb"<[^<>]*>", data))
        if not tags:
            return data
        tag = order.choice(tags)
        new = order.choice(
            [
                b"",
                tag[0] * 2,
                b"<x>",
                b"</c>",
                b"<!DOCTYPE a>",
                b"<!-- -->",
                b"&bogus;",
                b"&#0;",
                b"<row>",
                b"<![CDATA[x]]>",
            ]
        )
        return data[: tag.start()] + new + data[tag.end() :]

    return _in_xml(content, order, change)


def xml_attribute(content: bytes, order: random.Random) -> bytes:
    def change(data: bytes) -> bytes:
        found = list(re.finditer(rb'="([^"]*)"', data))
        if not found:
            return data
        one = order.choice(found)
        new = order.choice(
            [
                b"",
                b"-1",
                b"0",
                b"99999999999999999999",
                b"A1",
                b"XFD1048576",
                b"ZZZZ9",
                b"s",
                b"str",
                b"b",
                b"e",
                b"x\xff",
                b"A0",
            ]
        )
        return data[: one.start(1)] + new + data[one.end(1) :]

    return _in_xml(content, order, change)


_OF_CELLS: Final = (
    inject, inject, inject, inject, inject_into_header, empty_column, swap_cells, drop_row, repeat_row, swap_rows, longer_row,
    shorter_row, blank_rows, ten_times,
)  # fmt: skip
_OF_BYTES: Final = (flip_bits, other_bytes, cut, twice, taken_out, zeros)
_OF_LINES: Final = (
    line_out, lines_swapped, other_delimiter, one_other_delimiter, quote, other_line_ends, other_encoding, flip_bits,
)  # fmt: skip
_OF_ZIPS: Final = (
    part_renamed, part_out, part_twice, entry_changed, entry_changed, xml_bytes, xml_tag, xml_tag, xml_attribute, xml_attribute,
)  # fmt: skip
