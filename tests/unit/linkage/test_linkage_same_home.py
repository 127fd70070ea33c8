"""What a common home shows where id or birth date are missing or miswritten, and what forbids to believe it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from linkage import model
from linkage.doors import add_doors
from linkage.persons import link_persons, make_profiles
from linkage.records import judge_ids
from linkage.same_home import same_home_pairs
from tests.hand_made_records import AUGUST, OCTOBER, SEPTEMBER, Records, make_id

BORN = date(1960, 5, 4)
OWN = make_id(BORN, "1")
HOME, ELSEWHERE = "望江家园|1|2|301", "望江家园|7|2|602"


def rules(records: Records) -> set[str]:
    located, _ = add_doors(judge_ids(records.frames()[0]), records.frames()[1])
    profiles, of_record = make_profiles(located)
    return set(same_home_pairs(located, of_record, profiles)["rule"])


@pytest.mark.parametrize(
    "written",
    [
        None,
        date(1960, 4, 5),  # day and month exchanged
        date(1960, 6, 21),  # the lunar birthday
        date(1960, 5, 14),
        date(1960, 11, 4),  # another month
        date(1966, 5, 4),  # another year
    ],
)
def test_one_name_in_one_household_is_one_person_however_the_birth_date_slipped(written: date | None) -> None:
    records = Records()
    records.person("郑大海", id_no=OWN, birth=BORN, number="WJ1", on=AUGUST)
    records.person("郑大海", birth=written, number="WJ1", on=SEPTEMBER)
    assert rules(records) == {"same_household_and_name"}


def test_one_name_behind_one_door_is_one_person_when_nothing_contradicts() -> None:
    records = Records()
    records.person("郑大海", id_no=OWN, birth=BORN, number="WJ1", door=HOME)
    records.person("郑大海", door=HOME)
    assert rules(records) == {"same_door_and_name"}


@pytest.mark.parametrize(
    "contradiction",
    [
        {"id_no": make_id(BORN, "1", serial=77)},
        {"sex": "2"},
        {"birth": date(1988, 10, 20)},
        {"door": ELSEWHERE},
        {"number": "WJ2"},  # one delivery names both, each in a household of its own
    ],
)
def test_a_contradiction_leaves_namesakes_behind_one_door_two(contradiction: dict[str, Any]) -> None:
    records = Records()
    records.person("郑大海", id_no=OWN, birth=BORN, sex="1", number="WJ1", door=HOME)
    records.person("郑大海", **({"door": HOME} | contradiction))
    assert rules(records) == set()


def test_a_delivery_that_names_two_of_a_name_and_household_forbids_to_join_any() -> None:
    records = Records()
    records.person("郑子涵", birth=date(2012, 1, 5), number="WJ1")
    records.person("郑子涵", birth=date(2012, 1, 25), number="WJ1")
    records.person("郑子涵", number="WJ1", on=SEPTEMBER)
    assert rules(records) == set()


def test_a_name_of_one_other_character_that_stands_in_its_stead_is_the_same_person() -> None:
    records = Records()
    for on in (AUGUST, OCTOBER):
        records.person("郑美玲", id_no=OWN, birth=BORN, phone="13911110000", door=HOME, on=on)
    records.person("郑美琳", birth=BORN, door=HOME, on=SEPTEMBER)
    assert rules(records) == {"same_place_in_list"}
    records.persons[-1] |= {"birth_date": None, "phone_token": "13911110000", "phone_kind": "mobile"}
    assert rules(records) == {"same_place_in_list"}


@pytest.mark.parametrize(
    "change", [{"birth": date(1960, 5, 6)}, {"birth": None}, {"id_no": make_id(BORN, "1", serial=9)}]
)
def test_a_like_name_needs_the_birth_date_or_the_phone_and_no_id_of_its_own(change: dict[str, Any]) -> None:
    records = Records()
    records.person("郑美玲", id_no=OWN, birth=BORN, phone="13911110000", door=HOME)
    records.person("郑美琳", **({"birth": BORN, "door": HOME, "on": SEPTEMBER} | change))
    assert rules(records) == set()


def test_twins_whom_any_list_names_at_once_stay_two() -> None:
    records = Records()
    for name in ("郑美玲", "郑美琳"):
        records.person(name, birth=BORN, number="WJ1", door=HOME)
    records.person("郑美玲", birth=BORN, door=HOME)
    records.person("郑美琳", birth=BORN, door=HOME, on=SEPTEMBER)
    assert "same_place_in_list" not in rules(records)


def test_a_name_that_could_stand_for_two_stands_for_neither() -> None:
    records = Records()
    for name in ("郑美玲", "郑美芳"):
        records.person(name, birth=BORN, door=HOME)
    records.person("郑美琳", birth=BORN, door=HOME, on=SEPTEMBER)
    assert "same_place_in_list" not in rules(records)


def test_newborns_of_one_name_and_day_whom_a_list_names_behind_two_doors_stay_two() -> None:
    records = Records()
    for on in (AUGUST, SEPTEMBER):
        for door in (HOME, ELSEWHERE):
            records.person("郑嘉诚", birth=date(2026, 7, 2), sex="1", door=door, on=on)
    located, _ = add_doors(judge_ids(records.frames()[0]), records.frames()[1])
    links = link_persons(located, model.shipped_model()["settings"]).links.join(
        located.select("record_id", "door"), on="record_id"
    )
    assert links.group_by("person").agg(doors="door")["doors"].list.n_unique().to_list() == [1, 1]
