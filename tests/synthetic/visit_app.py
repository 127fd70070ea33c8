"""The visit app's own database, made and filled from the synthetic population: what an app would hold of the same people.

Belongs here: rows of the app. Not here: the schema (`visit_app.sql`), what the platform makes of it.
"""

import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from tests.synthetic.kinship import relation_to_head
from tests.synthetic.population import Household, World

SCHEMA = Path(__file__).with_suffix(".sql")
_NEEDS = ("YL01", "YI01", "JO02")


def make_app(connection: psycopg.Connection) -> None:
    """Create the schema `visit_app`."""
    connection.execute(SCHEMA.read_text(encoding="utf-8"))


def fill_app(connection: psycopg.Connection, world: World, changed_at: datetime) -> None:
    """Households, members, visits, problems, needs, resources and answers of a world; all changed at one instant.

    Args:
        connection: To the app's database; the caller commits.
        world: Whose people.
        changed_at: Aware instant that every row says it was changed at.
    """
    rng = random.Random(f"{world.seed}/visit_app")
    connection.execute("set search_path to visit_app")
    for serial, household in enumerate(world.current_households(), start=1):
        _fill_household(connection, rng, world, household, serial, changed_at)


def _fill_household(
    connection: psycopg.Connection,
    rng: random.Random,
    world: World,
    household: Household,
    serial: int,
    at: datetime,
) -> None:
    door = household.door
    unit = connection.execute(
        "insert into org_unit (community, grid) values (%s, %s) on conflict (community, grid) do update set grid = excluded.grid "
        "returning id",
        (door.community, door.grid),
    ).fetchone()[0]
    place = (
        f"{door.compound.name}{door.building}幢"
        + (f"{door.unit}单元" if door.unit else "")
        + f"{door.room}室"
    )
    household_no = f"WJ{serial:08d}"
    household_id = _insert(
        connection, "household", household_no=household_no, org_unit_id=unit, full_address=place, housing=household.housing,
        updated_at=at,
    )  # fmt: skip
    head = world.people[household.head]
    member_ids = []
    for person in sorted(world.members(household), key=lambda person: person.uid != head.uid):
        member_ids.append(
            _insert(
                connection, "member", household_id=household_id, name=person.name, id_card=person.id_no,
                relation=relation_to_head(world.people, person, head), gender="M" if person.sex == "男" else "F",
                birthday=person.birth, mobile=person.phone or None, job=person.occupation or None, health=person.health or None,
                registered_on=date(2026, 7, 1), updated_at=at,
            )
        )  # fmt: skip
    visited = datetime(2026, 8, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(20), hours=rng.randrange(10))
    visit_id = _insert(
        connection, "visit", visit_no=f"ZF202608{serial:06d}", household_id=household_id,
        method=rng.choice(("home", "phone", "online")), outcome=rng.choices(("success", "nobody", "refused"), (8, 1, 1))[0],
        visited_at=visited, created_at=visited + timedelta(hours=3), visitor=f"网格员{serial % 7}", consent=True,
        needs=json.dumps(rng.sample(_NEEDS, rng.randrange(3))), problem_count=rng.randrange(2), score=rng.randint(3, 5),
        remark=rng.choice((None, "家里装修")), updated_at=at,
    )  # fmt: skip
    if serial % 4 == 0:
        problem_id = _insert(
            connection, "problem", problem_no=f"WT202608{serial:05d}", household_id=household_id, visit_id=visit_id,
            reporter=head.name, reporter_mobile=head.phone or None, topic="环境卫生", colour="绿", severity="轻微",
            description="楼道堆了杂物", unit="社区居委会", **{"class": "即时解决"},
        )  # fmt: skip
        for step, stage in enumerate(("found", "registered", "feedback")):
            _insert(
                connection, "problem_event", problem_id=problem_id, stage=stage,
                stage_at=(visited + timedelta(hours=8 + step)).replace(tzinfo=None), resolved=stage == "feedback", updated_at=at,
            )  # fmt: skip
    if serial % 3 == 0:
        _insert(
            connection, "need", need_no=f"XQ{serial:06d}", household_id=household_id, member_id=member_ids[0], visit_id=visit_id,
            need_code="YL01", detail="想要助餐", recorded_on=date(2026, 8, 3), recorder="网格员1", updated_at=at,
        )  # fmt: skip
        _insert(
            connection, "resource", resource_no=f"ZY{serial:06d}", household_id=household_id, kind="特长", name="理发",
            willing=True, matching_needs=["YL01"], recorded_on=date(2026, 8, 3), recorder="网格员1", updated_at=at,
        )  # fmt: skip
        _insert(
            connection, "questionnaire_answer", returning="questionnaire_no", questionnaire_no=f"WJ{serial:06d}",
            survey="2026上半年", household_no=household_no, question="总体满意度", scale="1-5", score=4,
            answered_on=date(2026, 8, 4), surveyor="网格员1", updated_at=at,
        )  # fmt: skip


def _insert(connection: psycopg.Connection, table: str, *, returning: str = "id", **values: object) -> int:
    names = ", ".join(values)
    places = ", ".join(["%s"] * len(values))
    return connection.execute(
        f"insert into {table} ({names}) values ({places}) returning {returning}",
        list(values.values()),
    ).fetchone()[0]
