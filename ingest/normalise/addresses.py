"""Door-level addresses: compound, building, unit, room (domain.md 3.2). Pure text work, no gazetteer.

A wrong full key puts strangers into one household, so whatever has two readings gets no key. Not here: the
region words in front (``regions``), and whether a compound has units at all: an address without a unit is
``NO_UNIT``, and only the other addresses of the compound can tell whether that is the whole door.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ingest.normalise.names import simplified
from ingest.normalise.regions import split_regions
from ingest.normalise.texts import fold, has_unreadable_character, is_null, without_spaces

_CHINESE_DIGITS: Final = str.maketrans(
    "〇○零一二三四五六七八九壹贰叁肆伍陆柒捌玖两", "00012345678912345678 92".replace(" ", "")
)
_NUMERAL: Final = "〇○零一二三四五六七八九十壹贰叁肆伍陆柒捌玖拾廿"
# A Chinese number is a number only in front of a word that is counted (四号楼, not 三里屯 or 五一路).
_COUNTED: Final = re.compile(
    rf"(?<![{_NUMERAL}])([{_NUMERAL}]{{1,4}})(?=号楼|幢|栋|座|单元|层|室|组|队|号|楼(?!上|下|宇|盘)|门(?!口|面|市|卫|店)|弄|期)"
)
_DASHES: Final = re.compile(r"[-‐‑‒–—―−﹣－_~～〜⁓]+|(?<=\d)至(?=\d)")
_BRACKETED: Final = re.compile(r"[(\[{【〔〈《<]([^()\[\]{}【】〔〕〈〉《》<>]*)[)\]}】〕〉》>]?")
_PART_OF_NAME: Final = re.compile(r"[东西南北中]?[东西南北中一二三四五六七八九十A-Z\d][区期苑院]")
_NO_DWELLING: Final = re.compile(
    r"地下|车库|车位|储藏|贮藏|商铺|底商|店面|门面|门市|商业用房|工棚|工地|空挂|已拆|拆迁|对面|附近|旁边|隔壁|门口|路口|交叉口"
)
_OPEN_ROAD: Final = "大道|大街|胡同|横路|支路|公路|路|街|巷|弄|道|里弄"

# Pieces of the tail. Digits are ASCII after folding.
_B: Final = r"(?P<building>\d{1,4}[A-Z]?|[A-Z]\d{0,3}|[甲乙丙丁东西南北中])"
_B_WORD: Final = r"(?:号楼|#楼|幢|栋|座|#|舍)"
_U: Final = r"(?P<unit>\d{1,2}|[A-Z]|[甲乙丙丁东西南北中])(?:单元|单无|门洞|门|梯)"
_F: Final = r"(?:(?P<floor>\d{1,2})(?:层|楼)-?)"
_R: Final = r"(?P<room>\d{2,5}[A-Z]?|\d{1,2}[A-Z]|\d{3,4}-[A-Z\d])"
_R_SHORT: Final = r"(?P<room>\d{1,5}[A-Z]?|[东西南北中左右]{1,2})"
_END: Final = r"(?:号室|室|房间|房|户|号|间|边户|侧)?"
_C: Final = r"(?P<compound>.*?[^\d\-#/])"


def _tail(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?a){_C}{pattern}")


# In order: the first that fits the whole text wins. (pattern, unit is stated)
_WITH_UNIT: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?第?{_U}-?{_F}?(?P<high>\d{{1,2}})-(?P<low>\d{{2}}){_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?第?{_U}-?{_F}{_R_SHORT}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?第?{_U}-?{_R}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号)-?(?P<unit>\d{{1,2}})[-#/]{_F}?{_R}{_END}"),
    _tail(rf"(?P<building>\d{{1,3}}[A-Z]?)[-/](?P<unit>\d{{1,2}})[-/]{_F}?(?P<room>\d{{3,4}}[A-Z]?){_END}"),
    _tail(rf"(?P<building>\d{{1,3}}[A-Z]?)-{_U}-?{_F}?{_R}{_END}"),
)
_WITHOUT_UNIT: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号)-?{_F}{_R_SHORT}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号)-?{_R}{_END}"),
    _tail(rf"(?P<building>\d{{1,3}}[A-Z]?)-(?P<room>\d{{3,4}}[A-Z]?){_END}"),
)
_WITHOUT_ROOM: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?第?{_U}(?:-?{_F})?"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)(?:-?{_F})?"),
)
_LANE: Final = re.compile(
    rf"(?a)(?P<compound>.*?\d+弄(?:\d+支弄)?)(?P<building>\d+(?:号?附\d+)?[A-Z]?)号楼?-?(?:{_F}?(?:{_R}|(?P<high>\d{{1,2}})层(?P<low>\d{{2}})){_END})?"
)
_GROUP: Final = re.compile(
    rf"(?a)(?P<compound>.*?\d+(?:组|队|社))(?P<building>\d+(?:号?附\d+)?[A-Z]?)号?(?:-?{_F}?(?P<room>\d{{3,4}}){_END})?"
)
_VILLAGE_HOUSE: Final = re.compile(
    r"(?a)(?P<compound>.*(?:(?<!新)村|自建房|农居房?|民房|农民房))(?P<building>\d+(?:号?附\d+)?[A-Z]?)号"
)
_ROAD_HOUSE: Final = re.compile(
    rf"(?a)(?P<compound>.*?(?:{_OPEN_ROAD}))(?P<building>\d+(?:-\d+)?)号(?:院|大院)?"
    rf"(?:附(?P<annex>\d+)(?:号|$))?(?P<rest>.*)"
)
# A house number may carry a letter: 2甲号, 甲2号, 12A号.
_LETTER: Final = "[甲乙丙丁戊A-Z]"
_ROAD_BEFORE_NAME: Final = re.compile(
    rf"(?a)[一-龥A-Z\d]{{1,12}}?(?:{_OPEN_ROAD}){_LETTER}?\d+(?:-\d+)?{_LETTER}?"
    rf"(?:弄(?:\d+支弄)?|号)(?:院|大院|内)?(?=[一-龥]{{2}})"
)
_BARE_ROAD_BEFORE_NAME: Final = re.compile(
    r"[一-龥]{1,6}?(?:大道|大街|路|街|巷)(?=[一-龥]{1,8}(?:家园|花园|花苑|公寓|新村|名苑|名邸|雅苑|雅居|嘉园|庭院|[^花]苑)\d)"
)
_JOINED_ROOMS: Final = re.compile(r"(?a)\d{3,4}[/、,和&+]\d{3,4}")
_JOINED_HOUSES: Final = re.compile(r"(?a)\d+[-、,/]\d+号(?!楼|院)")
_WHOLE_NUMBER_NAME: Final = re.compile(r"(?a)(?P<compound>[一-龥A-Z\d·]*?[一-龥]{2,})")


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


@lru_cache(maxsize=65536)
def parse_address(text: str) -> ParsedAddress:
    """Parse the text of an address cell."""
    folded = fold(text)
    if is_null(folded):
        return MISSING
    if has_unreadable_character(text) or len(folded) > 200:
        return ParsedAddress("UNPARSED")
    rest, community = split_regions(_prepare(folded))
    if _JOINED_ROOMS.search(rest):
        return ParsedAddress("AMBIGUOUS", community=community)
    door = _parse_door(rest)
    if door is None:
        return _parse_place(_ROAD_BEFORE_NAME.sub("", rest, count=1), community)
    status = door.status
    if _NO_DWELLING.search(rest) or (status == "FULL" and not _is_name(door.compound)):
        status = "AMBIGUOUS"
    return ParsedAddress(status, door.compound, door.building, door.unit, door.room, community)


def _prepare(folded: str) -> str:
    """Spaces, brackets, dashes and numerals to one form; a space between digits parts them like a dash."""
    text = re.sub(r"(?a)(?<=\d) (?=\d)", "-", folded.upper())
    text = without_spaces(text)
    text = _BRACKETED.sub(lambda found: found[1] if _PART_OF_NAME.fullmatch(found[1]) else "", text)
    text = _DASHES.sub("-", text)
    text = re.sub(r"[。.,，;；:：、'\"“”]+$", "", text)
    text = re.sub(r"(?a)(?<=\d)[.。](?=\d)|(?<=[幢栋座元层号]),", "-", text)
    text = re.sub(r"\s|[,，;；:：'\"“”「」『』]", "", text)
    text = simplified(text).replace("棟", "栋").replace("＃", "#")
    return _COUNTED.sub(lambda found: _number(found[1]), text)


def _number(numeral: str) -> str:
    """九〇四 → 904, 十二 → 12, 二十三 → 23, 廿二 → 22."""
    numeral = numeral.replace("拾", "十").replace("廿", "二十")
    if "十" not in numeral:
        return numeral.translate(_CHINESE_DIGITS)
    tens, _, ones = numeral.partition("十")
    return (tens.translate(_CHINESE_DIGITS) or "1") + (ones.translate(_CHINESE_DIGITS) or "0")


def _parse_door(rest: str) -> ParsedAddress | None:
    stripped = _ROAD_BEFORE_NAME.sub("", rest, count=1) if _ROAD_BEFORE_NAME.match(rest) else rest
    if stripped != rest and re.match(r"(附|东|西|南|北)?\d", stripped):
        stripped = rest
    stripped = (
        _BARE_ROAD_BEFORE_NAME.sub("", stripped, count=1)
        if _BARE_ROAD_BEFORE_NAME.match(stripped)
        else stripped
    )
    for pattern in (_LANE, _GROUP, _VILLAGE_HOUSE):
        found = pattern.fullmatch(stripped)
        if found:
            return _single_house(found, needs_room=pattern is _LANE)
    road = _ROAD_HOUSE.fullmatch(stripped)
    if road:
        return _parse_road_house(road)
    if _JOINED_HOUSES.search(stripped):
        return ParsedAddress("AMBIGUOUS", _compound(re.split(r"\d", stripped, maxsplit=1)[0]))
    return _parse_compound_door(stripped)


def _single_house(found: re.Match[str], *, needs_room: bool) -> ParsedAddress:
    """A house number is the door (group, village), or the door needs a room but never a unit (lane)."""
    groups = found.groupdict()
    room = _room(groups)
    status = "NO_ROOM" if needs_room and not room else "FULL"
    compound = _compound(found["compound"])
    if status == "FULL" and re.fullmatch(r"(?a)\d+(组|队|社|弄)", compound):
        status = "AMBIGUOUS"  # 5组6号 of which village?
    return ParsedAddress(
        status, compound, _plain(found["building"]), "" if status == "FULL" else None, room or ""
    )


def _parse_road_house(road: re.Match[str]) -> ParsedAddress:
    """望江路12号…: what follows the number tells whether it names a compound or the building itself."""
    number, rest = road["building"], road["rest"]
    name = _compound(road["compound"])
    if "-" in number or len(name) < 2:
        return ParsedAddress("AMBIGUOUS", f"{name}{number}号")
    if not rest:
        annex = f"附{road['annex']}号" if road["annex"] else ""
        return ParsedAddress("POI_ONLY", f"{name}{number}号{annex}")
    if road["annex"]:
        number += f"附{road['annex']}"
    inner = _parse_compound_door(f"{name}{number}号院{rest}")
    if inner is not None and inner.compound == f"{name}{number}号院":
        return ParsedAddress(inner.status, f"{name}{number}号", inner.building, inner.unit, inner.room)
    # 望江路12号2单元301: the number is the building.
    inner = _parse_compound_door(f"{name}{number.partition('附')[0]}幢{rest}")
    if inner is not None and inner.compound == name:
        return ParsedAddress(inner.status, name, number, inner.unit, inner.room)
    return ParsedAddress("AMBIGUOUS", f"{name}{number}号")


def _parse_compound_door(text: str) -> ParsedAddress | None:
    for patterns, status in ((_WITH_UNIT, "FULL"), (_WITHOUT_UNIT, "NO_UNIT"), (_WITHOUT_ROOM, "NO_ROOM")):
        for pattern in patterns:
            found = pattern.fullmatch(text)
            if found is None:
                continue
            groups = found.groupdict()
            compound = _compound(found["compound"])
            if re.search(r"(?a)\d[-#/]?$|附$", found["compound"]):
                return ParsedAddress("AMBIGUOUS", compound)  # 2-12-3-1001: one number too many
            unit = groups.get("unit")
            room = _room(groups) if status != "NO_ROOM" else None
            if status != "NO_ROOM" and not room:
                continue
            return ParsedAddress(
                status, compound, _plain(found["building"]), _plain(unit) if unit else None, room
            )
    return None


def _parse_place(rest: str, community: str | None) -> ParsedAddress:
    """No door in it: the name of a place, or nothing that can be told."""
    name = _compound(rest)
    if _NO_DWELLING.search(rest) or re.search(r"(?a)\d", rest):
        return ParsedAddress("AMBIGUOUS" if _is_name(name) else "UNPARSED", community=community)
    if _WHOLE_NUMBER_NAME.fullmatch(name):
        return ParsedAddress("POI_ONLY", name, community=community)
    return ParsedAddress("UNPARSED", community=community)


def _room(groups: dict[str, str | None]) -> str | None:
    """The room: 18层04室 is 1804, 9层904室 is 904, 3楼东户 is 3东, 10-02 is 1002, 401-A is 401A."""
    high, low, floor, room = (groups.get(name) for name in ("high", "low", "floor", "room"))
    if high and low:
        return _plain(high) + low
    if not room:
        return None
    room = room.replace("-", "")
    if not floor:
        return _plain(room)
    floor = _plain(floor)
    if not room[:1].isdigit():
        return floor + room
    digits = room.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if len(digits) <= 2:
        return floor + digits.zfill(2) + room[len(digits) :]
    return _plain(room) if _plain(room).startswith(floor) else None


def _plain(number: str) -> str:
    return number.replace("号", "").lstrip("0") or "0"


def _compound(text: str) -> str:
    """Compound name as it goes into the key."""
    name = re.sub(r"[-#/·.\s]+$|^[-#/·.]+", "", text)
    shorter = name.removesuffix("小区")
    # 莫邪塘小区 and 莫邪塘 are one place; 望江小区 is the whole name.
    return shorter if len(shorter) >= 3 and not shorter[-1].isdigit() else name


def _is_name(compound: str | None) -> bool:
    return compound is not None and re.search(r"[一-龥]{2}|[A-Z]{2}", compound) is not None
