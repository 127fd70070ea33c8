"""Our own examples when they come back: a row of the guide or the template's prompts left in a list is nobody's.

What the examples are is said in ``guidance``. They are told by more than one cell: a person may well be called like the
woman of the examples, or live behind that door.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ingest.contract import Column, Contract
from ingest.guidance import example_of
from ingest.normalise.texts import fold, without_spaces
from ingest.readers.sheet import Cell

_PERSONAL: Final = ("id_no", "disability_certificate", "phone", "address", "bank_account")
_LEAST_CELLS: Final = 3


class ExampleRows:
    """Tells the example rows of one list."""

    def __init__(self, contract: Contract) -> None:
        self._examples = {column.name: _bare(example_of(column)) for column in contract.columns}
        names = [column for column in contract.columns if column.semantic_type == "person_name"]
        # Of a person's row the own name only: a guardian's may be left over from the example beside a real child.
        own = [column for column in names if column.name == "person_name"] or names
        self._has_names = bool(own)
        # What the example is looked for by.
        self.anchors: tuple[Column, ...] = tuple(own) or tuple(
            column for column in contract.columns if column.name == contract.business_key[0]
        )
        self._personal = [column.name for column in contract.columns if column.semantic_type in _PERSONAL]

    def candidates(self, column: Column, cells: Iterable[str]) -> frozenset[str]:
        """The cells of an anchor that say its example."""
        return frozenset(cell for cell in set(cells) if self._is_anchored(column, cell))

    def is_example(self, cells: Mapping[str, Cell]) -> bool:
        """Whether a row is the example: its name beside another of its personal values, or nothing but examples."""
        if not any(self._is_anchored(column, cells.get(column.name)) for column in self.anchors):
            return False
        if self._has_names and any(self._says(name, cells.get(name)) for name in self._personal):
            return True
        texts = {name: cell for name, cell in cells.items() if isinstance(cell, str)}
        return len(texts) >= _LEAST_CELLS and all(self._says(name, cell) for name, cell in texts.items())

    def _is_anchored(self, column: Column, cell: Cell) -> bool:
        """The same as ``_says``; nearly every name of a large list is told apart by its first character alone."""
        begin = self._examples[column.name][0]
        return isinstance(cell, str) and (begin.isascii() or begin in cell) and self._says(column.name, cell)

    def _says(self, name: str, cell: Cell) -> bool:
        return isinstance(cell, str) and _bare(cell) == self._examples[name]


def _bare(text: str) -> str:
    return without_spaces(fold(text)).upper()
