"""Which list arrived when it was due: `ops.delivery_due`, one row a list and period, as of the business date.

When a period is due is `ingest.periods`; who is told is decided by `quality`; which communities owe a list that each
of them delivers for itself is `ingest.owing_communities`.

A period is served by the first loaded or held delivery whose snapshot date lies in it: a delivery that waits for our
own people has arrived. A daily list's delivery serves every day since the one before it, because it brings whatever
happened meanwhile. The clock of a list starts on the day of its first delivery, or on the contract's ``expectedFrom``:
what was due earlier is nobody's fault.

A list by community has the same clock for each community (`ops.delivery_due_community`): a delivery serves those it
names, one of the whole street all of them. The list has arrived when the last community has; it is as late as the
latest, and missing while one is. As long as no community is known, the list has one clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

from infra.warehouse import limit_lock_wait, persistent
from infra.working_days import WorkingCalendar
from ingest.contract import Contract, load_contracts
from ingest.owing_communities import OwingCommunity, communities_of_deliveries, owing_communities
from ingest.periods import Period, due_date, period_of, periods_between


@dataclass(frozen=True)
class CommunityDue:
    """A row of `ops.delivery_due_community`, without its period."""

    community_name: str
    first_delivery_id: int | None
    delivered_at: date | None
    status: str
    days_late: int


@dataclass(frozen=True)
class Due:
    """A row of `ops.delivery_due`; `communities` are empty for a list that has one clock."""

    list_code: str
    period_start: date
    period_end: date
    due_date: date
    is_provisional: bool
    first_delivery_id: int | None
    delivered_at: date | None
    status: str
    days_late: int
    communities: tuple[CommunityDue, ...] = ()


@dataclass(frozen=True)
class Arrival:
    """A delivery as far as the clock needs it.

    Attributes:
        communities: Of a list by community, those it serves; None: all of them.
    """

    delivery_id: int
    snapshot_date: date
    arrived_on: date
    communities: frozenset[str] | None = None

    def serves(self, community: str) -> bool:
        """Whether it is of this community, too."""
        return self.communities is None or community in self.communities


@persistent("更新报送时限")
def update_delivery_due(
    engine: Engine, as_of: date, contracts: Mapping[str, Contract] | None = None
) -> list[Due]:
    """Write `ops.delivery_due` anew as of a business date, in one transaction.

    Args:
        engine: The warehouse.
        as_of: Business date; deliveries that arrived later are not seen.
        contracts: The contracts by list code; all of the project when left out.

    Returns:
        The rows, by list and period.
    """
    known = load_contracts() if contracts is None else contracts
    calendar = WorkingCalendar.load()
    with engine.begin() as connection:
        limit_lock_wait(connection)
        stored = set(connection.scalars(text("select list_code from ops.contract")))
        lists = [contract for code, contract in sorted(known.items()) if code in stored]
        partial = [contract for contract in lists if contract.is_partial]
        arrivals = _arrivals(
            connection,
            as_of,
            {each.list_code: communities_of_deliveries(connection, each, as_of) for each in partial},
        )
        owing = {each.list_code: owing_communities(connection, each, as_of, stored) for each in partial}
        rows = [
            row
            for each in lists
            for row in dues_of(
                each, arrivals.get(each.list_code, []), as_of, calendar, owing.get(each.list_code, ())
            )
        ]
        connection.execute(text("delete from ops.delivery_due"))
        _write(connection, rows, as_of)
    return rows


def dues_of(
    contract: Contract,
    arrivals: Iterable[Arrival],
    as_of: date,
    calendar: WorkingCalendar,
    communities: Sequence[OwingCommunity] = (),
) -> list[Due]:
    """The periods of one list from the start of its clock to the business date.

    Args:
        contract: Rhythm, due day and unit, and where the clock may start.
        arrivals: Its deliveries, in any order.
        as_of: Business date.
        calendar: Tells the working days.
        communities: Who owes it, when each community delivers for itself.
    """
    in_order = sorted(arrivals, key=lambda arrival: (arrival.arrived_on, arrival.delivery_id))
    begin = contract.expected_from or (in_order[0].arrived_on if in_order else None)
    if begin is None or begin > as_of:
        return []
    # A period that began, or even ended, before the clock may still be due after it.
    first_day = period_of(contract.rhythm, begin).start
    if contract.is_due_after_period:
        first_day = period_of(contract.rhythm, first_day - timedelta(days=1)).start
    served = _served(contract.rhythm, in_order, first_day)
    served_of = {
        community.name: _served(
            contract.rhythm, (each for each in in_order if each.serves(community.name)), first_day
        )
        for community in communities
    }
    rows = []
    for period in periods_between(contract.rhythm, first_day, as_of):
        due, is_provisional = due_date(
            period,
            contract.due_day,
            contract.due_unit,
            calendar,
            is_after=contract.is_due_after_period,
        )
        if due < begin:
            continue
        told = tuple(
            _told(community.name, arrival, due, as_of)
            for community in communities
            if (arrival := served_of[community.name].get(period.start)) is not None
            or _owes(community, period, due)
        )
        if communities and not told:
            continue  # of nobody is anybody left
        whole = _all_of(told) if told else _told("", served.get(period.start), due, as_of)
        rows.append(
            Due(
                contract.list_code,
                period.start,
                period.end,
                due,
                is_provisional,
                whole.first_delivery_id,
                whole.delivered_at,
                whole.status,
                whole.days_late,
                told,
            )
        )
    return rows


def _owes(community: OwingCommunity, period: Period, due: date) -> bool:
    """Whether a community that has not delivered for a period should have."""
    if community.gone_from is not None and community.gone_from <= period.end:
        return False
    return community.known_from <= due


def _told(community: str, arrival: Arrival | None, due: date, as_of: date) -> CommunityDue:
    until = as_of if arrival is None else arrival.arrived_on
    days_late = max(0, (until - due).days)
    if arrival is None:
        return CommunityDue(community, None, None, "missing" if days_late else "pending", days_late)
    status = "late" if days_late else "on_time"
    return CommunityDue(community, arrival.delivery_id, arrival.arrived_on, status, days_late)


def _all_of(communities: Sequence[CommunityDue]) -> CommunityDue:
    """The list as a whole: one that is not here yet, else the one that came last."""
    return max(
        communities,
        key=lambda each: (
            each.delivered_at is None,
            each.delivered_at or date.min,
            each.first_delivery_id or 0,
        ),
    )


def _served(rhythm: str, in_order: Iterable[Arrival], first_day: date) -> dict[date, Arrival]:
    """The first arrival of each period, by the period's first day."""
    served: dict[date, Arrival] = {}
    open_from = first_day
    for arrival in in_order:
        if rhythm == "daily":
            for period in periods_between(rhythm, open_from, arrival.snapshot_date):
                served[period.start] = arrival
                open_from = max(open_from, period.end + timedelta(days=1))
        else:
            served.setdefault(period_of(rhythm, arrival.snapshot_date).start, arrival)
    return served


def _arrivals(
    connection: Connection, as_of: date, named: Mapping[str, Mapping[int, frozenset[str]]]
) -> dict[str, list[Arrival]]:
    """Deliveries by list; `named` has the lists by community, and the communities of their deliveries."""
    found: dict[str, list[Arrival]] = {}
    rows: Iterable[Any] = connection.execute(
        text(
            "select delivery.list_code, delivery.delivery_id, delivery.snapshot_date, arrived_on, "
            # What a delivery that is not loaded speaks for is not settled yet.
            "coalesce(original.status, delivery.status) = 'loaded' "
            "and coalesce(original.coverage, delivery.coverage) = 'whole' as is_whole from ops.delivery as delivery "
            "join ops.delivery_arrival using (delivery_id) "
            "left join ops.delivery as original on original.delivery_id = delivery.duplicate_of "
            # A list that has not changed since last month may come with the same bytes: it came.
            "where delivery.status in ('loaded', 'held', 'duplicate') and delivery.snapshot_date is not null "
            "and arrived_on <= :as_of "
            # So did one that the visit app was asked for and that had nothing new; told by what came of it last.
            "union all select list_code, last.delivery_id, read_on, read_on, true from ops.app_read_day as day "
            "join lateral (select delivery_id from ops.delivery where list_code = day.list_code "
            "and status in ('loaded', 'held') and cast(received_at at time zone 'Asia/Shanghai' as date) <= day.read_on "
            "order by received_at desc, delivery_id desc limit 1) as last on true where read_on <= :as_of"
        ),
        {"as_of": as_of},
    )
    for row in rows:
        communities = None
        if row.list_code in named and not row.is_whole:
            communities = named[row.list_code].get(row.delivery_id, frozenset())
        found.setdefault(row.list_code, []).append(
            Arrival(row.delivery_id, row.snapshot_date, row.arrived_on, communities)
        )
    return found


def _write(connection: Connection, rows: Sequence[Due], as_of: date) -> None:
    if not rows:
        return
    connection.execute(
        text(
            "insert into ops.delivery_due (list_code, period_start, period_end, due_date, is_provisional, "
            "first_delivery_id, delivered_at, status, days_late, as_of) values (:list_code, :period_start, "
            ":period_end, :due_date, :is_provisional, :first_delivery_id, :delivered_at, :status, :days_late, "
            ":as_of)"
        ),
        [
            {name: value for name, value in vars(row).items() if name != "communities"} | {"as_of": as_of}
            for row in rows
        ],
    )
    told = [
        {"list_code": row.list_code, "period_start": row.period_start, **vars(community)}
        for row in rows
        for community in row.communities
    ]
    if told:
        connection.execute(
            text(
                "insert into ops.delivery_due_community (list_code, period_start, community_name, first_delivery_id, "
                "delivered_at, status, days_late) values (:list_code, :period_start, :community_name, "
                ":first_delivery_id, :delivered_at, :status, :days_late)"
            ),
            told,
        )
