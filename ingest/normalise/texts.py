"""Text as clerks type it: width folding, invisible characters, the many ways to write nothing.

What a name, an id or an address means is said in their own modules; all of them start from :func:`fold`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# CJK radicals supplement as PDF converters write them: NFKC leaves these alone (domain.md 1.5).
_RADICAL_PAIRS: Final = (
    "⺁厂 ⺃乙 ⺍小 ⺝月 ⺟母 ⺠民 ⺣火 ⺤爪 ⺩王 ⺪疋 ⺫目 ⺬示 ⺮竹 ⺯糸 ⺳网 ⺶羊 ⺷羊 ⺸羊 ⺼肉 ⺽臼 ⻁虎 ⻂衣 ⻄西 ⻅见 ⻆角 ⻇角 ⻉贝 ⻊足 "
    "⻋车 ⻑長 ⻒長 ⻓长 ⻔门 ⻕阜 ⻗雨 ⻘青 ⻙韦 ⻚页 ⻛风 ⻜飞 ⻝食 ⻞食 ⻟食 ⻡首 ⻢马 ⻣骨 ⻤鬼 ⻥鱼 ⻦鸟 ⻧卤 ⻨麦 ⻩黄 ⻪黾 ⻫齐 ⻬齐 ⻭齿 ⻮齿 "
    "⻯竜 ⻰龙 ⻱龟 ⻲龟 ⻳龟"
)
_RADICALS: Final = {ord(pair[0]): pair[1] for pair in _RADICAL_PAIRS.split()}
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Tab, line feed and carriage return are spacing; every other control character is damage.
_UNREADABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd\ufffe\uffff\U000f0000-\U0010ffff\ud800-\udfff"
    "\u202a-\u202e\u2066-\u2069]"
)
_SPACES: Final = re.compile(r"\s+")
_BRACKETED: Final = re.compile(r"[(\[{【〔〈《<][^()\[\]{}【】〔〕〈〉《》<>]*[)\]}】〕〉》>]")
_BRACKETS: Final = re.compile(r"[()\[\]{}【】〔〕〈〉《》<>]")

_NULL_TEXTS: Final = frozenset(
    {
        "",
        "无",
        "没有",
        "空",
        "空白",
        "不详",
        "不明",
        "未知",
        "未填",
        "未填写",
        "未提供",
        "未登记",
        "未采集",
        "未说明",
        "无资料",
        "暂无",
        "暂缺",
        "缺",
        "待补",
        "待补充",
        "待查",
        "待核实",
        "待录入",
        "见附件",
        "保密",
        "拒绝提供",
        "无法提供",
        "N/A",
        "NA",
        "NULL",
        "NONE",
        "NIL",
        "NAN",
        "XX",
        "XXX",
        "0",
        "0.0",
    }
)
# Names really are called like that somewhere: for them only the unmistakable ways to write nothing count (B33).
_NULL_NAMES: Final = frozenset(
    {"", "无", "无名氏", "不详", "未知", "空", "待补", "未填", "暂无", "N/A", "姓名不详"}
)
_ONLY_MARKS: Final = re.compile(r"[\s\-_—–―－/\\|.·、,，。~～?？*#〇○×]*")
_DITTO: Final = frozenset({"同上", "〃", '"', "''", "″", "同前", "上同", "同上行", "//"})
SPREADSHEET_ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)
_MOJIBAKE: Final = re.compile("锟斤拷|烫烫烫|屯屯屯|Ã.|â€")


@lru_cache(maxsize=131072)
def fold(text: str) -> str:
    """Width-folded text (NFKC), PDF radicals mended, invisible characters gone, outer space off, inner space single."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text.translate(_RADICALS)))
        text = _BIDI.sub("", text)
    return _SPACES.sub(" ", text).strip()


def without_spaces(text: str) -> str:
    """The text without any white space."""
    return _SPACES.sub("", text)


def without_bracketed(text: str) -> str:
    """The text without brackets and what they hold; brackets within brackets included."""
    while (shorter := _BRACKETED.sub("", text)) != text:
        text = shorter
    return text


def is_null(folded: str) -> bool:
    """Whether a folded text says that there is no value (无, 不详, -, N/A, …)."""
    return folded.upper() in _NULL_TEXTS or _ONLY_MARKS.fullmatch(folded) is not None


def is_null_name(folded: str) -> bool:
    """The same for names, where `NA` or `NULL` may be the name."""
    return folded in _NULL_NAMES or _ONLY_MARKS.fullmatch(folded) is not None


def is_ditto(folded: str) -> bool:
    """Whether the cell says "same as above"."""
    return folded in _DITTO


def has_unreadable_character(text: str) -> bool:
    """Private use, replacement, control or text direction characters: something was lost on the way here."""
    return (not text.isascii() and _UNREADABLE.search(text) is not None) or _has_ascii_control(text)


def looks_like_mojibake(text: str) -> bool:
    """Chinese that was read in the wrong encoding (锟斤拷, UTF-8 as GBK)."""
    return _MOJIBAKE.search(text) is not None


def printable(text: str) -> str:
    """The text without characters that PostgreSQL or a terminal cannot take: NUL and other controls, surrogates."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        or character in "\t\n\r\u3000\u00a0\u200b\u200c\u200d\u200e\u200f\ufeff\u00ad"
        else "\ufffd"
        for character in text
    )


@lru_cache(maxsize=8192)
def code_text(text: str) -> str:
    """What code lists are looked up by: folded, without spaces and bracket signs, upper case."""
    return _BRACKETS.sub("", without_spaces(fold(text))).upper()


def _has_ascii_control(text: str) -> bool:
    return not text.isprintable() and any(
        (character < " " and character not in "\t\n\r") or character == "\x7f" for character in text
    )
