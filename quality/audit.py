"""The month's audit: households drawn from the register, stored before anybody sees them, written as sheets.

The sample's size and the draw itself are `quality.sampling`; how sheets look is `quality.worksheets`; what
comes back is read by ingest (contract `audit_return`) and judged in `quality.verdict`.

One `audit_no` is one person of a drawn household (`HC202607-0012-2`: month, household, person; person 0 is
the household itself), so that `audit_no` and `field_code` alone say which item a returned line is about, also
when somebody deleted other columns. A household's own fields, its head's and those of at most
`other_members_limit` more members are audited; these stand for all other members by `member_factor`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from infra.errors import PermanentError
from quality.sampling import AuditPlan, SampleNeed, draw_seed, load_plan, plan_sample, stratum_name, take
from quality.targets import target_value
from quality.worksheets import SheetLine, write_work_sheets

# One draw at a time; any number that nobody else uses.
_DRAW_LOCK: Final = 0x79696875_0003

# What of master is shown as the registered value of a field; protected values only as their masks.
_PERSON_COLUMNS: Final = {
    "person_name": "person.person_name",
    "id_no": "person.id_no_masked",
    "birth_date": "person.birth_date::text",
    "sex_code": "person.sex_name",
    "phone": "person.phone_masked",
    "relation_code": "person.relation_name",
    "is_disabled": "case when person.is_disabled then '是' else '否' end",
    "is_low_income": "case when person.is_low_income then '是' else '否' end",
    "disability_category_code": "person.disability_category_code",
    "disability_level_code": "person.disability_level_code",
    "has_family_doctor": "case when person.has_family_doctor then '是' else '否' end",
}
_HOUSEHOLD_COLUMNS: Final = {
    "address": "household.address",
    "community_name": "household.community_name",
    "grid_name": "household.grid_name",
    "head_name": "household.head_name",
    "member_count": "household.member_count::text",
    "member_list": "members.member_list",
    "is_low_income": "case when household.is_low_income then '是' else '否' end",
}


@dataclass(frozen=True)
class AuditDraw:
    """A month's draw: counts are households; `sheets` the work sheets written, one a community."""

    draw_id: int
    audit_month: date
    as_of: date
    seed: int
    frame_count: int
    sample_count: int
    item_count: int
    sheets: tuple[Path, ...]
    is_new: bool


@dataclass(frozen=True)
class _Item:
    """One line of a work sheet before it is stored."""

    audit_no: str
    household_id: str
    person_id: str | None
    member_factor: float
    person_name: str | None
    field: Row[Any]
    registered_value: str | None


def draw_audit(engine: Engine, month: date, as_of: date, folder: Path, target_code: str = "M01") -> AuditDraw:
    """Draw the audit of a month, store it, and write its work sheets; drawn again it is the stored one.

    The sample has at least the share of the month's successful visits that target M11 asks for and the size
    that showing `target_code` needs (`quality.sampling`).

    Args:
        month: Any day of the audited month.
        as_of: The business date the register was built for.
        folder: Where the work sheets go.

    Raises:
        PermanentError: The register is empty, or an audited field or a target is unknown.
    """
    month = month.replace(day=1)
    plan = load_plan()
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _DRAW_LOCK})
        draw_id = connection.scalar(
            text("select draw_id from quality.audit_draw where audit_month = :month"), {"month": month}
        )
        is_new = draw_id is None
        if draw_id is None:
            draw_id = _draw(connection, month, as_of, target_code, plan)
        draw = connection.execute(
            text("select * from quality.audit_draw where draw_id = :draw_id"), {"draw_id": draw_id}
        ).one()
        lines = connection.execute(_LINES, {"draw_id": draw_id}).all()
    sheets = write_work_sheets(folder, month, [SheetLine(**line._mapping) for line in lines])
    return AuditDraw(
        draw_id=draw.draw_id,
        audit_month=draw.audit_month,
        as_of=draw.as_of,
        seed=draw.seed,
        frame_count=draw.frame_count,
        sample_count=draw.sample_count,
        item_count=len(lines),
        sheets=tuple(sheets),
        is_new=is_new,
    )


_LINES = text(
    """
    select
        audit_no, household_id, person_id, coalesce(community_name, '社区不详') as community_name, address,
        person_name, field_name, registered_value
    from quality.audit_item
    where draw_id = :draw_id
    order by line_number
    """
)

_FRAME = text(
    """
    select household_id, community_name, is_low_income or has_disabled_member as is_key
    from master.household
    where valid_to is null and member_count > 0
    order by household_id
    """
)


def _draw(connection: Connection, month: date, as_of: date, target_code: str, plan: AuditPlan) -> int:
    frame = connection.execute(_FRAME).all()
    if not frame:
        raise PermanentError(
            f"抽取 {month:%Y-%m} 的抽查样本",
            came="主档中没有在册居住家庭",
            expected="已建成的 master.household",
            next_step="先运行刷新建立主档，再抽样",
        )
    fields = _audit_fields(connection, as_of)
    by_stratum: dict[str, list[str]] = {}
    for row in frame:
        by_stratum.setdefault(stratum_name(row.community_name, row.is_key), []).append(row.household_id)
    visit_count = _successful_visits(connection, month)
    sizes = plan_sample(
        {stratum: len(ids) for stratum, ids in by_stratum.items()},
        SampleNeed(
            audit_ratio=float(target_value(connection, "M11", as_of)),
            visit_count=visit_count,
            target=float(target_value(connection, target_code, as_of)),
            alpha=float(1 - target_value(connection, "AUDIT_CONFIDENCE", as_of)),
            assumed_accuracy=_assumed_accuracy(plan, target_code),
            fields_per_household=_fields_per_household(connection, fields, plan),
        ),
        plan,
    )
    seed = draw_seed(month, as_of, (row.household_id for row in frame))
    drawn = {
        household_id: stratum
        for stratum, ids in sorted(by_stratum.items())
        for household_id in take(seed, ids, sizes[stratum])
    }
    draw_id = int(
        connection.execute(
            text(
                """
                insert into quality.audit_draw
                    (audit_month, as_of, target_code, seed, frame_count, sample_count, visit_count)
                values (:month, :as_of, :target_code, :seed, :frame_count, :sample_count, :visit_count)
                returning draw_id
                """
            ),
            {
                "month": month,
                "as_of": as_of,
                "target_code": target_code,
                "seed": seed,
                "frame_count": len(frame),
                "sample_count": len(drawn),
                "visit_count": visit_count,
            },
        ).scalar_one()
    )
    connection.execute(
        text(
            "insert into quality.audit_stratum (draw_id, stratum, frame_count, sample_count)"
            " values (:draw_id, :stratum, :frame_count, :sample_count)"
        ),
        [
            {
                "draw_id": draw_id,
                "stratum": stratum,
                "frame_count": len(ids),
                "sample_count": sizes[stratum],
            }
            for stratum, ids in sorted(by_stratum.items())
        ],
    )
    items = _items(connection, month, seed, list(drawn), fields, plan)
    _store_items(connection, draw_id, items, drawn, {s: len(ids) / sizes[s] for s, ids in by_stratum.items()})
    return draw_id


def _audit_fields(connection: Connection, as_of: date) -> Sequence[Row[Any]]:
    """The fields of `reference.audit_field` in force, household fields first."""
    fields = connection.execute(
        text(
            """
            select distinct on (field_code) field_code, field_name, subject, is_critical
            from reference.audit_field
            where valid_from <= :as_of
            order by field_code, valid_from desc
            """
        ),
        {"as_of": as_of},
    ).all()
    unknown = [
        field.field_code
        for field in fields
        if field.field_code not in (_PERSON_COLUMNS if field.subject == "person" else _HOUSEHOLD_COLUMNS)
    ]
    if unknown or not fields:
        raise PermanentError(
            "读取抽查字段",
            came=f"不认识的字段：{'、'.join(unknown)}" if unknown else "没有抽查字段",
            expected="reference.audit_field 中的字段都是主档中有的字段",
            next_step="更正种子 audit_field，或在 quality/audit.py 中说明该字段取自主档哪一列",
        )
    return sorted(fields, key=lambda field: (field.subject != "household", field.field_code))


def _assumed_accuracy(plan: AuditPlan, target_code: str) -> float:
    if target_code not in plan.assumed_accuracy:
        raise PermanentError(
            "计算抽查样本量",
            came=f"目标 {target_code} 没有假定的真实准确率",
            expected="、".join(plan.assumed_accuracy),
            next_step="在 quality/audit.yaml 的 assumed_accuracy 中补上",
        )
    return plan.assumed_accuracy[target_code]


def _fields_per_household(connection: Connection, fields: Sequence[Row[Any]], plan: AuditPlan) -> float:
    members = connection.scalar(
        text(
            "select avg(least(member_count, :most)) from master.household"
            " where valid_to is null and member_count > 0"
        ),
        {"most": 1 + plan.other_members_limit},
    )
    of_persons = sum(field.subject == "person" for field in fields)
    return len(fields) - of_persons + of_persons * float(members or 1)


def _successful_visits(connection: Connection, month: date) -> int:
    return int(
        connection.scalar(
            text(
                """
                select count(*) from master.visit
                where is_success
                and date_trunc('month', visited_at at time zone 'Asia/Shanghai') = cast(:month as timestamp)
                """
            ),
            {"month": month},
        )
        or 0
    )


def _registered_values(columns: Mapping[str, str], fields: Sequence[Row[Any]], subject: str) -> str:
    pairs = ", ".join(
        f"'{field.field_code}', {columns[field.field_code]}" for field in fields if field.subject == subject
    )
    return f"jsonb_build_object({pairs})"


def _items(
    connection: Connection,
    month: date,
    seed: int,
    household_ids: Sequence[str],
    fields: Sequence[Row[Any]],
    plan: AuditPlan,
) -> list[_Item]:
    """The lines of all drawn households, in the order of community and address."""
    households = connection.execute(
        text(
            f"""
            select
                household.household_id, household.head_name,
                {_registered_values(_HOUSEHOLD_COLUMNS, fields, "household")} as registered_values
            from master.household as household
            left join (
                select
                    household_id,
                    string_agg(person_name, '、' order by is_head desc, birth_date, person_id) as member_list
                from master.person
                group by household_id
            ) as members on members.household_id = household.household_id
            where household.household_id = any(:household_ids)
            order by household.community_name, household.address, household.household_id
            """
        ),
        {"household_ids": list(household_ids)},
    ).all()
    persons = connection.execute(
        text(
            f"""
            select
                person.household_id, person.person_id, person.person_name, person.is_head,
                {_registered_values(_PERSON_COLUMNS, fields, "person")} as registered_values
            from master.person as person
            where person.household_id = any(:household_ids)
            order by person.household_id, person.is_head desc, person.person_id
            """
        ),
        {"household_ids": list(household_ids)},
    ).all()
    members: dict[str, list[Row[Any]]] = {}
    for person in persons:
        members.setdefault(person.household_id, []).append(person)
    items: list[_Item] = []
    for number, household in enumerate(households, start=1):
        prefix = f"HC{month:%Y%m}-{number:04d}"
        items.extend(
            _Item(
                f"{prefix}-0",
                household.household_id,
                None,
                1.0,
                household.head_name,
                field,
                household.registered_values[field.field_code],
            )
            for field in fields
            if field.subject == "household"
        )
        chosen, factor = _choose_members(seed, members.get(household.household_id, []), plan)
        for position, person in enumerate(chosen, start=1):
            items.extend(
                _Item(
                    f"{prefix}-{position}",
                    household.household_id,
                    person.person_id,
                    1.0 if position == 1 else factor,
                    person.person_name,
                    field,
                    person.registered_values[field.field_code],
                )
                for field in fields
                if field.subject == "person"
            )
    return items


def _choose_members(seed: int, members: Sequence[Row[Any]], plan: AuditPlan) -> tuple[list[Row[Any]], float]:
    """The head (or the first member) and a few others drawn by the seed, and how many each of these stands for."""
    if not members:
        return [], 1.0
    head, others = members[0], {member.person_id: member for member in members[1:]}
    chosen = take(seed, others, plan.other_members_limit)
    return [head, *(others[person_id] for person_id in chosen)], len(others) / max(1, len(chosen))


def _store_items(
    connection: Connection,
    draw_id: int,
    items: Sequence[_Item],
    stratum_of: Mapping[str, str],
    household_weight: Mapping[str, float],
) -> None:
    """Store the lines; community and address are what the register says at this moment."""
    rows = [
        {
            "line_number": number,
            "audit_no": item.audit_no,
            "field_code": item.field.field_code,
            "household_id": item.household_id,
            "person_id": item.person_id,
            "stratum": stratum_of[item.household_id],
            "weight": household_weight[stratum_of[item.household_id]] * item.member_factor,
            "member_factor": str(Decimal(str(item.member_factor))),
            "person_name": item.person_name,
            "field_name": item.field.field_name,
            "is_critical": item.field.is_critical,
            "registered_value": item.registered_value,
        }
        for number, item in enumerate(items, start=1)
    ]
    connection.execute(
        text(
            """
            insert into quality.audit_item (
                draw_id, line_number, audit_no, field_code, household_id, person_id, stratum, weight,
                member_factor, community_name, address, person_name, field_name, is_critical, registered_value
            )
            select
                :draw_id, item.line_number, item.audit_no, item.field_code, item.household_id, item.person_id,
                item.stratum, item.weight, item.member_factor, household.community_name, household.address,
                item.person_name, item.field_name, item.is_critical, item.registered_value
            from jsonb_to_recordset(cast(:items as jsonb)) as item (
                line_number integer, audit_no text, field_code text, household_id text, person_id text,
                stratum text, weight double precision, member_factor numeric, person_name text,
                field_name text, is_critical boolean, registered_value text
            )
            inner join master.household as household on household.household_id = item.household_id
            """
        ),
        {"draw_id": draw_id, "items": json.dumps(rows, ensure_ascii=False)},
    )
