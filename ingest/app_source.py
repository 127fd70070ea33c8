"""Pulling the lists of the visit app: one pull of a list is one delivery, with its watermark in the same transaction.

Read are the rows changed since the watermark less the look-back; taken are those that are not as they were taken
before. Not here: the mapping (``app_mapping``), the reading (``app_reading``), what stands where (``app_state``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from infra.clock import business_today
from infra.errors import PermanentError, TransientError, safe_message
from infra.protection import FieldProtector
from infra.settings import Settings
from ingest import app_state, ledger
from ingest.app_mapping import AppList, load_app_lists
from ingest.app_reading import AppDatabase, AppRow, AppTable, AppUnreachable, Extent, changed_schema, retyped
from ingest.app_state import Progress
from ingest.batches import BATCH_ROWS, RowStream
from ingest.contract import Contract, load_contracts
from ingest.guards import Hold
from ingest.intake import ContentChanged, take_in_rows
from ingest.layout import SourceRow
from ingest.ledger import DeliveryOutcome, Entry
from ingest.parser_client import program_fault
from ingest.partitions import lock_list
from ingest.raw_tables import ensure_raw_tables
from ingest.readers.sheet import LONGEST_CELL, Cell, UnreadableFile
from ingest.sealing_pool import SealingFault, SealingPool
from ingest.snapshot_dates import SnapshotDate

SHRUNKEN: Final = "app_table_shrunken"


@dataclass(frozen=True)
class ListPull:
    """What became of one list: `outcome` is its delivery, None where there is none; `said` tells it in Chinese."""

    list_code: str
    said: str
    outcome: DeliveryOutcome | None = None
    is_unreachable: bool = False


def pull_app(
    engine: Engine,
    protector: FieldProtector,
    settings: Settings,
    received_at: datetime,
    *,
    only: str | None = None,
    is_whole: bool = False,
) -> list[ListPull]:
    """Take in what is new in the visit app's database, list by list; nothing when no database is set.

    A list that cannot be read leaves everything as it was, for itself alone. Whether the app is reachable is noted in
    ``ops.app_outage``.

    Args:
        engine: The warehouse.
        protector: Encrypts what the contracts protect, and makes the tokens by which rows are known again.
        settings: Where the app's database is, and the mapping.
        received_at: Aware instant of the pull.
        only: One list; all of the mapping when left out.
        is_whole: Read the tables whole instead of from the watermark.

    Raises:
        PermanentError: The mapping is wrong, or has no list `only`.
        TransientError: The warehouse failed; lists pulled before stay.
    """
    if settings.app_url is None:
        return []
    contracts = load_contracts()
    lists = _chosen(load_app_lists(settings.app_sources, contracts), only)
    ensure_raw_tables(engine, contracts)
    database = AppDatabase(settings.app_url.get_secret_value())
    pulls: list[ListPull] = []
    failure: tuple[str | None, str] | None = None
    for app_list in lists:
        pull = _Pull(engine, protector, contracts[app_list.list_code], app_list, database, received_at)
        try:
            pulls.append(pull.run(is_whole=is_whole))
        except AppUnreachable as error:
            failure = failure or (None if error.is_down else app_list.list_code, str(error))
            pulls.append(ListPull(app_list.list_code, str(error), is_unreachable=True))
            if error.is_down:
                break
    if failure is not None:
        app_state.begin_outage(engine, *failure, received_at)
    elif only is None:
        app_state.end_outage(engine, received_at)
    return pulls


def has_news(engine: Engine, settings: Settings, now: datetime) -> bool:
    """Whether a pull would find something, asked with one small query a list; also when the app has come back or gone.

    Raises:
        PermanentError: The mapping is wrong.
    """
    if settings.app_url is None:
        return False
    was_down = app_state.open_outage(engine) is not None
    database = AppDatabase(settings.app_url.get_secret_value())
    try:
        for app_list in load_app_lists(settings.app_sources, load_contracts()):
            with database.snapshot(app_list) as table, engine.connect() as connection:
                try:
                    table.families()
                except UnreadableFile:
                    continue  # told once by a pull; no reason to start one every time
                extent = table.extent(now)
                progress = app_state.progress_of(connection, app_list.list_code)
            if progress is None or (extent.latest, extent.row_count) != (
                progress.watermark,
                progress.row_count,
            ):
                return True
    except AppUnreachable:
        return not was_down
    return was_down


def _chosen(lists: tuple[AppList, ...], only: str | None) -> tuple[AppList, ...]:
    chosen = tuple(entry for entry in lists if only in (None, entry.list_code))
    if not chosen:
        raise PermanentError(
            "从走访应用取数",
            came=f"对照表中没有清单 {only}",
            expected="、".join(entry.list_code for entry in lists),
            next_step="改正清单代码，或在对照表（YIHU_APP_SOURCES）中加上它",
        )
    return chosen


@dataclass
class _Changes:
    """Rows that are new or not as they were taken: their tokens by the token of their key, and the fingerprint of all."""

    tokens: dict[str, str]
    sha256: str


class _Pull:
    """One pull of one list."""

    def __init__(
        self,
        engine: Engine,
        protector: FieldProtector,
        contract: Contract,
        app_list: AppList,
        database: AppDatabase,
        received_at: datetime,
    ) -> None:
        self._engine = engine
        self._protector = protector
        self._contract = contract
        self._list = app_list
        self._database = database
        self._now = received_at
        self._path = database.path_of(app_list)

    def run(self, *, is_whole: bool) -> ListPull:
        """Pull it in one transaction."""
        code = self._list.list_code
        try:
            # The app is asked first: while it does not answer, nobody waits for the list.
            with self._database.snapshot(self._list) as table, self._engine.begin() as connection:
                lock_list(connection, code)
                return self._pull(connection, table, is_whole)
        except ContentChanged:
            return ListPull(code, "读的时候表在变，这次没有取，下次再取")
        except (DBAPIError, psycopg.Error) as error:
            came = safe_message(error)
        # Driver messages carry row values; only what is safe goes on, and nothing is chained to it.
        raise TransientError(
            f"登记走访应用的来件（{code}）",
            came=came,
            next_step="确认数据库正常后重新运行；水位没有动，会再次读取",
        )

    def _pull(self, connection: Connection, table: AppTable, is_whole: bool) -> ListPull:
        progress = app_state.progress_of(connection, self._list.list_code)
        try:
            families = self._families(table, progress)
            extent = table.extent(self._now)
            hold = self._shrunken(progress, extent)
            if hold is not None and progress is not None and progress.held_delivery_id is not None:
                return ListPull(
                    self._list.list_code, f"等待处理：来件 {progress.held_delivery_id} 因源表变少而扣留"
                )
            if hold is not None and not extent.row_count:
                raise UnreadableFile(SHRUNKEN, hold.reason)
            since = None
            if progress is not None and progress.watermark is not None and hold is None and not is_whole:
                since = progress.watermark - self._list.look_back
            if since is not None and app_state.has_refused_rows(connection, self._list.list_code):
                since = None
            table.check_keys(since)
        except UnreadableFile as refusal:
            state = "\n".join([refusal.code, refusal.reason])
            return self._refuse(connection, hashlib.sha256(state.encode()).hexdigest(), refusal)
        changes = self._changes(connection, table, since, is_all=hold is not None)
        watermark = _later(extent.latest, progress.watermark if progress else None)
        if not changes.tokens:
            app_state.advance(connection, self._list, families, watermark, extent.row_count, self._now)
            return ListPull(self._list.list_code, "没有新的行")
        if app_state.was_refused(connection, self._list.list_code, self._path, changes.sha256, self._now):
            return ListPull(self._list.list_code, "与已拒收的来件相同，等应用中改正")
        entry = self._entry(changes.sha256)
        entry.snapshot = self._snapshot(extent.latest if hold else watermark)
        if ledger.same_content(connection, entry) is not None:
            app_state.advance(connection, self._list, families, watermark, extent.row_count, self._now)
            return ListPull(self._list.list_code, "没有新的行")
        outcome = self._take_in(connection, table, entry, since, changes, hold)
        if outcome.status in ("loaded", "held"):
            app_state.remember_rows(
                connection,
                self._list.list_code,
                changes.tokens,
                outcome.delivery_id,
                is_waiting=hold is not None,
            )
            if hold is not None:
                app_state.note_held(connection, self._list, families, extent, outcome.delivery_id)
            else:
                app_state.advance(connection, self._list, families, watermark, extent.row_count, self._now)
        return ListPull(self._list.list_code, _said(outcome), outcome)

    def _families(self, table: AppTable, progress: Progress | None) -> dict[str, str]:
        families = table.families()
        if progress is not None and progress.mapping_hash == self._list.fingerprint:
            changed = retyped(progress.source_columns, families)
            if changed:
                raise changed_schema(
                    [*changed, "类型确实改了的，在对照表中把 schema_confirmed 写成今天的日期"]
                )
        return families

    def _shrunken(self, progress: Progress | None, extent: Extent) -> Hold | None:
        """Why the table cannot be believed: far fewer rows than last time, or an older state (domain.md 1.4, F26)."""
        if progress is None:
            return None
        guards = self._contract.guards
        fall = progress.row_count - extent.row_count
        is_short = (
            fall >= guards.count_change_minimum and fall > progress.row_count * guards.count_change_ratio
        )
        went_back = progress.watermark is not None and (
            extent.latest is None or extent.latest < progress.watermark
        )
        if not is_short and not went_back:
            return None
        what = []
        if is_short:
            what.append(
                f"源表现有 {extent.row_count} 行，上次 {progress.row_count} 行，少了 {fall} 行（上限 {guards.count_change_ratio:.0%}）"
            )
        if went_back:
            what.append("最晚的更新时间比上次早，像是恢复了旧备份或删了最新的行")
        return Hold(
            SHRUNKEN,
            f"走访应用的{'；'.join(what)}。没有人因此被当作迁出。请与应用管理员核对：确是如此的放行（以现在的整张表为准），"
            "应用有误的拒收，恢复后会自动接着取。",
        )

    def _changes(
        self, connection: Connection, table: AppTable, since: datetime | None, *, is_all: bool
    ) -> _Changes:
        """First look at the rows: which of them are to be taken. The database is the same at the second (`_stream`)."""
        tokens: dict[str, str] = {}
        digest = self._digest()
        rows = table.rows(since)
        while page := list(islice(rows, self._list.page_rows)):
            named = [(self._key_token(row), row) for row in page]
            known = (
                {}
                if is_all
                else app_state.known_rows(connection, self._list.list_code, [key for key, _ in named])
            )
            for key, row in named:
                token = self._row_token(row)
                if known.get(key) != token:
                    tokens[key] = token
                    digest.update(f"{token} {row.changed}\n".encode())
        return _Changes(tokens, digest.hexdigest())

    def _take_in(
        self,
        connection: Connection,
        table: AppTable,
        entry: Entry,
        since: datetime | None,
        changes: _Changes,
        hold: Hold | None,
    ) -> DeliveryOutcome:
        try:
            with connection.begin_nested(), SealingPool(self._protector) as pool:
                return take_in_rows(
                    connection, self._protector, pool, self._contract, entry,
                    lambda: self._stream(table, since, changes), hold,
                )  # fmt: skip
        except (PermanentError, TransientError, DBAPIError, psycopg.Error, ContentChanged):
            raise
        except SealingFault as error:
            refusal = program_fault(str(error))
        except Exception as error:  # noqa: BLE001 - one bad list never stops the others; it is refused, told and mailed
            refusal = program_fault(type(error).__name__)
        entry.delivery_id = None  # the row it had is gone with what was undone
        entry.refuse(refusal.code, refusal.reason)
        return ledger.write(connection, entry)

    def _stream(self, table: AppTable, since: datetime | None, changes: _Changes) -> RowStream:
        stream = RowStream(self._layout(), [], iter(()), [])
        stream.batches = self._batches(table, since, changes, stream)
        return stream

    def _batches(
        self, table: AppTable, since: datetime | None, changes: _Changes, stream: RowStream
    ) -> Iterator[list[SourceRow]]:
        digest, number, batch = self._digest(), 0, []
        for row in table.rows(since):
            token = self._row_token(row)
            if changes.tokens.get(self._key_token(row)) != token:
                continue
            number += 1
            digest.update(f"{token} {row.changed}\n".encode())
            batch.append(self._source_row(number, row.cells))
            if len(batch) >= BATCH_ROWS:
                yield batch
                batch = []
        if batch:
            yield batch
        stream.sha256 = digest.hexdigest()

    def _source_row(self, number: int, cells: Mapping[str, Cell]) -> SourceRow:
        filled: dict[str, Cell] = {
            name: cell for name, cell in cells.items() if cell is not None and cell != ""
        }
        headers = {column.name: column.header for column in self._contract.columns}
        too_long = next(
            (name for name, cell in filled.items() if isinstance(cell, str) and len(cell) > LONGEST_CELL),
            None,
        )
        return SourceRow(
            "", number, filled, {headers[name]: cell for name, cell in filled.items()}, {},
            fault="cell_too_long" if too_long else None, fault_column=too_long,
        )  # fmt: skip

    def _layout(self) -> dict[str, object]:
        return {"read_as": {"来源": "走访应用的数据库", "表": self._list.full_name}, "tables": []}

    def _digest(self) -> hashlib._Hash:
        return hashlib.sha256(f"app:{self._list.list_code}\n".encode())

    def _key_token(self, row: AppRow) -> str:
        return self._protector.token("app_key", _canonical([self._list.list_code, *map(str, row.key)]))

    def _row_token(self, row: AppRow) -> str:
        return self._protector.token("app_row", _canonical([self._list.list_code, row.cells]))

    def _entry(self, sha256: str) -> Entry:
        return Entry(
            self._contract.department, self._list.list_code, f"app:{self._list.list_code}", self._path, sha256, self._now,
            contract_version=self._contract.version,
        )  # fmt: skip

    def _snapshot(self, latest: datetime | None) -> SnapshotDate:
        """The day of the watermark: what is pulled is the state of the app up to it."""
        arrival = business_today(self._now)
        if latest is None:
            return SnapshotDate(arrival, "arrival")
        return SnapshotDate(min(business_today(latest), arrival), "watermark")

    def _refuse(self, connection: Connection, sha256: str, refusal: UnreadableFile) -> ListPull:
        if app_state.was_refused(connection, self._list.list_code, self._path, sha256, self._now):
            return ListPull(self._list.list_code, refusal.reason)
        entry = self._entry(sha256)
        entry.refuse(refusal.code, refusal.reason)
        outcome = ledger.write(connection, entry)
        return ListPull(self._list.list_code, refusal.reason, outcome)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _canonical(values: object) -> str:
    return json.dumps(values, ensure_ascii=True, sort_keys=True, default=_as_text)


def _as_text(value: object) -> str:
    return f"{type(value).__name__} {value.isoformat()}" if isinstance(value, date) else str(value)


def _said(outcome: DeliveryOutcome) -> str:
    status = {"loaded": "接收", "held": "扣留", "refused": "拒收"}[outcome.status]
    counts = f"行 {outcome.row_count} = 接收 {outcome.accepted_count} + 隔离 {outcome.quarantined_count}"
    return f"来件 {outcome.delivery_id} {status}：{counts}。{outcome.reason or ''}"
