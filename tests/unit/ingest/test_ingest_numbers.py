"""Ids and phones in text that is stored and shown in clear."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contract import load_contracts
from ingest.layout import SourceRow
from ingest.normalise.ids import check_character
from ingest.normalise.numbers import with_numbers_hidden, without_numbers
from ingest.rows import judge_rows

ID = "33010219900307123" + check_character("33010219900307123")
ARRIVAL = date(2026, 6, 5)


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (f"近江家园1幢2单元301室 {ID}", "近江家园1幢2单元301室"),
        ("近江家园1幢2单元301室（电话：13812345678）", "近江家园1幢2单元301室"),
        ("近江家园1幢301室（138-1234-5678）", "近江家园1幢301室"),
        ("近江家园1幢301室，0571-88880000", "近江家园1幢301室"),
        ("近江家园 １３８１２３４５６７８", "近江家园"),
        ("近江家园 330102 19900307 1234", "近江家园"),
        ("近江家园 330102********1234", "近江家园"),
        (ID, ""),
    ],
)
def test_long_numbers_are_taken_out_of_text(written, left):
    assert without_numbers(written) == left


@pytest.mark.parametrize(
    "written",
    [
        "近江家园1幢2单元301室",
        "杭州市上城区310008邮编",
        "滨江路1088弄12-3-1501",
        "第3团队",
        "阿卜杜·热依木",
        "",
    ],
)
def test_what_has_no_long_number_stays_as_it_is(written):
    assert without_numbers(written) is None


@given(st.text(alphabet="0123456789Xx -*近江家园幢室()（）", max_size=60))
def test_nothing_like_a_number_is_left(text):
    left = without_numbers(text)
    while left is not None and (again := without_numbers(left)) is not None:
        assert len(again) < len(left)
        left = again
    digits = "".join(c if c.isdigit() else " " for c in (text if left is None else left))
    assert all(len(run) < 7 for run in digits.split())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("名册11010519491231002X202607.csv", "名册110105***********X202607.csv"),
        ("20260711010519491231002X.csv", "202607110105***********X.csv"),
        ("导出20260705123045678901.csv", "导出20260705123045678901.csv"),
        (f"张三{ID}.xlsx", f"张三330102***********{ID[-1]}.xlsx"),
        ("走访_13812345678.csv", "走访_138****5678.csv"),
        ("家庭信息登记表20260805.csv", "家庭信息登记表20260805.csv"),
        ("导出20260805093000123.csv", "导出20260805093000123.csv"),
        ("导出_1785921000123.csv", "导出_1785921000123.csv"),
    ],
)
def test_names_of_files_show_no_id_and_no_phone(name, shown):
    assert with_numbers_hidden(name) == shown


def test_a_row_keeps_no_number_in_clear_text():
    contract = load_contracts()["low_income"]
    cells = {
        "person_name": f"张三 {ID}",
        "id_no": ID,
        "allowance_no": ID,
        "address": "近江家园1幢2单元301室 13812345678",
        "community_name": "近江社区13812345678",
        "remark": f"女儿电话13812345678，{ID}",
    }
    (row,) = judge_rows([SourceRow("", 2, dict(cells), {}, {})], contract, ARRIVAL, []).accepted
    assert row.values["person_name"].name == "张三"
    assert row.values["address"][0] == "近江家园1幢2单元301室"
    assert row.values["address"][1].key == "近江家园|1|2|301"
    assert row.values["community_name"] == "近江社区"
    assert row.values["allowance_no"] is None
    assert row.values["remark"] == cells["remark"], "ciphertext keeps all"
    rules = {(warning.column_name, warning.rule): warning.value for warning in row.warnings}
    for name in ("person_name", "address", "community_name"):
        assert rules[name, "number_in_text"] == cells[name]
    assert rules["allowance_no", "id_in_number_column"] == ID


def test_an_offices_own_numbers_stay():
    contract = load_contracts()["family_doctor"]
    cells = {"person_name": "张三", "id_no": ID, "contract_no": "330102202601150001"}
    (row,) = judge_rows([SourceRow("", 2, cells, {}, {})], contract, ARRIVAL, []).accepted
    assert row.values["contract_no"] == "330102202601150001"
