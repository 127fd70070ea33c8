"""Address text brought to one form before it is read: spaces, brackets, dashes, slips, numerals.

Not here: the region words in front (``normalise.regions``), and what the text means (``grammar``).
"""

from __future__ import annotations

import re
from typing import Final

from ingest.normalise.names import simplified
from ingest.normalise.numerals import with_digits
from ingest.normalise.texts import without_spaces

_DASHES: Final = re.compile(r"[-‐‑‒–—―−﹣－_~～〜⁓]+|(?<=\d)至(?=\d)")
_BRACKETED: Final = re.compile(r"[(\[{【〔〈《<]([^()\[\]{}【】〔〕〈〉《》<>]*)[)\]}】〕〉》>]?")
_PART_OF_NAME: Final = re.compile(r"[东西南北中]?[东西南北中一二三四五六七八九十A-Z\d][区期苑院]")
_PART_OF_DOOR: Final = re.compile(r"(?a)[A-Z\d一二三四五六七八九十]{1,4}(?:号楼|幢|栋|座|单元|室)|\d{2,4}")
_PHONE: Final = re.compile(r"(?a)(?:联系)?(?:电话|手机)?:?(?<!\d)1[3-9]\d{9}(?!\d)")

# What clerks write around an address, and how they mistype its words: (pattern, what is meant).
_REWRITTEN: Final = tuple(
    (re.compile(pattern), meant)
    for pattern, meant in (
        (r"^(?:现|常|实际|户籍|居住|家庭|联系)*(?:住址|地址|居住地):?", ""),
        (r"^(?:(?:现|暂|租|借)?居?住[于在]?|租房|地址)(?!总|宅|建|友|房):?", ""),
        (r"(?<=[\d室房户])(?:租住|出租房?|租房|自住|暂住|居住|家中|内)$", ""),
        (r"(?<=\d)[撞憧棟](?=[\dA-Z一二三四五六七八九十])", "幢"),
        (r"单(?:无|园|员|(?=\d))", "单元"),
        (r"(?<=\d\d\d)是$", "室"),
        (r"(?<=\d)O(?=\d)", "0"),
        (r"村?村(?:民委员会|委会)", "村"),
        (r"(?<=\d)(?:村民小|村民|居民小|居民|小)组", "组"),
        (r"(?<=\d)生产队", "队"),
    )
)


def prepare(folded: str) -> str:
    """Spaces, brackets, dashes, slips and numerals to one form; a space between digits parts them like a dash."""
    text = _PHONE.sub("", folded).strip()
    text = re.sub(r"(?a)(?<=\d) (?=\d)", "-", text.upper())
    text = _BRACKETED.sub(_unbracketed, without_spaces(text))
    text = _DASHES.sub("-", text)
    text = re.sub(r"[。.,，;；:：、'\"“”]+$", "", text)
    text = re.sub(r"(?a)(?<=\d)[.。](?=\d)|(?<=[幢栋座元层号楼])[,.。]", "-", text)
    text = re.sub(r"\s|[,，;；'\"“”「」『』]", "", text)
    text = with_digits(simplified(text).replace("棟", "栋"))
    for pattern, meant in _REWRITTEN:
        text = pattern.sub(meant, text)
    return text.replace(":", "")


def _unbracketed(found: re.Match[str]) -> str:
    """What a bracket adds to the address: a part of the name, a piece of the door, a second room; or nothing."""
    inner = found[1]
    if _PART_OF_NAME.fullmatch(inner):
        return inner
    if not _PART_OF_DOOR.fullmatch(inner):
        return ""
    return f"/{inner}" if inner.isdigit() and re.search(r"[\d室]$", found.string[: found.start()]) else inner
