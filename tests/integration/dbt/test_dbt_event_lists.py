"""The community's event lists from file to source_record: whom and which household every row is about, against the truth."""

import csv
import io
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from infra.protection import FieldProtector
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from linkage.run import link
from quality.expectations import check_staging
from tests.synthetic.cards import HouseholdRegister
from tests.synthetic.dirt import Dirt
from tests.synthetic.event_lists import EventListWriter
from tests.synthetic.population import World

pytestmark = pytest.mark.database

MONTH, AS_OF = date(2026, 8, 1), date(2026, 9, 30)
LISTS = ("household_register", "problem", "need", "resource", "satisfaction")
ABOUT_HOUSEHOLDS = ("problem", "satisfaction")


@pytest.fixture(scope="module")
def truth() -> dict[str, list[tuple[int | None, int]]]:
    return {}


@pytest.fixture(scope="module")
def refresh_id(engine: Engine, dbt, protector: FieldProtector, truth, tmp_path_factory) -> int:
    """A street's register and event lists, taken from files to the candidate."""
    world = World.create(7, 300, MONTH, None)
    register = HouseholdRegister(world, Dirt.default())
    register.update(MONTH)
    writer = EventListWriter(world, Dirt.default(), MONTH, 0)
    landing: Path = tmp_path_factory.mktemp("landing")
    tables = {
        "household_register": writer.household_register(register),
        "problem": writer.problems(register, 0.3),
        "need": writer.needs(register, 0.5),
        "resource": writer.resources(register, 0.4),
        "satisfaction": writer.questionnaires(register, 0.4),
    }
    for list_code, table in tables.items():
        lines = io.StringIO(newline="")
        csv.writer(lines).writerows([table.header, *table.rows])
        folder = landing / "community" / list_code
        folder.mkdir(parents=True)
        (folder / f"{load_contracts()[list_code].title}202608.csv").write_text(
            lines.getvalue(), encoding="utf-8"
        )
        truth[list_code] = list(table.about)
    outcomes = ingest_landing(engine, protector, landing, datetime(2026, 9, 2, 1, 0, tzinfo=UTC))
    assert {outcome.list_code: outcome.status for outcome in outcomes} == dict.fromkeys(LISTS, "loaded")
    with engine.begin() as connection:
        number = connection.scalar(
            text("insert into ops.refresh (as_of) values (:as_of) returning refresh_id"), {"as_of": AS_OF}
        )
    dbt("seed")
    dbt("run", "--select", "fqn:yihu.staging", "fqn:yihu.intermediate")
    link(engine, protector, AS_OF)
    dbt("run", "--select", "fqn:yihu.master", "fqn:yihu.candidate")
    return int(number)


def source_records(engine: Engine) -> dict[str, dict[int, tuple[str | None, str | None, str]]]:
    """List and index of the row in its table to person, household and rule."""
    found: dict[str, dict[int, tuple[str | None, str | None, str]]] = defaultdict(dict)
    query = "select list_code, row_number, person_id, household_id, link_rule from candidate.source_record"
    with engine.connect() as connection:
        for list_code, row_number, *answer in connection.execute(text(query)):
            assert row_number - 2 not in found[list_code]
            found[list_code][row_number - 2] = tuple(answer)
    return found


def most_often(pairs) -> dict[int, str]:
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    for uid, entity_id in pairs:
        counted[uid][entity_id] += 1
    return {uid: ids.most_common(1)[0][0] for uid, ids in counted.items()}


def test_every_accepted_row_is_in_source_record_once(refresh_id, engine, truth):
    found = source_records(engine)
    assert {code: len(rows) for code, rows in found.items()} == {
        code: len(about) for code, about in truth.items()
    }


def test_rows_that_name_a_person_are_person_rows_and_the_others_are_about_a_household(
    refresh_id, engine, truth
):
    for list_code, rows in source_records(engine).items():
        for index, (person_id, _, _) in rows.items():
            names_a_person = truth[list_code][index][0] is not None
            assert (person_id is not None) == names_a_person, (list_code, index)


def test_persons_and_households_are_the_registers_own(refresh_id, engine, truth):
    found = source_records(engine)
    register = found["household_register"]
    about = truth["household_register"]
    persons = most_often((about[index][0], answer[0]) for index, answer in register.items())
    homes = most_often((about[index][1], answer[1]) for index, answer in register.items())
    for list_code in LISTS[1:]:
        right = wrong = unknown = strangers = 0
        for index, (person_id, household_id, rule) in found[list_code].items():
            person_uid, household_uid = truth[list_code][index]
            if household_uid not in homes or (person_uid is not None and person_uid not in persons):
                strangers += 1
            elif household_id is None:
                assert rule == "unknown_household"
                unknown += 1
            elif household_id == homes[household_uid] and (
                person_uid is None or person_id == persons[person_uid]
            ):
                right += 1
            else:
                wrong += 1
        told = right + wrong
        assert told > 40, list_code
        assert right / told >= 0.97, (list_code, right, wrong, unknown, strangers)
        assert unknown / (told + unknown) <= 0.1, (list_code, unknown)


def test_staging_is_found_whole_by_the_checks(refresh_id, engine):
    results = {
        (result.table_name, result.check_name): result.is_passed
        for result in check_staging(engine, refresh_id)
        if result.severity == "error"
    }
    assert ("staging.int_household_record", "every_accepted_row_is_there_or_among_the_persons") in results
    assert [name for name, is_passed in results.items() if not is_passed] == []
    # A row that got lost between raw and staging is found.
    with engine.begin() as connection:
        lost = connection.execute(
            text(
                "delete from staging.int_household_record where record_id = (select min(record_id) from staging.int_household_record where list_code = 'need') returning record_id"
            )
        ).all()
    assert len(lost) == 1
    failed = {
        result.check_name
        for result in check_staging(engine, refresh_id)
        if not result.is_passed and result.severity == "error"
    }
    assert failed == {"every_accepted_row_is_there_or_among_the_persons"}
