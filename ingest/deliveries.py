"""Deliveries: from the landing folder into the ledger, each whole or not at all.

One file is one row of ``ops.delivery``: loaded, held, refused or duplicate, with a Chinese reason; its rows appear
in the same transaction. One bad file never stops the others. How files are read, rows judged and values protected
is said in the modules called here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from infra.clock import business_today
from infra.errors import PermanentError, TransientError, safe_message
from infra.protection import FieldProtector
from infra.warehouse import is_to_be_tried_again, persistent
from ingest import ledger
from ingest.batches import RowStream
from ingest.contract import Contract, load_contracts
from ingest.intake import ContentChanged, take_in_rows
from ingest.landing import LandedFile, OpenFile, StillChanging, opened, scan, stated_sha256
from ingest.ledger import DeliveryOutcome, Entry
from ingest.parser_client import Parser, program_fault
from ingest.partitions import lock_list
from ingest.raw_tables import ensure_raw_tables
from ingest.readers.sheet import UnreadableFile
from ingest.sealing_pool import SealingFault, SealingPool
from ingest.snapshot_dates import SnapshotDate

_NO_CONTENT_SHA256: Final = hashlib.sha256(b"").hexdigest()

_TRIES: Final = 3  # of a transaction that the server wants to be tried again (reliability.md F42)

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Arrival:
    """A new file after the first look: how it sorts, or why it is refused."""

    file: LandedFile
    sha256: str
    snapshot: SnapshotDate | None
    refusal: UnreadableFile | None = None
    is_as_stated: bool = False


@dataclass(frozen=True)
class Unlocking:
    """A delivery that waits for its password, and the password; it is used and forgotten."""

    delivery_id: int
    password: str = field(repr=False)
    unlocked_by: str


@dataclass(frozen=True)
class _Intake:
    """What is the same for all files of a run."""

    engine: Engine
    protector: FieldProtector
    contracts: Mapping[str, Contract]
    parser: Parser
    pool: SealingPool


@persistent("接入来件")
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
    outcomes = []
    with Parser(contracts) as parser, SealingPool(protector) as pool:
        intake = _Intake(engine, protector, contracts, parser, pool)
        looks = (_first_look(intake, file, business_today(received_at), as_of) for file in scan(landing))
        arrivals = [arrival for arrival in looks if arrival is not None]
        # A refused file has no snapshot date and disturbs nobody: it goes first.
        arrivals.sort(key=lambda arrival: arrival.snapshot.value if arrival.snapshot else date.min)
        for done, arrival in enumerate(arrivals, start=1):
            outcome = _take_in(intake, arrival, received_at)
            if outcome is not None:
                outcomes.append(outcome)
            if on_progress is not None:
                on_progress("接入来件", done, len(arrivals))
    return outcomes


@persistent("用密码接入来件")
def take_in_again(
    engine: Engine,
    protector: FieldProtector,
    file: OpenFile,
    received_at: datetime,
    unlocking: Unlocking,
    as_of: date | None = None,
) -> DeliveryOutcome | None:
    """Take a file in with its password, as the delivery that waits for it.

    Args:
        engine: The warehouse.
        protector: Encrypts what the contracts protect.
        file: The file as it lies in the landing folder now, with the same content as when the delivery arrived.
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
    with Parser(contracts) as parser, SealingPool(protector) as pool:
        intake = _Intake(engine, protector, contracts, parser, pool)
        arrival = _sort(parser, file, business_today(received_at), as_of, unlocking.password)
        if arrival.refusal is not None and arrival.refusal.code in ("wrong_password", "needs_password"):
            raise arrival.refusal
        return _take_in(intake, arrival, received_at, unlocking)


def _first_look(intake: _Intake, file: LandedFile, arrival_day: date, as_of: date | None) -> _Arrival | None:
    """Whether a file is new, and when it speaks of; None when it is known or still changing."""
    try:
        with opened(file) as content:
            stated = stated_sha256(file)
            is_as_stated = stated in (None, content.sha256)
            if ledger.is_known(intake.engine, file, content.sha256, is_as_stated=is_as_stated):
                return None
            if not is_as_stated:
                return _Arrival(file, content.sha256, None, _checksum_differs(stated))
            arrival = _sort(intake.parser, content, arrival_day, as_of)
            return replace(arrival, is_as_stated=stated is not None)
    except StillChanging:
        return None
    except UnreadableFile as refusal:
        if ledger.is_known(intake.engine, file, None):
            return None
        return _Arrival(file, _NO_CONTENT_SHA256, None, refusal)


def _checksum_differs(stated: str | None) -> UnreadableFile:
    return UnreadableFile(
        "checksum_differs",
        "文件的内容与旁边 .sha256 文件写的校验值不同，可能在传输中被截断或改动，没有接入。请把文件和校验文件一起重新报送。"
        if stated
        else "旁边的 .sha256 校验文件读不出校验值，无法核对，没有接入。请重新生成校验文件（sha256sum 的格式），或删去它。",
    )


def _sort(
    parser: Parser, file: OpenFile, arrival_day: date, as_of: date | None, password: str | None = None
) -> _Arrival:
    """What a new file speaks of, or why it is not taken."""
    try:
        return _Arrival(file.file, file.sha256, parser.look(file, arrival_day, as_of, password))
    except UnreadableFile as refusal:
        return _Arrival(file.file, file.sha256, None, refusal)


def _take_in(
    intake: _Intake,
    arrival: _Arrival,
    received_at: datetime,
    unlocking: Unlocking | None = None,
    tries: int = _TRIES,
) -> DeliveryOutcome | None:
    """Write one delivery in one transaction; None when the file changed since the first look."""
    try:
        if arrival.refusal is not None:
            return _write(intake, arrival, None, received_at, unlocking)
        with opened(arrival.file) as file:
            if file.sha256 != arrival.sha256:
                return None
            return _write(intake, arrival, file, received_at, unlocking)
    except (StillChanging, UnreadableFile, ContentChanged):
        return None
    except (DBAPIError, psycopg.Error, OSError) as error:
        if tries > 1 and is_to_be_tried_again(error):
            return _take_in(intake, arrival, received_at, unlocking, tries - 1)
        # Driver messages carry row values; only what is safe goes on, and nothing is chained to it.
        raise TransientError(
            f"登记来件（{arrival.file.department}/{arrival.file.list_code}）",
            came=f"文件读写出错（{error.strerror}）" if isinstance(error, OSError) else safe_message(error),
            next_step="确认数据库和磁盘正常后重新运行；未登记的来件会再次读取",
        ) from None


def _write(
    intake: _Intake,
    arrival: _Arrival,
    file: OpenFile | None,
    received_at: datetime,
    unlocking: Unlocking | None,
) -> DeliveryOutcome | None:
    entry = Entry.of_file(arrival.file, arrival.sha256, received_at)
    entry.snapshot = arrival.snapshot
    contract = intake.contracts.get(arrival.file.list_code)
    if contract is not None:
        entry.contract_version = contract.version
    if arrival.refusal is not None:
        entry.reason_code, entry.reason = arrival.refusal.code, arrival.refusal.reason
        if arrival.refusal.code == "needs_password":
            entry.status = "held"
    with intake.engine.begin() as connection:
        # One delivery of a list at a time: the guards compare with what is loaded.
        lock_list(connection, entry.list_code)
        if unlocking is not None:
            if not ledger.is_waiting(connection, unlocking.delivery_id, unlocking.unlocked_by):
                return None
            entry.delivery_id = unlocking.delivery_id
        if contract is None or (file is None and entry.status != "held"):
            return ledger.write(connection, entry)
        earlier = ledger.same_content(connection, entry)
        if earlier is not None:
            entry.status, entry.duplicate_of = "duplicate", earlier
            entry.reason_code, entry.reason = "same_content", f"内容与来件 {earlier} 完全相同，不再重复登记。"
            return ledger.write(connection, entry)
        if file is None:
            return ledger.write(connection, entry)
        return _take_in_file(intake, connection, contract, entry, file, unlocking, arrival.is_as_stated)


def _take_in_file(
    intake: _Intake,
    connection: Connection,
    contract: Contract,
    entry: Entry,
    file: OpenFile,
    unlocking: Unlocking | None,
    is_as_stated: bool,
) -> DeliveryOutcome:
    password = unlocking.password if unlocking else None

    def rows() -> RowStream:
        stream = intake.parser.rows(file, password)
        if is_as_stated:
            stream.layout["read_as"] = {**stream.layout["read_as"], "校验": "与 .sha256 文件一致"}
        return stream

    try:
        with connection.begin_nested():
            outcome = take_in_rows(
                connection,
                intake.protector,
                intake.pool,
                contract,
                entry,
                rows,
            )
            if file.has_changed():
                raise ContentChanged
            return outcome
    except (PermanentError, TransientError, DBAPIError, psycopg.Error, OSError, ContentChanged):
        raise  # none of them is the file's fault
    except SealingFault as error:
        refusal = program_fault(str(error))
    except Exception as error:  # noqa: BLE001 - one bad file never stops the others; it is refused, told and mailed
        refusal = program_fault(type(error).__name__)
    if unlocking is None:
        entry.delivery_id = None  # the row it had is gone with what was undone
    entry.refuse(refusal.code, refusal.reason)
    return ledger.write(connection, entry)
