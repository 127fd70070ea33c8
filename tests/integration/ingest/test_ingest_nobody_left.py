"""A file without rows is refused; that nobody is left, a person says, and then nobody stands."""

import json
from datetime import date

import pytest
from ingest_lists import ARRIVED, DISABLED_HEADER, csv_bytes, disabled_rows, every_row_has_one_fate, made_id
from sqlalchemy import text

from infra.errors import PermanentError
from ingest.arrivals import update_delivery_due
from ingest.contract import load_contracts
from ingest.holds import confirm_partition_gone
from ingest.nobody_left import WHOLE_STREET
from ingest.partitions import standing_partitions
from ingest.receipts import write_missing_receipts
from quality.expectations import check_deliveries

pytestmark = pytest.mark.database

NEAR, WATER = "近江社区", "在水社区"
HEADER = ("姓名", "身份证号", "性别", "居住状况", "现住址", "社区", "联系电话")
OCTOBER = date(2026, 10, 31)


@pytest.fixture
def standing(warehouse):
    def standing(code, day=OCTOBER):
        with warehouse.engine.connect() as connection:
            found = standing_partitions(connection, load_contracts()[code], day)
        return {name: (part.delivery_id, part.row_count) for name, part in found.items()}

    return standing


@pytest.fixture
def answer(warehouse, tmp_path):
    """The newest receipts as JSON, by delivery."""

    def answer():
        paths = write_missing_receipts(warehouse.engine, tmp_path / "outbox")
        read = [json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in paths]
        return {receipt["delivery"]["delivery_id"]: receipt for receipt in read}

    return answer


def elderly(start, count, community):
    rows = []
    for number in range(start, start + count):
        who = made_id(number)
        rows.append(
            (f"测试{'甲乙丙丁戊己庚辛壬癸'[number % 10]}", who, "男" if int(who[16]) % 2 else "女", "独居",
             f"清水苑{number + 1}幢1单元101室", community, "")
        )  # fmt: skip
    return rows


def test_a_list_of_the_street_of_which_nobody_is_left(put, take, standing, answer, ask, warehouse):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(12)))
    (first,) = take(ARRIVED.replace(month=7, day=10))
    put("civil_affairs/disabled", "b202610.csv", csv_bytes(DISABLED_HEADER, []))
    (empty,) = take()
    assert (empty.status, empty.reason_code, empty.snapshot_date) == ("refused", "no_rows", OCTOBER)
    assert sum(count for _, count in standing("disabled").values()) == 12, "nobody left for a forgotten file"
    told = answer()[empty.delivery_id]
    assert told["next_step"].startswith("漏填的补上后重新报送；确已没有对象的不必重报")
    assert f"来件编号 {empty.delivery_id} " in told["next_step"]

    with pytest.raises(PermanentError, match=WHOLE_STREET):
        confirm_partition_gone(warehouse.engine, empty.delivery_id, NEAR, "数据员甲", "已核实")
    with pytest.raises(PermanentError, match="写明是谁"):
        confirm_partition_gone(warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", " ")
    confirm_partition_gone(
        warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", "电话核实，已全部迁出"
    )
    assert standing("disabled") == {}
    assert sum(count for _, count in standing("disabled", date(2026, 9, 30)).values()) == 12
    assert ask("select status, reason_code, row_count, coverage, released_by from ops.delivery where row_count = 0") == [
        ("loaded", "nobody_left", 0, "whole", "数据员甲")
    ]  # fmt: skip
    assert ask("select decision, community_name, decided_by, why from ops.delivery_decision") == [
        ("confirm_gone", None, "数据员甲", "电话核实，已全部迁出")
    ]
    assert ask("select kind, row_count, replaces_delivery_id from ops.delivery_change where kind = 'removed'") == [
        ("removed", 12, first.delivery_id)
    ]  # fmt: skip
    again = answer()[empty.delivery_id]
    assert (again["receipt_no"], again["delivery"]["status"]) == (2, "loaded")
    assert "数据员甲" in again["delivery"]["reason"]
    assert "确认全街道已没有对象：电话核实，已全部迁出。" in again["delivery"]["reason"]
    with pytest.raises(PermanentError, match="没有待确认"):
        confirm_partition_gone(warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", "再来一次")
    assert every_row_has_one_fate(ask)
    # It has come, and no check of the delivery misses the rows that are not there.
    (due,) = [
        row for row in update_delivery_due(warehouse.engine, date(2026, 12, 1)) if row.due_date.month == 10
    ]
    assert due.first_delivery_id == empty.delivery_id
    with warehouse.engine.begin() as connection:
        refresh_id = connection.execute(
            text("insert into ops.refresh (as_of) values ('2026-12-01') returning refresh_id")
        ).scalar_one()
    assert [r.check_name for r in check_deliveries(warehouse.engine, refresh_id) if not r.is_passed] == []
    # And when somebody is there again, the list is taken as it comes.
    put("civil_affairs/disabled", "c202611.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    (third,) = take()
    assert (third.status, third.reason_code) == ("loaded", None)


def test_a_community_of_which_nobody_is_left(put, take, standing, answer, ask, warehouse):
    place = "civil_affairs/elderly_alone"
    put(place, "近江202607.csv", csv_bytes(HEADER, elderly(0, 12, NEAR)))
    put(place, "在水202607.csv", csv_bytes(HEADER, elderly(100, 12, WATER)))
    take(ARRIVED.replace(month=7, day=10))
    put(place, "在水202610.csv", csv_bytes(HEADER, []))
    (empty,) = take(ARRIVED.replace(month=10, day=12))
    put(place, "近江202610.csv", csv_bytes(HEADER, elderly(0, 11, NEAR)))
    (near,) = take(ARRIVED.replace(month=10, day=13))
    (before,) = [row for row in update_delivery_due(warehouse.engine, OCTOBER) if row.due_date.month == 10]
    assert (before.status, [c.status for c in before.communities]) == ("missing", ["missing", "on_time"])
    assert answer()[near.delivery_id]["owing_communities"] == [
        {"community_name": WATER, "due_date": "2026-10-15", "days_late": 16}
    ]

    with pytest.raises(PermanentError, match="在水社区"):
        confirm_partition_gone(warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", "不对")
    confirm_partition_gone(warehouse.engine, empty.delivery_id, WATER, "数据员甲", "均已入住养老院")
    assert standing("elderly_alone") == {NEAR: (near.delivery_id, 11)}
    assert WATER in standing("elderly_alone", date(2026, 9, 30))
    assert ask("select community_name, decided_by from ops.delivery_decision") == [(WATER, "数据员甲")]
    assert ask("select row_count from ops.delivery_change where delivery_id = :id and kind = 'removed'",
               id=empty.delivery_id) == [(12,)]  # fmt: skip
    # Its empty list has come in October; from then on it owes none, until it has somebody again.
    rows = {row.period_start: row for row in update_delivery_due(warehouse.engine, date(2027, 1, 20))}
    assert rows[date(2026, 10, 1)].status == "on_time"
    assert {c.community_name for c in rows[date(2026, 10, 1)].communities} == {NEAR, WATER}
    assert [c.community_name for c in rows[date(2027, 1, 1)].communities] == [NEAR]
    # An older file of the community is still older than what was said of it.
    put(place, "在水202609.csv", csv_bytes(HEADER, elderly(100, 11, WATER)))
    (older,) = take()
    assert (older.status, older.reason_code) == ("held", "older_snapshot")
    put(place, "在水202611.csv", csv_bytes(HEADER, elderly(300, 2, WATER)))
    (back,) = take()
    assert (back.status, standing("elderly_alone", date(2026, 12, 1))[WATER]) == (
        "loaded",
        (back.delivery_id, 2),
    )


def test_one_empty_file_may_be_confirmed_for_several_communities(put, take, standing, ask, warehouse):
    place = "civil_affairs/elderly_alone"
    put(place, "a202607.csv", csv_bytes(HEADER, elderly(0, 6, NEAR) + elderly(100, 7, WATER)))
    put(place, "b202610.csv", csv_bytes(HEADER, []))
    _, empty = take()
    confirm_partition_gone(warehouse.engine, empty.delivery_id, NEAR, "数据员甲", "已核实")
    assert set(standing("elderly_alone")) == {WATER}
    confirm_partition_gone(warehouse.engine, empty.delivery_id, WATER, "数据员乙", "已核实")
    assert standing("elderly_alone") == {}
    assert ask("select gone_communities from ops.delivery where delivery_id = :id", id=empty.delivery_id) == [
        ([WATER, NEAR],)
    ]
    assert ask("select row_count from ops.delivery_change where kind = 'removed'") == [(13,)]


def test_a_question_that_was_open_goes_with_the_community(put, take, ask, warehouse):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(12)))
    put("civil_affairs/disabled", "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(7, (NEAR,))))
    put("civil_affairs/disabled", "c202609.csv", csv_bytes(DISABLED_HEADER, []))
    _, _, empty = take()
    assert ask("select community_name from ops.waiting") == [(WATER,)]
    confirm_partition_gone(warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", "已核实")
    assert ask("select community_name from ops.waiting") == []
    assert ask("select status, settled_by_delivery from ops.partition_hold") == [
        ("carried_on", empty.delivery_id)
    ]


def test_a_list_of_what_happens_has_nobody_to_leave(put, take, ask, warehouse):
    from ingest_lists import VISIT_HEADER

    put("community/visit", "a202607.csv", csv_bytes(VISIT_HEADER, []))
    (empty,) = take()
    assert empty.reason == "只有表头，没有数据行。没有新发生的，不必报送。"
    with pytest.raises(PermanentError, match="只报新发生的"):
        confirm_partition_gone(warehouse.engine, empty.delivery_id, WHOLE_STREET, "数据员甲", "没有走访")
    assert ask("select status from ops.delivery") == [("refused",)]
