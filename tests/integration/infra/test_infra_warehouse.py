"""The warehouse: opening, migrating, refusing unsuitable servers, and the refresh lock."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

import infra.warehouse
from infra.errors import PermanentError, TransientError, safe_message
from infra.migrations import migrate, pending_migrations
from infra.postgres import ServerAddress
from infra.protection import FieldProtector
from infra.settings import Settings
from infra.warehouse import Warehouse, open_warehouse, refresh_lock

pytestmark = pytest.mark.database


class Administrator:
    """Runs statements on the test server and forgets what it made."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._undo: list[str] = []

    def url(self, database: str, user: str = "", password: str = "") -> str:
        address = self.address
        who = f"{user or address.user}:{password or address.password}"
        return f"postgresql://{who}@{address.host}:{address.port}/{database}"

    def run(self, statement: str, undo: str = "", database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())
        self._undo.append(undo)

    def forget(self) -> None:
        for statement in filter(None, reversed(self._undo)):
            self.run(statement)


@pytest.fixture
def administrator(warehouse_server: ServerAddress) -> Iterator[Administrator]:
    administrator = Administrator(warehouse_server)
    yield administrator
    administrator.forget()


def test_fresh_warehouse_has_the_tables_of_every_station_and_nothing_pending(warehouse: Warehouse) -> None:
    assert pending_migrations(warehouse.engine) == []
    with warehouse.engine.connect() as connection:
        tables: set[str] = set(
            connection.execute(text("select schemaname || '.' || tablename from pg_tables")).scalars()
        )
    assert {"ops.delivery", "linkage.identity_event", "quality.verdict", "ops.alembic_version"} <= tables


def test_two_warehouses_of_one_test_do_not_share_rows(make_warehouse: Callable[[], Warehouse]) -> None:
    first, second = make_warehouse(), make_warehouse()
    with first.engine.begin() as connection:
        connection.execute(text("insert into ops.refresh (as_of) values ('2026-11-24')"))
    with second.engine.connect() as connection:
        assert connection.scalar(text("select count(*) from ops.refresh")) == 0


def test_ops_tables_and_columns_are_explained_in_chinese(warehouse: Warehouse) -> None:
    with warehouse.engine.connect() as connection:
        unexplained = connection.execute(
            text(
                """
                select c.relname, a.attname
                from pg_class c
                join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0 and not a.attisdropped
                left join pg_description d on d.objoid = c.oid and d.objsubid = a.attnum
                where c.relnamespace = 'ops'::regnamespace and c.relkind in ('r', 'v')
                  and c.relname <> 'alembic_version' and coalesce(d.description, '') !~ '[一-龥]'
                union all
                select c.relname, null from pg_class c
                where c.relnamespace = 'ops'::regnamespace and c.relkind in ('r', 'v')
                  and c.relname <> 'alembic_version'
                  and coalesce(obj_description(c.oid), '') !~ '[一-龥]'
                """
            )
        ).all()
    assert unexplained == []


def test_ordinary_logins_may_not_make_tables_or_temporary_tables(
    administrator: Administrator, warehouse: Warehouse
) -> None:
    database = str(warehouse.engine.url.database)
    administrator.run("create role a_department login password 'geheim'", undo="drop role a_department")
    with psycopg.connect(
        administrator.url(database, "a_department", "geheim"), autocommit=True
    ) as connection:
        for statement in ("create table public.x (i int)", "create temp table x (i int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_open_external_makes_dagster_database_and_is_idempotent(
    administrator: Administrator, make_settings: Callable[..., Settings]
) -> None:
    administrator.run("create database outside template template0", undo="drop database outside with (force)")
    administrator.run("alter database outside set timezone to 'Asia/Shanghai'")
    settings = make_settings(YIHU_WAREHOUSE_URL=administrator.url("outside"))
    for _ in range(2):
        warehouse = open_warehouse(settings)
        assert make_url(warehouse.dagster_url()).database == "outside_dagster"
        assert warehouse.dagster_url().startswith("postgresql+psycopg2://")
        assert pending_migrations(warehouse.engine) == []
        with psycopg.connect(warehouse.url(""), autocommit=True) as connection:
            assert connection.execute("show timezone").fetchone() == ("UTC",)
        environment = warehouse.dbt_environment()
        assert environment["YIHU_DBT_DATABASE"] == "outside"
        assert environment["YIHU_DBT_PORT"] == str(administrator.address.port)
        warehouse.close()
    administrator.run("drop database outside_dagster with (force)")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("create database unfit encoding 'SQL_ASCII' locale 'C' template template0", "编码是 SQL_ASCII"),
        (
            "create database unfit encoding 'UTF8' locale_provider libc locale 'C' template template0",
            "不认识汉字",
        ),
    ],
)
def test_database_that_cannot_hold_chinese_is_refused(
    administrator: Administrator, make_settings: Callable[..., Settings], statement: str, said: str
) -> None:
    administrator.run(statement, undo="drop database unfit with (force)")
    with pytest.raises(PermanentError, match=said):
        open_warehouse(make_settings(YIHU_WAREHOUSE_URL=administrator.url("unfit")))


def test_server_that_is_too_old_is_refused(
    administrator: Administrator, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No old server is at hand; a newer minimum makes this one old.
    monkeypatch.setattr(infra.warehouse, "MINIMUM_VERSION", 99)
    with pytest.raises(PermanentError, match="PostgreSQL 18。应为：PostgreSQL 99 或更新"):
        open_warehouse(make_settings(YIHU_WAREHOUSE_URL=administrator.url("postgres")))


def test_processes_that_open_a_new_home_at_once_all_get_the_whole_warehouse(scratch_folder: Path) -> None:
    script = (
        "import sys; from infra.settings import load_settings; from infra.warehouse import open_warehouse\n"
        "from infra.protection import FieldProtector; from infra.migrations import pending_migrations\n"
        "settings = load_settings({'YIHU_HOME': sys.argv[1]}); warehouse = open_warehouse(settings)\n"
        "FieldProtector.open(settings).confirm_keys(warehouse.engine)\n"
        "print(warehouse.url(), pending_migrations(warehouse.engine))"
    )

    def open_once(_: int) -> str:
        command = [sys.executable, "-c", script, str(scratch_folder)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    with ThreadPoolExecutor(3) as pool:
        (said,) = set(pool.map(open_once, range(3)))
    assert said.startswith("postgresql+psycopg://")
    assert said.endswith("/yihu []\n")


def test_missing_database_wrong_password_and_silent_server_are_told_apart(
    administrator: Administrator, make_settings: Callable[..., Settings]
) -> None:
    def failure(url: str) -> Exception:
        with pytest.raises((PermanentError, TransientError)) as caught:
            open_warehouse(make_settings(YIHU_WAREHOUSE_URL=url))
        return caught.value

    missing = failure(administrator.url("no_such_database"))
    assert isinstance(missing, PermanentError)
    assert 'create database "no_such_database"' in str(missing)
    refused = failure(administrator.url("postgres", "nobody", "wrong-secret"))
    assert isinstance(refused, PermanentError)
    assert "wrong-secret" not in str(refused)
    assert isinstance(failure("postgresql://u:p@127.0.0.1:1/yihu"), TransientError)


def test_user_without_rights_is_told_what_the_administrator_must_run(
    administrator: Administrator, make_settings: Callable[..., Settings]
) -> None:
    administrator.run("create role plain login password 'geheim'", undo="drop role plain")
    administrator.run(
        "create database plain_db owner plain template template0", undo="drop database plain_db"
    )
    settings = make_settings(YIHU_WAREHOUSE_URL=administrator.url("plain_db", "plain", "geheim"))
    with pytest.raises(PermanentError, match='create database "plain_db_dagster" owner "plain"'):
        open_warehouse(settings)
    administrator.run(
        "create database plain_db_dagster owner plain", undo="drop database plain_db_dagster with (force)"
    )
    with pytest.raises(PermanentError, match="grant yihu_publisher to plain"):
        open_warehouse(settings)
    administrator.run("grant yihu_publisher to plain")
    warehouse = open_warehouse(settings)
    assert pending_migrations(warehouse.engine) == []
    warehouse.close()


def test_migration_is_all_or_nothing(administrator: Administrator) -> None:
    administrator.run("create database half template template0", undo="drop database half with (force)")
    # Something of ours is in the way of a later file: nothing of the earlier ones may stay.
    administrator.run("create schema quality; create table quality.verdict (i int)", database="half")
    url = make_url(administrator.url("half"))
    warehouse = Warehouse(url, url)
    with pytest.raises((DBAPIError, psycopg.Error)):
        migrate(warehouse.engine)
    assert pending_migrations(warehouse.engine)[0] == "0001"
    with warehouse.engine.begin() as connection:
        assert connection.scalar(text("select to_regclass('ops.delivery')")) is None
        connection.execute(text("drop schema quality cascade"))
    assert migrate(warehouse.engine)[0] == "0001"
    assert migrate(warehouse.engine) == []
    warehouse.close()


def test_database_of_a_newer_platform_is_refused(warehouse: Warehouse) -> None:
    with warehouse.engine.begin() as connection:
        connection.execute(text("update ops.alembic_version set version_num = '9999'"))
    with pytest.raises(PermanentError, match="9999"):
        pending_migrations(warehouse.engine)


def test_only_one_refresh_at_a_time(warehouse: Warehouse) -> None:
    with (
        refresh_lock(warehouse.engine),
        pytest.raises(TransientError, match="另一次刷新"),
        refresh_lock(warehouse.engine),
    ):
        pytest.fail("two refreshes hold the lock")
    with refresh_lock(warehouse.engine):
        pass


def test_another_refresh_is_waited_for_as_long_as_asked(warehouse: Warehouse) -> None:
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with refresh_lock(warehouse.engine):
            held.set()
            free.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with pytest.raises(TransientError, match="另一次刷新"), refresh_lock(warehouse.engine, wait_seconds=0.3):
        pytest.fail("two refreshes hold the lock")
    threading.Timer(0.5, free.set).start()
    with refresh_lock(warehouse.engine, wait_seconds=30):
        holder.join(10)
        assert not holder.is_alive()


def test_refresh_lock_is_freed_when_its_holder_is_killed(warehouse: Warehouse) -> None:
    script = (
        "import os, signal, sys; from sqlalchemy import create_engine; from infra.warehouse import refresh_lock\n"
        "with refresh_lock(create_engine(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    holder = subprocess.run([sys.executable, "-c", script, warehouse.url()], check=False, timeout=60)
    assert holder.returncode == -9
    with refresh_lock(warehouse.engine):
        pass


def test_safe_message_of_a_database_error_has_no_value(warehouse: Warehouse) -> None:
    canary = "330106199001011234"
    insert = text("insert into ops.field_key (key_id, fingerprint) values (:value, 'x')")
    with warehouse.engine.begin() as connection:
        connection.execute(insert, {"value": canary})
    with pytest.raises(DBAPIError) as caught, warehouse.engine.begin() as connection:
        connection.execute(insert, {"value": canary})
    assert canary in str(caught.value), "the driver no longer leaks; safe_message may have become needless"
    message = safe_message(caught.value)
    assert canary not in message
    assert "SQLSTATE 23505" in message
    assert "constraint_name=field_key_pkey" in message


def test_other_key_file_than_the_databases_is_refused(
    warehouse: Warehouse, protector: FieldProtector, make_settings: Callable[..., Settings]
) -> None:
    protector.confirm_keys(warehouse.engine)
    protector.confirm_keys(warehouse.engine)
    stranger = FieldProtector.open(make_settings())
    with pytest.raises(PermanentError, match=r"k1.*token"):
        stranger.confirm_keys(warehouse.engine)
    with warehouse.engine.connect() as connection:
        assert connection.scalar(text("select count(*) from ops.field_key")) == 2


def test_names_with_odd_characters_are_quoted(
    administrator: Administrator, make_settings: Callable[..., Settings]
) -> None:
    name = "Yi-hu 50%"
    with psycopg.connect(administrator.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("create database {} template template0").format(Identifier(name)))
    url = make_url(administrator.url("x")).set(database=name).render_as_string(hide_password=False)
    warehouse = open_warehouse(make_settings(YIHU_WAREHOUSE_URL=url))
    assert pending_migrations(warehouse.engine) == []
    warehouse.close()
    with psycopg.connect(administrator.url("postgres"), autocommit=True) as connection:
        for database in (name, f"{name}_dagster"):
            connection.execute(SQL("drop database {} with (force)").format(Identifier(database)))
