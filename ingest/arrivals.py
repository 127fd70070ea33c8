"""Which list arrived when it was due: `ops.delivery_due`, one row a list and period, as of the business date.

When a period is due is `ingest.periods`; who is told is decided by `quality`.

A period is served by the first loaded or held delivery whose snapshot date lies in it: a delivery that waits for our
own people has arrived. A daily list's delivery serves every day since the one before it, because it brings whatever
happened meanwhile. The clock of a list starts on the day of its first delivery, or on the contract's ``expectedFrom``:
what was due earlier is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

from infra.warehouse import limit_lock_wait, persistent
from infra.working_days import WorkingCalendar
from ingest.contract import Contract, load_contracts
from ingest.periods import due_date, period_of, periods_between


@dataclass(frozen=True)
class Due:
    """A row of `ops.delivery_due`."""

    list_code: str
    period_start: date
    period_end: date
    due_date: date
    is_provisional: bool
    first_delivery_id: int | None
    delivered_at: date | None
    status: str
    days_late: int


@dataclass(frozen=True)
class Arrival:
    """A delivery as far as the clock needs it."""

    delivery_id: int
    snapshot_date: date
    arrived_on: date


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
        arrivals = _arrivals(connection, as_of)
        stored = set(connection.scalars(text("select list_code from ops.contract")))
        rows = [
            row
            for code, contract in sorted(known.items())
            if code in stored
            for row in dues_of(contract, arrivals.get(code, []), as_of, calendar)
        ]
        connection.execute(text("delete from ops.delivery_due"))
        if rows:
            connection.execute(
                text(
                    "insert into ops.delivery_due (list_code, period_start, period_end, due_date, is_provisional, "
                    "first_delivery_id, delivered_at, status, days_late, as_of) values (:list_code, :period_start, "
                    ":period_end, :due_date, :is_provisional, :first_delivery_id, :delivered_at, :status, :days_late, "
                    ":as_of)"
                ),
                [{**vars(row), "as_of": as_of} for row in rows],
            )
    return rows


def dues_of(
    contract: Contract, arrivals: Iterable[Arrival], as_of: date, calendar: WorkingCalendar
) -> list[Due]:
    """The periods of one list from the start of its clock to the business date.

    Args:
        contract: Rhythm, due day and unit, and where the clock may start.
        arrivals: Its deliveries, in any order.
        as_of: Business date.
        calendar: Tells the working days.
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
        arrival = served.get(period.start)
        until = as_of if arrival is None else arrival.arrived_on
        days_late = max(0, (until - due).days)
        if arrival is None:
            status = "missing" if days_late else "pending"
        else:
            status = "late" if days_late else "on_time"
        rows.append(
            Due(
                contract.list_code,
                period.start,
                period.end,
                due,
                is_provisional,
                arrival.delivery_id if arrival else None,
                arrival.arrived_on if arrival else None,
                status,
                days_late,
            )
        )
    return rows


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


def _arrivals(connection: Connection, as_of: date) -> dict[str, list[Arrival]]:
    found: dict[str, list[Arrival]] = {}
    rows: Iterable[Any] = connection.execute(
        text(
            "select list_code, delivery_id, snapshot_date, arrived_on from ops.delivery "
            "join ops.delivery_arrival using (delivery_id) "
            # A list that has not changed since last month may come with the same bytes: it came.
            "where status in ('loaded', 'held', 'duplicate') and snapshot_date is not null and arrived_on <= :as_of "
            # So did one that the visit app was asked for and that had nothing new; told by what came of it last.
            "union all select list_code, last.delivery_id, read_on, read_on from ops.app_read_day as day "
            "join lateral (select delivery_id from ops.delivery where list_code = day.list_code "
            "and status in ('loaded', 'held') and cast(received_at at time zone 'Asia/Shanghai' as date) <= day.read_on "
            "order by received_at desc, delivery_id desc limit 1) as last on true where read_on <= :as_of"
        ),
        {"as_of": as_of},
    )
    for row in rows:
        found.setdefault(row.list_code, []).append(
            Arrival(row.delivery_id, row.snapshot_date, row.arrived_on)
        )
    return found
