"""The form of person and household ids: how one is written, read from paper and checked.

An id is the letter of its kind, a serial number of at least eight digits and a check character:
``P000004189``, ``H000001978``. Which ids exist and what became of them is the ledger's business
(``linkage.identity``), not this module's.

The check character is ISO 7064 MOD 11-2, the system of the citizen id (GB 11643), so staff know its
``0-9`` and ``X``. The letter counts as the first digit (P = 1, H = 2), so a person's id typed with an H is
caught too. A pure system of prime modulus 11 and radix 2 detects every single substitution and every swap
of neighbours, the check character included. MOD 37-2 was not taken because its check character may be a
star or any letter, which is read and typed worse from paper.
"""

import re
import unicodedata
from dataclasses import dataclass

_KIND_VALUE = {"P": 1, "H": 2}
_CHECK_CHARACTERS = "0123456789X"
_ID_PATTERN = re.compile(r"([PH])([0-9]{8,17})([0-9X])")
_ENTITY_LETTER = {"person": "P", "household": "H"}


@dataclass(frozen=True)
class EntityId:
    """An id taken apart: ``entity`` is ``person`` or ``household``, ``serial`` the ledger's number."""

    entity: str
    serial: int


def _check_character(letter: str, digits: str) -> str:
    remainder = 0
    for value in (_KIND_VALUE[letter], *(int(digit) for digit in digits)):
        remainder = (remainder + value) * 2 % 11
    return _CHECK_CHARACTERS[(12 - remainder) % 11]


def format_id(entity: str, serial: int) -> str:
    """The id of a ledger serial.

    Raises:
        ValueError: the entity is unknown or the serial is not a positive number.
    """
    if entity not in _ENTITY_LETTER:
        raise ValueError(f"unknown entity {entity!r}, expected one of {sorted(_ENTITY_LETTER)}")
    if serial < 1:
        raise ValueError(f"a serial starts at 1, got {serial}")
    letter = _ENTITY_LETTER[entity]
    digits = f"{serial:08d}"
    return f"{letter}{digits}{_check_character(letter, digits)}"


def parse_id(text: str) -> EntityId:
    """Read an id as a person types it: width, case, spaces and hyphens do not matter.

    Raises:
        ValueError: the text has not the form of an id, or its check character is wrong. The message is
            for the user, in Chinese.
    """
    folded = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()
    match = _ID_PATTERN.fullmatch(folded)
    if match is None:
        raise ValueError("编号格式不对：应为 P 或 H 开头、至少八位数字、最后一位校验码（0-9 或 X）")
    letter, digits, check = match.groups()
    if _check_character(letter, digits) != check:
        raise ValueError("编号校验码不符：可能有一位抄错或相邻两位颠倒，请对照原件重新输入")
    entity = "person" if letter == "P" else "household"
    if format_id(entity, int(digits) or 1) != folded:
        raise ValueError("编号格式不对：序号为零或多写了前导零，请对照原件重新输入")
    return EntityId(entity=entity, serial=int(digits))


def is_valid_id(text: str) -> bool:
    """Whether the text is a well-formed id with the right check character (not whether it was minted)."""
    try:
        parse_id(text)
    except ValueError:
        return False
    return True
