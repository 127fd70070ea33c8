"""Rows: blocks filled down, footers told, faulty values set aside, persons kept."""

import io
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.batches import Table, batches_of
from ingest.column_words import words
from ingest.contract import load_contracts
from ingest.footers import is_example_row, is_total_row
from ingest.layout import choose_tables, missing_columns, source_rows
from ingest.normalise.ids import check_character
from ingest.readers.delimited import stream_delimited
from ingest.readers.sheet import Content, Row, Sheet, UnreadableFile
from ingest.rows import judge_rows

CONTRACTS = load_contracts()
ARRIVAL = date(2026, 11, 24)


def made_id(birth="19850323", sequence="124"):
    first_17 = f"330102{birth}{sequence}"
    return first_17 + check_character(first_17)


WOMAN, MAN, CHILD = made_id(), made_id("19830101", "111"), made_id("20150202", "333")


def judge(list_code, *sheets, merges=()):
    """Judge tables given as lists of lines (the first one the header)."""
    contract = CONTRACTS[list_code]
    content = Content(
        [
            Sheet(
                name if len(sheets) > 1 else "",
                [
                    Row(n, tuple(line))
                    for n, line in enumerate(lines, start=1)
                    if any(c not in (None, "") for c in line)
                ],
                title=name,
                vertical_merges=merges,
            )
            for name, lines in sheets
        ],
        {},
    )
    layout = choose_tables(content, contract)
    missing = missing_columns(layout.tables[0][1], contract)
    return judge_rows(source_rows(layout, contract), contract, ARRIVAL, missing), layout


def register(*lines, header=("家庭编号", "姓名", "身份证号", "与户主关系", "性别", "出生日期", "家庭住址")):
    return judge("household_register", ("表", [header, *lines]))[0]


def rules(row):
    return [warning.rule for warning in row.warnings]


def told(row):
    return [(warning.rule, warning.column_name) for warning in row.warnings]


LOW_HEADER = (
    "序号",
    "低保证号",
    "户主姓名",
    "户主身份证号",
    "成员姓名",
    "身份证号码",
    "与户主关系",
    "家庭住址",
    "所属社区",
)


def low_income(*lines, **options):
    return judge("low_income", ("表", [LOW_HEADER, *lines]), **options)[0]


def test_household_columns_are_filled_down_until_the_next_household():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
        (None, None, None, None, "王思", MAN, "配偶", None, None),
        ("2", "D2", "李四", MAN, "李四", MAN, "本人", "莫邪塘2-1-202", None),
        ("合计", None, "2户", None, "3人", None, None, None, None),
    )
    first, second, third = judged.accepted
    assert [row.source.block_no for row in judged.accepted] == [1, 1, 2]
    assert second.values["allowance_no"] == "D1"
    assert second.values["address"][1].key == first.values["address"][1].key == "清水苑|1|1|101"
    assert second.values["community_name"] == "近江社区"
    assert third.values["community_name"] is None
    assert [row.rule for row in judged.quarantined] == ["total_row"]


def test_households_repeated_on_every_row_are_blocks_too_and_serial_numbers_start_none():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
        ("2", "D1", "赵雪", WOMAN, "王思", MAN, "配偶", "清水苑1幢1单元101室", "近江社区"),
        ("3", "D2", "李四", MAN, "李四", MAN, "本人", "莫邪塘2-1-202", "近江社区"),
    )
    assert [row.source.block_no for row in judged.accepted] == [1, 1, 2]


def test_a_second_head_without_a_certificate_starts_a_household():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", None),
        (None, None, None, None, "李四", MAN, "户主", None, None),
    )
    assert [row.source.block_no for row in judged.accepted] == [1, 2]
    assert judged.accepted[1].values["allowance_no"] is None


TWO_FAMILIES = [
    # One certificate for two families; a family listed at two places.
    [("1", "D1", "赵雪", None, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
     (None, None, None, None, "王思", MAN, "配偶", None, None),
     ("2", "D1", "李四", None, "李四", MAN, "户主", "莫邪塘2-1-202", "在水社区"),
     (None, None, None, None, "王小", CHILD, "子", None, None)],
    [("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
     (None, None, None, None, "王思", MAN, "配偶", None, None),
     ("2", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "莫邪塘2-1-202", "在水社区"),
     (None, None, None, None, "王小", CHILD, "子", None, None)],
    # Two heads of one name, without certificate and serial number.
    [(None, None, "赵雪", None, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
     (None, None, None, None, "王思", MAN, "配偶", None, None),
     (None, None, "赵雪", None, "赵雪", MAN, "户主", "莫邪塘2-1-202", "在水社区"),
     (None, None, None, None, "王小", CHILD, "子", None, None)],
]  # fmt: skip


@pytest.mark.parametrize("lines", TWO_FAMILIES)
def test_a_household_lasts_until_the_next_head_whatever_they_share(lines):
    judged = low_income(*lines)
    assert [row.source.block_no for row in judged.accepted] == [1, 1, 2, 2]
    fourth = judged.accepted[3].values
    assert fourth["community_name"] == "在水社区"
    assert fourth["address"][1].key == "莫邪塘|2|1|202"
    assert fourth["head_name"].name == lines[2][2]


@pytest.mark.parametrize("lines", TWO_FAMILIES)
def test_a_text_file_tells_the_same_households(lines):
    """Also where every row says its household, so that rows are told by columns."""
    lines = [
        ("D1" if cell is None and place == 1 else cell for place, cell in enumerate(line)) for line in lines
    ]
    content = "\n".join(",".join(cell or "" for cell in line) for line in [LOW_HEADER, *lines]).encode()
    streamed = stream_delimited(lambda: io.BytesIO(content), len(content))
    layout = choose_tables(streamed, load_contracts()["low_income"])
    rows = []
    for batch in batches_of(layout, load_contracts()["low_income"]):
        rows += (
            [batch.row(index) for index in range(len(batch.numbers))] if isinstance(batch, Table) else batch
        )
    assert [row.block_no for row in rows] == [1, 1, 2, 2]
    assert rows[3].cells["community_name"] == "在水社区"


def test_a_row_that_names_only_its_head_is_the_heads():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, None, None, None, "清水苑1幢1单元101室", "近江社区"),
        ("2", "D2", "李四", None, "/", "无", None, "莫邪塘2-1-202", "在水社区"),
        (None, None, None, None, "王小", CHILD, "子", None, None),
    )
    assert [row.values["person_name"].name for row in judged.accepted] == ["赵雪", "李四", "王小"]
    assert judged.accepted[0].values["id_no"].text == WOMAN
    assert [row.values["relation_code"] for row in judged.accepted][:2] == ["02", "02"]
    assert ("head_is_member", "person_name") in told(judged.accepted[0])
    assert ("required_value_missing", "id_no") in told(judged.accepted[1])
    assert told(judged.accepted[2]) == []


def test_a_households_own_line_above_its_members_is_no_second_head():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, None, None, None, "清水苑1幢1单元101室", "近江社区"),
        (None, None, None, None, "赵雪", WOMAN, "户主", None, None),
        (None, None, None, None, "王思", MAN, "配偶", None, None),
    )
    assert [row.source.row_number for row in judged.accepted] == [3, 4]
    assert [row.rule for row in judged.quarantined] == ["no_identity"]


MONEY_HEADER = (*LOW_HEADER, "家庭人口", "月保障金额")


def money(*lines, header=MONEY_HEADER):
    return judge("low_income", ("表", [header, *lines]))[0]


def test_a_member_whose_row_says_another_amount_stays_in_the_household_and_is_told():
    """The page of the list says what starts a household; an amount is none of it."""
    judged = money(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区", 3, 1200),
        (None, None, None, None, "王思", MAN, "配偶", None, None, None, 900),
        (None, None, None, None, "王小", CHILD, "子", None, None, "三人", "1,200.00"),
    )
    first, second, third = judged.accepted
    assert [row.source.block_no for row in judged.accepted] == [1, 1, 1]
    assert [row.values["allowance_no"] for row in judged.accepted] == ["D1"] * 3
    assert [row.values["address"][1].key for row in judged.accepted] == ["清水苑|1|1|101"] * 3
    assert [float(row.values["monthly_allowance"]) for row in judged.accepted] == [1200] * 3
    assert (told(first), told(second), told(third)) == (
        [],
        [("household_value_differs", "monthly_allowance")],
        [("household_value_differs", "household_size")],
    )
    assert "“月保障金额(元)”：与户主行不同，已按户主行取值" in second.warnings[0].message
    assert second.warnings[0].value == "900"


@pytest.mark.parametrize(
    ("line", "blocks", "rule"),
    [
        # A member says so: the household is the one above, whatever else the row says.
        ((None, None, None, None, "李四", MAN, "配偶", "莫邪塘2-1-202", None, None, None), [1, 1], "household_value_differs"),
        # Nobody's member, another door: not put into the neighbours' household.
        ((None, None, None, None, "李四", MAN, None, "莫邪塘2-1-202", None, None, None), [1, 2], "household_not_named"),
        (("2", None, None, None, "李四", MAN, None, None, None, None, 900), [1, 2], "household_not_named"),
        ((None, None, None, None, "李四", MAN, "户主", None, None, None, None), [1, 2], "household_not_named"),
        # A serial number that counts persons starts nothing.
        (("2", None, None, None, "李四", MAN, None, None, None, None, None), [1, 1], None),
    ],
)  # fmt: skip
def test_a_row_that_names_no_household(line, blocks, rule):
    judged = money(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区", 2, 1200), line
    )
    assert [row.source.block_no for row in judged.accepted] == blocks
    column = {"household_value_differs": "address", "household_not_named": "allowance_no"}.get(rule)
    assert told(judged.accepted[1]) == ([(rule, column)] if rule else [])


def test_a_faulty_value_of_a_household_is_told_once_where_it_stands():
    judged = money(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区", 99, 1200),
        (None, None, None, None, "王思", MAN, "配偶", None, None, None, None),
        (None, None, None, None, "王小", CHILD, "子", None, None, None, None),
    )
    assert list(map(told, judged.accepted)) == [[("integer_out_of_range", "household_size")], [], []]


def test_a_faulty_merged_cell_is_told_once():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
        ("2", "D2", "李四", MAN, "李四", MAN, "户主", None, None),
        merges=((7, 2, 3),),
    )
    assert list(map(told, judged.accepted)) == [[], []]
    vague = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑", "近江社区"),
        ("2", "D2", "李四", MAN, "李四", MAN, "户主", None, None),
        merges=((7, 2, 3),),
    )
    assert list(map(told, vague.accepted)) == [[("address_incomplete", "address")], []]


def test_same_as_above_where_nothing_is_taken_from_above_is_told_as_such():
    judged = register(("同上", "同上", MAN, "户主", "", "", "清水苑1幢1单元101室"))
    assert told(judged.accepted[0]) == [
        ("ditto_unresolved", "source_household_no"),
        ("ditto_unresolved", "person_name"),
    ]
    assert judged.accepted[0].warnings[1].message == "“姓名”：写的是“同上”，没有取值。请写出姓名。"


def test_a_flat_register_is_not_filled_with_the_neighbours_number():
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "女", "1985-03-23", "清水苑1幢1单元101室"),
        ("", "李四", MAN, "户主", "男", "1983-01-01", "莫邪塘2-1-202"),
    )
    assert [row.values["source_household_no"] for row in judged.accepted] == ["WJ1", None]


def test_merged_cells_state_one_value_for_all_their_rows():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "近江社区"),
        ("2", "D2", "李四", MAN, "李四", MAN, "户主", "莫邪塘2-1-202", None),
        merges=((8, 2, 3),),
    )
    assert judged.accepted[1].values["community_name"] == "近江社区"


@pytest.mark.parametrize(
    ("shown", "is_taken"), [("330102********1244", True), ("", True), ("440102********1244", False)]
)
def test_the_heads_own_column_completes_the_heads_id(shown, is_taken):
    judged = low_income(("1", "D1", "赵雪", WOMAN, "赵雪", shown, "户主", "", ""))
    row = judged.accepted[0]
    assert (row.values["id_no"].kind == "valid") == is_taken
    told = [
        (warning.rule, "已取户主一栏的号码" in warning.message)
        for warning in row.warnings
        if warning.column_name == "id_no"
    ]
    assert told == [("id_masked", is_taken) if shown else ("id_taken_from_head_column", True)], (
        "one cell, one message"
    )


def test_the_heads_id_on_a_member_is_not_the_members():
    judged = low_income(
        ("1", "D1", "赵雪", WOMAN, "赵雪", WOMAN, "户主", "", ""),
        ("", "", "", "", "王小思", WOMAN, "子", "", ""),
    )
    assert judged.accepted[1].values["id_no"].kind == "missing"
    assert "id_is_heads_id" in rules(judged.accepted[1])


def test_a_list_of_heads_only_names_persons():
    judged, _ = judge(
        "low_income",
        ("表", [("低保证号", "户主姓名", "户主身份证号", "家庭住址"), ("D1", "赵雪", WOMAN, "")]),
    )
    row = judged.accepted[0]
    assert (row.values["person_name"].name, row.values["id_no"].text, row.values["relation_code"]) == (
        "赵雪",
        WOMAN,
        "02",
    )


def test_a_person_is_not_dropped_for_typing_errors():
    wrong_check = WOMAN[:-1] + ("1" if WOMAN[-1] != "1" else "2")
    judged = register(
        ("WJ1", "赵雪", wrong_check, "老乡", "不男不女", "2024.02.30", "清水苑"),
        ("WJ1", "", MAN, "子", "男", "1983-01-01", ""),
        ("WJ1", "王小", "", "子", "男", "3026-01-01", ""),
    )
    assert judged.quarantined == []
    first, second, third = judged.accepted
    assert {"id_checksum_wrong", "code_unknown", "date_impossible", "address_incomplete"} <= set(rules(first))
    assert first.values["relation_code"] is first.values["birth_date"] is None
    assert first.values["id_no"].kind == "checksum_wrong"
    assert "required_value_missing" in rules(second)
    assert third.values["birth_date"] is None
    assert all(warning.value != "" for row in judged.accepted for warning in row.warnings)


@pytest.mark.parametrize(
    ("name", "number", "rule"),
    [
        ("", "", "no_identity"),
        ("无", "不详", "no_identity"),
        (WOMAN, "赵雪", "name_of_another_column"),
        ("13905711234", WOMAN, "name_of_another_column"),
        ("赵\ufffd", "", "name_unreadable"),
    ],
)
def test_rows_about_nobody_are_quarantined_by_one_rule(name, number, rule):
    judged = register(("WJ1", name, number, "子", "男", "1983-01-01", ""))
    assert [row.rule for row in judged.quarantined] == [rule]


def test_an_unreadable_name_beside_a_valid_id_is_set_aside_not_the_row():
    judged = register(("WJ1", "赵\ue000", WOMAN, "户主", "女", "1985-03-23", ""))
    assert judged.accepted[0].values["person_name"].name is None
    assert "name_unreadable" in rules(judged.accepted[0])


def test_columns_of_a_row_are_checked_against_each_other():
    judged = register(("WJ1", "赵雪", WOMAN, "户主", "男", "1985-03-24", ""))
    assert {"id_sex_differs", "id_birth_date_differs"} <= set(rules(judged.accepted[0]))


def test_a_row_longer_than_its_header_is_broken_and_a_shorter_one_is_noted():
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "女", "1985-03-23", "清水苑1幢", "2单元"),
        ("WJ1", "王思", MAN, "配偶"),
        ("WJ1", "王小", CHILD, "子", "男", "", "", "", ""),
    )
    assert [row.rule for row in judged.quarantined] == ["row_longer_than_header"]
    assert [row.values["person_name"].name for row in judged.accepted] == ["王思", "王小"]
    assert "row_shorter_than_header" in rules(judged.accepted[0])


def test_number_cells_hold_no_id_but_may_hold_a_phone():
    contract_rows, _ = judge(
        "household_register",
        (
            "表",
            [
                ("家庭编号", "姓名", "身份证号", "联系电话", "出生日期", "家庭住址", "与户主关系"),
                ("WJ1", "赵雪", 330102198503231000, 13905711234, 31129, "", ""),
            ],
        ),
    )
    row = contract_rows.accepted[0]
    assert row.values["id_no"].kind == "damaged"
    assert "id_stored_as_number" in rules(row)
    assert row.values["phone"].text == "13905711234"
    assert row.values["birth_date"] == date(1985, 3, 23)


def test_in_a_list_with_rounded_ids_none_ending_in_000_is_believed():
    lucky = next(
        number
        for day in range(1, 29)
        for month in range(1, 13)
        if (number := f"3301021985{month:02d}{day:02d}000") + check_character(number) == number + "0"
    ) + "0"  # fmt: skip
    assert lucky.endswith("000")
    alone = register(("WJ1", "赵雪", lucky, "户主", "", "", ""))
    assert alone.accepted[0].values["id_no"].kind == "valid"
    others = [
        ("WJ2", "王思", "330102198301011000", "", "", "", ""),
        ("WJ3", "李四", "330102198301021000", "", "", "", ""),
    ]
    judged = register(("WJ1", "赵雪", lucky, "户主", "", "", ""), *others)
    assert {row.values["id_no"].kind for row in judged.accepted} == {"damaged"}


def test_spreadsheet_errors_and_dittos():
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "女", "#N/A", "清水苑1幢1单元101室"),
        ("同上", "王思", MAN, "配偶", "#REF!", "1983-01-01", "同上"),
        ("WJ2", "同上", "〃", "户主", "", "", ""),
    )
    assert [row.rule for row in judged.quarantined] == ["no_identity"]
    first, second = judged.accepted
    assert "spreadsheet_error" in rules(first)
    assert second.values["source_household_no"] == "WJ1"
    assert second.values["address"][1].key == "清水苑|1|1|101"
    assert "ditto" in rules(second)


def test_equal_rows_are_both_kept_and_the_later_one_is_told():
    line = ("WJ1", "赵雪", WOMAN, "户主", "女", "1985-03-23", "清水苑1幢1单元101室")
    judged = register(line, line)
    assert len(judged.accepted) == 2
    assert rules(judged.accepted[0]) == []
    assert rules(judged.accepted[1]) == ["duplicate_of_row"]
    assert "第 2 行" in judged.accepted[1].warnings[0].message


def test_one_id_under_two_names_is_told_on_both_rows():
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "女", "", ""),
        ("WJ2", "赵血", WOMAN, "户主", "女", "", ""),
        ("WJ3", "趙雪", WOMAN, "", "", "", ""),
    )
    assert all("id_shared_by_two_names" in rules(row) for row in judged.accepted)


def test_repeated_headers_are_no_rows():
    header = ("家庭编号", "姓名", "身份证号", "与户主关系", "性别", "出生日期", "家庭住址")
    line = ("WJ1", "赵雪", WOMAN, "户主", "女", "", "")
    judged, layout = judge("household_register", ("表", [header, line, header, line]))
    assert [row.source.row_number for row in judged.accepted] == [2, 4]
    assert any("重复出现表头" in note for note in layout.notes)


def test_a_row_that_shares_its_data_with_a_damaged_header_is_no_header():
    header = ("家庭编号", "姓名", "身份证号", "与户主关系", "性别", "出生日期", "家庭住址")
    line = ("WJ1", "赵雪", WOMAN, "户主", "女", "1985-03-23", "清水苑1幢1单元101室")
    judged, layout = judge(
        "household_register", ("表", [header, line, (*line[:6], *header), line, (*line[:6], "", WOMAN)])
    )
    rows = [row.source.row_number for row in (*judged.accepted, *judged.quarantined)]
    assert sorted(rows) == [2, 4, 5]
    assert not any("重复出现表头" in note for note in layout.notes)


def test_only_the_sheets_of_the_list_are_read():
    header = ("家庭编号", "姓名", "身份证号", "与户主关系", "家庭住址")
    judged, layout = judge(
        "household_register",
        ("填表说明", [("本表由社区填写",)]),
        ("近江社区", [header, ("WJ1", "赵雪", WOMAN, "户主", "")]),
        ("在水社区", [header, ("WJ2", "王思", MAN, "户主", "")]),
        ("汇总", [("社区", "户数", "人数"), ("近江社区", 1, 1)]),
    )
    assert [(row.source.sheet_name, row.source.row_number) for row in judged.accepted] == [
        ("近江社区", 2),
        ("在水社区", 2),
    ]
    assert [row.values["community_name"] for row in judged.accepted] == ["近江社区", "在水社区"]
    assert sum("未读取" in note for note in layout.notes) == 2


def test_no_sheet_of_the_list_is_a_refusal():
    with pytest.raises(UnreadableFile):
        judge("household_register", ("汇总", [("社区", "户数"), ("近江社区", 1)]))


def test_a_missing_required_column_condemns_every_row_and_loses_none():
    judged, _ = judge(
        "household_register",
        (
            "表",
            [
                ("家庭编号", "姓名", "与户主关系", "家庭住址"),
                ("WJ1", "赵雪", "户主", ""),
                ("WJ1", "王思", "子", ""),
            ],
        ),
    )
    assert judged.accepted == []
    assert [row.rule for row in judged.quarantined] == ["required_column_missing"] * 2


def disabled(*lines):
    header = ("姓名", "公民身份号码", "残疾人证号", "残疾类别", "残疾等级")
    return judge("disabled", ("表", [header, *lines]))[0].accepted


def test_disability_certificates_are_checked_against_the_other_columns():
    same, other, derived, several = disabled(
        ("赵雪", WOMAN, f"{WOMAN}41", "肢体", "一级"),
        ("王思", MAN, f"{WOMAN}41B1", "听力残疾", "2级"),
        ("赵雪", "", f"{WOMAN}73", "", "Ⅲ级"),
        ("李四", CHILD, f"{CHILD}72", "肢体、听力", "二级"),
    )
    assert rules(same) == []
    assert {"certificate_id_differs", "certificate_category_differs", "certificate_level_differs"} <= set(
        rules(other)
    )
    assert derived.values["id_no"].text == WOMAN
    assert derived.values["disability_category_code"] == "7"
    assert several.values["disability_category_code"] == "7"
    assert rules(several) == []


def test_visits_and_contracts_have_their_order():
    header = (
        "走访编号",
        "家庭编号",
        "走访日期",
        "录入时间",
        "走访结果",
        "需求代码",
        "是否知情同意",
        "满意度",
    )
    visits, _ = judge(
        "visit",
        ("表", [header, ("ZF1", "WJ1", "2026-07-20 19:31", "2026-07-20 18:00", "拒访", "YL01；居家养老,WH01", "否", "6"),
                ("ZF2", "", "2026-07-20 19:31", "", "", "", "", "")]),
    )  # fmt: skip
    row = visits.accepted[0]
    assert {"entered_before_visited", "integer_out_of_range"} <= set(rules(row))
    assert (row.values["visit_outcome_code"], row.values["need_codes"], row.values["has_consent"]) == (
        "3",
        ["WH01", "YL01"],
        False,
    )
    assert [row.rule for row in visits.quarantined] == ["no_identity"]
    doctor, _ = judge(
        "family_doctor",
        (
            "表",
            [
                ("签约编号", "居民姓名", "证件号码", "签约日期", "协议到期日"),
                ("QY1", "赵雪", WOMAN, "2026-05-01", "2025-05-01"),
            ],
        ),
    )
    assert "contract_dates_reversed" in rules(doctor.accepted[0])


def test_a_returned_work_sheet_is_told_by_number_and_field_alone_and_its_signatures_are_no_rows():
    judged, _ = judge(
        "audit_return",
        (
            "表",
            [
                ("抽查编号", "核查字段", "登记值", "核实结果"),
                ("HC202608-0001-0", "住址", "甲苑", "正确"),
                ("HC202608-0001-1", "姓名", "张三", "错误"),
                ("核查人签字：", None, "负责人签字", None),
                ("盖章", None, None, None),
                ("日期", None, None, None),
            ],
        ),
    )
    assert [row.values["audit_no"] for row in judged.accepted] == ["HC202608-0001-0", "HC202608-0001-1"]
    assert [row.rule for row in judged.quarantined] == ["total_row"] * 3
    assert judged.footer_count == 3


@pytest.mark.parametrize(
    "cells",
    [
        ("合计", None, "6户"),
        ("小计",),
        (None, "总计：", "5"),
        ("填表人：王某", None, "审核人：李某"),
        ("注：本表一式两份",),
        ("共6户16人",),
        ("核查人签字", None, "李四"),
        ("核查人（签字）：", "李四", "日期："),
        (None, None, "负责人签字"),
        ("单位（盖章）",),
        ("盖章",),
        ("日期",),
        ("核查日期：2026年8月20日",),
        ("核查人：李四",),
        ("督查人员签名____",),
        ("社区负责人（签字盖章）",),
        ("    年  月  日",),
        ("制表", "王五"),
        ("分管领导", "赵六", None),
        ("填表人", "王五", None, "填表日期", "2026-11-02"),
        ("以下空白",),
        ("——以下空白——", None),
        ("以下无正文",),
        ("第1页，共2页",),
        ("第 1 页 共 3 页",),
        ("总人数：4",),
        ("总户数:30户",),
        ("（续上页）",),
        ("数据来源：全民健康信息平台", None, None),
    ],
)
def test_totals_and_footers_are_told(cells):
    assert is_total_row(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ("1", "张三", WOMAN),
        ("合计", WOMAN),
        ("WJ1", "小计生"),
        (1, 2),
        ("盖章", WOMAN),
        ("员人长", "女"),
        ("已签字", "张三"),
        ("HC202608-0001-1", "核查人签字"),
        ("制表", WOMAN),
        ("张三（曾用名：李四）", None),
        ("备用：是", "张三"),
        ("张三", None),
        ("登记", "张三"),
    ],
)
def test_persons_are_no_totals(cells):
    assert not is_total_row(cells)


@pytest.mark.parametrize(
    ("cells", "is_example"),
    [
        (("示例：张三", WOMAN), True),
        (("例", WOMAN), True),
        (("1", "（样例）张三", WOMAN), True),
        (("1", "张三（示例）", WOMAN), True),
        (("示例行", "张三", WOMAN), True),
        (("填写示例", "张三", WOMAN), True),
        (("1", "例举明", WOMAN), False),
        (("1", "张例", WOMAN), False),
        (("比例", "张三", WOMAN), False),
    ],
)
def test_rows_that_call_themselves_examples(cells, is_example):
    assert is_example_row(cells, 1) is is_example


def test_a_row_that_calls_itself_an_example_is_set_aside():
    judged = register(
        ("WJ0", "示例：张三", WOMAN, "户主", "", "", ""), ("WJ1", "赵雪", WOMAN, "户主", "", "", "")
    )
    assert [(row.source.row_number, row.rule) for row in judged.quarantined] == [(2, "example_row")]


CELL = (
    st.none() | st.text(max_size=12) | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.dates()
)


@given(st.sampled_from(sorted(CONTRACTS)), st.lists(st.lists(CELL, min_size=8, max_size=30), max_size=6))
@settings(max_examples=80, deadline=None)
def test_every_row_has_exactly_one_fate_and_no_message_holds_a_value(list_code, lines):
    contract = CONTRACTS[list_code]
    header = tuple(column.header for column in contract.columns)
    judged, _ = judge(list_code, ("表", [header, *lines]))
    numbers = [row.source.row_number for row in (*judged.accepted, *judged.quarantined)]
    filled = [n for n, line in enumerate(lines, start=2) if any(cell not in (None, "") for cell in line)]
    assert sorted(numbers) == sorted(set(numbers))
    assert set(numbers) <= set(filled)
    known = {column.header for column in contract.columns}
    for row in judged.accepted:
        for warning in row.warnings:
            subject, _, rest = warning.message.partition("”：")
            assert not rest or subject.removeprefix("“") in known
            column = contract.column(warning.column_name) if warning.column_name else None
            problem, _ = words(warning.rule, column, contract)
            assert problem
            assert problem in warning.message


HEADS_PHONES = ("户主联系方式", "户主电话", "户主联系电话", "户主手机号")


@pytest.mark.parametrize("title", HEADS_PHONES)
def test_the_heads_phone_is_the_heads_and_no_members(title):
    """A list that repeats it on every row: only the head gets it as his own; nobody's row loses it."""
    header = ("家庭编号", "姓名", "身份证号", "与户主关系", "家庭住址", title)
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "13957126041"),
        ("WJ1", "王思", MAN, "配偶", "清水苑1幢1单元101室", "13957126041"),
        ("WJ1", "王小", CHILD, "", "清水苑1幢1单元101室", "13957126041"),
        header=header,
    )
    assert [row.values["phone"].kind for row in judged.accepted] == ["mobile", "missing", "missing"]
    assert judged.accepted[0].values["phone"].text == "13957126041"
    assert {row.values["head_phone"].text for row in judged.accepted} == {"13957126041"}


def test_the_heads_own_phone_goes_before_the_heads_column():
    header = ("家庭编号", "姓名", "身份证号", "与户主关系", "家庭住址", "联系电话", "户主电话")
    judged = register(
        ("WJ1", "赵雪", WOMAN, "户主", "清水苑1幢1单元101室", "13900000001", "13957126041"),
        ("WJ1", "王思", MAN, "配偶", "清水苑1幢1单元101室", "13957126042", "13957126041"),
        header=header,
    )
    assert [row.values["phone"].text for row in judged.accepted] == ["13900000001", "13957126042"]


@pytest.mark.parametrize("title", HEADS_PHONES)
def test_a_households_block_gives_its_head_the_heads_phone(title):
    judged, _ = judge(
        "low_income",
        (
            "表",
            [
                (*LOW_HEADER, title),
                (
                    "1",
                    "D1",
                    "赵雪",
                    WOMAN,
                    "赵雪",
                    WOMAN,
                    "",
                    "清水苑1幢1单元101室",
                    "近江社区",
                    "13957126041",
                ),
                (None, None, None, None, "王思", MAN, "配偶", None, None, None),
                (
                    "2",
                    "D2",
                    "李某",
                    None,
                    "王小",
                    CHILD,
                    "子",
                    "清水苑2幢1单元101室",
                    "近江社区",
                    "13957126042",
                ),
            ],
        ),
    )
    assert [row.values["phone"].text for row in judged.accepted] == ["13957126041", "", ""]
    assert [row.source.block_no for row in judged.accepted] == [1, 1, 2]
    assert judged.accepted[2].values["head_phone"].text == "13957126042"


def test_no_cell_however_long_takes_the_reader_its_time():
    """Found by `make soak`: a name of 40,000 characters took hours, brackets without end minutes (B39)."""
    import time

    from ingest.contract import load_contracts
    from ingest.values import CellReader

    columns = {
        (column.semantic_type, column.code_list.name if column.code_list else ""): column
        for contract in load_contracts().values()
        for column in contract.columns
    }
    texts = [
        "字",
        "9",
        "a1",
        "（",
        "1-",
        "1幢",
        "2020-",
        "路1号",
        "一二三",
        "()",
        "近江社区1幢2单元",
        "·",
        "138 ",
    ]
    reader = CellReader(date(2026, 11, 24))
    for column in columns.values():
        for text in texts:
            began = time.process_time()
            reader.read(column, text * (200_000 // len(text)))
            reader.read(column, text * (1_990 // len(text)))
            assert time.process_time() - began < 1, (column.name, text)
