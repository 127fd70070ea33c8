"""Station 1, 接入, its answers: the clock of the lists, the suppliers' scorecard, receipts."""

import dagster as dg

from infra.mail import MailTransport
from ingest.arrivals import update_delivery_due
from orchestration import runs
from orchestration.assets.ingest import CONTRACTS, DELIVERY
from orchestration.groups import GROUP_OF_TABLE, INGEST
from orchestration.platform import HeldLock, Platform
from orchestration.receipts import answer_suppliers
from orchestration.scrub import scrubbed
from quality.alerts import deliver_alerts, queue_alerts
from quality.scorecard import DIMENSION_NAMES, score_suppliers, totals

DELIVERY_DUE = dg.AssetKey(["ops", "delivery_due"])
RECEIPT = dg.AssetKey(["ops", "receipt"])
SCORECARD = dg.AssetKey(["quality", "supplier_scorecard"])

_DUE_NAMES = {"on_time": "按时", "late": "迟报", "missing": "逾期未报", "pending": "未到期"}


@dg.asset(
    key=DELIVERY_DUE,
    deps=[DELIVERY],
    group_name=INGEST,
    kinds={"postgres"},
    description="报送时钟：每种清单每个报送周期何时应报、何时到达，按业务日期判断按时、迟报或未报。各社区自行报送的清单逐个社区判断，最后一个社区报齐才算到达。从该清单的第一次来件（或约定的起始日）起算。"
    "变红表示程序故障；迟报未报见检查 every_list_arrived_on_time。",
)
@scrubbed
def delivery_due(platform: dg.ResourceParam[Platform], refresh_lock: HeldLock) -> dg.MaterializeResult:
    """Set the clock of all lists to the business date."""
    rows = update_delivery_due(platform.engine, runs.current_as_of(platform.engine))
    counts = {
        f"{name}周期数": sum(row.status == status for row in rows) for status, name in _DUE_NAMES.items()
    }
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), **counts})


@dg.asset(
    key=SCORECARD,
    deps=[DELIVERY_DUE],
    group_name=GROUP_OF_TABLE["quality/supplier_scorecard"],
    kinds={"postgres"},
    description="报送单位评分：每月每种清单在规范性、完整性、准确性、一致性、时效性、可访问性（GB/T 36344-2018）上的合格个数与核对个数。"
    "写入回执的“本月评分”。变红表示程序故障。",
)
@scrubbed
def supplier_scorecard(platform: dg.ResourceParam[Platform], refresh_lock: HeldLock) -> dg.MaterializeResult:
    """Score the suppliers for the month of the business date."""
    scores = score_suppliers(platform.engine, runs.current_as_of(platform.engine))
    lists = sorted({score.list_code for score in scores})
    by_place = {(score.list_code, score.dimension): score for score in scores}
    lines = []
    for code in lists:
        cells = []
        for dimension in DIMENSION_NAMES:
            score = by_place[code, dimension]
            cells.append("无" if score.ratio is None else f"{100 * score.ratio:.1f}")
        title = CONTRACTS[code].title if code in CONTRACTS else code
        lines.append(f"| {title} | {' | '.join(cells)} |")
    names = " | ".join(DIMENSION_NAMES.values())
    heading = f"| 清单（%） | {names} |\n|---{'|---' * len(DIMENSION_NAMES)}|\n"
    return dg.MaterializeResult(
        metadata={
            "有评分的清单数": len(lists),
            # Numbers, so that Dagster draws their course.
            **totals(scores),
            "本月评分": dg.MetadataValue.md(
                heading + "\n".join(lines) if lines else "本月还没有来件或应报的清单"
            ),
        }
    )


@dg.asset(
    key=RECEIPT,
    deps=[SCORECARD],
    group_name=INGEST,
    kinds={"xlsx"},
    description="回执：每次来件一份（xlsx 和 JSON），写入发件箱文件夹并发给报送部门；来件被放行、拒收等状态变化后再写一版。"
    "变红多半是 YIHU_SUPPLIERS 文件有误：改正后重新运行，回执已写好，邮件随后补发。",
)
@scrubbed
def receipt(platform: dg.ResourceParam[Platform], refresh_lock: HeldLock) -> dg.MaterializeResult:
    """Answer the suppliers."""
    answers = answer_suppliers(platform, runs.current_as_of(platform.engine))
    return dg.MaterializeResult(
        metadata={
            "本次回执数": len(answers.receipts),
            "邮件数": answers.mails.mail_count,
            "没有联系人的回执数": answers.mails.unaddressed_count,
            "邮件": answers.mails.message,
        }
    )


@dg.asset_check(
    asset=DELIVERY,
    name="every_list_arrived_on_time",
    additional_deps=[DELIVERY_DUE],
    description="每种清单在应报日之前到达。不通过时按表联系报送部门；迟报、未报的每件事只发一次告警邮件。",
)
@scrubbed
def every_list_arrived_on_time(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Warn while a list is missing, or came late in the period under way; the alert mail goes out from here."""
    engine = platform.engine
    queue_alerts(engine, runs.current_refresh_id(engine))
    deliver_alerts(engine, MailTransport.from_settings(platform.settings), platform.settings)
    rows = runs.late_and_missing(engine)
    lines = [
        f"| {row.title} | {row.period_start} 至 {row.period_end} | {row.due_date}{'（暂定）' if row.is_provisional else ''}"
        f" | {_DUE_NAMES[row.status]} | {row.days_late} | {row.communities} | {row.first_delivery_id or ''} |"
        for row in rows
    ]
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "逾期未报": sum(row.status == "missing" for row in rows),
            "迟报": sum(row.status == "late" for row in rows),
            "明细": dg.MetadataValue.md(
                "| 清单 | 周期 | 应报日 | 状态 | 逾期天数 | 社区 | 来件编号 |\n|---|---|---|---|---|---|---|\n"
                + "\n".join(lines)
                if lines
                else "各清单都已按时报送"
            ),
        },
    )
