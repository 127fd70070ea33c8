"""What the mails about receipts and due dates say: to a department, and to data staff.

As in `quality.messages`, which builds the mails: nothing is looked up here, deliveries are list and number, never a file
name, and text of others is folded to one line and capped.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from infra.clock import BUSINESS_ZONE
from quality.wording import one_line

LISTED_ITEMS: Final = 30
_KINDS_OF_A_RECEIPT: Final = 5
_TEXT_LENGTH: Final = 400
_RED, _AMBER, _GREEN = "#b42318", "#b54708", "#1f6f43"
STATUS_NAMES: Final = {"loaded": "接收", "held": "扣留", "refused": "拒收", "duplicate": "重复"}
_STATUS_COLOURS: Final = {"loaded": _GREEN, "held": _AMBER, "refused": _RED, "duplicate": "#52606d"}
_DUE_NAMES: Final = {"late": "迟报", "missing": "逾期未报", "pending": "即将到期"}
_OWING_NAMES: Final = {"late": "迟报的社区", "missing": "没有报的社区", "pending": "还没有报的社区"}
_BANNER: Final = "数据报送回执"
# Reasons of the ledger that call for something else than mending rows.
_LOCKED, _EMPTY = "needs_password", "no_rows"
# A refusal by which nothing is lost: a later delivery took its place.
_CORRECTED: Final = "superseded"


def supplier_context(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Headline and context of a mail to a department."""
    receipts, dues = payload["receipts"], payload["dues"]
    name = one_line(payload["department_name"], 40)
    unused_count = sum(_is_unused(item) for item in receipts)
    missing_count = sum(item["status"] == "missing" and not item.get("is_held") for item in dues)
    soon_count = sum(not item.get("is_held") for item in dues)
    said = []
    if len(receipts) == 1:
        only = receipts[0]
        # No number between two spaces: the standard library drops one of them when it folds a subject.
        title = one_line(only["list_title"], 40)
        said.append(f"{title}（来件{only['delivery_id']}）的回执：{_status_name(only)}")
    elif receipts:
        said.append(f"{len(receipts)} 件来件的回执" + (f"，{unused_count} 件未使用" if unused_count else ""))
    if missing_count:
        said.append(f"{missing_count} 份清单逾期未报")
    elif soon_count:
        said.append(f"{soon_count} 份清单即将到期")
    elif dues and not receipts:
        said.append(f"{len(dues)} 份清单已收到，扣留中")
    steps = []
    if any(item.get("reason_code") == _LOCKED and item["status"] == "held" for item in receipts):
        steps.append("设有打开密码的文件：取消密码重新报送，或电话告知街道数据人员密码；密码不要写在邮件里。")
    if any(_is_empty(item) for item in receipts):
        steps.append(
            "没有数据行的文件：漏填的补上后重新报送；确已没有对象的不必重报，把来件编号告诉街道数据人员，由其确认。"
        )
    if any(item.get("waiting_communities") for item in receipts):
        steps.append(
            "待确认的社区：漏报的补上后重新报送整份文件；确无对象或确实少了的，告诉街道数据人员，由其确认。"
        )
    if any(_needs_mending(item) for item in receipts):
        steps.append("打开回执，先看“问题汇总”，再按“逐行问题”中的行号和“怎样改”在原表中改正。")
        if any(_needs_mending(item) and item.get("is_snapshot", True) for item in receipts):
            steps.append(
                "每次报完整名单的清单：有行没有使用的，改正后把整份文件重新放入清单的文件夹；只有提示的，下次报送时一并改好。"
            )
        if any(_needs_mending(item) and not item.get("is_snapshot", True) for item in receipts):
            steps.append(
                "只报新增或变动的清单：把有问题的行改正后再报一次，编号不变即为更正，不必重报其余行；是哪个编号见回执的“请接着做”。"
            )
    if soon_count:
        steps.append("把清单文件放入来件文件夹中本部门、本清单的文件夹；确无变化也请照常报送。")
    shown = receipts[-LISTED_ITEMS:]
    return "；".join(said), {
        "banner": _BANNER,
        "accent": _RED
        if missing_count or any(item["status"] == "refused" and _is_unused(item) for item in receipts)
        else (_AMBER if unused_count or dues else _GREEN),
        "department_name": name,
        "receipts": [_receipt(item) for item in shown],
        "more_count": len(receipts) - len(shown),
        "dues": [_due(item) for item in dues[:LISTED_ITEMS]],
        "more_due_count": max(0, len(dues) - LISTED_ITEMS),
        "next_steps": steps or ["没有需要改正的地方，回执请留存。"],
    }


def due_context(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Headline and context of a mail to data staff about late and missing lists."""
    items = payload["items"]
    missing_count = sum(item["status"] == "missing" for item in items)
    late_count = len(items) - missing_count
    if len(items) == 1:
        headline = f"{one_line(items[0]['list_title'], 40)}{_DUE_NAMES[items[0]['status']]}"
    else:
        parts = [f"{missing_count} 份清单逾期未报"] if missing_count else []
        parts += [f"{late_count} 份迟报"] if late_count else []
        headline = "，".join(parts)
    return headline, {
        "accent": _RED if missing_count else _AMBER,
        "as_of": payload["as_of"],
        "missing_count": missing_count,
        "late_count": late_count,
        "items": [_due(item) for item in items[:LISTED_ITEMS]],
        "more_count": max(0, len(items) - LISTED_ITEMS),
    }


def _is_empty(item: Mapping[str, Any]) -> bool:
    return item["status"] == "refused" and item.get("reason_code") == _EMPTY and bool(item.get("is_snapshot"))


def _is_unused(item: Mapping[str, Any]) -> bool:
    return item["status"] in ("held", "refused") and item.get("reason_code") != _CORRECTED


def _status_name(item: Mapping[str, Any]) -> str:
    return "已更正" if item.get("reason_code") == _CORRECTED else STATUS_NAMES[item["status"]]


def _needs_mending(item: Mapping[str, Any]) -> bool:
    if item.get("reason_code") in (_LOCKED, _CORRECTED) or _is_empty(item):
        return False  # nothing of a row is to be mended
    return item["status"] in ("held", "refused") or bool(item["warning_count"] or item["kinds"])


def _receipt(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "delivery_id": item["delivery_id"],
        "version": item["version"],
        "list_title": one_line(item["list_title"], 40),
        "status_name": _status_name(item),
        "colour": _STATUS_COLOURS["loaded" if item.get("reason_code") == _CORRECTED else item["status"]],
        "reason": one_line(item["reason"] or "", _TEXT_LENGTH),
        "waiting_communities": one_line("、".join(item.get("waiting_communities") or ()), _TEXT_LENGTH),
        "row_count": item["row_count"],
        "accepted_count": item["accepted_count"],
        "quarantined_count": item["quarantined_count"],
        "warning_count": item["warning_count"],
        "received_at": f"{datetime.fromisoformat(item['received_at']).astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M}",
        "kinds": [
            f"{kind['count']} 条："
            + (f"“{one_line(kind['header'], 40)}”" if kind["header"] else "")
            + one_line(f"{kind['problem']}。{kind['remedy']}。", _TEXT_LENGTH)
            for kind in item["kinds"][:_KINDS_OF_A_RECEIPT]
        ],
    }


def _due(item: Mapping[str, Any]) -> dict[str, Any]:
    first, last = date.fromisoformat(item["first_day"]), date.fromisoformat(item["last_day"])
    period = f"{first:%Y-%m-%d}" if first == last else f"{first:%Y-%m-%d} 至 {last:%Y-%m-%d}"
    return {
        "list_title": one_line(item["list_title"], 40),
        "status_name": f"已收到（来件 {item['held_delivery_id']}），扣留中"
        if item.get("is_held")
        else _DUE_NAMES[item["status"]],
        "colour": _AMBER
        if item.get("is_held")
        else {"missing": _RED, "late": _AMBER, "pending": _AMBER}[item["status"]],
        "period": period,
        "due_date": item["due_date"] + ("（暂定）" if item["is_provisional"] else ""),
        "days_late": 0 if item.get("is_held") else item["days_late"],
        "delivery_id": item["delivery_id"],
        "communities": one_line(_owing(item), _TEXT_LENGTH),
    }


def _owing(item: Mapping[str, Any]) -> str:
    """Which communities it is about, in a list that each delivers for itself; empty for any other."""
    days: Mapping[str, int] = item.get("communities") or {}
    if not days:
        return ""
    single = len(set(days.values())) == 1
    names = "、".join(f"{name}" if single else f"{name}（{late} 天）" for name, late in days.items())
    came = item.get("held_delivery_id")
    return f"{_OWING_NAMES[item['status']]}：{names}" + (f"（来件 {came} 已收到，扣留中）" if came else "")
