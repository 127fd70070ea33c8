"""Rows held against another list (``not_in_list``): against what stands of it, never against what waits for a person."""

import pytest
from ingest_lists import csv_bytes, every_row_has_one_fate, made_id

from ingest.holds import confirm_partition_gone, refuse_held, release_held

pytestmark = pytest.mark.database

NEAR, WATER = "近江社区", "在水社区"
LOW_HEADER = ("低保证号", "户主姓名", "成员姓名", "身份证号码", "与户主关系", "是否保障", "社区", "家庭住址")
POVERTY_HEADER = ("姓名", "身份证号", "供养方式", "社区", "家庭住址")


def address(number):
    return f"清水苑{number + 1}幢1单元101室"


@pytest.fixture
def land_low(put, take):
    """Deliver a list of low-income persons, by community and number of the person."""

    def land(name, **numbers_by_community):
        rows = [
            (f"D{n}", f"赵{n % 10}", f"赵{n % 10}", made_id(n), "户主", "是", community, address(n))
            for community, numbers in numbers_by_community.items()
            for n in numbers
        ]
        put("civil_affairs/low_income", name, csv_bytes(LOW_HEADER, rows))
        (outcome,) = take()
        return outcome

    return land


@pytest.fixture
def land_poverty(put, take):
    def land(name, numbers):
        rows = [(f"钱{n % 10}", made_id(n), "分散", NEAR, address(n)) for n in numbers]
        put("civil_affairs/extreme_poverty", name, csv_bytes(POVERTY_HEADER, rows))
        (outcome,) = take()
        return outcome

    return land


@pytest.fixture
def contradicted(ask):
    """Ids of the persons that a delivery is warned about for standing in the other list too."""

    def contradicted(outcome):
        numbers = ask(
            f"select raw.id_no_token, delivery.warning_count from raw.{outcome.list_code} as raw "
            "inner join ops.row_warning using (record_id) "
            "inner join ops.delivery on delivery.delivery_id = raw.delivery_id "
            "where raw.delivery_id = :id and row_warning.rule like 'also_in%' order by raw.row_number",
            id=outcome.delivery_id,
        )
        ((count, stored),) = ask(
            "select (select count(*) from ops.row_warning where delivery_id = :id), warning_count "
            "from ops.delivery where delivery_id = :id",
            id=outcome.delivery_id,
        )
        assert count == stored, "the ledger's count is that of the warnings"
        return [row.id_no_token for row in numbers]

    return contradicted


@pytest.fixture
def token(protector):
    return lambda number: protector.token("id_no", made_id(number))


def test_rows_of_a_held_delivery_contradict_nobody_until_it_is_released(
    land_low, land_poverty, contradicted, token, warehouse, ask
):
    land_low("低保202607.csv", **{NEAR: range(10)})
    held = land_low("低保202608.csv", **{NEAR: range(9, 40)})
    assert held.status == "held"
    poverty = land_poverty("特困202608.csv", [3, 20])
    assert contradicted(poverty) == [token(3)], "3 stands, 20 waits"
    release_held(warehouse.engine, held.delivery_id, "测试员")
    assert contradicted(poverty) == [token(20)], "3 has left, 20 stands"
    assert contradicted(held) == [token(20)]
    later = land_low("低保202609.csv", **{NEAR: range(9, 41)})
    assert (later.status, contradicted(later)) == ("loaded", [token(20)])
    assert every_row_has_one_fate(ask)


def test_a_delivery_that_waited_is_compared_with_what_stands_when_it_is_released(
    land_low, land_poverty, contradicted, token, warehouse
):
    land_low("低保202607.csv", **{NEAR: range(10)})
    held = land_low("低保202608.csv", **{NEAR: range(40)})
    assert (held.status, contradicted(held)) == ("held", [])
    poverty = land_poverty("特困202608.csv", [20, 30])
    assert contradicted(poverty) == []
    release_held(warehouse.engine, held.delivery_id, "测试员")
    assert contradicted(held) == contradicted(poverty) == [token(20), token(30)]


def test_a_refused_delivery_changes_nothing(land_low, land_poverty, contradicted, token, warehouse):
    land_low("低保202607.csv", **{NEAR: range(10)})
    held = land_low("低保202608.csv", **{NEAR: range(40)})
    poverty = land_poverty("特困202608.csv", [3, 20])
    refuse_held(warehouse.engine, held.delivery_id, "测试员", "人数不对")
    assert contradicted(poverty) == [token(3)]


def test_a_community_that_waits_counts_with_the_rows_that_stand(
    land_low, land_poverty, contradicted, token, warehouse
):
    land_low("低保202607.csv", **{NEAR: range(10), WATER: range(10, 50)})
    partly = land_low("低保202608.csv", **{NEAR: range(10), WATER: range(50, 53)})
    assert (partly.status, partly.reason_code) == ("loaded", "community_missing")
    poverty = land_poverty("特困202608.csv", [3, 20, 51])
    assert contradicted(poverty) == [token(3), token(20)], "51 stands in rows that wait only"
    confirm_partition_gone(warehouse.engine, partly.delivery_id, WATER, "测试员", "拆迁")
    assert contradicted(poverty) == [token(3), token(51)]
