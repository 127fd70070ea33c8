"""What deliveries, staging and master are expected to look like, checked and kept.

Here belong which rules apply to which table and the storing of results; the limits are rows of
`suites.yaml`, what a rule's kind means is `quality.rules`, running them is `quality.validation`. Nothing here
refuses a delivery (ingest) or a release (`quality.verdict`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from infra.errors import PermanentError
from quality.rules import Rule, literal, load_suites, quote, rules_from, with_dates
from quality.validation import CheckResult, TableToCheck, run_checks

__all__ = ["CheckResult", "check_deliveries", "check_master", "check_staging"]

# The raw column that tells whether a contract column has a value, by semantic type; any other is `x` itself.
_PRESENCE_SUFFIX = {
    "id_no": "_kind",
    "phone": "_kind",
    "protected_text": "_encrypted",
    "amount": "_encrypted",
    "bank_account": "_encrypted",
    "diagnosis": "_encrypted",
}
# The raw column that tells whether two values are equal, by semantic type; any other is `x` itself.
_EQUALITY_SUFFIX = {
    "person_name": "_key",
    "id_no": "_token",
    "phone": "_token",
    "disability_certificate": "_token",
    "address": "_key",
}
_ID_KINDS = ("valid", "checksum_wrong", "masked", "damaged", "other_document")
_PHONE_KINDS = ("mobile", "landline", "filler", "invalid")


def check_deliveries(engine: Engine, refresh_id: int) -> list[CheckResult]:
    """Check every loaded delivery of the business date that was not checked before.

    The rows of a delivery never change, so a result holds as long as the suite does: of deliveries checked by
    an earlier refresh the failures are carried over, as long as the delivery still counts (a snapshot list's
    older snapshots do not). Results replace those of the same refresh.

    Raises:
        PermanentError: There is no such refresh.
    """
    suites = load_suites()
    with engine.connect() as connection:
        as_of = _as_of(connection, refresh_id)
        deliveries = connection.execute(_DELIVERIES, {"as_of": as_of}).all()
        settled = connection.execute(_SETTLED, {"refresh_id": refresh_id}).all()
        columns = connection.execute(text("select * from ops.contract_column order by position")).all()
        keys: dict[str, list[str]] = {
            row.list_code: row.business_key
            for row in connection.execute(text("select list_code, business_key from ops.contract"))
        }
    by_list: dict[str, list[Row[Any]]] = {}
    for column in columns:
        by_list.setdefault(column.list_code, []).append(column)
    versions = {
        list_code: _suite_version(suites.sha256, by_list.get(list_code, []), keys[list_code])
        for list_code in {delivery.list_code for delivery in deliveries}
    }
    settled_by_delivery: dict[int, list[Row[Any]]] = {}
    for row in settled:
        settled_by_delivery.setdefault(row.delivery_id, []).append(row)
    tables: list[TableToCheck] = []
    carried: list[CheckResult] = []
    for delivery in deliveries:
        rows = settled_by_delivery.get(delivery.delivery_id, [])
        version = versions[delivery.list_code]
        if not rows or rows[0].suite_version != version:
            columns_of_list = by_list.get(delivery.list_code, [])
            tables.append(
                _delivery_table(
                    delivery,
                    columns_of_list,
                    keys[delivery.list_code],
                    suites.content["delivery"],
                    version,
                )
            )
        elif delivery.still_counts:
            carried.extend(_carried(row) for row in rows if row.check_name is not None)
    results = run_checks(engine, tables) + carried
    _store(engine, refresh_id, "delivery", results)
    return results


def check_staging(engine: Engine, refresh_id: int) -> list[CheckResult]:
    """Check person records and visits; results replace those of the same refresh. Raises as the others."""
    return _check_tables(engine, refresh_id, "staging")


def check_master(engine: Engine, refresh_id: int) -> list[CheckResult]:
    """Check persons, households and members; results replace those of the same refresh. Raises as the others."""
    return _check_tables(engine, refresh_id, "master")


def _check_tables(engine: Engine, refresh_id: int, suite: str) -> list[CheckResult]:
    with engine.connect() as connection:
        dates = {"as_of": _as_of(connection, refresh_id)}
    results = run_checks(
        engine,
        [
            TableToCheck(
                suite=suite,
                table_name=table_name,
                query=f"select * from {table_name}",
                rules=rules_from(entry["checks"], dates),
                expected_count_sql=with_dates(entry["expected"], dates),
                detail={"as_of": dates["as_of"].isoformat()},
            )
            for table_name, entry in load_suites().content[suite].items()
        ],
    )
    _store(engine, refresh_id, suite, results)
    return results


# A snapshot list's newest snapshot and everything of the other lists still counts; of two deliveries with the
# same snapshot date the later one replaces the earlier.
_DELIVERIES = text(
    """
    select
        delivery.delivery_id,
        delivery.list_code,
        delivery.snapshot_date,
        (delivery.received_at at time zone 'Asia/Shanghai')::date as received_on,
        delivery.accepted_count,
        contract.semantics <> 'snapshot'
        or row_number() over (
            partition by delivery.list_code
            order by delivery.snapshot_date desc, delivery.received_at desc, delivery.delivery_id desc
        ) = 1 as still_counts
    from ops.delivery as delivery
    inner join ops.contract as contract on contract.list_code = delivery.list_code
    where delivery.status = 'loaded' and delivery.snapshot_date <= :as_of
    order by delivery.delivery_id
    """
)

# Deliveries with a result of an earlier refresh, each with the version of the suite and its failed checks (or
# one row without a check). Where a check ran into trouble of its own, the delivery is checked again.
_SETTLED = text(
    """
    with results as (
        select
            (detail ->> 'delivery_id')::bigint as delivery_id,
            detail ->> 'suite_version' as suite_version,
            check_result.*
        from quality.check_result
        where suite = 'delivery' and refresh_id <> :refresh_id
    ),

    latest as (
        select distinct on (delivery_id) delivery_id, refresh_id, suite_version
        from results
        order by delivery_id, refresh_id desc
    )

    select
        latest.delivery_id,
        latest.suite_version,
        failed.table_name,
        failed.check_name,
        failed.title,
        failed.severity,
        failed.checked_count,
        failed.failed_count,
        failed.detail
    from latest
    left join results as failed
        on failed.refresh_id = latest.refresh_id
        and failed.delivery_id = latest.delivery_id
        and not failed.is_passed
    where not exists (
        select 1 from results as troubled
        where troubled.refresh_id = latest.refresh_id
        and troubled.delivery_id = latest.delivery_id
        and troubled.detail ? 'problem'
    )
    order by latest.delivery_id, failed.check_result_id
    """
)


def _suite_version(suites_sha256: str, columns: Sequence[Row[Any]], business_key: Sequence[str]) -> str:
    """Changes when the limits or the contract's columns change: then old results say nothing any more."""
    contract = json.dumps(
        [list(business_key), *(list(column) for column in columns)], ensure_ascii=False, default=str
    )
    return hashlib.sha256(f"{suites_sha256}|{contract}".encode()).hexdigest()[:16]


def _carried(row: Row[Any]) -> CheckResult:
    return CheckResult(
        "delivery",
        row.table_name,
        row.check_name,
        row.title,
        row.severity,
        False,
        row.checked_count,
        row.failed_count,
        {**row.detail, "is_carried_over": True},
    )


def _delivery_table(
    delivery: Row[Any],
    columns: Sequence[Row[Any]],
    business_key: Sequence[str],
    entries: Sequence[Mapping[str, Any]],
    suite_version: str,
) -> TableToCheck:
    dates = {"snapshot_date": delivery.snapshot_date, "received_on": delivery.received_on}
    rules: list[Rule] = []
    for entry, template in zip(entries, rules_from(entries, dates), strict=True):
        if template.kind == "row_count":
            rules.append(replace(template, row_count=delivery.accepted_count))
        elif entry.get("for") == "business_key":
            if business_key:
                rules.append(_key_rule(template, business_key, columns))
        elif "for" in entry:
            rules.extend(_column_rules(entry["for"], template, columns))
        else:
            rules.append(template)
    return TableToCheck(
        suite="delivery",
        table_name=f"raw.{delivery.list_code}",
        query=f"select * from raw.{quote(delivery.list_code)} where delivery_id = {int(delivery.delivery_id)}",
        rules=rules,
        expected_count_sql=(
            f"select accepted_count from ops.delivery where delivery_id = {int(delivery.delivery_id)}"
        ),
        detail={
            "delivery_id": delivery.delivery_id,
            "list_code": delivery.list_code,
            "suite_version": suite_version,
        },
    )


def _column_rules(applies_to: str, template: Rule, columns: Sequence[Row[Any]]) -> Iterator[Rule]:
    """The rule for every contract column it is meant for, named `<column>_<claim>`."""
    for column in columns:
        name = column.column_name
        presence = name + _PRESENCE_SUFFIX.get(column.semantic_type, "")
        rule = replace(
            template,
            check_name=f"{name}_{template.check_name}",
            title=f"{column.header}：{template.title}",
            columns=(presence,),
        )
        if applies_to == "required" and column.is_required:
            yield _presence_rule(rule, column.semantic_type)
        elif applies_to == "code" and column.semantic_type == "code" and column.allowed_codes:
            yield replace(rule, values=tuple(column.allowed_codes))
        elif applies_to == column.semantic_type == "codes" and column.allowed_codes:
            known = ", ".join(literal(code) for code in column.allowed_codes)
            yield replace(
                rule, sql=f"select 1 from {{batch}} as row where not row.{quote(name)} <@ array[{known}]"
            )
        elif applies_to == "range" and (column.minimum is not None or column.maximum is not None):
            yield replace(rule, least=column.minimum, most=column.maximum)
        elif applies_to == "past" and column.is_past_only and column.semantic_type == "date":
            yield rule
        elif applies_to == column.semantic_type == "address":
            yield replace(rule, columns=(f"{name}_status",))
        elif applies_to == column.semantic_type == "id_no" or (
            applies_to == name == "birth_date" and column.semantic_type == "date"
        ):
            yield rule


def _key_rule(template: Rule, business_key: Sequence[str], columns: Sequence[Row[Any]]) -> Rule:
    """Rows whose business key another row of the delivery has too; a key without any value says nothing."""
    types = {column.column_name: column.semantic_type for column in columns}
    parts = [quote(name + _EQUALITY_SUFFIX.get(types.get(name, ""), "")) for name in business_key]
    counted = (
        f"select count(*) over (partition by {', '.join(parts)}) as n, num_nonnulls({', '.join(parts)}) as filled "
        "from {batch} as row"
    )
    return replace(template, sql=f"select 1 from ({counted}) as keyed where keyed.n > 1 and keyed.filled > 0")


def _presence_rule(rule: Rule, semantic_type: str) -> Rule:
    """Ids and phones have a kind in every row; that it is `missing` is what an empty cell looks like."""
    if semantic_type == "id_no":
        return replace(rule, kind="in_set", values=_ID_KINDS)
    if semantic_type == "phone":
        return replace(rule, kind="in_set", values=_PHONE_KINDS)
    return rule


def _as_of(connection: Connection, refresh_id: int) -> date:
    as_of: date | None = connection.scalar(
        text("select as_of from ops.refresh where refresh_id = :refresh_id"), {"refresh_id": refresh_id}
    )
    if as_of is None:
        raise PermanentError(
            "读取刷新的业务日期",
            came=f"没有编号为 {refresh_id} 的刷新",
            expected="ops.refresh 中已有的刷新",
            next_step="先登记刷新，再运行检查",
        )
    return as_of


def _store(engine: Engine, refresh_id: int, suite: str, results: Sequence[CheckResult]) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("delete from quality.check_result where refresh_id = :refresh_id and suite = :suite"),
            {"refresh_id": refresh_id, "suite": suite},
        )
        if results:
            connection.execute(
                text(
                    """
                    insert into quality.check_result (
                        refresh_id, suite, table_name, check_name, title, severity, is_passed,
                        checked_count, failed_count, detail
                    ) values (
                        :refresh_id, :suite, :table_name, :check_name, :title, :severity, :is_passed,
                        :checked_count, :failed_count, cast(:detail as jsonb)
                    )
                    """
                ),
                [
                    {
                        "refresh_id": refresh_id,
                        "suite": result.suite,
                        "table_name": result.table_name,
                        "check_name": result.check_name,
                        "title": result.title,
                        "severity": result.severity,
                        "is_passed": result.is_passed,
                        "checked_count": result.checked_count,
                        "failed_count": result.failed_count,
                        "detail": json.dumps(dict(result.detail), ensure_ascii=False),
                    }
                    for result in results
                ],
            )
