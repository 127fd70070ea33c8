"""Values that a judge from outside found misread: numbers among words, several ids in a cell, people's own words."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.contract import load_contracts
from ingest.normalise.ids import parse_id
from ingest.normalise.phones import parse_phone
from ingest.readers.sheet import Row, Sheet
from ingest.snapshot_dates import find_snapshot_date
from ingest.values import CellReader


@pytest.mark.parametrize(
    "text", ["13712345670（儿子）", "儿子：13712345670", "13712345670 张三", "联系人13712345670（晚上）"]
)
def test_one_phone_among_words_is_taken_and_told(text: str) -> None:
    parsed = parse_phone(text)
    assert (parsed.kind, parsed.text, parsed.finding) == ("mobile", "13712345670", "phone_with_note")


@pytest.mark.parametrize(
    "text", ["137****5670（儿子）", "1371234567（儿子）", "137123456701", "3楼13712345670"]
)
def test_what_is_no_phone_among_words_stays_none(text: str) -> None:
    assert parse_phone(text).kind == "invalid"


@pytest.mark.parametrize("between", [" ", "\n", "", "、", "/"])
def test_two_ids_in_a_cell_are_called_so(between: str) -> None:
    parsed = parse_id(f"11010519491231002X{between}330106199001011234")
    assert (parsed.kind, parsed.finding) == ("damaged", "id_several_numbers")


@pytest.mark.parametrize("text", ["33O106199001011234", "33010619900l011234", "3301O6199O01011234"])
def test_letters_in_an_id_are_named_and_never_put_right(text: str) -> None:
    parsed = parse_id(text)
    assert (parsed.kind, parsed.finding) == ("damaged", "id_letter_for_digit")


@pytest.mark.parametrize("text", ["电话①号\n第二行", "㈠　全角 ＡＢＣ", "= 1+1"])
def test_peoples_own_words_stay_as_written(text: str) -> None:
    column = next(
        column
        for contract in load_contracts().values()
        for column in contract.columns
        if column.semantic_type == "protected_text"
    )
    reader = CellReader(date(2026, 11, 24))
    assert reader.read(column, f" {text} ") == (text, None)


@pytest.mark.parametrize(
    ("note", "file_name", "value", "source"),
    [
        ("2027-01-05", "特困202609.xlsx", date(2026, 9, 30), "file_name"),
        ("2026-08-31", "特困202609.xlsx", date(2026, 8, 31), "note_row"),
        ("2027-01-05", "特困.xlsx", date(2026, 11, 24), "note_row"),
        ("2027-01-05", "特困202703.xlsx", date(2026, 11, 24), "note_row"),
    ],
)
def test_a_day_to_come_in_a_note_gives_way_to_the_file_name(
    note: str, file_name: str, value: date, source: str
) -> None:
    sheet = Sheet("", [Row(1, (f"填报日期：{note}",)), Row(2, ("姓名", "身份证号"))])
    header: Any = SimpleNamespace(first=1, last=1)
    found = find_snapshot_date([(sheet, header)], file_name, date(2026, 11, 24))
    assert (found.value, found.source) == (value, source)
