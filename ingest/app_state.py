"""How far each list of the visit app was pulled: ``ops.app_watermark``, ``ops.app_row``, ``ops.app_outage``.

All but the outage are written in the transaction of the delivery. Not here: what is pulled, and when it is held
(``app_source``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from infra.clock import business_today
from ingest.app_mapping import AppList
from ingest.app_reading import Extent

_CHUNK: Final = 5000


@dataclass(frozen=True)
class Progress:
    """Where the last pull of a list stood.

    Attributes:
        watermark: Latest change taken; None while no row said when it changed.
        row_count: Rows the table had then.
        source_columns: Kind of type of each column then.
        mapping_hash: Fingerprint of the mapping then.
        held_delivery_id, held_status: Delivery that waits because the table shrank, and what became of it.
    """

    watermark: datetime | None
    row_count: int
    source_columns: Mapping[str, str]
    mapping_hash: str
    held_delivery_id: int | None
    held_status: str | None


def progress_of(connection: Connection, list_code: str) -> Progress | None:
    """Where a list stands; None before its first pull. What a person decided about a held pull is taken over first.

    A released one is what the table is now: its rows are the known ones, no others.
    """
    settled = connection.execute(
        text(
            "update ops.app_watermark as mark set watermark = case when held.status = 'loaded' then mark.held_watermark "
            "else mark.watermark end, last_row_count = case when held.status = 'loaded' then mark.held_row_count "
            "else mark.last_row_count end, held_delivery_id = null, held_watermark = null, held_row_count = null "
            "from ops.delivery as held where held.delivery_id = mark.held_delivery_id and held.status <> 'held' "
            "and mark.list_code = :code returning held.status"
        ),
        {"code": list_code},
    ).scalar()
    if settled is not None:
        connection.execute(
            text("delete from ops.app_row where list_code = :code and is_waiting = :is_waiting"),
            {"code": list_code, "is_waiting": settled != "loaded"},
        )
        connection.execute(
            text("update ops.app_row set is_waiting = false where list_code = :code"), {"code": list_code}
        )
    row = connection.execute(
        text(
            "select mark.*, held.status as held_status from ops.app_watermark as mark "
            "left join ops.delivery as held on held.delivery_id = mark.held_delivery_id where mark.list_code = :code"
        ),
        {"code": list_code},
    ).one_or_none()
    if row is None:
        return None
    return Progress(
        row.watermark, row.last_row_count, row.source_columns, row.mapping_hash, row.held_delivery_id, row.held_status
    )  # fmt: skip


def advance(
    connection: Connection,
    app_list: AppList,
    families: Mapping[str, str],
    watermark: datetime | None,
    row_count: int,
    now: datetime,
) -> None:
    """The list was read to the end and everything in it is taken."""
    _write(connection, app_list, families, {"watermark": watermark, "row_count": row_count, "now": now})
    connection.execute(
        text("insert into ops.app_read_day (list_code, read_on) values (:code, :day) on conflict do nothing"),
        {"code": app_list.list_code, "day": business_today(now)},
    )


def note_held(
    connection: Connection,
    app_list: AppList,
    families: Mapping[str, str],
    extent: Extent,
    delivery_id: int,
) -> None:
    """The list waits: the watermark stays until a person releases the delivery."""
    connection.execute(
        text(
            "update ops.app_watermark set held_delivery_id = :delivery, held_watermark = :watermark, held_row_count = :rows, "
            "source_columns = cast(:columns as jsonb), mapping_hash = :mapping where list_code = :code"
        ),
        {
            "code": app_list.list_code, "delivery": delivery_id, "watermark": extent.latest, "rows": extent.row_count,
            "columns": json.dumps(families, ensure_ascii=False), "mapping": app_list.fingerprint,
        },
    )  # fmt: skip


def _write(
    connection: Connection, app_list: AppList, families: Mapping[str, str], values: dict[str, Any]
) -> None:
    connection.execute(
        text(
            "insert into ops.app_watermark (list_code, watermark, look_back, last_pull_at, last_row_count, source_columns, "
            "mapping_hash) values (:code, :watermark, :look_back, :now, :row_count, cast(:columns as jsonb), :mapping) "
            "on conflict (list_code) do update set (watermark, look_back, last_pull_at, last_row_count, source_columns, "
            "mapping_hash, held_delivery_id, held_watermark, held_row_count) = row(excluded.watermark, excluded.look_back, "
            "excluded.last_pull_at, excluded.last_row_count, excluded.source_columns, excluded.mapping_hash, "
            "null::bigint, null::timestamptz, null::bigint)"
        ),
        {
            **values, "code": app_list.list_code, "look_back": app_list.look_back, "mapping": app_list.fingerprint,
            "columns": json.dumps(families, ensure_ascii=False),
        },
    )  # fmt: skip


def known_rows(connection: Connection, list_code: str, key_tokens: Sequence[str]) -> dict[str, str]:
    """Row token by key token of rows that were taken; what a person refused was not."""
    rows = connection.execute(
        text(
            "select known.key_token, known.row_token from ops.app_row as known join ops.delivery using (delivery_id) "
            "where known.list_code = :code and known.key_token = any(:keys) and not is_waiting and status <> 'refused'"
        ),
        {"code": list_code, "keys": list(key_tokens)},
    )
    return {row.key_token: row.row_token for row in rows}


def has_refused_rows(connection: Connection, list_code: str) -> bool:
    """Whether rows were in a pull that a person refused: they lie below the watermark and are read again."""
    return bool(
        connection.scalar(
            text(
                "select exists (select from ops.app_row join ops.delivery using (delivery_id) "
                "where app_row.list_code = :code and not is_waiting and status = 'refused')"
            ),
            {"code": list_code},
        )
    )


def remember_rows(
    connection: Connection,
    list_code: str,
    rows: Mapping[str, str],
    delivery_id: int,
    *,
    is_waiting: bool,
) -> None:
    """The rows of a delivery are taken; or wait, beside those that are known, until a person releases it."""
    tokens = list(rows.items())
    for begin in range(0, len(tokens), _CHUNK):
        chunk = tokens[begin : begin + _CHUNK]
        connection.execute(
            text(
                "insert into ops.app_row (list_code, key_token, row_token, delivery_id, is_waiting) "
                "select :code, key_token, row_token, :delivery, :is_waiting from unnest(cast(:keys as text[]), cast(:rows as text[])) "
                "as taken (key_token, row_token) on conflict (list_code, key_token, is_waiting) "
                "do update set row_token = excluded.row_token, delivery_id = excluded.delivery_id"
            ),
            {
                "code": list_code, "delivery": delivery_id, "is_waiting": is_waiting, "keys": [key for key, _ in chunk], "rows": [row for _, row in chunk],
            },
        )  # fmt: skip


def was_refused(connection: Connection, list_code: str, source_path: str, sha256: str, now: datetime) -> bool:
    """Whether the same was refused before and nothing has changed since: it is not told again every half hour.

    A person's refusal stands for good, a fault of the program for a day (it may have been mended), the state of a table until
    the list was pulled again.
    """
    return bool(
        connection.scalar(
            text(
                "select exists (select from ops.delivery as earlier where list_code = :code and source_path = :path "
                "and content_sha256 = :sha256 and status = 'refused' and case "
                "when exists (select from ops.delivery_decision as decision where decision.delivery_id = earlier.delivery_id "
                "and decision.decision = 'refuse') then true "
                "when reason_code = 'program_fault' then received_at > cast(:now as timestamptz) - interval '1 day' "
                "else received_at >= coalesce((select last_pull_at from ops.app_watermark where list_code = :code), "
                "received_at) end)"
            ),
            {"code": list_code, "path": source_path, "sha256": sha256, "now": now},
        )
    )


def open_outage(engine: Engine) -> str | None:
    """Why the app cannot be read since some time; None when it could the last time."""
    with engine.connect() as connection:
        return connection.scalar(text("select reason from ops.app_outage where ended_at is null"))


def begin_outage(engine: Engine, list_code: str | None, reason: str, now: datetime) -> None:
    """The app cannot be read; one that is open goes on."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.app_outage (list_code, reason, began_at) values (:code, :reason, :now) on conflict do nothing"
            ),
            {"code": list_code, "reason": reason, "now": now},
        )


def end_outage(engine: Engine, now: datetime) -> None:
    """Everything could be read."""
    with engine.begin() as connection:
        connection.execute(
            text("update ops.app_outage set ended_at = greatest(began_at, :now) where ended_at is null"),
            {"now": now},
        )
