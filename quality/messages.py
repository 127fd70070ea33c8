"""From the stored facts of an alert to the mail a person reads: subject, text part, HTML part.

Which facts become an alert is `quality.alerts`. Nothing is looked up here, and nothing of a person is in the
facts: deliveries are shown as list and number (a sender may have put a name into the file name), reasons are
the ledger's. Header values are folded to one line and capped, so that no fact can become a header.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from infra.clock import BUSINESS_ZONE
from quality.supplier_messages import due_context, supplier_context
from quality.verdict import percent
from quality.wording import one_line

if TYPE_CHECKING:
    from jinja2 import Environment

# A mail is a digest, not a report: the tables have the rest.
LISTED_ITEMS: Final = 30
_SUBJECT_LENGTH: Final = 100
_XLSX_SUBTYPE: Final = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TEXT_LENGTH: Final = 400

_RED, _AMBER = "#b42318", "#b54708"
_STATUS_NAMES: Final = {"refused": "拒收", "held": "扣留", "community": "有社区待确认"}
_STATUS_COLOURS: Final = {"refused": _RED, "held": _AMBER, "community": _AMBER}
_PROBLEM_NAMES: Final = {
    "raised": "检查出错",
    "no_rows_seen": "有数据却检查了 0 行",
    "rows_differ": "检查到的行数与表不符",
    "disagree": "两种算法结论不一致",
}
# Who decides works in the pages of the platform; the command line stands behind it in brackets for those who use it.
_RELEASE: Final = "网页任务“放行来件”（release_delivery；命令行 yihu delivery release 编号 --by 姓名）"
_REFUSE: Final = (
    "网页任务“拒收来件”（refuse_delivery；命令行 yihu delivery refuse 编号 --by 姓名 --why 原因）"
)
_CONFIRM: Final = "网页任务“确认社区情况”（confirm_partition_gone；命令行 yihu delivery confirm-gone 编号 --community 社区 --by 姓名 --why 依据）"
# By what became of a delivery; a mail has those of the deliveries in it. One without a usable row cannot be released.
_DELIVERY_STEPS: Final = {
    "held": f"扣留的来件：看原因并核对；数据无误的用{_RELEASE}放行，有误的用{_REFUSE}拒收，请部门改正后重报（更正接收后，原来那件自动了结）。",
    "held_without_rows": f"扣留而没有可用行的来件放行不了：请部门按原因补齐后重新报送，更正接收后自动了结；不再报的用{_REFUSE}了结。",
    "needs_password": "设有打开密码的来件：请报送单位取消密码重新报送；或当面、电话向其要密码，请管理员在命令行执行"
    " yihu delivery unlock 编号 --by 姓名，按提示输入（不显示、不保存；网页的表单会留存，不能在网页里填）；"
    f"要不到的用{_REFUSE}拒收。",
    "community": "有社区待确认的来件：其余社区已采用。问这些社区：漏报的请其补报，补报后自动了结；确已没有对象或确实少了的，"
    f"用{_CONFIRM}确认。",
    "empty": f"只有表头、没有数据行的来件：多半是漏填，请部门补报；确已没有对象的，用{_CONFIRM}确认，此前的行不再沿用；"
    "按社区报送的清单写社区，其他清单写 全街道。",
    "refused": "拒收的来件：把回执文件夹中这次来件的回执转给报送部门，按原因改正后重新报送。",
}
_NEXT_STEPS: Final = {
    "check": (
        "在平台网页（Dagster）的检查页打开这一项（按上面的代码找），看是数据问题还是程序问题；程序问题请找管理员。",
        "数据问题请部门重报；纠正后重新运行刷新，检查通过后自动恢复发布。",
    ),
    "检查未通过": (
        "在平台网页（Dagster）打开未通过的检查，看是数据问题还是程序问题；程序问题请找管理员。",
        "数据问题请部门重报；纠正后重新运行刷新，检查通过后自动恢复发布。",
    ),
    "准确率未达标": (
        "按核查表中查出的错误，请部门更正来源数据后重报。",
        "重新运行刷新，并在下一次抽查中核实更正的效果。",
    ),
    "准确率证据不足": (
        "收齐已下发的核查表，放入来件文件夹的 supervision/audit_return；仍不够时按所需户数加做抽查。",
        "重新运行刷新；证据足够后自动恢复发布。",
    ),
    "refresh": (
        "在 Dagster 界面打开失败的运行，查看出错的一步和原因。",
        "排除后重新运行刷新；同样的来件会得到同样的结果。",
    ),
    "archive": (
        "在 Dagster 界面打开失败的季度修订运行，查看原因。",
        "排除后对同一季度重新运行 revise_archives；要趁下一版发布之前，否则冻结的是新的一版。",
    ),
    "走访应用读不到": (
        "请应用管理员检查应用的数据库、网络和平台的只读账号；原因见上。",
        "不必补报：恢复后平台自动从上次的水位接着取，迟提交的行也会取到。",
    ),
    "走访应用已恢复": ("不需要做什么；中断期间的行已经取到。",),
    "due": (
        "逾期未报的：与报送部门联系；迟报的：看是否已补齐，是否影响当期走访安排。",
        "报送周期和应报日见各清单的说明；各期情况见平台网页的资产 ops/delivery_due。",
    ),
    "backlog": (
        "在平台网页看资产 ops/waiting 的“等待处理”表，仍被扣留的来件逐件放行或拒收；早先拒收、之后已重报的不必再处理。",
        "检查、判定和刷新以最近一次刷新为准，在平台网页查看（命令行 yihu status）；以后的告警会随时逐封发出。",
    ),
}


@dataclass(frozen=True)
class Alert:
    """A row of `ops.alert` as far as writing its mail needs it."""

    kind: str
    payload: Mapping[str, Any]
    message_id: str
    created_at: datetime


@dataclass(frozen=True)
class Attachment:
    """A workbook that goes with a mail; the name is ours, never a sender's."""

    name: str
    content: bytes


def build_message(
    alert: Alert,
    recipients: Sequence[str],
    street_name: str | None,
    attachments: Sequence[Attachment] = (),
) -> EmailMessage:
    """The mail of an alert; the transport adds the sender. The same alert always gives the same mail."""
    headline, context = _CONTEXTS[alert.kind](alert.payload)
    context |= {
        "banner": context.get("banner", "户档质量告警"),
        "headline": headline,
        "street_name": one_line(street_name or "", _TEXT_LENGTH),
    }
    if "next_steps" not in context:
        context["next_steps"] = _NEXT_STEPS[context.get("why", alert.kind)]
    message = EmailMessage()
    message["Subject"] = one_line(f"【一户】{headline}", _SUBJECT_LENGTH)
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(alert.created_at)
    message["Message-ID"] = alert.message_id
    # Keeps out-of-office replies away (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    templates = _templates()
    message.set_content(templates.get_template(f"{alert.kind}.txt").render(context))
    message.add_alternative(templates.get_template(f"{alert.kind}.html").render(context), subtype="html")
    for attachment in attachments:
        message.add_attachment(
            attachment.content, maintype="application", subtype=_XLSX_SUBTYPE, filename=attachment.name
        )
    return message


def headline_of(kind: str, payload: Mapping[str, Any]) -> str:
    """What the mail of an alert is about, in one line; KeyError or ValueError when no mail can be made of it."""
    headline, _ = _CONTEXTS[kind](payload)
    return one_line(headline, _SUBJECT_LENGTH)


def _delivery(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    items = payload["items"]
    counts = Counter(item["status"] for item in items)
    title = one_line(payload["list_title"], 40)
    unused_count = counts["refused"] + counts["held"]
    if len(items) > 1 and unused_count == len(items):
        headline = f"{title} {len(items)} 件来件未入库"
    elif len(items) > 1:
        headline = f"{title} {len(items)} 件来件要处理"
    else:
        word = "" if counts["community"] else "被"
        headline = f"{title}来件 {items[0]['delivery_id']} {word}{_STATUS_NAMES[items[0]['status']]}"
    return headline, {
        "accent": _RED if counts["refused"] else _AMBER,
        "list_title": title,
        "unused_count": unused_count,
        "refused_count": counts["refused"],
        "held_count": counts["held"],
        "community_count": counts["community"],
        "items": [
            {
                "delivery_id": item["delivery_id"],
                "status": item["status"],
                "status_name": _STATUS_NAMES[item["status"]],
                "colour": _STATUS_COLOURS[item["status"]],
                "reason": one_line(item["reason"], _TEXT_LENGTH),
                "row_count": item["row_count"],
                "received_at": _local(item["received_at"]),
            }
            for item in items[:LISTED_ITEMS]
        ],
        "more_count": max(0, len(items) - LISTED_ITEMS),
        "next_steps": [
            step for state, step in _DELIVERY_STEPS.items() if any(_state(item) == state for item in items)
        ],
    }


def _state(item: Mapping[str, Any]) -> str:
    # Alerts of before counts and reason codes were kept say nothing about them.
    match item["status"], item.get("reason_code"):
        case "held", "needs_password":
            return "needs_password"
        case "held", _ if item.get("accepted_count") == 0:
            return "held_without_rows"
        case "refused", "no_rows" if item.get("is_snapshot"):
            return "empty"
    status: str = item["status"]
    return status


def _check(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    items = sorted(payload["items"], key=lambda item: item["severity"] != "error")
    error_count = sum(item["severity"] == "error" for item in items)
    title = one_line(payload["group_title"], 40)
    what = f"{error_count} 项检查未通过" if error_count else f"{len(items)} 项检查提醒"
    return f"{title} {what}", {
        "accent": _RED if error_count else _AMBER,
        "group_title": title,
        "as_of": payload["as_of"],
        "error_count": error_count,
        "warn_count": len(items) - error_count,
        "items": [
            {
                **item,
                "title": one_line(item["title"], _TEXT_LENGTH),
                "problem_name": _PROBLEM_NAMES.get(item["problem"] or ""),
            }
            for item in items[:LISTED_ITEMS]
        ],
        "more_count": max(0, len(items) - LISTED_ITEMS),
    }


def _verdict(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    as_of = date.fromisoformat(payload["as_of"])
    if payload["failed_check_count"]:
        why = "检查未通过"
    elif payload["status"] == "failed":
        why = "准确率未达标"
    else:
        why = "准确率证据不足"
    reasons = payload["reasons"]
    context: dict[str, Any] = {
        "accent": _AMBER if payload["status"] == "insufficient" else _RED,
        "why": why,
        "as_of": payload["as_of"],
        "reasons": [one_line(reason, _TEXT_LENGTH) for reason in reasons[:LISTED_ITEMS]],
        "more_count": max(0, len(reasons) - LISTED_ITEMS),
        "bar": None,
    }
    if payload["accuracy_ratio"] is not None:
        context |= _accuracy(payload, context["accent"])
    return f"{as_of.month}月户档未通过发布：{why}", context


def _accuracy(payload: Mapping[str, Any], accent: str) -> dict[str, Any]:
    low, high = payload["interval_lower_ratio"], payload["upper_bound_ratio"]
    target = float(payload["target_ratio"])
    # The axis begins at a round tenth below everything that is shown.
    begin = max(0.0, min(int(low * 10), int(target * 10) - 1) / 10)
    edges = sorted({begin, low, high, target, 1.0})
    bar = [
        {
            "width": max(0.5, round((right - left) / (1 - begin) * 100, 1)),
            "colour": accent if low <= left < high else "#dde3ea",
            "ends_at_target": right == target and target < 1,
        }
        for left, right in pairwise(edges)
    ]
    facts = [
        ("抽查户数", payload["audited_household_count"]),
        ("抽查字段数", payload["audited_field_count"]),
        ("其中正确", payload["correct_field_count"]),
    ]
    if payload["critical_accuracy_ratio"] is not None:
        facts.append(("关键字段准确率", percent(payload["critical_accuracy_ratio"])))
    if payload["household_accuracy_ratio"] is not None:
        facts.append(("整户全对", percent(payload["household_accuracy_ratio"])))
    if payload["unverifiable_ratio"] is not None:
        facts.append(("无法核实", percent(payload["unverifiable_ratio"])))
    if payload["needed_household_count"] is not None:
        facts.append(("共需抽查户数", payload["needed_household_count"]))
    return {
        "bar": bar,
        "facts": facts,
        "accuracy": percent(payload["accuracy_ratio"]),
        "lower_bound": percent(payload["lower_bound_ratio"]),
        "interval": f"{percent(low)} – {percent(high)}",
        "target": percent(target),
        "target_code": one_line(payload["target_code"], 20),
        "axis_begin": percent(begin),
    }


def _refresh(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    as_of = date.fromisoformat(payload["as_of"])
    return f"{as_of.month}月{as_of.day}日的刷新失败", {
        "accent": _RED,
        "as_of": payload["as_of"],
        "refresh_id": payload["refresh_id"],
        "started_at": _local(payload["started_at"]),
    }


def _archive(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    start = date.fromisoformat(payload["quarter_start"])
    quarter = f"{start.year}年第{'一二三四'[(start.month - 1) // 3]}季度"
    return f"{quarter}的档案没有冻结", {"accent": _RED, "quarter": quarter}


def _app_outage(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    is_over = payload["ended_at"] is not None
    headline = "走访应用已恢复" if is_over else "走访应用读不到"
    return headline, {
        "accent": _AMBER,
        "banner": "走访应用",
        "why": headline,
        "is_over": is_over,
        "list_title": one_line(payload["list_title"] or "", 40),
        "reason": one_line(payload["reason"], _TEXT_LENGTH),
        "began_at": _local(payload["began_at"]),
        "ended_at": _local(payload["ended_at"]) if is_over else "",
    }


def _backlog(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    items = payload["items"]
    shown = items[-LISTED_ITEMS:]  # the newest are the least overtaken
    return f"积压的 {len(items)} 项告警", {
        "accent": _AMBER,
        "item_count": len(items),
        "items": [
            {
                "created_at": _local(item["created_at"]),
                "headline": one_line(item["headline"], _SUBJECT_LENGTH),
            }
            for item in shown
        ],
        "more_count": len(items) - len(shown),
    }


_CONTEXTS: Final = {
    "app_outage": _app_outage,
    "backlog": _backlog,
    "delivery": _delivery,
    "check": _check,
    "verdict": _verdict,
    "refresh": _refresh,
    "archive": _archive,
    "due": due_context,
    "supplier": supplier_context,
}


def _local(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M}"


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("quality", "templates"),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
