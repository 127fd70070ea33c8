"""Names of persons: as written, a match key, and pinyin (domain.md 2.6).

The key unites ways of writing one name (traditional characters, spaces, dots); it never replaces the name,
since 於 and 于, 昇 and 升 are different legal names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from ingest.normalise.ids import looks_like_id
from ingest.normalise.phones import looks_like_mobile
from ingest.normalise.texts import (
    fold,
    has_unreadable_character,
    is_null_name,
    looks_like_mojibake,
    printable,
    without_bracketed,
    without_spaces,
)

if TYPE_CHECKING:
    from opencc import OpenCC

_OUTER: Final = " \t\r\n\u3000\u00a0\u200b\u200c\u200d\u200e\u200f\ufeff\u00ad\u2060"
_DOTS: Final = re.compile(r"[·•・‧∙⋅●․.。､、'’`]")
_NOTES: Final = re.compile(r"(?<=..)(已故|已去世|去世|死亡|亡故|已死亡|户主|户主本人)$")
_OPEN_BRACKET: Final = re.compile(r"[(\[{【〔〈《<].*$")
# Not converted by t2s, or converted to a character that is seldom meant: same name for matching only.
_VARIANTS: Final = str.maketrans(
    "髙濵濱曽眞閆闫蕭萧呂黃產淸靑戶吳兪邨峯寧珎鑑徳恵広沢桜斉剣剱囯圀喩暁壱冨",
    "高滨滨曾真阎阎肖肖吕黄产清青户吴俞村峰宁珍鉴德惠广泽樱齐剑剑国国喻晓一富",
)
_SURNAME_READINGS: Final = {
    "单": "shan", "仇": "qiu", "解": "xie", "查": "zha", "曾": "zeng", "翟": "zhai", "覃": "qin", "任": "ren",
    "区": "ou", "朴": "piao", "盖": "ge", "缪": "miao", "尹": "yin", "乐": "yue", "种": "chong", "员": "yun",
    "黑": "he", "秘": "bi", "折": "she", "召": "shao", "洗": "xian", "冼": "xian", "燕": "yan", "宁": "ning",
    "华": "hua", "葛": "ge", "过": "guo", "纪": "ji", "柏": "bai", "繁": "po", "郗": "xi", "隗": "wei",
    "逄": "pang", "晁": "chao", "幺": "yao", "车": "che", "哈": "ha", "谌": "chen", "卜": "bu", "石": "shi",
    "沈": "shen", "万": "wan", "尉": "wei", "盛": "sheng", "都": "du", "祭": "zhai", "牟": "mu", "臧": "zang",
    "贲": "ben", "麴": "qu", "句": "gou", "曲": "qu", "应": "ying", "干": "gan", "更": "geng", "那": "na",
}  # fmt: skip
_DOUBLE_SURNAME_READINGS: Final = {
    "尉迟": "yu chi", "万俟": "mo qi", "澹台": "tan tai", "长孙": "zhang sun", "单于": "chan yu",
    "令狐": "ling hu", "宇文": "yu wen", "夏侯": "xia hou", "诸葛": "zhu ge", "上官": "shang guan",
    "皇甫": "huang fu", "欧阳": "ou yang", "司马": "si ma", "慕容": "mu rong", "呼延": "hu yan",
}  # fmt: skip
_PLAIN: Final = re.compile("[\u4e00-\u9fff]{2,4}")
_HAN: Final = re.compile("[\u4e00-\u9fff]+")
_OTHER_COLUMN: Final = re.compile(
    r"[\d\s\-+./:]{5,}|\d{4}年\d{1,2}月.*|.*\d+(幢|栋|单元|室|号楼).*|.*[路街弄]\d+号.*|[男女]", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ParsedName:
    """A name.

    Attributes:
        name: As written, outer space off; None when missing or not a name.
        key: What names are compared by.
        pinyin: Syllables without tones, separated by spaces.
        finding: Rule of the warning or of the quarantine, or None.
        is_usable: False when the cell holds something that is no name (another column, unreadable characters).
    """

    name: str | None
    key: str | None
    pinyin: str | None
    finding: str | None = None
    is_usable: bool = True


# The longest names that identity papers print stay below half of it; what follows looks at every part of a name.
_LONGEST_NAME: Final = 120
MISSING: Final = ParsedName(None, None, None)


def parse_name(text: str) -> ParsedName:
    """Parse the text of a name cell. Longer than any name: something else, whatever it is (reliability.md B39)."""
    if len(text) > _LONGEST_NAME:
        return ParsedName(None, None, None, "name_of_another_column", is_usable=False)
    return _parse_plain((text,))[0] if _is_plain(text) else _parse_written(text)


def parse_plain_names(texts: Sequence[str]) -> list[ParsedName | None]:
    """What :func:`parse_name` makes of the texts that are plain names, as nearly all are; None for all others."""
    plain = [text for text in texts if _is_plain(text)]
    parsed = dict(zip(plain, _parse_plain(plain), strict=True))
    return [parsed.get(text) for text in texts]


def _is_plain(text: str) -> bool:
    """Whether there is nothing to fold, to leave out or to say."""
    return (
        len(text) <= _LONGEST_NAME
        and _PLAIN.fullmatch(text) is not None
        and not is_null_name(text)
        and not looks_like_mojibake(text)
        and not _NOTES.search(text)
    )


def _parse_plain(texts: Sequence[str]) -> list[ParsedName]:
    # One call for all: OpenCC knows no word with a line break in it.
    converted = _simplifier().convert("\n".join(texts).translate(_VARIANTS)).translate(_VARIANTS)
    keys = converted.split("\n") if texts else []
    return [ParsedName(text, key, pinyin_of(key)) for text, key in zip(texts, keys, strict=True)]


@lru_cache(maxsize=16384)
def _parse_written(text: str) -> ParsedName:
    folded = fold(text)
    if is_null_name(folded):
        return MISSING
    if has_unreadable_character(text) or looks_like_mojibake(text):
        return ParsedName(None, None, None, "name_unreadable", is_usable=False)
    if looks_like_id(text) or looks_like_mobile(text) or _OTHER_COLUMN.fullmatch(folded):
        return ParsedName(None, None, None, "name_of_another_column", is_usable=False)
    bare = _OPEN_BRACKET.sub("", without_bracketed(folded)) or folded
    bare = _NOTES.sub("", without_spaces(bare))
    finding = "name_with_note" if len(bare) < len(without_spaces(folded)) else None
    key = name_key(bare)
    if not key:
        return MISSING
    if "?" in folded:
        finding = "name_with_question_mark"
    return ParsedName(printable(text).strip(_OUTER), key, pinyin_of(key), finding)


@lru_cache(maxsize=65536)
def name_key(text: str) -> str:
    """Match key of a name: simplified, variants united, no spaces, no dots, Latin letters upper case."""
    key = _DOTS.sub("", without_spaces(fold(text))).upper()
    if key.isascii():
        return key
    return _simplifier().convert(key.translate(_VARIANTS)).translate(_VARIANTS)


@lru_cache(maxsize=16384)
def pinyin_of(key: str) -> str:
    """Pinyin of a name key without tones, syllables separated by spaces; surnames by their own readings."""
    if key[:2] in _DOUBLE_SURNAME_READINGS and len(key) > 2:
        head, rest = _DOUBLE_SURNAME_READINGS[key[:2]], key[2:]
    elif key[:1] in _SURNAME_READINGS and len(key) > 1:
        head, rest = _SURNAME_READINGS[key[0]], key[1:]
    else:
        head, rest = "", key
    return f"{head} {_syllables(rest)}" if head else _syllables(rest)


def _syllables(text: str) -> str:
    """What pypinyin reads; character by character, each looked up once, where it knows no word inside the text."""
    if not text or len(text) > _LONGEST_NAME or not _HAN.fullmatch(text) or _begins_with_word(text):
        return _read_by_pypinyin(text)
    # Given names repeat: what stands behind the first character is remembered.
    rest = _rest_without_words(text[1:])
    if rest is None:
        return _read_by_pypinyin(text)
    return f"{_syllable(text[0])} {rest}" if rest else _syllable(text[0])


@lru_cache(maxsize=32768)
def _rest_without_words(text: str) -> str | None:
    """The syllables of characters that form no word; None when they do."""
    if any(_begins_with_word(text[begin:]) for begin in range(len(text) - 1)):
        return None
    return " ".join(map(_syllable, text))


def _begins_with_word(text: str) -> bool:
    words = _words()
    return any(text[:end] in words for end in range(2, len(text) + 1))


@cache
def _words() -> Collection[str]:
    """The words that pypinyin knows."""
    from pypinyin.constants import PHRASES_DICT

    return PHRASES_DICT.keys()


@lru_cache(maxsize=16384)
def _syllable(character: str) -> str:
    return _read_by_pypinyin(character)


def _read_by_pypinyin(text: str) -> str:
    from pypinyin import Style, lazy_pinyin

    return " ".join(syllable.lower() for syllable in lazy_pinyin(text, style=Style.NORMAL, v_to_u=False))


def simplified(text: str) -> str:
    """The text in simplified characters, for match keys only."""
    return text if text.isascii() else _simplifier().convert(text)


@cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
