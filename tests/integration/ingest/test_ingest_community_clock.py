"""A list that communities deliver one by one has arrived when the last of them has, and each is late by itself."""

from datetime import date

import pytest
from ingest_lists import ARRIVED, REGISTER_HEADER, csv_bytes, made_id, register_rows

from ingest.arrivals import update_delivery_due
from ingest.holds import refuse_held, release_held
from orchestration.runs import late_and_missing
from orchestration.waiting import waiting_lines, waiting_table

pytestmark = pytest.mark.database

NEAR, WATER, FAR = "近江社区", "在水社区", "清泰社区"
HEADER = ("姓名", "身份证号", "性别", "居住状况", "现住址", "社区", "联系电话")
SUMMER, AUTUMN = date(2026, 7, 1), date(2026, 10, 1)


@pytest.fixture
def land(put, take):
    """Deliver a list of elderly people living alone on a day: rows by community."""

    def land(name, month, day, start=0, **rows_by_community):
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
        (outcome,) = take(ARRIVED.replace(month=month, day=day))
        return outcome

    return land


@pytest.fixture
def clock(warehouse, ask):
    """The clock of the list and of its communities on a day, for one quarter."""

    def clock(as_of, quarter):
        update_delivery_due(warehouse.engine, as_of)
        whole = ask(
            "select status, days_late, first_delivery_id, delivered_at from ops.delivery_due "
            "where list_code = 'elderly_alone' and period_start = :start",
            start=quarter,
        )
        single = ask(
            "select community_name, status, days_late, first_delivery_id from ops.delivery_due_community "
            "where list_code = 'elderly_alone' and period_start = :start",
            start=quarter,
        )
        return (tuple(whole[0]) if whole else None), {row[0]: tuple(row[1:]) for row in single}

    return clock


@pytest.fixture
def summer(land):
    """In summer all three deliver in time."""
    return {
        community: land(f"{community}202607.csv", 7, 10, start, **{community: count}).delivery_id
        for community, start, count in ((NEAR, 0, 12), (WATER, 100, 12), (FAR, 200, 3))
    }


def test_two_of_three_communities_are_not_the_list(summer, land, clock, ask, warehouse):
    assert clock(date(2026, 7, 31), SUMMER) == (
        ("on_time", 0, summer[FAR], date(2026, 7, 10)),
        {community: ("on_time", 0, number) for community, number in summer.items()},
    )
    near = land("a202610.csv", 10, 12, **{NEAR: 12})
    assert clock(date(2026, 10, 15), AUTUMN)[0] == ("pending", 0, None, None)
    water = land("b202610.csv", 10, 17, 100, **{WATER: 12})
    assert clock(date(2026, 10, 20), AUTUMN) == (
        ("missing", 5, None, None),
        {
            NEAR: ("on_time", 0, near.delivery_id),
            WATER: ("late", 2, water.delivery_id),
            FAR: ("missing", 5, None),
        },
    )
    assert [tuple(row) for row in ask("select community_name, days_late from ops.missing_community")] == [
        (FAR, 5)
    ]
    shown = "\n".join(waiting_lines(warehouse.engine))
    assert f"《独居、空巢老人名单》2026-10-01 至 2026-12-31，没有报的社区：{FAR}\n" in shown
    assert f"没有报的社区：**{FAR}**" in str(waiting_table(warehouse.engine).value)
    assert [(row.status, row.communities) for row in late_and_missing(warehouse.engine)] == [("missing", FAR)]
    far = land("c202610.csv", 11, 4, 200, **{FAR: 3})
    whole, single = clock(date(2026, 11, 30), AUTUMN)
    assert whole == ("late", 20, far.delivery_id, date(2026, 11, 4))
    assert single[FAR] == ("late", 20, far.delivery_id)
    assert ask("select * from ops.missing_community") == []
    assert [(row.status, row.communities) for row in late_and_missing(warehouse.engine)] == [
        ("late", f"{WATER}（2 天）、{FAR}（20 天）")
    ]
    assert waiting_lines(warehouse.engine) == []
    # A run for an earlier day gives that day's answer.
    assert clock(date(2026, 10, 20), AUTUMN)[1][FAR] == ("missing", 5, None)


def test_the_same_bytes_again_are_those_communities_again(summer, land, clock):
    again = land("又202610.csv", 10, 13, **{NEAR: 12})
    assert again.status == "duplicate"
    assert clock(date(2026, 10, 20), AUTUMN)[1] == {
        NEAR: ("on_time", 0, again.delivery_id),
        WATER: ("missing", 5, None),
        FAR: ("missing", 5, None),
    }


def test_a_community_that_waits_for_our_people_has_arrived(summer, land, clock, ask):
    partition = land("a202610.csv", 10, 12, **{NEAR: 2, FAR: 3})  # ten of twelve are gone
    whole = land("b202610.csv", 10, 13, 100, **{WATER: 60})
    assert (partition.status, partition.reason_code) == ("loaded", "community_missing")
    assert whole.status == "held"
    assert ask("select community_name from ops.waiting where community_name is not null") == [(NEAR,)]
    single = clock(date(2026, 10, 20), AUTUMN)[1]
    assert single[NEAR] == ("on_time", 0, partition.delivery_id)
    assert single[WATER] == ("on_time", 0, whole.delivery_id)


def test_what_was_refused_has_not_arrived(summer, land, clock, warehouse):
    held = land("b202610.csv", 10, 13, 100, **{WATER: 60})
    refuse_held(warehouse.engine, held.delivery_id, "数据员甲", "报成了全街道的")
    assert clock(date(2026, 10, 20), AUTUMN)[1][WATER] == ("missing", 5, None)


def test_rows_of_no_community_are_of_none(summer, land, clock):
    assert land("b202610.csv", 10, 13, 100, none=20).status == "held"
    assert {status for status, *_ in clock(date(2026, 10, 20), AUTUMN)[1].values()} == {"missing"}


def test_one_file_of_all_communities_serves_all(summer, land, clock):
    street = land("a202610.csv", 10, 12, **{NEAR: 12, WATER: 12, FAR: 3})
    assert clock(date(2026, 10, 20), AUTUMN)[0] == ("on_time", 0, street.delivery_id, date(2026, 10, 12))


def test_a_delivery_for_the_whole_street_serves_all_whoever_it_names(summer, land, clock, warehouse):
    """The list was one of the whole street when this came."""
    street = land("a202610.csv", 10, 12, **{NEAR: 13})
    with warehouse.engine.begin() as connection:
        connection.exec_driver_sql(
            f"update ops.delivery set coverage = 'whole' where delivery_id = {street.delivery_id}"
        )
    whole, single = clock(date(2026, 10, 20), AUTUMN)
    assert whole == ("on_time", 0, street.delivery_id, date(2026, 10, 12))
    assert single == dict.fromkeys((NEAR, WATER, FAR), ("on_time", 0, street.delivery_id))


def test_a_community_of_the_household_register_owes_the_list_too(land, put, take, clock):
    put("community/household_register", "登记表.csv", csv_bytes(REGISTER_HEADER, register_rows(20)))
    misspelt = [(*row[:1], "近汪社区", *row[2:]) for row in register_rows(44)[40:]]
    put("community/household_register", "登记表2.csv", csv_bytes(REGISTER_HEADER, misspelt))
    assert {o.status for o in take(ARRIVED.replace(month=7, day=8))} == {"loaded"}
    land("b202607.csv", 7, 10, 100, **{WATER: 12})
    whole, single = clock(date(2026, 7, 20), SUMMER)
    assert whole == ("missing", 5, None, None)
    assert {name: status for name, (status, *_) in single.items()} == {WATER: "on_time", NEAR: "missing"}


def test_a_community_that_begins_later_owes_from_then_on(summer, land, clock, warehouse):
    new = "候潮社区"
    first = land("a202610.csv", 10, 30, 300, **{new: 6})
    assert clock(date(2026, 10, 30), AUTUMN)[1][new] == ("late", 15, first.delivery_id)
    assert new not in clock(date(2026, 10, 30), SUMMER)[1]
    assert clock(date(2027, 1, 20), date(2027, 1, 1))[1][new] == ("missing", 5, None)


def test_an_old_list_released_late_serves_its_own_quarter_only(summer, land, clock, warehouse):
    old = land("a202606.csv", 10, 12, **{NEAR: 11})
    assert old.reason_code == "older_snapshot"
    release_held(warehouse.engine, old.delivery_id, "数据员甲", "补报")
    assert clock(date(2026, 10, 20), AUTUMN)[1][NEAR] == ("missing", 5, None)
