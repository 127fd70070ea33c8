"""Who lives with whom: numbers, doors, moves, and what a visit is told by. Persons are given, not found."""

from __future__ import annotations

import dataclasses
import random
from datetime import date
from typing import Any

import polars as pl

from linkage.doors import add_doors
from linkage.household_records import link_household_records
from linkage.households import HouseholdLinks, link_households
from tests.hand_made_records import AUGUST, OCTOBER, SEPTEMBER, Records

HOME, ELSEWHERE = "望江家园|1|2|301", "清水苑|9|1|1204"
A_HOME, AN_ELSEWHERE = "近江社区/望江家园|1|2|301", "近江社区/清水苑|9|1|1204"


class Street(Records):
    """Every name is one person."""

    def located(self, shuffle: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
        persons, visits = self.frames()
        names = sorted(set(persons["person_name_key"]))
        persons = persons.with_columns(
            person=pl.col("person_name_key").replace_strict(names, range(len(names)), return_dtype=pl.Int64)
        )
        if shuffle is not None:
            persons = persons.sample(fraction=1.0, shuffle=True, seed=shuffle)
            visits = visits.sample(fraction=1.0, shuffle=True, seed=shuffle)
        located, visits = add_doors(persons, visits)
        return located, visits

    def linked(self) -> HouseholdLinks:
        return link_households(self.located()[0])

    def homes(self) -> dict[str, int]:
        persons = self.located()[0].select("person", "person_name_key").unique()
        return dict(
            self.linked()
            .current.join(persons, on="person")
            .select("person_name_key", "household")
            .iter_rows()
        )

    def stays(self, name: str) -> list[tuple[Any, ...]]:
        persons = self.located()[0].select("person", "person_name_key").unique()
        rows = self.linked().memberships.join(persons, on="person").filter(pl.col("person_name_key") == name)
        return list(rows.sort("valid_from").select("household", "valid_from", "valid_to").iter_rows())

    def visited(self) -> list[tuple[int | None, str]]:
        persons, visits = self.located()
        found = link_household_records(visits, persons, link_households(persons))
        order = [row["record_id"] for row in self.visits]
        rows = {row["record_id"]: (row["household"], row["link_rule"]) for row in found.to_dicts()}
        return [rows[record] for record in order]


def family(
    street: Street, number: str, names: str, *, door: str = HOME, on: date = AUGUST, **more: Any
) -> None:
    """A register listing; the first of the one-letter names is the head."""
    for place, name in enumerate(names):
        street.person(name, number=number, door=door, on=on, head=place == 0, **more)


def test_two_numbers_with_different_people_behind_one_door_stay_two() -> None:
    street = Street()
    family(street, "WJ1", "甲乙丙")
    family(street, "WJ2", "丁戊")
    homes = street.homes()
    assert homes["甲"] == homes["乙"] == homes["丙"]
    assert homes["丁"] == homes["戊"] != homes["甲"]


def test_one_family_under_two_numbers_is_one_household() -> None:
    street = Street()
    family(street, "WJ1", "甲乙丙")
    family(street, "WJ1B", "甲乙")
    assert len(set(street.homes().values())) == 1


def test_a_family_that_moves_and_gets_a_new_number_stays_one_household() -> None:
    street = Street()
    family(street, "WJ1", "甲乙丙")
    family(street, "WJ7", "甲乙丙", door=ELSEWHERE, on=SEPTEMBER)
    assert len(set(street.homes().values())) == 1
    assert len(street.stays("甲")) == 1
    doors = street.linked().doors
    assert dict(doors.select("door", "is_current").iter_rows()) == {A_HOME: False, AN_ELSEWHERE: True}


def test_a_number_used_again_for_another_family_is_two_households() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ1", "丙丁", door=ELSEWHERE, on=OCTOBER)
    homes = street.homes()
    assert homes["甲"] == homes["乙"] != homes["丙"] == homes["丁"]


def test_a_delivery_of_changes_only_does_not_split_a_household() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    street.person("丙", number="WJ1", door=HOME, on=SEPTEMBER)  # the new baby alone
    homes = street.homes()
    assert homes["丙"] == homes["甲"]


def test_a_person_who_moves_is_in_the_new_household_from_its_first_evidence() -> None:
    street = Street()
    family(street, "WJ1", "甲乙丙", evidence=date(2026, 7, 5))
    family(street, "WJ1", "甲乙", on=SEPTEMBER, evidence=date(2026, 9, 5))
    street.person("丙", number="WJ2", door=ELSEWHERE, on=SEPTEMBER, evidence=date(2026, 9, 12), head=True)
    homes = street.homes()
    assert homes["丙"] != homes["甲"] == homes["乙"]
    assert street.stays("丙") == [
        (homes["甲"], date(2026, 7, 5), date(2026, 9, 12)),
        (homes["丙"], date(2026, 9, 12), None),
    ]
    assert street.stays("甲") == [(homes["甲"], date(2026, 7, 5), None)]


def test_of_two_listings_in_one_delivery_the_newer_registration_counts() -> None:
    street = Street()
    family(street, "WJ1", "甲乙丙", evidence=date(2025, 1, 1))  # the child still stands with the parents
    family(street, "WJ2", "丙丁", door=ELSEWHERE, evidence=date(2026, 8, 1))
    homes = street.homes()
    assert homes["丙"] == homes["丁"] != homes["甲"]
    assert [stay[0] for stay in street.stays("丙")] == [homes["丙"]]


def test_coming_back_makes_three_stays_with_rising_dates() -> None:
    street = Street()
    for number, door, on in (("WJ1", HOME, AUGUST), ("WJ2", ELSEWHERE, SEPTEMBER), ("WJ1", HOME, OCTOBER)):
        street.person("丙", number=number, door=door, on=on, evidence=date(2026, 6, 1))
    family(street, "WJ1", "甲乙")
    family(street, "WJ2", "丁戊", door=ELSEWHERE)
    stays = street.stays("丙")
    assert [stay[1] for stay in stays] == [date(2026, 6, 1), SEPTEMBER, OCTOBER]
    assert [stay[2] for stay in stays] == [SEPTEMBER, OCTOBER, None]


def test_who_is_not_in_the_register_joins_the_only_household_behind_the_door() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    street.person("丙", door=HOME)
    homes = street.homes()
    assert homes["丙"] == homes["甲"]


def test_behind_a_door_of_two_households_the_phone_then_the_surname_decides() -> None:
    street = Street()
    family(street, "WJ1", "甲乙", phone="13911110000")
    family(street, "WJ2", "丁戊", phone="13922220000")
    street.person("丙", door=HOME, phone="13922220000")
    street.person("丁二", door=HOME)
    street.person("己", door=HOME)
    street.person("庚", door=HOME)
    homes = street.homes()
    assert homes["丙"] == homes["丁二"] == homes["丁"]
    assert homes["己"] == homes["庚"] not in (homes["甲"], homes["丁"])


def test_unregistered_people_behind_one_door_are_a_household_of_their_own() -> None:
    street = Street()
    street.person("甲", door=HOME)
    street.person("乙", door=HOME, list_code="disabled")
    street.person("丙", door=ELSEWHERE)
    homes = street.homes()
    assert homes["甲"] == homes["乙"] != homes["丙"]


def test_a_door_left_by_a_family_is_still_theirs_until_somebody_else_moves_in() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ1", "甲乙", door=ELSEWHERE, on=SEPTEMBER)
    street.person("丙", door=HOME, on=SEPTEMBER)  # the doctor has the old address
    assert street.homes()["丙"] == street.homes()["甲"]
    family(street, "WJ9", "丁", on=SEPTEMBER)
    assert street.homes()["丙"] == street.homes()["丁"]


def test_a_low_income_block_brings_its_people_to_the_household_of_the_others() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    for name in "甲乙丙":
        street.person(name, block="D1", door=None)
    homes = street.homes()
    assert homes["丙"] == homes["甲"]


def test_a_block_the_register_does_not_know_is_one_household() -> None:
    street = Street()
    street.person("甲", block="D1", door=HOME, head=True)
    street.person("乙", block="D1")
    assert len(set(street.homes().values())) == 1


def test_people_without_address_are_alone_unless_a_phone_places_them() -> None:
    street = Street()
    family(street, "WJ1", "甲乙", phone="13911110000")
    street.person("丙")
    street.person("丁")
    street.person("戊", phone="13911110000")
    homes = street.homes()
    assert len({homes["甲"], homes["丙"], homes["丁"]}) == 3
    assert homes["戊"] == homes["甲"]


def test_the_unknown_community_is_settled_by_who_lives_behind_either_door() -> None:
    street = Street()
    family(street, "WJ1", "甲乙", phone="13911110000")
    for name in "丁戊":
        street.person(name, number="WJ2", door=HOME, community="在水社区", phone="13922220000")
    street.person("丙", door=HOME, community=None, phone="13922220000")
    homes = street.homes()
    assert homes["丙"] == homes["丁"] != homes["甲"]


def test_visits_are_told_by_number_then_head_then_door() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ2", "丁戊")
    family(street, "WJ3", "庚", door=ELSEWHERE)
    street.visit(number="WJ2", head="丁", door=HOME)
    street.visit(number="WJ404", head="戊", door=HOME)
    street.visit(head="不识", door=ELSEWHERE)
    street.visit(head="不识", door=HOME)
    street.visit(head="甲")
    homes = street.homes()
    assert street.visited() == [
        (homes["丁"], "household_number"),
        (homes["丁"], "door_and_head"),
        (homes["庚"], "door"),
        (None, "unknown_household"),
        (None, "unknown_household"),
    ]


def test_a_vague_address_and_the_heads_name_tell_a_household_that_is_the_only_one() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ2", "丁戊")
    family(street, "WJ3", "庚", door=ELSEWHERE)
    street.visit(head="丁", door="望江家园|1||")
    street.visit(head="丁", door="望江家园|2||")
    street.visit(head="庚", door="望江家园|||")
    street.visit(head="庚", door="清水苑|||", community=None)
    street.visit(head="庚", door="清水苑|9||", community="在水社区")
    homes = street.homes()
    assert street.visited() == [
        (homes["丁"], "place_and_head"),
        (None, "unknown_household"),
        (None, "unknown_household"),
        (homes["庚"], "place_and_head"),
        (None, "unknown_household"),
    ]


def test_two_households_with_the_heads_name_leave_a_vague_visit_open() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    records = street.located()[0]
    twice = records.with_columns(pl.lit("甲").alias("person_name_key"))
    apart = link_households(records).current.with_columns(household=pl.col("person"))
    links = dataclasses.replace(link_households(records), current=apart)
    street.visit(head="甲", door="望江家园|1||")
    visits = street.located()[1]
    assert link_household_records(visits, twice, links)["link_rule"].to_list() == ["unknown_household"]


def test_a_number_that_neither_name_nor_door_supports_is_the_slip() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ3", "庚辛", door=ELSEWHERE)
    street.visit(number="WJ1", head="庚", door=ELSEWHERE)
    street.visit(number="WJ1", head="庚", door=HOME)
    street.visit(number="WJ1", head="不识", door=ELSEWHERE)
    homes = street.homes()
    assert street.visited() == [
        (homes["庚"], "door_and_head"),
        (homes["甲"], "household_number"),
        (homes["甲"], "household_number"),
    ]


def test_a_visit_under_a_reused_number_goes_to_the_family_of_its_day() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    family(street, "WJ1", "丙丁", door=ELSEWHERE, on=OCTOBER)
    street.visit(number="WJ1", head="不识", on=date(2026, 9, 10))
    street.visit(number="WJ1", head="不识", on=date(2026, 11, 10))
    street.visit(number="WJ1", head="丙", on=date(2026, 9, 10))
    homes = street.homes()
    assert [household for household, _ in street.visited()] == [homes["甲"], homes["丙"], homes["丙"]]


def test_a_visit_keeps_its_household_when_the_head_has_left() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    street.person("甲", number="WJ2", door=ELSEWHERE, on=SEPTEMBER, head=True)
    street.visit(number="WJ1", head="甲", on=date(2026, 8, 10))
    assert street.visited() == [(street.homes()["乙"], "household_number")]


def test_everybody_has_exactly_one_current_household_and_memberships_do_not_overlap() -> None:
    rng = random.Random(11)
    for _ in range(20):
        street = Street()
        for _ in range(rng.randint(1, 40)):
            number = rng.choice([None, None, "WJ1", "WJ2", "WJ3"])
            street.person(
                rng.choice("甲乙丙丁戊己庚辛"),
                number=number,
                block=None if number else rng.choice([None, None, "D1"]),
                door=rng.choice([None, HOME, ELSEWHERE]),
                on=rng.choice([AUGUST, SEPTEMBER, OCTOBER]),
                evidence=date(2026, rng.randint(1, 8), rng.randint(1, 28)),
                phone=rng.choice([None, "13911110000", "13922220000"]),
                head=rng.random() < 0.3,
            )
        located, visits = street.located()
        links = link_households(located)
        people = located["person"].n_unique()
        assert links.current["person"].n_unique() == links.current.height == people
        open_ended = links.memberships.filter(pl.col("valid_to").is_null())
        assert (
            open_ended.sort("person")
            .select("person", "household")
            .equals(links.current.sort("person").select("person", "household"))
        )
        assert (links.memberships["valid_to"] > links.memberships["valid_from"]).all()
        assert not links.memberships.select("person", "valid_from").is_duplicated().any()
        assert links.evidence["record_id"].n_unique() == located.height
        assert set(links.memberships["household"]) <= set(links.evidence["household"])
        again, _ = street.located(shuffle=rng.randrange(1000))
        shuffled = link_households(again)
        for name in ("current", "memberships", "evidence", "numbers", "doors"):
            assert getattr(shuffled, name).equals(getattr(links, name)), name
        assert link_household_records(visits, located, links).is_empty()


def test_a_family_registered_day_by_day_has_lived_together_since_the_first() -> None:
    street = Street()
    street.person("甲", number="WJ1", door=HOME, on=AUGUST, head=True, evidence=date(2026, 5, 20))
    street.person("乙", number="WJ1", door=HOME, on=AUGUST, evidence=date(2026, 4, 2))
    street.person("丙", number="WJ1", door=HOME, on=SEPTEMBER, evidence=date(2026, 9, 3))  # born since
    assert [start for _, start, _ in street.stays("甲")] == [date(2026, 4, 2)]
    assert [start for _, start, _ in street.stays("乙")] == [date(2026, 4, 2)]
    assert [start for _, start, _ in street.stays("丙")] == [date(2026, 9, 3)]


def test_nobody_joins_a_household_before_it_is_registered() -> None:
    street = Street()
    street.person("甲", number="WJ1", door=HOME, on=AUGUST, head=True, evidence=date(2026, 5, 20))
    street.person(
        "丁", door=HOME, on=AUGUST, evidence=date(2025, 1, 1)
    )  # an old contract, not in the register
    assert street.homes()["丁"] == street.homes()["甲"]
    assert [start for _, start, _ in street.stays("丁")] == [date(2026, 5, 20)]


def test_a_number_that_nobody_lives_under_is_no_household() -> None:
    street = Street()
    street.person("乙", number="WJ1", door=HOME, evidence=date(2025, 6, 28))
    street.person("甲", number="WJ2", door=ELSEWHERE, head=True, evidence=date(2024, 1, 1))
    street.person("丙", number="WJ2", door=ELSEWHERE, evidence=date(2024, 1, 1))
    street.person("乙", number="WJ2", door=ELSEWHERE, evidence=date(2026, 4, 13))
    street.visit(number="WJ1", head="乙", door=HOME)
    links = street.linked()
    lived_in = set(links.memberships["household"])
    assert set(links.evidence["household"]) == set(links.numbers["household"]) == lived_in
    assert set(links.doors["household"]) <= lived_in
    assert all(household is None or household in lived_in for household, _rule in street.visited())


def test_a_family_behind_a_registered_door_without_any_tie_is_a_household_of_its_own() -> None:
    street = Street()
    family(street, "WJ1", "甲乙", phone="13911110000")
    for name in ("丁一", "丁二"):
        street.person(name, door=HOME)
    street.person("戊", door=HOME, phone="13922220000")
    street.person("己", door=HOME, phone="13922220000")
    street.person("庚", door=HOME)
    homes = street.homes()
    assert homes["丁一"] == homes["丁二"] == homes["戊"] == homes["己"] != homes["甲"]
    assert homes["庚"] == homes["甲"]  # one person alone far more often belongs to those registered there


def test_a_tie_of_one_brings_the_whole_party_into_the_registered_household() -> None:
    street = Street()
    family(street, "WJ1", "甲乙", phone="13911110000")
    street.person("丁一", door=HOME, phone="13911110000")
    street.person("丁二", door=HOME)
    homes = street.homes()
    assert homes["丁一"] == homes["丁二"] == homes["甲"]


def test_a_block_of_its_own_stays_beside_the_registered_household_behind_its_door() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    for name in ("丁", "戊", "己"):
        street.person(name, block="D1", door=HOME, head=name == "丁")
    street.person("庚", block="D2", door=HOME, head=True)
    street.person("甲二", block="D3", door=HOME, head=True)
    homes = street.homes()
    assert homes["丁"] == homes["戊"] == homes["己"]
    assert len({homes["甲"], homes["丁"], homes["庚"]}) == 3
    assert homes["甲二"] == homes["甲"]
    rules = dict(street.linked().current.select("household", "rule").iter_rows())
    assert rules[homes["丁"]] == "low_income_block"


def test_a_block_is_one_household_though_its_people_spell_the_door_differently() -> None:
    street = Street()
    for name in ("甲", "乙", "丙", "丁"):
        street.person(name, block="D1", door=HOME, head=name == "甲")
    for name in ("乙", "丁"):
        street.person(name, door="望江佳园|1|2|301", on=SEPTEMBER)
    street.person("戊", door="望江佳园|1|2|301", on=SEPTEMBER)
    assert len(set(street.homes().values())) == 1


def test_two_blocks_behind_one_door_stay_two_and_the_surname_tells_whose_the_others_are() -> None:
    street = Street()
    for name in ("甲一", "甲二"):
        street.person(name, block="D1", door=HOME)
    for name in ("乙一", "乙二"):
        street.person(name, block="D2", door=HOME)
    street.person("乙三", door=HOME)
    street.person("丙", door=HOME)
    homes = street.homes()
    assert homes["甲一"] == homes["甲二"] != homes["乙一"]
    assert homes["乙一"] == homes["乙二"] == homes["乙三"]
    assert homes["丙"] not in (homes["甲一"], homes["乙一"])


def test_behind_a_door_of_two_households_the_heads_surname_tells_the_visited_one() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    for name in ("丁一", "丁二"):
        street.person(name, door=HOME)
    street.visit(head="丁三", door=HOME)
    street.visit(head="庚", door=HOME)
    assert street.visited() == [(street.homes()["丁一"], "door_and_surname"), (None, "unknown_household")]


def test_a_visit_to_the_old_door_of_people_the_register_does_not_know_is_theirs_by_name() -> None:
    street = Street()
    family(street, "WJ1", "甲乙")
    for name in ("丁一", "丁二"):
        street.person(name, door=HOME)
        street.person(name, door=ELSEWHERE, on=SEPTEMBER)
    street.visit(head="丁一", door=HOME)
    street.visit(head="不识", door=HOME)
    homes = street.homes()
    assert street.visited() == [(homes["丁一"], "door_and_head"), (homes["甲"], "door")]
