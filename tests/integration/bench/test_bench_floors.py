"""The floors move the same rows as what they are compared with; a floor that does less is no floor."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.clock import utc_now
from infra.protection import FieldProtector
from infra.warehouse import Warehouse
from ingest.deliveries import ingest_landing
from tests.bench import floors
from tests.bench.platform import AS_OF, MONTH
from tests.synthetic.deliveries import generate

pytestmark = pytest.mark.database
LIST = "household_register"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    generate(tmp_path / "street", seed=5, households=40, months=1, first_month=MONTH)
    return tmp_path / "street" / f"{MONTH:%Y-%m}"


def test_the_floor_of_ingest_copies_the_rows_that_ingest_stored(
    warehouse: Warehouse, protector: FieldProtector, landing: Path
) -> None:
    engine = warehouse.engine
    ingest_landing(engine, protector, landing, utc_now(), as_of=AS_OF)
    with engine.connect() as connection:
        count = connection.exec_driver_sql(f"select count(*) from raw.{LIST}").scalar_one()
    content = next((landing / "community" / LIST).iterdir()).read_bytes()
    assert floors.decode_csv(content, "utf-8") == count > 100

    rows = floors.copied_out(engine, "raw", LIST)
    floors.empty_copy(engine, "raw", LIST)
    assert floors.copy_in(engine, "raw", LIST, rows) == count
    assert floors.copied_out(engine, "bench_floor", f"raw_{LIST}") == rows
    assert floors.create_as_select(engine, [("raw", LIST), ("ops", "delivery")]) == count + 5
