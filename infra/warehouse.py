"""The warehouse: one PostgreSQL database, embedded or given by URL, checked, migrated, and reached by one engine.

Which tables there are is said by ``infra/migrations`` and by dbt; how the embedded server is run by
``infra.postgres``.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, ParamSpec, TypeVar

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from infra.errors import PermanentError, TransientError, safe_message
from infra.migrations import migrate
from infra.postgres import EmbeddedServer
from infra.settings import Settings

DATABASE: Final = "yihu"
DAGSTER_DATABASE: Final = "dagster"
MINIMUM_VERSION: Final = 15

# Advisory lock keys of one database; any numbers that nobody else uses.
REFRESH_LOCK: Final = 0x79696875_0001

# Who waits for a lock waits so long, and asks so often (reliability.md F41, F42).
_LOCK_WAIT: Final = "5s"
_LOCK_POLL_SECONDS: Final = 2.0
_TRIES: Final = 3
_ASKED_TO_TRY_AGAIN: Final = frozenset(
    {"40001", "40P01", "55P03"}
)  # serialization, deadlock, lock not available

# A half-open connection is given up after 30 s instead of after hours.
_CONNECT_ARGUMENTS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    "application_name": "yihu",
}


P = ParamSpec("P")
R = TypeVar("R")


class Warehouse:
    """The open warehouse. Make it with :func:`open_warehouse`.

    Attributes:
        engine: SQLAlchemy engine on psycopg 3; sessions run in UTC.
    """

    def __init__(self, url: URL, dagster_url: URL) -> None:
        """Wrap two databases that exist; nothing is connected, created or migrated.

        Args:
            url: The warehouse database.
            dagster_url: Dagster's storage, another database of the same server.
        """
        self._url = url.set(port=url.port or 5432)
        self._dagster_url = dagster_url.set(port=dagster_url.port or 5432)
        self.engine: Engine = make_engine(self._url)

    def url(self, driver: str = "psycopg") -> str:
        """URL of the warehouse with its password: a secret.

        Args:
            driver: SQLAlchemy driver name; ``""`` gives the plain ``postgresql://`` that libpq and adbc take.
        """
        return _render(self._url, driver)

    def dagster_url(self) -> str:
        """URL of Dagster's storage with its password: a secret.

        The driver is always psycopg2: Dagster sends ``NOTIFY`` with a parameter, which psycopg 3 refuses.
        """
        return _render(self._dagster_url, "psycopg2")

    def dbt_environment(self) -> dict[str, str]:
        """The variables that ``profiles.yml`` reads: ``YIHU_DBT_HOST``, ``_PORT``, ``_USER`` and so on."""
        sslmode = self._url.query.get("sslmode", "prefer")
        return {
            "YIHU_DBT_HOST": self._url.host or "",
            "YIHU_DBT_PORT": str(self._url.port),
            "YIHU_DBT_USER": self._url.username or "",
            "YIHU_DBT_PASSWORD": str(self._url.password or ""),
            "YIHU_DBT_DATABASE": self._url.database or "",
            "YIHU_DBT_SSLMODE": sslmode if isinstance(sslmode, str) else sslmode[-1],
        }

    def close(self) -> None:
        """Close all connections. An embedded server goes on running; ``EmbeddedServer.stop`` ends it."""
        self.engine.dispose()


def open_warehouse(settings: Settings) -> Warehouse:
    """Open the warehouse of these settings, ready to use.

    Starts the embedded server when no URL is configured, makes the two databases when they are missing, and
    migrates the warehouse to the newest revision. Idempotent, and safe when several processes do it at once.

    Raises:
        PermanentError: The server is too old, has the wrong encoding or refuses us; says what to change.
        TransientError: The server does not answer now.
    """
    if settings.warehouse_url is None:
        address = EmbeddedServer(settings.home).start()
        maintenance = URL.create(
            "postgresql", address.user, address.password, address.host, address.port, "postgres"
        )
        url, dagster_url = maintenance.set(database=DATABASE), maintenance.set(database=DAGSTER_DATABASE)
        _ensure_database(maintenance, url)
    else:
        url = make_url(settings.warehouse_url.get_secret_value())
        maintenance, dagster_url = url, url.set(database=f"{url.database}_{DAGSTER_DATABASE}")
    _check_server(url)
    _ensure_database(maintenance, dagster_url)
    for database_url in (url, dagster_url):
        _ensure_utc(database_url)
    warehouse = Warehouse(url, dagster_url)
    try:
        migrate(warehouse.engine)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def make_engine(url: URL) -> Engine:
    """A SQLAlchemy engine on psycopg 3 whose errors and logs do not show parameters."""
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args=dict(_CONNECT_ARGUMENTS),
    )


@contextlib.contextmanager
def refresh_lock(engine: Engine, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the one refresh that may run at a time, on a connection of its own.

    The server frees it when the holder's connection ends, however it ends.

    Args:
        wait_seconds: How long another refresh is waited for.

    Raises:
        TransientError: Another refresh holds it, and went on holding it.
    """
    last_try = time.monotonic() + wait_seconds
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Asked again and again: a wait inside the server would keep a snapshot, and vacuum from its work.
        while not connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": REFRESH_LOCK}):
            if time.monotonic() < last_try:
                time.sleep(min(_LOCK_POLL_SECONDS, wait_seconds))
                continue
            raise TransientError(
                "开始刷新",
                came="另一次刷新正在进行",
                expected="同一时间只有一次刷新",
                next_step="等它结束后再运行",
            )
        try:
            yield
        finally:
            # After a lost connection the lock is gone anyway, and the error that matters is the body's.
            with contextlib.suppress(DBAPIError):
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": REFRESH_LOCK})


def limit_lock_wait(connection: Connection) -> None:
    """In this transaction a lock that is not free after five seconds is an error (SQLSTATE 55P03), not a wait."""
    connection.execute(text(f"set local lock_timeout = '{_LOCK_WAIT}'"))


def is_to_be_tried_again(error: BaseException) -> bool:
    """Whether the server undid a transaction for no fault of its own: a deadlock, a conflict, a lock not had in time."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) in _ASKED_TO_TRY_AGAIN


def persistent(doing: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function whose work is transactions of its own and that may be called again at any time.

    What the server asks to try again is tried three times. A database or a disk that fails becomes a `TransientError`,
    which names no value and has nothing chained to it; errors in what we ask (a constraint, a wrong statement) stay.

    Args:
        doing: What the function does, for the error.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def persistent_function(*args: P.args, **options: P.kwargs) -> R:
            for attempt in range(1, _TRIES + 1):
                try:
                    return function(*args, **options)
                except (DBAPIError, psycopg.Error) as error:
                    if is_to_be_tried_again(error) and attempt < _TRIES:
                        continue
                    failure = getattr(error, "orig", None) or error
                    if not isinstance(failure, psycopg.OperationalError | psycopg.InterfaceError):
                        raise
                    came, next_step = safe_message(error), "确认数据库正常、没有别的会话长时间占用后重新运行"
                except OSError as error:
                    came, next_step = (
                        f"文件读写出错（{error.strerror}）",
                        "确认磁盘有空间、文件夹可写后重新运行",
                    )
                break
            # Raised here: inside the except block the driver's own error, with row values, would ride along.
            raise TransientError(doing, came=came, next_step=next_step)

        return persistent_function

    return decorate


def _render(url: URL, driver: str) -> str:
    drivername = f"postgresql+{driver}" if driver else "postgresql"
    return url.set(drivername=drivername).render_as_string(hide_password=False)


@contextlib.contextmanager
def _session(url: URL) -> Iterator[psycopg.Connection]:
    """One autocommit connection, with the troubles of connecting told as errors of ours."""
    options: dict[str, Any] = {**_CONNECT_ARGUMENTS, **url.query}
    try:
        connection = psycopg.connect(
            host=url.host,
            port=url.port or 5432,
            user=url.username,
            password=str(url.password or ""),
            dbname=url.database,
            autocommit=True,
            **options,
        )
    except psycopg.OperationalError as error:
        raise _connection_error(url, str(error)) from None
    with connection:
        yield connection


def _connection_error(url: URL, message: str) -> PermanentError | TransientError:
    # libpq gives no SQLSTATE for a refused connection. Its text names host, user and database, no data.
    doing, where = "连接数据仓库", f"{url.host}:{url.port or 5432}"
    if f'database "{url.database}" does not exist' in message:
        return PermanentError(
            doing,
            came=f"{where} 上没有数据库 {url.database}",
            next_step=f"请管理员执行 {_create_database(url)}",
        )
    if any(
        mark in message for mark in ("authentication failed", "no pg_hba.conf entry", "permission denied")
    ):
        return PermanentError(
            doing,
            came=f"{where} 拒绝用户 {url.username} 连接数据库 {url.database}",
            next_step="核对 YIHU_WAREHOUSE_URL 的用户和密码，以及服务器的 pg_hba.conf",
        )
    if "invalid connection option" in message or "invalid sslmode value" in message:
        return PermanentError(
            doing, came="地址中的连接选项无效", next_step="核对 YIHU_WAREHOUSE_URL 中 ? 之后的部分"
        )
    return TransientError(doing, came=f"{where} 没有应答", next_step="确认服务器已启动、地址和端口无误后重试")


def _quoted(name: str | None) -> str:
    return Identifier(name or "").as_string()


def _create_database(url: URL) -> str:
    """What an administrator has to run for a database that is missing."""
    return (
        f"create database {_quoted(url.database)} owner {_quoted(url.username)}"
        " encoding 'UTF8' locale 'C.UTF-8' template template0"
    )


def _ensure_database(maintenance: URL, url: URL) -> None:
    with _session(maintenance) as connection:
        if connection.execute("select from pg_database where datname = %s", [url.database]).rowcount:
            return
        try:
            connection.execute(
                SQL("create database {} encoding 'UTF8' template template0").format(
                    Identifier(url.database or "")
                )
            )
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return  # another process made it meanwhile
        except errors.InsufficientPrivilege:
            raise PermanentError(
                "建立数据库",
                came=f"没有数据库 {url.database}，用户 {url.username} 也无权建立",
                next_step=f"请管理员执行 {_create_database(url)}",
            ) from None


def _check_server(url: URL) -> None:
    with _session(url) as connection:
        version = connection.info.server_version
        if version < MINIMUM_VERSION * 10_000:
            raise PermanentError(
                "检查数据仓库",
                came=f"PostgreSQL {version // 10_000}",
                expected=f"PostgreSQL {MINIMUM_VERSION} 或更新",
                next_step="升级服务器，或不设 YIHU_WAREHOUSE_URL 使用内嵌数据库",
            )
        encoding = connection.info.parameter_status("server_encoding")
        # Under locale C Chinese characters are no letters: regular expressions and trigrams miss them silently.
        if encoding != "UTF8" or connection.execute(r"select '户' ~ '\w'").fetchone() != (True,):
            raise PermanentError(
                "检查数据仓库",
                came=f"数据库 {url.database} 的编码是 {encoding}，其区域设置不认识汉字",
                expected="编码 UTF8，区域设置为 C.UTF-8 或其他 UTF-8 区域",
                next_step=f"请管理员重建：{_create_database(url)}",
            )


def _ensure_utc(url: URL) -> None:
    """Make UTC the default of a database's sessions: else Dagster's server-side times are 8 hours off."""
    with _session(url) as connection:
        if connection.info.parameter_status("TimeZone") in ("UTC", "Etc/UTC"):
            return
        statement = f"alter database {_quoted(url.database)} set timezone to 'UTC'"
        try:
            connection.execute(statement.encode())
        except errors.InsufficientPrivilege:
            raise PermanentError(
                "设置数据库时区",
                came=f"数据库 {url.database} 的时区不是 UTC，用户 {url.username} 也无权更改",
                next_step=f"请管理员执行 {statement}",
            ) from None
