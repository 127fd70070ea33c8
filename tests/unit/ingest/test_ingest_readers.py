"""Readers: every row of a sound file, a named refusal of every other."""

import contextlib
import csv
import io
import struct
import zipfile
from datetime import date

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.readers.delimited import decode, read_delimited
from ingest.readers.files import read_file
from ingest.readers.sheet import UnreadableFile

ROWS = [("姓名", "身份证号"), ("张三", "1"), ("李四", "2"), ("王𠮷", "3")]


def csv_bytes(rows=ROWS, encoding="utf-8", delimiter=",", end="\r\n"):
    return end.join(delimiter.join(row) for row in rows).encode(encoding)


def workbook(*sheets, change=None):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets or (("Sheet1", ROWS),):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    if change:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rezip(content, *, replace=None, add=None):
    """The same workbook with parts of its XML changed or added."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.infolist():
            data = source.read(member.filename)
            for name, old, new in replace or ():
                if member.filename == name:
                    assert old in data
                    data = data.replace(old, new)
            target.writestr(member.filename, data)
        for name, data in add or ():
            target.writestr(name, data)
    return out.getvalue()


def refusal(content, name="名册.xlsx"):
    with pytest.raises(UnreadableFile) as caught:
        read_file(content, name)
    assert any("一" <= character <= "龥" for character in caught.value.reason)
    return caught.value.code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_is_decoded_strictly_in_fixed_order(encoding):
    content = read_file(csv_bytes(encoding=encoding), "名册.csv")
    assert [row.cells for row in content.sheets[0].rows] == ROWS
    assert [row.number for row in content.sheets[0].rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "，", "|"])
def test_the_delimiter_is_seen(delimiter):
    content = read_delimited(csv_bytes(delimiter=delimiter))
    assert content.sheets[0].rows[3].cells == ROWS[3]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end):
    assert len(read_delimited(csv_bytes(end=end)).sheets[0].rows) == 4


def test_row_numbers_count_blank_lines_and_quoted_line_breaks_as_a_spreadsheet_does():
    content = '姓名,备注\r\n\r\n张三,"第一行\r\n第二行"\r\n ,\r\n李四,"a,""b"""\r\n'.encode()
    rows = read_delimited(content).sheets[0].rows
    assert [(row.number, row.cells) for row in rows] == [
        (1, ("姓名", "备注")),
        (3, ("张三", "第一行\r\n第二行")),
        (5, ("李四", 'a,"b"')),
    ]


def test_a_byte_of_another_encoding_is_refused_not_guessed():
    mixed = "姓名,身份证号\n张三,1\n".encode() + "李四".encode("gb18030")[:3] + b",2\n"
    assert refusal(mixed, "名册.csv") == "not_decodable"
    with pytest.raises(UnreadableFile):
        decode(bytes(range(128, 256)))


def test_an_unclosed_quote_does_not_swallow_rows():
    assert refusal('姓名,备注\n张三,"未完\n李四,好\n'.encode(), "名册.csv") == "broken_quoting"


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
            min_size=3,
            max_size=3,
        ),
        min_size=2,
        max_size=8,
    )
)
@settings(max_examples=60)
def test_whatever_a_csv_writer_writes_is_read_back(table):
    lines = [("甲", "乙", "丙", "丁"), *((f"行{number}", *cells) for number, cells in enumerate(table))]
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(lines)
    assert [row.cells for row in read_delimited(out.getvalue().encode()).sheets[0].rows] == lines


def test_a_workbook_gives_text_numbers_dates_and_row_numbers():
    content = workbook(
        (
            "Sheet1",
            [
                ("姓名", "数", "日"),
                ("张三", 13905711234, date(2026, 7, 5)),
                (None, None, None),
                ("李四", 1.5, None),
            ],
        )
    )
    sheet = read_file(content, "名册.xlsx").sheets[0]
    assert sheet.name == ""
    assert [row.number for row in sheet.rows] == [1, 2, 4]
    assert sheet.rows[1].cells[1] == 13905711234
    assert str(sheet.rows[1].cells[2]).startswith("2026-07-05")
    assert sheet.rows[2].cells[:2] == ("李四", 1.5)


def test_sheets_are_named_only_when_there_are_several():
    sheets = read_file(workbook(("近江社区", ROWS), ("在水社区", ROWS)), "名册.xlsx").sheets
    assert [sheet.name for sheet in sheets] == ["近江社区", "在水社区"]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_told_from_a_visible_one(state):
    content = workbook(
        ("清单", ROWS), ("旧数据", ROWS), change=lambda book: setattr(book["旧数据"], "sheet_state", state)
    )
    assert [sheet.is_hidden for sheet in read_file(content, "名册.xlsx").sheets] == [False, True]


def test_the_suffix_does_not_matter():
    assert len(read_file(workbook(), "名册.csv").sheets[0].rows) == 4
    assert len(read_file(csv_bytes(), "名册.xls").sheets[0].rows) == 4


@pytest.mark.parametrize("dimension", [b"A1", b"A1:A2", b"A1:XFD1048576", b"Z9:Z9"])
def test_a_wrong_dimension_hides_no_row(dimension):
    content = rezip(
        workbook(),
        replace=[
            ("xl/worksheets/sheet1.xml", b'<dimension ref="A1:B4"', b'<dimension ref="' + dimension + b'"')
        ],
    )
    assert [row.cells for row in read_file(content, "名册.xlsx").sheets[0].rows] == ROWS


@pytest.mark.parametrize("place", ["XFD1048576", "A1048576", "XFD3"])
def test_a_stray_cell_far_out_costs_no_memory(place):
    def change(book):
        book.active["A5"] = "赵六"
        book.active[place] = "x"

    rows = read_file(workbook(change=change), "名册.xlsx").sheets[0].rows
    assert [row.cells[:2] for row in rows[:4]] == ROWS
    assert len(rows) == (5 if place.startswith("XFD") else 6)


def test_vertical_merges_are_told():
    def change(book):
        book.active.merge_cells("A2:A4")
        book.active.merge_cells("A1:B1")

    assert read_file(workbook(change=change), "名册.xlsx").sheets[0].vertical_merges == ((0, 2, 4),)


def test_what_is_refused_and_as_what():
    sound = workbook()
    assert refusal(b"") == "empty_file"
    assert refusal(b"\xef\xbb\xbf\r\n", "名册.csv") == "empty_file"
    assert refusal(b"%PDF-1.7 ...") == "pdf"
    assert refusal(b"<html><table></table></html>", "名册.xls") == "no_table"
    assert refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "名册.xls") == "damaged_workbook"
    assert refusal(sound, "名册.xlsm") == "active_content"
    assert refusal(rezip(sound, add=[("xl/vbaProject.bin", b"x")])) == "active_content"
    assert refusal(rezip(sound, add=[("xl/externalLinks/externalLink1.xml", b"<a/>")])) == "active_content"
    doctype = [("xl/worksheets/sheet1.xml", b"<worksheet", b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet')]
    assert refusal(rezip(sound, replace=doctype)) == "dtd_not_allowed"
    assert refusal(rezip(sound, add=[("xl/media/a.xml", b" " * 40_000_000)])) == "too_large_unpacked"
    assert refusal(rezip(sound, add=[("../evil.xml", b"<a/>")])) == "damaged_workbook"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("readme.txt", "x")
    assert refusal(archive.getvalue()) == "not_a_workbook"


def test_a_password_is_told_from_an_old_format():
    # The container that Office writes around an encrypted workbook has a stream EncryptedPackage.
    sector = 512
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )
    header += struct.pack("<I", 0) + b"\xff\xff\xff\xff" * 108
    fat = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE) + b"\xff\xff\xff\xff" * 126

    def entry(name, kind, child):
        raw = name.encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(raw) + 2, kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + b"\0" * 36
            + struct.pack("<IQ", 0xFFFFFFFE, 0)
        )

    directory = entry("Root Entry", 5, 1) + entry("EncryptedPackage", 2, 0xFFFFFFFF) + b"\0" * 256
    content = header.ljust(sector, b"\0") + fat + directory.ljust(sector, b"\0")
    assert refusal(content) == "needs_password"


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.98])
def test_a_workbook_cut_anywhere_is_refused(share):
    sound = workbook()
    assert refusal(sound[: int(len(sound) * share)]) == "damaged_workbook"


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98])
@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
def test_a_part_cut_inside_a_sound_zip_is_damage_and_no_fault_of_the_program(part, share):
    sound = workbook()
    with zipfile.ZipFile(io.BytesIO(sound)) as source:
        data = source.read(part)
    assert refusal(rezip(sound, replace=[(part, data, data[: int(len(data) * share)])])) == "damaged_workbook"


def test_a_cut_sheet_with_a_far_cell_is_damage_too():
    far = workbook(change=lambda book: book.active.cell(1_000_000, 200, "x"))
    cut = [("xl/worksheets/sheet1.xml", b"</sheetData>", b"<row")]
    assert refusal(rezip(far, replace=cut)) == "damaged_workbook"


@given(st.integers(0, 5000), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_flipped_byte_gives_rows_or_a_refusal_never_anything_else(place, value):
    sound = bytearray(workbook())
    sound[place % len(sound)] = value
    with contextlib.suppress(UnreadableFile):
        assert isinstance(read_file(bytes(sound), "名册.xlsx").sheets, list)
