"""How good each department's lists are, by month: the six dimensions of GB/T 36344-2018, counted by SQL.

Every score is a count of what was right over a count of what was looked at; where nothing was looked at there is no
ratio. Which rule speaks of which dimension is `ops.row_rule`, written by `ingest`; a rule a contract words itself is a
cross-check and counts as consistency. When lists are due is `ops.delivery_due`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Engine, text

from infra.warehouse import limit_lock_wait, persistent

DIMENSION_NAMES: Final = {
    "conformity": "规范性",
    "completeness": "完整性",
    "accuracy": "准确性",
    "consistency": "一致性",
    "timeliness": "时效性",
    "accessibility": "可访问性",
}
_HOW: Final = {
    "conformity": "当月来件的数据行 × 约定的栏 = 核对的格；减去格式、代码不合约定的格",
    "completeness": "当月来件的数据行 × 必填的栏 = 核对的格；减去空缺的格",
    "accuracy": "当月来件的数据行 × 可核验的栏（证件、电话、日期、数字）= 核对的格；减去校验不过、不可能的格",
    "consistency": "当月来件的数据行；减去与他栏、他行或他表矛盾以及重复的行",
    "timeliness": "当月应报的周期（各社区自行报送的清单，每个社区各算一个）；其中按时报送的",
    "accessibility": "当月收到的文件；其中一次就读得出数据的",
}


@dataclass(frozen=True)
class Score:
    """A row of `quality.supplier_scorecard`."""

    month: date
    department: str
    list_code: str
    dimension: str
    numerator: int
    denominator: int
    ratio: Decimal | None


@persistent("给报送单位计分")
def score_suppliers(engine: Engine, as_of: date) -> list[Score]:
    """Score the month of a business date and the month before, whose late lists may have come since.

    The rows of the two months are replaced in one transaction; the same facts give the same rows.

    Args:
        engine: The warehouse.
        as_of: Business date; the clock (`ops.delivery_due`) has to be set to it.

    Returns:
        The scores of the month of `as_of`, by list and dimension.
    """
    month = as_of.replace(day=1)
    before = (
        (month.replace(year=month.year - 1, month=12))
        if month.month == 1
        else month.replace(month=month.month - 1)
    )
    with engine.begin() as connection:
        limit_lock_wait(connection)
        for first in (before, month):
            connection.execute(
                text("delete from quality.supplier_scorecard where month = :month"), {"month": first}
            )
            connection.execute(_SCORE, {"month": first, "as_of": as_of, **_HOW})
        rows = connection.execute(
            text(
                "select month, department, list_code, dimension, numerator, denominator, ratio "
                "from quality.supplier_scorecard where month = :month order by list_code, dimension"
            ),
            {"month": month},
        )
        return [Score(**row) for row in rows.mappings()]


def totals(scores: Sequence[Score]) -> dict[str, float]:
    """The ratio of each dimension over all lists, in per cent; dimensions nothing was looked at for are left out."""
    figures = {}
    for dimension, name in DIMENSION_NAMES.items():
        of_dimension = [score for score in scores if score.dimension == dimension]
        looked_at = sum(score.denominator for score in of_dimension)
        if looked_at:
            figures[f"{name}（%）"] = round(100 * sum(s.numerator for s in of_dimension) / looked_at, 2)
    return figures


_SCORE: Final = text("""
    with delivery as (
        select delivery.*
        from ops.delivery as delivery
        inner join ops.contract as contract
            on contract.list_code = delivery.list_code and contract.department = delivery.department
        inner join ops.delivery_arrival as arrival on arrival.delivery_id = delivery.delivery_id
        where
            arrival.arrived_on >= :month
            and arrival.arrived_on < cast(:month as date) + interval '1 month'
            and arrival.arrived_on <= :as_of
    ),
    note as (
        select delivery_id, sheet_name, row_number, rule, column_name from ops.quarantined_row
        union all
        select delivery_id, sheet_name, row_number, rule, column_name from ops.row_warning
    ),
    -- A whole delivery refused by a person, and total rows, are no fault of a row.
    fault as (
        select
            delivery.list_code, note.delivery_id, note.sheet_name, note.row_number,
            coalesce(note.column_name, '') as column_name,
            case when rule.rule is null then 'consistency' else rule.dimension end as dimension
        from delivery
        inner join note on note.delivery_id = delivery.delivery_id
        left join ops.row_rule as rule on rule.rule = note.rule
    ),
    faulty_cell as (
        select list_code, dimension, count(*) as fault_count
        from (select distinct * from fault where dimension in ('conformity', 'completeness', 'accuracy')) as cell
        group by list_code, dimension
    ),
    faulty_row as (
        select list_code, count(*) as fault_count
        from (
            select distinct list_code, delivery_id, sheet_name, row_number from fault
            where dimension = 'consistency'
        ) as line
        group by list_code
    ),
    file as (
        select
            list_code,
            count(*) as file_count,
            count(*) filter (where status in ('loaded', 'duplicate') or row_count > 0) as readable_count,
            -- The same bytes again are not counted again.
            coalesce(sum(row_count), 0) as row_count
        from delivery
        group by list_code
    ),
    footer as (
        select delivery.list_code, count(*) as row_count
        from delivery
        inner join ops.quarantined_row as aside on aside.delivery_id = delivery.delivery_id
        where aside.rule = 'total_row'
        group by delivery.list_code
    ),
    width as (
        select
            list_code,
            count(*) as column_count,
            count(*) filter (where is_required) as required_count,
            count(*) filter (
                where semantic_type in ('id_no', 'disability_certificate', 'phone', 'date', 'datetime', 'integer')
            ) as verifiable_count
        from ops.contract_column
        group by list_code
    ),
    due as (
        select
            due.list_code,
            count(*) filter (where coalesce(community.status, due.status) = 'on_time') as on_time_count,
            count(*) filter (where coalesce(community.status, due.status) <> 'pending') as due_count
        from ops.delivery_due as due
        -- A list that communities deliver each for itself is due once from each.
        left join ops.delivery_due_community as community
            on community.list_code = due.list_code and community.period_start = due.period_start
        where due.due_date >= :month and due.due_date < cast(:month as date) + interval '1 month'
        group by due.list_code
    ),
    looked_at as (
        select
            contract.department, contract.list_code, file.file_count, file.readable_count,
            coalesce(file.row_count, 0) - coalesce(footer.row_count, 0) as row_count,
            width.column_count, width.required_count, width.verifiable_count,
            due.on_time_count, due.due_count
        from ops.contract as contract
        inner join width on width.list_code = contract.list_code
        left join file on file.list_code = contract.list_code
        left join footer on footer.list_code = contract.list_code
        left join due on due.list_code = contract.list_code
        where file.list_code is not null or due.list_code is not null
    ),
    cell as (
        select
            looked_at.department, looked_at.list_code, kind.dimension, kind.how,
            looked_at.row_count * kind.column_count as denominator
        from looked_at
        cross join lateral (
            values
                ('conformity', looked_at.column_count, :conformity),
                ('completeness', looked_at.required_count, :completeness),
                ('accuracy', looked_at.verifiable_count, :accuracy)
        ) as kind (dimension, column_count, how)
    ),
    score as (
        select
            cell.department, cell.list_code, cell.dimension,
            greatest(0, cell.denominator - coalesce(faulty_cell.fault_count, 0)) as numerator,
            cell.denominator, cell.how
        from cell
        left join faulty_cell
            on faulty_cell.list_code = cell.list_code and faulty_cell.dimension = cell.dimension
        union all
        select
            looked_at.department, looked_at.list_code, 'consistency',
            greatest(0, looked_at.row_count - coalesce(faulty_row.fault_count, 0)),
            looked_at.row_count, :consistency
        from looked_at
        left join faulty_row on faulty_row.list_code = looked_at.list_code
        union all
        select department, list_code, 'timeliness', coalesce(on_time_count, 0), coalesce(due_count, 0), :timeliness
        from looked_at
        union all
        select
            department, list_code, 'accessibility',
            coalesce(readable_count, 0), coalesce(file_count, 0), :accessibility
        from looked_at
    )
    insert into quality.supplier_scorecard (month, department, list_code, dimension, numerator, denominator, how)
    select :month, department, list_code, dimension, numerator, denominator, how from score
""")
