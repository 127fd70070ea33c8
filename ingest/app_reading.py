"""Reading the visit app's database: read-only, one snapshot a list, by pages of the key, never waiting without end.

Any database SQLAlchemy speaks; what is said to PostgreSQL, MySQL and MariaDB alone stands in ``_OPENING``. Not here: what
is done with the rows (``app_source``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.types import datetime as psycopg_times
from psycopg.types.string import TextLoader
from sqlalchemy import (
    ARRAY,
    JSON,
    URL,
    Boolean,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    NullPool,
    Numeric,
    String,
    and_,
    case,
    column,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.types import TypeEngine

from infra.errors import PermanentError, TransientError, safe_message
from ingest.app_cells import as_cell, json_cell
from ingest.app_mapping import AppList
from ingest.readers.sheet import Cell, UnreadableFile

CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 60

# What a connection is opened with, by dialect. A half-open one is given up after about 30 s.
_CONNECT_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "postgresql": {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
        "application_name": "yihu",
    },
    "mysql": {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": STATEMENT_SECONDS + 10,
        "charset": "utf8mb4",
    },
}
# First statements of a transaction: MySQL shows TIMESTAMP in the session's zone, so it is fixed to the register's.
_OPENING: Final[dict[str, tuple[str, ...]]] = {
    "postgresql": (
        "set transaction read only",
        f"set local statement_timeout = '{STATEMENT_SECONDS}s'",
        "set local lock_timeout = '10s'",
    ),
    "mysql": (
        "set session transaction read only",
        f"set session max_execution_time = {STATEMENT_SECONDS * 1000}",
        "set session lock_wait_timeout = 10",
        "set session time_zone = '+08:00'",
    ),
    "mariadb": (
        "set session transaction read only",
        f"set session max_statement_time = {STATEMENT_SECONDS}",
        "set session lock_wait_timeout = 10",
        "set session time_zone = '+08:00'",
    ),
}
_SNAPSHOT_DIALECTS: Final = ("postgresql", "mysql", "mariadb")
# Types by what a change between them would mean for the values, not by their exact width.
_FAMILIES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (ARRAY, "数组"), (JSON, "JSON"), (Boolean, "是否"), (Integer, "整数"), (Numeric, "小数"), (Float, "小数"), (LargeBinary, "二进制"), (Date, "日期"),
    (String, "文字"),
)  # fmt: skip
# What drivers say of a connection that does not come about, and what it means.
_SIGNS: Final = (
    ("password authentication", "账号或密码不对"),
    ("access denied", "账号或密码不对"),
    ("does not exist", "没有这个数据库或账号"),
    ("unknown database", "没有这个数据库"),
    ("resolve", "查不到这个主机名"),
    ("translate host", "查不到这个主机名"),
    ("refused", "主机上没有数据库应答"),
    ("timeout", "等不到应答"),
    ("timed out", "等不到应答"),
)
_ZONED, _NAIVE = "带时区的时间", "不带时区的时间"


class AppUnreachable(TransientError):
    """The app's database did not answer, or stopped answering: nothing was taken.

    Attributes:
        is_down: There was no connection at all; another list would only wait for the same.
    """

    is_down = False


@dataclass(frozen=True)
class Extent:
    """How much a table holds: rows, and the latest change that is not in the future (aware; None: no row has one)."""

    row_count: int
    latest: datetime | None


@dataclass(frozen=True)
class AppRow:
    """One row: the values of its key, the time of its last change as text, and its cells by contract column."""

    key: tuple[Any, ...]
    changed: str
    cells: dict[str, Cell]


class AppDatabase:
    """The app's database. Makes no connection until it is asked.

    Args:
        url: SQLAlchemy URL with the password: a secret, never shown.

    Raises:
        PermanentError: The package that speaks this database is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url: URL = make_url(url)
        dialect = self._url.get_backend_name()
        arguments = _CONNECT_ARGUMENTS.get("mysql" if dialect == "mariadb" else dialect, {})
        try:
            self._engine: Engine = create_engine(
                self._url, hide_parameters=True, poolclass=NullPool, connect_args=dict(arguments)
            )
        except ModuleNotFoundError as error:
            raise PermanentError(
                "连接走访应用的数据库（YIHU_APP_URL）",
                came=f"没有安装 {error.name}",
                expected=f"{self._url.drivername} 所需的 Python 包",
                next_step=f"在平台的环境中安装 {error.name} 后重试",
            ) from None
        if self._engine.driver == "psycopg":
            event.listen(self._engine, "connect", _tolerate)

    def __repr__(self) -> str:
        return "AppDatabase(…)"

    def path_of(self, app_list: AppList) -> str:
        """Where a list comes from, without login or password."""
        host = f"{self._url.host or ''}{f':{self._url.port}' if self._url.port else ''}"
        return f"app://{host}/{self._url.database or ''}/{app_list.full_name}"

    @contextlib.contextmanager
    def snapshot(self, app_list: AppList) -> Iterator[AppTable]:
        """One list as of one instant, as long as the block lasts.

        Raises:
            AppUnreachable: No connection.
        """
        with _lost(app_list.list_code, is_connecting=True):
            connection = self._engine.connect()
        with contextlib.closing(connection):
            with _lost(app_list.list_code, is_connecting=True):
                dialect = self._engine.dialect.name
                if dialect in _SNAPSHOT_DIALECTS:
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                for statement in _OPENING.get(dialect, ()):
                    connection.execute(text(statement))
            yield AppTable(connection, app_list)


class AppTable:
    """One list's table in one snapshot."""

    def __init__(self, connection: Connection, app_list: AppList) -> None:
        self._connection = connection
        self._list = app_list
        self._table = table(app_list.relation, *map(column, app_list.source_columns), schema=app_list.schema)
        self._is_zoned = True
        self._json: frozenset[str] = frozenset()

    def families(self) -> dict[str, str]:
        """Kind of type of every column that is read; to be asked first.

        Raises:
            UnreadableFile: ``app_schema_changed``: the table or a column is not there, or the watermark is no time.
            AppUnreachable: The database stopped answering.
        """
        try:
            with _lost(self._list.list_code):
                reflected = inspect(self._connection).get_columns(self._list.relation, self._list.schema)
        except NoSuchTableError:
            reflected = []
        if not reflected:
            raise changed_schema([f"没有表或视图 {self._list.full_name}"])
        types = {entry["name"]: entry["type"] for entry in reflected}
        missing = [name for name in self._list.source_columns if name not in types]
        if missing:
            unused = "、".join(name for name in types if name not in self._list.source_columns)
            raise changed_schema(
                [
                    f"{self._list.full_name} 没有栏 {'、'.join(missing)}"
                    + (f"（表中未用的栏：{unused}）" if unused else "")
                ]
            )
        families = {name: _family(types[name]) for name in self._list.source_columns}
        kind = families[self._list.watermark]
        if kind not in (_ZONED, _NAIVE):
            raise changed_schema([f"水位栏 {self._list.watermark} 是{kind}，应为时间"])
        self._is_zoned = kind == _ZONED
        self._json = frozenset(name for name, family in families.items() if family == "JSON")
        return families

    def extent(self, now: datetime) -> Extent:
        """Rows and latest change of the table; one later than `now` (aware) is a wrong clock and moves no watermark."""
        mark = self._mark
        with _lost(self._list.list_code):
            found = self._connection.execute(
                select(
                    func.count().label("row_count"),
                    func.max(case((mark <= self._bound(now), mark))).label("latest"),
                ).select_from(self._table)
            ).one()
        return Extent(found.row_count, self._aware(found.latest))

    def check_keys(self, since: datetime | None) -> None:
        """Rows of the same or of no key cannot be told apart, nor read by pages.

        Raises:
            UnreadableFile: ``app_key_not_unique``.
        """
        keys = [self._table.c[name] for name in self._list.key]
        wanted = self._since(since)
        with _lost(self._list.list_code):
            has_none = self._connection.execute(
                select(1).where(*wanted, or_(*(key.is_(None) for key in keys))).limit(1)
            ).first()
            repeated = self._connection.execute(
                select(func.count()).select_from(self._table).where(*wanted).group_by(*keys)
                .having(func.count() > 1).limit(1)
            ).first()  # fmt: skip
        if has_none or repeated:
            what = "有空的" if has_none else "有重复的"
            raise UnreadableFile(
                "app_key_not_unique",
                f"{self._list.full_name} 的主键 {'、'.join(self._list.key)} {what}，分不清各行。整份清单没有取。"
                "请应用方改正，或由管理员在对照表中改写 key。",
            )

    def rows(self, since: datetime | None) -> Iterator[AppRow]:
        """Rows changed since then (None: all), and those that do not say when; in the order of their keys."""
        names = self._list.source_columns
        keys = [self._table.c[name] for name in self._list.key]
        statement = select(*(self._table.c[name] for name in names)).where(*self._since(since))
        statement = statement.order_by(*keys).limit(self._list.page_rows)
        last: tuple[Any, ...] | None = None
        while True:
            with _lost(self._list.list_code):
                page = self._connection.execute(
                    statement if last is None else statement.where(_after(keys, last))
                ).all()
            for values in page:
                row = dict(zip(names, values, strict=True))
                last = tuple(row[name] for name in self._list.key)
                cells = {name: self._cell(source, row[source]) for name, source in self._list.columns.items()}
                yield AppRow(last, str(row[self._list.watermark]), cells)
            if len(page) < self._list.page_rows:
                return

    @property
    def _mark(self) -> ColumnElement[Any]:
        return self._table.c[self._list.watermark]

    def _cell(self, source: str, value: Any) -> Cell:
        if source in self._json and isinstance(value, str):
            return json_cell(value)
        return as_cell(value, self._list.zone)

    def _since(self, since: datetime | None) -> list[ColumnElement[bool]]:
        return [] if since is None else [or_(self._mark >= self._bound(since), self._mark.is_(None))]

    def _bound(self, instant: datetime) -> datetime:
        return instant if self._is_zoned else instant.astimezone(self._list.zone).replace(tzinfo=None)

    def _aware(self, latest: Any) -> datetime | None:
        if not isinstance(latest, datetime):
            return None  # nothing but infinity
        aware = latest if latest.tzinfo is not None else latest.replace(tzinfo=self._list.zone)
        return aware.astimezone(UTC)


def changed_schema(what: list[str]) -> UnreadableFile:
    """The refusal of a list whose table is not what it was."""
    return UnreadableFile(
        "app_schema_changed",
        f"走访应用的表变了：{'；'.join(what)}。整份清单没有取，已取的照常有效。请应用方恢复，或由管理员改正对照表（YIHU_APP_SOURCES）。",
    )


def retyped(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Columns whose kind of type is not what it was, in Chinese."""
    return [
        f"栏 {name} 原来是{before[name]}，现在是{family}"
        for name, family in now.items()
        if before.get(name, family) != family
    ]


def _after(keys: list[Any], last: tuple[Any, ...]) -> ColumnElement[bool]:
    """Keys behind the last one; spelt out, because not every database compares tuples by an index."""
    return or_(
        *(
            and_(
                *(keys[before] == last[before] for before in range(position)), keys[position] > last[position]
            )
            for position in range(len(keys))
        )
    )


def _family(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, DateTime):
        return _ZONED if kind.timezone else _NAIVE
    return next(
        (name for parent, name in _FAMILIES if isinstance(kind, parent)), str(type(kind).__name__).lower()
    )


@contextlib.contextmanager
def _lost(list_code: str, *, is_connecting: bool = False) -> Iterator[None]:
    """Turn what a driver raises into one error without values; a table that is not there passes."""
    try:
        yield
        return
    except NoSuchTableError:
        raise
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        came = safe_message(error)
        if is_connecting:
            said = str(error).lower()  # of the server, the login and the network; no rows were asked for yet
            came = next((f"{words}（{came}）" for sign, words in _SIGNS if sign in said), came)
    lost = AppUnreachable(
        "连接走访应用的数据库" if is_connecting else f"从走访应用读取 {list_code}",
        came=came,
        expected="数据库可达，登录账号可以只读这些表",
        next_step="确认应用的数据库正常；恢复后会自动从上次的水位接着取",
    )
    lost.is_down = is_connecting
    raise lost


def _tolerate(connection: Any, _record: Any) -> None:
    """Values Python has no type for (infinity, years before Christ) and JSON of any depth come as text."""
    for name, loader in _TOLERANT.items():
        connection.adapters.register_loader(name, loader)


def _tolerant(base: Any) -> Any:
    class Tolerant(base):
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode("utf-8", "replace")

    return Tolerant


_TOLERANT: Final[dict[str, Any]] = {
    "date": _tolerant(psycopg_times.DateLoader),
    "timestamp": _tolerant(psycopg_times.TimestampLoader),
    "timestamptz": _tolerant(psycopg_times.TimestamptzLoader),
    "interval": _tolerant(psycopg_times.IntervalLoader),
    "json": TextLoader,
    "jsonb": TextLoader,
}
