"""Chinese numerals that count something in an address: 四号楼, 十三巷, 第三村民小组, 九〇四室 become digits.

A numeral becomes digits only where both spellings are the same place: in front of a word that is counted (domain.md
3.2 step 2). Numerals that are part of a name stay: 三里屯, 五一路, 八一巷, 七里香溪, 望京西园三区.
"""

from __future__ import annotations

import re
from typing import Final

_DIGIT: Final = "一二三四五六七八九壹贰叁肆伍陆柒捌玖"
_ZERO: Final = "〇○零"
_ANY: Final = f"{_DIGIT}{_ZERO}十拾廿百"
_VALUES: Final = str.maketrans(f"{_DIGIT}{_ZERO}", "123456789123456789000")

# A count (三, 十二, 二十三, 廿二, 二〇, 一百零二), but not 五一 or 八一, which are dates in names of streets.
_COUNT: Final = (
    f"[{_DIGIT}]百(?:零[{_DIGIT}]|[{_DIGIT}]?[十拾][{_DIGIT}]?)?"
    f"|[{_DIGIT}]?[十拾][{_DIGIT}]?|廿[{_DIGIT}]?|[{_DIGIT}][〇零]?"
)
# Digit after digit, as the number on a door is read out: 九〇四, 一二〇三.
_DIGITS: Final = f"[{_DIGIT}][{_DIGIT}{_ZERO}]{{2,3}}"

_DOOR_WORDS: Final = r"号楼|幢|栋|座|舍|单元|层|室|房|户|梯|楼(?!上|下|宇|盘)|门(?!口|面|市|卫|店)"
_PLACE_WORDS: Final = (
    r"号|支?弄|期|(?:村民小|村民|居民小|居民|小)?组(?!村|社区)|(?:生产)?队(?!村|社区)|社(?!区|会)"
)
# These are counted only where the name ends with them; else they are in the middle of one (三里屯, 十二村社区).
_LAST_WORDS: Final = rf"(?:巷|条|里|村|胡同)(?=[\d{_ANY}甲乙丙丁附第]|号|小区|$)"

_COUNTED: Final = re.compile(
    rf"(?<![{_ANY}\d])(?:{_COUNT})(?={_DOOR_WORDS}|{_PLACE_WORDS})"
    # 东四 and 西四 are names: 东四十条 is the tenth lane there.
    rf"|(?:(?<=[东西]四)|(?<![{_ANY}\d])(?<![东西](?=四)))(?:{_COUNT})(?={_LAST_WORDS})"
    rf"|(?<![{_ANY}\d]){_DIGITS}(?=[室房户号])"
    rf"|(?<=[元门梯层楼])(?:{_DIGITS}|{_COUNT})$"
)
_ORDINAL: Final = re.compile(rf"第(?=\d+(?:{_DOOR_WORDS}|{_PLACE_WORDS}|巷))")


def with_digits(text: str) -> str:
    """The address with its counted numerals as ASCII digits and without the 第 in front of them."""
    text = _COUNTED.sub(lambda found: _value(found[0]), text)
    return _ORDINAL.sub("", text)


def _value(numeral: str) -> str:
    """九〇四 → 904, 十二 → 12, 二十三 → 23, 廿二 → 22, 一百零二 → 102."""
    numeral = numeral.replace("拾", "十").replace("廿", "二十")
    if not re.search("[十百]", numeral):
        return numeral.translate(_VALUES)
    hundreds, is_hundred, rest = numeral.rpartition("百")
    tens, is_ten, ones = rest.rpartition("十")
    value = 10 * int((tens or "1").translate(_VALUES)) if is_ten else 0
    value += int(ones.lstrip("零").translate(_VALUES) or 0)
    return str(value + (100 * int(hundreds.translate(_VALUES)) if is_hundred else 0))
