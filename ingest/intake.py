"""One delivery of readable rows, from wherever they come, into the database: judged, sealed, stored, guarded.

The rows may be a file's or those of a table that was pulled; they come once, in batches, and are not kept. Inside the
caller's transaction: whole or not at all. Not here: files (``deliveries``), what a person decides (``holds``).
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from infra.clock import business_today
from infra.protection import FieldProtector
from ingest import ledger
from ingest.addresses.entries import load_gazetteer
from ingest.batch_sealing import Delivery
from ingest.batches import Batch, RowStream, Table, unpacked
from ingest.contract import Contract
from ingest.delivery_checks import SheetTotals, after_load
from ingest.guards import DeliveryCounts, hold_reason
from ingest.ledger import DeliveryOutcome, Entry
from ingest.loading import settle_loaded
from ingest.readers.sheet import UnreadableFile
from ingest.rows import ROUNDED_IDS_ENOUGH
from ingest.sealing import RecordIds, RowSealer
from ingest.sealing_pool import SealingPool
from ingest.storage import StoredRows, store_rows
from ingest.values import CellReader


class ContentChanged(Exception):
    """The rows are not those of the content that was announced: left for the next time."""


class _RoundedIds(Exception):
    """The delivery holds ids that a spreadsheet has rounded, and some were believed: it is read again, knowing that."""


def take_in_rows(
    connection: Connection,
    protector: FieldProtector,
    pool: SealingPool,
    contract: Contract,
    entry: Entry,
    open_rows: Callable[[], RowStream],
) -> DeliveryOutcome:
    """Take in the rows of one delivery and write its ledger row.

    Args:
        connection: Of the transaction; other deliveries of the list are locked out.
        protector: Encrypts what the contract protects.
        pool: Seals the rows of large deliveries in other processes.
        contract: The list.
        entry: The ledger row; status, reason, counts and layout are filled in.
        open_rows: The rows from their beginning; asked again when they must be read knowing that ids are rounded.

    Returns:
        What became of the delivery.

    Raises:
        ContentChanged: The rows came from other content than the entry's; nothing of the transaction may stay.
    """
    ledger.write(connection, entry)  # refused so far; the rows refer to it
    gazetteer = load_gazetteer(connection)
    entry.gazetteer_version = gazetteer.version
    arrival = business_today(entry.received_at)
    assert entry.delivery_id is not None  # just written
    delivery = Delivery(
        delivery_id=entry.delivery_id,
        contract=contract,
        content_sha256=entry.sha256,
        arrival=arrival,
        snapshot_date=entry.snapshot.value if entry.snapshot else arrival,
        gazetteer=gazetteer,
    )
    try:
        try:
            with connection.begin_nested():
                missing = _store(connection, protector, pool, entry, open_rows(), delivery)
        except _RoundedIds:
            with connection.begin_nested():
                missing = _store(
                    connection, protector, pool, entry, open_rows(), replace(delivery, rounded_ids=True)
                )
    except UnreadableFile as refusal:
        entry.refuse(refusal.code, refusal.reason)
        if refusal.code != "no_rows":
            entry.snapshot, entry.layout = None, {}
        return ledger.write(connection, entry)
    return _finish(connection, contract, entry, delivery.snapshot_date, missing)


def _store(
    connection: Connection,
    protector: FieldProtector,
    pool: SealingPool,
    entry: Entry,
    rows: RowStream,
    delivery: Delivery,
) -> list[str]:
    """Judge, seal and store all rows; the required columns that are missing."""
    delivery = replace(delivery, missing=tuple(rows.missing))
    contract = delivery.contract
    totals = SheetTotals(
        contract,
        CellReader(delivery.arrival, rounded_ids=delivery.rounded_ids, gazetteer=delivery.gazetteer),
    )
    batches = _added_up(rows.batches, totals) if contract.checks.of_sheet else rows.batches
    record_ids = RecordIds(contract.list_code, delivery.content_sha256)
    sealer = RowSealer(protector, contract, delivery.delivery_id, record_ids)
    stored = store_rows(connection, contract, pool.sealed(batches, delivery), sealer.repeat_line)
    if rows.sha256 != delivery.content_sha256:
        raise ContentChanged
    if (
        not delivery.rounded_ids
        and stored.rounded_evident >= ROUNDED_IDS_ENOUGH
        and stored.rounded_doubtful > 0
    ):
        raise _RoundedIds
    entry.layout = {
        **rows.layout,
        "notes": [*rows.notes, *totals.notes()],
        "footer_count": stored.footer_count,
    }
    if not stored.accepted_count and stored.quarantined_count == stored.footer_count:
        raise UnreadableFile(
            "no_rows", "只有表头，没有数据行。若确无对象，请联系数据人员；不会当作全部退出处理。"
        )
    entry.rows = stored
    return rows.missing


def _added_up(batches: Iterator[Batch | bytes], totals: SheetTotals) -> Iterator[Batch]:
    for packed in batches:
        batch = unpacked(marshal.loads(packed)) if isinstance(packed, bytes) else packed
        for source in map(batch.row, range(len(batch.numbers))) if isinstance(batch, Table) else batch:
            totals.add(source)
        yield batch


def _finish(
    connection: Connection, contract: Contract, entry: Entry, snapshot_date: date, missing: list[str]
) -> DeliveryOutcome:
    """Ask the guards, write the ledger row, and do what a loaded delivery does to what stands."""
    hold = hold_reason(connection, contract, _counts(entry.rows), snapshot_date, missing)
    entry.status = "held" if hold else "loaded"
    if hold:
        entry.reason_code, entry.reason = hold.code, hold.reason
    outcome = ledger.write(connection, entry)
    added = after_load(connection, contract, outcome.delivery_id)
    outcome = replace(outcome, warning_count=outcome.warning_count + added)
    if entry.status == "loaded":
        waiting = settle_loaded(connection, contract, outcome.delivery_id)
        if waiting is not None:
            outcome = replace(outcome, reason_code=waiting.code, reason=waiting.reason)
    return outcome


def _counts(rows: StoredRows) -> DeliveryCounts:
    return DeliveryCounts(
        accepted=rows.accepted_count,
        quarantined=rows.quarantined_count,
        footers=rows.footer_count,
        communities=rows.communities,
    )
