"""The grammar of doors: what the words and numbers after a compound's name mean (domain.md 3.2, steps 5 to 7).

A wrong full key puts strangers into one household, so whatever has two readings gets no key. Not here: how the text is
brought to one form (``preparation``), and what is known of single compounds (``gazetteer``). The grammar alone cannot
say whether a compound has units: an address without a unit is ``NO_UNIT``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ingest.addresses.door import ParsedAddress, compound_of, plain, room_of
from ingest.normalise.regions import is_region

NO_DWELLING: Final = re.compile(
    r"地下|负[一二三\d]|-[123][层F]|车库|车位|储藏|贮藏|阁楼|商铺|底商|店面|门面|门市|商业用房|工棚|工地|空挂|已拆|拆迁|"
    r"对面|附近|旁|隔壁|[前后]面|背后|无号|无门牌|或(?=[一-龥]{2})|门口|路口|交叉口|交汇|交界|[东西南北]侧(?=[一-龥])|^(?:原(?![野乡著生墅])|老家|户籍|户口)"
)
# Signs and letters that stand for what somebody hid or could not read.
MASKED: Final = re.compile(r"[*×□?○]|XX|某|(?<![A-Z])X(?=[\d幢栋座号单室])|(?<=\d)X|(?<=[幢栋座楼元])X")
# A name that says no more than what kind of place it is, or where the row above it is.
_KIND_ONLY: Final = re.compile(
    r"(?:[本同该]?(?:上|小区|社区|村|院)|花园|家园|公寓|新村|大院|大楼|大厦|广场|(?:职工|单位|集体)?宿舍|家属[院区楼])"
)
NOT_A_PLACE: Final = re.compile(
    r"同上|同前|同户主|与户主同|同户籍地?|见(?:身份证|户口[本簿])|人户分离|本地|外地|外省|外市|国外|境外|本村|本社区|本街道|"
    r"(?:在外|外出)(?:打工|务工)?|居无定所|流动|不固定|迁出|失联|服刑|住校|测试|(?:已|已经)?(?:死亡|去世|亡故)|已故"
)

# Pieces of the road. 黄埔大道西668号, 人民南路四段27号, 西四北3条12号; a house number may carry a letter: 甲2号, 12A号.
_ROAD: Final = (
    r"(?:(?:大道|大街|胡同|横路|支路|辅路|公路|路|街|巷|弄|道|里弄|(?<=\d)条)"
    r"(?:[东西南北中]?[一二三四五六七八九十\d]段|[东西南北中前后]段|[东西南北中]|辅路|延长线)?)"
)
_LETTER: Final = "[甲乙丙丁戊A-WYZ]"

# Pieces of the tail. Digits are ASCII after folding; X is never a letter of a door but a mask. A building is not
# begun in the middle of a Latin name (MOMA3幢) and has three digits at most: 阳光1003幢 is 阳光100 or 阳光.
_B: Final = r"(?P<building>[甲乙丙丁]?\d{1,3}[A-WYZ甲乙丙丁]?|(?<![A-Z])[A-WYZ]\d{0,3}|[甲乙丙丁东西南北中])"
_B_DASHED: Final = r"(?P<building>\d{1,3}[A-WYZ]?|(?<![A-Z])[A-WYZ])"
_B_WORD: Final = r"(?:号楼|#楼|幢|栋|座|#|舍)"
_U: Final = r"(?P<unit>\d{1,2}|[A-WYZ]|[甲乙丙丁东西南北中])(?:单元|门洞|门|梯)"
_F: Final = r"(?:(?P<floor>\d{1,2})(?:层|楼|F)-?)"
# A part of a flat: 501-1, 501室-1, 501-A, 501室A.
_PART: Final = r"(?:(?:室|房)?-?(?P<part>[A-WYZ])|(?:室|房)?-(?P<number>\d))?"
_R: Final = rf"(?P<room>\d{{2,4}}[A-WYZ]?|\d{{1,2}}[A-EG-WYZ]){_PART}"
_R_LONG: Final = rf"(?P<room>\d{{3,4}}[A-WYZ]?){_PART}"
_R_SHORT: Final = r"(?P<room>\d{1,4}[A-WYZ]?|[东西南北中左右]{1,2})"
_END: Final = r"(?:号室|室|房间|房|户|号|间|边户|侧)?"
_C: Final = r"(?P<compound>.*?[^\d\-#/])"


class _Tail(NamedTuple):
    """The pattern of a door, behind a name that the pattern finds and behind one that is known."""

    behind_any_name: re.Pattern[str]
    alone: re.Pattern[str]


def _tail(pattern: str) -> _Tail:
    return _Tail(re.compile(rf"(?a){_C}{pattern}"), re.compile(rf"(?a){pattern}"))


# In order: the first that fits the whole text wins. After a dash alone 3-12 is a unit and a room, or a floor and a
# flat (Chongqing), so a room without the word 单元 in front needs three digits.
_WITH_UNIT: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?{_U}-?{_F}?(?P<high>\d{{1,2}})-(?P<low>\d{{2}}){_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?{_U}-?{_F}{_R_SHORT}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?{_U}-?{_R}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?{_U}-?(?P<room>\d)(?:室|房|号|户)"),
    _tail(rf"{_B}(?:{_B_WORD}|号)-?(?P<unit>\d{{1,2}})[-#/]{_F}?{_R_LONG}{_END}"),
    _tail(rf"{_B_DASHED}[-/](?P<unit>\d{{1,2}})[-/]{_F}?(?P<room>\d{{3,4}}[A-WYZ]?){_END}"),
    _tail(rf"{_B_DASHED}-{_U}-?{_F}?{_R}{_END}"),
)
_WITHOUT_UNIT: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号)-?{_F}{_R_SHORT}{_END}"),
    _tail(rf"{_B}(?:{_B_WORD}|号)-?{_R}{_END}"),
    _tail(rf"(?P<building>\d{{1,3}}[A-WYZ]?)-(?P<room>\d{{3,4}}[A-WYZ]?){_END}"),
)
_WITHOUT_ROOM: Final = (
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)-?{_U}(?:-?{_F})?"),
    _tail(rf"{_B}(?:{_B_WORD}|号|楼)(?:-?{_F})?"),
)
_KINDS_OF_DOOR: Final = ((_WITH_UNIT, "FULL"), (_WITHOUT_UNIT, "NO_UNIT"), (_WITHOUT_ROOM, "NO_ROOM"))
_NUMBER_TOO_MANY: Final = re.compile(r"(?a)\d[-#/]?$|附$")
_HOUSE: Final = rf"{_LETTER}?\d+(?:号?附\d+)?{_LETTER}?"
_LANE: Final = re.compile(
    rf"(?a)(?P<compound>.*?\d+弄(?:\d+支弄)?)(?P<building>{_HOUSE}(?:号[甲乙丙丁]|号楼?))"
    rf"-?(?:{_F}?(?:{_R}|(?P<high>\d{{1,2}})层(?P<low>\d{{2}})){_END})?"
)
_GROUP: Final = re.compile(
    rf"(?a)(?P<compound>.*?\d+(?:组|队|社)|.*村[一-龥]{{1,4}}(?:组|屯|自然村))(?P<building>{_HOUSE})号?"
    rf"(?:-?{_F}?(?P<room>\d{{3,4}}){_END})?"
)
# Estates are called villages too: 采荷新村, 曹杨2村, 工人村. There a number is a building.
_VILLAGE_HOUSE: Final = re.compile(
    rf"(?a)(?P<compound>.*(?:(?<![新\d])(?<!工人|教师|职工|干部|专家|大学)村|自建房|农居房?|民房|农民房))(?P<building>{_HOUSE})号"
)
_ROAD_HOUSE: Final = re.compile(
    rf"(?a)(?P<compound>.*?{_ROAD})(?P<building>{_LETTER}?\d+(?:-\d+)?{_LETTER}?)号"
    r"(?P<letter>[甲乙丙丁](?=\d{1,2}(?:单元|门|梯)|\d{3}))?(?:大院|院)?(?:附(?P<annex>\d+)(?:号|$))?(?P<rest>.*)"
)
ROAD_BEFORE_NAME: Final = re.compile(
    rf"(?a)[一-龥A-Z\d]{{1,12}}?{_ROAD}{_LETTER}?\d+(?:-\d+)?{_LETTER}?"
    r"(?:弄(?:\d+支弄)?|号(?:附\d+号?)?)(?:院内|大院|院(?!士)|内(?!蒙))?(?=[一-龥]{2})"
)
_BARE_ROAD_BEFORE_NAME: Final = re.compile(
    r"(?a)[一-龥]{2,6}?(?:大道|大街|路|街(?!道)|巷)"
    r"(?=[一-龥]{2,8}(?:家园|花园|公寓|新村|名邸|雅居|嘉园|庭院|[^花]苑|花苑|坊|里)\d)"
)
JOINED_ROOMS: Final = re.compile(r"(?a)\d{3,4}室?[/、,和&+]\d{3,4}|(?:单元|门|梯)\d{3,4}-\d{3,4}")
JOINED_HOUSES: Final = re.compile(r"(?a)\d+[-、,/]\d+(?:号(?!楼|院)|幢|栋)")
_PLACE: Final = re.compile(r"(?a)[一-龥A-Z\d·]*?[一-龥]{2,}(?:\d+(?:组|队|社|巷|弄|支弄|期|条|里|村))?")
_DOOR_IN_NAME: Final = re.compile(r"(?a)\d(?:幢|栋|号楼|单元|室|层)")


def read_door(rest: str) -> ParsedAddress | None:
    """The door of an address whose region words are off; None when there is none in it."""
    stripped = rest
    road = ROAD_BEFORE_NAME.match(rest)
    if road and not re.match(r"(附|东|西|南|北)?\d", rest[road.end() :]):
        stripped = rest[road.end() :]
        if _ROAD_HOUSE.fullmatch(stripped):
            return ParsedAddress("AMBIGUOUS")  # two roads
    bare_road = _BARE_ROAD_BEFORE_NAME.match(stripped)
    if bare_road:
        stripped = stripped[bare_road.end() :]
    for pattern in (_LANE, _GROUP, _VILLAGE_HOUSE):
        found = pattern.fullmatch(stripped)
        if found:
            return _single_house(found, needs_room=pattern is _LANE)
    road = _ROAD_HOUSE.fullmatch(stripped)
    if road:
        return _read_road_house(road)
    if JOINED_HOUSES.search(stripped):
        return ParsedAddress("AMBIGUOUS", compound_of(re.split(r"\d", stripped, maxsplit=1)[0]))
    return _read_compound_door(stripped)


def _single_house(found: re.Match[str], *, needs_room: bool) -> ParsedAddress:
    """A house number is the door (group, village), or the door needs a room but never a unit (lane)."""
    groups = found.groupdict()
    room = room_of(groups)
    status = "NO_ROOM" if needs_room and not room else "FULL"
    compound = compound_of(found["compound"])
    if status == "FULL" and re.fullmatch(r"(?a)\d+(组|队|社|弄)", compound):
        status = "AMBIGUOUS"  # 5组6号 of which village?
    return ParsedAddress(
        status, compound, plain(found["building"]), "" if status == "FULL" else None, room or ""
    )


def _read_road_house(road: re.Match[str]) -> ParsedAddress:
    """望江路12号…: what follows the number tells whether it names a compound or the building itself."""
    number, rest = road["building"] + (road["letter"] or ""), road["rest"]
    name = compound_of(road["compound"])
    if "-" in number or len(name) < 2:
        return ParsedAddress("AMBIGUOUS", f"{name}{number}号")
    if not rest:
        annex = f"附{road['annex']}号" if road["annex"] else ""
        return ParsedAddress("POI_ONLY", f"{name}{number}号{annex}")
    if road["annex"]:
        number += f"附{road['annex']}"
    inner = _read_compound_door(f"{name}{number}号院{rest}")
    if inner is not None and inner.compound == f"{name}{number}号院":
        return ParsedAddress(inner.status, f"{name}{number}号", inner.building, inner.unit, inner.room)
    # 望江路12号2单元301: the number is the building.
    inner = _read_compound_door(f"{name}{number.partition('附')[0]}幢{rest}")
    if inner is not None and inner.compound == name:
        return ParsedAddress(inner.status, name, number, inner.unit, inner.room)
    return ParsedAddress("AMBIGUOUS", f"{name}{number}号")


def read_tail(compound: str, tail: str) -> ParsedAddress | None:
    """The door in what follows the name of a known compound; None when there is none in it."""
    if JOINED_HOUSES.search(tail):
        return ParsedAddress("AMBIGUOUS", compound)
    for patterns, status in _KINDS_OF_DOOR:
        for pattern in patterns:
            found = pattern.alone.fullmatch(tail)
            if found and (door := _door(status, compound, found)):
                return door
    return None


def _read_compound_door(text: str) -> ParsedAddress | None:
    for patterns, status in _KINDS_OF_DOOR:
        for pattern in patterns:
            found = pattern.behind_any_name.fullmatch(text)
            if found is None:
                continue
            compound = compound_of(found["compound"])
            if _NUMBER_TOO_MANY.search(found["compound"]):
                return ParsedAddress("AMBIGUOUS", compound)  # 2-12-3-1001: one number too many
            if door := _door(status, compound, found):
                return door
    return None


def _door(status: str, compound: str, found: re.Match[str]) -> ParsedAddress | None:
    """The door that a pattern found; None when its room cannot be one."""
    groups = found.groupdict()
    unit = groups.get("unit")
    room = room_of(groups) if status != "NO_ROOM" else None
    if status != "NO_ROOM" and not room:
        return None
    return ParsedAddress(status, compound, plain(found["building"]), plain(unit) if unit else None, room)


def read_place(rest: str, community: str | None) -> ParsedAddress:
    """No door in it: the name of a place, or nothing that can be told."""
    name = compound_of(rest)
    if not NO_DWELLING.search(rest) and not _DOOR_IN_NAME.search(name) and _PLACE.fullmatch(name):
        return ParsedAddress("POI_ONLY", name, community=community)
    is_told = re.search(r"[一-龥]{2}", rest) is not None and not re.match(r"(?a)[\d-]", rest)
    return ParsedAddress("AMBIGUOUS" if is_told else "UNPARSED", community=community)


@lru_cache(maxsize=8192)
def is_name(compound: str | None) -> bool:
    """Whether it is one name: no sign of another address in it, and more than a number."""
    return (
        compound is not None
        and re.search(r"[一-龥]{2}|[A-Z]{2}", compound) is not None
        and re.fullmatch(r"(?a)[一-龥A-Z\d·-]+", compound) is not None
        and re.search(r"(.{2,})\1", compound) is None
        and not _DOOR_IN_NAME.search(compound)
        and not _KIND_ONLY.fullmatch(compound)
        and not is_region(compound)
    )
