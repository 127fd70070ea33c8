"""What a contract says becomes an expectation on every delivery of its list: ranges, codes, the past, the business key."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, text

from infra.warehouse import Warehouse
from ingest.contract import load_contracts
from ingest.raw_tables import ensure_raw_tables
from quality.expectations import check_deliveries

pytestmark = pytest.mark.database

ROWS = 40


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    ensure_raw_tables(warehouse.engine, load_contracts())
    return warehouse.engine


def deliver(engine: Engine, list_code: str, rows: list[dict]) -> int:
    """One loaded delivery of sound rows, arrived on 2026-07-02; the refresh to check it in."""
    with engine.begin() as connection:
        delivery_id = connection.scalar(
            text(
                "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256, snapshot_date,"
                " received_at, status, row_count, accepted_count) values ('community', :code, 'a.csv', '/a',"
                " gen_random_uuid()::text, '2026-07-01', :at, 'loaded', :n, :n) returning delivery_id"
            ),
            {"code": list_code, "n": len(rows), "at": datetime(2026, 7, 1, 17, 0, tzinfo=UTC)},
        )
        for number, row in enumerate(rows, start=2):
            values = {
                "record_id": f"{delivery_id}-{number}", "delivery_id": delivery_id, "sheet_name": "", "row_number": number,
                "source_row_encrypted": "c", **row,
            }  # fmt: skip
            connection.execute(
                text(
                    f"insert into raw.{list_code} ({', '.join(values)}) values ({', '.join(f':{v}' for v in values)})"
                ),
                values,
            )
        return int(
            connection.scalar(
                text("insert into ops.refresh (as_of) values ('2026-07-31') returning refresh_id")
            )
        )


def answers() -> list[dict]:
    return [
        {
            "questionnaire_no": f"M{number}", "question_code": "attitude", "scale_code": "0-100", "score": 100 - number,
            "sent_date": date(2026, 6, 20), "answered_date": date(2026, 7, 2), "address_status": "FULL",
        }
        for number in range(ROWS)
    ]  # fmt: skip


def visits() -> list[dict]:
    return [
        {
            "visit_no": f"Z{number}", "visited_at": datetime(2026, 6, 30, 2, 0, tzinfo=UTC), "need_codes": ["YL01", "JO02"],
            "problem_count": 0, "satisfaction_score": 5, "address_status": "FULL",
        }
        for number in range(ROWS)
    ]  # fmt: skip


def outcome(engine: Engine, refresh_id: int) -> dict[str, bool]:
    return {result.check_name: result.is_passed for result in check_deliveries(engine, refresh_id)}


@pytest.mark.parametrize(("list_code", "rows"), [("satisfaction", answers()), ("visit", visits())])
def test_sound_rows_pass_every_expectation(engine, list_code, rows):
    found = outcome(engine, deliver(engine, list_code, rows))
    assert [name for name, is_passed in found.items() if not is_passed] == []
    assert "business_key_is_not_repeated" in found


def test_the_expectations_are_those_the_contract_states(engine):
    found = outcome(engine, deliver(engine, "satisfaction", answers()))
    contract = load_contracts()["satisfaction"]
    ranges = {f"{c.name}_is_within_its_range" for c in contract.columns if c.minimum is not None}
    past = {f"{c.name}_is_not_after_the_arrival" for c in contract.columns if c.is_past_only}
    codes = {f"{c.name}_is_in_its_code_list" for c in contract.columns if c.semantic_type == "code"}
    required = {f"{c.name}_is_filled" for c in contract.columns if c.is_required}
    assert ranges
    assert past
    assert {name for name in found if name.endswith(("_range", "_arrival", "_code_list", "_is_filled"))} == (
        ranges | past | codes | required
    )


@pytest.mark.parametrize(
    ("list_code", "rows", "change", "check"),
    [
        ("satisfaction", answers(), {"score": 101}, "score_is_within_its_range"),
        ("satisfaction", answers(), {"score": -1}, "score_is_within_its_range"),
        (
            "satisfaction",
            answers(),
            {"answered_date": date(2026, 7, 3)},
            "answered_date_is_not_after_the_arrival",
        ),
        ("satisfaction", answers(), {"scale_code": "0-10"}, "scale_code_is_in_its_code_list"),
        ("visit", visits(), {"need_codes": ["YL01", "XX99"]}, "need_codes_is_in_its_code_list"),
        ("visit", visits(), {"satisfaction_score": 6}, "satisfaction_score_is_within_its_range"),
    ],
)
def test_one_row_that_breaks_the_contract_is_enough(engine, list_code, rows, change, check):
    rows[7] |= change
    found = outcome(engine, deliver(engine, list_code, rows))
    assert [name for name, is_passed in found.items() if not is_passed] == [check]


def test_single_repeated_keys_are_corrections_but_a_share_of_them_is_told(engine):
    rows = visits()
    rows[1] |= {"visit_no": "Z0"}
    assert outcome(engine, deliver(engine, "visit", rows))["business_key_is_not_repeated"]
    for row in rows[:6]:
        row["visit_no"] = "Z0"
    assert not outcome(engine, deliver(engine, "visit", rows))["business_key_is_not_repeated"]
    # Rows without any value of the key are another check's matter.
    for row in rows:
        row["visit_no"] = None
    (told,) = [
        result
        for result in check_deliveries(engine, deliver(engine, "visit", rows))
        if result.check_name == "business_key_is_not_repeated" and not result.detail.get("is_carried_over")
    ]
    assert told.is_passed
