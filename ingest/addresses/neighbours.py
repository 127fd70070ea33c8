"""Doors of one compound that differ in their numbers alone: the grammar reads the first, the others follow it.

The grammar looks at how many digits a number has, never at which, but for zeros in front: so what it made of
`清水苑3幢1单元202室` it makes of `清水苑5幢2单元701室` (tests compare). Floors, which must fit the room, are left to it. The
gazetteer knows single buildings: where there is one, neighbours differ in the room alone.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ingest.addresses.door import ParsedAddress
from ingest.addresses.gazetteer import EMPTY, Gazetteer

# Plain ideographs, ASCII digits and spaces: nothing that folding changes. The name ends with an ideograph.
_NAME: Final = "[\u4e00-\u9fff0-9 ]*[\u4e00-\u9fff] ?"
_DOOR: Final = re.compile(
    rf"({_NAME})([1-9][0-9]?)(幢|栋|座|号楼|#|-)(?:([1-9][0-9]?)(单元|-))?([1-9][0-9]{{2,3}})(室?)"
)
_FLOOR: Final = re.compile("[层層楼樓]")
_KNOWN: Final = 50_000


class Neighbours:
    """Remembers the doors of one delivery that were read."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._knows_buildings = gazetteer is not EMPTY
        self._known: dict[tuple[Any, ...], ParsedAddress | None] = {}

    def find(self, text: str) -> tuple[ParsedAddress | None, re.Match[str] | None]:
        """The door, when one like it was read; else, when others may be like it, what to give to `learn`."""
        found = _DOOR.fullmatch(text)
        if found is None:
            return None, None
        _, building, _, unit, _, room, _ = found.groups()
        neighbour = self._known.get(self._shape(found))
        if neighbour is None:
            return None, found
        return (
            ParsedAddress(
                neighbour.status, neighbour.compound, building, unit or neighbour.unit, room, neighbour.community
            ),
            None,
        )  # fmt: skip

    def learn(self, found: re.Match[str], parsed: ParsedAddress) -> None:
        """The grammar has read this door, with nothing to say about it."""
        name, building, _, unit, _, room, _ = found.groups()
        if (
            (parsed.building, parsed.room) == (building, room)
            and (parsed.unit or None) == unit
            and _FLOOR.search(name) is None
        ):
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[self._shape(found)] = parsed

    def _shape(self, found: re.Match[str]) -> tuple[Any, ...]:
        name, building, after_building, unit, after_unit, room, end = found.groups()
        if self._knows_buildings:
            return name, building, after_building, unit, after_unit, len(room), end
        return name, len(building), after_building, unit and len(unit), after_unit, len(room), end
