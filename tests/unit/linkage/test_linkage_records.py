"""An id is believed only when the record itself, and the other records that bear it, do not speak against it."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from infra.errors import PermanentError
from linkage.doors import add_doors
from linkage.records import judge_ids
from tests.hand_made_records import Records, make_id

BORN = date(1960, 5, 4)
OWN = make_id(BORN, "1")
OTHERS = make_id(date(1988, 11, 2), "2")


def judged(records: Records) -> dict[str, dict[str, object]]:
    persons, _ = records.frames()
    return {row["record_id"]: row for row in judge_ids(persons).to_dicts()}


def test_an_id_that_fits_is_believed_and_lends_birth_date_and_sex() -> None:
    records = Records()
    record = records.person("张建国", id_no=OWN)
    row = judged(records)[record]
    assert (row["own_id"], row["known_birth_date"], row["known_sex"]) == (OWN, BORN, "1")


@pytest.mark.parametrize(
    ("birth", "sex", "is_own"),
    [
        (date(1960, 4, 9), "1", True),  # lunar birthday
        (date(1961, 5, 4), "1", True),  # a year misread
        (date(1962, 5, 4), "1", False),
        (BORN, "2", True),  # the sex is the slip
        (date(1960, 5, 7), "2", False),
        (None, "2", False),
        (None, None, True),
    ],
)
def test_birth_date_and_sex_decide_whose_the_id_is(birth: date | None, sex: str | None, is_own: bool) -> None:
    records = Records()
    record = records.person("张建国", id_no=OWN, birth=birth, sex=sex)
    assert (judged(records)[record]["own_id"] == OWN) is is_own


def test_the_heads_id_on_another_name_is_not_hers() -> None:
    records = Records()
    head = records.person("张建国", id_no=OWN, birth=BORN)
    wife = records.person("李秀英", id_no=OWN)  # no birth date to tell
    again = records.person("李秀英", id_no=OWN)
    rows = judged(records)
    assert rows[head]["own_id"] == OWN
    assert rows[wife]["own_id"] is rows[again]["own_id"] is None
    assert rows[wife]["known_birth_date"] is None


def test_a_mistyped_name_keeps_the_id() -> None:
    records = Records()
    records.person("张建国", id_no=OWN, birth=BORN)
    slip = records.person("张健国", id_no=OWN)
    assert judged(records)[slip]["own_id"] == OWN


def test_two_people_with_one_number_and_equal_claims_both_keep_it() -> None:
    records = Records()
    one = records.person("张建国", id_no=OWN, birth=BORN)
    other = records.person("王海波", id_no=OWN, birth=BORN)
    rows = judged(records)
    assert rows[one]["own_id"] == rows[other]["own_id"] == OWN


def test_a_misread_birth_date_does_not_cost_the_id_that_another_list_confirms() -> None:
    records = Records()
    records.person("张建国", id_no=OWN, birth=BORN)
    slip = records.person("张建国", id_no=OWN, birth=date(1990, 5, 4))
    assert judged(records)[slip]["own_id"] == OWN


@pytest.mark.parametrize(
    ("text", "kind", "pattern"),
    [
        ("330102********4475", "masked", "330102________4475"),
        ("330102xxxxxxxx447X", "masked", "330102________447X"),
        ("3301021960****447X", "masked", "3301021960____447X"),
        ("330102●●●●●●●●4475", "masked", "330102________4475"),
        ("330102****447X", "masked", "330102%447X"),
        ("330102****", "masked", None),
        ("330102***********X", "masked", None),  # area and check character fit half the town
        ("330102196005044000", "damaged", "330102196005044___"),
        ("3.30102E+17", "damaged", None),
    ],
)
def test_masked_and_rounded_ids_become_patterns(text: str, kind: str, pattern: str | None) -> None:
    records = Records()
    record = records.person("张建国", id_no=text, kind=kind)
    row = judged(records)[record]
    assert (row["id_pattern"], row["own_id"], row["weak_id"]) == (pattern, None, None)


def test_repeated_record_ids_are_refused() -> None:
    records = Records()
    records.person("张建国", record_id="a")
    records.person("王海波", record_id="a")
    with pytest.raises(PermanentError, match="record_id"):
        judge_ids(records.frames()[0])


def doors(records: Records) -> list[str | None]:
    persons, visits = records.frames()
    return add_doors(persons, visits)[0]["door"].to_list()


def test_a_community_left_out_is_taken_from_the_compound() -> None:
    records = Records()
    records.person("甲", door="望江家园|1|2|301")
    records.person("乙", door="望江家园|1|2|301", community=None)
    assert doors(records) == ["近江社区/望江家园|1|2|301"] * 2


def test_one_compound_name_in_two_communities_is_two_doors_and_the_unknown_one_is_none() -> None:
    records = Records()
    records.person("甲", door="锦绣苑|1|2|301", community="近江社区")
    records.person("乙", door="锦绣苑|1|2|301", community="在水社区")
    records.person("丙", door="锦绣苑|1|2|301", community=None)
    assert doors(records) == ["近江社区/锦绣苑|1|2|301", "在水社区/锦绣苑|1|2|301", None]


def test_a_missing_unit_is_filled_only_when_one_door_has_that_room() -> None:
    records = Records()
    records.person("甲", door="望江家园|1|2|301")
    records.person("乙", door="望江家园|1|1|302")
    records.person("丙", door="望江家园|1|2|302")
    records.person("丁", door="望江家园|1|2|301")
    for compound_room in ("301", "302"):
        records.person("戊", door=f"望江家园|1||{compound_room}")
        records.persons[-1]["address_key"] = None
        records.persons[-1]["address_unit"] = None
    assert doors(records)[-2:] == ["近江社区/望江家园|1|2|301", None]


def test_a_compound_without_units_needs_none() -> None:
    records = Records()
    for room in ("101", "102"):
        records.person("甲", door=f"华庭|3||{room}")
        records.persons[-1]["address_key"] = None
        records.persons[-1]["address_unit"] = None
    assert doors(records) == ["近江社区/华庭|3||101", "近江社区/华庭|3||102"]


def test_addresses_without_any_community_still_make_doors() -> None:
    records = Records()
    records.person("甲", door="望江家园|1|2|301", community=None)
    assert doors(records) == ["/望江家园|1|2|301"]


def test_two_spellings_of_a_compound_are_one_when_most_of_its_people_live_under_both() -> None:
    records = Records()
    for serial in range(3):
        id_no = make_id(date(1980, 1, 1), serial=serial)
        records.person("甲", id_no=id_no, door=f"南镇大楼|1|2|30{serial}")
        records.person("甲", id_no=id_no, door=f"大楼|1|2|30{serial}" if serial else None)
    records.person("乙", door="大楼|9|1|101")
    records.person("丙", door="南镇大楼|9|1|101")
    visit = records.visit(head="乙", door="大楼|9|1|101")
    persons, visits = add_doors(*records.frames())
    assert persons["door"].drop_nulls().str.contains("/南镇大楼").all()
    assert visits.filter(pl.col("record_id") == visit)["door"].to_list() == ["近江社区/南镇大楼|9|1|101"]


def test_a_slip_between_two_compounds_or_a_move_makes_them_no_one_compound() -> None:
    records = Records()
    for serial in range(4):
        id_no = make_id(date(1980, 1, 1), serial=serial)
        records.person("甲", id_no=id_no, door=f"翠苑|1|2|30{serial}")
        records.person("乙", id_no=make_id(date(1970, 1, 1), serial=serial), door=f"翠谷园|1|2|30{serial}")
        if serial == 0:
            records.person("甲", id_no=id_no, door="翠谷园|1|2|300")  # the clerk took the wrong compound
        else:
            records.person("甲", id_no=id_no, door="翠谷园|7|1|404")  # they moved
    persons, _ = add_doors(*records.frames())
    assert persons["address_compound"].to_list() == [row["address_compound"] for row in records.persons]


def test_frames_without_rows_are_no_hindrance() -> None:
    persons, visits = Records().frames()
    persons = judge_ids(persons)
    located, _ = add_doors(persons, visits)
    assert located.height == 0
    assert located.schema["door"] == pl.String
