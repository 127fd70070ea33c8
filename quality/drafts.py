"""An alert before it is in the outbox, and how it is stored there once.

Which facts become an alert is `quality.alerts` and `quality.supplier_mails`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from infra.warehouse import limit_lock_wait

# One queueing at a time; any number that nobody else uses.
QUEUE_LOCK: Final = 0x79696875_0004


@dataclass(frozen=True)
class Draft:
    """An alert before it is stored. A fact in any row of `ops.alert` is never alerted again.

    Attributes:
        not_before: When it may be sent at the earliest; None: at once.
    """

    kind: str
    dedupe_key: str
    fact_keys: Sequence[str]
    payload: Mapping[str, Any]
    not_before: datetime | None = None

    @property
    def stored_payload(self) -> str:
        """The payload as it is stored, with the facts."""
        return json.dumps({**self.payload, "fact_keys": list(self.fact_keys)}, ensure_ascii=False)

    @property
    def message_id(self) -> str:
        """The same for the same facts, so that a mail that arrives twice can be told."""
        return f"<alert-{digest_of(self.dedupe_key + ''.join(self.fact_keys))}@yihu.invalid>"


def lock_queue(connection: Connection) -> None:
    """Let one transaction at a time queue alerts; nobody waits for ever for a lock in it (reliability.md F41)."""
    limit_lock_wait(connection)
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": QUEUE_LOCK})


def known_facts(connection: Connection) -> set[str]:
    """The facts that some alert is about already."""
    return set(
        connection.scalars(text("select jsonb_array_elements_text(payload -> 'fact_keys') from ops.alert"))
    )


def store(connection: Connection, draft: Draft) -> int | None:
    """Write an alert; returns its id, None when there was one of that key."""
    alert_id: int | None = connection.execute(
        text(
            """
            insert into ops.alert (kind, dedupe_key, payload, message_id, next_attempt_at)
            values (
                :kind, :dedupe_key, cast(:payload as jsonb), :message_id,
                coalesce(cast(:not_before as timestamptz), now())
            )
            on conflict (dedupe_key) do nothing
            returning alert_id
            """
        ),
        {
            "kind": draft.kind,
            "dedupe_key": draft.dedupe_key,
            "payload": draft.stored_payload,
            "message_id": draft.message_id,
            "not_before": draft.not_before,
        },
    ).scalar()
    return alert_id


def digest_of(content: str) -> str:
    """A short hash for keys."""
    return hashlib.sha256(content.encode()).hexdigest()[:32]
