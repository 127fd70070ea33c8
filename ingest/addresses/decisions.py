"""What data staff decide about proposals: approved ones become entries of the gazetteer, all decisions are written down.

Not here: the proposals themselves (``learning``) and the review sheet (``review``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from infra.errors import PermanentError
from ingest.addresses.entries import (
    StoredEntry,
    lock,
    log_decision,
    put_entry,
    refuse_clashes,
    stored_entry,
)
from ingest.addresses.gazetteer import Entry
from ingest.normalise.numbers import with_numbers_hidden

_SOURCE: Final = "来件归纳"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row of ``ops.gazetteer_proposal``."""

    proposal_id: int
    kind: str
    compound: str
    alias: str
    community: str
    has_units: bool | None
    door_count: int
    with_unit_count: int
    without_unit_count: int
    shared_door_count: int | None
    shared_person_count: int | None
    similarity: float | None
    first_seen: date
    last_seen: date


def open_proposals(engine: Engine) -> list[Proposal]:
    """The proposals that wait for a person, those with most doors first."""
    names = Proposal.__slots__
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"select {', '.join(names)} from ops.gazetteer_proposal where status = 'open' "
                "order by door_count desc, compound, alias, community, kind"
            )
        )
        return [Proposal(**row._mapping) for row in rows]


def approve(engine: Engine, proposal_ids: Sequence[int], by: str) -> list[str]:
    """Put proposals into use, all or none. The addresses are read anew by ``rekeying.rekey_addresses``.

    Returns:
        Longer names of open proposals that end with a name approved here (南肖埠庆和苑 for 庆和苑): until they are decided
        too, their addresses have no key, because the words in front are taken for no part of the name.

    Raises:
        PermanentError: A proposal does not exist or is not open, nobody is named, or a name would mean two compounds.
    """
    return decide(engine, dict.fromkeys(proposal_ids, True), by)


def reject(engine: Engine, proposal_ids: Sequence[int], by: str) -> None:
    """Turn proposals down for good: they are not proposed again. Raises as :func:`approve`."""
    decide(engine, dict.fromkeys(proposal_ids, False), by)


def decide(engine: Engine, decisions: dict[int, bool], by: str) -> list[str]:
    """Approve (True) and reject (False) proposals in one transaction; as :func:`approve`."""
    who = with_numbers_hidden(" ".join(by.split()))
    if not who:
        raise PermanentError(
            "决定地名库建议", came="没有写明由谁决定", expected="姓名", next_step="补上 --by"
        )
    with engine.begin() as connection:
        lock(connection)
        approved = []
        for proposal_id, is_approved in sorted(decisions.items()):
            row = _open(connection, proposal_id)
            stored = _in_use(connection, row, who) if is_approved else None
            connection.execute(
                text(
                    "update ops.gazetteer_proposal set status = :status, decided_by = :by, decided_at = now() "
                    "where proposal_id = :id"
                ),
                {"id": proposal_id, "status": "approved" if is_approved else "rejected", "by": who},
            )
            log_decision(
                connection,
                "approve" if is_approved else "reject",
                Entry(row.compound, row.community or None),
                who,
                stored=stored,
                proposal_id=proposal_id,
                kind=row.kind,
                alias=row.alias,
            )
            if stored is not None:
                approved.append(row.alias or row.compound)
        refuse_clashes(connection)
        undecided = connection.scalars(
            text(
                "select distinct compound from ops.gazetteer_proposal where status = 'open' and kind = 'new'"
            )
        ).all()
    return sorted(
        longer for longer in undecided if any(longer != name and longer.endswith(name) for name in approved)
    )


def _open(connection: Connection, proposal_id: int) -> Row[Any]:
    row = connection.execute(
        text(
            "select status, kind, compound, alias, community, has_units from ops.gazetteer_proposal "
            "where proposal_id = :id for update"
        ),
        {"id": proposal_id},
    ).first()
    if row is None or row.status != "open":
        raise PermanentError(
            f"决定地名库建议 {proposal_id}",
            came="没有这条建议" if row is None else "它已经决定过了",
            expected="待定的建议",
            next_step="用 yihu gazetteer list 查看待定的建议；本次没有任何改动",
        )
    return row


def _in_use(connection: Connection, row: Row[Any], by: str) -> StoredEntry:
    """Write what a proposal says into the gazetteer; the entry as it is now."""
    stored = stored_entry(connection, row.compound, row.community) or StoredEntry(
        Entry(row.compound, row.community or None), _SOURCE
    )
    entry = stored.entry
    if row.alias:
        entry = replace(entry, aliases=tuple(sorted({*entry.aliases, row.alias})))
    elif row.has_units is not None and entry.has_units is None:
        entry = replace(entry, has_units=row.has_units)
    stored = replace(stored, entry=entry, status="approved")
    put_entry(connection, stored, by)
    return stored
