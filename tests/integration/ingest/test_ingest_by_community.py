"""A list that communities deliver one by one: each file speaks for the communities it names, and for no other."""

from datetime import date

import pytest
from ingest_lists import csv_bytes, every_row_has_one_fate, made_id

from infra.errors import PermanentError
from ingest.contract import load_contracts
from ingest.holds import confirm_partition_gone, refuse_held, release_held
from ingest.partitions import standing_partitions

pytestmark = pytest.mark.database

NEAR, WATER, FAR = "近江社区", "在水社区", "清泰社区"
HEADER = ("姓名", "身份证号", "性别", "居住状况", "现住址", "社区", "联系电话")


@pytest.fixture
def land(put, take):
    """Deliver a list of elderly people living alone: rows by community, other people each time."""

    def land(name, start=0, **rows_by_community):
        rows, number = [], start
        for community, count in rows_by_community.items():
            for _ in range(count):
                number += 1
                who = made_id(number)
                rows.append(
                    (f"测试{'甲乙丙丁戊己庚辛壬癸'[number % 10]}", who, "男" if int(who[16]) % 2 else "女", "独居",
                     f"清水苑{number}幢1单元101室", "" if community == "none" else community, "")
                )  # fmt: skip
        put("civil_affairs/elderly_alone", name, csv_bytes(HEADER, rows))
        (outcome,) = take()
        return outcome

    return land


@pytest.fixture
def standing(warehouse):
    def standing(day=date(2026, 9, 30)):
        with warehouse.engine.connect() as connection:
            found = standing_partitions(connection, load_contracts()["elderly_alone"], day)
        return {name: (part.delivery_id, part.row_count) for name, part in found.items()}

    return standing


def test_a_file_says_nothing_about_other_communities(land, standing, ask):
    first = land("a202606.csv", **{NEAR: 20, WATER: 20})
    second = land("b202609.csv", 100, **{NEAR: 21})
    third = land("c202609.csv", 200, **{FAR: 9})
    assert {(o.status, o.reason_code) for o in (first, second, third)} == {("loaded", None)}
    assert standing() == {
        NEAR: (second.delivery_id, 21), WATER: (first.delivery_id, 20), FAR: (third.delivery_id, 9),
    }  # fmt: skip
    assert ask("select * from ops.partition_hold") == []
    assert {row.coverage for row in ask("select coverage from ops.delivery")} == {"community"}
    assert every_row_has_one_fate(ask)


def test_what_changed_is_counted_in_the_communities_of_the_file(land, ask):
    land("a202606.csv", **{NEAR: 10, WATER: 10})
    second = land("b202609.csv", **{NEAR: 9})
    found = dict(
        ask(
            "select kind, row_count from ops.delivery_change where delivery_id = :id and column_name = ''",
            id=second.delivery_id,
        )
    )
    assert found == {"added": 0, "removed": 1, "changed": 0, "unchanged": 9}


def test_the_same_community_again_the_same_day_replaces(land, standing):
    land("a_20260930.csv", **{NEAR: 10})
    second = land("b_20260930.csv", **{NEAR: 11})
    assert standing() == {NEAR: (second.delivery_id, 11)}


def test_old_is_older_than_the_same_community(land, standing, warehouse):
    newer = land("a202609.csv", **{NEAR: 10})
    other = land("b202606.csv", 50, **{WATER: 10})
    assert other.status == "loaded", "nothing newer of this community is there"
    older = land("c202606.csv", 80, **{NEAR: 9, FAR: 5})
    assert (older.status, older.reason_code) == ("held", "older_snapshot")
    assert f"早于{NEAR}的已接收的 2026-09-30" in older.reason
    release_held(warehouse.engine, older.delivery_id, "数据员甲", "补报")
    assert standing() == {
        NEAR: (newer.delivery_id, 10), WATER: (other.delivery_id, 10), FAR: (older.delivery_id, 5),
    }  # fmt: skip


def test_a_community_that_lost_most_of_its_rows_is_held_by_itself(land, standing, warehouse):
    first = land("a202606.csv", **{NEAR: 30, WATER: 30})
    second = land("b202609.csv", **{NEAR: 30, WATER: 10})
    assert (second.status, second.reason_code) == ("loaded", "community_missing")
    assert standing() == {NEAR: (second.delivery_id, 30), WATER: (first.delivery_id, 30)}
    confirm_partition_gone(warehouse.engine, second.delivery_id, WATER, "数据员甲", "核实无误")
    assert standing()[WATER] == (second.delivery_id, 10)


def test_a_file_that_grew_tenfold_waits(land):
    """B57."""
    land("a202606.csv", **{NEAR: 12})
    second = land("b202609.csv", **{NEAR: 120})
    assert (second.status, second.reason_code) == ("held", "count_far_off")
    assert "本次 120 行，上次 12 行" in second.reason


def test_a_file_that_names_no_community_cannot_be_released(land, warehouse, standing):
    first = land("a202606.csv", **{NEAR: 10})
    second = land("b202609.csv", none=10)
    assert (second.status, second.reason_code) == ("held", "community_unknown")
    with pytest.raises(PermanentError, match="补填社区"):
        release_held(warehouse.engine, second.delivery_id, "数据员甲")
    refuse_held(warehouse.engine, second.delivery_id, "数据员甲", "补填社区")
    assert standing() == {NEAR: (first.delivery_id, 10)}
