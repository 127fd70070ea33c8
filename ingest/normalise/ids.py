"""Document numbers: citizen ids of GB 11643 and what else stands in their column; disability certificates.

Facts are taken from valid numbers only, and a broken number is never mended: 18 digits in a numeric cell have
lost the last three for good (domain.md 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import compress
from typing import Final

from infra.admin_divisions import known_area_codes
from ingest.normalise.texts import fold, is_null, without_bracketed, without_spaces

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_LENGTH: Final = 18
_CHECK_CHARACTERS: Final = "10X98765432"
_EARLIEST_BIRTH_YEAR: Final = 1890
_FORM_18: Final = re.compile(r"(?a)\d{17}[\dX]")
_FORM_15: Final = re.compile(r"(?a)\d{15}")
_FIND_18: Final = re.compile(r"(?a)(?<![0-9A-Z])\d{17}[\dX](?![0-9A-Z])")
_SEVERAL_18: Final = re.compile(r"(?a)(?:\d{17}[\dX]){2,}")
# Letters that are typed for digits; never put right, only named.
_LOOK_ALIKES: Final = str.maketrans("OQILSBZ", "0011582")
_MASK_SIGNS: Final = re.compile(r"(?a)[*×✕●○•＊#?]{2,}|X{2,}|_{3,}|\.{4,}")
_ROUNDED: Final = re.compile(r"(?a)\d{15}000|\d(\.\d+)?E\+?1\d")
_OTHER_DOCUMENTS: Final = re.compile(
    r"(?a)[HM]\d{8}(\d{2})?"  # permits of HK and Macao residents
    r"|[A-Z]{3}\d{12}"  # foreigners' permanent residence, old form
    r"|[A-Z]{1,2}\d{6,8}|\d{2}[A-Z]{2}\d{5}"  # passports
    r"|[A-Z]\d{9}|[A-Z]\d{6}\(?[0-9A]\)?"  # birth certificates, HK identity cards
    r"|[一-龥]{1,6}字?第?\d{5,10}号?"  # officers' and soldiers' certificates
)
_TAIWAN_PERMIT: Final = re.compile(r"(?a)\d{8}|\d{10}[A-Z]?")
_CERTIFICATE: Final = re.compile(r"(?a)(\d{17}[\dX])([1-7])([1-4])(?:B\d)?")
_DECORATION: Final = re.compile(r"(?a)['\"`‘’“”,，。;；:：]|^(公民)?身份(证|证号|证号码|号码)?[:：]?")


@dataclass(frozen=True, slots=True)
class ParsedId:
    """A document number.

    Attributes:
        kind: ``valid``, ``checksum_wrong``, ``masked``, ``damaged``, ``other_document`` or ``missing``.
        text: Normalised number, upgraded to 18 characters when it was a valid one of 15; empty when missing.
        birth_date, sex_code, area_code: From a ``valid`` number only.
        finding: Rule of the warning this number deserves, or None.
    """

    kind: str
    text: str
    birth_date: date | None = None
    sex_code: str | None = None
    area_code: str | None = None
    finding: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedCertificate:
    """A disability certificate number: id, category digit, level digit, and ``B`` with a digit when re-issued.

    Attributes:
        kind: ``valid``, ``damaged`` or ``missing``.
        text: Normalised number.
        id_text: The citizen id inside, when the number has its form.
    """

    kind: str
    text: str
    id_text: str | None = None
    category_code: str | None = None
    level_code: str | None = None
    finding: str | None = None


MISSING: Final = ParsedId("missing", "")


def check_character(first_17: str) -> str:
    """Check character of a citizen id (GB 11643-1999, ISO 7064 MOD 11-2) for its first 17 digits."""
    total = _weighted(first_17[:6], 0) + _weighted(first_17[6:14], 6) + _weighted(first_17[14:], 14)
    return _CHECK_CHARACTERS[total % 11]


@lru_cache(maxsize=65536)
def _weighted(digits: str, begin: int) -> int:
    """Part of the weighted sum: areas, birth dates and sequences repeat."""
    weights = _WEIGHTS[begin : begin + len(digits)]
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def parse_id(text: str, latest_birth: date | None = None) -> ParsedId:
    """Parse the text of an id cell.

    Args:
        text: The cell as written.
        latest_birth: Nobody on the list is born after this day (its arrival); None does not check.
    """
    if _FORM_18.fullmatch(text):  # as nearly all are written; nothing to fold or to take off
        return _parse_18(text, latest_birth)
    return _parse_written(text, latest_birth)


def parse_right_ids(texts: Sequence[str], latest_birth: date | None = None) -> list[ParsedId | None]:
    """What :func:`parse_id` makes of the texts with the form and check character of an id; None for all others."""
    import numpy as np

    formed = [len(text) == _LENGTH and text.isascii() for text in texts]
    characters = np.frombuffer("".join(compress(texts, formed)).encode("ascii"), np.uint8).reshape(
        -1, _LENGTH
    )
    digits = characters[:, :-1].astype(np.int64) - ord("0")
    checks = np.frombuffer(_CHECK_CHARACTERS.encode("ascii"), np.uint8)[digits @ np.array(_WEIGHTS) % 11]
    is_right = ((digits >= 0) & (digits <= 9)).all(axis=1) & (checks == characters[:, -1])
    right = iter(is_right.tolist())
    return [
        _of_right_check(text, latest_birth) if is_formed and next(right) else None
        for text, is_formed in zip(texts, formed, strict=True)
    ]


@lru_cache(maxsize=16384)
def _parse_written(text: str, latest_birth: date | None) -> ParsedId:
    folded = fold(text)
    if is_null(folded):
        return MISSING
    number = _DECORATION.sub("", without_spaces(folded).upper()).removesuffix(".0")
    # A cross is both a sloppy X at the end and a mask sign in the middle.
    if number[-1:] in "×✕*" and len(number) == 18 and number[:17].isdigit():
        number = number[:17] + "X"
    if not number or is_null(number):
        return MISSING
    parsed = _parse_plain(number, latest_birth)
    if parsed is not None:
        return parsed
    if _MASK_SIGNS.search(number) and any(character.isdigit() for character in number):
        return ParsedId("masked", number, finding="id_masked")
    if _ROUNDED.fullmatch(number):
        return ParsedId("damaged", number, finding="id_rounded")
    bare = without_bracketed(number)
    inside = set(_FIND_18.findall(number))
    if len(inside) == 1 and (parsed := _parse_plain(inside.pop(), latest_birth)) and parsed.kind == "valid":
        return _with_finding(parsed, "id_with_other_text")
    if len(inside) > 1 or _SEVERAL_18.fullmatch(number):
        return ParsedId("damaged", number, finding="id_several_numbers")
    if bare != number and (parsed := _parse_plain(bare, latest_birth)):
        return parsed
    if _OTHER_DOCUMENTS.fullmatch(number) or _OTHER_DOCUMENTS.fullmatch(bare):
        return ParsedId("other_document", bare or number)
    if _TAIWAN_PERMIT.fullmatch(number) and _date(number[:8]) is None:
        return ParsedId("other_document", number)
    if not any(character.isdigit() for character in number):
        return ParsedId("damaged", number, finding="id_no_number")
    if len(number) == _LENGTH and _FORM_18.fullmatch(number.translate(_LOOK_ALIKES)):
        return ParsedId("damaged", number, finding="id_letter_for_digit")
    return ParsedId("damaged", number, finding="id_wrong_length")


def damaged_number(text: str) -> ParsedId:
    """An id that came as a number cell: digits may be lost, whatever it looks like (B20)."""
    return ParsedId("damaged", text, finding="id_stored_as_number")


@lru_cache(maxsize=16384)
def parse_certificate(text: str) -> ParsedCertificate:
    """Parse the text of a disability certificate cell (20 characters, 22 when re-issued)."""
    folded = fold(text)
    if is_null(folded):
        return ParsedCertificate("missing", "")
    number = _DECORATION.sub("", without_spaces(folded).upper())
    found = _CERTIFICATE.fullmatch(number)
    if found is None:
        return ParsedCertificate("damaged", number, finding="certificate_malformed")
    id_text, category_code, level_code = found.groups()
    if check_character(id_text[:17]) != id_text[17]:
        return ParsedCertificate("damaged", number, finding="certificate_malformed")
    return ParsedCertificate("valid", number, id_text, category_code, level_code)


def is_rounded(text: str) -> bool:
    """Whether the number has the shape a spreadsheet leaves behind: 15 digits and three zeros, or an exponent."""
    return _ROUNDED.fullmatch(without_spaces(fold(text)).upper()) is not None


def looks_like_id(text: str) -> bool:
    """Whether a text is built like a citizen id, right or wrong: used to see that columns are swapped."""
    number = without_spaces(fold(text)).upper()
    return _FORM_18.fullmatch(number) is not None or (
        _FORM_15.fullmatch(number) is not None and _date("19" + number[6:12]) is not None
    )


def _parse_plain(number: str, latest_birth: date | None) -> ParsedId | None:
    if _FORM_18.fullmatch(number):
        return _parse_18(number, latest_birth)
    if _FORM_15.fullmatch(number):
        # 996 to 999 were the sequences of people born in the 19th century.
        century = "18" if number[12:] in ("996", "997", "998", "999") else "19"
        first_17 = number[:6] + century + number[6:]
        upgraded = _parse_18(first_17 + check_character(first_17), latest_birth)
        if upgraded.kind == "valid":
            return _with_finding(upgraded, "id_of_15_digits")
        return ParsedId("damaged", number, finding="id_wrong_length")
    certificate = _CERTIFICATE.fullmatch(number)
    if certificate:
        parsed = _parse_18(certificate[1], latest_birth)
        return _with_finding(parsed, "id_is_certificate") if parsed.kind == "valid" else None
    return None


def _parse_18(number: str, latest_birth: date | None) -> ParsedId:
    if check_character(number[:17]) != number[17]:
        finding = "id_rounded" if _ROUNDED.fullmatch(number) else "id_checksum_wrong"
        return ParsedId("damaged" if finding == "id_rounded" else "checksum_wrong", number, finding=finding)
    return _of_right_check(number, latest_birth)


def _of_right_check(number: str, latest_birth: date | None) -> ParsedId:
    if number[0] == "9":
        return ParsedId("other_document", number)  # foreigners' permanent residence since 2023-12-01
    birth = _date(number[6:14])
    if birth is None or birth.year < _EARLIEST_BIRTH_YEAR or (latest_birth and birth > latest_birth):
        return ParsedId("checksum_wrong", number, finding="id_birth_date_impossible")
    return ParsedId(
        "valid",
        number,
        birth,
        "1" if number[16] in "13579" else "2",
        number[:6],
        # The area is that of the first registration: an abolished one is as good as any (domain.md 2.1).
        None if number[:6] in known_area_codes() else "id_area_unknown",
    )


def _with_finding(parsed: ParsedId, finding: str) -> ParsedId:
    return ParsedId(
        parsed.kind,
        parsed.text,
        parsed.birth_date,
        parsed.sex_code,
        parsed.area_code,
        parsed.finding or finding,
    )


@lru_cache(maxsize=65536)
def _date(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
