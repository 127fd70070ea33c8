"""The whole end state of ingest, in a form in which two runs can be compared byte for byte.

All rows of all tables in `ops`, `raw` and `quality`, and all files of the outbox. Normalised is only what is different by
nature: ciphertexts are opened (each has its own nonce), times at which something was written are `set` or null, serial
numbers other than the delivery's own give the order of the rows, and workbooks are compared part by part without the
time of saving.
"""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from infra.protection import FieldProtector
from ingest.sealing import RecordIds

State = dict[str, list[str]]
_WRITTEN_AT: Final = frozenset(
    {"released_at", "decided_at"}
)  # set to now() by statements, others by their default


def end_state(conninfo: str, protector: FieldProtector, outbox: Path) -> State:
    """Table or file of the outbox to its rows or its content."""
    state: State = {}
    with psycopg.connect(conninfo, row_factory=dict_row) as connection:
        columns: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for column in connection.execute(
            "select table_schema, table_name, column_name, column_default, is_identity from information_schema.columns"
            " inner join information_schema.tables using (table_schema, table_name)"
            " where table_schema in ('ops', 'raw', 'quality') and table_type = 'BASE TABLE' order by ordinal_position"
        ):
            columns.setdefault((column["table_schema"], column["table_name"]), []).append(column)
        deliveries = {
            row["delivery_id"]: row
            for row in connection.execute("select delivery_id, list_code, content_sha256 from ops.delivery")
        }
        for (schema, table), described in sorted(columns.items()):
            serials = [
                c["column_name"]
                for c in described
                if c["is_identity"] == "YES" and c["column_name"] != "delivery_id"
            ]
            times = _WRITTEN_AT | {
                c["column_name"] for c in described if "now()" in (c["column_default"] or "")
            }
            order = SQL(" order by {}").format(Identifier(serials[0])) if serials else SQL("")
            rows = []
            for row in connection.execute(SQL("select * from {}").format(Identifier(schema, table)) + order):
                _open(row, protector, deliveries)
                for name in times & row.keys():
                    row[name] = None if row[name] is None else "set"
                for name in serials:
                    del row[name]
                rows.append(json.dumps(row, ensure_ascii=False, default=str, sort_keys=True))
            state[f"{schema}.{table}"] = rows if serials else sorted(rows)
    for path in sorted(outbox.rglob("*")):
        if path.is_file():
            state[f"outbox/{path.relative_to(outbox)}"] = _content(path)
    return state


def differences(expected: State, found: State) -> list[str]:
    """Where two states differ, with the first rows that only one of them has."""
    told = []
    for name in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(name), found.get(name)
        if wanted == got:
            continue
        if wanted is None or got is None:
            told.append(f"{name}: {'not expected' if wanted is None else 'missing'}")
            continue
        only_wanted = [row for row in wanted if row not in set(got)][:2]
        only_got = [row for row in got if row not in set(wanted)][:2]
        told.append(
            f"{name}: {len(wanted)} rows expected, {len(got)} found; only expected {only_wanted}, only found {only_got}"
        )
    return told


def _open(row: dict[str, Any], protector: FieldProtector, deliveries: dict[int, dict[str, Any]]) -> None:
    """Replace the ciphertexts of a row by what they hold."""
    record = row.get("record_id")
    if record is None and "row_encrypted" in row:
        delivery = deliveries[row["delivery_id"]]
        ids = RecordIds(delivery["list_code"], delivery["content_sha256"])
        record = ids.of(row["sheet_name"], row["row_number"])
    for name, value in row.items():
        if not name.endswith("_encrypted") or not isinstance(value, str):
            continue
        about = name.removesuffix("_encrypted")
        if name in ("source_row_encrypted", "row_encrypted"):
            about = "row"
        elif name == "value_encrypted":
            about = row["column_name"]
        row[name] = protector.decrypt(value, f"{about}|{record}")


def _content(path: Path) -> list[str]:
    content = path.read_bytes()
    if path.suffix != ".xlsx":
        return content.decode("utf-8", "replace").splitlines()
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return [
            f"{name} {hashlib.sha256(_without_times(book.read(name))).hexdigest()}"
            for name in book.namelist()
        ]


def _without_times(part: bytes) -> bytes:
    return re.sub(rb"<dcterms:(created|modified)[^>]*>[^<]*<", b"<", part)
