"""When a receipt is written: for every delivery, and again when the state of the delivery has changed.

`ops.receipt` is the memory of it, not the files: a supplier may take its receipts away, and a run that was killed
between the file and the row writes the same receipt once more. What a receipt says is `ingest.receipt_content`;
mailing it is `quality.supplier_mails`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from infra.warehouse import limit_lock_wait, persistent
from ingest.receipt_content import content_of, problems_of
from ingest.receipt_workbook import MOST_LINES_OF_A_KIND, write_workbook

_UNSAFE_IN_NAMES: Final = re.compile(r"[^\w.\-（）()一-龥]+")
_MAX_NAME_BYTES: Final = 150
_RECEIPT_NAME: Final = re.compile(r"回执-(\d+)-")

# What a receipt tells that can change after the delivery was taken in.
_OUTDATED: Final = text("""
    with state as (
        select
            delivery.delivery_id,
            encode(sha256(convert_to(concat_ws(
                '|', delivery.status, delivery.reason_code, delivery.reason, delivery.row_count,
                delivery.accepted_count, delivery.quarantined_count, delivery.warning_count,
                (
                    select string_agg(hold.community_name || ':' || hold.status, ',' order by hold.community_name)
                    from ops.partition_hold as hold where hold.delivery_id = delivery.delivery_id
                ),
                (
                    select string_agg(
                        concat_ws(':', change.replaces_delivery_id, change.kind, change.column_name, change.row_count),
                        ',' order by change.kind, change.column_name
                    )
                    from ops.delivery_change as change where change.delivery_id = delivery.delivery_id
                )
            ), 'UTF8')), 'hex') as state_hash
        from ops.delivery as delivery
        where cast(:delivery_ids as bigint[]) is null or delivery.delivery_id = any(:delivery_ids)
    )
    select state.delivery_id, state.state_hash, coalesce(last.version, 0) + 1 as version
    from state
    left join lateral (
        select version, state_hash from ops.receipt
        where receipt.delivery_id = state.delivery_id order by version desc limit 1
    ) as last on true
    where last.state_hash is distinct from state.state_hash
    order by state.delivery_id
""")


@persistent("写回执")
def write_receipts(engine: Engine, outbox: Path, delivery_ids: Iterable[int]) -> list[Path]:
    """Write the receipts of these deliveries that have none in their present state.

    Args:
        engine: The warehouse.
        outbox: They go to ``<outbox>/<department>/<list>/回执-<delivery_id>-<file name>.xlsx`` and ``.json``.
        delivery_ids: Deliveries of the ledger; unknown ids are left out.

    Returns:
        The workbooks written, in the order of the deliveries.
    """
    return _write_outdated(engine, outbox, sorted(set(delivery_ids)), frozenset())


@persistent("写回执")
def write_missing_receipts(engine: Engine, outbox: Path, legacy_folder: Path | None = None) -> list[Path]:
    """Write the receipts of all deliveries that have none in their present state.

    Args:
        engine: The warehouse.
        outbox: As in :func:`write_receipts`.
        legacy_folder: Where receipts lay before there was an outbox. Those are replaced by receipts in the outbox, are
            not mailed again, and the folder goes.
    """
    old = _legacy_receipts(legacy_folder)
    written = _write_outdated(engine, outbox, None, frozenset(old))
    if legacy_folder is not None and old:
        for paths in old.values():
            for path in paths:
                path.unlink(missing_ok=True)
        _remove_empty(legacy_folder)
    return written


def _write_outdated(
    engine: Engine, outbox: Path, delivery_ids: list[int] | None, told_before: frozenset[int]
) -> list[Path]:
    with engine.connect() as connection:
        limit_lock_wait(connection)
        outdated = connection.scalars(_OUTDATED, {"delivery_ids": delivery_ids}).all()
    written = []
    for delivery_id in outdated:
        with engine.begin() as connection:
            limit_lock_wait(connection)
            # Whoever releases a delivery while a run writes its receipt waits, then finds it written or outdated.
            connection.execute(
                text("select pg_advisory_xact_lock(hashtext(:key))"), {"key": f"receipt {delivery_id}"}
            )
            due = connection.execute(_OUTDATED, {"delivery_ids": [delivery_id]}).first()
            if due is None:
                continue
            path = _write(connection, outbox, delivery_id, due.version)
            connection.execute(
                text(
                    "insert into ops.receipt (delivery_id, version, state_hash, path, mail_state) "
                    "values (:delivery_id, :version, :state_hash, :path, :mail_state)"
                ),
                {
                    "delivery_id": delivery_id,
                    "version": due.version,
                    "state_hash": due.state_hash,
                    "path": path.relative_to(outbox).as_posix(),
                    "mail_state": "none" if delivery_id in told_before else "waiting",
                },
            )
        written.append(path)
    return written


def _write(connection: Connection, outbox: Path, delivery_id: int, version: int) -> Path:
    found = connection.execute(
        text("select * from ops.delivery where delivery_id = :id"), {"id": delivery_id}
    )
    delivery = dict(found.mappings().one())
    folder = outbox / _safe(delivery["department"]) / _safe(delivery["list_code"])
    folder.mkdir(parents=True, exist_ok=True)
    stem = delivery["file_name"].rpartition(".")[0] or delivery["file_name"]
    path = folder / f"回执-{delivery_id}-{_safe(stem)}.xlsx"
    content = content_of(connection, delivery, version)
    _write_json(connection, path.with_suffix(".json"), content, delivery)
    write_workbook(path, content, problems_of(connection, delivery, MOST_LINES_OF_A_KIND))
    return path


def _write_json(
    connection: Connection, path: Path, content: Mapping[str, Any], delivery: Mapping[str, Any]
) -> None:
    """Line by line, so that a hundred thousand problems need no memory."""
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8") as file:
        head = json.dumps(content, ensure_ascii=False, indent=1)
        file.write(head.removesuffix("\n}") + ',\n "problems": [')
        separator = "\n  "
        for problem in problems_of(connection, delivery):
            file.write(separator + json.dumps(problem, ensure_ascii=False))
            separator = ",\n  "
        file.write("\n ]\n}\n")
        file.flush()
        os.fsync(file.fileno())  # the row says for good that the receipt is there
    draft.replace(path)


def _legacy_receipts(folder: Path | None) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    if folder is not None and folder.is_dir():
        for path in folder.rglob("*.xlsx"):
            if match := _RECEIPT_NAME.match(path.name):
                found.setdefault(int(match[1]), []).append(path)
    return found


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those below it as far as nothing of somebody else's lies in them."""
    folders = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
    for path in sorted([folder, *folders], key=lambda path: len(path.parts), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _safe(name: str) -> str:
    """A name fit for a file: letters, digits, Chinese, points; not too long, never a path."""
    cleaned = _UNSAFE_IN_NAMES.sub("_", name).strip("._") or "_"
    while len(cleaned.encode()) > _MAX_NAME_BYTES:
        cleaned = cleaned[:-1]
    return cleaned
