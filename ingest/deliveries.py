"""Deliveries: from the landing folder into the ledger, each whole or not at all.

One file is one row of ``ops.delivery``: loaded, held, refused or duplicate, with a Chinese reason; its rows appear
in the same transaction. One bad file never stops the others. How files are read, rows judged and values protected
is said in the modules called here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from infra.clock import business_today
from infra.errors import PermanentError, TransientError, safe_message
from infra.protection import FieldProtector
from ingest.addresses.entries import load_gazetteer
from ingest.addresses.gazetteer import EMPTY, Gazetteer
from ingest.contract import Contract, load_contracts
from ingest.delivery_checks import after_load
from ingest.guards import DeliveryCounts, hold_reason
from ingest.landing import FileBytes, LandedFile, StillChanging, read, scan
from ingest.layout import Layout, missing_columns, source_rows
from ingest.loading import settle_loaded
from ingest.normalise.numbers import with_numbers_hidden
from ingest.placing import contract_of, lay_out
from ingest.raw_tables import ensure_raw_tables
from ingest.readers.files import read_file
from ingest.readers.sheet import Content, UnreadableFile
from ingest.rows import JudgedRows, judge_rows
from ingest.snapshot_dates import SnapshotDate, find_snapshot_date
from ingest.storage import store_rows

_NO_CONTENT_SHA256: Final = hashlib.sha256(b"").hexdigest()

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
    unlocking: Unlocking | None = None


@dataclass(frozen=True)
class Unlocking:
    """A delivery that waits for its password, and the password; it is used and forgotten."""

    delivery_id: int
    password: str = field(repr=False)
    unlocked_by: str


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
    gazetteer: Gazetteer = EMPTY
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
    """Take in everything new under ``<landing>/<department>/<list>/``; refuse what is new elsewhere in the folder.

    A file is new when its absolute path, time, size and content are not in the ledger together, and when it could not
    be opened before and can be now. Files are loaded by
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
        PermanentError: A contract contradicts itself or the tables, or the landing folder cannot be opened.
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


def take_in_again(
    engine: Engine,
    protector: FieldProtector,
    file: LandedFile,
    content: FileBytes,
    received_at: datetime,
    unlocking: Unlocking,
    as_of: date | None = None,
) -> DeliveryOutcome | None:
    """Take a file in with its password, as the delivery that waits for it.

    Args:
        engine: The warehouse.
        protector: Encrypts what the contracts protect.
        file: The file as it lies in the landing folder now.
        content: Its bytes, the same as when the delivery arrived.
        received_at: When the delivery arrived.
        unlocking: Which delivery, the password, and who gave it.
        as_of: Business date: what a file named after a month that is not over then speaks of.

    Returns:
        What became of the delivery; None when the file changed meanwhile, or nobody waits for a password any more.

    Raises:
        UnreadableFile: ``wrong_password`` or ``needs_password``: the delivery goes on waiting.
        TransientError: The database failed; the delivery goes on waiting.
    """
    contracts = load_contracts()
    ensure_raw_tables(engine, contracts)
    arrival = _sort(contracts, file, content, business_today(received_at), as_of, unlocking)
    if arrival.refusal is not None and arrival.refusal.code in ("wrong_password", "needs_password"):
        raise arrival.refusal
    return _take_in(engine, protector, contracts, arrival, received_at)


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
        if _is_known(engine, file, None):
            return None
        return _Arrival(file, _NO_CONTENT_SHA256, None, refusal)
    if _is_known(engine, file, content.sha256):
        return None
    return _sort(contracts, file, content, arrival_day, as_of)


def _sort(
    contracts: Mapping[str, Contract],
    file: LandedFile,
    content: FileBytes,
    arrival_day: date,
    as_of: date | None,
    unlocking: Unlocking | None = None,
) -> _Arrival:
    """What a new file speaks of, or why it is not taken."""
    password = unlocking.password if unlocking else None
    try:
        contract = contract_of(contracts, file, content.content)
        layout = lay_out(contracts, contract, read_file(content.content, file.file_name, password))
    except UnreadableFile as refusal:
        return _Arrival(file, content.sha256, None, refusal, unlocking)
    except PermanentError:
        raise  # a contract is wrong, not this file
    except Exception as error:  # noqa: BLE001 - one bad file never stops the others; it is refused, told and mailed
        return _Arrival(file, content.sha256, None, _beyond_us(error), unlocking)
    snapshot = find_snapshot_date(layout.tables, file.file_name, arrival_day, as_of, file.sub_folder)
    return _Arrival(file, content.sha256, snapshot, unlocking=unlocking)


def _beyond_us(error: Exception) -> UnreadableFile:
    """Refusal of a file on which the program itself fails."""
    return UnreadableFile(
        "program_fault",
        f"程序读不了这个文件（{type(error).__name__}）。请数据人员把文件交给开发人员；报送单位可先另存为 xlsx 或 CSV UTF-8 重新报送。",
    )


def _is_known(engine: Engine, file: LandedFile, sha256: str | None) -> bool:
    """Whether the ledger has this file with this content, or, when it cannot be read (None), with any.

    A row that says the file could not be opened knows nothing of its content.
    """
    with engine.connect() as connection:
        return bool(
            connection.scalar(
                text(
                    "select exists (select from ops.delivery where source_path = :path and file_modified_ns = :modified "
                    "and file_size = :size and (cast(:sha256 as text) is null "
                    "or (content_sha256 = :sha256 and reason_code is distinct from 'not_permitted')))"
                ),
                {"path": file.source_path, "modified": file.modified_ns, "size": file.size, "sha256": sha256},
            )
        )


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
        if arrival.refusal.code == "needs_password":
            entry.status = "held"
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
            if arrival.unlocking is not None and not _is_waiting(connection, arrival.unlocking):
                return None
            if contract is None or (content is None and entry.status != "held"):
                return _write_entry(connection, entry, arrival.unlocking)
            earlier = connection.scalar(
                text(
                    "select delivery_id from ops.delivery where list_code = :list_code and content_sha256 = :sha256 "
                    # A delivery without one usable row (its header was not known then) may come again, but not one
                    # that waits for its password.
                    "and status in ('loaded', 'held') and (accepted_count > 0 or reason_code = 'needs_password') "
                    "and delivery_id is distinct from :own order by delivery_id limit 1"
                ),
                {
                    "list_code": entry.file.list_code,
                    "sha256": entry.sha256,
                    "own": arrival.unlocking.delivery_id if arrival.unlocking else None,
                },
            )
            if earlier is not None:
                entry.status, entry.duplicate_of = "duplicate", earlier
                entry.reason_code, entry.reason = (
                    "same_content",
                    f"内容与来件 {earlier} 完全相同，不再重复登记。",
                )
                return _write_entry(connection, entry, arrival.unlocking)
            if content is None:
                return _write_entry(connection, entry)
            try:
                _judge(connection, contracts, contract, content, entry, arrival.unlocking)
            except (PermanentError, DBAPIError, psycopg.Error):
                raise
            except Exception as error:  # noqa: BLE001 - as at the first look
                refusal = _beyond_us(error)
                entry.status, entry.rows = "refused", JudgedRows([], [])
                entry.reason_code, entry.reason = refusal.code, refusal.reason
            outcome = _write_entry(connection, entry, arrival.unlocking)
            if entry.status in ("loaded", "held"):
                store_rows(connection, protector, contract, outcome.delivery_id, entry.sha256, entry.rows)
                added = after_load(connection, contract, outcome.delivery_id)
                outcome = replace(outcome, warning_count=outcome.warning_count + added)
            if entry.status == "loaded":
                waiting = settle_loaded(connection, contract, outcome.delivery_id)
                if waiting is not None:
                    outcome = replace(outcome, reason_code=waiting.code, reason=waiting.reason)
            return outcome
    except (DBAPIError, psycopg.Error) as error:
        # Driver messages carry row values; only what is safe goes on, and nothing is chained to it.
        raise TransientError(
            f"登记来件（{arrival.file.department}/{arrival.file.list_code}）",
            came=safe_message(error),
            next_step="确认数据库正常后重新运行；未登记的来件会再次读取",
        ) from None


def _is_waiting(connection: Connection, unlocking: Unlocking) -> bool:
    """Whether the delivery still waits for its password; it is locked, and who gave the password is noted."""
    found = connection.scalar(
        text(
            "select delivery_id from ops.delivery where delivery_id = :id and status = 'held' "
            "and reason_code = 'needs_password' for update"
        ),
        {"id": unlocking.delivery_id},
    )
    if found is None:
        return False
    connection.execute(
        text(
            "insert into ops.delivery_decision (delivery_id, decision, decided_by) values (:id, 'unlock', :by)"
        ),
        {"id": unlocking.delivery_id, "by": unlocking.unlocked_by},
    )
    return True


def _judge(
    connection: Connection,
    contracts: Mapping[str, Contract],
    contract: Contract,
    content: FileBytes,
    entry: _Entry,
    unlocking: Unlocking | None,
) -> None:
    """Fill in the entry: rows, status and reason."""
    password = unlocking.password if unlocking else None
    read_content = read_file(content.content, entry.file.file_name, password)
    layout = lay_out(contracts, contract, read_content)
    missing = sorted({name for _, header in layout.tables for name in missing_columns(header, contract)})
    arrival_day = business_today(entry.received_at)
    snapshot_date = entry.snapshot.value if entry.snapshot else arrival_day
    entry.gazetteer = load_gazetteer(connection)
    rows = judge_rows(
        source_rows(layout, contract),
        contract,
        arrival_day,
        missing,
        snapshot_date,
        gazetteer=entry.gazetteer,
    )
    entry.layout = _describe(layout, read_content, contract, rows)
    if not rows.accepted and len(rows.quarantined) == rows.footer_count:
        entry.reason_code = "no_rows"
        entry.reason = "只有表头，没有数据行。若确无对象，请联系数据人员；不会当作全部退出处理。"
        return
    entry.rows = rows
    hold = hold_reason(connection, contract, _counts(contract, rows), snapshot_date, missing)
    entry.status = "held" if hold else "loaded"
    if hold:
        entry.reason_code, entry.reason = hold.code, hold.reason


def _counts(contract: Contract, rows: JudgedRows) -> DeliveryCounts:
    has_communities = contract.column("community_name") is not None
    return DeliveryCounts(
        accepted=len(rows.accepted),
        quarantined=len(rows.quarantined),
        footers=rows.footer_count,
        communities=Counter(row.values["community_name"] for row in rows.accepted) if has_communities else {},
    )


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
        "notes": [*layout.notes, *rows.notes],
        "footer_count": rows.footer_count,
    }


def _write_entry(
    connection: Connection, entry: _Entry, unlocking: Unlocking | None = None
) -> DeliveryOutcome:
    """Insert the ledger row, or write over the one that waited for a password."""
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
        "gazetteer_version": entry.gazetteer.version,
        "layout": json.dumps(entry.layout, ensure_ascii=False),
    }
    names = ", ".join(values)
    places = ", ".join("cast(:layout as jsonb)" if name == "layout" else f":{name}" for name in values)
    if unlocking is None:
        statement = f"insert into ops.delivery ({names}) values ({places}) returning delivery_id"
    else:
        statement = (
            f"update ops.delivery set ({names}) = row({places}) where delivery_id = :id returning delivery_id"
        )
        values["id"] = unlocking.delivery_id
    delivery_id: int = connection.execute(text(statement), values).scalar_one()
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
