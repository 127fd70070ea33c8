"""Checks against hand-made tables: good ones pass, planted faults fail, and nothing of a row comes back."""

import logging
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.errors import PermanentError
from infra.warehouse import Warehouse
from quality.expectations import CheckResult, check_deliveries, check_master, check_staging
from quality.validation import run_checks

pytestmark = pytest.mark.database

AS_OF = date(2026, 7, 31)
CANARY = "卡纳丽测试甲41976531"

PERSON_LIST_COLUMNS = [
    # column, header, semantic type, required, allowed codes
    ("person_name", "姓名", "person_name", True, None),
    ("id_no", "证件号码", "id_no", True, None),
    ("relation_code", "与户主关系", "code", False, ["02", "10", "20"]),
    ("birth_date", "出生日期", "date", False, None),
    ("address", "住址", "address", False, None),
    ("income", "收入", "amount", False, None),
]


def run_script(engine: Engine, script: str, **parameters: Any) -> None:
    with engine.begin() as connection:
        for statement in script.split(";"):
            if statement.strip():
                connection.execute(text(statement), parameters)


def new_refresh(engine: Engine, as_of: date = AS_OF) -> int:
    with engine.begin() as connection:
        return int(
            connection.execute(
                text("insert into ops.refresh (as_of) values (:as_of) returning refresh_id"), {"as_of": as_of}
            ).scalar_one()
        )


def make_contract(engine: Engine, semantics: str = "snapshot") -> None:
    run_script(
        engine,
        """
        insert into ops.contract (list_code, department, title, grain, version, semantics, rhythm, legal_basis, purpose)
        values ('low_income', 'civil_affairs', '低保对象花名册', '一行一人', '1.0.0', :semantics, 'monthly', '-', '-');
        create schema if not exists raw;
        create table raw.low_income (
            record_id text primary key, delivery_id bigint, sheet_name text, row_number int, block_no int,
            person_name text, id_no_kind text, id_no_encrypted text, relation_code text, birth_date date,
            address text, address_status text, income_encrypted text, source_row_encrypted text
        )
        """,
        semantics=semantics,
    )
    with engine.begin() as connection:
        for position, (name, header, semantic_type, required, codes) in enumerate(PERSON_LIST_COLUMNS):
            connection.execute(
                text(
                    "insert into ops.contract_column (list_code, column_name, position, header, semantic_type,"
                    " is_required, allowed_codes, data_class, is_encrypted)"
                    " values ('low_income', :name, :position, :header, :type, :required, :codes, 'P2', false)"
                ),
                {
                    "name": name,
                    "position": position,
                    "header": header,
                    "type": semantic_type,
                    "required": required,
                    "codes": codes,
                },
            )


def make_delivery(
    engine: Engine, rows: int, snapshot_date: date = date(2026, 7, 1), accepted: int | None = None
) -> int:
    with engine.begin() as connection:
        delivery_id = int(
            connection.execute(
                text(
                    "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256,"
                    " snapshot_date, received_at, status, row_count, accepted_count)"
                    " values ('civil_affairs', 'low_income', 'a.xlsx', '/a', gen_random_uuid()::text,"
                    " :snapshot_date, now(), 'loaded', :accepted, :accepted) returning delivery_id"
                ),
                {"snapshot_date": snapshot_date, "accepted": rows if accepted is None else accepted},
            ).scalar_one()
        )
        connection.execute(
            text(
                "insert into raw.low_income select :delivery_id || '-' || i, :delivery_id, '', i + 1, null,"
                " '张' || i, case when i % 20 = 0 then 'checksum_wrong' else 'valid' end, 'c', '02',"
                " date '1950-01-01' + i * 7, '望江家园1幢1单元' || i || '室', 'FULL', 'c', 'c'"
                " from generate_series(1, :rows) as i"
            ),
            {"delivery_id": delivery_id, "rows": rows},
        )
    return delivery_id


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {f"{result.table_name}:{result.check_name}": result for result in results}


def failed_names(results: list[CheckResult]) -> set[str]:
    return {result.check_name for result in results if not result.is_passed}


def stored_count(engine: Engine, refresh_id: int) -> int:
    with engine.connect() as connection:
        return int(
            connection.scalar(
                text("select count(*) from quality.check_result where refresh_id = :id"), {"id": refresh_id}
            )
            or 0
        )


class TestDeliveries:
    def test_a_good_delivery_passes_every_check_with_counts_from_sql(self, warehouse: Warehouse) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 100)
        refresh_id = new_refresh(engine)
        results = check_deliveries(engine, refresh_id)
        assert failed_names(results) == set()
        checks = by_name(results)
        valid = checks["raw.low_income:id_no_is_mostly_valid"]
        assert (valid.checked_count, valid.failed_count) == (100, 5)
        assert {
            "raw.low_income:relation_code_is_in_its_code_list",
            "raw.low_income:birth_date_is_a_plausible_birth_date",
        } <= set(checks)
        assert stored_count(engine, refresh_id) == len(results)

    @pytest.mark.parametrize(
        ("status", "is_a_door"), [("FULL", True), ("NO_UNIT", True), ("NO_ROOM", False), ("POI_ONLY", False)]
    )
    def test_a_room_without_a_unit_names_a_door_and_a_building_does_not(
        self, warehouse: Warehouse, status: str, is_a_door: bool
    ) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 20)
        run_script(engine, "update raw.low_income set address_status = :status", status=status)
        failed = failed_names(check_deliveries(engine, new_refresh(engine)))
        assert failed == (set() if is_a_door else {"address_names_a_door"})

    def test_planted_faults_fail_their_own_checks_only(self, warehouse: Warehouse) -> None:
        engine = warehouse.engine
        make_contract(engine)
        delivery_id = make_delivery(engine, 100, accepted=101)
        run_script(
            engine,
            """
            update raw.low_income set relation_code = :canary where row_number = 5;
            update raw.low_income set row_number = 7 where row_number = 8;
            update raw.low_income set person_name = null where row_number between 10 and 30;
            update raw.low_income set birth_date = date '2062-01-01' where row_number between 40 and 45
            """,
            canary=CANARY,
        )
        refresh_id = new_refresh(engine)
        results = check_deliveries(engine, refresh_id)
        assert failed_names(results) == {
            "row_count_equals_the_ledger",
            "every_source_row_is_there_once",
            "person_name_is_filled",
            "relation_code_is_in_its_code_list",
            "birth_date_is_a_plausible_birth_date",
        }
        checks = by_name(results)
        assert checks["raw.low_income:every_source_row_is_there_once"].failed_count == 2
        assert checks["raw.low_income:person_name_is_filled"].failed_count == 21
        assert all(result.detail["delivery_id"] == delivery_id for result in results)
        with engine.connect() as connection:
            stored = connection.scalar(text("select string_agg(r::text, '') from quality.check_result as r"))
        assert CANARY not in str(stored)
        assert CANARY not in repr(results)

    @pytest.mark.parametrize(
        ("kind", "failed"),
        [
            ("masked", {"id_no_is_mostly_valid"}),
            ("damaged", {"id_no_is_mostly_valid", "id_no_is_a_column_of_ids"}),
        ],
    )
    def test_a_list_of_masked_ids_is_told_and_only_a_column_of_no_ids_stops_the_release(
        self, warehouse: Warehouse, kind: str, failed: set[str]
    ) -> None:
        make_contract(warehouse.engine)
        make_delivery(warehouse.engine, 100)
        run_script(warehouse.engine, "update raw.low_income set id_no_kind = :kind", kind=kind)
        results = check_deliveries(warehouse.engine, new_refresh(warehouse.engine))
        assert failed_names(results) == failed
        stopping = {
            result.check_name for result in results if not result.is_passed and result.severity == "error"
        }
        assert stopping == failed - {"id_no_is_mostly_valid"}

    def test_failures_are_carried_over_until_a_newer_snapshot_replaces_the_delivery(
        self, warehouse: Warehouse
    ) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 50, accepted=51)
        first = check_deliveries(engine, new_refresh(engine))
        assert failed_names(first) == {"row_count_equals_the_ledger"}
        second = check_deliveries(engine, new_refresh(engine))
        assert [result.check_name for result in second] == ["row_count_equals_the_ledger"]
        assert second[0].detail["is_carried_over"] is True
        make_delivery(engine, 50, snapshot_date=date(2026, 7, 20))
        third = check_deliveries(engine, new_refresh(engine))
        assert failed_names(third) == set()
        assert len(third) > 5

    def test_a_check_that_raises_has_failed_and_is_tried_again(self, warehouse: Warehouse) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 20)
        run_script(engine, "alter table raw.low_income rename column relation_code to relation")
        results = check_deliveries(engine, new_refresh(engine))
        assert failed_names(results) == {"relation_code_is_in_its_code_list"}
        broken = by_name(results)["raw.low_income:relation_code_is_in_its_code_list"]
        assert (broken.detail["problem"], broken.checked_count) == ("raised", None)
        run_script(engine, "alter table raw.low_income rename column relation to relation_code")
        assert failed_names(check_deliveries(engine, new_refresh(engine))) == set()

    def test_no_rows_where_the_ledger_has_rows_fails_everything(self, warehouse: Warehouse) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 20)
        run_script(engine, "delete from raw.low_income")
        results = check_deliveries(engine, new_refresh(engine))
        assert results
        assert not any(result.is_passed for result in results)
        assert {result.detail["problem"] for result in results} == {"no_rows_seen"}

    def test_a_great_expectations_crash_fails_everything(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import great_expectations as gx

        def crash(*_: Any, **__: Any) -> None:
            raise RuntimeError(CANARY)

        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 20)
        monkeypatch.setattr(gx.datasource.fluent.interfaces.Batch, "validate", crash)
        results = check_deliveries(engine, new_refresh(engine))
        assert results
        assert not any(result.is_passed for result in results)
        assert CANARY not in repr(results)

    def test_great_expectations_passing_what_sql_refuses_is_a_failure(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = warehouse.engine
        make_contract(engine)
        make_delivery(engine, 20)
        run_script(engine, "update raw.low_income set relation_code = '77'")
        monkeypatch.setattr(
            "quality.validation._judge",
            lambda _, __, table, ___: ({rule.check_name: True for rule in table.rules}, None),
        )
        failed = by_name(check_deliveries(engine, new_refresh(engine)))[
            "raw.low_income:relation_code_is_in_its_code_list"
        ]
        assert not failed.is_passed
        assert failed.detail["problem"] == "disagree"

    def test_an_unknown_refresh_is_refused(self, warehouse: Warehouse) -> None:
        with pytest.raises(PermanentError, match="没有编号为 999 的刷新"):
            check_deliveries(warehouse.engine, 999)

    def test_nothing_to_check_gives_no_results(self, warehouse: Warehouse) -> None:
        assert run_checks(warehouse.engine, []) == []


PLATFORM_TABLES = """
create schema staging; create schema master;
create table staging.int_person_record (
    record_id text, list_code text, delivery_id bigint, snapshot_date date, evidence_date date,
    person_name text, id_no_kind text, birth_date date
);
create table staging.int_household_record (
    record_id text, list_code text, delivery_id bigint, snapshot_date date, evidence_date date
);
create table staging.int_visit (
    record_id text, delivery_id bigint, visited_at timestamptz, entered_at timestamptz
);
create table master.person (person_id text, person_name text, sex_code text, birth_date date, household_id text);
create table master.household (household_id text, head_person_id text, member_count int, valid_to date);
create table master.household_member (
    household_id text, person_id text, is_head boolean, valid_from date, valid_to date
)
"""


def make_platform(engine: Engine, persons: int = 60) -> None:
    """Person records of one delivery, linked and mastered: households of three."""
    make_contract(engine)
    delivery_id = make_delivery(engine, persons)
    run_script(engine, PLATFORM_TABLES)
    run_script(
        engine,
        """
        insert into staging.int_person_record
        select record_id, 'low_income', delivery_id, date '2026-07-01', date '2026-06-01', person_name,
            id_no_kind, birth_date
        from raw.low_income;
        insert into linkage.record_link
        select record_id, 'low_income', delivery_id, 'P' || row_number, 'H' || row_number / 3, 'single_record', 1
        from raw.low_income;
        insert into master.person
        select 'P' || row_number, person_name, '1', birth_date, 'H' || row_number / 3 from raw.low_income;
        insert into master.household_member
        select 'H' || row_number / 3, 'P' || row_number, row_number = min(row_number) over (partition by row_number / 3),
            date '2026-01-01', null
        from raw.low_income;
        insert into linkage.household_membership
        select person_id, household_id, valid_from, valid_to, 'x', 'x' from master.household_member;
        insert into master.household
        select household_id, max(person_id) filter (where is_head), count(*), null
        from master.household_member group by household_id
        """,
    )
    assert delivery_id > 0


class TestStagingAndMaster:
    def test_good_tables_pass(self, warehouse: Warehouse) -> None:
        make_platform(warehouse.engine)
        refresh_id = new_refresh(warehouse.engine)
        assert failed_names(check_staging(warehouse.engine, refresh_id)) == set()
        assert failed_names(check_master(warehouse.engine, refresh_id)) == set()

    def test_checking_the_same_refresh_again_replaces_its_results(self, warehouse: Warehouse) -> None:
        make_platform(warehouse.engine)
        refresh_id = new_refresh(warehouse.engine)
        first = check_master(warehouse.engine, refresh_id)
        assert check_master(warehouse.engine, refresh_id) == first
        assert stored_count(warehouse.engine, refresh_id) == len(first)

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (
                "insert into staging.int_person_record select * from staging.int_person_record limit 1",
                {"record_id_is_unique"},
            ),
            (
                "delete from staging.int_person_record where record_id like '%-5'",
                {"every_accepted_row_is_there_once"},
            ),
            (
                "update staging.int_person_record set evidence_date = date '2026-07-02' where record_id like '%-5'",
                {"evidence_date_is_not_after_the_snapshot"},
            ),
            (
                "update staging.int_person_record set snapshot_date = date '2026-08-02' where record_id like '%-5'",
                {"snapshot_date_is_not_after_the_business_date"},
            ),
            ("update ops.delivery set status = 'held'", {"no_row_is_of_an_unloaded_delivery"}),
            (
                "update staging.int_person_record set id_no_kind = 'odd' where record_id like '%-5'",
                {"id_no_kind_is_known"},
            ),
        ],
    )
    def test_a_fault_in_staging_fails_its_check(
        self, warehouse: Warehouse, fault: str, expected: set[str]
    ) -> None:
        make_platform(warehouse.engine)
        run_script(warehouse.engine, fault)
        assert failed_names(check_staging(warehouse.engine, new_refresh(warehouse.engine))) == expected

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ("insert into master.person select * from master.person limit 1", {"person_id_is_unique"}),
            (
                "update master.person set birth_date = date '2027-01-01' where person_id in ('P2', 'P3')",
                {"birth_date_is_plausible"},
            ),
            (
                "update master.person set sex_code = '3' where person_id = 'P2'",
                {"sex_code_is_in_its_code_list"},
            ),
            (
                "update linkage.record_link set person_id = 'P999' where person_id = 'P5'",
                {"every_person_record_is_linked"},
            ),
            ("delete from linkage.record_link where person_id = 'P5'", {"every_person_record_is_linked"}),
            (
                "update master.household set member_count = 9 where household_id = 'H3'",
                {"member_count_agrees_with_the_members"},
            ),
            (
                "update master.household_member set is_head = true where household_id = 'H3'",
                {"every_household_has_one_head"},
            ),
            (
                "update master.household_member set is_head = false where household_id = 'H3'",
                {"every_household_has_one_head"},
            ),
            (
                "update master.household set head_person_id = 'P2' where household_id = 'H9'",
                {"the_head_lives_in_the_household"},
            ),
            (
                "update master.household_member set valid_to = valid_from where person_id = 'P10'",
                {"membership_ends_after_it_begins", "member_count_agrees_with_the_members"},
            ),
            (
                "update master.person set household_id = 'H999' where person_id = 'P10'",
                {"every_household_named_exists"},
            ),
        ],
    )
    def test_a_fault_in_master_fails_its_check(
        self, warehouse: Warehouse, fault: str, expected: set[str]
    ) -> None:
        make_platform(warehouse.engine)
        run_script(warehouse.engine, fault)
        assert failed_names(check_master(warehouse.engine, new_refresh(warehouse.engine))) == expected

    def test_an_empty_master_is_no_passed_master(self, warehouse: Warehouse) -> None:
        make_platform(warehouse.engine)
        run_script(warehouse.engine, "truncate master.person, master.household, master.household_member")
        results = check_master(warehouse.engine, new_refresh(warehouse.engine))
        assert not any(result.is_passed for result in results)

    def test_a_missing_table_fails_its_checks(self, warehouse: Warehouse) -> None:
        make_platform(warehouse.engine)
        run_script(warehouse.engine, "drop table staging.int_visit")
        results = check_staging(warehouse.engine, new_refresh(warehouse.engine))
        failed = {result.table_name for result in results if not result.is_passed}
        assert failed == {"staging.int_visit"}

    def test_a_planted_value_is_in_no_result_and_no_log(
        self, warehouse: Warehouse, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        make_platform(warehouse.engine)
        run_script(
            warehouse.engine,
            """
            update staging.int_person_record set id_no_kind = :canary, person_name = :canary, record_id = :canary;
            update master.person set sex_code = :canary, person_name = :canary, person_id = :canary,
                household_id = :canary
            """,
            canary=CANARY,
        )
        refresh_id = new_refresh(warehouse.engine)
        results = check_staging(warehouse.engine, refresh_id) + check_master(warehouse.engine, refresh_id)
        assert len(failed_names(results)) >= 6
        with warehouse.engine.connect() as connection:
            stored = connection.scalar(text("select string_agg(r::text, '') from quality.check_result as r"))
        output = "".join(capfd.readouterr())
        assert CANARY not in str(stored) + repr(results) + output + caplog.text
        assert [record for record in caplog.records if record.name.startswith("great_expectations")] == []
        assert "Calculating Metrics" not in output
