"""Headers: decoration, aliases, title rows, two-row headers, hint rows."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contract import load_contracts
from ingest.headers import find_header, normalise_header
from ingest.readers.sheet import Row

REGISTER = load_contracts()["household_register"]
LOW_INCOME = load_contracts()["low_income"]
HEADER = tuple(column.header for column in REGISTER.columns)


def rows(*lines):
    return [Row(number, tuple(line)) for number, line in enumerate(lines, start=1)]


@pytest.mark.parametrize(
    "written",
    [
        "身份证号",
        "身份证号*",
        "＊身份证号（必填）",
        "身份证号\n(18位)",
        " 身 份 证 号 ",
        "身份证号：",
        "必填 身份证号",
        "身份证号【文本】",
        "3.身份证号",
    ],
)
def test_decoration_does_not_change_a_header(written):
    assert normalise_header(written) == "身份证号"


def test_units_in_brackets_do_not_change_a_header():
    assert normalise_header("月保障金额(元)") == normalise_header("月保障金额（万元）") == "月保障金额"


@given(st.text())
def test_normalising_a_header_twice_is_once(text):
    once = normalise_header(text)
    assert normalise_header(once) in (once, normalise_header(once))
    assert " " not in once


def test_the_header_is_found_below_title_and_note_rows():
    header = find_header(rows(("某街道家庭信息登记表",), ("填报日期：2026.7.5",), HEADER, ("WJ1",)), REGISTER)
    assert (header.first, header.last, header.match.hits) == (2, 2, len(HEADER))


def test_columns_may_come_in_any_order_and_under_aliases():
    header = find_header(
        rows(("成员姓名", "公民身份证号", "户编号", "现居住地址", "称谓", "居委会")), REGISTER
    )
    assert header.match.positions == {
        "person_name": 0, "id_no": 1, "source_household_no": 2, "address": 3, "relation_code": 4, "community_name": 5,
    }  # fmt: skip


def test_the_better_alias_wins_when_two_headers_mean_one_column():
    header = find_header(rows(("姓名", "身份证号", "户籍地址", "现住址", "家庭编号")), REGISTER)
    assert header.match.positions["address"] == 3
    assert header.match.unknown == ("户籍地址",)
    assert header.match.doubled == ()


def test_a_header_given_twice_is_told():
    header = find_header(rows(("姓名", "身份证号", "身份证号", "家庭编号")), REGISTER)
    assert header.match.doubled == ("id_no",)
    assert header.match.positions["id_no"] == 1


def test_whose_value_it_is_may_be_said_in_front():
    header = find_header(
        rows(("居民姓名", "个人身份证号码", "居民电话", "本人性别", "家庭户编号", "监护人电话")), REGISTER
    )
    assert set(header.match.positions) == {"person_name", "id_no", "phone", "sex_code", "source_household_no"}
    assert header.match.unknown == ("监护人电话",)


def test_two_header_rows_with_group_titles_are_joined():
    header = find_header(
        rows(
            ("低保花名册",),
            ("序号", "户主信息", None, "成员信息", None, None, "家庭住址"),
            (None, "姓名", "身份证号", "姓名", "身份证号码", "与户主关系", None),
            ("1", "张三", "x", "李四", "y", "妻", "z"),
        ),
        LOW_INCOME,
    )
    assert (header.first, header.last) == (1, 2)
    assert header.match.positions == {
        "sequence_no": 0, "head_name": 1, "head_id_no": 2, "person_name": 3, "id_no": 4, "relation_code": 5, "address": 6,
    }  # fmt: skip


def test_a_hint_row_below_the_header_is_no_data():
    header = find_header(
        rows(
            ("家庭编号", "姓名", "身份证号", "出生日期", "性别"),
            ("必填", "必填", "必填，18位身份证", "格式：YYYYMMDD", "1=男，2=女"),
            ("WJ1", "张三", "x", "20200101", "男"),
        ),
        REGISTER,
    )
    assert header.last == 1


def test_data_is_not_a_header():
    assert find_header(rows(("WJ1", "张三", "11010519491231002X", date(2020, 1, 1))), REGISTER) is None
    assert find_header([], REGISTER) is None


ADULT, CHILD = "11010519491231002X", "330102201201013699"


@pytest.mark.parametrize(
    ("list_code", "upper", "lower", "positions"),
    [
        (
            "student_support",
            ("学生信息", "", "家长信息", "", "", "学段"),
            ("姓名", "身份证号", "姓名", "身份证号", "联系电话", ""),
            {"person_name": 0, "id_no": 1, "head_name": 2, "guardian_phone": 4, "school_stage_code": 5},
        ),
        (
            "student_support",
            ("学生信息", "", "", "户主信息", "", ""),
            ("姓名", "身份证号", "学段", "姓名", "身份证号", "与户主关系"),
            {"person_name": 0, "id_no": 1, "school_stage_code": 2, "head_name": 3},
        ),
        (
            "student_support",
            ("家长信息", "", "学生信息", "", "学段"),
            ("姓名", "身份证号", "姓名", "身份证号", ""),
            {"person_name": 2, "id_no": 3, "head_name": 0, "school_stage_code": 4},
        ),
        (
            "student_support",
            ("学生基本情况", "", "", "父母情况", "", ""),
            ("姓名", "身份证号", "学段", "父亲姓名", "母亲姓名", "身份证号"),
            {"person_name": 0, "id_no": 1, "school_stage_code": 2},
        ),
        (
            "children_in_need",
            ("儿童", "", "父亲", "", "", "母亲", "", "类别"),
            ("姓名", "身份证号", "姓名", "身份证号", "状况", "姓名", "身份证号", ""),
            {
                "person_name": 0,
                "id_no": 1,
                "father_name": 2,
                "father_status": 4,
                "mother_name": 5,
                "child_category_code": 7,
            },
        ),
        (
            "elderly_alone",
            ("老人信息", "", "子女信息", "", "", "居住状况"),
            ("姓名", "身份证号", "姓名", "电话", "住址", ""),
            {"person_name": 0, "id_no": 1, "child_name": 2, "child_phone": 3, "living_status_code": 5},
        ),
        (
            "serious_illness",
            ("患者", "", "", "家属信息", "", "", ""),
            ("姓名", "身份证号", "病种", "姓名", "身份证号", "电话", "住址"),
            {"person_name": 0, "id_no": 1, "illness": 2},
        ),
        (
            "visit",
            ("走访编号", "户主", "", "", "走访人员", "", "走访日期"),
            ("", "姓名", "电话", "住址", "姓名", "电话", ""),
            {"visit_no": 0, "head_name": 1, "address": 3, "visitor_name": 4, "visited_at": 6},
        ),
        (
            "low_income",
            ("社区", "户主", "", "", "", "家庭成员", "", ""),
            ("", "姓名", "身份证号", "电话", "住址", "姓名", "身份证号", "与户主关系"),
            {
                "community_name": 0,
                "head_name": 1,
                "head_id_no": 2,
                "head_phone": 3,
                "address": 4,
                "person_name": 5,
                "id_no": 6,
                "relation_code": 7,
            },
        ),
        (
            "household_register",
            ("户主信息", "", "", "房屋信息", ""),
            ("姓名", "身份证号", "联系电话", "家庭编号", "家庭住址"),
            {"person_name": 0, "id_no": 1, "phone": 2, "source_household_no": 3, "address": 4},
        ),
    ],
)
def test_a_column_below_another_persons_group_is_never_the_subjects(list_code, upper, lower, positions):
    data = [ADULT if title == "身份证号" else "某" for title in lower]
    contract = load_contracts()[list_code]
    header = find_header(rows(upper, lower, data), contract)
    assert header.last == 1
    assert header.match.positions == positions


def test_a_group_ends_where_its_merged_cell_does():
    upper = ("学生信息", "", "家长信息", "", "", "")
    lower = ("姓名", "身份证号", "姓名", "身份证号", "学段", "家庭住址")
    contract = load_contracts()["student_support"]
    merged = find_header(rows(upper, lower), contract, [(1, 0, 1), (1, 2, 3)])
    assert merged.match.positions["school_stage_code"] == 4
    assert merged.match.positions["address"] == 5
    assert merged.match.positions["id_no"] == 1
    assert "address" not in find_header(rows(upper, lower), contract).match.positions


def test_columns_of_one_name_below_several_groups_are_told_apart():
    header = find_header(
        rows(("学生信息", "", "家长信息", "", "学段"), ("姓名", "身份证号", "姓名", "身份证号", "")),
        load_contracts()["student_support"],
    )
    assert header.match.headers["id_no"] == "学生信息_身份证号"
    assert header.match.unknown == ("家长信息_身份证号",)


def test_a_row_of_data_that_says_head_is_no_group_title():
    header = ("户主姓名", "姓名", "身份证号", "与户主关系", "家庭住址")
    line = ("张三", "张三", ADULT, "户主", "清水苑1幢")
    found = find_header(rows(header, line, header, line), load_contracts()["low_income"])
    assert (found.first, found.last) == (0, 0)


@pytest.mark.parametrize(
    "lines",
    [
        (
            ("个人资料", "", "", "残疾信息", "", "联系", "", ""),
            ("姓名", "证件", "", "残疾类别", "等级", "电话", "地址", ""),
            ("", "类型", "号码", "", "", "", "户籍", "现住"),
        ),
        (
            ("姓名", "证件", "", "残疾类别", "等级", "电话", "地址", ""),
            ("", "类型", "号码", "", "", "", "户籍", "现住"),
        ),
    ],
)
def test_a_row_that_divides_titles_is_of_the_header(lines):
    data = ("张三", "身份证", ADULT, "肢体", "三级", "13900000001", "外地", "清水苑1幢")
    header = find_header(rows(*lines, data), load_contracts()["disabled"])
    assert header.last == len(lines) - 1
    positions = header.match.positions
    assert (positions["person_name"], positions["id_no"], positions["address"]) == (0, 2, 7)


def test_a_row_of_data_with_gaps_divides_nothing():
    header = ("姓名", "身份证号", "残疾类别", "", "残疾等级", "现住址")
    found = find_header(rows(header, ("", "", "肢体", "单侧", "", "")), load_contracts()["disabled"])
    assert found.last == 0
