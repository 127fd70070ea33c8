"""Station 6, 发布: the release, and the quarter's archive."""

from datetime import date

import dagster as dg

from orchestration import progress, runs
from orchestration.assets.quality import VERDICT
from orchestration.groups import PUBLISH
from orchestration.platform import HeldLock, Platform
from orchestration.scrub import scrubbed
from publish.releases import Published, Refused, freeze_quarter, publish
from publish.report import write_release_page

RELEASE = dg.AssetKey(["published", "release"])
QUARTERS = dg.TimeWindowPartitionsDefinition(
    cron_schedule="0 0 1 1,4,7,10 *",
    start="2026-01-01",
    fmt="%Y-%m-%d",
    timezone="Asia/Shanghai",
    end_offset=1,
)


@dg.asset(
    key=RELEASE,
    deps=[VERDICT],
    group_name=PUBLISH,
    kinds={"postgres"},
    description="当前发布版：各部门查询的就是它。只有判定通过的那一版才会发布；内容没有变化时不产生新版。",
)
@scrubbed
def release(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], refresh_lock: HeldLock
) -> dg.MaterializeResult:
    """Move the pointer to the judged build."""
    progress.stage("发布")
    engine = platform.engine
    outcome = publish(engine)
    if isinstance(outcome, Refused):
        # Somebody else is publishing: that is no judgement on this build.
        runs.close_refresh(engine, context.run.run_id, "failed" if outcome.code == "busy" else "gate_refused")
        raise dg.Failure(description=f"未发布：{outcome.reason}", allow_retries=False)
    runs.close_refresh(
        engine, context.run.run_id, "released" if isinstance(outcome, Published) else "unchanged"
    )
    page = write_release_page(engine, platform.settings.home / "releases")
    metadata: dict[str, dg.MetadataValue | str | int] = {
        "期号": outcome.release_no,
        "页面": dg.MetadataValue.path(str(page)),
        "结果": "已发布新版" if isinstance(outcome, Published) else "内容没有变化，沿用当前发布版",
    }
    if isinstance(outcome, Published):
        metadata |= {f"行数 {table}": count for table, count in outcome.counts.items()}
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    key=["release", "archive"],
    deps=[RELEASE],
    group_name=PUBLISH,
    kinds={"postgres"},
    partitions_def=QUARTERS,
    description="季度档案：把当前发布版冻结为该季度的户档，此后不再清理。每季度修订一次（方案 2.4.3、4.4）。",
)
@scrubbed
def archive(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Freeze the current release as the archive of the quarter of this partition."""
    quarter = date.fromisoformat(context.partition_key)
    frozen = freeze_quarter(platform.engine, quarter)
    return dg.MaterializeResult(metadata={"季度": quarter.isoformat(), "期号": frozen})
