"""The region words in front of an address: province, city, county, street, community; taken off, not judged.

Inside one sub-district they are the same for everybody, so the door is in what remains (domain.md 3.1). Provinces
and cities are known by name; below that the form of the word decides, with guards for names that only look like
a region (小区, 东区, 水乡人家).
"""

from __future__ import annotations

import re
from typing import Final

# GB/T 2260, level 1, short forms; and the cities of level 2 without their suffix.
_PROVINCES: Final = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|"
    "湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|"
    "香港|澳门"
)
_CITIES: Final = (
    "石家庄|唐山|秦皇岛|邯郸|邢台|保定|张家口|承德|沧州|廊坊|衡水|太原|大同|阳泉|长治|"
    "晋城|朔州|晋中|运城|忻州|临汾|吕梁|呼和浩特|包头|乌海|赤峰|通辽|鄂尔多斯|呼伦贝尔|"
    "巴彦淖尔|乌兰察布|沈阳|大连|鞍山|抚顺|本溪|丹东|锦州|营口|阜新|辽阳|盘锦|铁岭|朝阳|"
    "葫芦岛|长春|吉林|四平|辽源|通化|白山|松原|白城|哈尔滨|齐齐哈尔|鸡西|鹤岗|双鸭山|大庆|"
    "伊春|佳木斯|七台河|牡丹江|黑河|绥化|南京|无锡|徐州|常州|苏州|南通|连云港|淮安|盐城|"
    "扬州|镇江|泰州|宿迁|杭州|宁波|温州|嘉兴|湖州|绍兴|金华|衢州|舟山|台州|丽水|合肥|"
    "芜湖|蚌埠|淮南|马鞍山|淮北|铜陵|安庆|黄山|滁州|阜阳|宿州|六安|亳州|池州|宣城|福州|"
    "厦门|莆田|三明|泉州|漳州|南平|龙岩|宁德|南昌|景德镇|萍乡|九江|新余|鹰潭|赣州|吉安|"
    "宜春|抚州|上饶|济南|青岛|淄博|枣庄|东营|烟台|潍坊|济宁|泰安|威海|日照|临沂|德州|"
    "聊城|滨州|菏泽|郑州|开封|洛阳|平顶山|安阳|鹤壁|新乡|焦作|濮阳|许昌|漯河|三门峡|南阳|"
    "商丘|信阳|周口|驻马店|武汉|黄石|十堰|宜昌|襄阳|鄂州|荆门|孝感|荆州|黄冈|咸宁|随州|"
    "长沙|株洲|湘潭|衡阳|邵阳|岳阳|常德|张家界|益阳|郴州|永州|怀化|娄底|广州|韶关|深圳|"
    "珠海|汕头|佛山|江门|湛江|茂名|肇庆|惠州|梅州|汕尾|河源|阳江|清远|东莞|中山|潮州|"
    "揭阳|云浮|南宁|柳州|桂林|梧州|北海|防城港|钦州|贵港|玉林|百色|贺州|河池|来宾|崇左|"
    "海口|三亚|三沙|儋州|成都|自贡|攀枝花|泸州|德阳|绵阳|广元|遂宁|内江|乐山|南充|眉山|"
    "宜宾|广安|达州|雅安|巴中|资阳|贵阳|六盘水|遵义|安顺|毕节|铜仁|昆明|曲靖|玉溪|保山|"
    "昭通|丽江|普洱|临沧|拉萨|日喀则|昌都|林芝|山南|那曲|西安|铜川|宝鸡|咸阳|渭南|延安|"
    "汉中|榆林|安康|商洛|兰州|嘉峪关|金昌|白银|天水|武威|张掖|平凉|酒泉|庆阳|定西|陇南|"
    "西宁|海东|银川|石嘴山|吴忠|固原|中卫|乌鲁木齐|克拉玛依|吐鲁番|哈密|北京|天津|上海|重庆"
)

_PREFECTURES: Final = (
    "延边|恩施|湘西|阿坝|甘孜|凉山|黔西南|黔东南|黔南|楚雄|红河|文山|西双版纳|大理|德宏|怒江|迪庆|临夏|甘南|海北|黄南|"
    "海南|果洛|玉树|海西|昌吉|博尔塔拉|巴音郭楞|克孜勒苏|伊犁"
)

_PROVINCE: Final = re.compile(
    f"(?:{_PROVINCES})(?:省|市(?!区)|壮族自治区|回族自治区|维吾尔自治区|特别行政区|自治区)"
)
_PROVINCE_SHORT: Final = re.compile(f"(?:{_PROVINCES})(?=(?:{_CITIES}))")
_CITY: Final = re.compile(f"(?:{_CITIES})(?:市|地区)|(?:{_PREFECTURES})州|[一-龥]{{2,9}}自治州")
_CITY_SHORT: Final = re.compile(f"(?:{_CITIES})(?=[一-龥]{{1,3}}[区县市](?!号))")
_NO_COUNTY: Final = "小社园苑片校宅活属院老东西南北中新期组发甲乙丙丁戊己庚辛壬癸A-Z0-9一二三四五六七八九十"
# Districts (GB/T 2260) that end like a part of a compound.
_DIRECTED: Final = (
    "河东|河西|河北|城东|城西|城中|城北|市中|市南|市北|渝中|渝北|江北|江南|江东|港北|港南|柳南|柳北|钦南|钦北|"
    "孝南|桥东|桥西|路北|路南|丰南|涧西|吴中|海南|二七"
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
