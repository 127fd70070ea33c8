"""What waits for a person, as it is shown: in the UI, on the command line, and as the check that warns of it.

Communities that owe a list stand below: there is nothing to decide, but somebody has to ask them.
"""

from typing import Any, Final

import dagster as dg
from sqlalchemy import Engine, Row, text

from infra.clock import BUSINESS_ZONE
from infra.errors import PermanentError
from orchestration.runs import STATUS_NAMES

CHECK_NAME: Final = "no_delivery_waits_for_a_person"
_COLUMNS: Final = ("来件编号", "什么", "为什么", "怎样处理")

_ASK_COMMUNITIES: Final = (
    "催这些社区报送；确已没有对象的，请其报一份只有表头的表，收到后用 confirm_partition_gone 确认"
)
_CHANGE_NAMES: Final = {"added": "新增", "removed": "减少", "changed": "改动", "unchanged": "未变"}
_HOLD_NAMES: Final = {
    "open": "待确认",
    "confirmed_gone": "已确认属实",
    "delivered": "已补报",
    "carried_on": "下一次来件仍缺",
}
_DECISION_NAMES: Final = {"release": "放行", "refuse": "拒收", "confirm_gone": "确认", "unlock": "提供密码"}


def waiting_items(engine: Engine) -> list[Row[Any]]:
    """Rows of ``ops.waiting``, those that wait longest first."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "select * from ops.waiting order by waits_since, delivery_id, community_name nulls first"
                )
            )
        )


def waiting_lines(engine: Engine) -> list[str]:
    """A few Chinese lines for each item: what, since when, why, what to do."""
    lines = []
    for item in waiting_items(engine):
        where = f"，社区 {item.community_name}" if item.community_name else ""
        lines += [
            f"来件 {item.delivery_id}《{item.list_title}》{item.file_name}{where}（等待自 {_local(item.waits_since)}）",
            f"    为什么：{item.reason}",
            f"    怎样处理：{item.next_step}（{_commands(item)}）",
        ]
    for row in missing_communities(engine):
        lines += [
            f"《{row.list_title}》{row.period_start} 至 {row.period_end}，没有报的社区：{row.communities}",
            f"    为什么：应报日 {row.due_date}，逾期 {row.days_late} 天",
            f"    怎样处理：{_ASK_COMMUNITIES}",
        ]
    return lines


def missing_communities(engine: Engine) -> list[Row[Any]]:
    """Lists and periods of which communities are missing, with their names; those missed longest first."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "select list_code, list_title, period_start, period_end, due_date, max(days_late) as days_late, "
                    "string_agg(community_name, '、' order by community_name) as communities "
                    "from ops.missing_community group by 1, 2, 3, 4, 5 order by days_late desc, list_code"
                )
            )
        )


def delivery_lines(engine: Engine, delivery_id: int) -> list[str]:
    """What the ledger knows of one delivery, in Chinese lines. Raises PermanentError when there is none."""
    with engine.connect() as connection:

        def ask(statement: str) -> list[Row[Any]]:
            return list(connection.execute(text(statement), {"id": delivery_id}))

        found = ask(
            "select delivery.*, coalesce(contract.title, delivery.list_code) as title from ops.delivery as delivery "
            "left join ops.contract as contract using (list_code) where delivery_id = :id"
        )
        if not found:
            raise PermanentError(
                f"查看来件 {delivery_id}", came="没有这次来件", next_step="用 yihu delivery list 查看来件编号"
            )
        changes = ask(
            "select change.*, coalesce(declared.header, change.column_name) as header from ops.delivery_change as change "
            "inner join ops.delivery as delivery using (delivery_id) left join ops.contract_column as declared "
            "on declared.list_code = delivery.list_code and declared.column_name = change.column_name "
            "where change.delivery_id = :id order by change.kind, declared.position nulls first"
        )
        holds = ask("select * from ops.partition_hold where delivery_id = :id order by community_name")
        decisions = ask("select * from ops.delivery_decision where delivery_id = :id order by decision_no")
    (delivery,) = found
    lines = [
        f"来件 {delivery_id}《{delivery.title}》{delivery.file_name}",
        f"  状态：{STATUS_NAMES[delivery.status]}  {delivery.reason or ''}".rstrip(),
        f"  清单日期 {delivery.snapshot_date or '不详'}，收到 {_local(delivery.received_at)}",
        f"  行 {delivery.row_count} = 接收 {delivery.accepted_count} + 隔离 {delivery.quarantined_count}"
        f"，提示 {delivery.warning_count} 条",
    ]
    if changes:
        totals = {change.kind: change.row_count for change in changes if not change.column_name}
        counted = "，".join(
            f"{name} {totals[kind]}" for kind, name in _CHANGE_NAMES.items() if kind in totals
        )
        lines.append(f"  与来件 {changes[0].replaces_delivery_id} 相比：{counted}")
        columns = [f"{change.header} {change.row_count} 行" for change in changes if change.column_name]
        if columns:
            lines.append(f"    改动的栏：{'，'.join(columns)}")
    lines += [
        f"  社区 {hold.community_name}：上次 {hold.last_row_count} 行，这次 {hold.row_count} 行，{_HOLD_NAMES[hold.status]}"
        for hold in holds
    ]
    lines += [
        f"  {_local(decision.decided_at)} {decision.decided_by} {_DECISION_NAMES[decision.decision]}"
        f"{decision.community_name or ''}{f'：{decision.why}' if decision.why else ''}"
        for decision in decisions
    ]
    return lines


def waiting_table(engine: Engine) -> dg.MetadataValue:
    """All items as a table that the UI shows; a sentence when there is none."""
    items = waiting_items(engine)
    missing = missing_communities(engine)
    if not items and not missing:
        return dg.MetadataValue.md("没有等待处理的来件。")
    # Four columns: the UI leaves a table little room.
    rows = [
        (
            item.delivery_id,
            f"《{item.list_title}》{f'**{item.community_name}**，' if item.community_name else ''}{item.file_name}，"
            f"清单日期 {item.snapshot_date or '不详'}，等待自 {_local(item.waits_since)}",
            item.reason,
            f"{item.next_step}。任务：{item.job_names}",
        )
        for item in items
    ] + [
        (
            "",
            f"《{row.list_title}》没有报的社区：**{row.communities}**，{row.period_start} 至 {row.period_end}",
            f"应报日 {row.due_date}，逾期 {row.days_late} 天",
            _ASK_COMMUNITIES,
        )
        for row in missing
    ]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines))


def check_waiting(engine: Engine, asset_key: dg.AssetKey) -> dg.AssetCheckEvaluation:
    """Whether nothing waits, and nothing was refused since the newest refresh began."""
    items = waiting_items(engine)
    with engine.connect() as connection:
        counted = connection.execute(
            text(
                "select coalesce(contract.title, delivery.list_code) as title, delivery.status, count(*) as count "
                "from ops.delivery as delivery left join ops.contract as contract using (list_code) "
                "where delivery.status = 'held' or (delivery.status = 'refused' "
                "and delivery.reason_code is distinct from 'superseded' "
                "and delivery.received_at >= (select started_at from ops.current_refresh) "
                # What a person refused needs nobody any more.
                "and not exists (select from ops.delivery_decision as decision "
                "where decision.delivery_id = delivery.delivery_id and decision.decision = 'refuse')) "
                "group by 1, 2 order by 1, 2"
            )
        ).all()
    communities = sum(item.community_name is not None for item in items)
    summary = [f"《{row.title}》{STATUS_NAMES[row.status]} {row.count} 件" for row in counted]
    if communities:
        summary.append(f"待确认的社区 {communities} 个")
    return dg.AssetCheckEvaluation(
        asset_key=asset_key,
        check_name=CHECK_NAME,
        passed=not summary,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "待处理": dg.MetadataValue.text("；".join(summary) or "无"),
            "等待处理": waiting_table(engine),
        },
    )


def _commands(item: Row[Any]) -> str:
    if item.community_name:
        return f"yihu delivery confirm-gone {item.delivery_id} --community {item.community_name}"
    if item.reason_code == "needs_password":
        return f"yihu delivery unlock {item.delivery_id} 或 refuse {item.delivery_id}"
    if "release" not in item.job_names:
        return f"yihu delivery refuse {item.delivery_id}"
    return f"yihu delivery release {item.delivery_id} 或 refuse {item.delivery_id}"


def _local(instant: Any) -> str:
    return f"{instant.astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M}"


def _cell(value: object) -> str:
    return str(value).replace("|", "｜").replace("\n", " ")
