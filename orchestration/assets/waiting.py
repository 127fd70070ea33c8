"""Station 1, 接入, what it cannot decide: the list of what waits for a person."""

import dagster as dg

from orchestration.assets.ingest import DELIVERY
from orchestration.assets.suppliers import DELIVERY_DUE
from orchestration.groups import INGEST
from orchestration.platform import Platform
from orchestration.scrub import scrubbed
from orchestration.waiting import waiting_items, waiting_table

WAITING = dg.AssetKey(["ops", "waiting"])


@dg.asset(
    key=WAITING,
    deps=[DELIVERY, DELIVERY_DUE],
    group_name=INGEST,
    kinds={"postgres"},
    description="等待人处理的事项：被扣留的来件，缺报待确认的社区；末尾是逾期没有报的社区，要催。一行一件：为什么、怎样处理、用哪个任务"
    "（release_delivery 放行，refuse_delivery 拒收，confirm_partition_gone 确认社区）。每次接入和每次处理后更新。",
)
@scrubbed
def waiting(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Show what waits now; the view itself is always current."""
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(waiting_items(platform.engine)),
            "等待处理": waiting_table(platform.engine),
        }
    )
