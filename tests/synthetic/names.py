"""Chinese personal names with realistic frequencies, and the ways clerks write them wrongly.

Belongs here: name lists, name drawing, confusable characters. Not here: who is related to whom (`population`), how often
names go wrong (`dirt`). Frequencies of the surnames follow the public name reports in order of size (domain.md has no
list); given-name characters are grouped by generation so that namesakes are as common as in life.
"""

import random

# Weight per surname, in per mille of the population, roughly.
_SURNAMES: dict[str, float] = {
    "王": 72, "李": 70, "张": 66, "刘": 50, "陈": 48, "杨": 30, "黄": 22, "赵": 20, "吴": 21, "周": 20, "徐": 18,
    "孙": 15, "马": 12, "朱": 14, "胡": 13, "郭": 11, "何": 11, "林": 11, "高": 10, "罗": 9, "郑": 10, "梁": 8,
    "谢": 8, "宋": 7, "唐": 7, "许": 7, "韩": 6, "邓": 6, "冯": 6, "曹": 6, "彭": 5, "曾": 5, "肖": 5, "田": 4,
    "董": 5, "潘": 5, "袁": 4, "蔡": 4, "蒋": 5, "余": 4, "于": 4, "杜": 4, "叶": 5, "程": 4, "魏": 4, "苏": 4,
    "吕": 4, "丁": 4, "任": 3, "卢": 4, "姚": 4, "沈": 8, "钟": 4, "姜": 4, "崔": 3, "谭": 3, "陆": 4, "范": 3,
    "汪": 4, "廖": 3, "石": 3, "金": 4, "韦": 2, "贾": 2, "夏": 3, "付": 2, "傅": 2, "方": 3, "邹": 3, "熊": 2,
    "白": 2, "孟": 2, "秦": 2, "邱": 2, "侯": 2, "江": 3, "尹": 2, "薛": 2, "闫": 2, "阎": 1, "雷": 2, "龙": 2,
    "史": 2, "陶": 2, "贺": 2, "毛": 2, "郝": 2, "顾": 2, "龚": 2, "邵": 2, "万": 2, "覃": 1, "钱": 3, "戴": 2,
    "严": 2, "莫": 1, "孔": 1, "向": 1, "俞": 3, "章": 2, "鲁": 1, "倪": 1, "单": 1, "仇": 1, "解": 1, "查": 1,
    "翟": 1, "萧": 1, "欧阳": 1, "上官": 0.3, "诸葛": 0.3, "尉迟": 0.1,
}  # fmt: skip

# Given-name material by birth decade and sex: (first characters, second characters, share of one-character names).
_GIVEN: dict[str, tuple[str, str, str, str, float]] = {
    # generation: male first, male second, female first, female second, share of single-character given names
    "old": ("建国德永志福金文明家荣世正洪长", "国明林生华良祥根福贵成荣兴才山",
            "秀桂玉淑美凤月兰金素爱惠菊彩", "英兰珍华芳莲娥琴香花云妹仙凤", 0.10),
    "mid": ("建志国海永文小晓卫伟立军俊红春", "强军伟平华峰明辉林勇东斌波涛刚",
            "丽秀红晓小建海春雪玉美亚文金", "丽芳萍霞燕娟琴红敏英娜梅玲琳", 0.30),
    "new": ("俊嘉志家文思晓宇浩子天明泽鹏伟", "杰豪鹏辉宇峰凯文龙斌超浩轩晨飞",
            "嘉思佳雨晓梦婷欣文静诗雅慧子", "婷颖琳怡雯欣慧妍洁倩莹琪佳瑶", 0.24),
    "kid": ("子浩宇梓嘉俊奕沐泽一皓铭睿承晨", "轩涵宇泽睿辰豪然昊宸航阳佑霖曦",
            "梓子欣诗雨可若语思一佳芷沐奕昕", "涵萱怡彤瑶琪馨妍曦悦宁玥汐桐霏", 0.06),
}  # fmt: skip

# Names of minorities written with a middle dot; rare characters that old systems lose.
_DOTTED = (
    "阿依古丽·买买提",
    "阿卜杜拉·艾山",
    "古丽娜尔·吐尔逊",
    "买买提·依明",
    "热依汗·托合提",
    "努尔兰·别克",
)
_RARE_GIVEN = "堃喆燊玥翀赟垚"

# Characters that sound alike and are swapped by clerks who write by ear.
_HOMOPHONES = (
    "英瑛莹颖", "华桦花", "军君俊均钧", "建健剑", "伟玮炜苇", "敏闽", "芳方", "丽莉俐", "红虹宏洪鸿", "霞遐侠",
    "梅玫", "玲铃琳伶", "珍贞真", "涛韬", "明铭鸣", "志智芝", "峰锋丰枫", "文雯纹", "平萍苹", "兰岚蓝", "燕艳雁",
    "琴勤", "娟鹃", "杰洁捷", "辉晖慧惠", "波博", "鹏朋", "飞菲霏", "刚钢", "永咏泳", "林霖琳", "欣昕馨心", "秀绣",
    "云芸", "玉郁钰", "佳嘉家", "子梓紫", "涵晗函", "轩宣萱", "宇雨语羽", "浩皓昊", "怡仪宜", "婷廷", "妍研", "强蔷",
    "王汪", "张章", "徐许", "江姜蒋", "余于俞", "肖萧", "付傅", "陈程", "何贺", "邱丘", "沈审", "钟忠", "陆鲁", "吴武",
    "金今", "严闫阎", "顾故", "曦熙", "睿瑞", "然冉", "晨辰宸", "彤桐", "瑶遥", "琪祺", "倩茜", "静婧", "思丝", "国帼",
)  # fmt: skip

# Characters that look alike (typing from a handwritten form).
_LOOK_ALIKES = (
    "末未", "士土", "晴睛", "玲珍", "侯候", "洋详", "芳芬", "楠南", "伟讳", "敏敝", "婷停", "洁浩", "莉利", "艳绝", "桂佳",
    "根银", "凤风", "荣茶", "祥详", "彬杉", "斌武", "晓晚", "淑叔", "莲连", "琴琵", "琪琦", "霖霜", "宇字", "轩杆", "燕蒸",
    "王玉", "刘列", "陈阵", "吴昊", "李季", "孙孑", "周固", "朱未",
)  # fmt: skip

_TRADITIONAL = str.maketrans(
    "张刘陈杨黄赵吴孙马罗郑谢许韩邓冯萧蒋叶苏吕卢钟谭陆范贾邹龙贺龚邵万钱严国华军伟红丽兰凤强东刚艳云荣长金贵兴文杰"
    "莹颖晓泽鹏飞凯丰轩语诗雯萧萍霞燕灵灿俭贤赟",
    "張劉陳楊黃趙吳孫馬羅鄭謝許韓鄧馮蕭蔣葉蘇呂盧鐘譚陸范賈鄒龍賀龔邵萬錢嚴國華軍偉紅麗蘭鳳強東剛艷雲榮長金貴興文傑"
    "瑩穎曉澤鵬飛凱豐軒語詩雯蕭萍霞燕靈燦儉賢贇",
)


def _confusion_map(groups: tuple[str, ...]) -> dict[str, str]:
    confusable: dict[str, str] = {}
    for group in groups:
        for character in group:
            others = "".join(other for other in group if other != character)
            confusable[character] = confusable.get(character, "") + others
    return confusable


HOMOPHONES = _confusion_map(_HOMOPHONES)
LOOK_ALIKES = _confusion_map(_LOOK_ALIKES)
_SURNAME_LIST = list(_SURNAMES)
_SURNAME_WEIGHTS = list(_SURNAMES.values())
_COMPOUND_SURNAMES = tuple(name for name in _SURNAME_LIST if len(name) == 2)


def draw_surname(rng: random.Random) -> str:
    """A surname with its frequency in the population."""
    return rng.choices(_SURNAME_LIST, _SURNAME_WEIGHTS)[0]


def split_name(name: str) -> tuple[str, str]:
    """Surname and given name; a dotted name has an empty surname."""
    if "·" in name:
        return "", name
    length = 2 if name.startswith(_COMPOUND_SURNAMES) else 1
    return name[:length], name[length:]


def draw_given_name(
    rng: random.Random, sex: str, birth_year: int, shared_character: str | None = None
) -> str:
    """A given name of the generation. `sex` is 男 or 女; siblings may pass the character they share."""
    generation = (
        "old" if birth_year < 1960 else "mid" if birth_year < 1982 else "new" if birth_year < 2006 else "kid"
    )
    male_first, male_second, female_first, female_second, single_share = _GIVEN[generation]
    firsts, seconds = (male_first, male_second) if sex == "男" else (female_first, female_second)
    # The front of each string is the fashion of its time: weigh it more, as namesakes come from there.
    second = seconds[min(rng.randrange(len(seconds)), rng.randrange(len(seconds)))]
    if rng.random() < 0.012:
        second = rng.choice(_RARE_GIVEN)
    if shared_character is not None:
        return shared_character + second
    if rng.random() < single_share:
        return second
    return firsts[min(rng.randrange(len(firsts)), rng.randrange(len(firsts)))] + second


def draw_dotted_name(rng: random.Random) -> str:
    """A transcribed name with a middle dot."""
    return rng.choice(_DOTTED)


def homophone(rng: random.Random, name: str) -> str:
    """The name with one character replaced by one that sounds the same; unchanged when no character has one."""
    return _replace_one(rng, name, HOMOPHONES)


def look_alike(rng: random.Random, name: str) -> str:
    """The name with one character of the given name misread; falls back to a homophone."""
    changed = _replace_one(rng, name, LOOK_ALIKES)
    return changed if changed != name else homophone(rng, name)


def traditional(name: str) -> str:
    """The name in traditional characters, as a Hong Kong relative or an old form writes it."""
    return name.translate(_TRADITIONAL)


def _replace_one(rng: random.Random, name: str, confusable: dict[str, str]) -> str:
    places = [place for place, character in enumerate(name) if character in confusable]
    if not places:
        return name
    # A given-name character goes wrong more often than the surname, which everybody knows.
    place = rng.choice([*places, *(p for p in places if p > 0), *(p for p in places if p > 0)])
    return name[:place] + rng.choice(confusable[name[place]]) + name[place + 1 :]
