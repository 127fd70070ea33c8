"""What a person decides about deliveries that wait: release, refuse.

Not here: why a delivery waits (``guards``), and how a file becomes a delivery (``deliveries``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from infra.clock import business_today
from infra.errors import PermanentError
from ingest.messages import REFUSED_WITH_DELIVERY, message
from ingest.normalise.numbers import with_numbers_hidden


def release_held(engine: Engine, delivery_id: int, released_by: str) -> None:
    """Release a held delivery: from now on staging reads it.

    Raises:
        PermanentError: There is no such delivery, it is not held, or it lacks a required column (nothing to release).
    """
    action = f"放行来件 {delivery_id}"
    with engine.begin() as connection:
        held = _lock_held(connection, delivery_id, action)
        if held.accepted_count == 0:
            raise PermanentError(
                action,
                came="这次来件没有一行可用的数据",
                expected="至少有一行已接收的数据",
                next_step="请报送单位按回执改正后重新报送",
            )
        connection.execute(
            text(
                "update ops.delivery set status = 'loaded', released_by = :released_by, released_at = now() "
                "where delivery_id = :id"
            ),
            {"id": delivery_id, "released_by": released_by},
        )


def refuse_held(engine: Engine, delivery_id: int, refused_by: str, why: str) -> None:
    """Refuse a held delivery for good; the guard's reason stays, with who refused it, when and why added.

    Its rows are kept: they are what was decided on, and every row of a readable file stays accounted for. They all
    stand in quarantine from now on, encrypted as they were delivered, with the rule ``delivery_refused``: row_count is
    what it was, nothing is accepted any more. Raw must let go of them, because a record id depends on the bytes alone
    and the same file may come again: as a new delivery, for the guards to judge anew.

    Raises:
        PermanentError: There is no such delivery, it is not held, or `refused_by` or `why` is empty.
    """
    action = f"拒收来件 {delivery_id}"
    who, reason = (with_numbers_hidden(" ".join(words.split())) for words in (refused_by, why))
    if not who or not reason:
        raise PermanentError(
            action, came="没有写明拒收人或原因", expected="两者都写明", next_step="补上 --by 和 --why"
        )
    with engine.begin() as connection:
        held = _lock_held(connection, delivery_id, action)
        # The table name comes from a contract of ours, whose names are identifiers.
        connection.execute(
            text(
                "insert into ops.quarantined_row (delivery_id, sheet_name, row_number, rule, message, row_encrypted) "
                f"select delivery_id, sheet_name, row_number, '{REFUSED_WITH_DELIVERY}', :message, source_row_encrypted "
                f"from raw.{held.list_code} where delivery_id = :id"
            ),
            {"id": delivery_id, "message": message(REFUSED_WITH_DELIVERY, is_quarantined=True)},
        )
        connection.execute(
            text(f"delete from raw.{held.list_code} where delivery_id = :id"), {"id": delivery_id}
        )
        connection.execute(
            text(
                "update ops.delivery set status = 'refused', accepted_count = 0, quarantined_count = row_count, "
                "reason = :reason where delivery_id = :id"
            ),
            {
                "id": delivery_id,
                "reason": f"{held.reason}已由 {who} 于 {business_today()} 拒收：{reason.rstrip('。')}。",
            },
        )


def _lock_held(connection: Connection, delivery_id: int, action: str) -> Row[Any]:
    row = connection.execute(
        text(
            "select list_code, status, accepted_count, reason from ops.delivery where delivery_id = :id for update"
        ),
        {"id": delivery_id},
    ).first()
    if row is None or row.status != "held":
        raise PermanentError(
            action,
            came="没有这次来件" if row is None else f"它的状态是 {row.status}",
            expected="状态为 held 的来件",
            next_step="用 yihu delivery list 查看来件及其状态",
        )
    return row
