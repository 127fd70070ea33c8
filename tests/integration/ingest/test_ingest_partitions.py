"""Communities that a snapshot does not speak for: they wait by themselves, and nobody leaves the register meanwhile."""

from datetime import date

import pytest
from ingest_lists import DISABLED_HEADER, csv_bytes, disabled_rows, every_row_has_one_fate

from infra.errors import PermanentError
from ingest.contract import load_contracts
from ingest.holds import confirm_partition_gone, release_held
from ingest.partitions import standing_partitions

pytestmark = pytest.mark.database

NEAR, WATER, FAR = "近江社区", "在水社区", "清泰社区"


@pytest.fixture
def land(put, take):
    """Deliver a list of disabled persons: rows by community, in the order of the files."""

    def land(name, **rows_by_community):
        rows, start = [], 0
        for community, count in rows_by_community.items():
            rows += disabled_rows(start + count, (community,))[start:]
            start += count
        put("civil_affairs/disabled", name, csv_bytes(DISABLED_HEADER, rows))
        (outcome,) = take()
        return outcome

    return land


@pytest.fixture
def standing(warehouse):
    """Which delivery each community's rows are of, and how many rows, on a day."""

    def standing(day):
        with warehouse.engine.connect() as connection:
            found = standing_partitions(connection, load_contracts()["disabled"], day)
        return {name: (part.delivery_id, part.row_count) for name, part in found.items()}

    return standing


@pytest.fixture
def holds(ask):
    return lambda: [
        tuple(row)
        for row in ask(
            "select delivery_id, community_name, status, settled_by_delivery from ops.partition_hold order by 1, 2"
        )
    ]


AUGUST, SEPTEMBER, OCTOBER = date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)


def test_a_missing_community_holds_only_itself(land, standing, holds, ask):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 7})
    assert (second.status, second.reason_code) == ("loaded", "community_missing")
    assert "在水社区（上次 6 行）" in second.reason
    assert holds() == [(second.delivery_id, WATER, "open", None)]
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 7), WATER: (first.delivery_id, 6)}
    assert ask("select held_communities from ops.delivery order by delivery_id") == [([],), ([WATER],)]
    assert ask(
        "select status, reason_code from ops.delivery where delivery_id = :id", id=second.delivery_id
    ) == [("loaded", "community_missing")]
    assert every_row_has_one_fate(ask)


def test_a_community_of_a_few_rows_may_be_missing(land, standing, holds):
    land("a202607.csv", **{NEAR: 6, WATER: 4})
    second = land("b202608.csv", **{NEAR: 6})
    assert (second.status, second.reason_code, holds()) == ("loaded", None, [])
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 6)}


def test_the_next_delivery_with_the_community_closes_the_question(land, standing, holds):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 6})
    third = land("c202609.csv", **{NEAR: 6, WATER: 5})
    assert (third.reason_code, holds()) == (
        None,
        [(second.delivery_id, WATER, "delivered", third.delivery_id)],
    )
    assert standing(AUGUST)[WATER] == (first.delivery_id, 6), "August keeps what was known of it"
    assert standing(SEPTEMBER)[WATER] == (third.delivery_id, 5)


def test_a_community_that_stays_away_is_asked_about_once(land, standing, holds, ask):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 6})
    third = land("c202609.csv", **{NEAR: 7})
    assert holds() == [
        (second.delivery_id, WATER, "carried_on", third.delivery_id),
        (third.delivery_id, WATER, "open", None),
    ]
    assert [row.delivery_id for row in ask("select delivery_id from ops.waiting")] == [third.delivery_id]
    assert standing(SEPTEMBER)[WATER] == (first.delivery_id, 6)


def test_who_confirms_says_from_when_the_community_is_gone(land, standing, holds, ask, warehouse):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 6})
    third = land("c202609.csv", **{NEAR: 7})
    confirm_partition_gone(warehouse.engine, third.delivery_id, WATER, "数据员甲", "社区已撤并")
    assert standing(AUGUST)[WATER] == (first.delivery_id, 6)
    assert WATER not in standing(SEPTEMBER)
    assert holds() == [
        (second.delivery_id, WATER, "carried_on", third.delivery_id),
        (third.delivery_id, WATER, "confirmed_gone", None),
    ]
    confirm_partition_gone(warehouse.engine, second.delivery_id, WATER, "数据员乙", "八月起就没有了")
    assert WATER not in standing(AUGUST)
    assert ask("select delivery_id from ops.waiting") == []
    assert [
        tuple(row)
        for row in ask(
            "select delivery_id, community_name, decision, decided_by, why from ops.delivery_decision"
        )
    ] == [
        (third.delivery_id, WATER, "confirm_gone", "数据员甲", "社区已撤并"),
        (second.delivery_id, WATER, "confirm_gone", "数据员乙", "八月起就没有了"),
    ]
    with pytest.raises(PermanentError, match="已了结（已确认）"):
        confirm_partition_gone(warehouse.engine, third.delivery_id, WATER, "数据员甲", "再来一次")


def test_confirming_the_first_confirms_the_later_ones_of_the_same_absence(land, standing, warehouse, holds):
    land("a202607.csv", **{NEAR: 6, WATER: 6})
    second, third = land("b202608.csv", **{NEAR: 6}), land("c202609.csv", **{NEAR: 7})
    confirm_partition_gone(warehouse.engine, second.delivery_id, WATER, "数据员甲", "社区已撤并")
    assert {row[2] for row in holds()} == {"confirmed_gone"}
    assert third.delivery_id == standing(SEPTEMBER)[NEAR][0]
    assert WATER not in standing(SEPTEMBER)


def test_a_wrong_name_is_answered_with_what_waits(land, warehouse):
    land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 6})
    with pytest.raises(PermanentError, match="待确认的社区之一：在水社区"):
        confirm_partition_gone(warehouse.engine, second.delivery_id, NEAR, "数据员甲", "不对")
    with pytest.raises(PermanentError, match="写明是谁"):
        confirm_partition_gone(warehouse.engine, second.delivery_id, WATER, "数据员甲", " ")
    with pytest.raises(PermanentError, match="没有待确认"):
        confirm_partition_gone(warehouse.engine, 999, WATER, "数据员甲", "不对")


def test_a_community_that_lost_most_of_its_rows_is_held_too(land, standing, holds, warehouse):
    """The total of the street would not show it: 90 of 102 rows are there."""
    first = land("a202607.csv", **{NEAR: 85, WATER: 17})
    second = land("b202608.csv", **{NEAR: 85, WATER: 5})
    assert (second.status, second.reason_code) == ("loaded", "community_missing")
    assert "在水社区（上次 17 行，这次 5 行）" in second.reason
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 85), WATER: (first.delivery_id, 17)}
    confirm_partition_gone(warehouse.engine, second.delivery_id, WATER, "数据员甲", "核实无误")
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 85), WATER: (second.delivery_id, 5)}
    assert [row[2] for row in holds()] == ["confirmed_gone"]


def test_the_volume_is_that_of_the_communities_in_both(land, standing):
    """40 of 80 rows are there, and it is one community that is missing, not a volume that is wrong."""
    land("a202607.csv", **{NEAR: 40, WATER: 40})
    assert land("b202608.csv", **{NEAR: 41}).reason_code == "community_missing"
    third = land("c202609.csv", **{NEAR: 60})
    assert (third.status, third.reason_code) == ("held", "count_far_off")
    assert "本次 60 行，上次 41 行（在水社区除外）" in third.reason


def test_a_delivery_of_other_communities_only_waits_as_a_whole(land, standing, holds):
    first = land("a202607.csv", **{NEAR: 12})
    second = land("b202608.csv", **{WATER: 12})
    assert (second.status, second.reason_code, holds()) == ("held", "count_far_off", [])
    assert standing(AUGUST) == {NEAR: (first.delivery_id, 12)}


def test_a_delivery_without_communities_waits_as_a_whole(land, put, take, standing, warehouse):
    land("a202607.csv", **{NEAR: 6, WATER: 6})
    rows = [(*row[:9], "", *row[10:]) for row in disabled_rows(12)]
    put("civil_affairs/disabled", "b202608.csv", csv_bytes(DISABLED_HEADER, rows))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == ("held", "community_unknown")
    release_held(warehouse.engine, outcome.delivery_id, "数据员甲", "是全部社区的")
    assert standing(AUGUST) == {None: (outcome.delivery_id, 12)}


def test_files_of_one_day_are_parts_when_they_share_no_community(land, standing, holds, ask):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    second = land("b1_20260831.csv", **{NEAR: 6})
    third = land("b2_20260831.csv", **{WATER: 7})
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 6), WATER: (third.delivery_id, 7)}
    assert holds() == [
        (second.delivery_id, WATER, "delivered", third.delivery_id),
        (third.delivery_id, NEAR, "delivered", second.delivery_id),
    ]
    assert (third.reason_code, ask("select delivery_id from ops.waiting")) == (None, [])
    fourth = land("b3_20260831.csv", **{NEAR: 8})
    assert standing(AUGUST) == {NEAR: (fourth.delivery_id, 8), WATER: (third.delivery_id, 7)}
    assert first.delivery_id not in {delivery for delivery, _ in standing(AUGUST).values()}


def test_a_correction_of_the_same_day_that_dropped_a_community_is_asked_about(land, standing):
    first = land("a_20260831.csv", **{NEAR: 6, WATER: 6})
    second = land("b_20260831.csv", **{NEAR: 7})
    assert second.reason_code == "community_missing"
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 7), WATER: (first.delivery_id, 6)}


def test_an_older_snapshot_that_is_released_never_replaces_newer_rows(land, standing, holds, warehouse):
    second = land("b202608.csv", **{NEAR: 6, WATER: 6})
    first = land("a202607.csv", **{NEAR: 5, WATER: 5})
    assert (first.status, first.reason_code) == ("held", "older_snapshot")
    release_held(warehouse.engine, first.delivery_id, "数据员甲", "补报七月")
    assert standing(AUGUST) == {NEAR: (second.delivery_id, 6), WATER: (second.delivery_id, 6)}
    assert standing(date(2026, 7, 31)) == {NEAR: (first.delivery_id, 5), WATER: (first.delivery_id, 5)}
    assert holds() == []


def test_an_older_snapshot_released_late_fills_what_a_newer_one_left_open(land, standing, holds, warehouse):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6})
    third = land("c202609.csv", **{NEAR: 6})
    second = land("b202608.csv", **{NEAR: 6, WATER: 7})
    assert second.status == "held"
    release_held(warehouse.engine, second.delivery_id, "数据员甲", "补报八月")
    assert standing(SEPTEMBER) == {NEAR: (third.delivery_id, 6), WATER: (second.delivery_id, 7)}
    assert standing(date(2026, 7, 31))[WATER] == (first.delivery_id, 6)
    assert holds() == [(third.delivery_id, WATER, "open", None)]


def test_an_older_snapshot_asks_only_what_no_newer_one_has_answered(land, standing, holds, warehouse):
    first = land("a202607.csv", **{NEAR: 6, WATER: 6, FAR: 6})
    third = land("c202609.csv", **{NEAR: 6, WATER: 6})
    second = land("b202608.csv", **{NEAR: 6})
    release_held(warehouse.engine, second.delivery_id, "数据员甲", "补报八月")
    assert set(holds()) == {
        (second.delivery_id, WATER, "delivered", third.delivery_id),
        (second.delivery_id, FAR, "carried_on", third.delivery_id),
        (third.delivery_id, FAR, "open", None),
    }
    assert standing(AUGUST)[WATER] == (first.delivery_id, 6)
    assert standing(SEPTEMBER)[FAR] == (first.delivery_id, 6)


def test_whoever_releases_a_volume_has_answered_for_it_but_not_for_missing_communities(
    land, standing, holds, warehouse
):
    first = land("a202607.csv", **{NEAR: 40, WATER: 40, FAR: 40})
    second = land("b202608.csv", **{NEAR: 28, WATER: 28})
    assert (second.status, second.reason_code) == ("held", "count_far_off")
    release_held(warehouse.engine, second.delivery_id, "数据员甲", "核实无误")
    assert standing(AUGUST) == {
        NEAR: (second.delivery_id, 28),
        WATER: (second.delivery_id, 28),
        FAR: (first.delivery_id, 40),
    }
    assert holds() == [(second.delivery_id, FAR, "open", None)]
