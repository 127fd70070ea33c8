"""When a delivery, or one community of it, waits for a person: the guards of its contract, against what stands.

A guard tells that the data may be wrong, not the layout. Nothing is thrown away: the rows of a held delivery are
stored, and staging does not read them. Pure judgement: what stands is read in ``partitions``, and what a person
decides is in ``holds``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Final

from sqlalchemy import Connection, text

from ingest.contract import Column, Contract
from ingest.normalise.texts import fold
from ingest.partitions import Partition, newer_communities, newest_snapshot_date, standing_partitions

# A column of which more than half is of another kind is not badly typed but another column (reliability.md B55) …
_UNFIT_RATIO: Final = 0.5
# … and fewer wrong cells than these are still typing errors.
_UNFIT_CELLS: Final = 3
# A header of which so much stands in the name of a missing column, in order, is asked about.
_ALIKE: Final = 0.4
# With what a sentence begins that asks for something; what is the case stands before it.
_REQUEST: Final = re.compile(r"。(?:请|若|漏报的|没有人因此).*", re.DOTALL)
# What is said about a cell that does not even look like a value of its column.
_UNFIT_RULES: Final = (
    "id_wrong_length", "id_no_number", "phone_invalid", "certificate_malformed", "date_unreadable", "integer_unreadable",
    "amount_unreadable",
)  # fmt: skip
# Rows of one household are one.
_HOUSEHOLD: Final = "coalesce(rows.block_no::text, rows.record_id)"


@dataclass(frozen=True)
class DeliveryCounts:
    """What the guards need to know of a delivery's rows; the rows themselves may still stream past.

    Attributes:
        accepted: Rows that can be used.
        quarantined: Rows that cannot, footers included.
        footers: Totals and footers among them: no sign of bad data.
        communities: Accepted rows by community; None for rows that name none. Empty when the list has no such column.
    """

    accepted: int
    quarantined: int
    footers: int
    communities: Mapping[str | None, int]


@dataclass(frozen=True)
class Hold:
    """Why a delivery is held: machine name and Chinese sentence with figures, never a value of a row."""

    code: str
    reason: str


@dataclass(frozen=True)
class DoubtfulPartition:
    """A community that a delivery may not speak for.

    Attributes:
        last: The rows that stay current until somebody decides.
        row_count: Rows of the community in this delivery.
        is_sibling: Another file of the same snapshot date brought the community; there is nothing to ask.
    """

    last: Partition
    row_count: int
    is_sibling: bool


def facts_of(reason: str | None) -> str:
    """What is the case, of a reason that also asks for something: for when somebody has answered."""
    return _REQUEST.sub("。", reason or "")


def hold_reason(
    connection: Connection,
    contract: Contract,
    counts: DeliveryCounts,
    snapshot_date: date,
    missing: list[str],
    unknown_headers: Sequence[str] = (),
) -> Hold | None:
    """The first guard that the delivery trips as a whole, or None; `unknown_headers` are those that mean no column.

    Communities that are missing or far too small hold only themselves (:func:`doubtful_partitions`); the volume is
    then that of the others.
    """
    if missing:
        columns = [column for column in contract.columns if column.name in missing]
        headers = "、".join(f"“{column.header}”{_asked(column, unknown_headers)}" for column in columns)
        return Hold(
            "required_column_missing",
            f"缺少必需的栏：{headers}。请补上该栏后重新报送；若表头改了名字，请联系数据人员登记新的叫法，再重新放入同一文件。",
        )
    bad = _too_many_quarantined(contract, counts) or _older_snapshot(
        connection, contract, counts, snapshot_date
    )
    if bad or not contract.is_snapshot:
        return bad
    standing = standing_partitions(connection, contract, snapshot_date)
    return _no_community(contract, standing, counts) or _count_far_off(
        contract, standing, counts, snapshot_date
    )


def _asked(column: Column, unknown_headers: Sequence[str]) -> str:
    """The unknown header that looks most like a missing column, as a question; nothing where none does."""
    names = {fold(name) for name in (column.header, *column.aliases)}
    likeness = {
        header: max(SequenceMatcher(None, name, fold(header)).ratio() for name in names)
        for header in unknown_headers
    }
    best = max(likeness, key=lambda header: likeness[header], default=None)
    return f"（是否就是“{best}”？）" if best is not None and likeness[best] >= _ALIKE else ""


def columns_look_swapped(connection: Connection, contract: Contract, delivery_id: int) -> Hold | None:
    """A stored delivery whose columns mostly hold something else than they should: phones under the id (B55).

    Row by row these are typing errors, with which a person is not dropped; all together they say that cells stand in the
    wrong column, where nothing can be believed. Only kinds of values that have a shape are looked at: a code list that
    nobody knows is another matter.
    """
    counted = connection.execute(
        text(
            f"select column_name, count(*) as failed, count(distinct {_HOUSEHOLD}) as of_households "
            f"from ops.row_warning inner join raw.{contract.list_code} as rows using (record_id) "
            "where row_warning.delivery_id = :id and rule = any(:rules) group by 1 having count(*) >= :least"
        ),
        {"id": delivery_id, "rules": list(_UNFIT_RULES), "least": _UNFIT_CELLS},
    ).all()
    told = []
    for column in contract.columns:
        found = next((row for row in counted if row.column_name == column.name), None)
        if found is None:
            continue
        # A household's value stands in each of its rows and is told once.
        failed: int = found.of_households if column.is_household else found.failed
        counts = f"count(distinct {_HOUSEHOLD})" if column.is_household else "count(*)"
        # The names come from contracts of ours, whose names are identifiers.
        has_kind = column.semantic_type in ("id_no", "phone", "disability_certificate")
        value = f"{column.name}_encrypted" if column.is_encrypted else column.name
        is_filled = f"{column.name}_kind <> 'missing'" if has_kind else f"{value} is not null"
        filled: int = connection.execute(
            text(
                f"select {counts} from raw.{contract.list_code} as rows where delivery_id = :id and {is_filled}"
            ),
            {"id": delivery_id},
        ).scalar_one()
        if not has_kind:
            filled += failed  # a faulty value is null
        if failed > filled * _UNFIT_RATIO:
            told.append(f"“{column.header}”{filled} 格中有 {failed} 格")
    if not told:
        return None
    return Hold(
        "columns_look_swapped",
        f"{'，'.join(told)}不是该栏应有的内容，可能几栏放错了位置。请核对表头和各栏内容，改正后重新报送；"
        "确认无误的，由数据人员放行。",
    )


def doubtful_partitions(
    contract: Contract,
    standing: Mapping[str | None, Partition],
    communities: Mapping[str | None, int],
    snapshot_date: date,
) -> list[DoubtfulPartition]:
    """Communities that a snapshot does not speak for until a person says so, sorted by name.

    Missing: had at least ``missingCommunityMinimum`` rows, and a list of the whole street has none (a list by community
    says nothing about those it does not name). Fallen: fewer rows by the limits of the volume guard, which would not see
    one community's loss in the total of many. Only falls: a community that grows loses nobody, and the total is guarded.
    """
    guards = contract.guards
    if not (guards.holds_missing_community or contract.is_partial):
        return []
    named = {name for name, count in communities.items() if count and name is not None}
    doubtful = []
    for name, last in standing.items():
        if name is None:
            continue
        now = communities.get(name, 0)
        fall = last.row_count - now
        if now:
            is_doubtful = (
                fall >= guards.count_change_minimum and fall > last.row_count * guards.count_change_ratio
            )
        else:
            is_doubtful = not contract.is_partial and last.row_count >= guards.missing_community_minimum
        if not is_doubtful:
            continue
        # Files of one day that share no community are parts of one snapshot; one that brings a community again is a correction.
        of_last = {other for other, part in standing.items() if part.delivery_id == last.delivery_id}
        is_sibling = not now and last.snapshot_date == snapshot_date and not of_last & named
        doubtful.append(DoubtfulPartition(last, now, is_sibling))
    return sorted(doubtful, key=lambda partition: partition.last.community_name or "")


def _too_many_quarantined(contract: Contract, counts: DeliveryCounts) -> Hold | None:
    bad = counts.quarantined - counts.footers
    total = counts.accepted + bad
    guards = contract.guards
    if not total or bad / total <= guards.quarantined_ratio:
        return None
    if counts.accepted and bad < guards.quarantined_minimum:
        return None
    return Hold(
        "too_many_quarantined",
        f"{total} 行数据中有 {bad} 行不能使用（{bad / total:.1%}，上限 {guards.quarantined_ratio:.0%}）。"
        "请按回执改正后重新报送，或由数据人员确认放行。",
    )


def _older_snapshot(
    connection: Connection, contract: Contract, counts: DeliveryCounts, snapshot_date: date
) -> Hold | None:
    if not contract.guards.holds_older_snapshot:
        return None
    if contract.is_partial:
        named = sorted(name for name, count in counts.communities.items() if count and name is not None)
        newer = newer_communities(connection, contract, snapshot_date, named)
        about, newest = f"{'、'.join(newer)}的", max(newer.values(), default=None)
    else:
        about, newest = "", newest_snapshot_date(connection, contract)
    if newest is None or snapshot_date >= newest:
        return None
    return Hold(
        "older_snapshot",
        f"清单日期 {snapshot_date} 早于{about}已接收的 {newest}。若确要补报旧清单，请由数据人员确认放行。",
    )


def _no_community(
    contract: Contract, standing: Mapping[str | None, Partition], counts: DeliveryCounts
) -> Hold | None:
    """Rows that name no community, where it is by community that one tells what they replace."""
    has_named = any(count for name, count in counts.communities.items() if name is not None)
    is_expected = contract.is_partial or (
        contract.guards.holds_missing_community and any(name is not None for name in standing)
    )
    if has_named or not is_expected or contract.column("community_name") is None:
        return None
    return Hold(
        "community_unknown",
        "没有一行写明社区，分不清报的是哪些社区。请补填社区后重新报送；确认是全部社区的，由数据人员放行。",
    )


def _count_far_off(
    contract: Contract,
    standing: Mapping[str | None, Partition],
    counts: DeliveryCounts,
    snapshot_date: date,
) -> Hold | None:
    """The volume against what stood, like with like: communities that are held by themselves are left out of both."""
    doubtful = doubtful_partitions(contract, standing, counts.communities, snapshot_date)
    left_out = {partition.last.community_name for partition in doubtful}
    now_by_community: Mapping[str | None, int] = counts.communities or {None: counts.accepted}
    before_by_community = {
        name: part.row_count
        for name, part in standing.items()
        if not contract.is_partial or now_by_community.get(name)
    }
    if contract.is_partial:
        # A community that reports for the first time has nothing to be compared with.
        left_out |= {name for name in now_by_community if name not in before_by_community}
    before = sum(count for name, count in before_by_community.items() if name not in left_out)
    now = sum(count for name, count in now_by_community.items() if name not in left_out)
    asked = [partition for partition in doubtful if not partition.is_sibling]
    if asked and not before:
        # Nothing of what stood is left to compare: that is no community's matter any more.
        before, now = sum(p.last.row_count for p in asked), counts.accepted
        return Hold(
            "count_far_off",
            f"上次有数据的社区（{'、'.join(str(p.last.community_name) for p in asked)}）这次都没有或少了很多："
            f"本次 {now} 行，上次 {before} 行。请核对是否漏报、社区名称是否改了写法；确认无误后由数据人员放行。",
        )
    change = abs(now - before)
    guards = contract.guards
    if not standing or change < guards.count_change_minimum or change <= before * guards.count_change_ratio:
        return None
    if not before:
        return None
    word = "多" if now > before else "少"
    without = f"（{'、'.join(sorted(filter(None, left_out)))}除外）" if left_out else ""
    return Hold(
        "count_far_off",
        f"本次 {now} 行，上次 {before} 行{without}，{word}了 {change} 行（上限 {guards.count_change_ratio:.0%}）。"
        "请核对清单是否完整、是否重复；确认无误后由数据人员放行。",
    )
