"""Which communities owe a list that each community delivers for itself, and which delivery is of which community.

Questions to the ledger and to raw; what is late of it is `ingest.arrivals`.

No table of offices says which communities a street has: the administrative divisions of the reference data end at the
county. A community owes the list from the day the platform knows of it:

- from the arrival of the first delivery of this very list that names it, however few its rows;
- from its first household in the household register, which the communities keep themselves, once the register has at
  least ``missingCommunityMinimum`` rows of it: a misspelt name in one row is no community.

It owes nothing any more after a person confirmed that nobody of it is left (``gone_communities``), until it delivers
again; a misspelt name that got into the list itself is ended in the same way, together with the rows it brought.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, text

from ingest.contract import Contract

_REGISTER: Final = "household_register"


@dataclass(frozen=True)
class OwingCommunity:
    """A community that the platform knows of.

    Attributes:
        known_from: Business date from which it is expected to deliver.
        gone_from: Snapshot date of what says that nobody is left, when that is the newest it said; else None.
    """

    name: str
    known_from: date
    gone_from: date | None = None


def owing_communities(
    connection: Connection, contract: Contract, as_of: date, lists: Collection[str]
) -> list[OwingCommunity]:
    """The communities that owe the list, or did, by name.

    Args:
        connection: The warehouse.
        contract: A list by community.
        as_of: Business date; deliveries that arrived later are not seen.
        lists: The lists that have tables: whether there is a household register to ask.
    """
    # Names of tables come from contracts of ours, which are identifiers.
    register = (
        f"union all select rows.community_name, min(arrival.arrived_on) from raw.{_REGISTER} as rows "
        "inner join ops.delivery as delivery using (delivery_id) "
        "inner join ops.delivery_arrival as arrival using (delivery_id) "
        "where delivery.status = 'loaded' and arrival.arrived_on <= :as_of and rows.community_name is not null "
        "group by rows.community_name having count(*) >= :least"
    )
    rows = connection.execute(
        text(
            f"with said as ({_SAID.format(list_code=contract.list_code)}), known as ("
            "select community_name, arrived_on as known_from from said "
            f"{register if _REGISTER in lists else ''}) "
            "select community_name, min(known_from) as known_from, ("
            "select case when is_gone then snapshot_date end from said "
            "where said.community_name = known.community_name "
            "order by snapshot_date desc, received_at desc, delivery_id desc limit 1) as gone_from "
            "from known group by community_name order by community_name"
        ),
        {
            "list_code": contract.list_code,
            "as_of": as_of,
            "least": contract.guards.missing_community_minimum,
        },
    )
    return [OwingCommunity(row.community_name, row.known_from, row.gone_from) for row in rows]


def communities_of_deliveries(
    connection: Connection, contract: Contract, as_of: date
) -> Mapping[int, frozenset[str]]:
    """The communities that each delivery of the list names or says to be gone; duplicates are as their original.

    A delivery of which no community is known is left out: one that waits for its password, one that names none.
    """
    found: dict[int, set[str]] = {}
    rows = connection.execute(
        text(
            f"with said as ({_SAID.format(list_code=contract.list_code)}) "
            "select delivery_id, community_name from said "
            "union select again.delivery_id, said.community_name from ops.delivery as again "
            "inner join said on said.delivery_id = again.duplicate_of where again.status = 'duplicate'"
        ),
        {"list_code": contract.list_code, "as_of": as_of},
    )
    for row in rows:
        found.setdefault(row.delivery_id, set()).add(row.community_name)
    return {delivery_id: frozenset(names) for delivery_id, names in found.items()}


# What deliveries said of communities. One that waits for our own people has arrived, whatever they decide.
_SAID: Final = """
    select
        delivery.delivery_id, delivery.snapshot_date, delivery.received_at, arrival.arrived_on,
        place.community_name, place.is_gone
    from ops.delivery as delivery
    inner join ops.delivery_arrival as arrival using (delivery_id)
    cross join lateral (
        select distinct rows.community_name, false as is_gone
        from raw.{list_code} as rows
        where rows.delivery_id = delivery.delivery_id and rows.community_name is not null
        union all
        select community_name, true from unnest(delivery.gone_communities) as gone (community_name)
    ) as place
    where
        delivery.list_code = :list_code and delivery.status in ('loaded', 'held')
        and delivery.snapshot_date is not null and arrival.arrived_on <= :as_of
"""
