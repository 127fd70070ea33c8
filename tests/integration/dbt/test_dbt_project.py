"""The dbt project on a real server: what is built, what the columns say, and that the claims can fail.

One small street is built once for the whole module; rules of single models stand in the unit tests beside them.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Connection, Engine, text

from ingest.contract import load_contracts
from ingest.raw_tables import ensure_raw_tables

pytestmark = pytest.mark.database

PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
AS_OF = date(2026, 8, 31)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
CANDIDATE_COLUMNS = {
    "person": "person_id person_name sex_code sex_name birth_date id_no_masked id_no_kind phone_masked household_id "
    "relation_code relation_name is_head is_low_income is_disabled disability_category_code disability_level_code "
    "has_family_doctor list_count source_record_count valid_from valid_to",
    "household": "household_id head_person_id head_name address address_key community_name grid_name "
    "source_household_no member_count is_low_income has_disabled_member is_confirmed last_visited_date valid_from "
    "valid_to",
    "household_member": "household_id person_id relation_code relation_name is_head valid_from valid_to",
    "source_record": "list_code delivery_id file_name sheet_name row_number person_id household_id link_rule "
    "link_probability",
    "id_history": "event_no entity entity_id event other_id as_of reason",
}


@pytest.fixture(scope="module")
def built(engine: Engine, dbt: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The street built from deliveries to candidate; name of each node to its status."""
    ensure_raw_tables(engine, load_contracts())
    with engine.begin() as connection:
        make_street(connection)
    return dbt("build")


# ---------------------------------------------------------------------------------------------- the street

CHEN, LIN, SON = "P000000018", "P000000026", "P000000034"
DOOR_12, DOOR_15 = "H000000015", "H000000023"


def door(building: str) -> dict[str, Any]:
    return {
        "address": f"甲苑{building}#1-301",
        "address_key": f"甲苑|{building}|1|301",
        "address_status": "FULL",
        "address_compound": "甲苑",
        "address_building": building,
        "address_unit": "1",
        "address_room": "301",
    }


def person(name: str, birth: date, sex: str, **others: Any) -> dict[str, Any]:
    return {
        "person_name": name,
        "person_name_key": name.replace(" ", ""),
        "id_no_encrypted": f"ciphertext of {name}",
        "id_no_token": f"token of {name}",
        "id_no_masked": "330106***********1",
        "id_no_kind": "valid",
        "id_no_birth_date": birth,
        "id_no_sex_code": sex,
        "sex_code": sex,
        "phone_kind": "missing",
        **others,
    }


def chen(**others: Any) -> dict[str, Any]:
    return person("陈 明", date(1950, 3, 1), "1", **others)


def lin(**others: Any) -> dict[str, Any]:
    return person("林芳", date(1952, 4, 2), "2", **others)


def son(**others: Any) -> dict[str, Any]:
    return person("陈小明", date(1980, 5, 3), "1", **others)


def without_sex(row: dict[str, Any]) -> dict[str, Any]:
    """A list that does not ask for the sex."""
    return {name: value for name, value in row.items() if name != "sex_code"}


def deliver(
    connection: Connection,
    list_code: str,
    snapshot: date,
    rows: dict[str, dict[str, Any]],
    status: str = "loaded",
) -> None:
    """Load rows (record_id to columns) of one delivery straight into raw."""
    contract = load_contracts()[list_code]
    delivery_id = connection.execute(
        text(
            "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256, snapshot_date,"
            " received_at, status, row_count, accepted_count) values (:department, :list_code, :file_name, :file_name,"
            " :file_name, :snapshot, :received_at, :status, :count, :count) returning delivery_id"
        ),
        {
            "department": contract.department,
            "list_code": list_code,
            "file_name": f"{contract.title}{snapshot:%Y%m%d}.csv",
            "snapshot": snapshot,
            "received_at": datetime(2026, 9, 1, tzinfo=UTC),
            "status": status,
            "count": len(rows),
        },
    ).scalar_one()
    for number, (record_id, columns) in enumerate(rows.items(), start=2):
        row = {
            "record_id": record_id,
            "delivery_id": delivery_id,
            "sheet_name": "",
            "row_number": number,
            "source_row_encrypted": "ciphertext",
            **columns,
        }
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"insert into raw.{list_code} ({names}) values ({values})"), row)


def make_street(connection: Connection) -> None:
    """One couple and a son who moves out in August; every list, one held delivery, one visit corrected."""
    connection.execute(text("insert into ops.refresh (as_of) values (:as_of)"), {"as_of": AS_OF})

    home = {"source_household_no": "WJ1", "community_name": "甲社区", "grid_name": "第1网格", **door("12")}
    new_home = {**home, "source_household_no": "WJ2", **door("15")}
    july, august = date(2026, 7, 1), date(2026, 8, 1)
    deliver(
        connection,
        "household_register",
        july,
        {
            "r1": chen(**home, relation_code="02", registered_date=date(2026, 6, 1)),
            "r2": lin(**home, relation_code="12", registered_date=date(2026, 6, 1)),
            "r3": son(**home, relation_code="20", registered_date=date(2026, 6, 1)),
        },
    )
    phone = {
        "phone_kind": "mobile",
        "phone_token": "p1",
        "phone_masked": "138****0001",
        "phone_encrypted": "c",
    }
    deliver(
        connection,
        "household_register",
        august,
        {
            "r4": chen(**home, relation_code="02", registered_date=date(2026, 7, 20), **phone),
            "r5": son(**new_home, relation_code="01", registered_date=date(2026, 7, 25)),
        },
    )
    deliver(
        connection,
        "low_income",
        date(2026, 8, 5),
        {
            "l1": chen(allowance_no="D1", block_no=1, relation_code="02", **door("12")),
            "l2": lin(allowance_no="D1", block_no=1, relation_code="10", **door("12")),
        },
    )
    deliver(connection, "low_income", date(2026, 8, 20), {"l3": son(allowance_no="D2", block_no=1)}, "held")
    deliver(
        connection,
        "disabled",
        date(2026, 8, 6),
        {
            "d1": {
                **lin(**door("12")),
                "disability_certificate_no_category_code": "4",
                "disability_level_code": "2",
            }
        },
    )
    deliver(
        connection,
        "family_doctor",
        date(2026, 8, 7),
        {
            "f1": chen(
                **door("12"),
                signed_date=date(2025, 9, 1),
                expiry_date=date(2026, 9, 1),
                contract_status_code="1",
            )
        },
    )
    visit = {"source_household_no": "WJ1", "visit_no": "Z1", "need_codes": ["YL01"], **door("12")}
    at = datetime(2026, 8, 10, 17, 0, tzinfo=UTC)
    deliver(
        connection, "visit", date(2026, 8, 12), {"v1": {**visit, "visit_outcome_code": "2", "visited_at": at}}
    )
    deliver(
        connection, "visit", date(2026, 8, 13), {"v2": {**visit, "visit_outcome_code": "1", "visited_at": at}}
    )
    problem = {"source_household_no": "WJ1", "problem_no": "W1", "stage_code": "2", "stage_at": at}
    deliver(connection, "problem", date(2026, 8, 14), {"p1": problem})
    need = {"source_household_no": "WJ1", "need_code": "YL01", "recorded_date": date(2026, 8, 10)}
    nobody = {"id_no_kind": "missing", "phone_kind": "missing"}
    deliver(
        connection, "need", date(2026, 8, 15), {"n1": without_sex(chen(**need)), "n2": {**need, **nobody}}
    )
    deliver(
        connection,
        "audit_return",
        date(2026, 8, 20),
        {"a1": {"audit_no": "C1", "field_code": "phone", "outcome_code": "correct", "household_id": DOOR_12}},
    )

    persons = {CHEN: (DOOR_12, "r1 r4 l1 f1 n1"), LIN: (DOOR_12, "r2 l2 d1"), SON: (DOOR_15, "r3 r5")}
    for person_id, (household_id, records) in persons.items():
        for record_id in records.split():
            link(connection, record_id, person_id, household_id)
    for record_id in ("v1", "v2", "p1", "n2"):
        link(connection, record_id, None, DOOR_12)
    moved = date(2026, 7, 25)
    for person_id, household_id, valid_from, valid_to in (
        (CHEN, DOOR_12, date(2025, 9, 1), None),
        (LIN, DOOR_12, date(2026, 6, 1), None),
        (SON, DOOR_12, date(2026, 6, 1), moved),
        (SON, DOOR_15, moved, None),
    ):
        connection.execute(
            text(
                "insert into linkage.household_membership values (:p, :h, :f, :t, 'household_number', 'r1')"
            ),
            {"p": person_id, "h": household_id, "f": valid_from, "t": valid_to},
        )
    for entity_id in (CHEN, LIN, SON, DOOR_12, DOOR_15):
        connection.execute(
            text(
                "insert into linkage.identity_event (entity, entity_id, event, as_of, reason)"
                " values (:entity, :id, 'minted', :as_of, '首次出现')"
            ),
            {"entity": "person" if entity_id[0] == "P" else "household", "id": entity_id, "as_of": AS_OF},
        )


def link(connection: Connection, record_id: str, person_id: str | None, household_id: str) -> None:
    list_code = {
        "r": "household_register",
        "l": "low_income",
        "d": "disabled",
        "f": "family_doctor",
        "v": "visit",
        "p": "problem",
        "n": "need",
    }
    code = list_code[record_id[0]]
    connection.execute(
        text(
            "insert into linkage.record_link (record_id, list_code, delivery_id, person_id, household_id, link_rule,"
            f" link_probability) select record_id, '{code}', delivery_id, :p, :h, 'same_id_and_name', 1"
            f" from raw.{code} where record_id = :r"
        ),
        {"r": record_id, "p": person_id, "h": household_id},
    )


def rows_of(engine: Engine, sql: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(sql)).mappings()]


def candidate(engine: Engine) -> dict[str, list[str]]:
    """Every candidate row as text, sorted: equal facts must give equal content."""
    return {
        table: sorted(
            row["row"] for row in rows_of(engine, f"select t::text as row from candidate.{table} t")
        )
        for table in CANDIDATE_COLUMNS
    }


# ---------------------------------------------------------------------------------------------- what is built


def test_everything_builds_and_every_claim_holds(built):
    assert {name: status for name, status in built.items() if status not in {"success", "pass"}} == {}


def test_the_rules_have_unit_tests_and_they_ran(built):
    tested = {name.split(".")[2] for name in built if name.startswith("unit_test.")}
    assert tested >= {
        "stg_civil_affairs__low_income",
        "stg_community__household_register",
        "stg_community__visit",
        "int_attribute__value",
        "household_member",
        "int_person__flag",
        "candidate_source_record",
    }


@pytest.mark.parametrize(("table", "columns"), CANDIDATE_COLUMNS.items())
def test_candidate_has_exactly_the_columns_of_the_interface(built, engine, table, columns):
    found = rows_of(
        engine,
        "select column_name from information_schema.columns"
        f" where table_schema = 'candidate' and table_name = '{table}' order by ordinal_position",
    )
    assert [row["column_name"] for row in found] == columns.split()


def test_every_candidate_table_has_a_primary_key(built, engine):
    keys = rows_of(
        engine,
        "select conrelid::regclass::text as name from pg_constraint"
        " where contype = 'p' and connamespace = 'candidate'::regnamespace",
    )
    assert {row["name"] for row in keys} == {f"candidate.{table}" for table in CANDIDATE_COLUMNS}


def test_every_relation_and_column_has_a_chinese_comment(built, engine):
    comments = rows_of(
        engine,
        "select c.oid::regclass::text as relation, a.attname as column_name,"
        " obj_description(c.oid) as relation_comment, col_description(c.oid, a.attnum) as column_comment"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relkind in ('r', 'v')"
        " and c.relnamespace::regnamespace::text in ('staging', 'master', 'candidate', 'reference')",
    )
    assert len(comments) > 300
    assert [
        (row["relation"], row["column_name"])
        for row in comments
        if not CHINESE.search(row["relation_comment"] or "")
        or not CHINESE.search(row["column_comment"] or "")
    ] == []


def test_the_yml_of_a_model_lists_the_columns_it_has(built, engine):
    """The person records of all lists are united by what the yml declares, so it must be true."""
    for path in (PROJECT / "models").rglob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            name = model["name"].removeprefix("candidate_")
            schema = {"intermediate": "staging"}.get(path.parent.name, path.parent.name)
            found = rows_of(
                engine,
                "select column_name from information_schema.columns"
                f" where table_schema = '{schema}' and table_name = '{name}' order by ordinal_position",
            )
            assert [c["name"] for c in model["columns"]] == [r["column_name"] for r in found], name


def test_both_accuracy_figures_of_the_programme_are_rows(built, engine):
    figures = rows_of(engine, "select target_code, target_value, section from reference.target")
    assert {(r["target_code"], float(r["target_value"]), r["section"]) for r in figures} >= {
        ("M01", 0.95, "2.1"),
        ("M01b", 0.98, "4.3"),
        ("M11", 0.10, "3.4"),
    }


# ---------------------------------------------------------------------------------------------- what it says


def test_the_household_left_behind_keeps_its_head_and_its_door(built, engine):
    (household,) = rows_of(engine, f"select * from candidate.household where household_id = '{DOOR_12}'")
    assert household == {
        "household_id": DOOR_12,
        "head_person_id": CHEN,
        "head_name": "陈明",
        "address": "甲苑12幢1单元301室",
        "address_key": "甲苑|12|1|301",
        "community_name": "甲社区",
        "grid_name": "第1网格",
        "source_household_no": "WJ1",
        "member_count": 2,
        "is_low_income": True,
        "has_disabled_member": True,
        "is_confirmed": True,
        # 17:00 UTC on the 10th is the 11th in Shanghai; the first row of the visit was corrected by the second.
        "last_visited_date": date(2026, 8, 11),
        "valid_from": date(2025, 9, 1),
        "valid_to": None,
    }


def test_the_son_is_a_member_until_he_moves_and_a_head_afterwards(built, engine):
    members = rows_of(
        engine, f"select * from candidate.household_member where person_id = '{SON}' order by valid_from"
    )
    assert [(m["household_id"], m["relation_name"], m["is_head"], m["valid_to"]) for m in members] == [
        (DOOR_12, "子", False, date(2026, 7, 25)),
        (DOOR_15, "户主", True, None),
    ]
    (household,) = rows_of(engine, f"select * from candidate.household where household_id = '{DOOR_15}'")
    assert (household["address"], household["source_household_no"]) == ("甲苑15幢1单元301室", "WJ2")


def test_flags_come_from_loaded_lists_only(built, engine):
    flags = rows_of(
        engine,
        "select person_id, is_low_income, is_disabled, disability_category_code, disability_level_code,"
        " has_family_doctor, list_count, source_record_count from candidate.person order by person_id",
    )
    assert [tuple(row.values()) for row in flags] == [
        (CHEN, True, False, None, None, True, 4, 5),
        (LIN, True, True, "4", "2", False, 3, 3),
        (SON, False, False, None, None, False, 1, 2),
    ]


def test_ciphertext_keeps_the_record_it_opens_with(built, engine):
    (found,) = rows_of(engine, f"select * from master.person where person_id = '{CHEN}'")
    assert (found["phone_record_id"], found["phone_encrypted"], found["phone_masked"]) == (
        "r4",
        "c",
        "138****0001",
    )
    assert found["id_no_record_id"] in {"r1", "r4", "l1", "f1", "n1"}
    assert found["id_no_encrypted"] == "ciphertext of 陈 明"


def test_source_record_holds_every_accepted_row_of_persons_and_households(built, engine):
    found = rows_of(engine, "select list_code, count(*) as n from candidate.source_record group by list_code")
    assert {row["list_code"]: row["n"] for row in found} == {
        "household_register": 5,
        "low_income": 2,
        "disabled": 1,
        "family_doctor": 1,
        "visit": 2,
        "problem": 1,
        "need": 2,
    }
    need = "select record_id, names_person from staging.stg_community__need order by 1"
    assert [tuple(row.values()) for row in rows_of(engine, need)] == [("n1", True), ("n2", False)]
    persons = rows_of(engine, "select record_id from staging.int_person_record where list_code = 'need'")
    families = rows_of(
        engine, "select record_id from staging.int_household_record where list_code <> 'visit'"
    )
    assert [row["record_id"] for row in persons] == ["n1"]
    assert {row["record_id"] for row in families} == {"n2", "p1"}


# ---------------------------------------------------------------------------------------------- runs and failures


def test_the_same_facts_give_the_same_candidate_on_the_next_day(built, engine, dbt):
    before = candidate(engine)
    with engine.begin() as connection:
        connection.execute(text("insert into ops.refresh (as_of) values ('2026-09-01')"))
    dbt(
        "run",
        "--select",
        "fqn:yihu.staging",
        "fqn:yihu.intermediate",
        "fqn:yihu.master",
        "fqn:yihu.candidate",
    )
    assert candidate(engine) == before
    leftovers = rows_of(
        engine, r"select relname from pg_class where relname like '%\_\_dbt\_%' and relkind <> 'i'"
    )
    assert leftovers == []


def test_an_earlier_business_date_gives_the_earlier_answer(built, engine, dbt):
    with engine.begin() as connection:
        connection.execute(text("insert into ops.refresh (as_of) values ('2026-07-31')"))
    dbt("run", "--select", "fqn:yihu.staging", "fqn:yihu.intermediate")
    records = rows_of(engine, "select record_id from staging.int_person_record order by 1")
    with engine.begin() as connection:
        connection.execute(text("insert into ops.refresh (as_of) values (:as_of)"), {"as_of": AS_OF})
    dbt("run", "--select", "fqn:yihu.staging", "fqn:yihu.intermediate")
    assert [row["record_id"] for row in records] == ["r1", "r2", "r3"]


TAMPERING = {
    "every_current_household_has_one_head": f"update master.household set head_person_id = null"
    f" where household_id = '{DOOR_12}'",
    "a_person_has_one_current_household": "insert into master.household_member"
    f" (household_id, person_id, is_head, valid_from) values ('{DOOR_15}', '{LIN}', false, '2026-01-01')",
    "no_household_has_two_heads_at_an_instant": "insert into master.household_member"
    f" (household_id, person_id, is_head, valid_from) values ('{DOOR_15}', '{SON}', true, '2026-08-01')",
    "membership_intervals_do_not_overlap": "insert into master.household_member"
    f" (household_id, person_id, is_head, valid_from) values ('{DOOR_12}', '{CHEN}', true, '2026-08-01')",
    "every_accepted_row_is_in_source_record": "delete from candidate.source_record where list_code = 'visit'",
    "every_published_id_has_a_history": f"delete from candidate.id_history where entity_id = '{SON}'",
    "validities_of_an_area_code_do_not_overlap": "update reference.admin_division set valid_to = null"
    " where code = '420600'",
    "a_code_stands_once_in_its_list": "insert into reference.list_code (code_list, code, name, sort, source)"
    " values ('sex', '1', '男', 9, '无')",
}


def test_every_claim_fails_when_it_is_not_true(built, engine, dbt):
    tables = (
        "master.household",
        "master.household_member",
        "candidate.source_record",
        "candidate.id_history",
        "reference.admin_division",
        "reference.list_code",
    )
    with engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"create table public.kept_{table.replace('.', '_')} as table {table}"))
        for statement in TAMPERING.values():
            connection.execute(text(statement))
    statuses = dbt("test", "--select", "test_type:singular")
    with engine.begin() as connection:
        for table in tables:
            kept = f"public.kept_{table.replace('.', '_')}"
            connection.execute(text(f"truncate {table}"))
            connection.execute(text(f"insert into {table} table {kept}"))
            connection.execute(text(f"drop table {kept}"))
    assert {name.split(".")[2]: status for name, status in statuses.items()} == dict.fromkeys(
        TAMPERING, "fail"
    )
