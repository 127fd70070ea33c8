"""How facts get dirty on their way into a list: rates, typing faults, and spellings of clean values.

Belongs here: one function a kind of fault (domain.md 1.5, 2.1). Faults *of content* (another digit, another person's id)
are made once when a clerk types a card and stay there until the card is typed again; faults *of form* (date format,
spaces, full width) are made afresh whenever a file is written. Not here: which card or file (`cards`, `lists`).
"""

import random
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

from tests.synthetic import identity, names

NULL_WORDS = ("", "", "", "不详", "—", "无", "-", "/")


@dataclass(frozen=True)
class Dirt:
    """Rates of every fault. Content faults are per typed card, form faults per written cell."""

    # content: identity numbers (together about 6 % of the cards of a list)
    id_missing: float = 0.024
    id_one_digit: float = 0.008
    id_swapped_digits: float = 0.005
    id_of_relative: float = 0.006
    id_masked: float = 0.010
    id_15_digits: float = 0.006
    id_destroyed_by_spreadsheet: float = 0.005  # numeric cells, xlsx only
    newborn_without_id: float = 0.35
    # content: the rest of a card
    name_homophone: float = 0.010
    name_look_alike: float = 0.005
    birth_missing: float = 0.04
    birth_lunar: float = 0.008
    birth_one_digit: float = 0.006
    sex_wrong: float = 0.004
    phone_missing: float = 0.10
    phone_filler: float = 0.012
    phone_of_officer: float = 0.006
    phone_one_digit: float = 0.004
    # form
    id_full_width: float = 0.006
    id_spaced: float = 0.012
    id_quoted: float = 0.005
    id_tabbed: float = 0.005
    id_lower_x: float = 0.3  # of ids that end in X
    name_traditional: float = 0.008
    name_spaced: float = 0.012  # of two-character names: 张 三
    name_invisible: float = 0.006
    name_suffixed: float = 0.003
    sex_missing: float = 0.006
    sex_as_digit: float = 0.3  # family doctor list
    phone_formatted: float = 0.09
    phone_full_width: float = 0.005
    phone_doubled: float = 0.004
    address_without_room: float = 0.006
    address_other_style: float = 0.08  # than the household's other rows
    community_short: float = 0.003
    relation_synonym: float = 0.12
    exact_duplicate: float = 0.0015
    visit_without_number: float = 0.045
    visit_head_is_member: float = 0.02
    visit_corrected: float = 0.004
    # how lists keep up with life
    card_typed_again: float = 0.07  # a month
    card_confirmed: float = 0.45  # a month: same content, new date
    registered_twice: float = 0.012  # of households: a second household number
    second_number_is_suffix: float = 0.4
    listed_in_two_households: float = 0.4  # of grown-up children with parents in another household here
    renumbered_on_move: float = 0.15  # within a community; across communities always
    old_row_stays: float = 0.25  # after a move, a month
    late_registration: float = 0.10  # a month
    doctor_learns_of_move: float = 0.45  # a month
    contract_twice: float = 0.010  # of contracts

    @classmethod
    def easy(cls) -> "Dirt":
        """A careful sub-district: every content fault at a quarter, no family registered twice."""
        default = cls()
        return replace(
            default.scaled(0.25), id_lower_x=0.1, card_confirmed=0.45, registered_twice=0.0, sex_as_digit=0.3
        )

    @classmethod
    def default(cls) -> "Dirt":
        """Harder than the samples."""
        return cls()

    @classmethod
    def hard(cls) -> "Dirt":
        """Twice the faults of the default."""
        return replace(
            cls().scaled(2.0), sex_as_digit=0.4, card_confirmed=0.45, newborn_without_id=0.6, id_lower_x=0.5
        )

    @classmethod
    def preset(cls, name: str) -> "Dirt":
        """`easy`, `default` or `hard`."""
        presets = {"easy": cls.easy, "default": cls.default, "hard": cls.hard}
        if name not in presets:
            raise ValueError(f"choosing a dirt preset: got {name!r}, expected one of {sorted(presets)}")
        return presets[name]()

    def scaled(self, factor: float) -> "Dirt":
        """All rates times the factor, none above 0.9."""
        return replace(self, **{f.name: min(0.9, getattr(self, f.name) * factor) for f in fields(self)})


def pick(rng: random.Random, *options: tuple[str, float]) -> str | None:
    """One of the named options with its probability, or None for the rest."""
    share = rng.random()
    for name, rate in options:
        if share < rate:
            return name
        share -= rate
    return None


# -- content faults ------------------------------------------------------------------------------------------------


def mistype_digit(rng: random.Random, text: str) -> str:
    """One digit replaced by another. An id's last character is left alone: the check digit shows the slip."""
    places = [place for place, character in enumerate(text) if character.isdecimal()][
        : 17 if len(text) == 18 else None
    ]
    place = rng.choice(places)
    return text[:place] + rng.choice([d for d in "0123456789" if d != text[place]]) + text[place + 1 :]


def swap_digits(rng: random.Random, text: str) -> str:
    """Two unequal neighbouring digits exchanged."""
    places = [p for p in range(len(text) - 1) if text[p] != text[p + 1] and text[p : p + 2].isdecimal()]
    if not places:
        return mistype_digit(rng, text)
    place = rng.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def mask_id(rng: random.Random, id_no: str) -> str:
    """The masked forms that partners send: 330106********447X and the like."""
    form = rng.choices(range(4), (70, 12, 10, 8))[0]
    hidden = ("********", "xxxxxxxx", "***********")
    if form == 3:
        return id_no[:10] + "****" + id_no[14:]
    return id_no[:6] + hidden[form] + id_no[17 if form == 2 else 14 :]


def shift_birth(rng: random.Random, birth: date, kind: str | None) -> date:
    """`lunar`: the lunar date taken for a solar one (3 to 7 weeks earlier); `digit`: a day or month or year misread."""
    if kind == "lunar":
        return birth - timedelta(days=rng.randint(19, 45))
    if kind == "digit":
        for _ in range(8):
            changed = rng.choice(
                ((birth.year + rng.choice((-10, -1, 1, 10)), birth.month, birth.day),
                 (birth.year, rng.randint(1, 12), birth.day), (birth.year, birth.month, rng.randint(1, 28)))
            )  # fmt: skip
            if changed != (birth.year, birth.month, birth.day) and changed[0] <= 2026:
                return date(changed[0], changed[1], min(changed[2], 28))
    return birth


# -- form ----------------------------------------------------------------------------------------------------------


def write_date(rng: random.Random, day: date) -> str:
    """A date in one of the formats of the samples."""
    form = rng.choices(range(8), (46, 12, 10, 10, 8, 8, 4, 2))[0]
    if form == 0:
        return f"{day:%Y-%m-%d}"
    if form == 1:
        return f"{day:%Y%m%d}"
    if form == 7:
        return f"{day.year}/{day.month}/{day.day} 0:00:00"
    before_month, before_day, end = (
        ("/", "/", ""), (".", ".", ""), ("年", "月", "日"), ("年", "月", "日"), ("-", "-", ""),
    )[form - 2]  # fmt: skip
    return f"{day.year}{before_month}{day.month}{before_day}{day.day}{end}"


def write_id(rng: random.Random, dirt: Dirt, id_no: str) -> str:
    """A typed id with the marks of editors and spreadsheets around it."""
    if not id_no[:6].isdecimal() or len(id_no) < 15:
        return id_no
    if id_no.endswith("X") and rng.random() < dirt.id_lower_x:
        id_no = id_no[:-1] + rng.choice("xxxxｘ")
    form = pick(
        rng,
        ("wide", dirt.id_full_width),
        ("spaced", dirt.id_spaced),
        ("quoted", dirt.id_quoted),
        ("tabbed", dirt.id_tabbed),
    )
    if form == "wide":
        return id_no.translate(_WIDE)
    if form == "spaced":
        return rng.choice(
            (f"{id_no[:6]} {id_no[6:14]} {id_no[14:]}", f" {id_no}", f"{id_no} ", f"{id_no}\u00a0")
        )
    if form == "quoted":
        return f"'{id_no}"
    if form == "tabbed":
        return rng.choice((f"\t{id_no}", f"\t{id_no} "))
    return id_no


def write_name(rng: random.Random, dirt: Dirt, name: str, suffix: str = "户主") -> str:
    """A typed name with spaces, traditional characters, invisible characters, another dot or a bracket."""
    if "·" in name:
        return name.replace("·", rng.choice("·••．・‧."))
    form = pick(
        rng, ("traditional", dirt.name_traditional), ("spaced", dirt.name_spaced * (len(name) == 2)),
        ("invisible", dirt.name_invisible), ("suffixed", dirt.name_suffixed),
    )  # fmt: skip
    if form == "traditional":
        return names.traditional(name)
    if form == "spaced":
        return name[0] + rng.choice((" ", "\u3000", "  ")) + name[1]
    if form == "invisible":
        return name + rng.choice((" ", "\u3000", "\u200b", "\u00a0"))
    if form == "suffixed":
        return rng.choice((f"{name}({suffix})", f"{name}（{suffix}）"))
    return name


def write_phone(rng: random.Random, dirt: Dirt, phone: str, other: str = "") -> str:
    """A typed number with country code, spaces, dashes, full width or a second number behind it."""
    if not phone:
        return rng.choice(("", "", "", "", "无", "-"))
    share = rng.random()
    if share < dirt.phone_doubled and other and other != phone:
        return phone + rng.choice("/、;") + other
    if share > 1 - dirt.phone_full_width:
        return phone.translate(_WIDE)
    if len(phone) == 11 and phone.isdecimal() and rng.random() < dirt.phone_formatted:
        return rng.choice(
            (
                f"+86{phone}",
                f"+86 {phone}",
                f"{phone[:3]}-{phone[3:7]}-{phone[7:]}",
                f"{phone[:3]} {phone[3:7]} {phone[7:]}",
            )
        )
    return phone


def write_sex(rng: random.Random, dirt: Dirt, sex: str, digits_allowed: bool) -> str:
    """男/女, or 1/2 in lists that mix both."""
    if rng.random() < dirt.sex_missing:
        return ""
    if digits_allowed and rng.random() < dirt.sex_as_digit:
        return "1" if sex == "男" else "2"
    return sex


def destroyed_number(id_no: str) -> float:
    """What a spreadsheet keeps of an id typed into a numeric cell: 15 significant digits."""
    return float(int(id_no[:15] + "000"))


def old_id(id_no: str) -> str:
    """The 15-digit form."""
    return identity.shorten_id(id_no)


_WIDE = str.maketrans("0123456789Xx-", "０１２３４５６７８９Ｘｘ－")
