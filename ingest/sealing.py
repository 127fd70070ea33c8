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


def _texts_line(texts: tuple[str | None, ...]) -> str:
    """The same of texts alone, looked at all at once."""
    said = "".join(filter(None, texts))
    if said.isprintable() and "\\" not in said:
        return "\t".join([NULL if text is None else text for text in texts])
    return copy_line(texts)


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
        self._delivery_id = delivery_id
        self._record_ids = record_ids
        self._sealers: dict[str, Callable[[Any], tuple[str | None, str]]] = {
            "id_no": self._id,
            "disability_certificate": self._certificate,
            "phone": self._phone,
            "person_name": _name,
            "address": _address,
            "date": _date,
        }
        self._columns = [(column, self.parts_of(column)) for column in contract.columns]

    def parts_of(self, column: Column) -> Callable[[Any], tuple[str | None, str]]:
        """What a value of the column becomes in raw: the plaintext of its ciphertext, and its columns in clear for COPY.

        The ciphertext is the first column of a type that is encrypted; its plaintext is None when there is no value.
        The fields are ``""`` when the ciphertext is the only column.
        """
        return self._sealers.get(column.semantic_type) or (_encrypted_only if column.is_encrypted else _clear)

    def raw_line(self, row: AcceptedRow) -> str:
        """A row for raw."""
        source = row.source
        record = self._record_ids.of(source.sheet_name, source.row_number)
        place = (record, self._delivery_id, source.sheet_name, source.row_number, source.block_no)
        fields = [copy_line(place)]
        for column, parts in self._columns:
            plain, clear = parts(row.values[column.name])
            if column.is_encrypted:
                fields.append(NULL if plain is None else self._encrypt(column.name, plain, record))
            if clear:
                fields.append(clear)
        fields.append(self._encrypt("row", as_json(source.delivered), record))
        return "\t".join(fields)

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

    def _id(self, parsed: Any) -> tuple[str | None, str]:
        text, kind = parsed.text, parsed.kind
        if kind == "valid":
            # Hexadecimal, digits, stars, a date: nothing to escape.
            token = self._protector.token("id_no", text)
            birth = parsed.birth_date.isoformat()
            return text, f"{token}\t{mask_id_no(text)}\tvalid\t{birth}\t{parsed.sex_code}\t{parsed.area_code}"
        if kind == "missing":
            return None, copy_line((None, None, "missing", None, None, None))
        others_token = self._protector.token("id_no", text) if kind in _TOKEN_ID_KINDS else None
        return text, copy_line((others_token, mask_id_no(text), kind, None, None, None))

    def _certificate(self, parsed: Any) -> tuple[str | None, str]:
        if parsed.kind == "missing":
            return None, copy_line((None, None, "missing", None, None))
        return parsed.text, copy_line(
            (
                self._protector.token("disability_certificate", parsed.text)
                if parsed.kind == "valid"
                else None,
                mask_id_no(parsed.text),
                parsed.kind,
                parsed.category_code,
                parsed.level_code,
            )
        )

    def _phone(self, parsed: Any) -> tuple[str | None, str]:
        text, kind = parsed.text, parsed.kind
        if kind in _TOKEN_PHONE_KINDS:
            return text, f"{self._protector.token('phone', text)}\t{mask_phone(text)}\t{kind}"
        if kind == "missing":
            return None, copy_line((None, None, "missing"))
        return text, copy_line((None, mask_phone(text), kind))


def _encrypted_only(value: Any) -> tuple[str | None, str]:
    return value, ""


def _clear(value: Any) -> tuple[None, str]:
    return None, copy_text(value)


def _name(parsed: Any) -> tuple[None, str]:
    return None, _texts_line((parsed.name, parsed.key, parsed.pinyin))


def _address(value: Any) -> tuple[None, str]:
    written, parsed = value
    return None, _texts_line(
        (
            written, parsed.key, parsed.status, parsed.compound, parsed.building, parsed.unit, parsed.room,
            parsed.community,
        )
    )  # fmt: skip


def _date(value: date | None) -> tuple[None, str]:
    return None, NULL if value is None else value.isoformat()
