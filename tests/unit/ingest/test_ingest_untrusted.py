"""Untrusted files: the outcome of each row of reliability.md section 3 that the readers and layouts decide.

The tables in this file are the documentation of the outcomes. Where architecture.md's rule on warnings (a person is not
dropped for a typing error) says otherwise than reliability.md, that rule is what is tested here.
"""

import io
import re
import resource
import subprocess
import sys
import time
import zipfile
from datetime import date

import pytest

from ingest.contract import load_contracts
from ingest.headers import missing_columns
from ingest.layout import source_rows
from ingest.placing import lay_out
from ingest.readers.files import read_file
from ingest.readers.sheet import UnreadableFile
from ingest.rows import judge_rows
from tests.synthetic import untrusted_files as make
from tests.synthetic.bad_files import binary_garbage, mojibake, password_protected_workbook

CONTRACTS = load_contracts()
CONTRACT = CONTRACTS["household_register"]
ARRIVAL = date(2026, 11, 24)
GOOD = make.xlsx_file()
SHARED = make.with_shared_strings(GOOD)
ROWS = make.register()


def outcome(content, name="名册.xlsx", password=None):
    """The refusal's code, or (accepted rows, rules of quarantined rows, rules of warnings)."""
    try:
        layout = lay_out(CONTRACTS, CONTRACT, read_file(content, name, password))
        missing = missing_columns(layout.tables[0][1], CONTRACT)
        judged = judge_rows(source_rows(layout, CONTRACT), CONTRACT, ARRIVAL, missing)
    except UnreadableFile as refusal:
        return (
            refusal.code if any("一" <= sign <= "龥" for sign in refusal.reason) else "reason is not Chinese"
        )
    return (
        len(judged.accepted),
        sorted({row.rule for row in judged.quarantined}),
        sorted({warning.rule for row in judged.accepted for warning in row.warnings}),
    )


def notes(content, name="名册.xlsx"):
    return "；".join(lay_out(CONTRACTS, CONTRACT, read_file(content, name)).notes)


SOUND = (10, [], [])


def _hidden(book):
    sheet = book.worksheets[0]
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    sheet.auto_filter.ref = "A1:I11"


def _comments(book):
    from openpyxl.comments import Comment

    book.worksheets[0]["D2"].comment = Comment("别人的资料 330102195001010011", "x")


def _cells(**values):
    def change(book):
        for place, value in values.items():
            book.worksheets[0][place] = value

    return change


def _errors(book):
    for place, error in (("C2", "#N/A"), ("C3", "#REF!"), ("C4", "#DIV/0!")):
        book.worksheets[0][place] = error
        book.worksheets[0][place].data_type = "e"


def _states(*states):
    def change(book):
        for sheet, state in zip(book.worksheets, states, strict=True):
            sheet.sheet_state = state

    return change


def _merged(book):
    book.worksheets[0]["C3"] = None
    book.worksheets[0].merge_cells("C2:C3")


NOTHING = [("说明",), ("本表由社区填写",)]
SIXTEEN = [(f"说明{n}", NOTHING) for n in range(15)]
XLSX = "名册.xlsx"
part = make.with_doctype
# Rows of section 3, what was sent, its name, the outcome.
CASES = [
    ("B01", "zero bytes", lambda: b"", XLSX, "empty_file"),
    ("B01", "a BOM and line ends", lambda: b"\xef\xbb\xbf\r\n\r\n", "名册.csv", "empty_file"),
    ("B01", "an empty sheet", lambda: make.xlsx_file(("Sheet1", [])), XLSX, "empty_file"),
    ("B02", "header only: no rows, which the ledger refuses", lambda: make.xlsx_file(("Sheet1", ROWS[:1])), XLSX, (0, [], [])),
    # B03 and L9: named what it is, and read where it can be read exactly.
    ("B03", "really an .xls", lambda: make.xls_file(ROWS), XLSX, SOUND),
    ("B03", "really a csv", lambda: make.csv_file(ROWS, "gb18030"), XLSX, SOUND),
    ("B03", "really tabs, named .xls", lambda: make.csv_file(ROWS, "utf-16", "\t"), "名册.xls", SOUND),
    ("B03", "really HTML", lambda: make.html_file(ROWS), "名册.xls", SOUND),
    ("B03", "HTML that declares the wrong charset", lambda: make.html_file(ROWS, "utf-8", "gb2312"), "名册.xls", SOUND),
    ("B03", "really an XML workbook", lambda: make.xml_file(ROWS), "名册.xls", SOUND),
    ("B03", "texts in a part of their own", lambda: SHARED, XLSX, SOUND),
    ("B03", "an .xlsx named .xls", lambda: GOOD, "名册.xls", SOUND),
    ("B03", "PDF", lambda: b"%PDF-1.7\n%\xe2\xe3", XLSX, "pdf"),
    ("B03", "a picture", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 99, XLSX, "not_a_table"),
    ("B03", "a RAR archive", lambda: b"Rar!\x1a\x07\x00" + b"x" * 99, XLSX, "not_a_table"),
    ("B03", "a login page", lambda: b"<!DOCTYPE html><html><body><form>x</form></body></html>", "名册.xls", "no_table"),
    ("B03", "a single-file web page", lambda: b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "名册.xls", "web_archive"),
    ("B03", "a Word document", lambda: make.zip_of(("word/document.xml", b"<a/>")), XLSX, "not_a_workbook"),
    ("B03", "an .ods", lambda: make.zip_of(("mimetype", b"x"), ("content.xml", b"<a/>")), "名册.ods", "opendocument"),
    ("B03", "garbage", binary_garbage, XLSX, "not_a_workbook"),
    ("B03", "encrypted", lambda: make.encrypted_xlsx("甲乙丙"), XLSX, "needs_password"),
    ("B03", "encrypted beyond any password", password_protected_workbook, XLSX, "needs_password"),
    ("B03", "an .xls with a password", make.password_xls, "名册.xls", "needs_password"),
    ("B03", "a zip with a password", lambda: make.encrypted_entry(GOOD), XLSX, "encrypted_archive"),
    ("B04", ".xlsm", lambda: GOOD, "名册.xlsm", "active_content"),
    ("B04", ".xltm", lambda: GOOD, "名册.XLTM", "active_content"),
    ("B04", ".xlsb by name", lambda: GOOD, "名册.xlsb", "active_content"),
    ("B04", ".xlsb by content", lambda: make.zip_of(("xl/workbook.bin", b"x")), XLSX, "binary_workbook"),
    *(
        ("B04", name, lambda name=name: make.rezipped(GOOD, add=[(name, b"<a/>")]), XLSX, "active_content")
        for name in (
            "xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml", "xl/embeddings/oleObject1.bin",
            "xl/connections.xml", "xl/macrosheets/sheet1.xml", "xl/activeX/activeX1.bin", "xl/VBAPROJECT.BIN",
        )
    ),
    ("B04", "macro content type", lambda: make.rezipped(GOOD, replace=[("[Content_Types].xml", b"spreadsheetml.sheet.main+xml", b"ms-excel.sheet.macroEnabled.main+xml")]), XLSX, "active_content"),
    ("B04", "an .xls with macros", make.macro_xls, "名册.xls", "active_content"),
    ("B06", "291 MB of spaces", make.zip_bomb, XLSX, "too_large_unpacked"),
    ("B06", "a zip within a zip", lambda: make.zip_of(("内.xlsx", GOOD)), XLSX, "not_a_workbook"),
    ("B06", "1,100 parts", lambda: make.many_members(GOOD), XLSX, "too_large_unpacked"),
    ("B07", "a part larger than it says", lambda: make.lying_size(GOOD), XLSX, "damaged_workbook"),
    ("B07", "entries that overlap", lambda: make.overlapping_entries(GOOD), XLSX, "damaged_workbook"),
    ("B07", "two parts under one name", lambda: make.duplicate_member(GOOD), XLSX, "damaged_workbook"),
    ("B07", "two names equal but for case", lambda: make.rezipped(GOOD, add=[(make.SHEET.upper(), b"<a/>")]), XLSX, "damaged_workbook"),
    ("B07", "an absolute name", lambda: make.rezipped(GOOD, add=[("/etc/x.xml", b"<a/>")]), XLSX, "damaged_workbook"),
    ("B07", "a name with ..", lambda: make.rezipped(GOOD, add=[("xl/../../x.xml", b"<a/>")]), XLSX, "damaged_workbook"),
    *(
        ("B08", f"{kind} in {name}", lambda name=name, text=text: part(SHARED, name, text), XLSX, "dtd_not_allowed")
        for kind, text in (("billion laughs", make.BILLION_LAUGHS), ("external entity", make.EXTERNAL_ENTITY), ("parameter entity", make.PARAMETER_ENTITY))
        for name in (make.SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels", "docProps/core.xml")
    ),
    ("B08", "a DTD in UTF-16", lambda: make.rezipped(GOOD, drop=[make.SHEET], add=[(make.SHEET, '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><worksheet/>'.encode("utf-16"))]), XLSX, "damaged_workbook"),
    ("B08", "a DTD in an XML workbook", lambda: make.xml_file(ROWS, make.BILLION_LAUGHS.decode()), "名册.xls", "dtd_not_allowed"),
    ("B12", "16 sheets, data in the last", lambda: make.xlsx_file(*SIXTEEN, ("清单", ROWS)), XLSX, SOUND),
    ("B12", "16 sheets, none of the list", lambda: make.xlsx_file(*SIXTEEN), XLSX, "no_header"),
    ("B12", "two sheets of the list (L8)", lambda: make.xlsx_file(("近江社区", ROWS[:6]), ("在水社区", [ROWS[0], *ROWS[6:]])), XLSX, SOUND),
    ("B12", "old rows in a hidden sheet", lambda: make.xlsx_file(("清单", ROWS), ("旧", ROWS[:4]), change=_states("visible", "hidden")), XLSX, SOUND),
    ("B12", "other rows in a hidden sheet", lambda: make.xlsx_file(("清单", ROWS[:4]), ("旧", ROWS), change=_states("visible", "hidden")), XLSX, "hidden_list"),
    ("B12", "rows in a very hidden sheet only", lambda: make.xlsx_file(("说明", NOTHING), ("清单", ROWS), change=_states("visible", "veryHidden")), XLSX, SOUND),
    ("B13", "hidden rows, columns, a filter", lambda: make.xlsx_file(change=_hidden), XLSX, SOUND),
    ("B14", "title rows above", lambda: make.xlsx_file(("一", [("家庭信息登记表",), ("填表单位：近江",), *ROWS])), XLSX, SOUND),
    ("B14", "header in row 30", lambda: make.xlsx_file(("一", [("说明",)] * 29 + ROWS)), XLSX, "no_header"),
    ("B15", "total, blank and footer rows", lambda: make.xlsx_file(("一", [*ROWS, (), ("合计", "10人"), ("填表人：", "审核人：")])), XLSX, (10, ["total_row"], [])),
    ("B16", "an address merged down", lambda: make.xlsx_file(change=_merged), XLSX, SOUND),
    ("B17", "a formula without a value", lambda: make.xlsx_file(change=_cells(C2="=A2&B2")), XLSX, (10, [], ["formula_without_value"])),
    ("B17", "a formula without a value, and a cell far out", lambda: make.xlsx_file(change=_cells(C2="=A2&B2", XFD1048576="x")), XLSX, (10, [], ["formula_without_value"])),
    ("B18", "errors in cells", lambda: make.xlsx_file(change=_errors), XLSX, (10, [], ["spreadsheet_error"])),
    ("B20", "an id as a number", lambda: make.xlsx_file(change=_cells(E2=330102195001010011)), XLSX, (10, [], ["id_stored_as_number"])),
    ("B21", "phones as exact numbers", lambda: make.xlsx_file(change=_cells(H2=13958127346, H3=13958127347.0)), XLSX, SOUND),
    ("B46", "one GBK line in UTF-8", lambda: make.csv_file(ROWS[:5], "utf-8") + make.csv_file(ROWS[5:], "gb18030")[:-3] + b"\xff\xff\r\n", "名册.csv", "not_decodable"),
    ("B47", "UTF-8 read as GBK and saved", lambda: mojibake(make.csv_file(ROWS)), "名册.csv", "garbled_text"),
    ("B47", "the same within a workbook", lambda: make.xlsx_file(("一", [[str(c).encode().decode("gbk", "replace") for c in row] for row in ROWS])), XLSX, "garbled_text"),
    *(("B45", encoding, lambda encoding=encoding: make.csv_file(ROWS, encoding), "名册.csv", SOUND) for encoding in ("utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16")),
    *(("B45", f"{encoding} without its mark", lambda encoding=encoding: make.csv_file(ROWS, encoding), "名册.csv", SOUND) for encoding in ("utf-16-le", "utf-16-be")),
    ("B45", "Big5 is none of the agreed encodings", lambda: "".join(",".join(map(str, r)) + "\n" for r in [("家庭編號", "姓名", "身份證號"), ("1", "張一", "2")]).encode("big5"), "名册.csv", "big5"),
    *(("B49", repr(sign), lambda sign=sign: make.csv_file(ROWS, delimiter=sign), "名册.csv", SOUND) for sign in ";\t，|"),
    *(("B49", repr(end), lambda end=end: make.csv_file(ROWS, end=end), "名册.csv", SOUND) for end in ("\n", "\r", "\r\n")),
    ("B49", "no final line end", lambda: make.csv_file(ROWS)[:-2], "名册.csv", SOUND),
    ("B50", "an unclosed quote", lambda: make.csv_file(ROWS[:6]) + '"未完,1\r\n'.encode() + make.csv_file(ROWS[6:], "utf-8"), "名册.csv", "broken_quoting"),
    ("B51", "a longer and a shorter row", lambda: make.csv_file([*ROWS, (*make.person(11), "多"), make.person(12)[:5]]), "名册.csv", (11, ["row_longer_than_header"], ["row_shorter_than_header"])),
    ("B52", "a required header twice", lambda: make.csv_file([(*row, cell) for row, cell in zip(ROWS, ["身份证号"] + ["1"] * 10, strict=True)]), "名册.csv", "doubled_header"),
    ("B52", "an unknown column", lambda: make.csv_file([(*row, cell) for row, cell in zip(ROWS, ["年收入"] + ["1"] * 10, strict=True)]), "名册.csv", SOUND),
    ("B53", "columns in another order", lambda: make.csv_file([row[::-1] for row in ROWS]), "名册.csv", SOUND),
    ("B54", "the id under another title", lambda: make.csv_file([["公民身份号码" if c == "身份证号" else c for c in row] for row in ROWS]), "名册.csv", SOUND),
    ("B54", "two titles for the id: two matches are refused when they differ", lambda: make.csv_file([(*row, cell) for row, cell in zip(ROWS, ["证件号"] + ["1"] * 10, strict=True)]), "名册.csv", "doubled_header"),
    ("B85", "a comment with somebody's data", lambda: make.xlsx_file(change=_comments), XLSX, SOUND),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "name", "expected"),
    [pytest.param(build, name, expected, id=f"{ref}-{what}") for ref, what, build, name, expected in CASES],
)
def test_every_kind_of_file_has_its_outcome(build, name, expected):
    started = time.monotonic()
    assert outcome(build(), name) == expected
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("length", make.cut_lengths(len(GOOD)))
def test_b05_a_workbook_cut_anywhere_is_refused_at_once(length):
    started = time.monotonic()
    assert outcome(GOOD[:length]) in ("damaged_workbook", "no_header", "not_a_workbook")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("length", make.cut_lengths(len(make.xls_file(ROWS)), 30))
def test_b05_an_old_workbook_cut_anywhere_is_refused_or_whole(length):
    assert outcome(make.xls_file(ROWS)[:length], "名册.xls") in (
        "damaged_workbook",
        "not_a_workbook",
        "no_header",
        SOUND,
    )


@pytest.mark.parametrize("stated", [b"A1", b"A1:A2", b"A1:XFD1048576", b"Z9", None])
def test_b09_a_wrong_or_missing_dimension_hides_no_row(stated):
    new = b"" if stated is None else b'<dimension ref="' + stated + b'"/>'
    content = make.rezipped(GOOD, replace=[(make.SHEET, b'<dimension ref="A1:I11"/>', new)])
    assert outcome(content) == SOUND


@pytest.mark.parametrize("place", ["XFD1048576", "A1048576", "XFD3", "IW3"])
def test_b10_a_stray_cell_far_out_is_told_and_the_rows_are_read(place):
    started = time.monotonic()
    content = make.xlsx_file(change=_cells(**{place: " "}))
    assert outcome(content) == SOUND
    assert time.monotonic() - started < 5


def test_b10_a_stray_cell_far_out_in_an_old_workbook_is_refused():
    content = make.xls_file(ROWS, change=lambda _, sheet: sheet.write(65_535, 255, "x"))
    assert outcome(content, "名册.xls") == "cells_too_far"


@pytest.mark.parametrize("columns", [0, 2])
def test_b11_a_million_formatted_rows_cost_neither_time_nor_memory(columns, tmp_path):
    path = tmp_path / "名册.xlsx"
    path.write_bytes(make.formatted_rows(columns=columns))
    script = (
        "import sys, time; from pathlib import Path; from ingest.readers.files import read_file\n"
        "content = Path(sys.argv[1]).read_bytes(); begun = time.process_time()\n"
        "rows = read_file(content, 'a.xlsx').sheets[0].rows\n"
        # Not ru_maxrss, which a child inherits from the process it was forked from.
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(len(rows), time.process_time() - begun, peak)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    rows, seconds, kilobytes = done.stdout.split()
    assert rows == "11"
    assert float(seconds) < 10
    assert int(kilobytes) < 500_000


def test_b12_b13_b85_what_was_not_read_or_is_hidden_is_noted():
    hidden = make.xlsx_file(("清单", ROWS), ("旧", ROWS[:4]), change=_states("visible", "hidden"))
    assert "工作表“旧”（隐藏）的各行都已在读取的工作表里，未重复读取" in notes(hidden)
    only_hidden = make.xlsx_file(("说明", NOTHING), ("清单", ROWS), change=_states("visible", "veryHidden"))
    assert "是隐藏的，已读取" in notes(only_hidden)
    assert "隐藏的行或列" in notes(make.xlsx_file(change=_hidden))
    assert "批注没有读取" in notes(make.xlsx_file(change=_comments))
    assert "隐藏" not in notes(GOOD)


def test_b16_a_merged_address_is_everybodys_it_is_merged_over():
    layout = lay_out(CONTRACTS, CONTRACT, read_file(make.xlsx_file(change=_merged), XLSX))
    first, second, *_ = source_rows(layout, CONTRACT)
    assert first.cells["address"] == second.cells["address"] == ROWS[1][2]


def test_b19_types_of_cells_and_the_workbooks_own_epoch():
    sheet = read_file(make.mac_dates(), XLSX).sheets[0]
    assert str(sheet.rows[1].cells[1]).startswith("1990-01-01")
    rich = make.with_shared_strings(
        make.xlsx_file(("一", [("姓名", "是否"), ("富文本", True)])), rich="富文本"
    )
    assert read_file(rich, XLSX).sheets[0].rows[1].cells == ("富文本", True)


TEXTS = {
    "B33": ["NA", "null", "None", "nan", "Inf", "TRUE", "真"],
    "B34": ["𠮷", "䶮", "㛃", "?"],
    "B35": ["阿卜杜·热合曼", "阿卜杜•热合曼", "阿卜杜・热合曼·买买提·吐尔逊·艾合买提江·玉素甫·卡德尔"],
    "B36": ["⼀", "㈠", "豈"],
    "B37": ["a\u202eb", "a\u200db", "a" + "\u0301" * 1000, "😀"],
    "B39": ["字" * 32_767],
    "B40": ["第一行\n第二行", 'a"b', "a,b;c\td", "'", '""'],
    "B41": ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "＝1", '"=1'],
    "B42": ["'); drop table person; --", "$$", "%s", ":name", "{{ x }}", "\\copy", "\\."],
    "B43": ["<script>alert(1)</script>", "javascript:alert(1)", "data:text/html," + "A" * 30_000],
    "B44": ["x\n2026-11-24 ERROR gone", "[31mred"],
}


@pytest.mark.parametrize(("ref", "text"), [(ref, text) for ref, texts in TEXTS.items() for text in texts])
def test_b33_to_b44_what_a_cell_says_is_read_exactly(ref, text):
    rows = [("姓名", "备注"), ("张一", text)]
    assert read_file(make.csv_file(rows), "a.csv").sheets[0].rows[1].cells[1] == text
    assert read_file(make.csv_file(rows, "gb18030"), "a.csv").sheets[0].rows[1].cells[1] == text

    def change(book):
        for row in book.worksheets[0].iter_rows():
            for cell in row:
                cell.data_type = "s"  # text, also where it begins with =

    assert read_file(make.xlsx_file(("一", rows), change=change), XLSX).sheets[0].rows[1].cells[1] == text


def test_b38_control_characters_never_reach_a_name():
    content = make.csv_file([*ROWS, make.person(11, 姓名="张\x01一"), make.person(12, 姓名="王\x1a二")])
    accepted, quarantined, warnings = outcome(content, "名册.csv")
    assert accepted + len(quarantined) >= 11
    assert warnings or quarantined


def test_b39_a_cell_beyond_all_measure_is_refused():
    assert (
        outcome(make.csv_file([*ROWS, make.person(11, 备注="字" * 1_100_000)]), "名册.csv")
        == "broken_quoting"
    )


LONG = "长" * 100_001


def long_cell(ref, text):
    """The good workbook with a text that Excel itself could not have put into a cell."""
    item = f'<c r="{ref}" t="inlineStr"><is><t>{text}</t></is></c>'.encode()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        cell = re.search(rb'<c r="%s"[^>]*?(/>|>.*?</c>)' % ref.encode(), archive.read(make.SHEET))[0]
    return make.rezipped(GOOD, replace=[(make.SHEET, cell, item)])


def register_with(text):
    return [*ROWS[:5], make.person(5, 备注=text), *ROWS[6:]]


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("名册.csv", lambda text: make.csv_file(register_with(text))),
        ("名册.txt", lambda text: make.csv_file(register_with(text), "gb18030", "\t")),
        ("名册.xlsx", lambda text: long_cell("C6", text)),
        ("名册.xlsx", lambda text: make.with_shared_strings(long_cell("C6", text))),
        ("名册.xls", lambda text: make.html_file(register_with(text))),
        ("名册.xls", lambda text: make.xml_file(register_with(text))),
    ],
)
def test_b39_a_cell_longer_than_any_remark_condemns_its_row_and_no_other(name, build):
    assert outcome(build(LONG), name)[:2] == (9, ["cell_too_long"])
    assert outcome(build(LONG[:-1]), name)[:2] == (10, [])


def test_b39_the_longest_cell_of_an_old_workbook_is_no_longer_than_allowed():
    # The format counts a text's characters in 16 bits.
    assert outcome(make.xls_file(register_with("长" * 32_767)), "名册.xls")[:2] == (10, [])
    with pytest.raises(Exception, match="String longer than 32767"):
        make.xls_file(register_with("长" * 32_768))


@pytest.mark.parametrize(
    "text", ["表(" * 100_000, "(" * 200_000, "备注：" + LONG, "□自有☑租赁" * 30_000, "1" * 200_000]
)
def test_b39_a_cell_beyond_all_measure_costs_no_time_wherever_it_stands(text):
    started = time.monotonic()
    for rows in (
        [[text], *ROWS],
        [ROWS[0], [text, "合计"], *ROWS[1:]],
        [*ROWS, [text]],
        [
            ["家庭信息登记表"],
            ["家庭编号", "WJ01"],
            [text],
            ["家庭住址", text],
            ["姓名", "张一", text],
            ["身份证号", text],
        ],
    ):
        assert outcome(make.csv_file(rows), "名册.csv")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        b"<c " * 300_000,
        b'<c r="A1" t="e"><f>' * 50_000,
        b"<row " * 200_000 + b'hidden="x"',
        b"<c r =" * 100_000,
    ],
)
def test_no_pattern_loses_its_time_in_a_sheet_made_for_it(text):
    content = make.rezipped(GOOD, replace=[(make.SHEET, b"</sheetData>", text + b"</sheetData>")])
    started = time.monotonic()
    assert outcome(content) in ("damaged_workbook", "too_large_unpacked", "no_header", SOUND)
    assert time.monotonic() - started < 5


def test_no_pattern_loses_its_time_in_a_page_made_for_it():
    started = time.monotonic()
    assert outcome(b"<!---->" * 500 + b"x", "a.xls") in ("no_header", "no_table")
    assert time.monotonic() - started < 2


class TestPasswords:
    def test_the_right_password_opens_the_workbook(self):
        assert outcome(make.encrypted_xlsx("甲乙丙123"), password="甲乙丙123") == SOUND

    @pytest.mark.parametrize("password", ["甲乙丙", "x" * 300, "\0"])
    def test_a_wrong_one_is_said_to_be_wrong_and_stands_nowhere(self, password):
        content = make.encrypted_xlsx("甲乙丙123")
        with pytest.raises(UnreadableFile) as caught:
            read_file(content, XLSX, password)
        assert caught.value.code == "wrong_password"
        assert password not in f"{caught.value!r}{caught.value.reason}{caught.value.__cause__!r}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_excels_own_word_for_no_password_is_known(self):
        assert outcome(make.encrypted_xlsx("VelvetSweatshop")) == SOUND

    def test_a_sound_workbook_ignores_a_password(self):
        assert outcome(GOOD, password="x") == SOUND

    def test_an_encrypted_workbook_is_inspected_like_any_other(self):
        from msoffcrypto.format.ooxml import OOXMLFile

        out = io.BytesIO()
        OOXMLFile(io.BytesIO(make.with_doctype(GOOD, make.SHEET, make.BILLION_LAUGHS))).encrypt("x", out)
        assert outcome(out.getvalue(), password="x") == "dtd_not_allowed"


class TestOldWorkbooks:
    def test_errors_hidden_rows_and_hidden_sheets_are_told(self):
        def change(book, sheet):
            sheet.row(3).hidden = True
            book.add_sheet("旧").write(0, 0, "x")

        content = make.xls_file(ROWS, change=change)
        read = read_file(content, "a.xls")
        assert [sheet.name for sheet in read.sheets] == ["Sheet1", "旧"]
        assert "隐藏" in "".join(read.sheets[0].notes)

    # Values of formulas as they stand in the file: none as xlwt has it, none as POI has it, 2.0.
    EMPTY, ZERO, TWO = b"\x03\0\0\0\0\0\xff\xff\0", b"\0" * 8 + b"\x02", b"\0" * 7 + b"\x40\x02"

    @pytest.mark.parametrize("result", [ZERO, b"\x03\0\0\0\0\0\xff\xfe"])
    def test_the_results_of_formulas_are_read_as_they_stand(self, result):
        content = make.with_formulas([result, self.TWO], is_by_office=False)
        sheet = read_file(content, "a.xls").sheets[0]
        assert sheet.rows[2].cells[7] == 2
        assert "#CALC!" not in [cell for row in sheet.rows for cell in row.cells]

    @pytest.mark.parametrize("results", [[EMPTY, EMPTY], [ZERO, ZERO], [ZERO, EMPTY]])
    def test_b17_formulas_that_a_library_wrote_have_no_value(self, results):
        content = make.with_formulas(results, is_by_office=False)
        assert outcome(content, "名册.xls") == (10, [], ["formula_without_value"])
        cells = [row.cells[7] for row in read_file(content, "a.xls").sheets[0].rows[1:3]]
        assert cells == ["#CALC!", "#CALC!"]

    @pytest.mark.parametrize(
        ("results", "is_noted"), [([EMPTY, EMPTY], False), ([ZERO, ZERO], True), ([ZERO, TWO], False)]
    )
    def test_b17_of_what_an_office_program_saved_the_format_cannot_tell(self, results, is_noted):
        content = make.with_formulas(results, is_by_office=True)
        assert "spreadsheet_error" not in outcome(content, "名册.xls")[2]
        assert ("公式的结果全部是 0" in notes(content, "名册.xls")) == is_noted

    def test_numbers_dates_and_merges(self):
        import xlwt

        def change(_, sheet):
            sheet.write(11, 0, 13905711234)
            sheet.write(11, 1, 330102195001010011.0)
            sheet.write(11, 2, date(2026, 7, 5), xlwt.easyxf(num_format_str="yyyy-mm-dd"))
            sheet.write_merge(12, 14, 0, 0, "合")

        sheet = read_file(make.xls_file(ROWS, change=change), "a.xls").sheets[0]
        cells = sheet.rows[11].cells
        assert cells[0] == 13905711234
        assert isinstance(cells[1], float)
        assert cells[2] == date(2026, 7, 5)
        assert (0, 13, 15) in sheet.vertical_merges


def test_the_memory_of_this_process_stayed_small():
    # The whole corpus went through one process: nothing in it may have been laid out as a giant rectangle.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 < 1500


def test_the_corpus_is_made_of_what_it_says():
    with zipfile.ZipFile(io.BytesIO(make.zip_bomb())) as bomb:
        assert sum(member.file_size for member in bomb.infolist()) > 291_000_000
    assert len(make.zip_bomb()) < 1_000_000
