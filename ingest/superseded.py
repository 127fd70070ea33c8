"""Held deliveries that a later one corrected: settled by it, and never used any more.

A supplier who is told what is wrong mends the file and delivers the list again; nobody has to decide about the first one
then. Only of snapshots: a later file of an event list need not have the rows of an earlier one, so there a person
compares (``ops.waiting`` names both). Not here: what a person decides (``holds``), what a loaded delivery does to what
stands (``loading``).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, text

from ingest.contract import Contract
from ingest.guards import facts_of
from ingest.messages import REFUSED_WITH_DELIVERY, message
from ingest.partitions import community_counts
from ingest.periods import period_of

SUPERSEDED: Final = "superseded"
_WORDING: Final = ("整批来件已由后来的来件更正，这一行没有使用", "不必修改，更正的来件已登记")


def settle_superseded(connection: Connection, contract: Contract, delivery: Row[Any]) -> list[int]:
    """Refuse the held deliveries that a loaded one corrects.

    It corrects one that came before it from the same department, speaks of the same period of the list and not of an
    earlier day, and has every community of which the held one has rows, those still waiting of its own left out. One that
    never could be read (a password) has no day: it is corrected by what lies in its place, under its name, now.

    Args:
        connection: Of the transaction that loads the delivery; other deliveries of the list are locked out.
        contract: Its list.
        delivery: Its ledger row, holds of its communities included.

    Returns:
        The deliveries settled, oldest first.
    """
    held = connection.execute(
        text(
            "select * from ops.delivery where list_code = :list_code and department = :department and status = 'held' "
            "and (received_at, delivery_id) < (:received_at, :id) order by delivery_id for update"
        ),
        {
            "list_code": contract.list_code,
            "department": delivery.department,
            "received_at": delivery.received_at,
            "id": delivery.delivery_id,
        },
    ).all()
    settled = []
    for earlier in held:
        if not _is_corrected(connection, contract, delivery, earlier):
            continue
        set_aside(
            connection,
            contract.list_code,
            earlier.delivery_id,
            f"{facts_of(earlier.reason)}已由来件 {delivery.delivery_id} 更正，不再使用。",
            message(REFUSED_WITH_DELIVERY, is_quarantined=True, wording=_WORDING),
        )
        connection.execute(
            text("update ops.delivery set reason_code = :code, superseded_by = :by where delivery_id = :id"),
            {"code": SUPERSEDED, "by": delivery.delivery_id, "id": earlier.delivery_id},
        )
        settled.append(earlier.delivery_id)
    return settled


def set_aside(
    connection: Connection, list_code: str, delivery_id: int, reason: str, said_of_rows: str
) -> None:
    """Refuse a held delivery: its rows leave raw and stand in quarantine, encrypted as they were delivered.

    Raw must let go of them, because a record id depends on the bytes alone and the same file may come again. Every row
    of a readable file stays accounted for: row_count is what it was, nothing is accepted any more.

    Args:
        connection: Of the transaction.
        list_code: Of a contract of ours.
        delivery_id: The delivery; it is held.
        reason: What the ledger says from now on.
        said_of_rows: The message of each row.
    """
    # The table name comes from a contract of ours, whose names are identifiers.
    connection.execute(
        text(
            "insert into ops.quarantined_row (delivery_id, sheet_name, row_number, rule, message, row_encrypted) "
            f"select delivery_id, sheet_name, row_number, '{REFUSED_WITH_DELIVERY}', :message, source_row_encrypted "
            f"from raw.{list_code} where delivery_id = :id"
        ),
        {"id": delivery_id, "message": said_of_rows},
    )
    connection.execute(text(f"delete from raw.{list_code} where delivery_id = :id"), {"id": delivery_id})
    connection.execute(
        text(
            "update ops.delivery set status = 'refused', accepted_count = 0, quarantined_count = row_count, "
            "reason = :reason where delivery_id = :id"
        ),
        {"id": delivery_id, "reason": reason},
    )


def _is_corrected(connection: Connection, contract: Contract, delivery: Row[Any], earlier: Row[Any]) -> bool:
    is_same_file = earlier.source_path == delivery.source_path
    if earlier.snapshot_date is None:
        return is_same_file
    if not contract.is_snapshot:
        return False
    if delivery.snapshot_date < earlier.snapshot_date or period_of(
        contract.rhythm, delivery.snapshot_date
    ) != period_of(contract.rhythm, earlier.snapshot_date):
        return False
    named = {name for name in community_counts(connection, contract, earlier.delivery_id) if name is not None}
    if named & set(delivery.held_communities):
        return False
    if not named:
        # Nobody knows of which communities it spoke.
        return is_same_file or not contract.is_partial
    if not contract.is_partial:
        # Files of one day that share no community are parts of one snapshot.
        now = {
            name for name in community_counts(connection, contract, delivery.delivery_id) if name is not None
        }
        return not now or bool(now & named)
    return named <= _communities_since(connection, contract, delivery, earlier)


def _communities_since(
    connection: Connection, contract: Contract, delivery: Row[Any], earlier: Row[Any]
) -> set[str | None]:
    """Communities that loaded deliveries of the period brought after a held one, the newest of them included."""
    period = period_of(contract.rhythm, earlier.snapshot_date)
    since = connection.execute(
        text(
            "select delivery_id, held_communities from ops.delivery where list_code = :list_code "
            "and department = :department and status = 'loaded' and snapshot_date between :first and :last "
            "and (received_at, delivery_id) > (:received_at, :id)"
        ),
        {
            "list_code": contract.list_code,
            "department": delivery.department,
            "first": earlier.snapshot_date,
            "last": period.end,
            "received_at": earlier.received_at,
            "id": earlier.delivery_id,
        },
    ).all()
    return {
        name
        for other in since
        for name in community_counts(connection, contract, other.delivery_id)
        if name not in other.held_communities
    }
