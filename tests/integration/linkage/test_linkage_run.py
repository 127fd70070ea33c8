"""The whole station on a real database: records in, lasting ids out, in one transaction."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from infra.errors import PermanentError
from infra.protection import FieldProtector
from infra.warehouse import Warehouse
from linkage.ids import format_id, is_valid_id
from linkage.run import LinkageSummary, link, train_model
from tests.hand_made_records import AUGUST, OCTOBER, SEPTEMBER, Records, make_id

pytestmark = pytest.mark.database

PERSON_TABLE = """
create table staging.int_person_record (
    record_id text primary key, list_code text, delivery_id bigint, file_name text, sheet_name text, row_number integer,
    snapshot_date date, evidence_date date, is_current boolean,
    person_name text, person_name_key text, person_name_pinyin text,
    id_no_encrypted text, id_no_token text, id_no_masked text, id_no_kind text, id_no_birth_date date, id_no_sex_code text,
    birth_date date, sex_code text, phone_encrypted text, phone_token text, phone_masked text, phone_kind text,
    address text, address_key text, address_status text, address_compound text, address_building text, address_unit text,
    address_room text, community_name text, grid_name text, household_group text, source_household_no text,
    relation_code text, is_head boolean
)
"""
HOUSEHOLD_TABLE = """
create table staging.int_household_record (
    record_id text primary key, list_code text, delivery_id bigint, snapshot_date date, evidence_date date,
    source_household_no text, contact_name_key text, address_key text, address_status text,
    address_compound text, address_building text, address_unit text, address_room text, community_name text
)
"""
STREETS = ("望江家园", "清水苑", "莫邪塘")


def neighbourhood(*months: date) -> Records:
    """Forty families of three, listed every month, half of them with a doctor, and visited; always the same people."""
    rng = random.Random(3)
    records = Records()
    for number in range(40):
        surname = "王李张刘陈杨黄赵吴周"[number % 10]
        door = f"{STREETS[number % 3]}|{number % 7 + 1}|1|{number + 101}"
        for place, (born, sex) in enumerate(((1960, "1"), (1962, "2"), (1990, "1"))):
            birth = date(born, 1, 1) + timedelta(days=rng.randrange(700))
            facts: dict[str, Any] = {
                "name": surname + "建秀子"[place] + "国英涵海兰轩"[(number + place) % 6], "birth": birth, "sex": sex,
                "id_no": make_id(birth, sex, serial=rng.randrange(400)), "phone": f"139{number:04d}{place:04d}", "door": door,
            }  # fmt: skip
            for month in months:
                records.person(
                    **facts, number=f"WJ{number:04d}", head=place == 0, on=month,
                    record_id=f"{number:08d}{place:08d}{month:%Y%m%d}",
                )  # fmt: skip
                if number % 2:
                    records.person(
                        **facts | {"id_no": None if place else facts["id_no"]}, on=month,
                        record_id=f"{number:08d}{place + 10:08d}{month:%Y%m%d}",
                    )  # fmt: skip
        for month in months:
            records.visit(number=f"WJ{number:04d}", head=surname + "?", door=door, on=month)
            records.visits[-1]["record_id"] = f"visit{number:011d}{month:%Y%m%d}"
    return records


def load(
    warehouse: Warehouse, protector: FieldProtector, records: Records, shuffle: int | None = None
) -> None:
    """Replace the staging tables by the records, in another physical order each time."""
    persons = [dict(row) for row in records.persons]
    for row in persons:
        id_no = row.pop("id_no")
        row["id_no_token"] = protector.token("id_no", id_no) if row["id_no_token"] else None
        row["id_no_encrypted"] = protector.encrypt(id_no, f"id_no|{row['record_id']}") if id_no else None
        row["phone_token"] = protector.token("phone", row["phone_token"]) if row["phone_token"] else None
    visits = [dict(row) for row in records.visits]
    rng = random.Random(shuffle)
    with warehouse.engine.begin() as connection:
        connection.exec_driver_sql("create schema if not exists staging")
        for table, ddl, rows in (
            ("int_person_record", PERSON_TABLE, persons),
            ("int_household_record", HOUSEHOLD_TABLE, visits),
        ):
            connection.exec_driver_sql(f"drop table if exists staging.{table}")
            connection.exec_driver_sql(ddl)
            if shuffle is not None:
                rng.shuffle(rows)
            if rows:
                columns = list(rows[0])
                connection.execute(
                    text(
                        f"insert into staging.{table} ({', '.join(columns)})"
                        f" values ({', '.join(':' + column for column in columns)})"
                    ),
                    rows,
                )


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def everything(warehouse: Warehouse) -> list[list[tuple[Any, ...]]]:
    return [
        rows(warehouse, "select * from linkage.record_link order by record_id"),
        rows(warehouse, "select * from linkage.household_membership order by person_id, valid_from"),
        rows(warehouse, "select * from linkage.identity order by entity_id"),
        rows(warehouse, "select * from linkage.identity_event order by event_id"),
        rows(warehouse, "select * from linkage.record_identity order by entity, record_id"),
    ]


def run(
    warehouse: Warehouse, protector: FieldProtector, records: Records, as_of: date, **more: Any
) -> LinkageSummary:
    load(warehouse, protector, records, **more)
    return link(warehouse.engine, protector, as_of)


def test_every_record_is_linked_once_and_people_and_homes_are_right(
    warehouse: Warehouse, protector: FieldProtector
) -> None:
    records = neighbourhood(AUGUST, SEPTEMBER)
    steps: list[tuple[str, int, int]] = []
    load(warehouse, protector, records)
    summary = link(warehouse.engine, protector, SEPTEMBER, on_progress=lambda *step: steps.append(step))
    assert (summary.person_count, summary.household_count) == (120, 40)
    assert summary.record_count == len(records.persons) + len(records.visits)
    assert summary.duplicate_count == len(records.persons) - 120
    assert summary.minted_count == 160
    assert summary.unplaced_count == 0
    assert steps[0][1:] == (0, 5)
    assert steps[-1][1:] == (5, 5)
    links = rows(warehouse, "select record_id, list_code, person_id, household_id from linkage.record_link")
    assert sorted(link_row[0] for link_row in links) == sorted(
        row["record_id"] for row in records.persons + records.visits
    )
    of_family: dict[str, set[str]] = {}
    for record_id, list_code, person_id, household_id in links:
        assert is_valid_id(household_id)
        assert (person_id is None) == (list_code == "visit")
        family = record_id[5:16].lstrip("0") if list_code == "visit" else record_id[:8].lstrip("0")
        of_family.setdefault(family, set()).add(household_id)
    assert all(len(households) == 1 for households in of_family.values())
    assert len(set.union(*of_family.values())) == 40


def test_the_same_records_again_write_no_event_and_change_no_row(
    warehouse: Warehouse, protector: FieldProtector
) -> None:
    records = neighbourhood(AUGUST)
    run(warehouse, protector, records, AUGUST)
    before = everything(warehouse)
    summary = run(warehouse, protector, records, SEPTEMBER, shuffle=4)
    assert everything(warehouse) == before
    assert summary.minted_count == summary.merged_count == summary.retired_count == 0
    assert rows(warehouse, "select count(*) from linkage.model") == [(1,)]


def test_months_keep_the_ids_of_all_who_stay(warehouse: Warehouse, protector: FieldProtector) -> None:
    run(warehouse, protector, neighbourhood(AUGUST), AUGUST)
    first = dict(
        rows(warehouse, "select record_id, person_id from linkage.record_link where person_id is not null")
    )
    homes = dict(rows(warehouse, "select record_id, household_id from linkage.record_link"))
    for months in ((AUGUST, SEPTEMBER), (AUGUST, SEPTEMBER, OCTOBER)):
        summary = run(warehouse, protector, neighbourhood(*months), months[-1], shuffle=1)
        assert summary.minted_count == summary.merged_count == summary.split_count == 0
    after = dict(
        rows(warehouse, "select record_id, person_id from linkage.record_link where person_id is not null")
    )
    assert {record_id: after[record_id] for record_id in first} == first
    later_homes = dict(rows(warehouse, "select record_id, household_id from linkage.record_link"))
    assert {record_id: later_homes[record_id] for record_id in homes} == homes


def test_a_run_for_an_earlier_day_retires_nobody(warehouse: Warehouse, protector: FieldProtector) -> None:
    both = neighbourhood(AUGUST)
    only_some = neighbourhood(AUGUST)
    only_some.persons = [row for row in both.persons if int(row["record_id"][:8]) < 30]
    only_some.visits = []
    run(warehouse, protector, both, SEPTEMBER)
    events = rows(warehouse, "select count(*) from linkage.identity_event")
    assert run(warehouse, protector, only_some, AUGUST).retired_count == 0
    assert rows(warehouse, "select count(*) from linkage.identity_event") == events
    assert run(warehouse, protector, only_some, OCTOBER).retired_count == 40


def test_two_platforms_that_got_the_rows_in_another_order_hold_the_same(
    make_warehouse: Any, protector: FieldProtector
) -> None:
    one, other = make_warehouse(), make_warehouse()
    records = neighbourhood(AUGUST, SEPTEMBER)
    run(one, protector, records, SEPTEMBER, shuffle=1)
    run(other, protector, records, SEPTEMBER, shuffle=2)
    keep = "event_id, entity, entity_id, event, other_id, as_of, reason"
    assert everything(one)[:3] == everything(other)[:3]
    query = f"select {keep} from linkage.identity_event order by event_id"
    assert rows(one, query) == rows(other, query)


def test_a_withdrawn_delivery_retires_and_its_return_reinstates(
    warehouse: Warehouse, protector: FieldProtector
) -> None:
    whole, part = neighbourhood(AUGUST), neighbourhood(AUGUST)
    gone = {row["record_id"] for row in whole.persons if row["record_id"].startswith("00000007")}
    part.persons = [row for row in part.persons if row["record_id"] not in gone]
    run(warehouse, protector, whole, AUGUST)
    ids = dict(
        rows(warehouse, "select record_id, person_id from linkage.record_link where person_id is not null")
    )
    summary = run(warehouse, protector, part, SEPTEMBER)
    assert summary.retired_count == 4  # three people and their household
    lost = ids[min(gone)]
    assert rows(warehouse, f"select linkage.resolve('{lost}')") == [(None,)]
    summary = run(warehouse, protector, whole, OCTOBER)
    assert (summary.reinstated_count, summary.minted_count) == (4, 0)
    assert rows(warehouse, f"select linkage.resolve('{lost}')") == [(lost,)]
    assert (
        dict(
            rows(
                warehouse, "select record_id, person_id from linkage.record_link where person_id is not null"
            )
        )
        == ids
    )


def test_a_later_proof_merges_two_people_and_the_old_id_resolves(
    warehouse: Warehouse, protector: FieldProtector
) -> None:
    born, id_no = date(1955, 2, 3), make_id(date(1955, 2, 3))
    records = neighbourhood(AUGUST)
    known = records.person(
        "郑大海", id_no=id_no, birth=born, phone="13700000001", door="近江里|1|1|101", record_id="a"
    )
    nameless = records.person("郑大海", phone="13700000002", door="近江里|9|1|909", record_id="b")
    run(warehouse, protector, records, AUGUST)
    ids = dict(
        rows(warehouse, "select record_id, person_id from linkage.record_link where record_id in ('a', 'b')")
    )
    assert ids[known] != ids[nameless]
    records.person(
        "郑大海",
        id_no=id_no,
        birth=born,
        phone="13700000002",
        door="近江里|9|1|909",
        on=SEPTEMBER,
        record_id="c",
    )
    summary = run(warehouse, protector, records, SEPTEMBER)
    assert summary.merged_count >= 1
    older, younger = sorted(ids.values())
    assert rows(
        warehouse,
        "select entity_id, other_id from linkage.identity_event where event = 'merged_into' and entity = 'person'",
    ) == [(younger, older)]
    assert rows(warehouse, f"select linkage.resolve(' {younger.lower()} ')") == [(older,)]
    assert rows(warehouse, f"select linkage.resolve('{format_id('person', 99_999_999)}')") == [(None,)]


def test_the_ledger_takes_nothing_back(warehouse: Warehouse, protector: FieldProtector) -> None:
    run(warehouse, protector, neighbourhood(AUGUST), AUGUST)
    for statement in (
        "delete from linkage.identity_event",
        "update linkage.identity_event set reason = ''",
        "truncate linkage.identity_event",
    ):
        with pytest.raises(Exception, match="只增不改") as raised, warehouse.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert isinstance(raised.value.__cause__, psycopg.errors.RaiseException)


def test_a_failure_leaves_everything_as_it_was(
    warehouse: Warehouse, protector: FieldProtector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run(warehouse, protector, neighbourhood(AUGUST), AUGUST)
    before = everything(warehouse)
    load(warehouse, protector, neighbourhood(AUGUST, SEPTEMBER))
    stranger = FieldProtector(tmp_path_factory.mktemp("other") / "private" / "field-keys.json")
    with pytest.raises(PermanentError, match="解密字段值"):
        link(warehouse.engine, stranger, SEPTEMBER)
    assert everything(warehouse) == before


def test_an_empty_register_is_no_error(warehouse: Warehouse, protector: FieldProtector) -> None:
    summary = run(warehouse, protector, Records(), AUGUST)
    assert (summary.record_count, summary.person_count, summary.household_count) == (0, 0, 0)


def test_too_few_records_are_not_learnt_from(warehouse: Warehouse, protector: FieldProtector) -> None:
    load(warehouse, protector, neighbourhood(AUGUST))
    with pytest.raises(PermanentError, match="训练匹配模型"):
        train_model(warehouse.engine, protector, AUGUST)
    assert rows(warehouse, "select count(*) from linkage.model") == [(0,)]


def test_every_table_and_column_says_what_it_is_in_chinese(warehouse: Warehouse) -> None:
    bare = rows(
        warehouse,
        "select c.relname, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = 'linkage'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped"
        " and coalesce(col_description(c.oid, a.attnum), '') !~ '[一-龥]'",
    )
    assert bare == []
