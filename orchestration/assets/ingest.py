"""Station 1, 接入: the refresh itself, the deliveries, the raw tables."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from pydantic import Field

from infra.clock import business_today, parse_date, utc_now
from infra.mail import MailTransport
from ingest.addresses.learning import propose_entries
from ingest.addresses.rekeying import rekey_addresses
from ingest.app_source import pull_app
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from orchestration import progress, runs
from orchestration.app import REACHABLE, check_app
from orchestration.groups import INGEST
from orchestration.platform import HeldLock, Platform
from orchestration.scrub import scrubbed
from orchestration.waiting import CHECK_NAME, check_waiting
from quality.alerts import deliver_alerts, queue_alerts
from quality.expectations import check_deliveries

CONTRACTS = load_contracts()
DELIVERY = dg.AssetKey(["ops", "delivery"])
REFRESH = dg.AssetKey(["ops", "refresh"])


def _title(list_code: str) -> str:
    """What people call a list; its code where no contract names it."""
    return CONTRACTS[list_code].title if list_code in CONTRACTS else list_code


class RefreshConfig(dg.Config):
    """What a person may choose when starting a run by hand; the launch form shows the descriptions."""

    as_of: str = Field(default="", description="业务日期，例如 2026-08-31；留空表示今天（北京时间）。")


class LandingConfig(dg.Config):
    """Where deliveries are looked for; the launch form shows the description."""

    landing: str = Field(default="", description="来件文件夹；留空表示设置中的文件夹（YIHU_LANDING）。")


@dg.asset(
    key=REFRESH,
    group_name=INGEST,
    kinds={"postgres"},
    description="本次刷新：业务日期由此确定，全线都按这一天计算。另一次运行正在进行时等它结束（至多半小时）。变红表示数据库连不上，或等得太久：看那次运行后重新运行。",
)
@scrubbed
def refresh(
    context: dg.AssetExecutionContext,
    config: RefreshConfig,
    platform: dg.ResourceParam[Platform],
    refresh_lock: HeldLock,
) -> dg.MaterializeResult:
    """Open the refresh that the rest of the run belongs to."""
    runs.close_interrupted(platform.engine, context.instance, context.run.run_id)
    as_of = parse_date(config.as_of) if config.as_of else business_today()
    refresh_id = runs.open_refresh(platform.engine, as_of, context.run.run_id)
    return dg.MaterializeResult(metadata={"业务日期": as_of.isoformat(), "刷新编号": refresh_id})


@dg.multi_asset(
    name="deliveries",
    specs=[
        dg.AssetSpec(
            DELIVERY,
            deps=[REFRESH],
            group_name=INGEST,
            kinds={"postgres"},
            description="来件台账：一行一次来件，含状态、原因与行数。变红表示程序故障；来件本身有问题时这里仍是绿色，"
            "问题见检查项与回执。",
        ),
        *(
            dg.AssetSpec(
                ["raw", code],
                deps=[REFRESH],
                group_name=INGEST,
                kinds={"postgres"},
                description=f"《{contract.title}》的原始行：已按数据约定核对、规范并加密。",
            )
            for code, contract in CONTRACTS.items()
        ),
    ],
)
@scrubbed
def deliveries(
    context: dg.AssetExecutionContext,
    config: LandingConfig,
    platform: dg.ResourceParam[Platform],
    refresh_lock: HeldLock,
) -> Iterator[dg.MaterializeResult]:
    """Take in everything new in the landing folder, then what is new in the visit app."""
    progress.stage("接入")
    settings = platform.settings
    landing = Path(config.landing) if config.landing else settings.landing
    outcomes = ingest_landing(
        platform.engine,
        platform.protector,
        landing,
        utc_now(),
        as_of=runs.current_as_of(platform.engine),
        on_progress=progress.step,
    )
    pulls = pull_app(platform.engine, platform.protector, settings, utc_now())
    outcomes += [pull.outcome for pull in pulls if pull.outcome is not None]
    rekey_addresses(platform.engine, CONTRACTS)
    open_count = propose_entries(platform.engine, CONTRACTS)
    context.log.info("deliveries taken in: %d", len(outcomes))
    counted = runs.delivery_totals(platform.engine)
    rows = "\n".join(
        f"| {o.delivery_id} | {_title(o.list_code)} | {runs.STATUS_NAMES[o.status]} | {o.row_count}"
        f" | {o.accepted_count} | {o.quarantined_count} |"
        for o in outcomes
    )
    yield dg.MaterializeResult(
        asset_key=DELIVERY,
        metadata={
            "本次来件数": len(outcomes),
            "接收行数": sum(o.accepted_count for o in outcomes),
            "隔离行数": sum(o.quarantined_count for o in outcomes),
            "扣留来件数": sum(o.status == "held" for o in outcomes),
            "拒收来件数": sum(o.status == "refused" for o in outcomes),
            "待定的地名库建议": open_count,
            "走访应用": dg.MetadataValue.md(
                "\n".join(f"- {_title(pull.list_code)}：{pull.said}" for pull in pulls)
                or "未连接（没有设 YIHU_APP_URL）"
            ),
            "本次来件": dg.MetadataValue.md(
                f"| 来件编号 | 清单 | 状态 | 行数 | 接收 | 隔离 |\n|---|---|---|---|---|---|\n{rows}"
                if rows
                else "无新来件"
            ),
        },
    )
    for code in CONTRACTS:
        total = counted.get(code)
        yield dg.MaterializeResult(
            asset_key=["raw", code],
            metadata={"dagster/row_count": total.accepted, "隔离行数": total.quarantined}
            if total
            else {"dagster/row_count": 0},
        )


@dg.asset_check(
    asset=DELIVERY,
    name="every_delivery_conserves_its_rows",
    description="每次来件：数据行数 = 接收行数 + 隔离行数，且原始表与隔离表中确有这么多行。不通过说明有行丢失，请联系开发人员。",
)
@scrubbed
def every_delivery_conserves_its_rows(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Count the rows in raw and quarantine against the ledger."""
    broken = runs.deliveries_that_lost_rows(platform.engine, list(CONTRACTS))
    return dg.AssetCheckResult(
        passed=not broken, metadata={"不守恒的来件编号": ", ".join(map(str, broken)) or "无"}
    )


@dg.asset_check(
    asset=DELIVERY,
    name=CHECK_NAME,
    description="没有被扣留或拒收的来件，也没有缺报待确认的社区。不通过时看“等待处理”表：核对后用任务 release_delivery 放行、refuse_delivery 拒收，"
    "或 confirm_partition_gone 确认社区；拒收的照回执修正后重报。",
)
@scrubbed
def no_delivery_waits_for_a_person(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Warn while deliveries of this refresh are held or refused; the alert mail goes out from here."""
    engine = platform.engine
    queue_alerts(engine, runs.current_refresh_id(engine))
    deliver_alerts(engine, MailTransport.from_settings(platform.settings), platform.settings)
    found = check_waiting(engine, DELIVERY)
    return dg.AssetCheckResult(passed=found.passed, severity=found.severity, metadata=found.metadata)


@dg.asset_check(
    asset=DELIVERY,
    name=REACHABLE,
    description="走访应用的数据库能读，各清单的表与对照表相符。不通过时看原因：请应用管理员恢复；恢复后自动接着取，不必补报。没有设 YIHU_APP_URL 时恒为通过。",
)
@scrubbed
def visit_app_is_reachable(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Warn while the visit app's database cannot be read."""
    return check_app(platform)


@dg.asset_check(
    asset=DELIVERY,
    name="deliveries_look_like_their_lists",
    description="本次来件符合数据约定推出的期望（必填率、代码取值、有效证件比例等）。不通过时看明细中的期望名称与数量。",
)
@scrubbed
def deliveries_look_like_their_lists(
    platform: dg.ResourceParam[Platform], refresh_lock: HeldLock
) -> dg.AssetCheckResult:
    """Great Expectations over the deliveries of this refresh."""
    results = check_deliveries(platform.engine, runs.current_refresh_id(platform.engine))
    return runs.check_result(results)
