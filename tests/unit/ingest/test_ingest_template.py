"""The fill-in workbook of every list: what a clerk sees in it, and that the platform reads back what was filled in."""

import re
from datetime import date, datetime

import openpyxl
import pytest

from infra.errors import PermanentError
from ingest.contract import load_contracts
from ingest.guidance import allowed_values, example_of, how_to_write, meaning_of
from ingest.headers import missing_columns
from ingest.layout import choose_tables, source_rows
from ingest.normalise.texts import code_text
from ingest.placing import lay_out
from ingest.readers.files import read_file
from ingest.readers.sheet import UnreadableFile
from ingest.rows import judge_rows
from ingest.template import HEADER_ROW, number_format, write_template, write_templates
from ingest.template_marks import CHOICES_SHEET, GUIDE_SHEET

CONTRACTS = load_contracts()
TODAY = date(2026, 11, 24)
EVERY_LIST = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.list_code)


def as_typed(column, text=None):
    """The example, or another text, as a spreadsheet keeps it when it is typed into the template's cell."""
    text = text or example_of(column)
    if number_format(column) == "@":
        return text
    if column.semantic_type in ("date", "datetime"):
        return datetime.fromisoformat(text)
    return int(text) if column.semantic_type == "integer" else float(text)


def read_back(path, contract):
    content = read_file(path.read_bytes(), path.name)
    layout = choose_tables(content, contract)
    rows = list(source_rows(layout, contract))
    return layout, rows


def of_somebody(column):
    """A value for the column that is not the example's wherever a row says who or which it is."""
    if column.semantic_type == "person_name":
        return "赵雪"
    return "B0002" if column.semantic_type == "text" and column.name.endswith("_no") else None


def fill_in(path, contract, row=HEADER_ROW + 1, values=of_somebody, only=lambda column: True):
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    for number, column in enumerate(contract.columns, start=1):
        if only(column):
            sheet.cell(row, number, as_typed(column, values(column)))
    book.save(path)


@EVERY_LIST
def test_an_untouched_template_has_no_row_of_data(contract, tmp_path):
    layout, rows = read_back(write_template(contract, tmp_path), contract)
    assert rows == []
    assert layout.notes == []
    (header,) = [header for _, header in layout.tables]
    assert len(header.match.positions) == len(contract.columns)
    assert missing_columns(header, contract) == []


@EVERY_LIST
def test_a_filled_in_template_is_read_back_without_a_note(contract, tmp_path):
    path = write_template(contract, tmp_path)
    fill_in(path, contract)
    layout, sources = read_back(path, contract)
    rows = judge_rows(sources, contract, TODAY, [], TODAY)
    assert layout.notes == []
    assert rows.quarantined == []
    (row,) = rows.accepted
    assert row.source.row_number == HEADER_ROW + 1
    # What the invented values of one column say about another's is no matter of the template's.
    checks = contract.checks
    kinds = (checks.of_row, checks.of_household, checks.of_block, checks.of_delivery)
    own_rules = {check.rule for kind in kinds for check in kind}
    assert [(w.rule, w.column_name) for w in row.warnings if w.rule not in own_rules] == []


def judged(path, contract):
    return judge_rows(read_back(path, contract)[1], contract, TODAY, [], TODAY)


@EVERY_LIST
def test_our_own_example_left_in_the_list_is_nobody(contract, tmp_path):
    path = write_template(contract, tmp_path)
    fill_in(path, contract, values=lambda column: None)
    fill_in(path, contract, row=HEADER_ROW + 2)
    rows = judged(path, contract)
    assert [(row.rule, row.source.row_number) for row in rows.quarantined] == [
        ("example_row", HEADER_ROW + 1)
    ]
    assert "请删去" in rows.quarantined[0].message
    assert [row.source.row_number for row in rows.accepted] == [HEADER_ROW + 2]


def test_the_example_is_told_by_name_and_number_and_a_namesake_is_somebody(tmp_path):
    contract = CONTRACTS["family_doctor"]
    wanted = ("person_name", "id_no", "phone", "address")
    for others, is_example in (
        ({}, True),
        ({"id_no": "330102198503231240"}, True),  # the phone is still the example's
        ({"id_no": "330102198503231240", "phone": "13906501037", "address": "清水苑1幢1单元101室"}, False),
        ({"person_name": "赵雪"}, False),
    ):
        path = write_template(contract, tmp_path)
        fill_in(
            path,
            contract,
            values=lambda column, others=others: others.get(column.name),
            only=lambda column: column.name in wanted,
        )
        rows = judged(path, contract)
        assert bool(rows.quarantined) == is_example, others


@EVERY_LIST
def test_what_a_spreadsheet_would_spoil_is_kept_as_text(contract, tmp_path):
    sheet = openpyxl.load_workbook(write_template(contract, tmp_path)).worksheets[0]
    for number, column in enumerate(contract.columns, start=1):
        letter = sheet.cell(HEADER_ROW, number).column_letter
        is_text = sheet.column_dimensions[letter].number_format == "@"
        if column.semantic_type in ("id_no", "phone", "disability_certificate", "bank_account", "text"):
            assert is_text, column.name
        if column.semantic_type in ("date", "datetime") and not column.is_month:
            assert not is_text, column.name


@EVERY_LIST
def test_every_column_is_explained_marked_and_checked(contract, tmp_path):
    book = openpyxl.load_workbook(write_template(contract, tmp_path))
    sheet, guide = book.worksheets[0], book[GUIDE_SHEET]
    headers = [cell.value for cell in sheet[HEADER_ROW]]
    assert headers == [f"*{c.header}" if c.is_required else c.header for c in contract.columns]
    explained = {
        row[0].value: row for row in guide.iter_rows() if row[2].value in ("必填", None) and row[4].value
    }
    for column in contract.columns:
        row = explained[column.header]
        assert (row[2].value == "必填") == column.is_required
        assert row[3].value == how_to_write(column)
    validations = {
        str(v.sqref).split(":")[0].rstrip("0123456789"): v for v in sheet.data_validations.dataValidation
    }
    for number, column in enumerate(contract.columns, start=1):
        validation = validations[sheet.cell(HEADER_ROW, number).column_letter]
        assert meaning_of(column.description) in validation.prompt
        assert not re.search(r"密文|令牌|掩码|任何键|（L\d）|GB", validation.prompt + row[1].value)
        # Longer texts make Excel call the file damaged.
        assert len(validation.prompt) <= 255
        assert len(validation.error) <= 255
        assert len(validation.promptTitle) <= 32
        if column.semantic_type in ("code", "boolean"):
            assert validation.type == "list"
            assert offered(book, validation.formula1) == allowed_values(column)
    assert sheet.freeze_panes == f"A{HEADER_ROW + 1}"
    assert sheet.print_title_rows == f"${HEADER_ROW}:${HEADER_ROW}"


def offered(book, formula):
    """What a drop-down offers."""
    if formula.startswith('"'):
        assert len(formula) <= 257
        return formula.strip('"').split(",")
    assert book[CHOICES_SHEET].sheet_state == "hidden"
    return [cell.value for (cell,) in book[CHOICES_SHEET][formula.partition("!")[2].replace("$", "")]]


@EVERY_LIST
def test_every_name_a_drop_down_offers_is_read_as_its_code(contract):
    for column in contract.columns:
        if column.code_list is not None:
            by_text = column.code_list.by_text
            assert [by_text[code_text(name)] for name in allowed_values(column)] == list(
                column.code_list.codes
            )


def test_a_list_of_household_blocks_says_how_a_family_is_written(tmp_path):
    for code, contract in CONTRACTS.items():
        guide = openpyxl.load_workbook(write_template(contract, tmp_path))[GUIDE_SHEET]
        says_so = any("一户几人" in str(row[0].value) for row in guide.iter_rows())
        assert says_so == bool(contract.block_start), code


def test_templates_of_all_lists_or_of_the_named_ones(tmp_path):
    assert [path.name for path in write_templates(tmp_path, ["visit"])] == ["入户走访记录填报模板.xlsx"]
    assert len(write_templates(tmp_path)) == len(CONTRACTS)
    with pytest.raises(PermanentError, match="no_such_list"):
        write_templates(tmp_path, ["no_such_list"])


@EVERY_LIST
def test_a_filled_in_template_in_another_lists_folder_is_told_as_what_it_is(contract, tmp_path):
    """Whatever the other list's readers make of it: a table is no card form of another list (found by a clerk, 2026-11)."""
    path = write_template(contract, tmp_path)
    for row in range(HEADER_ROW + 1, HEADER_ROW + 5):
        fill_in(path, contract, row=row)
    content = read_file(path.read_bytes(), path.name)
    for other in CONTRACTS.values():
        if other is contract:
            lay_out(CONTRACTS, other, content)
            continue
        with pytest.raises(UnreadableFile) as refusal:
            lay_out(CONTRACTS, other, content)
        assert refusal.value.code == "wrong_list", other.list_code
        assert f"内容是《{contract.title}》" in refusal.value.reason
        assert f"{contract.department}/{contract.list_code}" in refusal.value.reason
