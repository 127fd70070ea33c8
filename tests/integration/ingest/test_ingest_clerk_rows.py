"""What a clerk got wrong in the rows (2026-11), by what is stored and told: households, keys of events, our own example."""

import pytest
from ingest_lists import VISIT_HEADER, csv_bytes, every_row_has_one_fate, made_id

pytestmark = pytest.mark.database
LOW = ("序号", "低保证号", "户主姓名", "户主身份证号", "成员姓名", "身份证号码", "与户主关系", "家庭住址", "所属社区", "月保障金额")  # fmt: skip


def household(number, head_id=None, member_amount=""):
    own = made_id(3 * number)
    place = (f"清水苑{number + 1}幢1单元101室", "近江社区")
    return [
        (str(number + 1), f"DB{number:04d}", "赵雪", own if head_id is None else head_id, "赵雪", own, "户主", *place, "1200"),
        ("", "", "", "", "王思", made_id(3 * number + 1), "配偶", "", "", member_amount),
        ("", "", "", "", "王小", made_id(3 * number + 2), "子", "", "", ""),
    ]  # fmt: skip


def visit(number, remark, address="清水苑1幢1单元101室"):
    return (number, "", "", address, "近江社区", "", "2026-07-02 10:00", "2026-07-02 12:00", "网格员9", "电话", "成功", "是", "", "0", "2", remark)  # fmt: skip


def test_another_amount_on_a_members_row_splits_no_household(put, take, ask):
    rows = [
        row for number in range(4) for row in household(number, member_amount="900" if number == 1 else "")
    ]
    put("civil_affairs/low_income", "花名册202607.csv", csv_bytes(LOW, rows))
    (outcome,) = take()
    assert outcome.status == "loaded"
    stored = ask(
        "select block_no, count(distinct allowance_no), count(address_key), count(*) from raw.low_income group by 1"
    )
    assert sorted(map(tuple, stored)) == [(block, 1, 3, 3) for block in range(1, 5)]
    told = ask("select row_number, column_name from ops.row_warning where rule = 'household_value_differs'")
    assert list(map(tuple, told)) == [(6, "monthly_allowance")]
    assert every_row_has_one_fate(ask)


@pytest.mark.parametrize(("wrong", "status"), [(0, "loaded"), (3, "loaded"), (4, "held")])
def test_a_column_of_households_that_holds_something_else_is_told_by_households(put, take, wrong, status):
    """Three of six heads' ids are no more than half of them, though each stands in three rows and is told in one."""
    rows = [
        row
        for number in range(6)
        for row in household(number, f"139{number:08d}" if number < wrong else None)
    ]
    put("civil_affairs/low_income", "花名册202607.csv", csv_bytes(LOW, rows))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == (
        status,
        "columns_look_swapped" if status == "held" else None,
    )


def test_visits_of_one_number_are_told_and_one_without_a_number_leaves_no_ghost(put, take, ask):
    put(
        "community/visit",
        "走访20260703.csv",
        csv_bytes(VISIT_HEADER, [visit("ZF1", "上午"), visit("ZF1", "下午"), visit("", "晚上"), *(visit(f"ZF{n}", "") for n in range(10, 20))]),
    )  # fmt: skip
    (first,) = take()
    assert (first.status, first.accepted_count, first.quarantined_count) == ("loaded", 12, 1)
    told = ask("select row_number, message from ops.row_warning where rule = 'visit_no_repeated' order by 1")
    assert [row.row_number for row in told] == [2, 3]
    assert "另见第 3 行" in told[0].message
    (kept_out,) = ask("select rule, column_name, message from ops.quarantined_row")
    assert (kept_out.rule, kept_out.column_name) == ("no_key", "visit_no")
    put(
        "community/visit",
        "走访20260704.csv",
        csv_bytes(VISIT_HEADER, [visit("ZF2", "下午"), visit("ZF3", "晚上")]),
    )
    take()
    assert ask("select count(*), count(visit_no), count(distinct visit_no) from raw.visit") == [(14, 14, 13)]
    assert every_row_has_one_fate(ask)


def test_our_own_example_becomes_nobody(put, take, ask):
    example = ("", "", "", "望江家园12幢1单元301室", "近江社区", "", "2026-07-02 10:00", "2026-07-02 12:00", "照实写", "电话", "成功", "是", "", "1", "1", "")  # fmt: skip
    rows = [
        ("A0001", *example[1:2], "王小兰", *example[3:]),
        *(visit(f"ZF{n}", "") for n in range(10, 40)),
    ]
    put("community/visit", "走访20260703.csv", csv_bytes(VISIT_HEADER, rows))
    (outcome,) = take()
    assert (outcome.status, outcome.quarantined_count) == ("loaded", 1)
    assert ask("select rule from ops.quarantined_row") == [("example_row",)]
    assert ask("select count(*) from raw.visit where visit_no = 'A0001'") == [(0,)]
