"""Deliveries: from the landing folder into the ledger, each whole or not at all.

One file is one row of ``ops.delivery``: loaded, held, refused or duplicate, with a Chinese reason; its rows appear
in the same transaction. One bad file never stops the others. How files are read, rows judged and values protected
is said in the modules called here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from infra.clock import business_today
from infra.errors import PermanentError, TransientError, safe_message
from infra.protection import FieldProtector
from ingest.contract import Contract, load_contracts
from ingest.guards import hold_reason
from ingest.headers import find_header
from ingest.landing import FileBytes, LandedFile, StillChanging, read, scan
from ingest.layout import Layout, choose_tables, missing_columns, source_rows
from ingest.normalise.numbers import with_numbers_hidden
from ingest.raw_tables import ensure_raw_tables
from ingest.readers.files import read_file
from ingest.readers.sheet import Content, UnreadableFile
from ingest.rows import JudgedRows, judge_rows
from ingest.snapshot_dates import SnapshotDate, find_snapshot_date
from ingest.storage import store_rows

_NO_CONTENT_SHA256: Final = hashlib.sha256(b"").hexdigest()
_SAME_LIST_HITS: Final = 3  # columns by which another contract must fit better to be named

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DeliveryOutcome:
    """What became of one file; as its row in ``ops.delivery``."""

    delivery_id: int
    department: str
    list_code: str
    file_name: str
    snapshot_date: date | None
    status: str
    reason_code: str | None
    reason: str | None
    row_count: int
    accepted_count: int
    quarantined_count: int
    warning_count: int


@dataclass(frozen=True)
class _Arrival:
    """A new file after the first look: how it sorts, or why it is refused."""

    file: LandedFile
    sha256: str
    snapshot: SnapshotDate | None
    refusal: UnreadableFile | None = None


@dataclass
class _Entry:
    """A row of the ledger in the making."""

    file: LandedFile
    sha256: str
    received_at: datetime
    status: str
    snapshot: SnapshotDate | None = None
    reason_code: str | None = None
    reason: str | None = None
    duplicate_of: int | None = None
    contract_version: str | None = None
    rows: JudgedRows = field(default_factory=lambda: JudgedRows([], []))
    layout: Mapping[str, Any] = field(default_factory=dict)


def ingest_landing(
    engine: Engine,
    protector: FieldProtector,
    landing: Path,
    received_at: datetime,
    *,
    as_of: date | None = None,
    on_progress: OnProgress | None = None,
) -> list[DeliveryOutcome]:
    """Take in everything new under ``<landing>/<department>/<list>/``.

    A file is new when its absolute path, time, size and content are not in the ledger together. Files are loaded by
    snapshot date, then path, so that several months at once load in order. A file that is still growing is left for
    the next time.

    Args:
        engine: The warehouse.
        protector: Encrypts what the contracts protect.
        landing: The landing folder.
        received_at: Aware instant of arrival.
        as_of: Business date of the refresh: what a file named after a month that is not over then speaks of.
        on_progress: Called with (what, done, total) after each file.

    Returns:
        One outcome for each new ledger row, in the order of loading.

    Raises:
        TransientError: The database failed; what was loaded before stays, the rest is taken next time.
        PermanentError: A contract contradicts itself or the tables.
    """
    contracts = load_contracts()
    ensure_raw_tables(engine, contracts)
    files = scan(landing)
    arrivals = []
    for file in files:
        arrival = _first_look(engine, contracts, file, business_today(received_at), as_of)
        if arrival is not None:
            arrivals.append(arrival)
    # A refused file has no snapshot date and disturbs nobody: it goes first.
    arrivals.sort(key=lambda arrival: arrival.snapshot.value if arrival.snapshot else date.min)
    outcomes = []
    for done, arrival in enumerate(arrivals, start=1):
        outcome = _take_in(engine, protector, contracts, arrival, received_at)
        if outcome is not None:
            outcomes.append(outcome)
        if on_progress is not None:
            on_progress("接入来件", done, len(arrivals))
    return outcomes


def release_held(engine: Engine, delivery_id: int, released_by: str) -> None:
    """Release a held delivery: from now on staging reads it.

    Raises:
        PermanentError: There is no such delivery, it is not held, or it lacks a required column (nothing to release).
    """
    with engine.begin() as connection:
        row = connection.execute(
            text("select status, accepted_count from ops.delivery where delivery_id = :id for update"),
            {"id": delivery_id},
        ).first()
        if row is None or row.status != "held":
            raise PermanentError(
                f"放行来件 {delivery_id}",
                came="没有这次来件" if row is None else f"它的状态是 {row.status}",
                expected="状态为 held 的来件",
                next_step="用 yihu delivery list 查看来件及其状态",
            )
        if row.accepted_count == 0:
            raise PermanentError(
                f"放行来件 {delivery_id}",
                came="这次来件没有一行可用的数据",
                expected="至少有一行已接收的数据",
                next_step="请报送单位按回执改正后重新报送",
            )
        connection.execute(
            text(
                "update ops.delivery set status = 'loaded', released_by = :released_by, released_at = now() "
                "where delivery_id = :id"
            ),
            {"id": delivery_id, "released_by": released_by},
        )


def _first_look(
    engine: Engine,
    contracts: Mapping[str, Contract],
    file: LandedFile,
    arrival_day: date,
    as_of: date | None,
) -> _Arrival | None:
    """Whether a file is new, and when it speaks of; None when it is known or still changing."""
    try:
        content = read(file)
    except StillChanging:
        return None
    except UnreadableFile as refusal:
        if _is_known(engine, file, _NO_CONTENT_SHA256):
            return None
        return _Arrival(file, _NO_CONTENT_SHA256, None, refusal)
    if _is_known(engine, file, content.sha256):
        return None
    try:
        contract = _contract_of(file, contracts)
        layout = _lay_out(contracts, contract, read_file(content.content, file.file_name))
    except UnreadableFile as refusal:
        return _Arrival(file, content.sha256, None, refusal)
    except PermanentError:
        raise  # a contract is wrong, not this file
    except Exception as error:  # noqa: BLE001 - one bad file never stops the others; it is refused, told and mailed
        return _Arrival(file, content.sha256, None, _beyond_us(error))
    snapshot = find_snapshot_date(layout.tables, file.file_name, arrival_day, as_of)
    return _Arrival(file, content.sha256, snapshot)


def _beyond_us(error: Exception) -> UnreadableFile:
    """Refusal of a file on which the program itself fails."""
    return UnreadableFile(
        "program_fault",
        f"程序读不了这个文件（{type(error).__name__}）。请数据人员把文件交给开发人员；报送单位可先另存为 xlsx 或 CSV UTF-8 重新报送。",
    )


def _is_known(engine: Engine, file: LandedFile, sha256: str) -> bool:
    with engine.connect() as connection:
        return bool(
            connection.scalar(
                text(
                    "select exists (select from ops.delivery where source_path = :path and file_modified_ns = :modified "
                    "and file_size = :size and content_sha256 = :sha256)"
                ),
                {"path": file.source_path, "modified": file.modified_ns, "size": file.size, "sha256": sha256},
            )
        )


def _contract_of(file: LandedFile, contracts: Mapping[str, Contract]) -> Contract:
    contract = contracts.get(file.list_code)
    if contract is None:
        known = "、".join(f"{code.department}/{code.list_code}" for code in contracts.values())
        raise UnreadableFile("unknown_list", f"没有这种清单。请放入以下文件夹之一：{known}。")
    if contract.department != file.department:
        raise UnreadableFile(
            "wrong_department",
            f"《{contract.title}》应放在 {contract.department}/{contract.list_code} 文件夹，不是 {file.department}。",
        )
    return contract


def _lay_out(contracts: Mapping[str, Contract], contract: Contract, content: Content) -> Layout:
    """The tables of the list in a file; refused when another list fits the header clearly better."""
    try:
        layout = choose_tables(content, contract)
        hits = max(header.match.hits for _, header in layout.tables)
        is_complete = not missing_columns(layout.tables[0][1], contract)
    except UnreadableFile:
        layout, hits, is_complete = None, 0, False
        if not any(sheet.rows for sheet in content.sheets):
            raise UnreadableFile("empty_file", "文件里没有内容。请检查后重新报送。") from None
    other = _better_list(contracts, contract, content, hits, is_complete=is_complete)
    if other is not None:
        raise UnreadableFile(
            "wrong_list",
            f"内容是《{other.title}》，不是《{contract.title}》。请放入 {other.department}/{other.list_code} 文件夹。",
        )
    if layout is None:
        raise UnreadableFile(
            "no_header", f"找不到《{contract.title}》的表头（前 15 行内）。请按填报模板的表头报送。"
        )
    doubled = [
        column
        for _, header in layout.tables
        for name in header.match.doubled
        if (column := contract.column(name)) is not None and column.is_required
    ]
    if doubled:
        raise UnreadableFile(
            "doubled_header", f"表头“{doubled[0].header}”出现了两次，分不清用哪一栏。请删去或改名后重新报送。"
        )
    return layout


def _better_list(
    contracts: Mapping[str, Contract], contract: Contract, content: Content, hits: int, *, is_complete: bool
) -> Contract | None:
    best: Contract | None = None
    best_hits = hits
    for other in contracts.values():
        if other is contract:
            continue
        for sheet in content.sheets:
            header = find_header(sheet.rows, other)
            if header and not missing_columns(header, other) and header.match.hits > best_hits:
                best, best_hits = other, header.match.hits
    # A list that has all it needs is only somebody else's when that one fits much better.
    margin = _SAME_LIST_HITS if is_complete else 1
    return best if best_hits - hits >= margin else None


def _take_in(
    engine: Engine,
    protector: FieldProtector,
    contracts: Mapping[str, Contract],
    arrival: _Arrival,
    received_at: datetime,
) -> DeliveryOutcome | None:
    """Write one delivery in one transaction; None when the file changed since the first look."""
    entry = _Entry(arrival.file, arrival.sha256, received_at, "refused", arrival.snapshot)
    contract = contracts.get(arrival.file.list_code)
    if contract is not None:
        entry.contract_version = contract.version
    content: FileBytes | None = None
    if arrival.refusal is not None:
        entry.reason_code, entry.reason = arrival.refusal.code, arrival.refusal.reason
    else:
        try:
            content = read(arrival.file)
        except (StillChanging, UnreadableFile):
            return None
        if content.sha256 != arrival.sha256:
            return None
    try:
        with engine.begin() as connection:
            # One delivery of a list at a time: the guards compare with what is loaded.
            connection.execute(
                text("select pg_advisory_xact_lock(hashtext(:key))"),
                {"key": f"delivery {arrival.file.list_code}"},
            )
            if content is None or contract is None:
                return _write_entry(connection, entry)
            earlier = connection.scalar(
                text(
                    "select delivery_id from ops.delivery where list_code = :list_code and content_sha256 = :sha256 "
                    # A delivery without one usable row (its header was not known then) may come again.
                    "and status in ('loaded', 'held') and accepted_count > 0"
                ),
                {"list_code": entry.file.list_code, "sha256": entry.sha256},
            )
            if earlier is not None:
                entry.status, entry.duplicate_of = "duplicate", earlier
                entry.reason_code, entry.reason = (
                    "same_content",
                    f"内容与来件 {earlier} 完全相同，不再重复登记。",
                )
                return _write_entry(connection, entry)
            try:
                _judge(connection, contracts, contract, content, entry)
            except (PermanentError, DBAPIError, psycopg.Error):
                raise
            except Exception as error:  # noqa: BLE001 - as at the first look
                refusal = _beyond_us(error)
                entry.status, entry.rows = "refused", JudgedRows([], [])
                entry.reason_code, entry.reason = refusal.code, refusal.reason
            outcome = _write_entry(connection, entry)
            if entry.status in ("loaded", "held"):
                store_rows(connection, protector, contract, outcome.delivery_id, entry.sha256, entry.rows)
            return outcome
    except (DBAPIError, psycopg.Error) as error:
        # Driver messages carry row values; only what is safe goes on, and nothing is chained to it.
        raise TransientError(
            f"登记来件（{arrival.file.department}/{arrival.file.list_code}）",
            came=safe_message(error),
            next_step="确认数据库正常后重新运行；未登记的来件会再次读取",
        ) from None


def _judge(
    connection: Connection,
    contracts: Mapping[str, Contract],
    contract: Contract,
    content: FileBytes,
    entry: _Entry,
) -> None:
    """Fill in the entry: rows, status and reason."""
    read_content = read_file(content.content, entry.file.file_name)
    layout = _lay_out(contracts, contract, read_content)
    missing = sorted({name for _, header in layout.tables for name in missing_columns(header, contract)})
    arrival_day = business_today(entry.received_at)
    rows = judge_rows(source_rows(layout, contract), contract, arrival_day, missing)
    entry.layout = _describe(layout, read_content, contract, rows)
    if not rows.accepted and len(rows.quarantined) == rows.footer_count:
        entry.reason_code = "no_rows"
        entry.reason = "只有表头，没有数据行。若确无对象，请联系数据人员；不会当作全部退出处理。"
        return
    entry.rows = rows
    snapshot_date = entry.snapshot.value if entry.snapshot else arrival_day
    hold = hold_reason(connection, contract, rows, snapshot_date, missing)
    entry.status = "held" if hold else "loaded"
    if hold:
        entry.reason_code, entry.reason = hold.code, hold.reason


def _describe(layout: Layout, content: Content, contract: Contract, rows: JudgedRows) -> dict[str, Any]:
    """How the delivery was laid out, for data staff and receipts; headers only, no values."""
    tables = []
    for sheet, header in layout.tables:
        columns = {column.name: column for column in contract.columns}
        headers = {name: with_numbers_hidden(written) for name, written in header.match.headers.items()}
        tables.append(
            {
                "sheet": sheet.title,
                "header_row": sheet.rows[header.first].number,
                "columns": headers,
                "unknown": [
                    text
                    for text in header.match.unknown
                    if len(text) <= 20 and not any(c.isdigit() for c in text)
                ],
                "renamed": {
                    columns[name].header: written
                    for name, written in headers.items()
                    if written != columns[name].header
                },
            }
        )
    return {
        "read_as": content.how,
        "tables": tables,
        "notes": layout.notes,
        "footer_count": rows.footer_count,
    }


def _write_entry(connection: Connection, entry: _Entry) -> DeliveryOutcome:
    accepted, quarantined = len(entry.rows.accepted), len(entry.rows.quarantined)
    values = {
        "department": entry.file.department,
        "list_code": entry.file.list_code,
        "file_name": entry.file.file_name,
        "source_path": entry.file.source_path,
        "file_modified_ns": entry.file.modified_ns,
        "file_size": entry.file.size,
        "content_sha256": entry.sha256,
        "snapshot_date": entry.snapshot.value if entry.snapshot else None,
        "snapshot_date_source": entry.snapshot.source if entry.snapshot else None,
        "received_at": entry.received_at,
        "status": entry.status,
        "reason_code": entry.reason_code,
        "reason": entry.reason,
        "row_count": accepted + quarantined,
        "accepted_count": accepted,
        "quarantined_count": quarantined,
        "warning_count": entry.rows.warning_count,
        "duplicate_of": entry.duplicate_of,
        "contract_version": entry.contract_version,
        "layout": json.dumps(entry.layout, ensure_ascii=False),
    }
    names = ", ".join(values)
    places = ", ".join("cast(:layout as jsonb)" if name == "layout" else f":{name}" for name in values)
    delivery_id: int = connection.execute(
        text(f"insert into ops.delivery ({names}) values ({places}) returning delivery_id"), values
    ).scalar_one()
    return DeliveryOutcome(
        delivery_id=delivery_id,
        department=entry.file.department,
        list_code=entry.file.list_code,
        file_name=entry.file.file_name,
        snapshot_date=entry.snapshot.value if entry.snapshot else None,
        status=entry.status,
        reason_code=entry.reason_code,
        reason=entry.reason,
        row_count=accepted + quarantined,
        accepted_count=accepted,
        quarantined_count=quarantined,
        warning_count=entry.rows.warning_count,
    )
