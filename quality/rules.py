"""The kinds of checks there are: each as a Great Expectations expectation and as the SQL that counts for it.

A rule is stated in `suites.yaml` (or derived from a contract in `quality.expectations`); this module knows
what its kind means. Great Expectations decides, SQL counts, and a check passes only if both agree; neither
ever shows a value. Running them is `quality.validation`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

Kind = Literal["row_count", "unique", "not_null", "in_set", "between", "no_rows"]
Severity = Literal["error", "warn"]

_DATE_PARAMETER = re.compile(r":(as_of|snapshot_date|received_on)\b")


@dataclass(frozen=True)
class Rule:
    """One check of one table. `min_ratio` is the share of rows that must satisfy it, as a decimal string."""

    check_name: str
    title: str
    severity: Severity
    kind: Kind
    min_ratio: str = "1"
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    least: date | int | None = None
    most: date | int | None = None
    sql: str = ""
    row_count: int = 0


@dataclass(frozen=True)
class SuiteFile:
    """`suites.yaml` as read, and its hash."""

    content: Mapping[str, Any]
    sha256: str


@cache
def load_suites() -> SuiteFile:
    """Read `suites.yaml` once."""
    import yaml

    content = (Path(__file__).parent / "suites.yaml").read_bytes()
    return SuiteFile(yaml.safe_load(content), hashlib.sha256(content).hexdigest())


def with_dates(sql: str, dates: Mapping[str, date]) -> str:
    """Put dates into SQL in place of `:as_of`, `:snapshot_date` and `:received_on`; a date cannot carry anything else."""
    return _DATE_PARAMETER.sub(lambda match: f"date '{dates[match.group(1)]:%Y-%m-%d}'", sql)


def expectation(rule: Rule) -> "Expectation":
    """The rule as Great Expectations judges it; `meta` carries the check's name back."""
    import great_expectations.expectations as gxe

    meta = {"check_name": rule.check_name}
    mostly = float(rule.min_ratio)
    match rule.kind:
        case "row_count":
            return gxe.ExpectTableRowCountToEqual(value=rule.row_count, meta=meta)
        case "unique" if len(rule.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], mostly=mostly, meta=meta)
        case "unique":
            return gxe.ExpectCompoundColumnsToBeUnique(
                column_list=list(rule.columns), mostly=mostly, meta=meta
            )
        case "not_null":
            return gxe.ExpectColumnValuesToNotBeNull(column=rule.columns[0], mostly=mostly, meta=meta)
        case "in_set":
            return gxe.ExpectColumnValuesToBeInSet(
                column=rule.columns[0], value_set=list(rule.values), mostly=mostly, meta=meta
            )
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(
                column=rule.columns[0], min_value=rule.least, max_value=rule.most, mostly=mostly, meta=meta
            )
        case "no_rows":
            return gxe.UnexpectedRowsExpectation(unexpected_rows_query=_offenders(rule), meta=meta)


def count_columns(rule: Rule) -> tuple[str, str]:
    """SQL for how many rows the rule looked at and how many break it, over `batch`.

    Null values are looked at by `not_null` and `row_count` only, as Great Expectations does.
    """
    column = quote(rule.columns[0]) if rule.columns else ""
    match rule.kind:
        case "row_count":
            return "count(*)", f"abs(count(*) - {rule.row_count})"
        case "not_null":
            return "count(*)", f"count(*) filter (where {column} is null)"
        case "in_set":
            values = ", ".join(literal(value) for value in rule.values)
            return f"count({column})", f"count(*) filter (where {column} not in ({values}))"
        case "between":
            breaks = " or ".join(
                f"{column} {sign} {_sql_bound(bound)}"
                for sign, bound in (("<", rule.least), (">", rule.most))
                if bound is not None
            )
            return f"count({column})", f"count(*) filter (where {breaks})"
        case "unique":
            names = ", ".join(quote(name) for name in rule.columns)
            present = " and ".join(f"{quote(name)} is not null" for name in rule.columns)
            # Every row of a repeated key counts, as Great Expectations counts them.
            repeated = f"select count(*) as n from batch where {present} group by {names} having count(*) > 1"
            return (
                f"count(*) filter (where {present})",
                f"(select coalesce(sum(n), 0) from ({repeated}) as repeated)",
            )
        case "no_rows":
            offenders = rule.sql.replace("{batch}", "batch")
            return "count(*)", f"(select count(*) from ({offenders}) as offenders)"


def is_within_limit(rule: Rule, checked_count: int, failed_count: int) -> bool:
    """Whether the counts satisfy the rule, in exact arithmetic."""
    allowed = 1 - Fraction(rule.min_ratio)
    return failed_count * allowed.denominator <= allowed.numerator * checked_count


def quote(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A quoted SQL string."""
    return "'" + value.replace("'", "''") + "'"


def _sql_bound(bound: date | int) -> str:
    return str(bound) if isinstance(bound, int) else f"date '{bound:%Y-%m-%d}'"


def _offenders(rule: Rule) -> str:
    """The offending rows as Great Expectations counts them: constants, so that no value is ever fetched.

    A share of offenders is allowed by asking for a row only when there are more than that.
    """
    # GX puts the batch in as a named subquery, which SQL takes as a table of a FROM clause only.
    offenders = rule.sql.replace("{batch}", "batch")
    allowed = 1 - Fraction(rule.min_ratio)
    return (
        "with batch as (select * from {batch}) "
        f"select 1 from (select count(*) as n from ({offenders}) as offenders) as counted "
        f"where counted.n * {allowed.denominator} > {allowed.numerator} * (select count(*) from batch)"
    )


def rules_from(entries: Sequence[Mapping[str, Any]], dates: Mapping[str, date]) -> list[Rule]:
    """Rules of one table as `suites.yaml` states them."""
    return [
        Rule(
            check_name=entry["check"],
            title=entry["title"],
            severity=entry["severity"],
            kind=entry["kind"],
            min_ratio=str(entry.get("min_ratio", 1)),
            columns=tuple(entry["columns"]) if "columns" in entry else _column(entry),
            values=tuple(entry.get("values", ())),
            least=date_bound(entry.get("least"), dates),
            most=date_bound(entry.get("most"), dates),
            sql=with_dates(entry.get("sql", ""), dates),
        )
        for entry in entries
    ]


def date_bound(text: str | None, dates: Mapping[str, date]) -> date | None:
    """A bound such as `:as_of` or `:as_of - 120 years`; None for no bound."""
    if text is None:
        return None
    match = re.fullmatch(r":(as_of|snapshot_date|received_on)(?: - (\d+) years)?", text)
    if match is None:
        raise ValueError("a date bound of suites.yaml is not of the form ':as_of - 120 years'")
    day = dates[match.group(1)]
    years = int(match.group(2) or 0)
    # 29 February has no counterpart in most years.
    return day.replace(year=day.year - years, day=min(day.day, 28)) if years else day


def _column(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (entry["column"],) if "column" in entry else ()
