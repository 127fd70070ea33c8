"""From the text of an address cell to a door: the grammar, told by the gazetteer where it has an entry.

Without entries the grammar alone decides. An entry tells where the name of a compound begins (words in front of it that
are no region, road or remark are not part of it), which names are one compound, and whether it has units. What contradicts
the entry gets no key: wrong is worse than missing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from ingest.addresses.door import MISSING, ParsedAddress, compound_of
from ingest.addresses.gazetteer import EMPTY, Entry, Gazetteer, Hit
from ingest.addresses.grammar import (
    JOINED_ROOMS,
    MASKED,
    NO_DWELLING,
    NOT_A_PLACE,
    ROAD_BEFORE_NAME,
    is_name,
    read_door,
    read_place,
    read_tail,
)
from ingest.addresses.preparation import prepare
from ingest.normalise.regions import split_regions
from ingest.normalise.texts import fold, has_unreadable_character, is_null

# Stands in for the known name while the words in front of it are looked at: nothing in it can be taken for a region.
_STAND_IN: Final = "仁和家园3幢"
_ROAD_ONLY: Final = re.compile(r"[一-龥]{2,6}(?:大道|大街|路|街|巷)(?:[东西南北中]?段)?")
_REMARK: Final = re.compile(r"(?:现|暂|租|借|居|家)?住[于在址]?|位于|坐落于?|租房|租住|地址|本?小区")
# Names in which a number is the house itself, not a building of a compound: lanes, groups, villages, roads.
_NUMBERED_PLACE: Final = re.compile(
    r".*(?:弄|组|队|社|屯|路|街|巷|道|段|胡同|自建房|农居房?|民房|农民房|\d条|(?<![新\d])村)"
)
# What may stand between a known name and its door without being a part of it.
_FILLER: Final = re.compile(r"^(?:小区)?(?:大?院)?(?:内|[东西南北]门)?")
_PHASE: Final = re.compile(r"(?a)(?:\d+|[一二三四五六七八九十东西南北中A-Z])[期区苑]$")
_DASHED: Final = re.compile(
    r"(?a)(?P<building>\d{1,3}[A-WYZ]?|[A-WYZ])-(?P<room>\d{2,4})(?:[A-WYZ]|号室|室|房|户|号)?"
)


@lru_cache(maxsize=65536)
def parse_address(text: str, gazetteer: Gazetteer = EMPTY) -> ParsedAddress:
    """Parse the text of an address cell.

    Args:
        text: The cell as it was written.
        gazetteer: What is known of compounds; without entries the grammar alone decides.
    """
    folded = fold(text)
    if is_null(folded):
        return MISSING
    if has_unreadable_character(text) or len(folded) > 200:
        return ParsedAddress("UNPARSED")
    prepared = prepare(folded)
    hit = None if gazetteer is EMPTY else gazetteer.find(prepared)
    if hit is not None:
        return _read_known(prepared, hit)
    rest, community = split_regions(prepared)
    if NOT_A_PLACE.fullmatch(rest):
        return ParsedAddress("UNPARSED", community=community)
    if JOINED_ROOMS.search(rest) or MASKED.search(rest):
        return ParsedAddress("AMBIGUOUS", community=community)
    door = read_door(rest)
    if door is None:
        return read_place(ROAD_BEFORE_NAME.sub("", rest, count=1), community)
    compound = _without_words_in_front(door.compound, gazetteer)
    is_door = (
        compound is not None
        and is_name(compound)
        and not NO_DWELLING.search(rest)
        and "0" not in (door.building, door.unit, door.room)
    )
    status = door.status if is_door else "AMBIGUOUS"
    return ParsedAddress(status, compound or door.compound, door.building, door.unit, door.room, community)


def compound_name(text: str) -> str | None:
    """The form in which a compound's name stands in keys; None when it is no name of a compound."""
    read = parse_address(f"{text}3幢2单元501室")
    if read.status == "FULL":
        return read.compound
    # A name that ends in a number (阳光100) runs into the number of a building; only the gazetteer parts them.
    name = compound_of(split_regions(prepare(fold(text)))[0])
    return name if is_name(name) and not re.fullmatch(r"(?a)\d+[组队社弄]", name) else None


def _read_known(prepared: str, hit: Hit) -> ParsedAddress:
    """An address with a known name in it."""
    name, tail = prepared[hit.start : hit.end], _FILLER.sub("", prepared[hit.end :])
    rest, community = split_regions(prepared[: hit.start] + _STAND_IN) if hit.start else (_STAND_IN, None)
    entries = [
        each for each in hit.entries if None in (community, each.community) or each.community == community
    ]
    compounds = {entry.compound for entry in entries} or {name}
    if len(compounds) > 1:
        return ParsedAddress("AMBIGUOUS", community=community)  # two compounds go by this name
    compound = compounds.pop()
    front = rest.removesuffix(_STAND_IN)
    if not _is_explained(front, hit.entries) or not rest.endswith(_STAND_IN):
        return ParsedAddress("AMBIGUOUS", compound, community=community)
    if not tail:
        return ParsedAddress("POI_ONLY", compound, community=community)
    if JOINED_ROOMS.search(tail) or MASKED.search(tail) or NO_DWELLING.search(tail):
        return ParsedAddress("AMBIGUOUS", compound, community=community)
    tail = tail.removeprefix("-")
    door = read_door(compound + tail) if _NUMBERED_PLACE.fullmatch(compound) else read_tail(compound, tail)
    door = _told_by(entries, door, tail)
    if door is None or door.compound != compound or "0" in (door.building, door.unit, door.room):
        return ParsedAddress("AMBIGUOUS", compound, community=community)
    return replace(door, community=community)


def _without_words_in_front(compound: str | None, gazetteer: Gazetteer) -> str | None:
    """An unknown phase of a known compound without the road in front of it; None when other words are (王建国家世纪新城4期)."""
    phase = None if compound is None or gazetteer is EMPTY else _PHASE.search(compound)
    hit = gazetteer.find(compound[: phase.start()]) if compound and phase else None
    if compound is None or hit is None or hit.start == 0:
        return compound
    return compound[hit.start :] if _is_explained(compound[: hit.start], hit.entries) else None


def _is_explained(front: str, entries: tuple[Entry, ...]) -> bool:
    """Whether the words before a known name are no part of another name: a road, its community, a remark, nothing."""
    if not front or _ROAD_ONLY.fullmatch(front) or _REMARK.fullmatch(front):
        return True
    road = ROAD_BEFORE_NAME.match(front + _STAND_IN)
    if road and road.end() == len(front):
        return True
    return any(entry.community in (front, f"{front}社区") for entry in entries)


def _told_by(entries: list[Entry], door: ParsedAddress | None, tail: str) -> ParsedAddress | None:
    """The door as far as it agrees with what the entries say of its buildings and units; None when it does not."""
    dashed = _DASHED.fullmatch(tail)
    told = {entry.has_units for entry in entries}
    has_units = told.pop() if len(told) == 1 else None
    if door is None and dashed and has_units is False:
        building, room = (dashed[part].lstrip("0") or "0" for part in ("building", "room"))
        door = ParsedAddress("NO_UNIT", entries[0].compound, building, None, room)
    if door is None:
        return None
    is_known_building = any(entry.buildings and door.building in entry.buildings for entry in entries)
    if dashed and has_units is False and len(dashed["building"]) > 2 and not is_known_building:
        return None  # 101-102: two rooms, or a building and its room
    if entries and all(
        entry.buildings is not None and door.building not in entry.buildings for entry in entries
    ):
        return None
    if has_units is False:
        if door.unit:
            return None
        return replace(door, status="FULL", unit="") if door.status == "NO_UNIT" else door
    if has_units:
        if dashed:
            return None
        if door.status == "FULL" and door.room and not door.unit:
            return replace(door, status="NO_UNIT", unit=None)
    return door
