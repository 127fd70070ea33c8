"""Telephone numbers: mobile, landline, filler, or none (domain.md 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ingest.normalise.texts import fold, is_null, without_bracketed, without_spaces

_MOBILE: Final = re.compile(r"(?a)1[3-9]\d{9}")
_LANDLINE: Final = re.compile(
    r"(?a)(0\d{2,3})?-?([2-9]\d{6,7})(?:(?:-|转|EXT\.?|分机)\d{1,6})?", re.IGNORECASE
)
_SERVICE: Final = re.compile(r"(?a)[48]00-?\d{3}-?\d{4}")
_SEPARATORS: Final = re.compile(r"(?a)[/、;；,，|或和及\\]+")
_COUNTRY: Final = re.compile(r"(?a)^(?:\+|00)?86-?(?=1[3-9]\d{9}$|0?\d{2,3}-?\d{7,8}$)")
# 13712345679(儿子), 儿子:13612345679: one number, and words that no number could hide in.
_MOBILE_AMONG_WORDS: Final = re.compile(r"(?a)[^\d+*-]*(1[3-9]\d{9})[^\d+*-]*")
_FILLERS: Final = re.compile(
    r"(?a)(\d)\1{6,}"  # 11111111111
    r"|1[3-9]\d0{8}"  # 13800000000
    r"|1(\d)\2{9}"
    r"|13800138000|12345678901|1[3-9]\d12345678|1[3-9]\d(\d)\3{7}"
)


@dataclass(frozen=True, slots=True)
class ParsedPhone:
    """A telephone number: ``kind`` is ``mobile``, ``landline``, ``filler``, ``invalid`` or ``missing``.

    Attributes:
        text: Digits only for mobile and landline (area code first when given), else as folded.
        finding: Rule of the warning, or None.
    """

    kind: str
    text: str
    finding: str | None = None


def parse_phone(text: str) -> ParsedPhone:
    """Parse the text of a phone cell; of several numbers the first mobile one counts."""
    if _MOBILE.fullmatch(text) and not _FILLERS.fullmatch(text):  # as nearly all are written
        return ParsedPhone("mobile", text)
    return _parse_written(text)


@lru_cache(maxsize=16384)
def _parse_written(text: str) -> ParsedPhone:
    folded = fold(text)
    if is_null(folded):
        return ParsedPhone("missing", "")
    whole = _parse_one(folded)
    if whole.kind in ("mobile", "landline", "filler"):
        return whole
    alone = _MOBILE_AMONG_WORDS.fullmatch(without_spaces(folded))
    if alone and not _FILLERS.fullmatch(alone[1]):
        return ParsedPhone("mobile", alone[1], "phone_with_note")
    parts = [part for part in _SEPARATORS.split(without_bracketed(folded)) if part.strip()]
    if len(parts) == 1:
        parts = folded.split(" ")
    if len(parts) > 1:
        parsed = [_parse_one(part) for part in parts]
        for kind in ("mobile", "landline"):
            for one in parsed:
                if one.kind == kind:
                    return ParsedPhone(one.kind, one.text, "phone_several_numbers")
    return whole


def looks_like_mobile(text: str) -> bool:
    """Whether a text is a mobile number and nothing else."""
    return _MOBILE.fullmatch(without_spaces(fold(text)).replace("-", "")) is not None


def _parse_one(folded: str) -> ParsedPhone:
    # Hyphens and brackets only group digits in mobile numbers; in landlines they part the area code.
    text = re.sub(r"[()]", "-", without_spaces(folded)).strip("-'\"").removesuffix(".0")
    text = re.sub(r"[—–‐‑−－-]+", "-", re.sub(r"^(电话|手机|TEL)[:.]?", "", text, flags=re.IGNORECASE))
    digits = _COUNTRY.sub("", text.replace("-", "")).removeprefix("+")
    if len(digits) == 12 and digits[0] == "0" and _MOBILE.fullmatch(digits[1:]):
        digits = digits[1:]
    if _FILLERS.fullmatch(digits):
        return ParsedPhone("filler", digits, "phone_filler")
    if _MOBILE.fullmatch(digits):
        return ParsedPhone("mobile", digits)
    found = _LANDLINE.fullmatch(_COUNTRY.sub("", text))
    if found:
        return ParsedPhone("landline", (found[1] or "") + found[2])
    if _SERVICE.fullmatch(text):
        return ParsedPhone("landline", digits)
    return ParsedPhone("invalid", text, "phone_invalid")
