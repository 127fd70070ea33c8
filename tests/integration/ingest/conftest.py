"""A landing folder, and what came of the files in it."""

from pathlib import Path

import pytest
from ingest_lists import ARRIVED
from sqlalchemy import text

from ingest.deliveries import ingest_landing


@pytest.fixture
def landing(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def put(landing):
    def put(place: str, name: str, content: bytes) -> Path:
        folder = landing / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return put


@pytest.fixture
def take(warehouse, protector, landing):
    return lambda received_at=ARRIVED: ingest_landing(warehouse.engine, protector, landing, received_at)


@pytest.fixture
def ask(warehouse):
    def ask(statement, **values):
        with warehouse.engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    return ask
