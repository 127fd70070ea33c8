"""The cross-checks of a contract as it declares them, compiled once.

A contract states each check as an entry of the ODCS ``quality`` of its table::

    - name: contract_dates_reversed            # rule of the warning; its words are in messages.py …
      description: 到期日不早于签约日
      dimension: consistency
      type: custom
      engine: yihu
      implementation: {check: order, lower: signed_date, upper: expiry_date}
      customProperties:
        - {property: source, value: domain.md 1.3 D6}
        - {property: problem, value: 到期日早于签约日}     # … or here
        - {property: remedy, value: 核对两个日期}

Not here: what the checks do (``cross_checks``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from ingest.check_kinds import Check, Finding, GroupCheck, RowCheck, SheetCheck, StoredCheck, Values
from ingest.cross_checks import (
    AgeLimit,
    CertificateFact,
    CountOfRows,
    Differ,
    Heads,
    IdFact,
    Lapsed,
    NotInList,
    OneCurrent,
    Order,
    Period,
    RangeWhen,
    RelationSex,
    RequiredUnderAge,
    RequiredWhen,
    TotalRow,
    Unique,
)
from ingest.messages import WARNING_RULES

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality

    from ingest.contract import Column

_VOCABULARY: Final[dict[str, type[Check]]] = {
    "order": Order,
    "period": Period,
    "id_fact": IdFact,
    "differ": Differ,
    "certificate_fact": CertificateFact,
    "required_when": RequiredWhen,
    "range_when": RangeWhen,
    "required_under_age": RequiredUnderAge,
    "age_limit": AgeLimit,
    "lapsed": Lapsed,
    "relation_sex": RelationSex,
    "heads": Heads,
    "count_of_rows": CountOfRows,
    "one_current": OneCurrent,
    "unique": Unique,
    "total_row": TotalRow,
    "not_in_list": NotInList,
}


@dataclass(frozen=True, eq=False)
class CrossChecks:
    """The checks of one contract, sorted by what they need.

    Attributes:
        of_row: Need one row.
        of_household: Need one row, but read only columns that a household's rows share.
        of_block, of_delivery: Need the rows of a household block, of the whole delivery.
        of_sheet, of_store: Run by ``delivery_checks``.
        wordings: Problem and remedy of the rules whose words the contract gives itself.
        descriptions: What must hold, in Chinese, in the order of the contract.
    """

    of_row: tuple[RowCheck, ...] = ()
    of_household: tuple[RowCheck, ...] = ()
    of_block: tuple[GroupCheck, ...] = ()
    of_delivery: tuple[GroupCheck, ...] = ()
    of_sheet: tuple[SheetCheck, ...] = ()
    of_store: tuple[StoredCheck, ...] = ()
    wordings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    descriptions: tuple[str, ...] = ()

    def row_findings(self, values: Values, as_of: date) -> Iterator[Finding]:
        """What the checks of one row find."""
        for check in self.of_row:
            if finding := check.find(values, as_of):
                yield finding

    def block_findings(
        self, rows: Sequence[Values], as_of: date, *, is_block: bool
    ) -> Iterator[tuple[int, Finding]]:
        """What the checks of one household find: position of the row and finding.

        Args:
            rows: The rows of a block, or one row of a list that is not laid out in blocks.
            as_of: Day the delivery speaks of.
            is_block: Whether it is a block.
        """
        for check in self.of_household:
            if finding := check.find(rows[0], as_of):  # the other rows of the household say the same
                yield 0, finding
        if is_block:
            for group_check in self.of_block:
                yield from group_check.find(rows)

    def delivery_findings(self, rows: Sequence[Values]) -> Iterator[tuple[int, Finding]]:
        """What the checks over all rows of a delivery find: position of the row and finding."""
        for check in self.of_delivery:
            yield from check.find(rows)


def read_cross_checks(
    entries: Sequence[DataQuality], columns: Sequence[Column], *, has_blocks: bool
) -> CrossChecks:
    """Checks of a contract from the ``quality`` entries of its table.

    Raises:
        ValueError: An entry uses a word outside the vocabulary, names a column the list has not, or has no words.
    """
    by_name = {column.name: column for column in columns}
    household = {column.name for column in columns if column.is_household} if has_blocks else set()
    checks: list[Check] = []
    wordings: dict[str, tuple[str, str]] = {}
    for entry in entries:
        if entry.type != "custom" or entry.engine != "yihu":
            raise ValueError(f"quality“{entry.name}”：type 应为 custom，engine 应为 yihu")
        extras = {extra.property: extra.value for extra in entry.customProperties or ()}
        try:
            check = _build(entry.name, extras.get("source"), entry.implementation, by_name)
        except (TypeError, ValueError) as error:
            raise ValueError(f"quality“{entry.name}”：{error}") from None
        checks.append(check)
        if "problem" in extras or "remedy" in extras:
            wordings[check.rule] = (str(extras["problem"]), str(extras["remedy"]))
        elif check.rule not in WARNING_RULES:
            raise ValueError(f"quality“{check.rule}”：messages.py 没有它的说法，要写 problem 和 remedy")
    row_checks = [check for check in checks if isinstance(check, RowCheck)]
    groups = [check for check in checks if isinstance(check, GroupCheck)]
    return CrossChecks(
        of_row=tuple(check for check in row_checks if not household.issuperset(check.columns())),
        of_household=tuple(check for check in row_checks if household.issuperset(check.columns())),
        of_block=tuple(check for check in groups if not check.is_of_delivery),
        of_delivery=tuple(check for check in groups if check.is_of_delivery),
        of_sheet=tuple(check for check in checks if isinstance(check, SheetCheck)),
        of_store=tuple(check for check in checks if isinstance(check, StoredCheck)),
        wordings=wordings,
        descriptions=tuple(entry.description for entry in entries if entry.description),
    )


def _build(rule: str | None, source: Any, implementation: Any, columns: Mapping[str, Column]) -> Check:
    if not rule or not source or not isinstance(implementation, dict):
        raise ValueError("要有 name、source 和 implementation")
    words = {name: tuple(v) if isinstance(v, list) else v for name, v in implementation.items()}
    kind = _VOCABULARY.get(str(words.pop("check", "")))
    if kind is None:
        raise ValueError(f"check 应为 {'、'.join(_VOCABULARY)} 之一")
    if kind is RelationSex and (relation := columns.get(str(words.get("relation")))) and relation.code_list:
        words["sexes"] = relation.code_list.sexes
    known = {entry.name for entry in fields(kind)} - {"rule", "source"}
    if unknown := set(words) - known:
        raise ValueError(
            f"{kind.__name__} 不认识 {'、'.join(sorted(unknown))}，可用 {'、'.join(sorted(known))}"
        )
    check = kind(rule=rule, source=str(source), **words)
    if missing := set(check.columns()) - set(columns):
        raise ValueError(f"提到了没有的栏：{'、'.join(sorted(missing))}")
    return check
