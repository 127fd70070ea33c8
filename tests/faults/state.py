"""The whole end state of what ingest does, in a form in which two runs can be compared byte for byte.

All rows of all tables in `ops`, `raw` and `quality` (ledger, rows, quarantine, warnings, receipts, mails), all files of the
outbox with their modes, and what lies in the landing folder. All that is left out, because it is different by nature:

* ciphertexts are opened and compared by what they hold: each has its own nonce;
* times at which something was written are `set` or null, also in receipts; the time at which a file arrived is compared;
* serial numbers give the order of the rows and are not compared, but for those of deliveries and mails: receipts and other
  rows name these, so in a scene they are given without gaps (`NO_GAPS`), which rolled back transactions would leave;
* of a workbook the time of saving, and the times in its zip.
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
_NUMBERED: Final = {"delivery_id": "ops.delivery", "alert_id": "ops.alert"}
NO_GAPS: Final = "".join(
    f"""
    create function ops.{column}_without_gaps() returns trigger language plpgsql as $$
    begin
        new.{column} := (select coalesce(max({column}), 0) + 1 from {table});
        return new;
    end $$;
    create trigger a_number_without_gaps before insert on {table}
        for each row execute function ops.{column}_without_gaps();
    """
    for column, table in _NUMBERED.items()
)
_WRITTEN_AT: Final = frozenset(
    {"released_at", "decided_at"}
)  # set to now() by statements, others by their default


def end_state(conninfo: str, protector: FieldProtector, scene: Path) -> State:
    """Table or file of a scene to its rows or its content."""
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
                if c["is_identity"] == "YES" and c["column_name"] not in _NUMBERED
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
    for folder in ("outbox", "landing"):
        for path in sorted((scene / folder).rglob("*")):
            content = _content(path) if path.is_file() else []
            state[str(path.relative_to(scene))] = [oct(path.lstat().st_mode), *content]
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
    if "landing" in path.parts:
        return [hashlib.sha256(content).hexdigest()]
    if path.suffix != ".xlsx":
        # When a person decided, as a receipt says it: written by the statement that is killed or repeated.
        text = re.sub(r'"at": "[^"]*"', '"at": "set"', content.decode("utf-8"))
        return text.split("\n")
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return [
            f"{name} {hashlib.sha256(_without_times(book.read(name))).hexdigest()}"
            for name in book.namelist()
        ]


def _without_times(part: bytes) -> bytes:
    return re.sub(rb"<dcterms:(created|modified)[^>]*>[^<]*<", b"<", part)
