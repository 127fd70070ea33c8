"""A landing folder and a visit app, and what came of them."""

from datetime import date
from pathlib import Path

import pytest
from ingest_app import FILLED, PULLED, App, administer
from ingest_lists import ARRIVED
from sqlalchemy import text

from ingest.app_source import pull_app
from ingest.deliveries import ingest_landing
from tests.synthetic.population import World
from tests.synthetic.visit_app import fill_app, make_app


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


@pytest.fixture(scope="session")
def app_template(warehouse_server):
    app = App(warehouse_server, "visit_app_template")
    administer(warehouse_server, "create database {} template template0", app.name)
    with app.connect() as connection:
        make_app(connection)
        fill_app(connection, World.create(7, 60, date(2026, 8, 1)), FILLED)
    return app


@pytest.fixture
def app(app_template):
    app = App(app_template.address, "visit_app_test")
    administer(app.address, "drop database if exists {} with (force)", app.name)
    administer(app.address, f"create database {{}} template {app_template.name}", app.name)
    return app


@pytest.fixture
def app_settings(make_settings, app):
    return make_settings(None, YIHU_APP_URL=app.url)


@pytest.fixture
def pull(warehouse, protector, app_settings):
    def pull(at=PULLED, **options):
        pulls = pull_app(warehouse.engine, protector, app_settings, at, **options)
        return {pull.list_code: pull for pull in pulls}

    return pull
