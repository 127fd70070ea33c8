"""Protecting judged rows: what leaves this module is ciphertext, token, mask and harmless facts, as text for COPY.

Plain protected values end here. Every value is typed before, so that the database never meets text it could complain
about (D11). Not here: judging (``rows``), whole batches (``batch_sealing``), the database (``storage``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final

from infra.protection import FieldProtector, mask_id_no, mask_phone
from ingest.contract import Column, Contract
from ingest.repeats import RepeatWarning
from ingest.rows import AcceptedRow, QuarantinedRow
from ingest.values import cell_text

NULL: Final = "\\N"
_TOKEN_ID_KINDS: Final = ("valid", "checksum_wrong", "other_document")
_TOKEN_PHONE_KINDS: Final = ("mobile", "landline")
QUARANTINE_COLUMNS: Final = (
    "delivery_id", "sheet_name", "row_number", "rule", "column_name", "message", "row_encrypted",
)  # fmt: skip
WARNING_COLUMNS: Final = (
    "delivery_id", "record_id", "sheet_name", "row_number", "rule", "column_name", "message", "value_encrypted",
)  # fmt: skip
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(value: Any) -> str:
    """A value as a field of COPY's text format."""
    if value is None:
        return NULL
    if isinstance(value, str):
        # A printable text has neither tab nor line break.
        return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        quoted = ('"' + str(one).replace("\\", "\\\\").replace('"', '\\"') + '"' for one in value)
        return copy_text("{" + ",".join(quoted) + "}")
    return str(value)


def copy_line(values: Iterable[Any]) -> str:
    """Values as a line of COPY's text format, without its line break."""
    return "\t".join(map(copy_text, values))


def as_json(cells: dict[str, Any]) -> str:
    """Cells by header, as they are kept encrypted."""
    # Surrogates cannot be encoded; they only come from damaged workbooks.
    text = json.dumps({header: cell_text(cell) for header, cell in cells.items()}, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8")


class RecordIds:
    """Ids of source rows; they depend on the delivered bytes alone (docs/tables.md)."""

    def __init__(self, list_code: str, content_sha256: str) -> None:
        self._begin = f"{list_code}|{content_sha256}|"
        self._sheets: dict[str, Any] = {}

    def of(self, sheet_name: str, row_number: int) -> str:
        """The record id of a row."""
        sheet = self._sheets.get(sheet_name)
        if sheet is None:
            sheet = self._sheets[sheet_name] = hashlib.sha256(f"{self._begin}{sheet_name}|".encode())
        digest = sheet.copy()
        digest.update(b"%d" % row_number)
        return str(digest.hexdigest()[:24])


class RowSealer:
    """Makes database rows of one delivery's judged rows, one by one."""

    def __init__(
        self, protector: FieldProtector, contract: Contract, delivery_id: int, record_ids: RecordIds
    ) -> None:
        self._protector = protector
        self._contract = contract
        self._delivery_id = delivery_id
        self._record_ids = record_ids
        self._sealers: dict[str, Callable[[Any], tuple[str | None, tuple[Any, ...]]]] = {
            "id_no": self._id,
            "disability_certificate": self._certificate,
            "phone": self._phone,
        }

    def parts(self, column: Column, value: Any) -> tuple[str | None, tuple[Any, ...]]:
        """What a value becomes in raw: the plaintext of its ciphertext, and the columns that stay in clear.

        The ciphertext is the first column of a type that is encrypted; its plaintext is None when there is no value.
        """
        sealer = self._sealers.get(column.semantic_type)
        if sealer is not None:
            return sealer(value)
        if column.semantic_type == "person_name":
            return None, (value.name, value.key, value.pinyin)
        if column.semantic_type == "address":
            written, parsed = value
            return None, (
                written, parsed.key, parsed.status, parsed.compound, parsed.building, parsed.unit, parsed.room,
                parsed.community,
            )  # fmt: skip
        if column.is_encrypted:
            return value, ()
        return None, (value,)

    def clear_text(self, column: Column, value: Any, clear: tuple[Any, ...]) -> str:
        """The columns of `parts` that stay in clear, as fields for COPY."""
        if column.semantic_type == "id_no" and value.kind == "valid":
            # Hexadecimal, digits, stars, a date: nothing to escape.
            token, masked, kind, birth_date, sex_code, area_code = clear
            return f"{token}\t{masked}\t{kind}\t{birth_date.isoformat()}\t{sex_code}\t{area_code}"
        if column.semantic_type == "date":
            return NULL if value is None else str(value.isoformat())
        return copy_line(clear)

    def raw_line(self, row: AcceptedRow) -> str:
        """A row for raw."""
        source = row.source
        record = self._record_ids.of(source.sheet_name, source.row_number)
        sealed: list[Any] = [record, self._delivery_id, source.sheet_name, source.row_number, source.block_no]
        for column in self._contract.columns:
            plain, clear = self.parts(column, row.values[column.name])
            if column.is_encrypted:
                sealed.append(None if plain is None else self._encrypt(column.name, plain, record))
            sealed.extend(clear)
        sealed.append(self._encrypt("row", as_json(source.delivered), record))
        return copy_line(sealed)

    def quarantined_line(self, row: QuarantinedRow) -> str:
        """A row for quarantine."""
        source = row.source
        record = self._record_ids.of(source.sheet_name, source.row_number)
        return copy_line(
            (
                self._delivery_id, source.sheet_name, source.row_number, row.rule, row.column_name, row.message,
                self._encrypt("row", as_json(source.delivered | source.surplus), record),
            )
        )  # fmt: skip

    def warning_lines(self, row: AcceptedRow) -> list[str]:
        """The warnings of a row."""
        source = row.source
        return [
            self.warning_line(
                source.sheet_name, source.row_number, warning.rule, warning.column_name, warning.message, warning.value
            )
            for warning in row.warnings
        ]  # fmt: skip

    def repeat_line(self, warning: RepeatWarning) -> str:
        """A warning about what repeats across the delivery."""
        return self.warning_line(
            warning.sheet_name, warning.row_number, warning.rule, warning.column_name, warning.message, warning.value
        )  # fmt: skip

    def warning_line(
        self, sheet_name: str, row_number: int, rule: str, column: str | None, words: str, value: str | None
    ) -> str:
        """One warning; its value is sealed."""
        record = self._record_ids.of(sheet_name, row_number)
        sealed = None if value is None else self._encrypt(str(column), value, record)
        return copy_line((self._delivery_id, record, sheet_name, row_number, rule, column, words, sealed))

    def _encrypt(self, column: str, text: str, record: str) -> str:
        return self._protector.encrypt(text, f"{column}|{record}")

    def _id(self, parsed: Any) -> tuple[str | None, tuple[Any, ...]]:
        if parsed.kind == "missing":
            return None, (None, None, "missing", None, None, None)
        return parsed.text, (
            self._protector.token("id_no", parsed.text) if parsed.kind in _TOKEN_ID_KINDS else None,
            mask_id_no(parsed.text),
            parsed.kind,
            parsed.birth_date,
            parsed.sex_code,
            parsed.area_code,
        )

    def _certificate(self, parsed: Any) -> tuple[str | None, tuple[Any, ...]]:
        if parsed.kind == "missing":
            return None, (None, None, "missing", None, None)
        return parsed.text, (
            self._protector.token("disability_certificate", parsed.text) if parsed.kind == "valid" else None,
            mask_id_no(parsed.text),
            parsed.kind,
            parsed.category_code,
            parsed.level_code,
        )

    def _phone(self, parsed: Any) -> tuple[str | None, tuple[Any, ...]]:
        if parsed.kind == "missing":
            return None, (None, None, "missing")
        return parsed.text, (
            self._protector.token("phone", parsed.text) if parsed.kind in _TOKEN_PHONE_KINDS else None,
            mask_phone(parsed.text),
            parsed.kind,
        )
