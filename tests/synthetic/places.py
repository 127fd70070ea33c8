"""The sub-district: communities, grids, compounds, doors; and the ways people write an address.

Belongs here: geography and the spelling of addresses (domain.md 3.2). Not here: who lives where (`population`).
All names are invented. Some compounds have no units, some names exist in two communities, some contain numerals that are
no numbers (domain.md 3.2 step 2), and two communities have self-built houses without a compound.
"""

import random
from dataclasses import dataclass, field

PROVINCE_CITY = "浙江省杭州市"
COUNTY = "上城区"
SUBDISTRICT = "云河街道"

_COMMUNITIES = ("晓桥", "平安里", "南苑", "五福", "柳浦", "望溪", "三亭", "春晖", "金塘", "新河")
_ROADS = (
    "云河路",
    "晓桥路",
    "平安路",
    "南苑街",
    "五福路",
    "柳浦路",
    "望溪路",
    "三亭街",
    "春晖路",
    "金塘路",
    "河坊弄",
    "八一路",
)
_COMPOUNDS = (
    "锦绣苑", "晓桥公寓", "桂雨花园", "平安里小区", "长河名邸", "南苑新村", "五福新村", "三里亭苑", "八一新村", "柳浦东区", "柳浦西区",
    "望溪家园", "阳光一期", "阳光二期", "三亭雅居", "春晖花苑", "翠谷园", "金塘公寓", "滨水嘉园", "新河坊", "十五家园", "梧桐里",
    "和睦新村", "云栖雅苑", "紫金庭院", "馨园", "华庭", "德胜坊", "清波小筑", "月桂公馆",
)  # fmt: skip
_CHINESE_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class Compound:
    """A named group of buildings in one community. `unit_count` 0: the buildings have no units."""

    name: str
    community: str
    road: str
    road_number: int
    buildings: tuple[int, ...]
    unit_count: int
    floor_count: int
    rooms_per_floor: int
    is_self_built: bool = False


@dataclass(frozen=True)
class Door:
    """One door. `unit` and `room` are empty strings where the place has none."""

    compound: Compound
    building: str
    unit: str
    room: str
    grid: str

    @property
    def community(self) -> str:
        """The community's full name."""
        return self.compound.community

    @property
    def key(self) -> str:
        """compound|building|unit|room as docs/tables.md builds it; unique within a community only."""
        return f"{self.compound.name}|{self.building}|{self.unit}|{self.room}"


@dataclass
class SubDistrict:
    """All compounds, and the doors not yet given away."""

    name: str
    communities: tuple[str, ...]
    compounds: list[Compound]
    grid_counts: dict[str, int]
    _taken: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def build(cls, rng: random.Random, household_count: int) -> "SubDistrict":
        """About three doors for every household, in ten communities (fewer for very small worlds)."""
        community_count = max(2, min(len(_COMMUNITIES), household_count // 60))
        communities = tuple(f"{name}社区" for name in _COMMUNITIES[:community_count])
        grid_counts = {community: rng.randint(3, 5) for community in communities}
        needed_doors, doors = 3 * household_count + 200, 0
        compounds: list[Compound] = []
        place = 0
        while doors < needed_doors or place < 3 * community_count:
            name = _COMPOUNDS[place % len(_COMPOUNDS)]
            generation = place // len(_COMPOUNDS)
            if generation:
                part = (
                    "甲乙丙丁戊己庚辛壬癸"[generation - 1]
                    if generation <= 10
                    else to_chinese_number(generation)
                )
                name = f"{name}{part}区"
            compound = cls._build_compound(rng, name, communities[place % community_count])
            compounds.append(compound)
            doors += _door_count(compound)
            place += 1
        # Names that exist twice: another community, the same building numbers, other roads.
        for original in compounds[: max(1, len(compounds) // 12)]:
            elsewhere = communities[(communities.index(original.community) + 1) % community_count]
            compounds.append(
                Compound(
                    original.name, elsewhere, rng.choice(_ROADS), rng.randint(2, 99), original.buildings,
                    original.unit_count, original.floor_count, original.rooms_per_floor,
                )
            )  # fmt: skip
        for community in communities[:2]:
            compounds.extend(
                Compound(
                    f"自建房{group}组", community, "", 0, tuple(range(1, 61)), 0, 1, 1, is_self_built=True
                )
                for group in (3, 5)
            )
        return cls(SUBDISTRICT, communities, compounds, grid_counts)

    @staticmethod
    def _build_compound(rng: random.Random, name: str, community: str) -> Compound:
        has_units = rng.random() > 0.2
        return Compound(
            name=name,
            community=community,
            road=rng.choice(_ROADS),
            road_number=rng.randint(2, 199),
            buildings=tuple(range(1, rng.randint(4, 13))),
            unit_count=rng.randint(2, 4) if has_units else 0,
            floor_count=rng.choice((6, 7, 11, 18)),
            rooms_per_floor=rng.choice((2, 3, 4)) if has_units else rng.choice((4, 6, 8)),
        )

    def take_door(self, rng: random.Random, community: str | None = None) -> Door:
        """A door nobody has been given yet, in that community or anywhere."""
        while True:
            compound = rng.choice(self.compounds)
            if compound.is_self_built and rng.random() < 0.5:
                continue
            if community is not None and compound.community != community:
                continue
            door = self._draw_door(rng, compound)
            if (door.community, door.key) not in self._taken:
                self._taken.add((door.community, door.key))
                return door

    def _draw_door(self, rng: random.Random, compound: Compound) -> Door:
        building = rng.choice(compound.buildings)
        # A grid is a part of a community: whole buildings belong to it.
        grid = f"第{(building + len(compound.name)) % self.grid_counts[compound.community] + 1}网格"
        if compound.is_self_built:
            return Door(compound, str(building), "", "", grid)
        unit = str(rng.randint(1, compound.unit_count)) if compound.unit_count else ""
        room = f"{rng.randint(1, compound.floor_count)}{rng.randint(1, compound.rooms_per_floor):02d}"
        return Door(compound, str(building), unit, room, grid)


def _door_count(compound: Compound) -> int:
    return (
        len(compound.buildings)
        * max(1, compound.unit_count)
        * compound.floor_count
        * compound.rooms_per_floor
    )


# How often each spelling occurs: (style, weight). The samples use all of them.
ADDRESS_STYLES = (
    ("plain", 26), ("full_region", 9), ("city_road", 8), ("subdistrict_community", 8), ("road_block", 9), ("house_number", 9),
    ("dong", 9), ("hash", 6), ("dashes", 8), ("wide_dashes", 5), ("chinese_building", 3), ("spaced", 2), ("bracketed", 1),
    ("layered", 1),
)  # fmt: skip
_STYLE_NAMES = [name for name, _ in ADDRESS_STYLES]
_STYLE_WEIGHTS = [weight for _, weight in ADDRESS_STYLES]


def draw_address_style(rng: random.Random) -> str:
    """One of the spellings of `write_address`."""
    return rng.choices(_STYLE_NAMES, _STYLE_WEIGHTS)[0]


def write_address(door: Door, style: str) -> str:
    """The door's address in one spelling. Every spelling names the whole door."""
    compound = door.compound
    if compound.is_self_built:
        return _write_self_built(door, style)
    name, road = compound.name, f"{compound.road}{compound.road_number}号"
    unit = f"{door.unit}单元" if door.unit else ""
    parts = [part for part in (door.building, door.unit, door.room) if part]
    tail = f"{door.building}幢{unit}{door.room}室"
    match style:
        case "full_region":
            return f"{PROVINCE_CITY}{COUNTY}{SUBDISTRICT}{name}{tail}"
        case "city_road":
            return f"杭州市{COUNTY}{road}{name}{tail}"
        case "subdistrict_community":
            return f"{SUBDISTRICT}{door.community}{name}{tail}"
        case "road_block":
            return f"{road}{name}{door.building}座{unit}{door.room}"
        case "house_number":
            return f"{name} {door.building}号楼{unit}{door.room}室"
        case "dong":
            return f"{name}{door.building}栋{unit}{door.room}"
        case "hash":
            return f"{name}{door.building}#{'-'.join(parts[1:])}"
        case "dashes":
            return f"{name}{'-'.join(parts)}"
        case "wide_dashes":
            return f"{name}{'-'.join(parts)}".translate(_WIDE)
        case "chinese_building":
            return f"{name}{to_chinese_number(int(door.building))}幢{unit}{door.room}室"
        case "spaced":
            return f"{name} {door.building}幢 {unit} {door.room}室".replace("  ", " ")
        case "bracketed":
            return f"{COUNTY}{name}({door.community}){tail}"
        case "layered":
            return f"{name}{door.building}幢{unit}{door.room[:-2]}层{door.room}室"
        case _:
            return f"{name}{tail}"


def write_address_without_room(door: Door) -> str:
    """What a hurried clerk writes: building (and unit) only."""
    if door.compound.is_self_built:
        return f"{door.community}{door.compound.name}"
    unit = f"{door.unit}单元" if door.unit else ""
    return f"{door.compound.name}{door.building}幢{unit}"


def to_chinese_number(number: int) -> str:
    """1 to 99 in Chinese numerals."""
    tens, ones = divmod(number, 10)
    if tens == 0:
        return _CHINESE_DIGITS[ones]
    return ("" if tens == 1 else _CHINESE_DIGITS[tens]) + "十" + (_CHINESE_DIGITS[ones] if ones else "")


def _write_self_built(door: Door, style: str) -> str:
    tail = f"{door.compound.name}{door.building}号"
    if style == "full_region":
        return f"{PROVINCE_CITY}{COUNTY}{SUBDISTRICT}{door.community}{tail}"
    if style in {"subdistrict_community", "city_road"}:
        return f"{SUBDISTRICT}{door.community}{tail}"
    if style in {"plain", "house_number"}:
        return tail
    return f"{door.community}{tail}"


_WIDE = str.maketrans("0123456789-#", "０１２３４５６７８９－＃")
