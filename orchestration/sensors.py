"""What starts by itself: new files in the landing folder, alerts that wait, runs that failed."""

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine, text

from infra.mail import MailTransport
from ingest.landing import is_readable, scan, shown
from orchestration import runs
from orchestration.jobs import ingest_deliveries, pull_app, refresh_master, revise_archives
from orchestration.platform import open_platform
from orchestration.scrub import scrubbed
from quality.alerts import deliver_alerts, queue_alerts, queue_failed_archive

MAX_ATTEMPTS = 3
# A tick must stay short: what is over this waits for the next one.
MAX_BYTES_A_TICK = 200 * 2**20


def unseen_files(engine: Engine, landing: Path) -> dict[Path, list[int]]:
    """Plain files of the landing folder that no ledger row knows: [size, modification time in ns].

    A file the ledger knows only as one that could not be opened is unseen again as soon as it can be.
    """
    with engine.connect() as connection:
        known = {
            (path, size, modified): was_read
            for path, size, modified, was_read in connection.execute(
                text(
                    "select source_path, file_size, file_modified_ns,"
                    " bool_or(reason_code is distinct from 'not_permitted') from ops.delivery group by 1, 2, 3"
                )
            )
        }
    unseen = {}
    for file in scan(landing):
        was_read = known.get((file.source_path, file.size, file.modified_ns))
        # Links and pipes start no run; the next one that runs refuses them with a reason.
        if file.is_regular and (was_read is None or (not was_read and is_readable(file))):
            unseen[file.path] = [file.size, file.modified_ns]
    return unseen


def digest_of(path: Path) -> str | None:
    """sha256 of a file's bytes; None when it cannot be read now."""
    digest = hashlib.sha256()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


@dg.sensor(
    name="landing_sensor",
    job=ingest_deliveries,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="看守来件文件夹：有新文件且已停止增长时接入。同一内容最多自动试三次；一个坏文件不影响其他文件。",
)
@scrubbed
def landing_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request one run for the stable new files.

    The ledger decides what is new, not the run key: a run key is used up for ever, also by a failed run, so it carries
    the number of the attempt.
    """
    platform = open_platform()
    remembered = json.loads(context.cursor) if context.cursor else {}
    unseen = unseen_files(platform.engine, platform.settings.landing)
    stable: list[Path] = []
    budget = MAX_BYTES_A_TICK
    for path, look in unseen.items():
        if remembered.get("seen", {}).get(shown(str(path))) == look and (look[0] <= budget or not stable):
            stable.append(path)
            budget -= look[0]
    attempts: dict[str, int] = remembered.get("attempts", {})
    # The cursor lies in Dagster's storage: names of files as they may be shown.
    cursor = {"seen": {shown(str(path)): look for path, look in unseen.items()}, "attempts": attempts}

    # Any run: what a person has just started takes in the files too.
    under_way = context.instance.get_runs(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
        ),
        limit=1,
    )
    if under_way or not stable:
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(
            "有运行正在进行，结束后再看。"
            if under_way
            else f"没有可接入的新文件（{len(unseen)} 个仍在增长或首次看到）。"
        )

    contents = hashlib.sha256("|".join(sorted(filter(None, map(digest_of, stable)))).encode()).hexdigest()[
        :16
    ]
    attempt = attempts.get(contents, 0) + 1
    if attempt > MAX_ATTEMPTS:
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(f"同一批文件已自动试过 {MAX_ATTEMPTS} 次，请查看失败的运行后手动接入。")
    cursor["attempts"] = {contents: attempt}
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"{contents}-{attempt}", tags={"yihu/files": str(len(stable))})],
        cursor=json.dumps(cursor),
    )


@dg.run_failure_sensor(
    name="failed_run_sensor",
    monitored_jobs=[ingest_deliveries, pull_app, refresh_master, revise_archives],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="刷新、接入或季度修订失败时发告警邮件并记入刷新日志；因判定未通过而停下的运行已有判定邮件，不再重复。",
)
@scrubbed
def failed_run_sensor(context: dg.RunFailureSensorContext) -> None:
    """Log the failure of a run and mail it, unless the gate's own mail said it already."""
    platform = open_platform()
    run = context.dagster_run
    if run.job_name == revise_archives.name:
        queue_failed_archive(platform.engine, date.fromisoformat(context.partition_key or ""), run.run_id)
    else:
        runs.close_refresh(platform.engine, run.run_id, "failed")
        queue_alerts(platform.engine, None)
    deliver_alerts(platform.engine, MailTransport.from_settings(platform.settings), platform.settings)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="ingested_sensor",
    monitored_jobs=[ingest_deliveries, pull_app],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="只接入来件的运行成功后，在刷新日志中记为“只接入来件”。",
)
@scrubbed
def ingested_sensor(context: dg.RunStatusSensorContext) -> None:
    """Say in the refresh log how a run ended that never comes to the gate."""
    runs.close_refresh(open_platform().engine, context.dagster_run.run_id, "ingested")


@dg.sensor(
    name="alert_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="发送等待中的告警邮件；邮件服务器不可用时逐次推迟，恢复后按序补发，每封只发一次。",
)
@scrubbed
def alert_sensor(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Deliver alerts that wait in the outbox."""
    platform = open_platform()
    delivered = deliver_alerts(
        platform.engine, MailTransport.from_settings(platform.settings), platform.settings
    )
    return dg.SkipReason(delivered.message)
