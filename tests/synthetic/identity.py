"""Citizen ids (GB 11643-1999) and phone numbers of people who do not exist.

Belongs here: drawing valid ids and numbers. Not here: typing them wrongly (`dirt`).
Phone numbers use mobile prefixes that no operator has been given, so that none can belong to a real person; they pass
the rule of domain.md 2.4 (`1[3-9]` and nine digits) all the same.
"""

import random
from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"

# Area codes of first registration: the home city first (330103 and 330105's old neighbours are abolished, which is
# normal for older people), then the province, then the provinces people move in from.
LOCAL_AREAS = ("330102", "330103", "330104", "330105", "330106", "330108")
PROVINCE_AREAS = ("330109", "330110", "330111", "330122", "330127", "330182", "330183", "330185", "330281", "330326",
                  "330483", "330522", "330621", "330683", "330723", "330781", "330802", "331023", "331081", "332522")  # fmt: skip
OTHER_AREAS = (
    "110105", "120104", "130503", "140106", "150102", "210102", "220104", "230103", "310109", "320106", "320923", "321084",
    "340123", "340881", "341125", "341221", "342423", "350103", "360121", "360281", "361128", "362330", "370103", "370782",
    "410105", "411321", "411328", "412728", "413026", "420106", "420281", "421022", "421083", "422822", "430103", "430681",
    "431228", "440106", "441621", "450103", "452122", "460105", "500101", "500235", "510107", "510622", "511523", "512223",
    "520103", "522121", "522424", "530102", "532101", "533023", "540102", "610113", "612401", "620102", "630102", "640104",
    "650102",
)  # fmt: skip

UNASSIGNED_MOBILE_PREFIXES = ("154", "160", "161", "163", "164", "168", "169", "179", "194")
FILLER_PHONES = ("13800000000", "11111111111", "13800138000", "12345678901", "13000000000")


def check_character(first_17: str) -> str:
    """The MOD 11-2 check character of the first 17 digits."""
    return _CHECK_CHARACTERS[
        sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True)) % 11
    ]


def is_valid_id(id_no: str) -> bool:
    """True when 18 characters long with the right check character. Says nothing about area or date."""
    return (
        len(id_no) == 18
        and id_no[:17].isdecimal()
        and id_no.isascii()
        and check_character(id_no[:17]) == id_no[17]
    )


def shorten_id(id_no: str) -> str:
    """The 15-digit form of the ids given out before 1999 (two-digit year, no check character)."""
    return id_no[:6] + id_no[8:17]


class IdentityOffice:
    """Gives out ids and phone numbers, each once."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._ids: set[str] = set()
        self._phones: set[str] = set()

    def draw_area(self) -> str:
        """Area code of a family's first registration."""
        share = self._rng.random()
        areas = LOCAL_AREAS if share < 0.58 else PROVINCE_AREAS if share < 0.78 else OTHER_AREAS
        return self._rng.choice(areas)

    def issue_id(self, area: str, birth: date, sex: str) -> str:
        """A valid unused id. `sex` is 男 or 女 (odd and even sequence numbers)."""
        while True:
            sequence = self._rng.randrange(0, 498) * 2 + (1 if sex == "男" else 0)
            id_no = self.complete_id(area, birth, sequence)
            if id_no not in self._ids:
                self._ids.add(id_no)
                return id_no

    def issue_twin_id(self, first_twin_id: str, birth: date, sex: str) -> str:
        """An id registered minutes after the twin's: same area and date, sequence number a few steps on."""
        sequence = int(first_twin_id[14:17])
        while True:
            sequence = (sequence + self._rng.choice((1, 2, 3, 4))) % 996
            if sequence % 2 != (1 if sex == "男" else 0):
                continue
            id_no = self.complete_id(first_twin_id[:6], birth, sequence)
            if id_no not in self._ids:
                self._ids.add(id_no)
                return id_no

    @staticmethod
    def complete_id(area: str, birth: date, sequence: int) -> str:
        """Area, birth date and sequence number with their check character."""
        first_17 = f"{area}{birth:%Y%m%d}{sequence:03d}"
        return first_17 + check_character(first_17)

    def issue_phone(self) -> str:
        """An unused mobile number of an unassigned prefix."""
        while True:
            phone = self._rng.choice(UNASSIGNED_MOBILE_PREFIXES) + f"{self._rng.randrange(10**8):08d}"
            if phone not in self._phones:
                self._phones.add(phone)
                return phone

    def issue_landline(self) -> str:
        """An unused fixed line of the city (area code 0571, a leading 2 that no exchange uses)."""
        while True:
            phone = f"0571-2{self._rng.randrange(10**7):07d}"
            if phone not in self._phones:
                self._phones.add(phone)
                return phone
