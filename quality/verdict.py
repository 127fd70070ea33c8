"""The verdict on one build: may it be published, and why not.

Reads the content hash of the candidate, the checks of the refresh and what the audits returned; decides; and
stores the decision, once for each content, evidence and target. How accuracy is estimated is
`quality.accuracy`; that no release gets by without a passed verdict is the database's business (publish).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from quality.accuracy import (
    AccuracyReport,
    AuditedField,
    Estimate,
    Stratum,
    households_needed,
    report_accuracy,
)
from quality.sampling import AuditPlan, load_plan
from quality.targets import target_value

PASSED: Final = "passed"
FAILED: Final = "failed"
INSUFFICIENT: Final = "insufficient"

# The suites without whose results nothing is known about a build; deliveries may have nothing new to check.
_REQUIRED_SUITES: Final = {"staging": "暂存", "master": "主档"}


@dataclass(frozen=True)
class Verdict:
    """A row of `quality.verdict`; ratios from 0 to 1, None where nothing was audited."""

    verdict_id: int
    status: str
    reasons: tuple[str, ...]
    failed_check_names: tuple[str, ...]
    content_hash: str
    evidence_hash: str
    target_code: str
    target_ratio: Decimal
    audited_household_count: int
    audited_field_count: int
    correct_field_count: int
    accuracy_ratio: float | None
    lower_bound_ratio: float | None
    interval_lower_ratio: float | None
    upper_bound_ratio: float | None
    critical_accuracy_ratio: float | None
    critical_lower_bound_ratio: float | None
    household_accuracy_ratio: float | None
    household_lower_bound_ratio: float | None
    unverifiable_ratio: float | None
    outdated_ratio: float | None
    covered_frame_ratio: float | None
    design_effect: float | None
    effective_field_count: float | None
    needed_household_count: int | None
    is_new: bool

    @property
    def is_passed(self) -> bool:
        """Whether the build may be published."""
        return self.status == PASSED


@dataclass(frozen=True)
class _Evidence:
    """What the decision rests on besides the content."""

    returns: Sequence[Row[Any]]
    unmatched_count: int
    frame: dict[Stratum, int]
    failed_checks: Sequence[Row[Any]]
    missing_suites: Sequence[str]
    begins: date


@dataclass(frozen=True)
class _Limits:
    target_code: str
    target: Decimal
    confidence: Decimal
    unverifiable: Decimal


def judge(engine: Engine, as_of: date, refresh_id: int, target_code: str = "M01") -> Verdict:
    """Judge the candidate of a refresh, or return the verdict given before on the same content and evidence.

    passed: the one-sided lower bound reaches the target and no error-severity check of the refresh failed.
    failed: such a check failed or did not run, or the estimate itself is below the target.
    insufficient: everything else - too few audits, too many fields nobody could verify, communities missing.
    Audits count that were inspected in the last `evidence_months` months up to `as_of`; of several returns of
    one item the newest.

    Raises:
        PermanentError: The target is not in `reference.target`.
    """
    plan = load_plan()
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        connection.begin(),
    ):
        content_hash = str(connection.scalar(text("select release.candidate_hash()")))
        limits = _Limits(
            target_code,
            target_value(connection, target_code, as_of),
            target_value(connection, "AUDIT_CONFIDENCE", as_of),
            target_value(connection, "AUDIT_UNVERIFIABLE", as_of),
        )
        evidence = _read_evidence(connection, as_of, refresh_id, plan)
        report = report_accuracy(
            [_audited_field(row) for row in evidence.returns], evidence.frame, float(1 - limits.confidence)
        )
        status, reasons, needed = _decide(report, evidence, limits, plan, as_of)
        return _store(
            connection,
            {
                "refresh_id": refresh_id,
                "as_of": as_of,
                "content_hash": content_hash,
                "evidence_hash": _evidence_hash(evidence, limits, plan),
                "status": status,
                "reasons": json.dumps(reasons, ensure_ascii=False),
                "failed_check_names": _failed_check_names(evidence),
                "target_code": target_code,
                "target_ratio": limits.target,
                "audited_household_count": report.fields.household_count,
                "audited_field_count": report.fields.field_count,
                "correct_field_count": report.fields.correct_count,
                "accuracy_ratio": _float(report.fields.ratio),
                "lower_bound_ratio": report.fields.lower,
                "interval_lower_ratio": report.fields.interval[0] if report.fields.interval else None,
                "upper_bound_ratio": report.fields.interval[1] if report.fields.interval else None,
                "critical_accuracy_ratio": _float(report.critical_fields.ratio),
                "critical_lower_bound_ratio": report.critical_fields.lower,
                "household_accuracy_ratio": _float(report.whole_households.ratio),
                "household_lower_bound_ratio": report.whole_households.lower,
                "unverifiable_ratio": _float(report.unverifiable_ratio),
                "outdated_ratio": _float(report.outdated_ratio),
                "covered_frame_ratio": _float(report.covered_frame_ratio),
                "design_effect": report.fields.design_effect,
                "effective_field_count": report.fields.effective_size if report.fields.field_count else None,
                "needed_household_count": needed,
            },
        )


_RETURNS = text(
    """
    select
        item.draw_id, item.stratum, item.household_id, item.audit_no, item.person_id, item.field_code,
        item.is_critical, item.member_factor, returned.outcome_code,
        coalesce(returned.inspected_date, returned.snapshot_date) as inspected_date
    from staging.stg_supervision__audit_return as returned
    inner join quality.audit_item as item
        on item.audit_no = returned.audit_no and item.field_code = returned.field_code
    where
        returned.is_current
        and returned.outcome_code is not null
        and coalesce(returned.inspected_date, returned.snapshot_date)
            > cast(:as_of as date) - make_interval(months => :months)
        and coalesce(returned.inspected_date, returned.snapshot_date) <= :as_of
    order by item.audit_no, item.field_code
    """
)

_UNMATCHED = text(
    """
    select count(*) from staging.stg_supervision__audit_return as returned
    where returned.is_current and not exists (
        select 1 from quality.audit_item as item
        where item.audit_no = returned.audit_no and item.field_code = returned.field_code
    )
    """
)


def _read_evidence(connection: Connection, as_of: date, refresh_id: int, plan: AuditPlan) -> _Evidence:
    returns = connection.execute(_RETURNS, {"as_of": as_of, "months": plan.evidence_months}).all()
    draw_ids = sorted({row.draw_id for row in returns})
    strata = connection.execute(
        text(
            "select draw_id, stratum, frame_count from quality.audit_stratum where draw_id = any(:draw_ids)"
        ),
        {"draw_ids": draw_ids},
    ).all()
    failed_checks = connection.execute(
        text(
            """
            select table_name, check_name, title, detail ->> 'delivery_id' as delivery_id
            from quality.check_result
            where refresh_id = :refresh_id and severity = 'error' and not is_passed
            order by suite, table_name, check_name, check_result_id
            """
        ),
        {"refresh_id": refresh_id},
    ).all()
    suites_run = set(
        connection.scalars(
            text("select distinct suite from quality.check_result where refresh_id = :refresh_id"),
            {"refresh_id": refresh_id},
        )
    )
    return _Evidence(
        returns=returns,
        unmatched_count=int(connection.scalar(_UNMATCHED) or 0),
        frame={(row.draw_id, row.stratum): row.frame_count for row in strata},
        failed_checks=failed_checks,
        missing_suites=[suite for suite in _REQUIRED_SUITES if suite not in suites_run],
        begins=connection.execute(
            text("select cast(cast(:as_of as date) - make_interval(months => :months) as date) + 1"),
            {"as_of": as_of, "months": plan.evidence_months},
        ).scalar_one(),
    )


def _audited_field(row: Row[Any]) -> AuditedField:
    return AuditedField(
        draw_id=row.draw_id,
        stratum=row.stratum,
        household_id=row.household_id,
        person_id=row.person_id,
        is_critical=row.is_critical,
        outcome=row.outcome_code,
        factor=Fraction(row.member_factor).limit_denominator(1000),
    )


def _decide(
    report: AccuracyReport, evidence: _Evidence, limits: _Limits, plan: AuditPlan, as_of: date
) -> tuple[str, list[str], int | None]:
    """Status, reasons and, where evidence is short, the households to audit in all."""
    status, reasons, needed = _decide_accuracy(report, evidence, limits, plan, as_of)
    check_reasons = [
        f"本次刷新没有运行{_REQUIRED_SUITES[suite]}检查，不能发布" for suite in evidence.missing_suites
    ]
    check_reasons += [
        f"检查未通过：{check.title}（{_check_label(check)}）" for check in evidence.failed_checks
    ]
    if evidence.unmatched_count:
        reasons.append(f"另有 {evidence.unmatched_count} 行核查结果对不上抽查编号或字段，未计入")
    if check_reasons:
        return FAILED, check_reasons + reasons, needed
    return status, reasons, needed


def _decide_accuracy(
    report: AccuracyReport, evidence: _Evidence, limits: _Limits, plan: AuditPlan, as_of: date
) -> tuple[str, list[str], int | None]:
    fields = report.fields
    goal = f"{limits.target_code} 目标 {percent(limits.target)}"
    if fields.ratio is None or fields.lower is None:
        period = f"{evidence.begins} 至 {as_of}"
        return (
            INSUFFICIENT,
            [
                f"准确率证据不足：{period} 没有可用的抽查结果，请收回核查表，放入来件文件夹的 supervision/audit_return"
            ],
            None,
        )
    basis = f"抽查 {fields.household_count} 户、{fields.field_count} 个字段"
    figures = (
        f"信息准确率 {percent(fields.ratio)}，{percent(limits.confidence)} 置信下限 {percent(fields.lower)}"
    )
    invalid = []
    if report.unverifiable_ratio is not None and report.unverifiable_ratio > Fraction(limits.unverifiable):
        invalid.append(
            f"准确率证据不足：无法核实的字段占 {percent(report.unverifiable_ratio)}，"
            f"超过 {percent(limits.unverifiable)}，本次抽查无效，请补查"
        )
    if report.covered_frame_ratio is not None and report.covered_frame_ratio < Fraction(
        str(plan.covered_frame_minimum)
    ):
        invalid.append(
            f"准确率证据不足：有抽查结果的社区和家庭类别只含在册家庭的 {percent(report.covered_frame_ratio)}，"
            f"至少应为 {percent(plan.covered_frame_minimum)}，请收齐各社区的核查表"
        )
    if invalid:
        return INSUFFICIENT, [*invalid, f"{figures}；{basis}"], None
    if fields.ratio < Fraction(limits.target):
        return FAILED, [f"信息准确率未达标：{figures}，{goal}；{basis}"], None
    if fields.lower >= limits.target:
        return PASSED, [f"信息准确率达标：{figures}，{goal}；{basis}"], None
    needed = households_needed(
        fields, float(limits.target), float(1 - limits.confidence), plan.needed_households_limit
    )
    return (
        INSUFFICIENT,
        [f"准确率证据不足：{figures}，{goal}；{basis}；{_advice(fields, needed, evidence)}"],
        needed,
    )


def _advice(fields: Estimate, needed: int | None, evidence: _Evidence) -> str:
    if needed is None:
        return "点估计与目标太近，增加抽查也难以证明，请先纠正发现的错误"
    household_count = _register_size(evidence.frame)
    if needed > household_count:
        return f"按目前所见需抽查 {needed} 户，多于在册 {household_count} 户，请先纠正发现的错误"
    return f"按目前所见共需抽查约 {needed} 户，还差 {max(1, needed - fields.household_count)} 户"


def _register_size(frame: Mapping[Stratum, int]) -> int:
    """Households of the register in the largest draw that counted."""
    sizes: dict[int, int] = {}
    for (draw_id, _), count in frame.items():
        sizes[draw_id] = sizes.get(draw_id, 0) + count
    return max(sizes.values(), default=0)


def _check_label(check: Row[Any]) -> str:
    delivery = f"，来件 {check.delivery_id}" if check.delivery_id else ""
    return f"{check.table_name}.{check.check_name}{delivery}"


def _failed_check_names(evidence: _Evidence) -> list[str]:
    names = [f"{suite}.not_run" for suite in evidence.missing_suites]
    for check in evidence.failed_checks:
        suffix = f"#{check.delivery_id}" if check.delivery_id else ""
        names.append(f"{check.table_name}.{check.check_name}{suffix}")
    return sorted(names)


def _evidence_hash(evidence: _Evidence, limits: _Limits, plan: AuditPlan) -> str:
    """Over everything but the content: changed evidence, checks, target or plan make a new verdict."""
    content = {
        "target": [limits.target_code, str(limits.target), str(limits.confidence), str(limits.unverifiable)],
        "plan": plan.sha256,
        "failed_checks": _failed_check_names(evidence),
        "returns": [
            [row.audit_no, row.field_code, row.outcome_code, row.inspected_date.isoformat()]
            for row in evidence.returns
        ],
        "unmatched_count": evidence.unmatched_count,
    }
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _store(connection: Connection, row: dict[str, Any]) -> Verdict:
    names = list(row)
    values = ", ".join(f"cast(:{name} as jsonb)" if name == "reasons" else f":{name}" for name in names)
    inserted = connection.scalar(
        text(
            f"insert into quality.verdict ({', '.join(names)}) values ({values})"
            # Judged again it is the newest word again: publishing goes by judged_at, and an older verdict on other
            # evidence (a check that failed in between) must not overrule it.
            " on conflict (content_hash, evidence_hash, target_code)"
            " do update set judged_at = excluded.judged_at, refresh_id = excluded.refresh_id,"
            " as_of = excluded.as_of, reasons = excluded.reasons"
            " returning xmax = 0"
        ),
        row,
    )
    stored = connection.execute(
        text(
            "select * from quality.verdict where content_hash = :content_hash"
            " and evidence_hash = :evidence_hash and target_code = :target_code"
        ),
        row,
    ).one()
    fields = {name: getattr(stored, name) for name in Verdict.__dataclass_fields__ if name != "is_new"}
    fields["reasons"] = tuple(fields["reasons"])
    fields["failed_check_names"] = tuple(fields["failed_check_names"])
    return Verdict(**fields, is_new=bool(inserted))


def percent(ratio: float | Fraction | Decimal) -> str:
    """A ratio as a reader sees it, rounded down: 0.94995 is 94.99%, never 95%."""
    exact = Fraction(ratio) if not isinstance(ratio, float) else Fraction(str(ratio))
    hundredths = Decimal(exact.numerator * 100) / Decimal(exact.denominator)
    rounded = hundredths.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
    return f"{rounded.normalize():f}%"


def _float(ratio: Fraction | None) -> float | None:
    return None if ratio is None else float(ratio)
