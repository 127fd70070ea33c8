"""Who is the same person: what must join, what must never join, and that the order of rows does not matter."""

from __future__ import annotations

import random
from datetime import date

import pytest

from linkage import model
from linkage.doors import add_doors
from linkage.persons import PersonLinks, link_persons
from linkage.records import judge_ids
from tests.hand_made_records import AUGUST, OCTOBER, SEPTEMBER, Records, make_id

BORN = date(1960, 5, 4)
OWN = make_id(BORN, "1")
HOME = "望江家园|1|2|301"
ELSEWHERE = "清水苑|9|1|1204"


def link(records: Records, order: random.Random | None = None) -> PersonLinks:
    persons, visits = records.frames()
    if order is not None:
        persons = persons.sample(fraction=1.0, shuffle=True, seed=order.randrange(2**32))
    located, _ = add_doors(judge_ids(persons), visits)
    return link_persons(located, model.shipped_model()["settings"])


def groups(records: Records) -> list[set[str]]:
    links = link(records).links
    return [set(group["record_id"]) for _, group in links.group_by("person", maintain_order=True)]


def together(records: Records, *wanted: str) -> bool:
    return any(set(wanted) <= group for group in groups(records))


def apart(records: Records, one: str, other: str) -> bool:
    return not together(records, one, other)


@pytest.fixture
def street() -> Records:
    """Neighbours, so that names have frequencies and the person in question is one of many."""
    records = Records()
    surnames, givens = (
        "王李张刘陈杨黄赵吴周",
        ("建国", "秀英", "海波", "丽娟", "志强", "玉兰", "文博", "子涵"),
    )
    for number, (surname, given) in enumerate((s, g) for s in surnames for g in givens):
        birth = date(1940 + number % 70, 1 + number % 12, 1 + number % 28)
        records.person(
            surname + given, id_no=make_id(birth, serial=100 + number), birth=birth, phone=f"138{number:08d}",
            door=f"邻里花园|{number % 9 + 1}|1|{number + 101}", sex="1",
        )  # fmt: skip
    return records


def test_same_id_and_name_join_whatever_else_differs(street: Records) -> None:
    one = street.person("郑大海", id_no=OWN, birth=BORN, door=HOME, phone="13911110000")
    other = street.person("郑大海", id_no=OWN, door=ELSEWHERE, phone="13922220000")
    assert together(street, one, other)


@pytest.mark.parametrize(
    "changed",
    [
        {"id_no": None},
        {"id_no": OWN[:-2] + ("0" if OWN[-2] != "0" else "1") + OWN[-1]},  # one digit mistyped
        {"id_no": OWN[:6] + "********" + OWN[14:]},
        {"id_no": None, "birth": None, "sex": "1"},
        {"id_no": None, "phone": None},
        {"id_no": None, "door": ELSEWHERE},
        {"id_no": None, "birth": date(1960, 4, 9)},  # lunar
        {"id_no": None, "name": "郑达海", "pinyin": "zheng da hai"},
        {"id_no": None, "name": "郑大梅"},
        {"id_no": None, "name": "邓大海"},
    ],
)
def test_one_fault_does_not_make_a_second_person(street: Records, changed: dict[str, object]) -> None:
    facts: dict[str, object] = {
        "name": "郑大海", "pinyin": "zheng da hai", "id_no": OWN, "birth": BORN, "sex": "1",
        "phone": "13911110000", "door": HOME,
    }  # fmt: skip
    one = street.person(**facts)  # type: ignore[arg-type]
    other = street.person(**facts | changed)  # type: ignore[arg-type]
    assert together(street, one, other)


def test_twins_stay_two_though_all_but_name_and_id_agree(street: Records) -> None:
    facts = {"birth": date(2015, 3, 2), "sex": "1", "phone": "13911110000", "door": HOME, "number": "WJ1"}
    first = street.person("郑子轩", id_no=make_id(date(2015, 3, 2), serial=61), **facts)  # type: ignore[arg-type]
    second = street.person("郑子航", id_no=make_id(date(2015, 3, 2), serial=62), **facts)  # type: ignore[arg-type]
    assert apart(street, first, second)


def test_a_twin_without_an_id_is_not_taken_for_the_other(street: Records) -> None:
    facts = {"birth": date(2015, 3, 2), "sex": "1", "phone": "13911110000", "door": HOME}
    first = street.person("郑子轩", id_no=make_id(date(2015, 3, 2), serial=61), number="WJ1", **facts)  # type: ignore[arg-type]
    second = street.person("郑子航", number="WJ1", **facts)  # type: ignore[arg-type]
    at_doctor = street.person("郑子航", **facts)  # type: ignore[arg-type]
    assert apart(street, first, second)
    assert together(street, second, at_doctor)


def test_parent_and_child_with_one_phone_and_door_stay_two(street: Records) -> None:
    facts = {"phone": "13911110000", "door": HOME, "sex": "1"}
    father = street.person("郑大海", birth=BORN, **facts)  # type: ignore[arg-type]
    son = street.person("郑大江", birth=date(1988, 2, 3), **facts)  # type: ignore[arg-type]
    dateless = street.person("郑大山", **facts)  # type: ignore[arg-type]
    assert apart(street, father, son)
    assert apart(street, father, dateless)
    assert apart(street, son, dateless)


def test_two_people_with_one_id_number_stay_two(street: Records) -> None:
    one = street.person("郑大海", id_no=OWN, birth=BORN, door=HOME)
    other = street.person("孙玉兰", id_no=OWN, birth=BORN, door=ELSEWHERE)
    assert apart(street, one, other)


def test_the_heads_id_on_his_wifes_row_joins_nobody_to_him(street: Records) -> None:
    hers = make_id(date(1962, 7, 8), "2")
    facts = {"door": HOME, "phone": "13911110000"}
    head = street.person("郑大海", id_no=OWN, birth=BORN, sex="1", number="WJ1", **facts)  # type: ignore[arg-type]
    wife = street.person("孙玉珍", id_no=hers, birth=date(1962, 7, 8), sex="2", number="WJ1", **facts)  # type: ignore[arg-type]
    wrong = street.person("孙玉珍", id_no=OWN, sex="2", **facts)  # type: ignore[arg-type]
    assert apart(street, head, wrong)
    assert together(street, wife, wrong)


def test_two_right_ids_under_one_name_and_birth_date_need_a_tie_to_be_one(street: Records) -> None:
    other_id = make_id(BORN, serial=200)
    one = street.person("郑大海", id_no=OWN, birth=BORN, door=HOME)
    namesake = street.person("郑大海", id_no=other_id, birth=BORN, door=ELSEWHERE)
    assert apart(street, one, namesake)
    corrected = street.person("郑大海", id_no=make_id(BORN, serial=300), birth=BORN, door=HOME)
    assert together(street, one, corrected)


def test_children_of_one_name_in_one_listing_stay_two(street: Records) -> None:
    facts = {"phone": "13911110000", "door": HOME, "sex": "2", "number": "WJ1"}
    first = street.person("郑子涵", birth=date(2012, 1, 5), **facts)  # type: ignore[arg-type]
    second = street.person("郑子涵", birth=date(2016, 8, 9), **facts)  # type: ignore[arg-type]
    assert apart(street, first, second)


def test_sisters_whose_names_sound_alike_stay_two_when_a_list_names_both(street: Records) -> None:
    facts = {"phone": "13911110000", "door": HOME, "sex": "2", "pinyin": "zheng yu xi"}
    born = date(2021, 1, 10)
    elder = street.person("郑雨曦", birth=born, number="WJ1", **facts)  # type: ignore[arg-type]
    younger = street.person("郑雨汐", number="WJ1", **facts)  # type: ignore[arg-type]
    at_doctor = street.person("郑雨曦", birth=born, **facts)  # type: ignore[arg-type]
    assert apart(street, elder, younger)
    assert together(street, elder, at_doctor)


def test_twins_are_not_bridged_by_a_name_that_is_like_both(street: Records) -> None:
    facts = {"birth": date(2020, 12, 10), "sex": "1", "door": HOME}
    first = street.person("郑皓瑞", number="WJ1", pinyin="zheng hao rui", **facts)  # type: ignore[arg-type]
    second = street.person("郑皓然", number="WJ1", pinyin="zheng hao ran", **facts)  # type: ignore[arg-type]
    slip = street.person("郑皓睿", pinyin="zheng hao rui", **facts)  # type: ignore[arg-type]
    assert apart(street, first, second)
    assert together(street, first, slip)


def test_a_household_number_and_a_name_carry_over_when_nothing_else_is_stated(street: Records) -> None:
    one = street.person("郑大海", block="D1", on=AUGUST)
    other = street.person("郑大海", block="D1", on=SEPTEMBER, door=HOME)
    rows = {row["record_id"]: row for row in link(street).links.to_dicts()}
    assert rows[one]["person"] == rows[other]["person"]
    assert rows[one]["link_rule"] == rows[other]["link_rule"] == "same_household_and_name"
    assert 0.999 < rows[one]["link_probability"] < 1


BABY = date(2026, 7, 12)


def test_a_newborn_is_the_same_child_once_it_has_a_name(street: Records) -> None:
    unnamed = street.person("郑海之子", birth=BABY, door=HOME, number="WJ9", sex="1")
    named = street.person(
        "郑子轩", id_no=make_id(BABY, "1"), birth=BABY, number="WJ9", door=HOME, sex="1", on=SEPTEMBER
    )
    elsewhere = street.person("郑子轩", birth=BABY, door=HOME, block="D7", sex="1", on=SEPTEMBER)
    assert together(street, unnamed, named, elsewhere)
    assert set(link(street).links["link_rule"]) >= {"named_later"}


def test_an_unnamed_child_is_not_guessed_among_twins_or_brothers(street: Records) -> None:
    unnamed = street.person("郑海之子", birth=BABY, door=HOME, number="WJ9", sex="1")
    twin = street.person("郑子轩", birth=BABY, door=HOME, number="WJ9", sex="1")
    sister = street.person("郑子涵", birth=BABY, door=ELSEWHERE, number="WJ8", sex="2", on=SEPTEMBER)
    unnamed_brother = street.person("郑湖之子", birth=BABY, door=ELSEWHERE, number="WJ8", sex="1")
    assert apart(street, unnamed, twin)
    assert apart(street, sister, unnamed_brother)


def test_a_bridge_between_two_known_people_holds_only_its_stronger_end(street: Records) -> None:
    """The weak record fits both; joining all three would put two known ids into one person."""
    elder_id, younger_id = make_id(date(1985, 3, 3), serial=71), make_id(date(1985, 3, 30), serial=72)
    elder = street.person("郑大海", id_no=elder_id, birth=date(1985, 3, 3), door=HOME, phone="13911110000")
    younger = street.person(
        "郑大海", id_no=younger_id, birth=date(1985, 3, 30), door=ELSEWHERE, phone="13922220000"
    )
    weak = street.person("郑大海", birth=date(1985, 3, 30), door=HOME, phone="13922220000")
    outcome = groups(street)
    assert not any({elder, younger} <= group for group in outcome)
    assert any({younger, weak} <= group for group in outcome)


def test_a_filler_phone_is_no_evidence(street: Records) -> None:
    one = street.person("王建国", phone="13800000000", birth=date(1950, 1, 1))
    other = street.person("王建国", phone="13800000000", birth=date(1981, 9, 9))
    for row in street.persons[-2:]:
        row["phone_kind"] = "filler"
    assert apart(street, one, other)


def test_rules_and_probabilities_say_what_joined_the_record(street: Records) -> None:
    one = street.person("郑大海", id_no=OWN, birth=BORN, door=HOME, phone="13911110000")
    again = street.person("郑大海", id_no=OWN, birth=BORN, door=HOME, phone="13911110000", on=OCTOBER)
    without = street.person("郑大海", birth=BORN, door=HOME, phone="13911110000")
    alone = street.person("欧阳无双", birth=date(1999, 9, 9))
    rows = {row["record_id"]: row for row in link(street).links.to_dicts()}
    assert rows[one]["link_rule"] == rows[again]["link_rule"] == "same_id_and_name"
    assert rows[without]["link_rule"] == "splink"
    assert 0.9 < rows[without]["link_probability"] < 1
    assert (rows[alone]["link_rule"], rows[alone]["link_probability"]) == ("single_record", 1.0)
    assert rows[alone]["person"] not in {rows[record]["person"] for record in (one, again, without)}


def test_the_order_of_rows_does_not_matter(street: Records) -> None:
    rng = random.Random(5)
    for _ in range(3):
        street.person("郑大海", id_no=OWN, birth=BORN, door=HOME, phone="13911110000")
        street.person("郑大海", birth=BORN, phone="13911110000")
    expected = link(street).links
    for _ in range(3):
        assert link(street, rng).links.equals(expected)


def test_blocks_beyond_the_cap_are_left_out_and_counted() -> None:
    """Sixty people of one name behind one filler nobody has recognised yet."""
    records = Records()
    for number in range(model.MAX_BLOCK_SIZE + 10):
        records.person("王建国", phone="13812345678", birth=date(1930 + number, 1, 1))
    outcome = link(records)
    assert outcome.blocks_left_out == 1
    assert outcome.links["person"].n_unique() == model.MAX_BLOCK_SIZE + 10


def test_no_records_give_no_persons() -> None:
    outcome = link(Records())
    assert outcome.links.is_empty()
    assert outcome.pairs_scored == 0


def test_the_shipped_model_fits_its_definition_and_has_every_weight() -> None:
    settings = model.shipped_model()["settings"]
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                assert 0 < level["m_probability"] < 1
                assert 0 < level["u_probability"] < 1


def test_the_definition_is_fresh_on_each_call() -> None:
    first = model.untrained_settings()
    first["comparisons"][0]["comparison_levels"].clear()
    assert model.untrained_settings()["comparisons"][0]["comparison_levels"]
