"""Cross-checks: what the values of a row, a household or a delivery must say about each other.

This is the closed vocabulary in which contracts declare them: one class a word, its fields the words beside it. A
check only ever warns: the row stays accepted (architecture.md, "A person is not dropped for a typing error"). Checks
are pure functions of parsed values; those that need totals or other lists are only described here and run by
``delivery_checks``. Not here: what a check is (``check_kinds``), how a contract states them (``declared_checks``), single
cells (``values``), quarantine (``rows``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, ClassVar, Final

from ingest.check_kinds import Finding, GroupCheck, RowCheck, SheetCheck, StoredCheck, Values, has_value
from ingest.normalise.ids import MISSING as MISSING_ID

_USABLE_IDS: Final = ("valid", "checksum_wrong")
_KNOWN_SEXES: Final = ("1", "2")


# -- of one row ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Order(RowCheck):
    """``order``: the value of `upper` is not below that of `lower` (dates, times, counts)."""

    lower: str
    upper: str
    column_fields = ("lower", "upper")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        low, high = values[self.lower], values[self.upper]
        if low is None or high is None:
            return None
        if isinstance(low, datetime) != isinstance(high, datetime):
            low, high = _day(low), _day(high)
        if high < low:
            return Finding(self.rule, self.upper)
        return None


@dataclass(frozen=True, kw_only=True)
class Period(RowCheck):
    """``period``: from `lower` to `upper` it is between so many days; an end before the begin is `order`'s."""

    lower: str
    upper: str
    minimum_days: int
    maximum_days: int
    column_fields = ("lower", "upper")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        begin, end = values[self.lower], values[self.upper]
        if begin is None or end is None or end < begin:
            return None
        if not self.minimum_days <= (end - begin).days <= self.maximum_days:
            return Finding(self.rule, self.upper)
        return None


@dataclass(frozen=True, kw_only=True)
class IdFact(RowCheck):
    """``id_fact``: `column` says the birth date or sex (`fact`) that the valid `id` says."""

    id: str
    fact: str
    column: str
    column_fields = ("id", "column")

    def __post_init__(self) -> None:
        if self.fact not in ("birth_date", "sex_code"):
            raise ValueError(f"fact 是 {self.fact}，可用 birth_date、sex_code")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        identity, stated = values[self.id], values[self.column]
        if identity.kind != "valid" or stated is None:
            return None
        if self.fact == "sex_code" and stated not in _KNOWN_SEXES:
            return None
        if stated != getattr(identity, self.fact):
            return Finding(self.rule, self.column)
        return None

    def rows_to_look_at(self, columns: Mapping[str, Sequence[Any]], as_of: date) -> list[int]:
        """Rows in which both are said and differ."""
        told = map(attrgetter(self.fact), columns[self.id])  # None unless the id is valid
        return [
            index
            for index, (fact, stated) in enumerate(zip(told, columns[self.column], strict=True))
            if fact != stated and fact is not None and stated is not None
            and (self.fact != "sex_code" or stated in _KNOWN_SEXES)
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Differ(RowCheck):
    """``differ``: the id in `column` is not the one in `other`, who is somebody else; where it is, it is set aside."""

    column: str
    other: str
    column_fields = ("column", "other")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        own, others = values[self.column], values[self.other]
        if own.kind == "valid" and others.kind == "valid" and own.text == others.text:
            return Finding(self.rule, self.column, taken=MISSING_ID)
        return None


@dataclass(frozen=True, kw_only=True)
class CertificateFact(RowCheck):
    """``certificate_fact``: `column` says the id, category or level inside the disability `certificate`.

    Where the column has no value it takes the certificate's, and the rule is `taken_rule` (not for the id, which
    ``rows`` completes before it judges who the row is about).
    """

    certificate: str
    fact: str
    column: str
    taken_rule: str | None = None
    column_fields = ("certificate", "column")
    _ATTRIBUTES: ClassVar[dict[str, str]] = {
        "id": "id_text",
        "category": "category_code",
        "level": "level_code",
    }

    def __post_init__(self) -> None:
        if self.fact not in self._ATTRIBUTES:
            raise ValueError(f"fact 是 {self.fact}，可用 {'、'.join(self._ATTRIBUTES)}")
        if (self.fact == "id") != (self.taken_rule is None):
            raise ValueError("category、level 要写 taken_rule，id 不写")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        certificate = values[self.certificate]
        if certificate.kind != "valid":
            return None
        inside, stated = getattr(certificate, self._ATTRIBUTES[self.fact]), values[self.column]
        if self.fact == "id":
            if stated.kind in _USABLE_IDS and stated.text != inside:
                return Finding(self.rule, self.certificate)
        elif stated is None and self.taken_rule is not None:
            return Finding(self.taken_rule, self.column, taken=inside)
        elif stated != inside:
            return Finding(self.rule, self.column)
        return None


@dataclass(frozen=True, kw_only=True)
class RequiredWhen(RowCheck):
    """``required_when``: `column` has a value when `other` has one (or, with `values`, one of these)."""

    column: str
    other: str
    values: tuple[Any, ...] = ()
    column_fields = ("column", "other")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        other = values[self.other]
        applies = other in self.values if self.values else has_value(other)
        if applies and not has_value(values[self.column]):
            return Finding(self.rule, self.column, is_gap=True)
        return None


@dataclass(frozen=True, kw_only=True)
class RangeWhen(RowCheck):
    """``range_when``: the number in `column` is from `minimum` to `maximum` when `other` is one of `values`."""

    column: str
    minimum: int
    maximum: int
    other: str
    values: tuple[Any, ...]
    column_fields = ("column", "other")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        number = values[self.column]
        if number is None or values[self.other] not in self.values:
            return None
        if not self.minimum <= number <= self.maximum:
            return Finding(self.rule, self.column)
        return None


@dataclass(frozen=True, kw_only=True)
class RequiredUnderAge(RowCheck):
    """``required_under_age``: one of `any_of` has a value when the person is younger than `age` (PIPL 31)."""

    any_of: tuple[str, ...]
    age: int
    id: str
    birth: str | None = None
    column_fields = ("any_of", "id", "birth")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        age = _age(values, self.id, self.birth, as_of)
        if age is not None and age < self.age and not any(has_value(values[name]) for name in self.any_of):
            return Finding(self.rule, self.any_of[0], is_gap=True)
        return None


@dataclass(frozen=True, kw_only=True)
class AgeLimit(RowCheck):
    """``age_limit``: on the day the delivery speaks of, the person is from `minimum` to `maximum` whole years old."""

    id: str
    birth: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    column_fields = ("id", "birth")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        age = _age(values, self.id, self.birth, as_of)
        if age is None:
            return None
        if (self.minimum is not None and age < self.minimum) or (
            self.maximum is not None and age > self.maximum
        ):
            return Finding(self.rule, self.id)
        return None


@dataclass(frozen=True, kw_only=True)
class Lapsed(RowCheck):
    """``lapsed``: a row whose `status` is one of `values` has not ended (`end`) before the day the delivery speaks of."""

    status: str
    values: tuple[str, ...]
    end: str
    column_fields = ("status", "end")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        end = values[self.end]
        if values[self.status] in self.values and end is not None and end < as_of:
            return Finding(self.rule, self.status)
        return None


@dataclass(frozen=True, kw_only=True)
class RelationSex(RowCheck):
    """``relation_sex``: a relation that only men or only women have fits the person's sex (GB/T 4761).

    What a relation says of the sex stands in the code list (``sexes``). When column and id disagree about the sex,
    that is `id_fact`'s to tell.
    """

    relation: str
    id: str
    sex: str | None = None
    sexes: Mapping[str, str]
    column_fields = ("relation", "id", "sex")

    def find(self, values: Values, as_of: date) -> Finding | None:
        """Where the rule does not hold."""
        expected = self.sexes.get(values[self.relation])
        known = {values[self.id].sex_code if values[self.id].kind == "valid" else None}
        if self.sex is not None:
            known.add(values[self.sex])
        known &= set(_KNOWN_SEXES)
        if expected is not None and known and expected not in known:
            return Finding(self.rule, self.relation)
        return None

    def rows_to_look_at(self, columns: Mapping[str, Sequence[Any]], as_of: date) -> list[int]:
        """Rows whose relation says a sex that id and column do not both say."""
        expected = list(map(self.sexes.get, columns[self.relation]))
        of_ids = [identity.sex_code for identity in columns[self.id]]
        stated = of_ids if self.sex is None else columns[self.sex]
        return [
            index
            for index, (sex, of_id, said) in enumerate(zip(expected, of_ids, stated, strict=True))
            if sex is not None and (sex != of_id or sex != said)
        ]


# -- of several rows -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Heads(GroupCheck):
    """``heads``: a block has one person whose `relation` is one of `codes`; none is all right with `may_be_missing`.

    The same `name` twice is one head: that a row came twice is told elsewhere.
    """

    relation: str
    codes: tuple[str, ...]
    name: str
    may_be_missing: bool = False
    column_fields = ("relation", "name")

    def find(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """Where the rule does not hold."""
        if not any(row[self.relation] for row in rows):
            return  # the list does not say relations
        heads = [position for position, row in enumerate(rows) if row[self.relation] in self.codes]
        if not heads and not self.may_be_missing:
            yield 0, Finding(self.rule, self.relation)
        for position in heads[1:]:
            if rows[position][self.name].key != rows[heads[0]][self.name].key:
                yield position, Finding(self.rule, self.relation, others=(heads[0],))


@dataclass(frozen=True, kw_only=True)
class CountOfRows(GroupCheck):
    """``count_of_rows``: `column` counts the block's rows whose `flag` is yes; told only when the list has the flag."""

    column: str
    flag: str
    column_fields = ("column", "flag")

    def find(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """Where the rule does not hold."""
        stated, flags = rows[0][self.column], [row[self.flag] for row in rows]
        if stated is not None and any(flag is not None for flag in flags) and stated != flags.count(True):
            yield 0, Finding(self.rule, self.column)


@dataclass(frozen=True, kw_only=True)
class OneCurrent(GroupCheck):
    """``one_current``: one person (valid `id`) has one `number` whose `status` is one of `values`."""

    id: str
    status: str
    values: tuple[str, ...]
    number: str
    column_fields = ("id", "status", "number")
    is_of_delivery = True

    def find(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """Where the rule does not hold."""
        current: dict[str, list[int]] = defaultdict(list)
        for position, row in enumerate(rows):
            if row[self.status] in self.values and row[self.id].kind == "valid":
                current[row[self.id].text].append(position)
        for positions in current.values():
            # The same number twice is the same contract twice: that is told as a duplicate row.
            if len({rows[position][self.number] for position in positions}) > 1:
                for position in positions:
                    others = tuple(other for other in positions if other != position)
                    yield position, Finding(self.rule, self.status, others=others)


@dataclass(frozen=True, kw_only=True)
class Unique(GroupCheck):
    """``unique``: no two rows of a delivery have the same values in `key`, for only one of them would count.

    Told of the first column of the key, on every row concerned; rows without the whole key are left out, and so are
    rows that are equal in everything, which are told as duplicates.
    """

    key: tuple[str, ...]
    column_fields = ("key",)
    is_of_delivery = True

    def keys_of(self, columns: Mapping[str, Sequence[Any]]) -> list[tuple[str, ...] | None]:
        """What must be a row's own, of many rows by columns; None where it is not wholly there."""
        texts = [list(map(_as_text, columns[name])) for name in self.key]
        return [None if None in row else row for row in zip(*texts, strict=True)]

    def find(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """Where the rule does not hold."""
        by_key: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for position, key in enumerate(
            self.keys_of({name: [row[name] for row in rows] for name in self.key})
        ):
            if key is not None:
                by_key[key].append(position)
        for positions in by_key.values():
            if any(rows[position] != rows[positions[0]] for position in positions):
                for position in positions:
                    others = tuple(other for other in positions if other != position)
                    yield position, Finding(self.rule, self.key[0], others=others)


def _as_text(value: Any) -> str | None:
    """What is compared of a value, or None: numbers of persons by their text, names as they are matched."""
    if isinstance(value, str):
        return value
    if not has_value(value):
        return None
    if hasattr(value, "pinyin"):
        return str(value.key)
    return str(value.text if hasattr(value, "kind") else value)


# -- run by delivery_checks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TotalRow(SheetCheck):
    """``total_row``: the amounts of `column` on a sheet add up to what its total row says (household amounts once)."""

    column: str
    column_fields = ("column",)


@dataclass(frozen=True, kw_only=True)
class NotInList(StoredCheck):
    """``not_in_list``: nobody with this valid `id` stands in the current rows of the list `other_list`.

    Attributes:
        flag: Rows of this list whose flag says no are not meant.
        other_flag: The same for the rows of the other list.
    """

    id: str
    other_list: str
    flag: str | None = None
    other_flag: str | None = None
    column_fields = ("id", "flag")


def _age(values: Values, id_column: str, birth_column: str | None, as_of: date) -> int | None:
    """Whole years on a day, by the valid id, else by the birth date of the list."""
    identity = values[id_column]
    birth = identity.birth_date if identity.kind == "valid" else None
    if birth is None and birth_column is not None:
        birth = values[birth_column]
    if birth is None:
        return None
    return as_of.year - birth.year - int((as_of.month, as_of.day) < (birth.month, birth.day))


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value
