"""The reference tables as dbt seeds them: complete, tested, questions answered, and new columns on an old platform."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text

from infra.admin_divisions import ADMIN_DIVISION_FILE, known_area_codes
from infra.working_days import CALENDAR_FILE, WorkingCalendar

pytestmark = pytest.mark.database
Dbt = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def seeded(engine: Engine, dbt: Dbt) -> dict[str, str]:
    return dbt("build", "--select", "resource_type:seed", "--indirect-selection", "buildable")


def scalar(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_every_seed_loads_and_every_claim_about_it_holds(seeded):
    assert set(seeded.values()) == {"success", "pass"}
    assert {"seed.yihu.admin_division", "seed.yihu.calendar", "seed.yihu.list_code"} <= set(seeded)
    claims = {name.split(".")[2] for name in seeded if name.startswith("test.")}
    assert {"validities_of_an_area_code_do_not_overlap", "the_parent_of_an_area_is_an_area"} <= claims


def test_python_and_sql_see_the_same_areas_and_days(seeded, engine):
    with ADMIN_DIVISION_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert scalar(engine, "select count(*) from reference.admin_division") == len(rows)
    assert scalar(engine, "select count(distinct code) from reference.admin_division") == len(
        known_area_codes()
    )
    calendar = WorkingCalendar.load()
    assert (
        scalar(engine, "select max(date) from reference.calendar where not is_provisional")
        == calendar.coverage_end
    )
    with engine.connect() as connection:
        days = connection.execute(
            text("select date, is_working_day from reference.calendar order by 1")
        ).all()
    assert len(days) == sum(1 for _ in CALENDAR_FILE.open(encoding="utf-8")) - 1
    assert [day for day, works in days if works != calendar.is_working_day(day)] == []


def test_an_area_as_of_a_day_is_one_row(seeded, engine):
    statement = (
        "select name from reference.admin_division where code = '{}' and valid_from <= '{}'"
        " and ('{}' < valid_to or valid_to is null)"
    )
    day = "2020-06-30"
    assert scalar(engine, statement.format("330103", day, day)) == "下城区"
    assert scalar(engine, statement.format("330113", day, day)) is None
    day = "2026-11-24"
    assert scalar(engine, statement.format("330103", day, day)) is None
    assert scalar(engine, statement.format("330113", day, day)) == "临平区"


def test_three_working_days_are_counted_alike_in_sql(seeded, engine):
    start = date(2026, 9, 30)
    found = scalar(
        engine,
        f"select date from reference.calendar where is_working_day and date > '{start}' order by date offset 2 limit 1",
    )
    assert found == WorkingCalendar.load().add_working_days(start, 3)[0] == start + timedelta(days=10)


def test_a_seed_with_new_columns_is_made_anew(seeded, engine, dbt):
    """A platform in use has the table of the last version: without the column, and with another order."""
    with engine.begin() as connection:
        connection.execute(text("drop table reference.relation_code"))
        connection.execute(
            text("create table reference.relation_code (relation_name text, relation_code text)")
        )
    statuses = dbt("seed", "--select", "relation_code")
    assert statuses == {"seed.yihu.relation_code": "success"}
    assert (
        scalar(engine, "select least_age_gap_years from reference.relation_code where relation_code = '22'")
        == 15
    )
    assert scalar(engine, "select count(*) from reference.relation_code") == 84


def test_a_seed_is_replaced_not_added_to(seeded, engine, dbt):
    with engine.begin() as connection:
        connection.execute(text("update reference.sex_code set sex_name = '错' where sex_code = '1'"))
    dbt("seed", "--select", "sex_code")
    assert scalar(engine, "select string_agg(sex_name, '|' order by sex_code) from reference.sex_code") == (
        "未知|男|女|未说明"
    )
