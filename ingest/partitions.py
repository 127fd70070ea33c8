"""Which rows of a snapshot list stand, community by community: questions to the ledger, nothing is written.

The rule is that of the dbt macro ``loaded_rows``: a community's rows are those of the newest loaded delivery (snapshot
date, arrival, number) that speaks for it. A list of the whole street speaks for every community except those held
(``ops.partition_hold``); a list by community for those it names, and those of which it was confirmed to say that nobody
is left (``gone_communities``). Not here: when a community is doubtful (``guards``), what a delivery changes (``loading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, text

from infra.warehouse import limit_lock_wait
from ingest.contract import Contract

_NEWEST_FIRST: Final = "snapshot_date desc, received_at desc, delivery_id desc"


@dataclass(frozen=True)
class Partition:
    """Rows of one community that stand; `community_name` None: rows that name none, or a list without communities."""

    community_name: str | None
    delivery_id: int
    snapshot_date: date
    row_count: int


def standing_partitions(
    connection: Connection,
    contract: Contract,
    snapshot_date: date,
    received_at: datetime | None = None,
    delivery_id: int | None = None,
) -> dict[str | None, Partition]:
    """What of a snapshot list stands on a day, by community; with an arrival, only what came before it.

    Rows without a community of a list by community belong to their file and are left out.
    """
    deliveries = connection.execute(
        text(
            "select delivery_id, snapshot_date, held_communities, gone_communities from ops.delivery "
            "where list_code = :list_code "
            "and status = 'loaded' and (snapshot_date, received_at, delivery_id) "
            "< (:snapshot_date, coalesce(:received_at, timestamptz 'infinity'), coalesce(:delivery_id, 0)) "
            f"order by {_NEWEST_FIRST}"
        ),
        {
            "list_code": contract.list_code,
            "snapshot_date": snapshot_date,
            "received_at": received_at,
            "delivery_id": delivery_id,
        },
    ).all()
    standing: dict[str | None, Partition] = {}
    gone: set[str] = set()
    open_communities: set[str] | None = None  # None: all of them
    for delivery in deliveries:
        held = set(delivery.held_communities)
        for name, count in community_counts(connection, contract, delivery.delivery_id).items():
            is_open = open_communities is None or name in open_communities
            is_said = name in standing or name in gone
            if name in held or is_said or not is_open or (contract.is_partial and name is None):
                continue
            standing[name] = Partition(name, delivery.delivery_id, delivery.snapshot_date, count)
        gone.update(set(delivery.gone_communities) - held)
        if not contract.is_partial:
            open_communities = held if open_communities is None else open_communities & held
            if not open_communities:
                break
    return standing


def community_counts(connection: Connection, contract: Contract, delivery_id: int) -> dict[str | None, int]:
    """Accepted rows of a delivery by community; all under None when the list has no community column."""
    name = "community_name" if contract.column("community_name") is not None else "null::text"
    # Names of tables come from contracts of ours, which are identifiers.
    counts: dict[str | None, int] = dict(
        connection.execute(
            text(
                f"select {name}, count(*) from raw.{contract.list_code} where delivery_id = :delivery_id group by 1"
            ),
            {"delivery_id": delivery_id},
        ).all()
    )
    return counts


def newest_snapshot_date(connection: Connection, contract: Contract) -> date | None:
    """Date of the newest loaded snapshot of a list."""
    newest: date | None = connection.scalar(
        text(
            "select max(snapshot_date) from ops.delivery where list_code = :list_code and status = 'loaded'"
        ),
        {"list_code": contract.list_code},
    )
    return newest


def newer_communities(
    connection: Connection, contract: Contract, snapshot_date: date, communities: Sequence[str]
) -> dict[str, date]:
    """Those of the communities that a loaded delivery of a later date brought, or said to be gone, with that date."""
    newer: dict[str, date] = dict(
        connection.execute(
            text(
                "select place.community_name, max(delivery.snapshot_date) from ops.delivery as delivery "
                "cross join lateral ("
                f"select rows.community_name from raw.{contract.list_code} as rows "
                "where rows.delivery_id = delivery.delivery_id and rows.community_name = any(:communities) "
                "union select unnest(delivery.gone_communities)) as place "
                "where delivery.list_code = :list_code and delivery.status = 'loaded' "
                "and delivery.snapshot_date > :snapshot_date "
                "and place.community_name = any(:communities) group by 1 order by 1"
            ),
            {
                "list_code": contract.list_code,
                "snapshot_date": snapshot_date,
                "communities": list(communities),
            },
        ).all()
    )
    return newer


def lock_list(connection: Connection, list_code: str) -> None:
    """Let one delivery of a list at a time be taken in or decided: the guards compare with what is loaded."""
    limit_lock_wait(connection)
    connection.execute(text("select pg_advisory_xact_lock(hashtext(:key))"), {"key": f"delivery {list_code}"})
