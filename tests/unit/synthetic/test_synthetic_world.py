"""The synthetic world keeps its own laws: one living household a person, valid ids, no number of a real operator."""

import random
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synthetic import dirt, names
from tests.synthetic.identity import UNASSIGNED_MOBILE_PREFIXES, check_character, is_valid_id, shorten_id
from tests.synthetic.kinship import is_same_relation, relation_to_head
from tests.synthetic.places import ADDRESS_STYLES, to_chinese_number, write_address
from tests.synthetic.population import Shares, World

FIRST = date(2026, 8, 1)
SEEDS = (1, 2, 3)


def world_after(months: int, seed: int = 1, households: int = 300, shares: Shares | None = None) -> World:
    world = World.create(seed, households, FIRST, shares)
    for month in range(months):
        world.advance(date(2026, 9 + month, 1))
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_present_lives_in_exactly_one_household_with_one_head(seed: int) -> None:
    world = world_after(3, seed)
    homes = Counter(uid for household in world.households.values() for uid in household.members)
    assert set(homes.values()) == {1}
    assert set(homes) == {person.uid for person in world.people.values() if person.is_present}
    for household in world.current_households():
        assert household.head in household.members
        assert all(world.people[uid].household_uid == household.uid for uid in household.members)
        assert len({person.name for person in world.members(household)}) == len(household.members)
        relations = [
            relation_to_head(world.people, p, world.people[household.head]) for p in world.members(household)
        ]
        assert relations.count("户主") == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_ids_are_valid_unique_and_say_birth_and_sex(seed: int) -> None:
    people = world_after(3, seed).people.values()
    assert len({person.id_no for person in people}) == len(people)
    for person in people:
        assert is_valid_id(person.id_no)
        assert person.id_no[6:14] == f"{person.birth:%Y%m%d}"
        assert int(person.id_no[16]) % 2 == (person.sex == "男")


def test_no_phone_can_be_anybodys() -> None:
    for person in world_after(3).people.values():
        if person.phone.startswith("0"):
            assert person.phone.startswith("0571-2")
        else:
            assert person.phone == "" or person.phone[:3] in UNASSIGNED_MOBILE_PREFIXES


def test_area_codes_are_many_and_mostly_local() -> None:
    areas = Counter(person.id_no[:6] for person in world_after(0, households=600).people.values())
    assert len(areas) > 50
    assert (
        0.45 < sum(count for area, count in areas.items() if area.startswith("3301")) / areas.total() < 0.75
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_quarter_of_life_happens_in_three_months(seed: int) -> None:
    kinds = {event.kind for event in world_after(3, seed, households=1500).events}
    assert {
        "birth",
        "death",
        "household_moved",
        "household_left",
        "household_arrived",
        "phone_changed",
    } <= kinds
    assert kinds & {"person_left_home", "parent_joined_child", "separation"}
    assert kinds & {"married_in", "married_out"}


def test_hard_things_occur_at_their_shares() -> None:
    world = world_after(0, seed=5, households=3000)
    doors = Counter((h.door.community, h.door.key) for h in world.current_households())
    assert 0.015 < sum(count > 1 for count in doors.values()) / len(doors) < 0.05
    people = [person for person in world.people.values() if person.is_present]
    assert 0.04 < sum(person.disability is not None for person in people) / len(people) < 0.08
    assert 0.38 < sum(person.has_family_doctor for person in people) / len(people) < 0.52
    assert 0.025 < sum(h.grant is not None for h in world.current_households()) / 3000 < 0.06
    assert sum(person.is_unlisted for person in people) / len(people) < 0.04
    namesakes = Counter(person.name for person in people)
    assert sum(count for count in namesakes.values() if count > 1) / len(people) > 0.2
    twins = Counter(
        (p.birth, p.father, p.mother) for p in people if p.father is not None or p.mother is not None
    )
    assert sum(count > 1 for count in twins.values()) >= 20
    compounds = Counter(compound.name for compound in world.place.compounds)
    assert max(compounds.values()) == 2
    assert {0, 2} <= {compound.unit_count for compound in world.place.compounds}
    assert any(compound.is_self_built for compound in world.place.compounds)


def test_a_share_of_nothing_gives_none() -> None:
    quiet = Shares(
        shared_door=0,
        twin_births=0,
        unlisted_household=0,
        unlisted_person=0,
        low_income=0,
        disabled=0,
        family_doctor=0,
    )
    world = world_after(0, shares=quiet)
    doors = Counter((h.door.community, h.door.key) for h in world.current_households())
    assert set(doors.values()) == {1}
    assert not any(p.disability or p.has_family_doctor or p.is_unlisted for p in world.people.values())
    assert not any(household.grant or household.is_unlisted for household in world.households.values())


def test_the_same_seed_is_the_same_world_and_another_is_not() -> None:
    one, same, other = world_after(2), world_after(2), world_after(2, seed=9)
    assert list(one.people.values()) == list(same.people.values())
    assert one.events == same.events
    assert [p.id_no for p in one.people.values()] != [p.id_no for p in other.people.values()]


def test_every_spelling_of_a_door_is_different_from_another_doors() -> None:
    world = world_after(0, households=400)
    for style, _ in ADDRESS_STYLES:
        owners: dict[tuple[str, str], str] = {}
        for household in world.current_households():
            text = (household.door.community, write_address(household.door, style))
            assert owners.setdefault(text, household.door.key) == household.door.key


@pytest.mark.parametrize(
    ("number", "text"), [(1, "一"), (10, "十"), (11, "十一"), (20, "二十"), (35, "三十五")]
)
def test_chinese_numbers(number: int, text: str) -> None:
    assert to_chinese_number(number) == text


def test_textbook_ids() -> None:
    assert is_valid_id("11010519491231002X")
    assert not is_valid_id("110105194912310021")
    assert check_character("13050319670401001") == "6"
    assert shorten_id("130503196704010016") == "130503670401001"


@given(st.integers(0, 2**32), st.dates(date(1930, 1, 1), date(2020, 12, 31)), st.integers(0, 999))
def test_a_mistyped_id_never_keeps_its_check_digit(seed: int, birth: date, sequence: int) -> None:
    rng = random.Random(seed)
    first_17 = f"330102{birth:%Y%m%d}{sequence:03d}"
    id_no = first_17 + check_character(first_17)
    for wrong in (dirt.mistype_digit(rng, id_no), dirt.swap_digits(rng, id_no)):
        assert wrong != id_no
        assert len(wrong) == 18
        assert not is_valid_id(wrong)


@given(st.integers(0, 2**32), st.dates(date(1930, 1, 1), date(2026, 7, 31)))
def test_a_lunar_birth_date_is_at_most_45_days_early(seed: int, birth: date) -> None:
    assert 0 < (birth - dirt.shift_birth(random.Random(seed), birth, "lunar")).days <= 45
    assert dirt.shift_birth(random.Random(seed), birth, None) == birth


@given(st.integers(0, 2**32))
def test_a_homophone_changes_one_character(seed: int) -> None:
    rng = random.Random(seed)
    name = names.draw_surname(rng) + names.draw_given_name(rng, rng.choice("男女"), rng.randint(1940, 2024))
    changed = names.homophone(rng, name)
    assert len(changed) == len(name)
    assert sum(a != b for a, b in zip(name, changed, strict=True)) <= 1


@pytest.mark.parametrize(
    ("shown", "true", "sex", "same"),
    [
        ("妻", "配偶", "女", True),
        ("夫", "配偶", "女", False),
        ("本人", "户主", "男", True),
        ("子", "女", "女", False),
        ("岳母", "母", "女", False),
    ],
)
def test_words_for_a_relation(shown: str, true: str, sex: str, same: bool) -> None:
    assert is_same_relation(shown, true, sex) is same
