"""Protecting and storing the rows of one delivery, inside the caller's transaction.

Plain protected values end here: what leaves this module is ciphertext, token, mask and harmless facts. Rows go
in by COPY; every value is typed before, so that the database never meets text it could complain about (D11).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection

from infra.protection import FieldProtector, mask_id_no, mask_phone
from ingest.contract import Column, Contract
from ingest.layout import SourceRow
from ingest.rows import AcceptedRow, JudgedRows, QuarantinedRow
from ingest.values import cell_text

_TOKEN_ID_KINDS: Final = ("valid", "checksum_wrong", "other_document")
_TOKEN_PHONE_KINDS: Final = ("mobile", "landline")
_QUARANTINE_COLUMNS: Final = (
    "delivery_id", "sheet_name", "row_number", "rule", "column_name", "message", "row_encrypted",
)  # fmt: skip
_WARNING_COLUMNS: Final = (
    "delivery_id", "record_id", "sheet_name", "row_number", "rule", "column_name", "message", "value_encrypted",
)  # fmt: skip


def record_id(list_code: str, content_sha256: str, source: SourceRow) -> str:
    """Id of a source row; depends on the delivered bytes alone (docs/tables.md)."""
    text = f"{list_code}|{content_sha256}|{source.sheet_name}|{source.row_number}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def store_rows(
    connection: Connection,
    protector: FieldProtector,
    contract: Contract,
    delivery_id: int,
    content_sha256: str,
    rows: JudgedRows,
) -> None:
    """Copy all rows of a delivery into raw, quarantine and warnings."""
    sealer = _Sealer(protector, contract, delivery_id, content_sha256)
    raw_names = [column.name for column in contract.raw_columns]
    _copy(connection, ("raw", contract.list_code), raw_names, (sealer.raw_row(row) for row in rows.accepted))
    _copy(
        connection,
        ("ops", "quarantined_row"),
        _QUARANTINE_COLUMNS,
        (sealer.quarantined_row(row) for row in rows.quarantined),
    )
    _copy(
        connection,
        ("ops", "row_warning"),
        _WARNING_COLUMNS,
        (sealed for row in rows.accepted for sealed in sealer.warning_rows(row)),
    )


def _copy(connection: Connection, table: tuple[str, str], columns: Any, rows: Any) -> None:
    statement = SQL("copy {} ({}) from stdin").format(
        Identifier(*table), SQL(", ").join(Identifier(column) for column in columns)
    )
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
        for row in rows:
            copy.write_row(row)


class _Sealer:
    """Makes database rows of one delivery's judged rows."""

    def __init__(
        self, protector: FieldProtector, contract: Contract, delivery_id: int, content_sha256: str
    ) -> None:
        self._protector = protector
        self._contract = contract
        self._delivery_id = delivery_id
        self._sha256 = content_sha256
        self._tokens: dict[tuple[str, str], str] = {}
        self._sealers: dict[str, Callable[[Column, Any, str], tuple[Any, ...]]] = {
            "person_name": lambda column, name, record: (name.name, name.key, name.pinyin),
            "id_no": self._id,
            "disability_certificate": self._certificate,
            "phone": self._phone,
            "address": self._address,
        }

    def raw_row(self, row: AcceptedRow) -> list[Any]:
        source = row.source
        record = record_id(self._contract.list_code, self._sha256, source)
        sealed: list[Any] = [record, self._delivery_id, source.sheet_name, source.row_number, source.block_no]
        for column in self._contract.columns:
            value = row.values[column.name]
            sealer = self._sealers.get(column.semantic_type)
            if sealer is not None:
                sealed.extend(sealer(column, value, record))
            elif column.is_encrypted:
                sealed.append(None if value is None else self._encrypt(column.name, value, record))
            else:
                sealed.append(value)
        sealed.append(self._encrypt("row", _as_json(source.delivered), record))
        return sealed

    def quarantined_row(self, row: QuarantinedRow) -> tuple[Any, ...]:
        source = row.source
        record = record_id(self._contract.list_code, self._sha256, source)
        return (
            self._delivery_id, source.sheet_name, source.row_number, row.rule, row.column_name, row.message,
            self._encrypt("row", _as_json(source.delivered | source.surplus), record),
        )  # fmt: skip

    def warning_rows(self, row: AcceptedRow) -> list[tuple[Any, ...]]:
        if not row.warnings:
            return []
        source = row.source
        record = record_id(self._contract.list_code, self._sha256, source)
        return [
            (
                self._delivery_id, record, source.sheet_name, source.row_number, warning.rule, warning.column_name,
                warning.message,
                None if warning.value is None else self._encrypt(str(warning.column_name), warning.value, record),
            )
            for warning in row.warnings
        ]  # fmt: skip

    def _encrypt(self, column: str, text: str, record: str) -> str:
        return self._protector.encrypt(text, f"{column}|{record}")

    def _token(self, kind: str, text: str) -> str:
        token = self._tokens.get((kind, text))
        if token is None:
            token = self._tokens[kind, text] = self._protector.token(kind, text)
        return token

    def _id(self, column: Column, parsed: Any, record: str) -> tuple[Any, ...]:
        if parsed.kind == "missing":
            return (None, None, None, "missing", None, None, None)
        return (
            self._encrypt(column.name, parsed.text, record),
            self._token("id_no", parsed.text) if parsed.kind in _TOKEN_ID_KINDS else None,
            mask_id_no(parsed.text),
            parsed.kind,
            parsed.birth_date,
            parsed.sex_code,
            parsed.area_code,
        )

    def _certificate(self, column: Column, parsed: Any, record: str) -> tuple[Any, ...]:
        if parsed.kind == "missing":
            return (None, None, None, "missing", None, None)
        return (
            self._encrypt(column.name, parsed.text, record),
            self._token("disability_certificate", parsed.text) if parsed.kind == "valid" else None,
            mask_id_no(parsed.text),
            parsed.kind,
            parsed.category_code,
            parsed.level_code,
        )

    def _phone(self, column: Column, parsed: Any, record: str) -> tuple[Any, ...]:
        if parsed.kind == "missing":
            return (None, None, None, "missing")
        return (
            self._encrypt(column.name, parsed.text, record),
            self._token("phone", parsed.text) if parsed.kind in _TOKEN_PHONE_KINDS else None,
            mask_phone(parsed.text),
            parsed.kind,
        )

    @staticmethod
    def _address(column: Column, value: Any, record: str) -> tuple[Any, ...]:
        written, parsed = value
        return (
            written, parsed.key, parsed.status, parsed.compound, parsed.building, parsed.unit, parsed.room,
            parsed.community,
        )  # fmt: skip


def _as_json(cells: dict[str, Any]) -> str:
    # Surrogates cannot be encoded; they only come from damaged workbooks.
    text = json.dumps({header: cell_text(cell) for header, cell in cells.items()}, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8")
