"""What a delivery says it changed: counted against what it replaces, by business key, without a value."""

import pytest
from ingest_lists import (
    DISABLED_HEADER,
    REGISTER_HEADER,
    csv_bytes,
    disabled_rows,
    every_row_has_one_fate,
    made_id,
    register_rows,
)

from ingest.holds import release_held

pytestmark = pytest.mark.database

FOLDER = "civil_affairs/disabled"
NAME, ID, ADDRESS, GUARDIAN_PHONE = 0, 2, 8, 11


def changed(row, place, value):
    return (*row[:place], value, *row[place + 1 :])


@pytest.fixture
def changes(ask):
    def changes(delivery_id):
        rows = ask(
            "select kind, column_name, row_count, replaces_delivery_id from ops.delivery_change where delivery_id = :id",
            id=delivery_id,
        )
        assert len({row.replaces_delivery_id for row in rows}) <= 1
        return {row.kind if not row.column_name else row.column_name: row.row_count for row in rows}

    return changes


@pytest.fixture
def land(put, take):
    def land(name, rows, header=DISABLED_HEADER, folder=FOLDER):
        put(folder, name, csv_bytes(header, rows))
        (outcome,) = take()
        return outcome

    return land


def test_a_first_delivery_replaces_nothing(land, changes):
    assert changes(land("a202607.csv", disabled_rows(9)).delivery_id) == {}


def test_the_same_rows_in_another_order_change_nothing(land, changes, ask):
    """F34: re-sorted rows are another file, and no news."""
    rows = [*disabled_rows(9), disabled_rows(1)[0]]
    first = land("a_20260731.csv", rows)
    second = land("b_20260731.csv", rows[::-1])
    assert (first.status, second.status) == ("loaded", "loaded")
    assert changes(second.delivery_id) == {"added": 0, "removed": 0, "changed": 0, "unchanged": 10}


def test_a_corrected_delivery_says_what_it_corrected(land, changes, ask):
    rows = disabled_rows(12)
    land("a_20260731.csv", rows)
    corrected = [
        changed(rows[0], ADDRESS, "清水苑99幢1单元101室"),
        changed(changed(rows[1], ADDRESS, "清水苑98幢1单元101室"), GUARDIAN_PHONE, "13912345678"),
        *rows[3:],
        *disabled_rows(14)[12:],
    ]
    second = land("b_20260731.csv", corrected)
    assert changes(second.delivery_id) == {
        "added": 2, "removed": 1, "changed": 2, "unchanged": 9, "address": 2, "guardian_phone": 1,
    }  # fmt: skip
    assert ask("select distinct replaces_delivery_id from ops.delivery_change") == [(1,)]


def test_a_mended_id_or_name_is_the_same_row(land, changes):
    """The key itself was wrong: the rest of it finds the row, where that is not ambiguous."""
    rows = disabled_rows(12)
    wrong = changed(rows[3], ID, rows[3][ID][:-1] + ("0" if rows[3][ID][-1] != "0" else "1"))
    land("a_20260731.csv", [*rows[:3], wrong, *rows[4:]])
    renamed = changed(rows[5], NAME, "测试更名")
    second = land("b_20260731.csv", [*rows[:5], renamed, *rows[6:]])
    assert changes(second.delivery_id) == {
        "added": 0, "removed": 0, "changed": 2, "unchanged": 10, "id_no": 1, "person_name": 1,
    }  # fmt: skip


def test_a_namesake_is_another_person(land, changes):
    rows = disabled_rows(12)
    other = disabled_rows(13)[12]
    namesake = (rows[3][NAME], *other[1:8], "莫邪塘7幢1单元202室", *other[9:])
    land("a_20260731.csv", rows)
    second = land("b_20260731.csv", [*rows[:3], namesake, *rows[4:]])
    found = changes(second.delivery_id)
    assert (found["added"], found["removed"], found["unchanged"]) == (1, 1, 11)


def test_a_new_month_is_compared_with_the_last(land, changes, ask):
    land("a202607.csv", disabled_rows(12))
    second = land("b202608.csv", disabled_rows(14))
    assert changes(second.delivery_id) == {"added": 2, "removed": 0, "changed": 0, "unchanged": 12}


def test_a_community_that_is_held_is_not_counted_as_removed(land, changes):
    land("a202607.csv", disabled_rows(12))
    second = land("b202608.csv", disabled_rows(12)[::2])
    assert second.reason_code == "community_missing"
    assert changes(second.delivery_id) == {"added": 0, "removed": 0, "changed": 0, "unchanged": 6}


def test_a_held_delivery_says_it_when_it_is_released(land, changes, warehouse):
    rows = disabled_rows(60)
    land("a202607.csv", rows)
    second = land("b202608.csv", rows[:40])
    assert (second.status, changes(second.delivery_id)) == ("held", {})
    release_held(warehouse.engine, second.delivery_id, "数据员甲", "核实无误")
    assert changes(second.delivery_id) == {"added": 0, "removed": 20, "changed": 0, "unchanged": 40}


def test_an_update_list_is_compared_row_by_row_with_the_newest_of_each_key(land, changes, ask):
    folder = "community/household_register"
    rows = register_rows(10)
    land("a202607.csv", rows, REGISTER_HEADER, folder)
    moved = changed(rows[2], 3, "莫邪塘77-1-202")
    second = land("b202608.csv", [moved], REGISTER_HEADER, folder)
    assert changes(second.delivery_id) == {"added": 0, "changed": 1, "unchanged": 0, "address": 1}
    third = land("c202609.csv", [moved, rows[3], *register_rows(12)[10:]], REGISTER_HEADER, folder)
    assert changes(third.delivery_id) == {"added": 2, "changed": 0, "unchanged": 2}
    assert ask("select distinct replaces_delivery_id from ops.delivery_change where delivery_id = 3") == [
        (2,)
    ]


def test_no_value_is_in_what_changed(land, ask):
    rows = disabled_rows(5)
    land("a_20260731.csv", rows)
    land("b_20260731.csv", [changed(rows[0], ADDRESS, "清水苑99幢1单元101室"), *rows[1:]])
    told = str(ask("select * from ops.delivery_change"))
    assert made_id(0) not in told
    assert "清水苑" not in told
    assert every_row_has_one_fate(ask)
