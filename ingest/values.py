"""From cells to values, by semantic type: each cell gives a value (or none) and at most one finding.

Pure: the same cell gives the same value. Not here: what the values of a row say about each other (``rows``),
encryption (``protection``), the words of the findings (``messages``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ingest.addresses.door import MISSING as NO_ADDRESS
from ingest.addresses.gazetteer import EMPTY, Gazetteer
from ingest.addresses.neighbours import Neighbours
from ingest.addresses.parser import parse_address
from ingest.contract import Column
from ingest.normalise import dates, ids, names, phones
from ingest.normalise.numbers import without_numbers
from ingest.normalise.regions import community_name
from ingest.normalise.texts import (
    SPREADSHEET_ERRORS,
    code_text,
    fold,
    has_unreadable_character,
    is_null,
    printable,
    without_bracketed,
    without_spaces,
)
from ingest.readers.package import FORMULA_WITHOUT_VALUE
from ingest.readers.sheet import Cell

# Value and finding of one cell. The value's type follows from the column's semantic type.
Read = tuple[Any, str | None]

_SEPARATORS: Final = re.compile(r"[,，;；、/|\s]+")
_TRUE: Final = frozenset(
    {"是", "1", "Y", "YES", "TRUE", "T", "√", "✓", "✔", "有", "同意", "已同意", "已签", "已签署", "真"}
)
_FALSE: Final = frozenset(
    {"否", "0", "N", "NO", "FALSE", "F", "×", "X", "✗", "无", "不同意", "未同意", "未签", "假", "不是"}
)
# Columns that are numbers themselves: 签约编号, 低保证号, 家庭ID.
_NUMBER_COLUMNS: Final = ("_no", "_id")
# Longer than any value of a type that has a shape; what is looked for in one must not take its time from a cell made for
# it (reliability.md B39). Texts may be as long as a spreadsheet's cell; names see to it themselves (``normalise.names``).
_LONGEST_VALUE: Final = 2_000
_LONGEST_TEXT: Final = 32_767
_LONGEST: Final = {
    "text": _LONGEST_TEXT, "protected_text": _LONGEST_TEXT, "diagnosis": _LONGEST_TEXT, "person_name": 1 << 30,
}  # fmt: skip
_INTEGER: Final = re.compile(r"(?a)([+-]?\d{1,9})(?:\.0*)?(?:人|口|户|件|分|个|次|元)?")
_AMOUNT: Final = re.compile(r"(?a)[¥￥]?([+-]?\d+(?:\.\d+)?)(万)?(?:元|元/月|元整|块)?")


class CellReader:
    """Reads the cells of one delivery.

    Args:
        arrival: Local day the delivery arrived; dates that must lie in the past are judged against it.
        rounded_ids: The list holds ids that a spreadsheet rounded, so that one ending in 000 is not believed
            even when its check digit happens to fit (one in eleven does).
        gazetteer: What addresses are read with.
    """

    def __init__(self, arrival: date, *, rounded_ids: bool = False, gazetteer: Gazetteer = EMPTY) -> None:
        self._arrival = arrival
        self._gazetteer = gazetteer
        self._rounded_ids = rounded_ids
        # Lists repeat themselves (codes, communities, the family's address): every text of a column is read once.
        self._known: defaultdict[str, dict[str, Read]] = defaultdict(dict)
        self._neighbours = Neighbours(gazetteer)
        self._readers: dict[str, Callable[[Column, Cell], Read]] = {
            "text": self._text,
            "person_name": self._name,
            "id_no": self._id,
            "disability_certificate": self._certificate,
            "phone": self._phone,
            "address": self._address,
            "date": self._date,
            "datetime": self._datetime,
            "integer": self._integer,
            "code": self._code,
            "codes": self._codes,
            "boolean": self._boolean,
            "protected_text": self._text,
            "amount": self._amount,
            "bank_account": self._text,
            "diagnosis": self._diagnosis,
        }

    def read(self, column: Column, cell: Cell) -> Read:
        """Value and finding of one cell; a cell without a value gives what the type calls missing."""
        if cell is None:
            return MISSING.get(column.semantic_type), None
        if not isinstance(cell, str):
            return self._readers[column.semantic_type](column, cell)
        known = self._known[column.name]
        found = known.get(cell)
        if found is None:
            found = known[cell] = self._read_text(column, cell)
        return found

    def read_all(self, column: Column, cells: Sequence[str]) -> list[Read]:
        """The same of many different text cells that the caller will not ask for again: nothing is remembered."""
        if column.semantic_type == "person_name":
            known = names.parse_plain_names(cells)
            return [
                (name, None) if name is not None else self._read_cell(column, cell)
                for cell, name in zip(cells, known, strict=True)
            ]
        if column.semantic_type == "id_no" and not self._rounded_ids:
            parsed = ids.parse_right_ids(cells, self._arrival)
            return [
                (one, one.finding) if one is not None else self._read_cell(column, cell)
                for cell, one in zip(cells, parsed, strict=True)
            ]
        return [self._read_cell(column, cell) for cell in cells]

    def expect(self, column: Column, cell: str, read: Read) -> None:
        """This is what `read` would make of the cell, and is asked for next."""
        self._known[column.name][cell] = read

    def forget(self) -> None:
        """Forget the cells that were read."""
        self._known.clear()

    def _read_cell(self, column: Column, cell: str) -> Read:
        return self._read_text(column, cell) if cell else (MISSING.get(column.semantic_type), None)

    def _read_text(self, column: Column, cell: str) -> Read:
        if "#" in cell and cell.strip().upper() in SPREADSHEET_ERRORS:
            is_uncalculated = cell.strip().upper() == FORMULA_WITHOUT_VALUE
            rule = "formula_without_value" if is_uncalculated else "spreadsheet_error"
            return MISSING.get(column.semantic_type), rule
        if len(cell) > _LONGEST.get(column.semantic_type, _LONGEST_VALUE):
            return MISSING.get(column.semantic_type), "value_too_long"
        return self._readers[column.semantic_type](column, cell)

    def _text(self, column: Column, cell: Cell) -> Read:
        text = cell_text(cell)
        if has_unreadable_character(text):
            return None, "text_unreadable"
        folded = fold(text)
        # A leading apostrophe is how spreadsheets mark text.
        folded = folded[1:] if folded[:1] == "'" and folded[1:2].isalnum() else folded
        if is_null(folded):
            return None, None
        if column.semantic_type == "protected_text":
            return text.strip(), None  # people's own words, as written: no key is made of them
        finding = None
        if not (column.is_encrypted or column.name.endswith(_NUMBER_COLUMNS)):
            bare = without_numbers(folded)
            if bare is not None:
                folded, finding = bare, "number_in_text"
        if column.is_community:
            folded = community_name(folded) if folded else ""
        return folded or None, finding

    def _diagnosis(self, column: Column, cell: Cell) -> Read:
        """Text, or codes joined by ``;`` where the column has a code list and it knows every word of the cell."""
        text, finding = self._text(column, cell)
        if column.code_list is None or (text is None and finding):
            return text, finding
        # Not _text's value: 0 and 无 may be codes, though they say nothing elsewhere.
        codes, finding = self._codes(column, cell)
        return (";".join(codes), None) if codes and not finding else (text, finding)

    def _name(self, column: Column, cell: Cell) -> Read:
        text = cell_text(cell)
        parsed = names.parse_name(text)
        if text.isalpha():
            return parsed, parsed.finding  # no digit, no number
        if parsed.name is not None and (bare := without_numbers(text)) is not None:
            return names.parse_name(bare), "number_in_text"
        return parsed, parsed.finding

    def _id(self, column: Column, cell: Cell) -> Read:
        text = cell_text(cell)
        if not isinstance(cell, str):
            parsed = ids.damaged_number(text)
        elif self._rounded_ids and ids.is_rounded(text):
            parsed = ids.ParsedId("damaged", fold(text), finding="id_rounded")
        else:
            parsed = ids.parse_id(text, self._arrival)
        return parsed, parsed.finding

    def _certificate(self, column: Column, cell: Cell) -> Read:
        parsed = ids.parse_certificate(cell_text(cell))
        return parsed, parsed.finding

    def _phone(self, column: Column, cell: Cell) -> Read:
        parsed = phones.parse_phone(cell_text(cell))
        return parsed, parsed.finding

    def _address(self, column: Column, cell: Cell) -> Read:
        text = cell_text(cell)
        parsed, like_others = self._neighbours.find(text)
        if parsed is not None:
            return (text.strip(), parsed), None  # ideographs, digits and spaces are printable
        (written, parsed), finding = self._read_address(text)
        if like_others is not None and finding is None and written is not None:
            self._neighbours.learn(like_others, parsed)
        return (written, parsed), finding

    def _read_address(self, text: str) -> Read:
        if has_unreadable_character(text):
            return (None, NO_ADDRESS), "text_unreadable"
        bare = without_numbers(text)
        text = text if bare is None else bare
        parsed = parse_address(text, self._gazetteer)
        if parsed.status is None:
            return (None, parsed), None if bare is None else "number_in_text"
        if bare is not None:
            return (text, parsed), "number_in_text"
        finding = None if parsed.status in ("FULL", "NO_UNIT") else "address_incomplete"
        return (printable(text).strip(), parsed), finding

    def _date(self, column: Column, cell: Cell) -> Read:
        if isinstance(cell, datetime):
            parsed = dates.judge_date(cell.date())
        elif isinstance(cell, date):
            parsed = dates.judge_date(cell)
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            parsed = dates.date_of_serial(cell)
        else:
            parsed = dates.parse_date(cell_text(cell))
        value = parsed.value
        if value is None:
            return None, parsed.finding
        if column.is_month:
            value = value.replace(day=1)
        elif parsed.precision == "month":
            return None, "date_day_missing"
        if column.is_past_only and value > self._arrival:
            return None, "date_in_future"
        return value, parsed.finding

    def _datetime(self, column: Column, cell: Cell) -> Read:
        if isinstance(cell, datetime):
            value, finding = dates.parse_datetime(cell.isoformat(sep=" ", timespec="seconds"))
        elif isinstance(cell, int | float) and not isinstance(cell, bool | int):
            value, finding = dates.datetime_of_serial(cell)
        else:
            value, finding = dates.parse_datetime(cell_text(cell))
        if (
            value
            and column.is_past_only
            and value.astimezone(dates.LOCAL_ZONE).date() > self._arrival + timedelta(1)
        ):
            return None, "date_in_future"
        return value, finding

    def _integer(self, column: Column, cell: Cell) -> Read:
        text = without_spaces(fold(cell_text(cell))).replace(",", "")
        found = _INTEGER.fullmatch(text)
        if not found:
            return None, None if is_null(text) else "integer_unreadable"
        value = int(found[1])
        low = -(2**31) if column.minimum is None else column.minimum
        high = 2**31 - 1 if column.maximum is None else column.maximum
        return (value, None) if low <= value <= high else (None, "integer_out_of_range")

    def _code(self, column: Column, cell: Cell) -> Read:
        code_list = column.code_list
        assert code_list is not None  # the contract says so
        folded = fold(cell_text(cell))
        for text in (folded, without_bracketed(folded)):
            if code := code_list.by_text.get(code_text(text)):
                return code, None
        several = {code_list.by_text.get(code_text(part)) for part in _SEPARATORS.split(folded) if part}
        if column.several_code and len(several) > 1 and None not in several:
            return column.several_code, None
        return None, None if is_null(folded) else "code_unknown"

    def _codes(self, column: Column, cell: Cell) -> Read:
        code_list = column.code_list
        assert code_list is not None  # the contract says so
        folded = fold(cell_text(cell))
        whole = code_list.by_text.get(code_text(folded))
        if whole is None and is_null(folded):
            return None, None
        parts = [part for part in _SEPARATORS.split(folded) if part and not is_null(part)]
        found: list[str | None] = (
            [whole] if whole else [code_list.by_text.get(code_text(part)) for part in parts]
        )
        known = sorted({code for code in found if code})
        return known or None, None if all(found) else "code_unknown"

    def _boolean(self, column: Column, cell: Cell) -> Read:
        if isinstance(cell, bool):
            return cell, None
        text = without_spaces(fold(cell_text(cell))).upper()
        if text in _TRUE:
            return True, None
        if text in _FALSE:
            return False, None
        return None, None if is_null(text) else "boolean_unreadable"

    def _amount(self, column: Column, cell: Cell) -> Read:
        text = without_spaces(fold(cell_text(cell))).replace(",", "")
        if is_null(text) and text not in ("0", "0.0"):
            return None, None
        found = _AMOUNT.fullmatch(text)
        try:
            value = Decimal(found[1]) * (10000 if found[2] else 1) if found else None
        except InvalidOperation:
            value = None
        # Kept as it came when it cannot be read: it exists as ciphertext only.
        return (text, "amount_unreadable") if value is None else (format(value, "f"), None)


MISSING: Final[dict[str, Any]] = {
    "person_name": names.MISSING,
    "id_no": ids.MISSING,
    "disability_certificate": ids.ParsedCertificate("missing", ""),
    "phone": phones.ParsedPhone("missing", ""),
    "address": (None, NO_ADDRESS),
}


def cell_text(cell: Cell) -> str:
    """A cell as text: whole numbers without a point, dates in ISO form."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e18 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return "" if cell is None else str(cell)
