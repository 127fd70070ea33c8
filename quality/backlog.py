"""Alert mails that an earlier refresh left behind unsent become one catch-up mail.

A platform runs for weeks before somebody sets up its mail server, or a server is away for days: what then waits would
come as dozens of mails at once, most of them overtaken. Which facts call for an alert and how mails are sent is
`quality.alerts`; what the mail says `quality.messages`. Mails to departments are none of these: each gathers its own.
"""

import hashlib
import json
from typing import Any, Final

from jinja2 import TemplateError
from sqlalchemy import Engine, text

from quality.messages import headline_of

# A refresh makes about one mail a list and a verdict: up to five are read one by one, and a crash between queueing
# and sending leaves no more. Their age is counted in refreshes, not days: it is a later refresh that overtakes them.
_FEW: Final = 5


def gather_backlog(engine: Engine) -> int:
    """Turn the alerts from before the newest refresh that were never tried into one, if they are many.

    One transaction: the oldest becomes the catch-up mail at its place in the queue, with the facts of all, and the
    others go; no fact is lost or alerted again. An alert that was tried once may have arrived and stays itself.

    Returns:
        How many alerts the catch-up mail stands for; 0 when there is none.
    """
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                """
                select alert_id, kind, payload, created_at
                from ops.alert
                where
                    status = 'waiting' and attempts = 0 and last_error is null and kind not in ('backlog', 'supplier')
                    and created_at < (select max(started_at) from ops.refresh)
                order by alert_id
                for update skip locked
                """
            )
        ).all()
        gathered = [(row, headline) for row in rows if (headline := _headline(row.kind, row.payload))]
        if len(gathered) <= _FEW:
            return 0
        facts = [fact for row, _ in gathered for fact in row.payload["fact_keys"]]
        payload = {
            "items": [
                {"kind": row.kind, "headline": headline, "created_at": row.created_at.isoformat()}
                for row, headline in gathered
            ],
            "fact_keys": facts,
        }
        (oldest, _), *others = gathered
        connection.execute(
            text("delete from ops.alert where alert_id = any(:alert_ids)"),
            {"alert_ids": [row.alert_id for row, _ in others]},
        )
        connection.execute(
            text(
                """
                update ops.alert
                set kind = 'backlog', payload = cast(:payload as jsonb), message_id = :message_id
                where alert_id = :alert_id
                """
            ),
            {
                "payload": json.dumps(payload, ensure_ascii=False),
                # Another mail than the one it was: nobody has seen that one.
                "message_id": f"<backlog-{hashlib.sha256(''.join(facts).encode()).hexdigest()[:32]}@yihu.invalid>",
                "alert_id": oldest.alert_id,
            },
        )
        return len(gathered)


def _headline(kind: str, payload: dict[str, Any]) -> str | None:
    """None for an alert of an older version that no mail can be made of; it is left for the outbox to tell."""
    try:
        return headline_of(kind, payload) if payload["fact_keys"] else None
    except (KeyError, ValueError, TemplateError):
        return None
