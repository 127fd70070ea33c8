"""What a delivery changed against what it replaces: rows added, removed, changed by column, unchanged; counts only.

Rows are matched by the business key of the contract, through tokens and match keys, in SQL and in the transaction that
loads them. A row whose key itself was mended (a wrong id, a name) is found again by the rest of its key, where that is
unambiguous on both sides and what else says who it is agrees. Columns that exist only as ciphertext are not compared: equal
values have unequal ciphertexts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from ingest.contract import Column, Contract
from ingest.partitions import Partition

# How a column is compared, and how it is matched as part of the key, where its own raw column does not do.
_COMPARED: Final = {
    "id_no": "coalesce({0}_token, {0}_masked)",
    "phone": "coalesce({0}_token, {0}_masked)",
    "disability_certificate": "coalesce({0}_token, {0}_masked)",
    "codes": "array_to_string({0}, ',')",
}
# What says who a row is about, and how much it says when it agrees; a namesake elsewhere is somebody else.
_IDENTIFYING: Final = {
    "id_no": 2,
    "disability_certificate": 2,
    "person_name": 1,
    "phone": 1,
    "address": 1,
    "date": 1,
}
_ENOUGH: Final = 2
_MATCHED: Final = {"person_name": "{0}_key", "address": "coalesce({0}_key, {0})"}


def record_changes(
    connection: Connection, contract: Contract, delivery: Row[Any], replaced: Mapping[str | None, Partition]
) -> None:
    """Count what a loaded delivery changed, into ``ops.delivery_change``; nothing where it replaces nothing.

    Args:
        connection: Of the transaction that loads the delivery; its rows are in raw.
        contract: Its list.
        delivery: Its ledger row.
        replaced: For a snapshot, the partitions that stood before it and that it speaks for. An upsert or append list
            is compared with the newest earlier row of each business key, and removes nothing.
    """
    key = [
        column
        for name in contract.business_key
        if (column := contract.column(name)) and _is_comparable(column)
    ]
    compared = [column for column in contract.columns if _is_comparable(column)]
    if not key or (contract.is_snapshot and not replaced):
        return
    if not contract.is_snapshot and not _has_earlier(connection, delivery):
        return
    old = _standing_rows(contract) if contract.is_snapshot else _earlier_rows(contract, key)
    counted = (
        connection.execute(
            text(_comparison(contract, key, compared, old)),
            {
                "id": delivery.delivery_id,
                "list_code": contract.list_code,
                "snapshot_date": delivery.snapshot_date,
                "received_at": delivery.received_at,
                "ids": sorted({part.delivery_id for part in replaced.values()}),
                "places": [f"{part.delivery_id}|{name or ''}" for name, part in replaced.items()],
            },
        )
        .mappings()
        .one()
    )
    if contract.is_snapshot:
        replaces = max(replaced.values(), key=lambda part: (part.snapshot_date, part.delivery_id)).delivery_id
    else:
        replaces = counted["replaces"]
    if replaces is None:
        return
    totals = {"added": counted["added"], "changed": counted["changed"], "unchanged": counted["unchanged"]}
    if contract.is_snapshot:
        totals["removed"] = counted["removed"]
    connection.execute(
        text(
            "insert into ops.delivery_change (delivery_id, replaces_delivery_id, kind, column_name, row_count) "
            "values (:id, :replaces, :kind, :column_name, :row_count)"
        ),
        [
            {
                "id": delivery.delivery_id,
                "replaces": replaces,
                "kind": kind,
                "column_name": name,
                "row_count": count,
            }
            for kind, name, count in (
                *((kind, "", count) for kind, count in totals.items()),
                *(
                    ("changed", column.name, counted[f"c{place}"])
                    for place, column in enumerate(compared)
                    if counted[f"c{place}"]
                ),
            )
        ],
    )


def _has_earlier(connection: Connection, delivery: Row[Any]) -> bool:
    """Whether a loaded delivery of the list came before this one."""
    return bool(
        connection.scalar(
            text(
                "select exists (select from ops.delivery where list_code = :list_code and status = 'loaded' "
                "and (snapshot_date, received_at, delivery_id) < (:snapshot_date, :received_at, :id))"
            ),
            {
                "list_code": delivery.list_code,
                "snapshot_date": delivery.snapshot_date,
                "received_at": delivery.received_at,
                "id": delivery.delivery_id,
            },
        )
    )


def _is_comparable(column: Column) -> bool:
    has_clear_facts = not column.is_encrypted or column.semantic_type in _COMPARED
    return has_clear_facts and not column.is_row_counter


def _standing_rows(contract: Contract) -> str:
    """Condition on raw: the rows that the replaced partitions had."""
    if contract.column("community_name") is None:
        return "delivery_id = any(:ids)"
    of_file = " or community_name is null" if contract.is_partial else ""
    return (
        "delivery_id = any(:ids) "
        f"and (delivery_id || '|' || coalesce(community_name, '') = any(:places){of_file})"
    )


def _earlier_rows(contract: Contract, key: Sequence[Column]) -> str:
    """Condition on raw: the newest row of each business key before this delivery."""
    keys = ", ".join(_expression(column, _MATCHED) for column in key)
    return (
        f"record_id in (select distinct on ({keys}) rows.record_id from raw.{contract.list_code} as rows "
        "inner join ops.delivery as delivery using (delivery_id) where delivery.status = 'loaded' "
        f"and num_nonnulls({keys}) > 0 "
        "and (delivery.snapshot_date, delivery.received_at, delivery.delivery_id) < (:snapshot_date, :received_at, :id) "
        f"order by {keys}, delivery.snapshot_date desc, delivery.received_at desc, delivery.delivery_id desc, "
        "rows.row_number desc)"
    )


def _comparison(contract: Contract, key: Sequence[Column], compared: Sequence[Column], old: str) -> str:
    """One statement: both sides, matched pass by pass, counted."""
    keys = [f"k{place}" for place in range(len(key))]
    values = [f"v{place}" for place in range(len(compared))]
    whole = f"cast(row({', '.join(values)}) as text)"
    shown = [
        *(f"coalesce(cast({_expression(column, _MATCHED)} as text), '') as {k}" for column, k in zip(key, keys, strict=True)),
        *(f"cast({_expression(column, {})} as text) as {v}" for column, v in zip(compared, values, strict=True)),
    ]  # fmt: skip
    parts = []
    for side, condition in (("fresh", "delivery_id = :id"), ("old", old)):
        parts.append(
            f"{side}_rows as (select record_id, delivery_id, {', '.join(shown)} from raw.{contract.list_code} "
            f"where {condition})"
        )
        # A row without a key is itself or another one; rows of one key are matched in the order of what they say.
        parts.append(
            f"{side} as materialized (select *, row_number() over (partition by {', '.join(keys)}, spare "
            f"order by {whole}, record_id) as nth from (select *, case when {' || '.join(keys)} = '' "
            f"then md5({whole}) else '' end as spare from {side}_rows) as spared)"
        )
    on_key = " and ".join(f"fresh.{k} = old.{k}" for k in [*keys, "spare", "nth"])
    parts.append(
        "matched_0 as materialized (select fresh.record_id as fresh_id, old.record_id as old_id "
        f"from fresh inner join old on {on_key})"
    )
    matched = "select * from matched_0"
    for number, dropped in enumerate(keys if len(keys) > 1 else [], start=1):
        rest = [k for k in keys if k != dropped]
        for side in ("fresh", "old"):
            parts.append(
                f"{side}_{number} as (select min(record_id) as record_id from {side} "
                f"where {' || '.join(rest)} <> '' and record_id not in (select {side}_id from ({matched}) as known) "
                f"group by {', '.join(rest)} having count(*) = 1)"
            )
        parts.append(
            f"matched_{number} as materialized (select fresh.record_id as fresh_id, old.record_id as old_id "
            f"from fresh inner join fresh_{number} using (record_id) "
            f"inner join old on {' and '.join(f'fresh.{k} = old.{k}' for k in rest)} "
            f"inner join old_{number} on old.record_id = old_{number}.record_id "
            f"where {_agreement(compared, key[number - 1])} >= {_ENOUGH})"
        )
        matched += f" union all select * from matched_{number}"
    differs = " or ".join(f"fresh.{v} is distinct from old.{v}" for v in values)
    by_column = ", ".join(
        f"count(*) filter (where fresh.{v} is distinct from old.{v}) as c{place}"
        for place, v in enumerate(values)
    )
    return (
        f"with {', '.join(parts)} select (select count(*) from fresh) - count(*) as added, "
        f"(select count(*) from old) - count(*) as removed, count(*) filter (where {differs}) as changed, "
        f"count(*) filter (where not ({differs})) as unchanged, max(old.delivery_id) as replaces, {by_column} "
        f"from ({matched}) as matched inner join fresh on fresh.record_id = matched.fresh_id "
        "inner join old on old.record_id = matched.old_id"
    )


def _agreement(compared: Sequence[Column], dropped: Column) -> str:
    """How far two rows say the same of who they are about, the dropped part of the key apart."""
    points = [
        f"case when fresh.v{place} = old.v{place} then {_IDENTIFYING[column.semantic_type]} "
        f"when fresh.v{place} <> old.v{place} then -1 else 0 end"
        for place, column in enumerate(compared)
        if column.semantic_type in _IDENTIFYING
        and column is not dropped
        and (column.semantic_type != "date" or column.name == "birth_date")
    ]
    return " + ".join(points) or "0"


def _expression(column: Column, others: Mapping[str, str]) -> str:
    pattern = others.get(column.semantic_type) or _COMPARED.get(column.semantic_type, "{0}")
    return pattern.format(column.name)
