"""When a readable delivery waits for a person: the guards of its contract, against what is loaded.

A guard tells that the data may be wrong, not the layout. Nothing is thrown away: the rows of a held delivery are
stored, and staging does not read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from ingest.contract import Contract


@dataclass(frozen=True)
class DeliveryCounts:
    """What the guards need to know of a delivery's rows; the rows themselves may still stream past.

    Attributes:
        accepted: Rows that can be used.
        quarantined: Rows that cannot, footers included.
        footers: Totals and footers among them: no sign of bad data.
        communities: Accepted rows by community; None for rows that name none. Empty when the list has no such column.
    """

    accepted: int
    quarantined: int
    footers: int
    communities: Mapping[str | None, int]


@dataclass(frozen=True)
class Hold:
    """Why a delivery is held: machine name and Chinese sentence with figures, never a value of a row."""

    code: str
    reason: str


def hold_reason(
    connection: Connection,
    contract: Contract,
    counts: DeliveryCounts,
    snapshot_date: date,
    missing: list[str],
) -> Hold | None:
    """The first guard that the delivery trips, or None."""
    if missing:
        headers = "、".join(f"“{column.header}”" for column in contract.columns if column.name in missing)
        return Hold(
            "required_column_missing",
            f"缺少必需的栏：{headers}。请补上该栏后重新报送；若表头改了名字，请联系数据人员登记新的叫法，再重新放入同一文件。",
        )
    return (
        _too_many_quarantined(contract, counts)
        or _older_snapshot(connection, contract, snapshot_date)
        or _count_far_off(connection, contract, counts)
        or _community_missing(connection, contract, counts)
    )


def _too_many_quarantined(contract: Contract, counts: DeliveryCounts) -> Hold | None:
    bad = counts.quarantined - counts.footers
    total = counts.accepted + bad
    if not total or bad / total <= contract.guards.quarantined_ratio:
        return None
    return Hold(
        "too_many_quarantined",
        f"{total} 行数据中有 {bad} 行不能使用（{bad / total:.1%}，上限 {contract.guards.quarantined_ratio:.0%}）。"
        "请按回执改正后重新报送，或由数据人员确认放行。",
    )


def _older_snapshot(connection: Connection, contract: Contract, snapshot_date: date) -> Hold | None:
    if not contract.guards.holds_older_snapshot:
        return None
    newest = connection.scalar(
        text(
            "select max(snapshot_date) from ops.delivery where list_code = :list_code and status = 'loaded'"
        ),
        {"list_code": contract.list_code},
    )
    if newest is None or snapshot_date >= newest:
        return None
    return Hold(
        "older_snapshot",
        f"清单日期 {snapshot_date} 早于已接收的 {newest}。若确要补报旧清单，请由数据人员确认放行。",
    )


def _count_far_off(connection: Connection, contract: Contract, counts: DeliveryCounts) -> Hold | None:
    if not contract.is_snapshot:
        return None
    last = _last_loaded(connection, contract.list_code)
    if last is None:
        return None
    before, now = last.accepted_count, counts.accepted
    change = abs(now - before)
    guards = contract.guards
    if change < guards.count_change_minimum or change <= before * guards.count_change_ratio:
        return None
    word = "多" if now > before else "少"
    return Hold(
        "count_far_off",
        f"本次 {now} 行，上次 {before} 行，{word}了 {change} 行（上限 {guards.count_change_ratio:.0%}）。"
        "请核对清单是否完整、是否重复；确认无误后由数据人员放行。",
    )


def _community_missing(connection: Connection, contract: Contract, counts: DeliveryCounts) -> Hold | None:
    guards = contract.guards
    if (
        not guards.holds_missing_community
        or not contract.is_snapshot
        or contract.column("community_name") is None
    ):
        return None
    last = _last_loaded(connection, contract.list_code)
    if last is None:
        return None
    # The table name comes from a contract of ours, whose names are identifiers.
    before: dict[str, int] = dict(
        connection.execute(
            text(
                f"select community_name, count(*) from raw.{contract.list_code} "
                "where delivery_id = :delivery_id and community_name is not null group by community_name"
            ),
            {"delivery_id": last.delivery_id},
        ).all()
    )
    gone = sorted(
        name
        for name, count in before.items()
        if count >= guards.missing_community_minimum and not counts.communities.get(name)
    )
    if not gone:
        return None
    return Hold(
        "community_missing",
        f"上次有、这次没有的社区：{'、'.join(gone)}。请核对是否漏报；确认无误后由数据人员放行。",
    )


@dataclass(frozen=True)
class _LastDelivery:
    delivery_id: int
    accepted_count: int


def _last_loaded(connection: Connection, list_code: str) -> _LastDelivery | None:
    row = connection.execute(
        text(
            "select delivery_id, accepted_count from ops.delivery where list_code = :list_code and status = 'loaded' "
            "order by snapshot_date desc, received_at desc, delivery_id desc limit 1"
        ),
        {"list_code": list_code},
    ).first()
    return None if row is None else _LastDelivery(row.delivery_id, row.accepted_count)
