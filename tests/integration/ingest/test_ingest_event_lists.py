"""The community's event lists as delivered: nothing refused, no row lost, every planted fault told on its own row."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from ingest.contract import load_contracts
from ingest.template import write_template
from tests.synthetic.cards import HouseholdRegister
from tests.synthetic.dirt import Dirt
from tests.synthetic.event_lists import EventListWriter
from tests.synthetic.population import World

pytestmark = pytest.mark.database

MONTH = date(2026, 8, 1)
ARRIVED = datetime(2026, 9, 2, 1, 0, tzinfo=UTC)


def written():
    world = World.create(5, 250, MONTH, None)
    register = HouseholdRegister(world, Dirt.default())
    register.update(MONTH)
    writer = EventListWriter(world, Dirt.default(), MONTH, 0)
    return {
        "problem": writer.problems(register, 0.5),
        "need": writer.needs(register, 0.6),
        "resource": writer.resources(register, 0.5),
        "satisfaction": writer.questionnaires(register, 0.5),
    }


@pytest.fixture
def delivered(put, take):
    tables = written()
    for list_code, table in tables.items():
        text = io.StringIO(newline="")
        csv.writer(text).writerows([table.header, *table.rows])
        put(
            f"community/{list_code}",
            f"{load_contracts()[list_code].title}202608.csv",
            text.getvalue().encode(),
        )
    return tables, {outcome.list_code: outcome for outcome in take(ARRIVED)}


def test_the_same_seed_writes_the_same_rows():
    one, other = written(), written()
    assert {code: (t.rows, t.about, t.planted) for code, t in one.items()} == {
        code: (t.rows, t.about, t.planted) for code, t in other.items()
    }


def test_event_lists_are_loaded_whole_and_every_planted_fault_is_told(delivered, ask):
    tables, outcomes = delivered
    assert {
        code: (outcome.status, outcome.reason_code) for code, outcome in outcomes.items()
    } == dict.fromkeys(tables, ("loaded", None))
    ledger = ask("select list_code, row_count, accepted_count, quarantined_count from ops.delivery")
    assert {row.list_code: tuple(row)[1:] for row in ledger} == {
        code: (len(table.rows), len(table.rows), 0) for code, table in tables.items()
    }
    for code, table in tables.items():
        (stored,) = ask(f"select count(*) as n from raw.{code}")
        assert stored.n == len(table.rows)
        told = {
            (row.row_number - 2, row.rule, row.column_name)
            for row in ask(
                "select w.row_number, w.rule, w.column_name from ops.row_warning as w"
                " join ops.delivery using (delivery_id) where list_code = :code",
                code=code,
            )
        }
        assert len({rule for _, rule, _ in table.planted}) >= 2, code
        assert set(table.planted) <= told
        # What is told besides is the dirt of names, ids, phones and addresses, never a sound cell of the list's own columns.
        own = {column for _, _, column in table.planted}
        assert {finding for finding in told if finding[2] in own} == set(table.planted)


def test_a_faulty_value_is_set_aside_and_the_rest_of_the_row_stays(delivered, ask):
    tables, _ = delivered
    place = next(index for index, rule, column in tables["need"].planted if column == "need_code")
    (row,) = ask(
        "select need_code, recorded_date, source_household_no, source_row_encrypted from raw.need where row_number = :n",
        n=place + 2,
    )
    assert row.need_code is None
    assert row.recorded_date is not None
    assert "想要" not in row.source_row_encrypted


def test_free_text_and_numbers_stand_nowhere_in_clear(delivered, ask):
    columns = {
        row.column_name
        for row in ask("select column_name from information_schema.columns where table_schema = 'raw'")
    }
    assert not {"description", "handling_note", "opinion", "need_detail", "reporter_phone", "id_no"} & columns
    (row,) = ask("select count(*) as n from raw.problem as problem where problem::text like '%电动车进楼%'")
    assert row.n == 0


def test_an_untouched_template_of_any_list_is_refused_as_having_no_rows(put, take, tmp_path):
    for code, contract in load_contracts().items():
        template = write_template(contract, tmp_path)
        put(f"{contract.department}/{code}", template.name, template.read_bytes())
    outcomes = take(ARRIVED)
    assert {(outcome.status, outcome.reason_code) for outcome in outcomes} == {("refused", "no_rows")}
    assert {outcome.list_code for outcome in outcomes} == set(load_contracts())
