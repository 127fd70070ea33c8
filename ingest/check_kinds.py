"""What a cross-check is: what it reads, what it is run on, and what it finds.

A check is of one row, of several rows (a household block, a delivery), of a sheet with its total row, or of what other
lists have stored. Not here: the checks themselves (``cross_checks``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that does not hold.

    Attributes:
        column: The contract column to mend.
        taken: Value that the column takes from elsewhere, or None when it stays as it is.
        others: Positions (in what was checked) of the other rows that are concerned.
        is_gap: The column should have a value; where its cell has been told to be unusable, that is all there is to say.
    """

    rule: str
    column: str
    taken: Any = None
    others: tuple[int, ...] = ()
    is_gap: bool = False


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of a contract; its fields are the words that the contract may use.

    Attributes:
        rule: Key of the warning in ``ops.row_warning``.
        source: Where the rule is written.
    """

    rule: str
    source: str
    # Fields that name columns; the contract must have them.
    column_fields: ClassVar[tuple[str, ...]] = ()

    def columns(self) -> list[str]:
        """Names of the contract's columns that the check reads."""
        named: list[str] = []
        for name in self.column_fields:
            value = getattr(self, name)
            named.extend([value] if isinstance(value, str) else value or ())
        return named


class RowCheck(Check):
    """A check of one row."""

    def find(self, values: Values, as_of: date) -> Finding | None:
        """What is wrong with one row, or None; `as_of` is the day the delivery speaks of."""
        raise NotImplementedError

    def rows_to_look_at(self, columns: Mapping[str, Sequence[Any]], as_of: date) -> list[int]:
        """Of many rows, by columns, those in which `find` finds something; it may name others too."""
        names = self.columns()
        return [
            index
            for index, row in enumerate(zip(*[columns[name] for name in names], strict=True))
            if self.find(dict(zip(names, row, strict=True)), as_of) is not None
        ]


class GroupCheck(Check):
    """A check of several rows: those of a household block, or all of a delivery."""

    is_of_delivery: ClassVar[bool] = False

    def find(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """Position of a row and what is found there."""
        raise NotImplementedError


class SheetCheck(Check):
    """A check of the rows of a sheet against its total row (run by ``delivery_checks``)."""


class StoredCheck(Check):
    """A check against other lists, in SQL once the rows are stored (run by ``delivery_checks``)."""


def has_value(value: Any) -> bool:
    """Whether a parsed cell of any semantic type says something."""
    if isinstance(value, tuple):
        return value[0] is not None  # address
    if hasattr(value, "kind"):
        return bool(value.kind != "missing")  # numbers of persons, phones, certificates
    if hasattr(value, "pinyin"):
        return bool(value.name is not None)
    return value is not None
