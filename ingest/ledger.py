"""Rows of ``ops.delivery``: what became of one file or pull, written whole.

Not here: when a file becomes which row (``deliveries``), what changes a row later (``loading``, ``holds``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from infra.warehouse import limit_lock_wait
from ingest.landing import LandedFile
from ingest.snapshot_dates import SnapshotDate
from ingest.storage import StoredRows


@dataclass(frozen=True)
class DeliveryOutcome:
    """What became of one file; as its row in ``ops.delivery``."""

    delivery_id: int
    department: str
    list_code: str
    file_name: str
    snapshot_date: date | None
    status: str
    reason_code: str | None
    reason: str | None
    row_count: int
    accepted_count: int
    quarantined_count: int
    warning_count: int


@dataclass
class Entry:
    """A row of the ledger in the making.

    Attributes:
        delivery_id: None until it is written first.
    """

    department: str
    list_code: str
    file_name: str
    source_path: str
    sha256: str
    received_at: datetime
    file_modified_ns: int | None = None
    file_size: int | None = None
    delivery_id: int | None = None
    status: str = "refused"
    snapshot: SnapshotDate | None = None
    reason_code: str | None = None
    reason: str | None = None
    duplicate_of: int | None = None
    contract_version: str | None = None
    gazetteer_version: str = ""
    rows: StoredRows = field(default_factory=StoredRows)
    layout: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_file(cls, file: LandedFile, sha256: str, received_at: datetime) -> Entry:
        """The entry of a landed file."""
        return cls(
            file.department, file.list_code, file.file_name, file.source_path, sha256, received_at,
            file.modified_ns, file.size,
        )  # fmt: skip

    def refuse(self, code: str, reason: str) -> None:
        """Refused: none of its rows is in."""
        self.status, self.rows = "refused", StoredRows()
        self.reason_code, self.reason = code, reason


def write(connection: Connection, entry: Entry) -> DeliveryOutcome:
    """Insert the entry's row, or write over the one that it has."""
    accepted, quarantined = entry.rows.accepted_count, entry.rows.quarantined_count
    values = {
        "department": entry.department,
        "list_code": entry.list_code,
        "file_name": entry.file_name,
        "source_path": entry.source_path,
        "file_modified_ns": entry.file_modified_ns,
        "file_size": entry.file_size,
        "content_sha256": entry.sha256,
        "snapshot_date": entry.snapshot.value if entry.snapshot else None,
        "snapshot_date_source": entry.snapshot.source if entry.snapshot else None,
        "received_at": entry.received_at,
        "status": entry.status,
        "reason_code": entry.reason_code,
        "reason": entry.reason,
        "row_count": accepted + quarantined,
        "accepted_count": accepted,
        "quarantined_count": quarantined,
        "warning_count": entry.rows.warning_count,
        "duplicate_of": entry.duplicate_of,
        "contract_version": entry.contract_version,
        "gazetteer_version": entry.gazetteer_version,
        "layout": json.dumps(entry.layout, ensure_ascii=False),
    }
    names = ", ".join(values)
    places = ", ".join("cast(:layout as jsonb)" if name == "layout" else f":{name}" for name in values)
    if entry.delivery_id is None:
        statement = f"insert into ops.delivery ({names}) values ({places}) returning delivery_id"
    else:
        statement = (
            f"update ops.delivery set ({names}) = row({places}) where delivery_id = :id returning delivery_id"
        )
        values["id"] = entry.delivery_id
    delivery_id: int = connection.execute(text(statement), values).scalar_one()
    entry.delivery_id = delivery_id
    return DeliveryOutcome(
        delivery_id=delivery_id,
        department=entry.department,
        list_code=entry.list_code,
        file_name=entry.file_name,
        snapshot_date=entry.snapshot.value if entry.snapshot else None,
        status=entry.status,
        reason_code=entry.reason_code,
        reason=entry.reason,
        row_count=accepted + quarantined,
        accepted_count=accepted,
        quarantined_count=quarantined,
        warning_count=entry.rows.warning_count,
    )


def is_known(engine: Engine, file: LandedFile, sha256: str | None, *, is_as_stated: bool = False) -> bool:
    """Whether the ledger has this file with this content, or, when it cannot be read (None), with any.

    A row that says the file could not be opened knows nothing of its content; one that refused it for its checksum is over
    once the file is as stated (`is_as_stated`).
    """
    with engine.connect() as connection:
        limit_lock_wait(connection)
        return bool(
            connection.scalar(
                text(
                    "select exists (select from ops.delivery where source_path = :path and file_modified_ns = :modified "
                    "and file_size = :size and (cast(:sha256 as text) is null "
                    "or (content_sha256 = :sha256 and reason_code is distinct from 'not_permitted' "
                    "and (reason_code is distinct from 'checksum_differs' or not :is_as_stated))))"
                ),
                {
                    "path": file.source_path,
                    "modified": file.modified_ns,
                    "size": file.size,
                    "sha256": sha256,
                    "is_as_stated": is_as_stated,
                },
            )
        )


def same_content(connection: Connection, entry: Entry) -> int | None:
    """Another delivery of the list with the same content that is in, or None.

    A delivery without one usable row (its header was not known then) may come again, but not one that waits for its
    password.
    """
    earlier: int | None = connection.scalar(
        text(
            "select delivery_id from ops.delivery where list_code = :list_code and content_sha256 = :sha256 "
            "and status in ('loaded', 'held') and (accepted_count > 0 or reason_code = 'needs_password') "
            "and delivery_id is distinct from :own order by delivery_id limit 1"
        ),
        {"list_code": entry.list_code, "sha256": entry.sha256, "own": entry.delivery_id},
    )
    return earlier


def is_waiting(connection: Connection, delivery_id: int, unlocked_by: str) -> bool:
    """Whether a delivery still waits for its password; it is locked, and who gave the password is noted."""
    found = connection.scalar(
        text(
            "select delivery_id from ops.delivery where delivery_id = :id and status = 'held' "
            "and reason_code = 'needs_password' for update"
        ),
        {"id": delivery_id},
    )
    if found is None:
        return False
    connection.execute(
        text(
            "insert into ops.delivery_decision (delivery_id, decision, decided_by) values (:id, 'unlock', :by)"
        ),
        {"id": delivery_id, "by": unlocked_by},
    )
    return True
