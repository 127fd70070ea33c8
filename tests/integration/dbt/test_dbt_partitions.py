"""Which rows of a snapshot are current: staging and ingest say the same of any ledger, on any business date."""

import random
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from ingest.contract import load_contracts
from ingest.partitions import standing_partitions
from ingest.raw_tables import ensure_raw_tables

pytestmark = pytest.mark.database

LISTS = {"disabled": "whole", "elderly_alone": "community"}
COMMUNITIES = ("近江社区", "在水社区", "清泰社区", None)
FIRST = date(2026, 1, 31)


@pytest.fixture(scope="module")
def staging(engine: Engine, dbt) -> dict[str, str]:
    """The views of two lists on an empty warehouse."""
    ensure_raw_tables(engine, load_contracts())
    names = {code: f"stg_civil_affairs__{code}" for code in LISTS}
    with engine.begin() as connection:
        connection.execute(text("insert into ops.refresh (as_of) values (:day)"), {"day": FIRST})
    assert set(dbt("run", "--select", *names.values()).values()) == {"success"}
    return names


def make_ledger(connection: Connection, code: str, rng: random.Random) -> None:
    """A few deliveries in any order of dates, some not loaded, some with communities held or gone."""
    connection.execute(text(f"delete from raw.{code}"))
    for number in range(1, 8):
        day = FIRST + timedelta(days=30 * rng.randrange(4))
        status = rng.choice(("loaded", "loaded", "loaded", "held"))
        delivery_id = connection.execute(
            text(
                "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256, snapshot_date, "
                "received_at, status, coverage) values ('civil_affairs', :code, 'a.csv', '/a.csv', md5(random()::text), "
                ":day, timestamptz '2026-06-01' + make_interval(hours => :hour), :status, :coverage) returning delivery_id"
            ),
            {"code": code, "day": day, "hour": rng.randrange(3), "status": status, "coverage": LISTS[code]},
        ).scalar_one()
        present = [community for community in COMMUNITIES if rng.random() < 0.6]
        for community in present:
            connection.execute(
                text(
                    f"insert into raw.{code} (record_id, delivery_id, row_number, community_name, source_row_encrypted) "
                    "select :prefix || n, :delivery_id, n, :community, '' from generate_series(1, :count) as n"
                ),
                {
                    "prefix": f"{delivery_id}-{community}-",
                    "delivery_id": delivery_id,
                    "community": community,
                    "count": rng.randint(1, 3),
                },
            )
        if LISTS[code] == "community":
            gone = [name for name in COMMUNITIES[:3] if name not in present and rng.random() < 0.2]
            connection.execute(
                text("update ops.delivery set gone_communities = :gone where delivery_id = :id"),
                {"gone": gone, "id": delivery_id},
            )
        for community in COMMUNITIES[:3]:
            if number > 1 and rng.random() < 0.3:
                connection.execute(
                    text(
                        "insert into ops.partition_hold (delivery_id, community_name, last_delivery_id, last_row_count, "
                        "row_count, status) values (:id, :community, :id, 5, 0, :status)"
                    ),
                    {
                        "id": delivery_id,
                        "community": community,
                        "status": rng.choice(("open", "carried_on", "delivered")),
                    },
                )


def current_rows(connection: Connection, view: str, code: str) -> dict[tuple[str | None, int], int]:
    """Current rows by community as delivered and delivery."""
    rows = connection.execute(
        text(
            "select rows.community_name, staged.delivery_id, count(*) "
            f"from staging.{view} as staged inner join raw.{code} as rows using (record_id) "
            "where staged.is_current group by 1, 2"
        )
    )
    return {(community, delivery_id): count for community, delivery_id, count in rows}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("code", LISTS)
def test_staging_and_ingest_agree_on_what_stands(staging, engine, code, seed):
    rng = random.Random(f"{code}{seed}")
    contract = load_contracts()[code]
    seen = 0
    with engine.connect() as connection, connection.begin() as transaction:
        for _ in range(5):
            connection.execute(text("delete from ops.partition_hold"))
            connection.execute(text("delete from raw.disabled"))
            connection.execute(text("delete from raw.elderly_alone"))
            connection.execute(text("delete from ops.delivery"))
            make_ledger(connection, code, rng)
            for months in range(-1, 4):
                day = FIRST + timedelta(days=30 * months)
                connection.execute(text("update ops.refresh set as_of = :day"), {"day": day})
                current = current_rows(connection, staging[code], code)
                if LISTS[code] == "community":  # there rows without a community follow their file
                    current = {key: count for key, count in current.items() if key[0] is not None}
                stands = {
                    (name, part.delivery_id): part.row_count
                    for name, part in standing_partitions(connection, contract, day).items()
                }
                assert current == stands
                seen += len(stands)
        transaction.rollback()
    assert seen > 20, "the ledgers were not empty"
