"""What a delivery does to what stands, in the transaction in which it becomes loaded.

At intake, at release and when a password opens it: communities it does not speak for are held, questions that earlier
deliveries left are settled, and what changed is counted. Not here: judging (``guards``), decisions (``holds``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from infra.clock import business_today
from ingest.changes import record_changes
from ingest.contract import Contract
from ingest.guards import DoubtfulPartition, Hold, doubtful_partitions
from ingest.partitions import Partition, community_counts, standing_partitions
from ingest.superseded import settle_superseded

_GONE: Final = "上次有、这次没有的社区："
_FALLEN: Final = "比上次少了很多的社区："
_SETTLED: Final = "已了结的社区："
# The end of a delivery's reason that speaks of its communities.
_COMMUNITIES_TOLD: Final = re.compile(f"(?:{_GONE}|{_FALLEN}|{_SETTLED}).*", re.DOTALL)


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
        asked = tell_communities(connection, delivery_id)
        held = {partition.last.community_name for partition in doubtful}
        standing = {name: part for name, part in standing.items() if name not in held}
        if contract.is_partial:
            standing = {name: part for name, part in standing.items() if counts.get(name)}
    record_changes(connection, contract, delivery, standing)
    settle_superseded(connection, contract, _row(connection, delivery_id))
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
        settled = connection.scalars(
            text(
                "update ops.partition_hold as hold set status = :status, settled_by_delivery = :id "
                "from ops.delivery as earlier where earlier.delivery_id = hold.delivery_id "
                "and earlier.list_code = :list_code and hold.status = 'open' "
                "and hold.community_name = any(:communities) "
                "and (earlier.snapshot_date, earlier.received_at, earlier.delivery_id) "
                "< (:snapshot_date, :received_at, :id) returning hold.delivery_id"
            ),
            {**_place(contract, delivery), "status": status, "communities": communities},
        ).all()
        for earlier_id in sorted(set(settled)):
            tell_communities(connection, earlier_id)


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


def tell_communities(connection: Connection, delivery_id: int) -> Hold | None:
    """Say in a delivery's own reason which of its communities wait, and what became of those that did.

    To be called whenever one of its holds was opened or settled; what its reason says beside that stays.

    Returns:
        The reason as it is now while a community waits; None when none does.
    """
    delivery = _row(connection, delivery_id)
    holds = connection.execute(
        text(
            "select * from ops.partition_hold where delivery_id = :id "
            # Another file of the same day brought it: there never was a question.
            "and (settled_by_delivery is distinct from last_delivery_id) order by community_name"
        ),
        {"id": delivery_id},
    ).all()
    said = _COMMUNITIES_TOLD.sub("", delivery.reason or "")
    if not holds and said == (delivery.reason or ""):
        return None
    told = _said_of_communities(delivery, holds)
    code = delivery.reason_code or ("community_missing" if told else None)
    connection.execute(
        text("update ops.delivery set reason_code = :code, reason = :reason where delivery_id = :id"),
        {"code": code, "reason": (said + told) or None, "id": delivery_id},
    )
    is_asked = any(hold.status == "open" for hold in holds)
    return Hold(code or "community_missing", said + told) if is_asked else None


def _said_of_communities(delivery: Row[Any], holds: Sequence[Row[Any]]) -> str:
    asked = [hold for hold in holds if hold.status == "open"]
    gone = [hold for hold in asked if not hold.row_count]
    fallen = [hold for hold in asked if hold.row_count]
    sentences = []
    if gone:
        sentences.append(
            _GONE + "、".join(f"{hold.community_name}（上次 {hold.last_row_count} 行）" for hold in gone)
        )
    if fallen:
        sentences.append(
            _FALLEN
            + "、".join(
                f"{hold.community_name}（上次 {hold.last_row_count} 行，这次 {hold.row_count} 行）"
                for hold in fallen
            )
        )
    told = ""
    if sentences:
        told = (
            f"{'；'.join(sentences)}。其余社区已接收，上述社区仍沿用以前的行，不作退出处理。"
            "漏报的请补报；确实如此的请告知数据人员确认。"
        )
    settled = "；".join(_settled(delivery, hold) for hold in holds if hold.status != "open")
    return told + (f"{_SETTLED}{settled}。" if settled else "")


def _settled(delivery: Row[Any], hold: Row[Any]) -> str:
    """What became of one community, as a clause."""
    if hold.status == "delivered":
        return f"{hold.community_name}已由来件 {hold.settled_by_delivery} 补报"
    if hold.status == "carried_on":
        return f"{hold.community_name}在来件 {hold.settled_by_delivery} 中仍缺，由那一件了结"
    by = f"{hold.community_name}已由{hold.decided_by}于 {business_today(hold.decided_at)} 确认"
    if hold.row_count:
        return f"{by}确实只有 {hold.row_count} 行，从 {delivery.snapshot_date} 起以这次的为准"
    return f"{by}没有对象，从 {delivery.snapshot_date} 起作退出处理"


def _row(connection: Connection, delivery_id: int) -> Row[Any]:
    return connection.execute(
        text("select * from ops.delivery where delivery_id = :id"), {"id": delivery_id}
    ).one()


def _place(contract: Contract, delivery: Row[Any]) -> dict[str, Any]:
    return {
        "list_code": contract.list_code,
        "id": delivery.delivery_id,
        "snapshot_date": delivery.snapshot_date,
        "received_at": delivery.received_at,
    }
