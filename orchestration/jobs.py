"""Jobs and their schedules: verb phrases a person can start, each with its launch form."""

from datetime import timedelta

import dagster as dg

from infra.clock import utc_now
from ingest.app_source import has_news
from orchestration.assets.publish import QUARTERS
from orchestration.groups import INGEST, LINKAGE, MASTER, PUBLISH, QUALITY, REFERENCE, STAGING
from orchestration.platform import open_platform
from orchestration.scrub import scrubbed

TIMEZONE = "Asia/Shanghai"

# Receipts show the scores of the month, so taking in scores too.
INGESTED = dg.AssetSelection.groups(INGEST) | dg.AssetSelection.assets(["quality", "supplier_scorecard"])
LINE = dg.AssetSelection.groups(
    REFERENCE, INGEST, STAGING, LINKAGE, MASTER, QUALITY, PUBLISH
) - dg.AssetSelection.assets(["release", "archive"])

ingest_deliveries = dg.define_asset_job(
    "ingest_deliveries",
    selection=INGESTED,
    description="只接入：来件文件夹中的新文件，和走访应用的新行；登记台账、核对、加密、入库、写回执。不动户档。",
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": "3600"},
)

# The same station under the name people look for; a schedule starts it.
pull_app = dg.define_asset_job(
    "pull_app",
    selection=INGESTED,
    description="从走访应用的数据库取数（连同来件文件夹中的新文件）：按水位只取新的和改过的行，登记台账、核对、加密、入库、写回执。不动户档。",
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": "3600"},
)

refresh_master = dg.define_asset_job(
    "refresh_master",
    selection=LINE,
    description="整条线走一遍：接入、暂存、关联、主档、质检、判定、发布。判定不通过时停在发布之前，旧版继续有效。",
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": "7200"},
)

revise_archives = dg.define_asset_job(
    "revise_archives",
    selection=dg.AssetSelection.assets(["release", "archive"]),
    description="季度修订：选择季度分区运行，把当前发布版冻结为该季度的档案。同一季度不能冻结两个不同的版本。",
    executor_def=dg.in_process_executor,
)

refresh_master_nightly = dg.ScheduleDefinition(
    name="refresh_master_nightly",
    job=refresh_master,
    cron_schedule="30 1 * * *",
    execution_timezone=TIMEZONE,
    description="每天凌晨 1:30（北京时间）整条线走一遍，业务日期为当天。",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    name="pull_app_every_half_hour",
    job=pull_app,
    cron_schedule="5,35 * * * *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每半小时（北京时间 5 分和 35 分）问一次走访应用：有新行，或刚断开、刚恢复时才启动取数。没有设 YIHU_APP_URL 时不做什么。",
)
@scrubbed
def pull_app_every_half_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a pull when one small query a list says there is something to take."""
    platform = open_platform()
    if platform.settings.app_url is None:
        return dg.SkipReason("没有设 YIHU_APP_URL。")
    if not has_news(platform.engine, platform.settings, utc_now()):
        return dg.SkipReason("走访应用没有新的行。")
    return dg.RunRequest()


@dg.schedule(
    job=revise_archives,
    cron_schedule="30 0 1 1,4,7,10 *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每季度首日 0:30（北京时间，先于当晚的刷新）冻结刚结束的季度的档案。",
)
def revise_archives_quarterly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Freeze the quarter that ended the day before, while the release of its last day is still up."""
    yesterday = context.scheduled_execution_time - timedelta(days=1)
    quarter = QUARTERS.get_partition_key_for_timestamp(yesterday.timestamp())
    return dg.RunRequest(run_key=quarter, partition_key=quarter)
