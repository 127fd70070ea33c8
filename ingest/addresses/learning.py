"""What deliveries teach about compounds: proposals for the gazetteer, each with its evidence. Never used until approved.

Three kinds: ``new`` (a compound seen at enough doors), ``has_units`` (an entry that does not say so yet), ``alias`` (two
spellings that may be one compound). Not here: deciding (``decisions``); uniting spellings for linkage (``linkage.doors``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy import Connection, Engine, text

from infra.warehouse import persistent
from ingest.addresses.entries import load_gazetteer, lock
from ingest.addresses.gazetteer import Gazetteer
from ingest.addresses.similar import jaro_winkler
from ingest.contract import Contract

_LIMITS: Final = Path(__file__).with_name("learning.yaml")
_Place = tuple[str, str]  # compound and community, '' where no list states it


@dataclass(frozen=True)
class Limits:
    """From what on something is proposed (``learning.yaml``, each with its reason)."""

    doors: int
    without_units_ratio: float
    with_units_ratio: float
    shortest_name: int
    longest_name: int
    similarity: float
    shared_doors: int


@dataclass(frozen=True)
class _Seen:
    """A compound in a community as the deliveries name it; ``doors`` are distinct building, unit and room."""

    doors: int
    with_unit: int
    without_unit: int
    first: date
    last: date


@cache
def load_limits(path: Path = _LIMITS) -> Limits:
    """The limits of ``learning.yaml``."""
    return Limits(**{name: row["value"] for name, row in yaml.safe_load(path.read_text("utf-8")).items()})


@persistent("提出地址词条")
def propose_entries(engine: Engine, contracts: Mapping[str, Contract], limits: Limits | None = None) -> int:
    """Look through the loaded deliveries and bring the open proposals up to date. Idempotent, one transaction.

    What a person decided stays decided. An open proposal that the deliveries no longer bear out, or that an entry has made
    needless, is gone.

    Args:
        engine: The warehouse; the raw tables exist.
        contracts: The lists whose addresses are looked at.
        limits: From what on something is proposed; those of ``learning.yaml`` by default.

    Returns:
        How many proposals are open.
    """
    limits = limits or load_limits()
    selects = [select for contract in contracts.values() for select in _addresses_of(contract)]
    if not selects:
        return 0
    with engine.begin() as connection:
        lock(connection)
        connection.execute(
            text(f"create temporary table seen_address on commit drop as {' union all '.join(selects)}")
        )
        connection.execute(text("analyze seen_address"))  # or the planner sorts what it should hash
        _complete_communities(connection)
        connection.execute(
            text(
                "create temporary table seen_door on commit drop as select compound, community, building, unit, room, "
                "min(day) as first, max(day) as last from seen_address group by 1, 2, 3, 4, 5"
            )
        )
        gazetteer = load_gazetteer(connection)
        seen = _seen(connection)
        proposals = [
            *_new_and_units(seen, gazetteer, limits),
            *_aliases(connection, seen, gazetteer, limits),
        ]
        connection.execute(
            text("create temporary table proposed (like ops.gazetteer_proposal) on commit drop")
        )
        connection.execute(text("alter table proposed drop column proposal_id, drop column status"))
        if proposals:
            names = list(proposals[0])
            connection.execute(
                text(
                    f"insert into proposed ({', '.join(names)}) values ({', '.join(f':{name}' for name in names)})"
                ),
                proposals,
            )
        return _store(connection)


def _addresses_of(contract: Contract) -> Iterator[str]:
    """A select of the doors that each address column of a list names, with community, person and day."""
    community = next((f"raw.{column.name}" for column in contract.columns if column.is_community), "null")
    person = next(
        (f"raw.{column.name}_token" for column in contract.columns if column.semantic_type == "id_no"), "null"
    )
    for column in contract.columns:
        if column.semantic_type == "address":
            name = column.name
            yield (
                f"select raw.{name}_compound as compound, coalesce(raw.{name}_community, {community}, '') as community, "
                f"raw.{name}_building as building, coalesce(raw.{name}_unit, '') as unit, raw.{name}_room as room, "
                f"cast({person} as text) as person, "
                "coalesce(delivery.snapshot_date, cast(delivery.received_at as date)) as day "
                f"from raw.{contract.list_code} as raw join ops.delivery using (delivery_id) "
                f"where delivery.status = 'loaded' and raw.{name}_status in ('FULL', 'NO_UNIT')"
            )


def _complete_communities(connection: Connection) -> None:
    """Give addresses without a community that of their compound, where all others state the same one."""
    connection.execute(
        text(
            "update seen_address set community = known.community from (select compound, min(community) as community "
            "from seen_address where community <> '' group by compound having count(distinct community) = 1) as known "
            "where known.compound = seen_address.compound and seen_address.community = ''"
        )
    )


def _seen(connection: Connection) -> dict[_Place, _Seen]:
    rows = connection.execute(
        text(
            "select compound, community, count(*) as doors, count(*) filter (where unit <> '') as with_unit, "
            "count(*) filter (where unit = '') as without_unit, min(first) as first, max(last) as last "
            "from seen_door group by compound, community order by 1, 2"
        )
    )
    return {
        (row.compound, row.community): _Seen(row.doors, row.with_unit, row.without_unit, row.first, row.last)
        for row in rows
    }


def _has_units(seen: _Seen, limits: Limits) -> bool | None:
    """What the addresses say; None when they do not agree enough."""
    ratio = seen.with_unit / (seen.with_unit + seen.without_unit)
    if ratio <= limits.without_units_ratio:
        return False
    return True if ratio >= limits.with_units_ratio else None


def _new_and_units(
    seen: Mapping[_Place, _Seen], gazetteer: Gazetteer, limits: Limits
) -> Iterator[dict[str, Any]]:
    for (compound, community), each in seen.items():
        if each.doors < limits.doors:
            continue
        has_units = _has_units(each, limits)
        known = gazetteer.named(compound, community or None)
        if not known:
            yield _proposal("new", (compound, community), each, has_units=has_units)
        elif has_units is not None:
            for entry in known:
                if entry.has_units is None:
                    place = (entry.compound, entry.community or "")
                    yield _proposal("has_units", place, each, has_units=has_units)


def _aliases(
    connection: Connection, seen: Mapping[_Place, _Seen], gazetteer: Gazetteer, limits: Limits
) -> Iterator[dict[str, Any]]:
    """Pairs of names in one community that are alike and share doors: the rarer may be an alias of the commoner."""
    by_community: defaultdict[str, list[str]] = defaultdict(list)
    for compound, community in seen:
        if community and limits.shortest_name <= len(compound) <= limits.longest_name:
            by_community[community].append(compound)
    alike: dict[tuple[str, str, str], float] = {}
    for community, names in by_community.items():
        for pair in combinations(names, 2):
            similarity = jaro_winkler(*pair)
            known = {name: bool(gazetteer.named(name, community)) for name in pair}
            if similarity < limits.similarity or all(known.values()):
                continue  # both known: two compounds, or one already
            rarer, common = sorted(pair, key=lambda name: (known[name], seen[name, community].doors, name))
            alike[community, rarer, common] = similarity
    for (community, rarer, common), (doors, persons) in _shared(connection, list(alike)).items():
        if doors >= limits.shared_doors:
            yield _proposal(
                "alias",
                (common, community),
                seen[rarer, community],
                alias=rarer,
                shared_door_count=doors,
                shared_person_count=persons,
                similarity=round(alike[community, rarer, common], 3),
            )


def _shared(
    connection: Connection, pairs: list[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Of pairs (community, rarer, common): how many doors both have, unit apart, and how many persons live behind one of both."""
    if not pairs:
        return {}
    connection.execute(
        text("create temporary table alike (community text, rarer text, common text) on commit drop")
    )
    connection.execute(
        text("insert into alike values (:community, :rarer, :common)"),
        [{"community": community, "rarer": rarer, "common": common} for community, rarer, common in pairs],
    )
    for table in ("alike", "seen_door"):
        connection.execute(text(f"analyze {table}"))

    def count(what: str, table: str, same: str) -> dict[tuple[str, str, str], int]:
        rows = connection.execute(
            text(
                f"select alike.community, rarer, common, count(distinct {what}) from alike "
                f"join {table} as one on (one.community, one.compound) = (alike.community, rarer) "
                f"join {table} as other on (other.community, other.compound) = (alike.community, common) "
                f"and other.building = one.building and other.room = one.room {same} group by 1, 2, 3"
            )
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    doors = count("one.building || '|' || one.room", "seen_door", "")
    persons = count("one.person", "seen_address", "and other.person = one.person")
    return {pair: (found, persons.get(pair, 0)) for pair, found in sorted(doors.items())}


def _proposal(kind: str, place: _Place, seen: _Seen, **facts: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "compound": place[0],
        "alias": "",
        "community": place[1],
        "has_units": None,
        "door_count": seen.doors,
        "with_unit_count": seen.with_unit,
        "without_unit_count": seen.without_unit,
        "shared_door_count": None,
        "shared_person_count": None,
        "similarity": None,
        "first_seen": seen.first,
        "last_seen": seen.last,
        **facts,
    }


def _store(connection: Connection) -> int:
    """Bring the open proposals to what was found; what was decided is left alone. How many are open."""
    facts = (
        "has_units", "door_count", "with_unit_count", "without_unit_count", "shared_door_count", "shared_person_count",
        "similarity", "first_seen", "last_seen",
    )  # fmt: skip
    key = ("kind", "compound", "alias", "community")
    connection.execute(
        text(
            "delete from ops.gazetteer_proposal as old where status = 'open' and not exists (select from proposed as new "
            f"where ({', '.join(f'new.{name}' for name in key)}) = ({', '.join(f'old.{name}' for name in key)}))"
        )
    )
    connection.execute(
        text(
            f"insert into ops.gazetteer_proposal ({', '.join((*key, *facts))}) "
            f"select {', '.join((*key, *facts))} from proposed order by {', '.join(key)} "
            f"on conflict ({', '.join(key)}) do update set {', '.join(f'{name} = excluded.{name}' for name in facts)} "
            "where gazetteer_proposal.status = 'open'"
        )
    )
    open_count: int = connection.execute(
        text("select count(*) from ops.gazetteer_proposal where status = 'open'")
    ).scalar_one()
    return open_count
