"""What a rule says of one column, where that is more than it says of any: the allowed values, the limits, the form.

`ops.rule_wording` has the same, with what contracts word themselves, for stations that cannot ask here. Not here: what
a rule says of any column (``messages``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, text

from ingest.contract import Column, Contract
from ingest.guidance import allowed_values
from ingest.messages import WARNING_RULES, parts

# More are looked up in the template than read in a receipt.
_MOST_VALUES: Final = 12
_DAY, _MONTH, _MINUTE = "2026-07-05", "2026-10", "2026-10-08 09:30"
# Rules that show the form of a date; every other rule about dates names none.
_SHOWN_FORMS: Final = ("2026-07-05 14:30", _DAY)


def words_of(rule: str, column: Column | None) -> tuple[str, str] | None:
    """Problem and remedy of a rule in a column; None where the column adds nothing."""
    if column is None:
        return None
    if rule == "code_unknown":
        return "认不得这个写法，没有取值", _allowed(column)
    if rule == "integer_out_of_range":
        return f"{_limits(column)}，没有取值", "核实后改正"
    if rule == "ditto_unresolved":
        return parts(rule)[0], f"请写出{column.header}"
    problem, remedy = parts(rule)
    form = {"datetime": _MINUTE, "date": _MONTH if column.is_month else _DAY}.get(column.semantic_type)
    for shown in _SHOWN_FORMS if form else ():
        if shown in remedy:
            return problem, remedy.replace(shown, form or shown)
    return None


def words(
    rule: str, column: Column | None, contract: Contract | None, *, is_quarantined: bool = False
) -> tuple[str, str]:
    """Problem and remedy of a rule: as the contract words it, or the column, or any; empty for one of an older version."""
    own = contract.checks.wordings.get(rule) if contract else None
    return (
        own
        or (None if is_quarantined else words_of(rule, column))
        or parts(rule, is_quarantined=is_quarantined)
    )


def store_rule_wordings(connection: Connection, contracts: Iterable[Contract]) -> None:
    """Write what rules say of single columns, and what contracts word themselves (no column), to `ops.rule_wording`."""
    rows = [
        {
            "list_code": contract.list_code,
            "column_name": name,
            "rule": rule,
            "problem": said[0],
            "remedy": said[1],
        }
        for contract in contracts
        for name, rule, said in _wordings(contract)
    ]
    connection.execute(text("delete from ops.rule_wording"))
    connection.execute(
        text(
            "insert into ops.rule_wording (list_code, column_name, rule, problem, remedy) "
            "values (:list_code, :column_name, :rule, :problem, :remedy)"
        ),
        rows,
    )


def _wordings(contract: Contract) -> Iterator[tuple[str, str, tuple[str, str]]]:
    for rule, own in contract.checks.wordings.items():
        yield "", rule, own
    for column in contract.columns:
        for rule in WARNING_RULES:
            said = words_of(rule, column)
            if said is not None:
                yield column.name, rule, said


def _allowed(column: Column) -> str:
    names = allowed_values(column)
    shown = "、".join(names[:_MOST_VALUES])
    how = "请填（可以填几项，用顿号隔开）" if column.semantic_type == "codes" else "请填"
    if len(names) > _MOST_VALUES:
        return f"{how}：{shown}等，全部写法见填表说明"
    return f"{how}：{shown}之一" if column.semantic_type != "codes" else f"{how}：{shown}"


def _limits(column: Column) -> str:
    if column.minimum is not None and column.maximum is not None:
        return f"数字超出范围，应为 {column.minimum} 至 {column.maximum}"
    if column.minimum is not None:
        return f"数字超出范围，应不小于 {column.minimum}"
    if column.maximum is not None:
        return f"数字超出范围，应不大于 {column.maximum}"
    return "数字超出合理范围"
