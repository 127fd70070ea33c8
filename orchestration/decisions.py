"""Jobs by which data staff decide in the UI what is to become of what waits: release, refuse, confirm a community.

Each has a launch form; who decided, when and why is recorded by `ingest.holds`. What the decision changed is shown again at
once: the ledger, the list of what waits, and its check.
"""

import dagster as dg
from pydantic import Field

from ingest.holds import confirm_partition_gone, refuse_held, release_held
from orchestration.assets.ingest import DELIVERY
from orchestration.assets.waiting import WAITING
from orchestration.platform import Platform, dagster_home
from orchestration.receipts import answer_suppliers
from orchestration.scrub import scrubbed
from orchestration.waiting import check_waiting, waiting_items, waiting_table

_ID = "来件编号：资产 ops/waiting 的“等待处理”表第一栏。"
_BY = "谁决定的：姓名。记入台账。"
_NO_PASSWORD = (
    "设有打开密码的来件不在这里处理：填在这里的内容会被保存，密码请用命令 yihu delivery unlock 提供。"
)


class ReleaseConfig(dg.Config):
    """The launch form of `release_delivery`."""

    delivery_id: int = Field(description=_ID)
    by: str = Field(description=_BY)
    why: str = Field(description="为什么放行，例如“已向民政核实，人数无误”。不要写个人信息。")


class RefuseConfig(dg.Config):
    """The launch form of `refuse_delivery`."""

    delivery_id: int = Field(description=_ID)
    by: str = Field(description=_BY)
    why: str = Field(description="为什么拒收，写进给报送部门的回执。不要写个人信息。")


class ConfirmConfig(dg.Config):
    """The launch form of `confirm_partition_gone`."""

    delivery_id: int = Field(description=_ID)
    community: str = Field(
        description="社区名称，照“等待处理”表的“社区”一栏，例如 近江社区；全街道一份的清单交来空表的，写 全街道。"
    )
    by: str = Field(description=_BY)
    why: str = Field(description="依据，例如“社区已撤并”。不要写个人信息。")


@dg.op(description="放行一次扣留的来件，并更新回执与等待处理表。")
@scrubbed
def release(
    context: dg.OpExecutionContext, config: ReleaseConfig, platform: dg.ResourceParam[Platform]
) -> None:
    """Release a held delivery."""
    release_held(platform.engine, config.delivery_id, config.by, config.why)
    _show(context, platform, config.delivery_id, "放行")


@dg.op(description="拒收一次扣留的来件，并更新回执与等待处理表。")
@scrubbed
def refuse(
    context: dg.OpExecutionContext, config: RefuseConfig, platform: dg.ResourceParam[Platform]
) -> None:
    """Refuse a held delivery."""
    refuse_held(platform.engine, config.delivery_id, config.by, config.why)
    _show(context, platform, config.delivery_id, "拒收")


@dg.op(description="确认一个社区的情况属实，并更新等待处理表。")
@scrubbed
def confirm(
    context: dg.OpExecutionContext, config: ConfirmConfig, platform: dg.ResourceParam[Platform]
) -> None:
    """Confirm that a delivery is right about a community it lacks."""
    confirm_partition_gone(platform.engine, config.delivery_id, config.community, config.by, config.why)
    _show(context, platform, config.delivery_id, f"确认社区 {config.community}")


def _show(context: dg.OpExecutionContext, platform: Platform, delivery_id: int, decision: str) -> None:
    """Bring everything the UI shows of deliveries up to date with a decision."""
    answer_suppliers(platform)
    for event in decision_events(platform, f"来件 {delivery_id}：{decision}"):
        # Dagster takes a check here too; its annotation does not say so.
        context.log_event(event)  # type: ignore[arg-type]
    context.log.info("delivery %d decided", delivery_id)


def decision_events(platform: Platform, said: str) -> tuple[dg.AssetMaterialization, dg.AssetCheckEvaluation]:
    """What the UI is to be told after a decision: the list of what waits now, and the check on it.

    The ledger itself (``ops/delivery``) is not said to be made anew: its other checks would count as not yet done.
    """
    engine = platform.engine
    waiting = dg.AssetMaterialization(
        WAITING,
        description=said,
        metadata={
            "决定": said,
            "dagster/row_count": len(waiting_items(engine)),
            "等待处理": waiting_table(engine),
        },
    )
    return waiting, check_waiting(engine, DELIVERY)


def tell_ui(platform: Platform, said: str) -> None:
    """Tell the UI of a decision that was made on the command line."""
    dagster_home(platform)
    with dg.DagsterInstance.get() as instance:
        for event in decision_events(platform, said):
            instance.report_runless_asset_event(event)


def _job(name: str, op: dg.OpDefinition, form: dg.Config, description: str) -> dg.JobDefinition:
    # The form opens with its fields there and empty; sent off like that, it is refused with what is expected.
    @dg.job(
        name=name,
        description=description,
        config=dg.RunConfig(ops={op.name: form}),
        executor_def=dg.in_process_executor,
    )
    def decided() -> None:
        op()

    return decided


release_delivery = _job(
    "release_delivery",
    release,
    ReleaseConfig(delivery_id=0, by="", why=""),
    "放行一次扣留的来件：数据经核对无误时用。在 Launchpad 填来件编号、是谁、为什么，再按 Launch Run；"
    f"下次刷新起使用。旧清单放行后不会盖过新清单。{_NO_PASSWORD}",
)
refuse_delivery = _job(
    "refuse_delivery",
    refuse,
    RefuseConfig(delivery_id=0, by="", why=""),
    "拒收一次扣留的来件：数据有误时用，不能撤销。在 Launchpad 填来件编号、是谁、为什么，再按 Launch Run；"
    f"原因写进回执，更正后的文件重新放入即可。{_NO_PASSWORD}",
)
confirm_partition_gone_job = _job(
    "confirm_partition_gone",
    confirm,
    ConfirmConfig(delivery_id=0, community="", by="", why=""),
    "确认某社区在这次来件中没有对象（或确实少了很多）属实：此后不再沿用该社区以前的行，从这次来件的清单日期起作退出处理。"
    "只有表头、没有数据行而被拒收的来件，确已没有对象的，也在这里确认：按社区报送的清单写社区，其他清单写 全街道。"
    "是漏报的不要确认，等报送单位补报，补报后自动了结。在 Launchpad 填来件编号、社区、是谁、依据，再按 Launch Run。",
)
