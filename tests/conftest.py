"""Fixtures shared by all tests: a throw-away PostgreSQL server, fresh migrated warehouses, keys and settings.

How to use them::

    @pytest.mark.database
    def test_something(warehouse, protector):
        with warehouse.engine.begin() as connection: ...

* ``warehouse_server``: one embedded server for the session (one for each xdist worker), stopped and deleted at the
  end. Speed is bought with safety: no fsync.
* ``warehouse``: a :class:`infra.warehouse.Warehouse` on a database of its own, freshly migrated (copied from a
  migrated template, about 50 ms), dropped after the test. ``module_warehouse`` is the same for a whole module.
* ``make_warehouse``: a function that gives as many of them as a test needs.
* ``protector``: a :class:`infra.protection.FieldProtector` with keys of its own, the same for the whole session.
* ``settings``: ``Settings`` whose home is a temporary folder and whose warehouse is ``warehouse``; to set more
  variables use ``make_settings(warehouse, YIHU_STREET_NAME="望江街道")``.
* ``scratch_folder``: a temporary folder that other system users can walk into (pytest's ``tmp_path`` is closed to
  them), for tests that start a server of their own. ``tmp_path`` is right for everything else.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from _pytest.nodeid import NodeId
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from infra.migrations import migrate
from infra.postgres import EmbeddedServer, ServerAddress
from infra.protection import FieldProtector
from infra.settings import Settings, load_settings
from infra.warehouse import Warehouse

# The cores are shared: a slow example is no failure. Derandomised: a red test is red again for everybody.
hypothesis_settings.register_profile(
    "yihu", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("yihu")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell xdist the groups of the tests.

    pytest-xdist 3.8 writes the group where pytest 9.2 no longer reads it, and the groups fall apart without a word
    (pytest-xdist issue 1386): tests that share a home would each build it twice, tests that build on each other would
    run in two homes. To be deleted with the first xdist that knows pytest 9.2.
    """
    if not getattr(config.option, "loadgroup", False):  # set by xdist, in its workers only
        return
    for item in items:
        for mark in item.iter_markers("xdist_group"):
            item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")


TEMPLATE = "yihu_template"
_FAST_AND_UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

MakeWarehouse = Callable[[], Warehouse]
MakeSettings = Callable[..., Settings]


def _traversable_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="yihu-test-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def scratch_folder() -> Iterator[Path]:
    folder = _traversable_folder()
    yield folder
    EmbeddedServer(folder).remove()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def warehouse_server() -> Iterator[ServerAddress]:
    folder = _traversable_folder()
    server = EmbeddedServer(folder, _FAST_AND_UNSAFE)
    try:
        address = server.start()
        for database in (TEMPLATE, "dagster"):
            _administer(address, "create database {} template template0", database)
        template = _open(address, TEMPLATE)
        migrate(template.engine)
        template.close()
        yield address
    finally:
        server.remove()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _new_warehouse(warehouse_server: ServerAddress) -> Callable[[], Warehouse]:
    numbers = itertools.count(1)

    def create() -> Warehouse:
        database = f"yihu_test_{next(numbers)}"
        _administer(warehouse_server, f"create database {{}} template {TEMPLATE}", database)
        # Rights on the database itself are not copied from a template.
        _administer(warehouse_server, "revoke temporary on database {} from public", database)
        return _open(warehouse_server, database)

    return create


def _warehouses(address: ServerAddress, create: Callable[[], Warehouse]) -> Iterator[MakeWarehouse]:
    opened: list[Warehouse] = []

    def make() -> Warehouse:
        opened.append(create())
        return opened[-1]

    yield make
    for warehouse in opened:
        warehouse.close()
        _administer(address, "drop database {} with (force)", str(warehouse.engine.url.database))


@pytest.fixture
def make_warehouse(
    warehouse_server: ServerAddress, _new_warehouse: Callable[[], Warehouse]
) -> Iterator[MakeWarehouse]:
    yield from _warehouses(warehouse_server, _new_warehouse)


@pytest.fixture
def warehouse(make_warehouse: MakeWarehouse) -> Warehouse:
    return make_warehouse()


@pytest.fixture(scope="module")
def module_warehouse(
    warehouse_server: ServerAddress, _new_warehouse: Callable[[], Warehouse]
) -> Iterator[Warehouse]:
    for make in _warehouses(warehouse_server, _new_warehouse):
        yield make()


@pytest.fixture(scope="session")
def protector(tmp_path_factory: pytest.TempPathFactory) -> FieldProtector:
    return FieldProtector(tmp_path_factory.mktemp("keys") / "private" / "field-keys.json")


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Make settings on a temporary home; the environment of the machine plays no part."""

    def make(warehouse: Warehouse | None = None, **variables: str) -> Settings:
        environ = {"YIHU_HOME": str(tmp_path / "home"), **variables}
        if warehouse is not None:
            environ["YIHU_WAREHOUSE_URL"] = warehouse.url()
        return load_settings(environ)

    return make


@pytest.fixture
def settings(make_settings: MakeSettings, warehouse: Warehouse) -> Settings:
    return make_settings(warehouse)


def _open(address: ServerAddress, database: str) -> Warehouse:
    url = URL.create("postgresql", address.user, address.password, address.host, address.port, database)
    return Warehouse(url, url.set(database="dagster"))


def _administer(address: ServerAddress, statement: str, database: str) -> None:
    with psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(SQL(statement).format(Identifier(database)))
