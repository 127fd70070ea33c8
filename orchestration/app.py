"""The visit app's database as the UI and the command line show it; how it is pulled is `ingest.app_source`."""

from typing import Final

import dagster as dg
from sqlalchemy import text

from infra.clock import BUSINESS_ZONE
from orchestration.platform import Platform

REACHABLE: Final = "visit_app_is_reachable"


def check_app(platform: Platform) -> dg.AssetCheckResult:
    """A warning while the app cannot be read; how far each list was pulled in any case."""
    with platform.engine.connect() as connection:
        outage = connection.execute(
            text("select reason, began_at from ops.app_outage where ended_at is null")
        ).one_or_none()
        lists = connection.execute(
            text(
                "select coalesce(contract.title, mark.list_code) as title, mark.* from ops.app_watermark as mark "
                "left join ops.contract as contract using (list_code) order by mark.list_code"
            )
        ).all()
    rows = "\n".join(
        f"| {row.title} | {_local(row.watermark)} | {_local(row.last_pull_at)} | {row.last_row_count} "
        f"| {row.held_delivery_id or ''} |"
        for row in lists
    )
    is_set = platform.settings.app_url is not None
    return dg.AssetCheckResult(
        passed=outage is None or not is_set,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "状态": "未连接（没有设 YIHU_APP_URL）"
            if not is_set
            else f"{_local(outage.began_at)} 起读不到：{outage.reason}"
            if outage
            else "正常",
            "各清单": dg.MetadataValue.md(
                f"| 清单 | 水位 | 上次取数 | 源表行数 | 等待处理的来件 |\n|---|---|---|---|---|\n{rows}"
                if rows
                else "还没有取过"
            ),
        },
    )


def _local(instant: object) -> str:
    return f"{instant.astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M}" if hasattr(instant, "astimezone") else ""
