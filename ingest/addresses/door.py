"""What a door is: the parts that an address tells, and the key made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ParsedAddress:
    """A door.

    Attributes:
        status: ``FULL``, ``NO_ROOM``, ``NO_UNIT``, ``POI_ONLY``, ``AMBIGUOUS`` or ``UNPARSED``; None when the
            cell holds no address.
        compound, building, unit, room: Strings without leading zeros; None when not told. ``unit`` and ``room``
            are empty where a complete door has none.
        community: The community that the address names, or None.
    """

    status: str | None
    compound: str | None = None
    building: str | None = None
    unit: str | None = None
    room: str | None = None
    community: str | None = None

    @property
    def key(self) -> str | None:
        """``compound|building|unit|room`` of a full address, else None."""
        if self.status != "FULL":
            return None
        return f"{self.compound}|{self.building}|{self.unit}|{self.room}"


MISSING: Final = ParsedAddress(None)


def room_of(groups: dict[str, str | None]) -> str | None:
    """The room: 18层04室 is 1804, 9层904室 is 904, 3楼东户 is 3东, 10-02 is 1002, 401-A is 401A, 501-1 stays."""
    high, low, floor, room = (groups.get(name) for name in ("high", "low", "floor", "room"))
    if high and low:
        return plain(high) + low
    if not room:
        return None
    if floor:
        floor = plain(floor)
        digits = room.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if not room[0].isdigit():
            room = floor + room
        elif len(digits) <= 2:
            room = floor + digits.zfill(2) + room[len(digits) :]
        elif not plain(room).startswith(floor):
            return None
    if groups.get("number"):
        # 5011 is another room than 501-1; 50-1 is no part of a room.
        return f"{plain(room)}-{groups['number']}" if len(room) >= 3 else None
    return plain(room) + (groups.get("part") or "")


def plain(number: str) -> str:
    """A number without leading zeros and the words behind it."""
    return number.replace("号", "").replace("楼", "").lstrip("0") or "0"


def compound_of(text: str) -> str:
    """Compound name as it goes into the key."""
    name = re.sub(r"[-#/·.\s]+$|^[-#/·.]+", "", text)
    shorter = name.removesuffix("小区")
    # 莫邪塘小区 and 莫邪塘 are one place; 望江小区 is the whole name.
    return shorter if len(shorter) >= 3 and not shorter[-1].isdigit() else name
