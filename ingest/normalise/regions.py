"""The region words in front of an address: province, city, county, street, community; taken off, not judged.

Inside one sub-district they are the same for everybody, so the door is in what remains (domain.md 3.1). Provinces
and cities are known by name, those of the past too (``infra.admin_divisions``); below that the form of the word decides, with guards for names that only look like
a region (小区, 东区, 水乡人家).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from infra.admin_divisions import names_of

# The peoples that name autonomous prefectures, with 族 or without: 恩施土家族苗族自治州, 博尔塔拉蒙古自治州.
_PEOPLES: Final = (
    "(?:(?:蒙古|回|藏|苗|彝|布依|朝鲜|侗|哈萨克|傣|傈僳|景颇|柯尔克孜|白|哈尼|壮|土家|羌|黎)族?)+"
)


def _stems(names: Iterable[str], kinds: str) -> str:
    """Names that end in one of the kinds, without it, as alternatives of a pattern, the longest first."""
    stems = {found[1] for name in names if (found := re.fullmatch(f"([一-龥]{{2,}}?)(?:{kinds})", name))}
    return "|".join(sorted(stems, key=lambda stem: (-len(stem), stem)))


_PROVINCE_KINDS: Final = "省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区"
_PROVINCES: Final = _stems(names_of("province"), _PROVINCE_KINDS)
# People still write 襄樊市 and 下城区; without its 市 only a city of today is told from a compound.
_CITIES: Final = _stems(names_of("city"), "市|地区|盟")
_CITIES_NOW: Final = _stems(
    names_of("city", only_current=True) | names_of("province", only_current=True), "市"
)
_PREFECTURES: Final = _stems(names_of("city"), f"{_PEOPLES}自治州")

_PROVINCE: Final = re.compile(
    f"(?:{_PROVINCES})(?:省|市(?!区)|壮族自治区|回族自治区|维吾尔自治区|特别行政区|自治区)"
)
_PROVINCE_SHORT: Final = re.compile(f"(?:{_PROVINCES})(?=(?:{_CITIES_NOW}))")
_CITY: Final = re.compile(f"(?:{_CITIES})(?:市|地区|盟)|(?:{_PREFECTURES})州|[一-龥]{{2,9}}自治州")
_CITY_SHORT: Final = re.compile(f"(?:{_CITIES_NOW})(?=[一-龥]{{1,3}}[区县市](?!号))")
# Without its 市 a city is one only before one of its counties or new districts: 中山花园小区 and 朝阳小区 are compounds.
_COUNTIES: Final = names_of("county")
_NEW_DISTRICT_SHORT: Final = re.compile(r"(?:[一-龥]{1,2}新|[一-龥]{0,2}开发|高新)区")
_NO_COUNTY: Final = "小社园苑片校宅活属院老东西南北中新期组发甲乙丙丁戊己庚辛壬癸A-Z0-9一二三四五六七八九十"
# Districts that end like a part of a compound: 河东区, 桥西区.
_DIRECTED: Final = _stems(
    (name for name in names_of("county") if re.search(f"[{_NO_COUNTY}]区$", name)), "区"
)
_COUNTY: Final = re.compile(
    rf"(?:{_DIRECTED})区(?![\d号幢栋座内])|[一-龥]{{1,6}}?自治[县旗]|[一-龥]{{1,4}}?(?<![{_NO_COUNTY}])区(?![\d号幢栋座内])|[一-龥]{{2,4}}?[县旗]|[一-龥]{{2,4}}?市"
)
_NEW_DISTRICT: Final = re.compile(
    r"[一-龥]{1,4}?(?:新区|(?:经济|高新|技术|产业|工业|旅游|保税|示范){0,3}开发区|高新区)|(?:高新|工业|科技|产业)园区"
)
_STREET: Final = re.compile(r"[一-龥]{2,8}?(?:街道办事处|街道)")
# A town's name has two characters or more (乌镇 is 乌镇镇); 小镇, 古镇 and 水乡 are words of compounds.
_TOWN: Final = re.compile(r"[一-龥]{2,6}?(?:民族乡|(?<![小古名])镇|(?<![水家故梦老同])乡)")
_COMMUNITY: Final = re.compile(
    r"(?P<name>[一-龥0-9]{1,8}?社区)(?:居委会|居民委员会|居民区|党群服务中心)?"
    r"|(?P<committee>[一-龥]{2,8}?)(?:居委会|居民委员会)"
)
_VILLAGE: Final = re.compile(r"(?P<name>[一-龥]{2,6}?(?<!新)村)(?:村委会|村民委员会)?(?=[一-龥]{2,}.*?\d)")
# Words that compounds end in and none consists of: the 市 of 万科城市|花园3幢 is no region's.
_BARE_KIND: Final = re.compile(
    r"(?:花园|家园|花苑|嘉园|公寓|公馆|小区|新村|新城|名苑|名邸|雅苑|雅居|庭院|广场|大厦|大楼|大院|人家|山庄|别墅|豪庭|之光|之星|之家)"
    r"(?:[东西南北中]?[区苑院]|[一二三四五六七八九十\d]期)?(?=[\dA-Z]|[一二三四五六七八九十甲乙丙丁东西南北]+(?:号楼|[幢栋座号])|$)"
)
_GRID: Final = re.compile(r"第?[\d一二三四五六七八九十]{1,3}网格")


def community_name(folded: str) -> str:
    """The one name of a community: 近江, 近江居委会 and 望江街道近江社区 are 近江社区; a village keeps its 村."""
    name = re.sub(r"\s|\(.*?\)", "", folded) or folded
    name = re.sub(r"^[一-龥]{2,8}街道(?=[一-龥]{2})", "", name)
    name = re.sub(r"(?<=..)村(民委员会|委会)$", "村", name)
    name = re.sub(r"(?<=..)(居民委员会|居委会|居民区)$", "", name)
    return (
        name
        if re.search(r"(社区|村|新村|街道|镇|小区)$", name) or not re.fullmatch(r"[一-龥]{2,8}", name)
        else f"{name}社区"
    )


def is_region(name: str) -> bool:
    """Whether a whole name is a region's: 上城区, 望江街道, 径山镇."""
    return any(pattern.fullmatch(name) for _, pattern, _ in _LEVELS) and not name.endswith("城市")


def split_regions(text: str) -> tuple[str, str | None]:
    """Take the region words off the front of an address.

    Args:
        text: Folded address without spaces.

    Returns:
        The rest, and the community that the address names (``近江社区``), or None.
    """
    community: str | None = None
    taken: dict[int, str] = {}
    for _ in range(3):  # people repeat the prefix: 杭州市上城区杭州市上城区…
        before = text
        text = _strip_upper(text, taken)
        text, named = _strip_community(text)
        community = community or named
        text = _strip_grid(text)
        if text == before:
            break
    return text, community


# (level, pattern, judged by its form alone), from the province down.
_LEVELS: Final = (
    (0, _PROVINCE, False),
    (0, _PROVINCE_SHORT, False),
    (1, _CITY, False),
    (1, _CITY_SHORT, False),
    (2, _COUNTY, True),
    (3, _NEW_DISTRICT, True),
    (4, _STREET, False),
    (4, _TOWN, True),
)


def _strip_upper(text: str, taken: dict[int, str]) -> str:
    """Take off province to town. ``taken`` (level to words) grows: guards loosen once a region was there."""
    for level, pattern, guarded in _LEVELS:
        found = pattern.match(text)
        if not found or not _leaves_an_address(text[found.end() :]):
            continue
        if pattern is _CITY_SHORT and not _begins_with_county(text[found.end() :]):
            continue
        # Below the city each level is there once; what looks like another one is a name (南镇大楼), unless repeated.
        if level > 1 and any(below >= level for below in taken) and taken.get(level) != found[0]:
            continue
        if guarded and _BARE_KIND.match(text[found.end() :]):
            continue
        if guarded and not taken and not _is_surely_region(found[0], text[found.end() :]):
            continue
        if level <= 1:  # the prefix begins anew
            for below in [each for each in taken if each > level]:
                del taken[below]
        text, taken[level] = text[found.end() :], found[0]
    return text


def _begins_with_county(rest: str) -> bool:
    return (
        any(rest[:length] in _COUNTIES for length in range(2, 8))
        or _NEW_DISTRICT_SHORT.match(rest) is not None
    )


def _is_surely_region(word: str, rest: str) -> bool:
    """Whether a word with nothing above it is a region: what follows goes on like an address below it."""
    if re.match(r"[一-龥]{2,8}?(街道|镇|乡|社区|村委会|居委会)|[一-龥]{1,8}?[路街弄巷道]\d+[号弄]", rest):
        return True
    return word.endswith("区") and len(word) >= 3 and re.match(r"[一-龥]{2,}", rest) is not None


def _leaves_an_address(rest: str) -> bool:
    """Whether the rest can stand alone: it begins with a name, not with a word that a name must precede."""
    return len(rest) >= 2 and re.match(r"(?!社区|居委会|街道)[一-龥A-Z]|\d+[组弄]", rest) is not None


def _strip_community(text: str) -> tuple[str, str | None]:
    found = _COMMUNITY.match(text)
    if found:
        name = found["name"] or f"{found['committee']}社区"
        rest = text[found.end() :]
        # A community that is also the only name before the door stays: 望江社区3幢2单元501.
        if _leaves_an_address(rest) and not re.match(r"\d+[组弄]", rest):
            return rest, name
        return text, name
    found = _VILLAGE.match(text)
    if found and _has_compound_name(text[found.end() :]):
        return text[found.end() :], found["name"]
    return text, None


def _has_compound_name(rest: str) -> bool:
    """Whether a compound's name stands before the first digit."""
    name = re.split(r"\d|[一二三四五六七八九十]+[幢栋座号]", rest, maxsplit=1)[0]
    return re.search(r"(园|苑|公寓|小区|新村|城|府|庭|湾|里|坊|居|阁|轩|邸|墅|大厦|广场)$", name) is not None


def _strip_grid(text: str) -> str:
    found = _GRID.match(text)
    return text[found.end() :] if found and _leaves_an_address(text[found.end() :]) else text
