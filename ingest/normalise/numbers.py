"""Numbers of persons where they do not belong: in an address, beside a name, in the name of a file or a sheet.

Such text is stored and shown in clear, so the number is taken out of it; the cell as delivered stays in the encrypted
row. What stands in the columns meant for numbers is said by ``ids`` and ``phones``.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from infra.protection import mask_id_no, mask_phone
from ingest.normalise.ids import parse_id
from ingest.normalise.texts import fold

# No address, name or occupation has a number of seven digits; house numbers and postcodes are shorter.
_NUMBER: Final = re.compile(
    r"(?a)\d{6}[ -]\d{8}[ -]\d{3}[\dXx]"  # an id in groups
    r"|\d{6}[*×✕●○•]{4,}\d{0,4}[\dXx]?"  # an id with its middle starred: with a birth date beside it, the whole id
    r"|1[3-9]\d[ -]\d{4}[ -]\d{4}"
    r"|(?:0\d{2,3}[ -]?)?\d{7,}[Xx]?"
)
_LEFT_EMPTY: Final = re.compile(r"[(\[【](?:联系)?(?:电话|手机|身份证)?(?:号码?)?[\s,，;；:：]*[)\]】]")
_ENDS: Final = " ,，;；、:：/-"
# In names of files digits are dates and serial numbers: there only what is an id or a mobile number is hidden.
_LONG: Final = re.compile(r"(?a)\d{17,}[Xx]?")
_ID_LENGTH: Final = 18
_MOBILE: Final = re.compile(r"(?a)(?<!\d)1[3-9]\d{9}(?!\d)")


def without_numbers(text: str) -> str | None:
    """The folded text without its long numbers; None when there are none and the text may stay as it is."""
    folded = fold(text)
    if _NUMBER.search(folded) is None:
        return None
    rest = _NUMBER.sub(" ", folded)
    return " ".join(_LEFT_EMPTY.sub(" ", rest).split()).strip(_ENDS)


def with_numbers_hidden(text: str) -> str:
    """The text with citizen ids and mobile numbers masked: for names of files and sheets, and for headers."""
    hidden = _LONG.sub(lambda found: _hide_ids(found[0]), text)
    return _MOBILE.sub(lambda found: mask_phone(found[0]), hidden)


def _hide_ids(digits: str) -> str:
    """A run of digits with every id in it masked; an id may run straight into a date (…002X202607, 202607110105…)."""
    start = 0
    while start + _ID_LENGTH <= len(digits):
        number = digits[start : start + _ID_LENGTH]
        if _is_id(number, is_whole=len(digits) == _ID_LENGTH):
            masked = mask_id_no(number)
            digits = digits[:start] + masked + digits[start + _ID_LENGTH :]
            start += len(masked)
        else:
            start += 1
    return digits


def _is_id(number: str, *, is_whole: bool) -> bool:
    """Whether it has an id's check character, or stands alone and has an id's birth date; others are the office's own."""
    try:
        has_birth = 1890 <= date.fromisoformat(number[6:14]).year <= 2100
    except ValueError:
        return False
    return has_birth and (is_whole or parse_id(number).kind == "valid")
