"""Mails to the departments that deliver lists: their receipts, and reminders of what is due.

At most one mail to the same people in a quarter of an hour (reliability.md F32): what comes up meanwhile joins the mail
that waits. Receipts are files written by `ingest` and rows of `ops.receipt`; here they are only put into mails. Data
staff are told of late and missing lists by `due_drafts`. What a mail says is `quality.supplier_messages`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from infra.clock import utc_now
from infra.errors import PermanentError
from infra.settings import Settings
from infra.warehouse import persistent
from quality.drafts import Draft, digest_of, known_facts, lock_queue, store
from quality.messages import Attachment
from quality.suppliers import Suppliers, load_suppliers

SUPPLIER: Final = "supplier"
_PAUSE: Final = timedelta(minutes=15)
# Bytes: what mail servers of offices take without asking. Larger receipts lie in the outbox folder only.
_LARGEST_ATTACHED: Final = 1_000_000
_MOST_ATTACHED: Final = 5_000_000


@dataclass(frozen=True)
class SupplierMails:
    """What became of the receipts that waited for a mail; `message` says it in Chinese."""

    mail_count: int
    receipt_count: int
    unaddressed_count: int
    message: str


@dataclass(frozen=True)
class _Fact:
    """One thing to tell a supplier: a receipt (`receipts`) or a list that is due (`dues`).

    Of a list by community it is one thing, and one key, for each community.
    """

    keys: Sequence[str]
    department: str
    list_code: str
    part: str
    item: Mapping[str, Any]


@persistent("登记给报送单位的邮件")
def queue_supplier_mails(
    engine: Engine, suppliers: Suppliers | None, as_of: date, now: datetime | None = None
) -> SupplierMails:
    """Put receipts not mailed yet, and reminders, into the outbox; one transaction.

    Receipts for whom there is no recipient are marked as not mailed: they lie in the outbox folder.

    Args:
        engine: The warehouse.
        suppliers: Who gets what; None when no file is set.
        as_of: Business date the reminders are counted from.
        now: The instant to take as now; the clock's when left out.
    """
    instant = now or utc_now()
    with engine.begin() as connection:
        lock_queue(connection)
        receipts = connection.execute(_WAITING_RECEIPTS).all()
        reminders = _reminders(connection, suppliers, as_of) if suppliers else []
        groups: dict[str, list[_Fact]] = {}
        alert_of_group: dict[str, int] = {}
        for fact in [*map(_receipt_fact, receipts), *reminders]:
            if suppliers and suppliers.recipients(fact.department, fact.list_code):
                groups.setdefault(suppliers.group(fact.department, fact.list_code), []).append(fact)
        for group, facts in groups.items():
            alert_of_group[group] = _queue(connection, group, facts, suppliers, instant)
        unaddressed = 0
        for row in receipts:
            group = suppliers.group(row.department, row.list_code) if suppliers else ""
            alert_id = alert_of_group.get(group)
            unaddressed += alert_id is None
            connection.execute(
                text(
                    "update ops.receipt set mail_state = :mail_state, alert_id = :alert_id "
                    "where delivery_id = :delivery_id and mail_state = 'waiting'"
                ),
                {
                    "mail_state": "none" if alert_id is None else "queued",
                    "alert_id": alert_id,
                    "delivery_id": row.delivery_id,
                },
            )
    return SupplierMails(
        len(groups),
        len(receipts) - unaddressed,
        unaddressed,
        _message(suppliers, len(groups), len(receipts) - unaddressed, unaddressed),
    )


def suppliers_of(engine: Engine, path: Path | None) -> Suppliers | None:
    """The suppliers of the file named in the settings; None when none is named.

    Raises:
        PermanentError: The file is wrong.
    """
    if path is None:
        return None
    with engine.connect() as connection:
        return load_suppliers(path, connection)


def due_drafts(connection: Connection, refresh_id: int | None, known: set[str]) -> Iterator[Draft]:
    """One alert of what came late or is missing and was not told before, for data staff.

    The days a daily list is away in a row are one fact, or its absence would be told every day.
    """
    rows = [
        row
        for row in connection.execute(_LATE_AND_MISSING).all()
        # What is held waits for data staff themselves, who are told by a mail of its own.
        if _due_keys("due", row) - known and not _is_held(row)
    ]
    if not rows:
        return
    facts = [key for row in rows for key in sorted(_due_keys("due", row))]
    occasion = f"refresh {refresh_id}" if refresh_id is not None else digest_of("\n".join(sorted(facts)))
    yield Draft(
        "due",
        f"due:{occasion}",
        facts,
        {"as_of": rows[0].as_of.isoformat(), "items": [_due_item(row) for row in rows]},
    )


def address_supplier_mail(
    engine: Engine, row: Row[Any], settings: Settings
) -> tuple[tuple[str, ...], list[Attachment]]:
    """Who gets a mail of the outbox, and the receipts that go with it as far as they are small.

    Args:
        engine: The warehouse.
        row: The row of `ops.alert`: ``alert_id``, ``payload``.
        settings: Where the receipts lie and who the suppliers are.

    Raises:
        PermanentError: There is nobody to send it to any more, or the file of the suppliers is wrong.
    """
    suppliers = suppliers_of(engine, settings.suppliers)
    payload = row.payload
    recipients = suppliers.recipients(payload["department"], payload["list_code"]) if suppliers else ()
    if not recipients:
        raise PermanentError(
            f"给报送部门发邮件 {row.alert_id}",
            came=f"部门 {payload['department'][:40]} 没有联系人",
            expected="YIHU_SUPPLIERS 文件中有它的收件地址",
            next_step="补上地址后执行 yihu alerts --again",
        )
    with engine.connect() as connection:
        paths = connection.execute(_PATHS_OF_MAIL, {"alert_id": row.alert_id}).all()
    attachments: list[Attachment] = []
    room = _MOST_ATTACHED
    for receipt in paths:
        file = settings.outbox / receipt.path
        # The supplier may have taken the file away: then it has it.
        if not file.is_file() or file.stat().st_size > min(room, _LARGEST_ATTACHED):
            continue
        content = file.read_bytes()
        room -= len(content)
        attachments.append(Attachment(f"回执-{receipt.delivery_id}-第{receipt.version}版.xlsx", content))
    return recipients, attachments


def _queue(
    connection: Connection,
    group: str,
    facts: Sequence[_Fact],
    suppliers: Suppliers | None,
    now: datetime,
) -> int:
    """Put facts into the mail of the group that waits untried, else into a new one; returns the alert's id."""
    open_mail = connection.execute(_OPEN_MAIL, {"kind": SUPPLIER, "group": group}).first()
    department = facts[0].department
    payload: dict[str, Any] = (
        dict(open_mail.payload) if open_mail else {"receipts": [], "dues": [], "fact_keys": []}
    )
    keys = list(dict.fromkeys([*payload.pop("fact_keys"), *(key for fact in facts for key in fact.keys)]))
    payload |= {
        "group": group,
        "department": department,
        "list_code": facts[0].list_code if "/" in group else None,
        "department_name": suppliers.departments[department].name if suppliers else department,
    }
    for part, identity in (("receipts", "delivery_id"), ("dues", "fact")):
        # A newer receipt of a delivery takes the place of the one not sent yet.
        items = {item[identity]: item for item in payload[part]}
        for fact in facts:
            if fact.part == part:
                items.pop(fact.item[identity], None)
                items[fact.item[identity]] = fact.item
        payload[part] = list(items.values())
    draft = Draft(
        SUPPLIER,
        f"supplier:{group}:{digest_of(''.join(keys))}",
        keys,
        payload,
        _earliest(connection, group, now),
    )
    if open_mail is None:
        alert_id = store(connection, draft)
        assert alert_id is not None, "facts are queued once, so no other mail has just these"
        return alert_id
    connection.execute(
        text(
            "update ops.alert set payload = cast(:payload as jsonb), dedupe_key = :dedupe_key, "
            "message_id = :message_id where alert_id = :alert_id"
        ),
        {
            "payload": draft.stored_payload,
            "dedupe_key": draft.dedupe_key,
            # Another mail than the one it was: nobody has seen that one.
            "message_id": draft.message_id,
            "alert_id": open_mail.alert_id,
        },
    )
    return int(open_mail.alert_id)


def _earliest(connection: Connection, group: str, now: datetime) -> datetime:
    last: datetime | None = connection.scalar(
        text(
            "select max(coalesce(sent_at, next_attempt_at)) from ops.alert "
            "where kind = :kind and payload ->> 'group' = :group and status <> 'dead'"
        ),
        {"kind": SUPPLIER, "group": group},
    )
    return now if last is None else max(now, last + _PAUSE)


def _receipt_fact(row: Row[Any]) -> _Fact:
    item = {
        "delivery_id": row.delivery_id,
        "version": row.version,
        "list_title": row.list_title,
        "status": row.status,
        "reason": row.reason,
        "row_count": row.row_count,
        "accepted_count": row.accepted_count,
        "quarantined_count": row.quarantined_count,
        "warning_count": row.warning_count,
        "received_at": row.received_at.isoformat(),
        "reason_code": row.reason_code,
        "is_snapshot": row.is_snapshot,
        "waiting_communities": row.waiting_communities,
        "kinds": json.loads(row.kinds) if isinstance(row.kinds, str) else row.kinds,
    }
    key = f"receipt:{row.delivery_id}:{row.version}"
    return _Fact([key], row.department, row.list_code, "receipts", item)


def _reminders(connection: Connection, suppliers: Suppliers, as_of: date) -> list[_Fact]:
    """Lists that are due soon or missing and of which their supplier was not told before."""
    known = known_facts(connection)
    rows = connection.execute(
        _LATE_AND_MISSING_OR_SOON, {"remind_from": as_of + timedelta(days=suppliers.remind_days_before)}
    ).all()
    facts = []
    for row in rows:
        keys = _due_keys("reminder", row)
        if _is_held(row):
            # Another fact: should it be refused, the list is missing, and that was not told.
            told, keys = keys, _due_keys("reminder_held", row)
            if not told - known:
                continue
        if keys - known:
            item = {**_due_item(row), "fact": row.fact}
            facts.append(_Fact(sorted(keys), row.department, row.list_code, "dues", item))
    return facts


def _is_held(row: Row[Any]) -> bool:
    """Whether the whole list is here and waits for a person; of communities nobody knows which of them it names."""
    return row.status in ("missing", "pending") and row.held_delivery_id is not None and not _days_late(row)


def _due_keys(kind: str, row: Row[Any]) -> set[str]:
    """What is told by telling this: a list, or each of the communities that owe it."""
    return {f"{kind}:{row.fact}:{name}" for name in _days_late(row)} or {f"{kind}:{row.fact}"}


def _days_late(row: Row[Any]) -> dict[str, int]:
    """Communities in the state that the list is in, with their days; none of a list that has one clock."""
    days: dict[str, int] = {}
    for community in (each for period in row.communities or () for each in period):
        days[community["name"]] = max(days.get(community["name"], 0), community["days_late"])
    return days


def _due_item(row: Row[Any]) -> dict[str, Any]:
    return {
        "list_code": row.list_code,
        "list_title": row.title,
        "department": row.department,
        "status": row.status,
        "first_day": row.first_day.isoformat(),
        "last_day": row.last_day.isoformat(),
        "due_date": row.due_date.isoformat(),
        "days_late": row.days_late,
        "delivery_id": row.delivery_id,
        "is_provisional": row.is_provisional,
        "communities": _days_late(row),
        "held_delivery_id": row.held_delivery_id,
        "is_held": _is_held(row),
    }


def _message(suppliers: Suppliers | None, mail_count: int, receipt_count: int, unaddressed_count: int) -> str:
    if suppliers is None:
        return "没有设置 YIHU_SUPPLIERS：回执只写入发件箱文件夹，不给报送部门发邮件"
    told = f"{receipt_count} 份回执排入 {mail_count} 封邮件"
    return told + (f"；{unaddressed_count} 份没有联系人，只写入发件箱文件夹" if unaddressed_count else "")


_PATHS_OF_MAIL: Final = text("""
    select delivery_id, version, path from ops.receipt as receipt
    where
        alert_id = :alert_id
        -- The file is that of the newest receipt: an overtaken one goes with the later mail.
        and version = (
            select max(newest.version) from ops.receipt as newest where newest.delivery_id = receipt.delivery_id
        )
    order by delivery_id
""")

_OPEN_MAIL: Final = text("""
    select alert_id, payload from ops.alert
    where kind = :kind and payload ->> 'group' = :group and status = 'waiting' and attempts = 0
    order by alert_id
    limit 1
    for update skip locked
""")

_WAITING_RECEIPTS: Final = text("""
    select
        receipt.delivery_id, receipt.version, delivery.department, delivery.list_code, delivery.status,
        delivery.reason_code, delivery.reason, delivery.accepted_count,
        -- Footers are no data.
        delivery.quarantined_count - footer.row_count as quarantined_count,
        delivery.row_count - footer.row_count as row_count, delivery.warning_count, delivery.received_at,
        coalesce(contract.title, '未归入清单') as list_title,
        coalesce(contract.semantics = 'snapshot', false) as is_snapshot,
        array(
            select hold.community_name from ops.partition_hold as hold
            where hold.delivery_id = delivery.delivery_id and hold.status = 'open' order by hold.community_name
        ) as waiting_communities,
        (
            select coalesce(jsonb_agg(jsonb_build_object(
                'count', kind.row_count, 'header', kind.header, 'problem', kind.problem, 'remedy', kind.remedy
            ) order by kind.place), '[]'::jsonb)
            from (
                select
                    said.problem, said.remedy, col.header,
                    -- A column that is missing is one fault of the file.
                    case when note.rule = 'required_column_missing' then 1 else count(*) end as row_count,
                    -- In the order of the receipt: first what could not be used.
                    row_number() over (
                        order by
                            bool_or(note.rule = 'required_column_missing') desc, note.is_aside desc,
                            count(*) desc, note.rule, note.column_name
                    ) as place
                from (
                    select rule, column_name, true as is_aside from ops.quarantined_row
                    where quarantined_row.delivery_id = receipt.delivery_id
                    union all
                    select rule, column_name, false from ops.row_warning
                    where row_warning.delivery_id = receipt.delivery_id
                ) as note
                left join ops.row_rule as rule on rule.rule = note.rule
                left join lateral (
                    select wording.problem, wording.remedy from ops.rule_wording as wording
                    where
                        wording.list_code = delivery.list_code and wording.rule = note.rule
                        and wording.column_name in ('', note.column_name)
                    order by wording.column_name
                    limit 1
                ) as own on not note.is_aside
                cross join lateral (
                    select coalesce(own.problem, rule.problem) as problem, coalesce(own.remedy, rule.remedy) as remedy
                ) as said
                left join ops.contract_column as col
                    on col.list_code = delivery.list_code and col.column_name = note.column_name
                -- Total rows, and a refusal of the whole, are no fault of a row.
                where said.problem is not null and (rule.rule is null or rule.dimension is not null)
                group by note.rule, note.column_name, note.is_aside, said.problem, said.remedy, col.header
                order by place
                limit 5
            ) as kind
        ) as kinds
    from ops.receipt
    inner join ops.delivery on delivery.delivery_id = receipt.delivery_id
    left join ops.contract on contract.list_code = delivery.list_code
    cross join lateral (
        select count(*) as row_count from ops.quarantined_row as aside
        where aside.delivery_id = delivery.delivery_id and aside.rule = 'total_row'
    ) as footer
    where
        receipt.mail_state = 'waiting'
        and receipt.version = (
            select max(newest.version) from ops.receipt as newest where newest.delivery_id = receipt.delivery_id
        )
    order by receipt.delivery_id
""")

# One row a fact: a period, or for a daily list the days away in a row, or the days one delivery brought too late.
_DUE_FACTS: Final = """
    select
        fact.list_code, contract.title, contract.department, fact.status, fact.as_of,
        min(fact.period_start) as first_day, max(fact.period_end) as last_day, min(fact.due_date) as due_date,
        max(fact.days_late) as days_late, max(fact.first_delivery_id) as delivery_id,
        bool_or(fact.is_provisional) as is_provisional, max(fact.held_delivery_id) as held_delivery_id,
        jsonb_agg(fact.communities) filter (where fact.communities is not null) as communities,
        concat_ws(':', fact.list_code, fact.status, coalesce(max(fact.first_delivery_id)::text, ''),
            min(fact.period_start)) as fact
    from (
        select
            due.*,
            (
                select jsonb_agg(
                    jsonb_build_object('name', community.community_name, 'days_late', community.days_late)
                    order by community.community_name
                )
                from ops.delivery_due_community as community
                where
                    community.list_code = due.list_code and community.period_start = due.period_start
                    and community.status = due.status
            ) as communities,
            -- It came for the period and waits; of a file that nobody can open, the day it came is all there is.
            (
                select max(held.delivery_id) from ops.delivery as held
                inner join ops.delivery_arrival as arrival on arrival.delivery_id = held.delivery_id
                where
                    held.list_code = due.list_code and held.status = 'held'
                    and coalesce(held.snapshot_date, arrival.arrived_on) >= due.period_start
                    and coalesce(held.snapshot_date, arrival.arrived_on) <= case
                        when held.snapshot_date is null then greatest(due.period_end, due.as_of) else due.period_end
                    end
            ) as held_delivery_id,
            case
                when contract.rhythm <> 'daily' then due.period_start::text
                when due.first_delivery_id is not null then due.first_delivery_id::text
                else (
                    due.period_start - row_number() over (
                        partition by due.list_code, due.status, due.first_delivery_id is null
                        order by due.period_start
                    )::integer
                )::text
            end as island
        from ops.delivery_due as due
        inner join ops.contract on contract.list_code = due.list_code
        where {condition}
    ) as fact
    inner join ops.contract on contract.list_code = fact.list_code
    group by fact.list_code, contract.title, contract.department, fact.status, fact.as_of, fact.island
    order by max(fact.days_late) desc, fact.list_code, min(fact.period_start)
"""
_LATE_AND_MISSING: Final = text(_DUE_FACTS.format(condition="due.status in ('late', 'missing')"))
# Whoever works every day needs no word that a day is due.
_LATE_AND_MISSING_OR_SOON: Final = text(
    _DUE_FACTS.format(
        condition="due.status = 'missing' or (due.status = 'pending' and due.due_date <= :remind_from"
        " and contract.rhythm <> 'daily')"
    )
)
