"""What a delivery does to what stands, in the transaction in which it becomes loaded.

At intake, at release and when a password opens it: communities it does not speak for are held, questions that earlier
deliveries left are settled, and what changed is counted. Not here: judging (``guards``), decisions (``holds``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from ingest.changes import record_changes
from ingest.contract import Contract
from ingest.guards import DoubtfulPartition, Hold, doubtful_partitions
from ingest.partitions import Partition, community_counts, standing_partitions


def settle_loaded(
    connection: Connection, contract: Contract, delivery_id: int, *, released: str | None = None
) -> Hold | None:
    """Bring the ledger up to date with a delivery that is loaded, rows and all.

    Args:
        connection: Of the transaction that loads it; other deliveries of the list are locked out.
        contract: Its list.
        delivery_id: The delivery.
        released: The code of the guard that a person overruled; what it asked is not asked again by community.

    Returns:
        Which of its communities wait for a person, as written to its ledger row; None when none does.
    """
    delivery = connection.execute(
        text("update ops.delivery set coverage = :coverage where delivery_id = :id returning *"),
        {"id": delivery_id, "coverage": "community" if contract.is_partial else "whole"},
    ).one()
    standing: dict[str | None, Partition] = {}
    asked: Hold | None = None
    if contract.is_snapshot:
        counts = community_counts(connection, contract, delivery_id)
        standing = standing_partitions(
            connection, contract, delivery.snapshot_date, delivery.received_at, delivery_id
        )
        doubtful = doubtful_partitions(contract, standing, counts, delivery.snapshot_date)
        if released in ("count_far_off", "community_unknown"):
            # Whoever released it has answered for the numbers, or for all communities.
            doubtful = [
                p for p in doubtful if released == "count_far_off" and p.row_count == 0 and len(counts) > 0
            ]
        _open_holds(connection, delivery_id, doubtful)
        _settle_earlier(connection, contract, delivery, counts, doubtful)
        _settle_by_later(connection, contract, delivery, doubtful)
        asked = _tell(connection, delivery, doubtful)
        held = {partition.last.community_name for partition in doubtful}
        standing = {name: part for name, part in standing.items() if name not in held}
        if contract.is_partial:
            standing = {name: part for name, part in standing.items() if counts.get(name)}
    record_changes(connection, contract, delivery, standing)
    return asked


def _open_holds(connection: Connection, delivery_id: int, doubtful: Sequence[DoubtfulPartition]) -> None:
    for partition in doubtful:
        connection.execute(
            text(
                "insert into ops.partition_hold (delivery_id, community_name, last_delivery_id, last_row_count, "
                "row_count, status, settled_by_delivery) values (:id, :community, :last, :last_count, :count, "
                ":status, :settled_by)"
            ),
            {
                "id": delivery_id,
                "community": partition.last.community_name,
                "last": partition.last.delivery_id,
                "last_count": partition.last.row_count,
                "count": partition.row_count,
                "status": "delivered" if partition.is_sibling else "open",
                "settled_by": partition.last.delivery_id if partition.is_sibling else None,
            },
        )


def _settle_earlier(
    connection: Connection,
    contract: Contract,
    delivery: Row[Any],
    counts: Mapping[str | None, int],
    doubtful: Sequence[DoubtfulPartition],
) -> None:
    """Questions of earlier deliveries: answered by one that has the community, carried on by one that lacks it too."""
    asked = [partition.last.community_name for partition in doubtful if not partition.is_sibling]
    not_spoken_for = {partition.last.community_name for partition in doubtful}
    delivered = [name for name, count in counts.items() if name and count and name not in not_spoken_for]
    for status, communities in (("delivered", delivered), ("carried_on", asked)):
        connection.execute(
            text(
                "update ops.partition_hold as hold set status = :status, settled_by_delivery = :id "
                "from ops.delivery as earlier where earlier.delivery_id = hold.delivery_id "
                "and earlier.list_code = :list_code and hold.status = 'open' "
                "and hold.community_name = any(:communities) "
                "and (earlier.snapshot_date, earlier.received_at, earlier.delivery_id) "
                "< (:snapshot_date, :received_at, :id)"
            ),
            {**_place(contract, delivery), "status": status, "communities": communities},
        )


def _settle_by_later(
    connection: Connection, contract: Contract, delivery: Row[Any], doubtful: Sequence[DoubtfulPartition]
) -> None:
    """A snapshot that came late may leave open what a later one has said already."""
    if not doubtful:
        return
    later = connection.execute(
        text(
            "select delivery_id, held_communities, gone_communities, coverage = 'whole' and accepted_count = 0 "
            "as is_nobody_left from ops.delivery where list_code = :list_code "
            "and status = 'loaded' and (snapshot_date, received_at, delivery_id) "
            "> (:snapshot_date, :received_at, :id) order by snapshot_date, received_at, delivery_id"
        ),
        _place(contract, delivery),
    ).all()
    open_communities = {partition.last.community_name for partition in doubtful if not partition.is_sibling}
    for other in later:
        counts = community_counts(connection, contract, other.delivery_id)
        for name in sorted(filter(None, open_communities)):
            has_said = counts.get(name) or name in other.gone_communities or other.is_nobody_left
            if name not in other.held_communities and not has_said:
                continue
            connection.execute(
                text(
                    "update ops.partition_hold set status = :status, settled_by_delivery = :other "
                    "where delivery_id = :id and community_name = :community"
                ),
                {
                    "status": "carried_on" if name in other.held_communities else "delivered",
                    "other": other.delivery_id,
                    "id": delivery.delivery_id,
                    "community": name,
                },
            )
            open_communities.discard(name)


def _tell(connection: Connection, delivery: Row[Any], doubtful: Sequence[DoubtfulPartition]) -> Hold | None:
    """Name the communities that wait in the delivery's own reason."""
    asked = [partition for partition in doubtful if not partition.is_sibling]
    if not asked:
        return None
    gone = [p for p in asked if not p.row_count]
    fallen = [p for p in asked if p.row_count]
    sentences = []
    if gone:
        sentences.append(
            "上次有、这次没有的社区："
            + "、".join(f"{p.last.community_name}（上次 {p.last.row_count} 行）" for p in gone)
        )
    if fallen:
        sentences.append(
            "比上次少了很多的社区："
            + "、".join(
                f"{p.last.community_name}（上次 {p.last.row_count} 行，这次 {p.row_count} 行）"
                for p in fallen
            )
        )
    reason = (
        f"{'；'.join(sentences)}。其余社区已接收，上述社区仍沿用以前的行，不作退出处理。"
        "漏报的请补报；确实如此的请告知数据人员确认。"
    )
    connection.execute(
        text(
            "update ops.delivery set reason_code = coalesce(reason_code, 'community_missing'), "
            "reason = coalesce(reason, '') || :reason where delivery_id = :id"
        ),
        {"reason": reason, "id": delivery.delivery_id},
    )
    return Hold(delivery.reason_code or "community_missing", (delivery.reason or "") + reason)


def _place(contract: Contract, delivery: Row[Any]) -> dict[str, Any]:
    return {
        "list_code": contract.list_code,
        "id": delivery.delivery_id,
        "snapshot_date": delivery.snapshot_date,
        "received_at": delivery.received_at,
    }
