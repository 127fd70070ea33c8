"""The outbox of alert mails: facts in the tables become alerts once, alerts become mails once.

`queue_alerts` looks at deliveries, checks, verdicts and refreshes and writes rows of `ops.alert`;
`deliver_alerts` hands them to the mail server. What a mail says is `quality.messages`, how it is sent
`infra.mail`. At most one mail of a kind and list comes of a refresh, however many facts there are; each row
remembers its facts (`payload.fact_keys`), and a fact in any row is never alerted again. Mails to the departments
themselves are queued by `quality.supplier_mails` and sent here.

A mail is sent at least once and practically once: only a crash between the server's "250" and our mark, or a
server that accepts and then hangs up, makes a second one, with the same Message-ID.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from typing import Any, Final

from jinja2 import TemplateError
from sqlalchemy import Connection, Engine, Row, text

from infra.clock import utc_now
from infra.errors import PermanentError, TransientError
from infra.mail import MailTransport
from infra.settings import Settings
from infra.warehouse import persistent
from quality.backlog import gather_backlog
from quality.drafts import Draft, digest_of, known_facts, lock_queue, store
from quality.messages import Alert, build_message
from quality.supplier_mails import SUPPLIER, address_supplier_mail, due_drafts

# How long a sender may take before another may take its mail over: far longer than the transport's timeouts.
_LEASE: Final = timedelta(minutes=5)
_FIRST_BACK_OFF: Final = timedelta(minutes=1)
_LONGEST_BACK_OFF: Final = timedelta(hours=1)
# Two mails in a row that cannot be handed over are the server's trouble, not the mails'.
_FAILURES_THAT_END_A_PASS: Final = 2

_SUITE_TITLES: Final = {"delivery": "来件", "staging": "暂存", "master": "主档"}


@dataclass(frozen=True)
class DeliveryReport:
    """What became of the outbox in one pass; `message` says it in Chinese."""

    sent_count: int
    waiting_count: int
    dead_count: int
    is_configured: bool
    message: str


@persistent("登记提醒邮件")
def queue_alerts(engine: Engine, refresh_id: int | None = None) -> int:
    """Write an alert for everything that calls for one and has none yet; returns how many were written.

    Held and refused deliveries, communities of a loaded one that wait, late and missing lists, failed checks of the refresh, verdicts that are no pass, failed
    refreshes, and when the visit app's database went and came back, whenever they happened: what a crash kept from being queued is queued by the next call.
    """
    with engine.begin() as connection:
        lock_queue(connection)
        known = known_facts(connection)
        drafts = [
            *_delivery_drafts(connection, refresh_id, known),
            *_check_drafts(connection, refresh_id, known),
            *_verdict_drafts(connection, known),
            *_refresh_drafts(connection, known),
            *due_drafts(connection, refresh_id, known),
            *_outage_drafts(connection, known),
        ]
        return sum(store(connection, draft) is not None for draft in drafts)


def queue_failed_archive(engine: Engine, quarter_start: date, run_id: str) -> int:
    """Write an alert that a run did not freeze the archive of a quarter; 0 when that run was alerted before."""
    fact = f"archive:{run_id}"
    draft = Draft("archive", fact, [fact], {"quarter_start": quarter_start.isoformat()})
    with engine.begin() as connection:
        return int(store(connection, draft) is not None)


def deliver_alerts(
    engine: Engine, transport: MailTransport | None, settings: Settings, now: datetime | None = None
) -> DeliveryReport:
    """Send the alerts that are due, oldest first; safe with several workers at once.

    Many that an earlier refresh left unsent go as one catch-up mail (`quality.backlog`).

    "Later" (4xx) and lost connections leave an alert waiting with a growing pause, "never" (5xx) ends it as
    dead. Without a transport or recipients everything stays waiting, and the report says so.

    Args:
        now: The instant to take as now; the clock's when left out.
    """
    if transport is None or not settings.alert_recipients:
        return _report(engine, 0, 0, is_configured=False)
    gather_backlog(engine)
    sent_count = dead_count = failures = 0
    last_id = 0
    while failures < _FAILURES_THAT_END_A_PASS:
        instant = now or utc_now()
        row = _claim(engine, instant, after=last_id)
        if row is None:
            break
        last_id = row.alert_id
        try:
            refused_count = transport.send(_message(engine, row, settings))
        except TransientError as error:
            failures += 1
            _mark_waiting(engine, row, str(error), instant, server_is_down=failures > 1)
        except PermanentError as error:
            dead_count += 1
            _mark(engine, row, "dead", str(error), None)
        else:
            failures = 0
            sent_count += 1
            note = f"{refused_count} 个收件人被服务器拒绝" if refused_count else None
            _mark(engine, row, "sent", note, instant)
    return _report(engine, sent_count, dead_count, is_configured=True)


def revive_alerts(engine: Engine) -> int:
    """Put dead alerts back into the queue, once what refused them is mended; returns how many."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                "update ops.alert set status = 'waiting', attempts = 0, next_attempt_at = now()"
                " where status = 'dead'"
            )
        ).rowcount


# Facts --------------------------------------------------------------------------------------------------------


def _delivery_drafts(connection: Connection, refresh_id: int | None, known: set[str]) -> Iterator[Draft]:
    rows = connection.execute(
        text(
            """
            select
                delivery.delivery_id, delivery.list_code, coalesce(contract.title, '未归入清单') as list_title,
                delivery.status, coalesce(delivery.reason, '未注明') as reason, delivery.row_count,
                delivery.accepted_count, delivery.received_at, delivery.reason_code,
                coalesce(contract.semantics = 'snapshot', false) as is_snapshot,
                delivery.delivery_id || ':' || delivery.status as fact
            from ops.delivery as delivery
            left join ops.contract as contract on contract.list_code = delivery.list_code
            where
                delivery.status in ('held', 'refused')
                -- What a later delivery corrected asks for nothing.
                and delivery.reason_code is distinct from 'superseded'
            union all
            -- Loaded, and of some communities it does not speak until a person says so.
            select
                delivery.delivery_id, delivery.list_code, coalesce(contract.title, '未归入清单'), 'community',
                string_agg(
                    hold.community_name || '（上次 ' || hold.last_row_count || ' 行，这次 ' || hold.row_count || ' 行）',
                    '、' order by hold.community_name
                ) || '；其余社区已接收，这些社区仍沿用以前的行',
                delivery.row_count, delivery.accepted_count, delivery.received_at, null, true,
                concat_ws(':', delivery.delivery_id, 'community')
            from ops.delivery as delivery
            inner join ops.partition_hold as hold on hold.delivery_id = delivery.delivery_id and hold.status = 'open'
            left join ops.contract as contract on contract.list_code = delivery.list_code
            where delivery.status = 'loaded'
            group by delivery.delivery_id, contract.title
            order by delivery_id
            """
        )
    ).all()
    for list_code, group in _grouped(rows, "list_code", "delivery", known).items():
        yield _digest(
            "delivery",
            list_code,
            refresh_id,
            group,
            {
                "list_title": next(iter(group.values())).list_title,
                "items": [
                    {
                        "delivery_id": row.delivery_id,
                        "status": row.status,
                        "reason": row.reason,
                        "row_count": row.row_count,
                        "accepted_count": row.accepted_count,
                        "reason_code": row.reason_code,
                        "is_snapshot": row.is_snapshot,
                        "received_at": row.received_at.isoformat(),
                    }
                    for row in group.values()
                ],
            },
        )


def _check_drafts(connection: Connection, refresh_id: int | None, known: set[str]) -> Iterator[Draft]:
    """Failed checks: an error is a new fact on every business date, a warning once a month.

    A delivery's rows never change, so neither does what was found in them: once for ever.
    """
    if refresh_id is None:
        return
    rows = connection.execute(
        text(
            """
            select
                result.suite, result.table_name, result.check_name, result.title, result.severity,
                result.checked_count, result.failed_count, refresh.as_of,
                result.detail ->> 'problem' as problem,
                result.detail ->> 'delivery_id' as delivery_id,
                coalesce(result.detail ->> 'list_code', result.suite) as list_or_suite,
                contract.title as list_title,
                concat_ws(
                    ':', result.table_name, result.check_name,
                    case
                        when result.suite = 'delivery' then 'delivery ' || (result.detail ->> 'delivery_id')
                        when result.severity = 'error' then to_char(refresh.as_of, 'YYYY-MM-DD')
                        else to_char(refresh.as_of, 'YYYY-MM')
                    end
                ) as fact
            from quality.check_result as result
            inner join ops.refresh as refresh on refresh.refresh_id = result.refresh_id
            left join ops.contract as contract on contract.list_code = result.detail ->> 'list_code'
            where result.refresh_id = :refresh_id and not result.is_passed
            order by result.check_result_id
            """
        ),
        {"refresh_id": refresh_id},
    ).all()
    for group_name, group in _grouped(rows, "list_or_suite", "check", known).items():
        first = next(iter(group.values()))
        yield _digest(
            "check",
            group_name,
            refresh_id,
            group,
            {
                "group_title": first.list_title or _SUITE_TITLES[first.suite],
                "as_of": first.as_of.isoformat(),
                "items": [
                    {
                        "table_name": row.table_name,
                        "check_name": row.check_name,
                        "title": row.title,
                        "severity": row.severity,
                        "checked_count": row.checked_count,
                        "failed_count": row.failed_count,
                        "problem": row.problem,
                        "delivery_id": row.delivery_id,
                    }
                    for row in group.values()
                ],
            },
        )


def _verdict_drafts(connection: Connection, known: set[str]) -> Iterator[Draft]:
    rows = connection.execute(
        text(
            """
            select
                as_of, content_hash, evidence_hash, status, reasons,
                cardinality(failed_check_names) as failed_check_count, target_code,
                target_ratio, audited_household_count, audited_field_count, correct_field_count,
                accuracy_ratio, lower_bound_ratio, interval_lower_ratio, upper_bound_ratio,
                critical_accuracy_ratio, household_accuracy_ratio, unverifiable_ratio, needed_household_count
            from quality.verdict
            where status <> 'passed'
            order by verdict_id
            """
        )
    ).mappings()
    for row in rows:
        fact = f"verdict:{row['target_code']}:{row['content_hash']}:{row['evidence_hash']}"
        if fact in known:
            continue
        payload = {name: value for name, value in row.items() if not name.endswith("_hash")}
        payload |= {"as_of": row["as_of"].isoformat(), "target_ratio": str(row["target_ratio"])}
        yield Draft("verdict", fact, [fact], payload)


def _refresh_drafts(connection: Connection, known: set[str]) -> Iterator[Draft]:
    rows = connection.execute(
        text(
            "select refresh_id, as_of, started_at from ops.refresh where outcome = 'failed' order by refresh_id"
        )
    ).all()
    for row in rows:
        fact = f"refresh:{row.refresh_id}"
        if fact not in known:
            yield Draft(
                "refresh",
                fact,
                [fact],
                {
                    "refresh_id": row.refresh_id,
                    "as_of": row.as_of.isoformat(),
                    "started_at": row.started_at.isoformat(),
                },
            )


def _outage_drafts(connection: Connection, known: set[str]) -> Iterator[Draft]:
    """One alert when the visit app cannot be read, one when it can again; none of one that is over before it was told."""
    rows = connection.execute(
        text(
            "select outage.*, contract.title from ops.app_outage as outage left join ops.contract as contract using (list_code) "
            "order by outage_id"
        )
    ).all()
    for row in rows:
        began, ended = f"app_outage:{row.outage_id}:began", f"app_outage:{row.outage_id}:ended"
        payload = {
            "list_title": row.title,
            "reason": row.reason,
            "began_at": row.began_at.isoformat(),
            "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        }
        if row.ended_at is None and began not in known:
            yield Draft("app_outage", began, [began], payload)
        elif row.ended_at is not None and began in known and ended not in known:
            yield Draft("app_outage", ended, [ended], payload)


def _grouped(
    rows: Sequence[Row[Any]], column: str, kind: str, known: set[str]
) -> dict[str, dict[str, Row[Any]]]:
    """New facts by group, each with its key."""
    groups: dict[str, dict[str, Row[Any]]] = {}
    for row in rows:
        fact = f"{kind}:{row.fact}"
        if fact not in known:
            groups.setdefault(getattr(row, column), {})[fact] = row
    return groups


def _digest(
    kind: str,
    group_name: str,
    refresh_id: int | None,
    facts: Mapping[str, Row[Any]],
    payload: Mapping[str, Any],
) -> Draft:
    # Within a refresh the key is the refresh: what comes too late for its mail waits for the next one's.
    occasion = f"refresh {refresh_id}" if refresh_id is not None else digest_of("\n".join(sorted(facts)))
    return Draft(kind, f"{kind}:{group_name}:{occasion}", list(facts), payload)


# Outbox -------------------------------------------------------------------------------------------------------


def _message(engine: Engine, row: Row[Any], settings: Settings) -> EmailMessage:
    alert = Alert(row.kind, row.payload, row.message_id, row.created_at)
    try:
        if row.kind == SUPPLIER:
            recipients, attachments = address_supplier_mail(engine, row, settings)
            return build_message(alert, recipients, settings.street_name, attachments)
        return build_message(alert, settings.alert_recipients, settings.street_name)
    except (KeyError, ValueError, TemplateError) as error:
        raise PermanentError(
            f"写告警邮件 {row.alert_id}",
            came=f"发件箱内容不合格（{type(error).__name__}）",
            expected=f"种类 {row.kind[:20]} 的内容",
            next_step="查看 ops.alert 中的这一行；平台升级后的旧告警可直接删除",
        ) from None


def _claim(engine: Engine, now: datetime, after: int) -> Row[Any] | None:
    """Take the oldest due alert for the length of a lease; one whose lease ran out is due again."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                """
                update ops.alert
                set status = 'sending', attempts = attempts + 1, next_attempt_at = :lease_ends
                where alert_id = (
                    select alert_id from ops.alert
                    where status in ('waiting', 'sending') and next_attempt_at <= :now and alert_id > :after
                    order by alert_id
                    limit 1
                    for update skip locked
                )
                returning alert_id, kind, payload, message_id, attempts, created_at
                """
            ),
            {"now": now, "lease_ends": now + _LEASE, "after": after},
        ).one_or_none()


def _mark(engine: Engine, row: Row[Any], status: str, note: str | None, sent_at: datetime | None) -> None:
    # The number of the attempt fences off a worker whose lease ran out while it was sending.
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                update ops.alert
                set status = :status, last_error = :note, sent_at = :sent_at
                where alert_id = :alert_id and status = 'sending' and attempts = :attempts
                """
            ),
            {
                "status": status,
                "note": note,
                "sent_at": sent_at,
                "alert_id": row.alert_id,
                "attempts": row.attempts,
            },
        )


def _mark_waiting(engine: Engine, row: Row[Any], note: str, now: datetime, *, server_is_down: bool) -> None:
    pause = min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2 ** min(row.attempts - 1, 10))
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                update ops.alert
                set status = 'waiting', last_error = :note, next_attempt_at = :next_attempt_at
                where alert_id = :alert_id and status = 'sending' and attempts = :attempts
                """
            ),
            {
                "note": note,
                "next_attempt_at": now + pause,
                "alert_id": row.alert_id,
                "attempts": row.attempts,
            },
        )
        if server_is_down:
            # All wait for the same moment, so that they go out in their order when the server is back.
            connection.execute(
                text("update ops.alert set next_attempt_at = :next_attempt_at where status = 'waiting'"),
                {"next_attempt_at": now + pause},
            )


def _report(engine: Engine, sent_count: int, dead_count: int, *, is_configured: bool) -> DeliveryReport:
    with engine.connect() as connection:
        waiting_count = int(
            connection.scalar(text("select count(*) from ops.alert where status in ('waiting', 'sending')"))
            or 0
        )
    if not is_configured:
        message = (
            f"没有设置邮件服务器或收件人，{waiting_count} 封告警邮件留在发件箱等待；"
            "请设置 YIHU_SMTP_URL、YIHU_MAIL_FROM 和 YIHU_ALERT_RECIPIENTS"
        )
    else:
        message = f"已发 {sent_count} 封，等待 {waiting_count} 封，放弃 {dead_count} 封"
    return DeliveryReport(sent_count, waiting_count, dead_count, is_configured, message)
