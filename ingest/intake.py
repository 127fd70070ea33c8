"""One delivery of readable rows, from wherever they come, into the database: judged, sealed, stored, guarded.

The rows may be a file's or those of a table that was pulled; they come once, in batches, and are not kept. Inside the
caller's transaction: whole or not at all. Not here: files (``deliveries``), what a person decides (``holds``).
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, text

from infra.clock import business_today
from infra.protection import FieldProtector
from ingest import ledger
from ingest.addresses.entries import load_gazetteer
from ingest.batch_sealing import Delivery
from ingest.batches import Batch, RowStream, Table, unpacked
from ingest.contract import Contract
from ingest.delivery_checks import SheetTotals, after_load
from ingest.guards import DeliveryCounts, Hold, columns_look_swapped, hold_reason
from ingest.ledger import DeliveryOutcome, Entry
from ingest.loading import settle_loaded
from ingest.parser_client import DIED
from ingest.readers.sheet import UnreadableFile
from ingest.rows import ROUNDED_IDS_ENOUGH
from ingest.sealing import RecordIds, RowSealer
from ingest.sealing_pool import SealingPool
from ingest.storage import StoredRows, store_rows
from ingest.values import CellReader

_MANY_ROWS: Final = 1000


class ContentChanged(Exception):
    """The rows are not those of the content that was announced: left for the next time."""


class _OtherIds(Exception):
    """Whether a spreadsheet has rounded ids turned out otherwise than it seemed: the delivery is read again, knowing."""


def take_in_rows(
    connection: Connection,
    protector: FieldProtector,
    pool: SealingPool,
    contract: Contract,
    entry: Entry,
    open_rows: Callable[[], RowStream],
    hold: Hold | None = None,
) -> DeliveryOutcome:
    """Take in the rows of one delivery and write its ledger row.

    Args:
        connection: Of the transaction; other deliveries of the list are locked out.
        protector: Encrypts what the contract protects.
        pool: Seals the rows of large deliveries in other processes.
        contract: The list.
        entry: The ledger row; status, reason, counts and layout are filled in.
        open_rows: The rows from their beginning; asked again when they must be read knowing that ids are rounded.
        hold: Why the delivery waits for a person whatever the guards say of its rows.

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
            delivery = _read(connection, protector, pool, entry, open_rows, delivery)
        except UnreadableFile as refusal:
            if refusal.code != DIED:
                raise
            delivery = _read(connection, protector, pool, entry, open_rows, delivery)
    except UnreadableFile as refusal:
        entry.refuse(refusal.code, refusal.reason)
        if refusal.code != "no_rows":
            entry.snapshot, entry.layout = None, {}
        return ledger.write(connection, entry)
    return _finish(connection, contract, entry, delivery, hold)


def _read(
    connection: Connection,
    protector: FieldProtector,
    pool: SealingPool,
    entry: Entry,
    open_rows: Callable[[], RowStream],
    delivery: Delivery,
) -> Delivery:
    """Read and store all rows; the delivery with what is known of it then. Nothing is stored when it raises."""
    rows = open_rows()
    delivery = replace(delivery, missing=tuple(rows.missing), rounded_ids=rows.seem_rounded)
    try:
        with connection.begin_nested():
            _store(connection, protector, pool, entry, rows, delivery)
    except _OtherIds:
        delivery = replace(delivery, rounded_ids=not delivery.rounded_ids)
        with connection.begin_nested():
            _store(connection, protector, pool, entry, open_rows(), delivery)
    return delivery


def _store(
    connection: Connection,
    protector: FieldProtector,
    pool: SealingPool,
    entry: Entry,
    rows: RowStream,
    delivery: Delivery,
) -> None:
    """Judge, seal and store all rows."""
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
    if stored.rounded_doubtful and (stored.rounded_evident >= ROUNDED_IDS_ENOUGH) != delivery.rounded_ids:
        raise _OtherIds
    entry.layout = {
        **rows.layout,
        "notes": [*rows.notes, *totals.notes()],
        "footer_count": stored.footer_count,
    }
    if not stored.accepted_count and stored.quarantined_count == stored.footer_count:
        raise UnreadableFile(
            "no_rows",
            "只有表头，没有数据行。若确已没有对象，请告诉数据人员，由其确认；未经确认不会当作全部退出处理。"
            if contract.is_snapshot
            else "只有表头，没有数据行。没有新发生的，不必报送。",
        )
    entry.rows = stored


def _added_up(batches: Iterator[Batch | bytes], totals: SheetTotals) -> Iterator[Batch]:
    for packed in batches:
        batch = unpacked(marshal.loads(packed)) if isinstance(packed, bytes) else packed
        for source in map(batch.row, range(len(batch.numbers))) if isinstance(batch, Table) else batch:
            totals.add(source)
        yield batch


def _finish(
    connection: Connection, contract: Contract, entry: Entry, delivery: Delivery, hold: Hold | None
) -> DeliveryOutcome:
    """Ask the guards, write the ledger row, and do what a loaded delivery does to what stands."""
    if entry.rows.accepted_count >= _MANY_ROWS:
        # What follows compares whole deliveries; without figures of the new rows it was planned for none of them.
        # The table name comes from a contract of ours, whose names are identifiers.
        connection.execute(text(f"analyze raw.{contract.list_code}"))
    missing = list(delivery.missing)
    if hold is None and not missing:
        hold = columns_look_swapped(connection, contract, delivery.delivery_id)
    hold = hold or hold_reason(
        connection, contract, _counts(entry.rows), delivery.snapshot_date, missing, _unknown_headers(entry)
    )
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


def _unknown_headers(entry: Entry) -> list[str]:
    return [header for table in entry.layout.get("tables", ()) for header in table["unknown"]]


def _counts(rows: StoredRows) -> DeliveryCounts:
    return DeliveryCounts(
        accepted=rows.accepted_count,
        quarantined=rows.quarantined_count,
        footers=rows.footer_count,
        communities=rows.communities,
    )
