"""Station 5, 质检与判定: expectations on the register, accuracy, the verdict, alerts."""

from collections.abc import Iterator

import dagster as dg

from infra.mail import MailTransport
from orchestration import progress, runs
from orchestration.groups import QUALITY
from orchestration.platform import HeldLock, Platform
from orchestration.scrub import scrubbed
from quality.alerts import deliver_alerts, queue_alerts
from quality.expectations import check_master
from quality.verdict import judge

CANDIDATES = [
    dg.AssetKey(["candidate", table])
    for table in ("person", "household", "household_member", "source_record", "id_history")
]
CHECK_RESULT = dg.AssetKey(["quality", "check_result"])
VERDICT = dg.AssetKey(["quality", "verdict"])


@dg.asset(
    key=CHECK_RESULT,
    deps=CANDIDATES,
    group_name=QUALITY,
    kinds={"great_expectations"},
    description="户档检查结果：键、关系、户主唯一、人数相符等。变红表示检查程序没跑完，按未通过处理。",
    check_specs=[
        dg.AssetCheckSpec(
            "register_keeps_its_laws",
            asset=CHECK_RESULT,
            description="户档满足各项约束（一户一主、一人一户、人数相符……）。不通过则判定为不可发布，明细列出期望与数量。",
        )
    ],
)
@scrubbed
def check_results(platform: dg.ResourceParam[Platform], refresh_lock: HeldLock) -> dg.MaterializeResult:
    """Great Expectations over the register."""
    progress.stage("质检")
    results = check_master(platform.engine, runs.current_refresh_id(platform.engine))
    return dg.MaterializeResult(
        metadata={"期望数": len(results), "未通过": sum(not result.is_passed for result in results)},
        check_results=[runs.check_result(results, check_name="register_keeps_its_laws")],
    )


@dg.asset(
    key=VERDICT,
    deps=[CHECK_RESULT],
    group_name=QUALITY,
    kinds={"postgres"},
    description="对这一版户档的判定：抽查准确率（含置信下限）与各项检查。未通过则不发布，已发布的旧版继续有效。",
    check_specs=[
        dg.AssetCheckSpec(
            "accuracy_reaches_the_target",
            asset=VERDICT,
            blocking=True,
            description="准确率置信下限达到目标且各项检查通过。不通过时看原因：证据不足就补充抽查，准确率低就按错误字段整改。",
        )
    ],
)
@scrubbed
def verdict(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], refresh_lock: HeldLock
) -> Iterator[dg.MaterializeResult]:
    """Judge exactly this build and store the verdict."""
    progress.stage("判定")
    engine = platform.engine
    refresh_id = runs.current_refresh_id(engine)
    judged = judge(engine, runs.current_as_of(engine), refresh_id, platform.settings.accuracy_target)
    passed = judged.status == "passed"
    if not passed:
        runs.close_refresh(engine, context.run.run_id, "gate_refused")
        # Dagster's own words for a blocking check are English; whoever opens the run reads this first.
        context.log.error(
            f"判定未通过，这一版不发布，已发布的旧版继续有效。原因：{'；'.join(judged.reasons)}"
        )
    queue_alerts(engine, refresh_id)
    deliver_alerts(engine, MailTransport.from_settings(platform.settings), platform.settings)
    # Numbers, so that Dagster draws their course.
    figures: dict[str, float] = {
        f"{name}（%）": round(100 * float(value), 2)
        for name, value in {
            "准确率": judged.accuracy_ratio,
            "置信下限": judged.lower_bound_ratio,
            "置信上限": judged.upper_bound_ratio,
            "目标": judged.target_ratio,
        }.items()
        if value is not None
    }
    yield dg.MaterializeResult(
        metadata={
            "判定": {"passed": "通过", "failed": "未通过", "insufficient": "证据不足"}[judged.status],
            "原因": "；".join(judged.reasons) or "无",
            "抽查户数": judged.audited_household_count,
            "核查字段数": judged.audited_field_count,
            **figures,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="accuracy_reaches_the_target",
                passed=passed,
                metadata={"原因": "；".join(judged.reasons) or "无", **figures},
            )
        ],
    )
