"""What a receipt says about one delivery: counts, kinds of problems, lines, changes, what to do next.

The same content goes into the workbook (`ingest.receipt_workbook`) and, key for key, into the JSON file. It holds line
numbers, column names, rules and counts, never a value of a row. When a receipt is written is `ingest.receipts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

from infra.clock import BUSINESS_ZONE
from ingest.column_words import words
from ingest.contract import Contract, load_contracts
from ingest.guidance import how_to_correct
from ingest.messages import REFUSED_WITH_DELIVERY
from ingest.superseded import SUPERSEDED

SCHEMA_NAME: Final = "yihu.receipt"
# Raised in its first part when a key changes its meaning or goes, in its second when one is added.
SCHEMA_VERSION: Final = "1.2"

STATUS_NAMES: Final = {
    "loaded": "接收",
    "held": "扣留，待确认（暂不使用）",
    "refused": "拒收",
    "duplicate": "重复，不再登记",
}
DATE_SOURCES: Final = {
    "note_row": "表中填报日期",
    "file_name": "文件名",
    "watermark": "数据库水位",
    "arrival": "收到日期",
}
# Of a delivery that nobody has to do anything about any more.
CORRECTED_NAME: Final = "已更正，不再使用"
DECISION_NAMES: Final = {
    "release": "放行",
    "refuse": "拒收",
    "confirm_gone": "确认属实",
    "unlock": "提供密码",
}
HANDLING_NAMES: Final = {"accepted": "接收", "quarantined": "隔离", "unused": "未使用"}
CHANGE_NAMES: Final = {"added": "新增", "removed": "减少", "changed": "改动", "unchanged": "未变"}
# The same of a list whose files bring new rows only.
CORRECTION_NAMES: Final = CHANGE_NAMES | {"changed": "更正", "unchanged": "与以前相同"}
DIMENSION_NAMES: Final = {
    "conformity": "规范性",
    "completeness": "完整性",
    "accuracy": "准确性",
    "consistency": "一致性",
    "timeliness": "时效性",
    "accessibility": "可访问性",
}
FOOTER_RULE: Final = "total_row"

MISSING_COLUMN: Final = "required_column_missing"
# What is said of the whole file, and not again on each of its rows.
_OF_THE_FILE: Final = [REFUSED_WITH_DELIVERY, MISSING_COLUMN]

# Both kinds of notes on rows, as one: what was set aside and what was accepted with a remark.
_NOTES: Final = """
    select sheet_name, row_number, rule, column_name, message, 'quarantined' as handling, 0 as note_no
    from ops.quarantined_row
    where delivery_id = :id and rule <> all(:whole)
    union all
    select sheet_name, row_number, rule, column_name, message, 'accepted', warning_id
    from ops.row_warning
    where delivery_id = :id
"""


def content_of(connection: Connection, delivery: Mapping[str, Any], receipt_no: int) -> dict[str, Any]:
    """Everything a receipt says but its single lines (:func:`problems_of`).

    Args:
        connection: The warehouse.
        delivery: The row of ``ops.delivery``.
        receipt_no: 1 for the first receipt of the delivery.
    """
    contract = load_contracts().get(delivery["list_code"])
    kinds = _kinds(connection, delivery, contract)
    holds = _open_holds(connection, delivery["delivery_id"])
    footer_count = sum(kind["count"] for kind in kinds if kind["rule"] == FOOTER_RULE)
    return {
        "schema": SCHEMA_NAME,
        "schema_version": SCHEMA_VERSION,
        "receipt_no": receipt_no,
        "delivery": {
            "delivery_id": delivery["delivery_id"],
            "department": delivery["department"],
            "list_code": delivery["list_code"],
            "list_title": contract.title if contract else delivery["list_code"],
            "file_name": delivery["file_name"],
            "received_at": delivery["received_at"].astimezone(BUSINESS_ZONE).isoformat(timespec="seconds"),
            "status": delivery["status"],
            "status_name": CORRECTED_NAME
            if delivery["reason_code"] == SUPERSEDED
            else STATUS_NAMES[delivery["status"]],
            "reason_code": delivery["reason_code"],
            "reason": delivery["reason"],
            "duplicate_of": delivery["duplicate_of"],
            "superseded_by": delivery["superseded_by"],
            "snapshot_date": str(delivery["snapshot_date"]) if delivery["snapshot_date"] else None,
            "snapshot_date_source": delivery["snapshot_date_source"],
        },
        "counts": {
            "row_count": delivery["row_count"],
            "accepted_count": delivery["accepted_count"],
            "quarantined_count": delivery["quarantined_count"],
            "footer_count": footer_count,
            "warning_count": delivery["warning_count"],
        },
        "next_step": _next_step(
            delivery, contract, footer_count, _faulty_row_count(connection, delivery), has_holds=bool(holds)
        ),
        "decisions": _decisions(connection, delivery["delivery_id"]),
        "supersedes": _supersedes(connection, delivery["delivery_id"]),
        "reading": [{"what": what, "how": how} for what, how in _reading(delivery["layout"] or {})],
        "kinds": kinds,
        "waiting_communities": holds,
        "owing_communities": _owing(connection, delivery),
        "replaces": _replaces(connection, delivery["delivery_id"], contract),
        "scorecard": _scorecard(connection, delivery),
    }


def problems_of(
    connection: Connection, delivery: Mapping[str, Any], most_of_a_kind: int | None = None
) -> Iterator[dict[str, Any]]:
    """The single lines, by sheet and line number.

    Args:
        connection: The warehouse.
        delivery: The row of ``ops.delivery``.
        most_of_a_kind: At most so many of each rule, column and handling; None for all.
    """
    contract = load_contracts().get(delivery["list_code"])
    headers = _headers(contract)
    rows = connection.execute(
        text(
            "select * from (select notes.*, row_number() over (partition by rule, column_name, handling "
            f"order by sheet_name, row_number, note_no) as place_in_kind from ({_NOTES}) as notes) as numbered "
            "where cast(:most as bigint) is null or place_in_kind <= :most "
            "order by sheet_name, row_number, handling desc, rule, note_no"
        ),
        {"id": delivery["delivery_id"], "whole": _OF_THE_FILE, "most": most_of_a_kind},
        execution_options={"yield_per": 5000},
    )
    for kind in _missing_columns(connection, delivery, contract):
        yield {"sheet": "", "row": None, **{name: kind[name] for name in kind if name != "count"}}
    for row in rows:
        header = headers.get(row.column_name or "", "")
        column = contract.column(row.column_name) if contract and row.column_name else None
        problem, remedy = words(row.rule, column, contract, is_quarantined=row.handling == "quarantined")
        # The stored message may say more than the rule (the number of the other row); its halves stand apart here.
        stated = row.message.removeprefix(f"“{header}”：").removesuffix(f"。{remedy}。")
        yield {
            "sheet": row.sheet_name,
            "row": row.row_number,
            "column": row.column_name,
            "header": header,
            "handling": _handling(row.handling, delivery["status"]),
            "rule": row.rule,
            "problem": stated if problem else row.message,
            "remedy": remedy,
        }


def _kinds(
    connection: Connection, delivery: Mapping[str, Any], contract: Contract | None
) -> list[dict[str, Any]]:
    """The problems by rule and column: first what could not be used, then most frequent first."""
    headers = _headers(contract)
    found = connection.execute(
        text(
            "select rule, column_name, handling, count(*) as count, min(message) as message "
            f"from ({_NOTES}) as notes group by rule, column_name, handling "
            "order by handling desc, count(*) desc, rule, column_name"
        ),
        {"id": delivery["delivery_id"], "whole": _OF_THE_FILE},
    )
    kinds = _missing_columns(connection, delivery, contract)
    for row in found:
        column = contract.column(row.column_name) if contract and row.column_name else None
        problem, remedy = words(row.rule, column, contract, is_quarantined=row.handling == "quarantined")
        kinds.append(
            {
                "rule": row.rule,
                "column": row.column_name,
                "header": headers.get(row.column_name or "", ""),
                "handling": _handling(row.handling, delivery["status"]),
                "count": row.count,
                "problem": problem or row.message,
                "remedy": remedy,
            }
        )
    return kinds


def _missing_columns(
    connection: Connection, delivery: Mapping[str, Any], contract: Contract | None
) -> list[dict[str, Any]]:
    """A column that the file lacks: one problem, not one on each of its rows."""
    names = connection.scalars(
        text(
            "select distinct column_name from ops.quarantined_row where delivery_id = :id and rule = :rule "
            "order by column_name"
        ),
        {"id": delivery["delivery_id"], "rule": MISSING_COLUMN},
    ).all()
    problem, remedy = words(MISSING_COLUMN, None, contract, is_quarantined=True)
    return [
        {
            "rule": MISSING_COLUMN,
            "column": name,
            "header": _headers(contract).get(name or "", ""),
            "handling": "quarantined",
            "count": 1,
            "problem": problem,
            "remedy": remedy,
        }
        for name in names
    ]


def _handling(handling: str, status: str) -> str:
    return "unused" if status == "refused" and handling == "accepted" else handling


def _headers(contract: Contract | None) -> dict[str, str]:
    return {column.name: column.header for column in contract.columns} if contract else {}


def _next_step(
    delivery: Mapping[str, Any],
    contract: Contract | None,
    footer_count: int,
    faulty_row_count: int,
    *,
    has_holds: bool,
) -> str:
    """One sentence that says what the sender has to do now."""
    if delivery["source_path"].startswith("app://"):
        return _next_step_in_app(delivery, footer_count)
    is_snapshot = contract is not None and contract.is_snapshot
    match delivery["status"]:
        case "duplicate":
            return f"不必处理：内容与来件 {delivery['duplicate_of']} 完全相同；如本想更正，请改好后重新报送。"
        case "refused" if delivery["reason_code"] == SUPERSEDED:
            return f"不必处理：更正的来件 {delivery['superseded_by']} 已接收，以它为准。"
        case "refused" if delivery["reason_code"] == "no_rows" and is_snapshot:
            return (
                "漏填的补上后重新报送；确已没有对象的不必重报，"
                f"把来件编号 {delivery['delivery_id']} 告诉街道数据人员，由其确认。"
            )
        case "refused":
            return "本次来件没有使用：请按原因改正后，把整份文件重新放入清单的文件夹。"
        case "held" if delivery["reason_code"] == "needs_password":
            return "请取消密码后重新报送（放入清单的文件夹），或电话告知街道数据人员密码，由其打开一次；密码不要写在邮件里。"
        case "held" if delivery["accepted_count"] == 0:
            return "本次来件还不能使用：请按原因补齐后，把整份文件重新放入清单的文件夹。"
        case "held":
            return "请等待数据人员核对：数据无误会放行；如发现文件有误，不必等待，改正后直接重新报送。"
    missing = delivery["quarantined_count"] - footer_count
    if contract is not None and not is_snapshot and faulty_row_count:
        return _next_step_of_rows(contract, faulty_row_count, missing)
    if missing > 0:
        return f"有 {missing} 行没有使用：请在原表中按“怎样改”改正，把整份文件重新放入清单的文件夹。"
    if has_holds:
        return "请核对“待确认的社区”：确无对象的告诉数据人员，漏报的补上后重新报送整份文件。"
    if delivery["warning_count"]:
        return "数据已接收，不必重报：请在原表中按“怎样改”改好，下次报送时一并带来。"
    return "全部接收，没有需要改正的地方。"


def _next_step_of_rows(contract: Contract, faulty_row_count: int, missing: int) -> str:
    """The same of a list whose files bring new rows only: what is not mended now never comes again."""
    taken = f"其中 {missing} 行没有使用" if missing > 0 else "数据已接收"
    return f"{taken}：{how_to_correct(contract, f'这 {faulty_row_count} 行')}。"


def _next_step_in_app(delivery: Mapping[str, Any], footer_count: int) -> str:
    """The same of a pull: rows are mended where they are, and come by themselves."""
    if delivery["status"] == "refused":
        return "这次取数没有使用：请按原因在走访应用中改正，平台会自动再取，不必另报文件。"
    if delivery["status"] == "held":
        return "请等待数据人员核对；应用有误的，恢复后平台会自动再取。"
    if delivery["quarantined_count"] > footer_count or delivery["warning_count"]:
        return "请在走访应用中按“怎样改”改正，改过的行平台会自动再取，不必另报文件。"
    return "全部接收，没有需要改正的地方。"


def _reading(layout: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How the file was read: headers only."""
    how = "，".join(f"{name}：{value}" for name, value in layout.get("read_as", {}).items())
    if how:
        yield "读取方式", how
    for table in layout.get("tables", ()):
        place = f"“{table['sheet']}”" if table["sheet"] else ""
        yield "表头", f"{place}第 {table['header_row']} 行"
        if table["renamed"]:
            yield "表头的叫法", "，".join(f"“{seen}”作“{ours}”" for ours, seen in table["renamed"].items())
        if table["unknown"]:
            yield "未采用的栏", "、".join(table["unknown"]) + "（数据约定之外，不保存）"
    for note in layout.get("notes", ()):
        yield "说明", note


def _faulty_row_count(connection: Connection, delivery: Mapping[str, Any]) -> int:
    """Rows about which anything is said, footers apart."""
    count: int = connection.execute(
        text(
            f"select count(distinct (sheet_name, row_number)) from ({_NOTES}) as notes "
            "where rule is distinct from :footer"
        ),
        {"id": delivery["delivery_id"], "whole": _OF_THE_FILE, "footer": FOOTER_RULE},
    ).scalar_one()
    return count


def _decisions(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    """What people decided about the delivery, in that order: who, on which day, what, why."""
    rows = connection.execute(
        text("select * from ops.delivery_decision where delivery_id = :id order by decision_no"),
        {"id": delivery_id},
    )
    return [
        {
            "by": row.decided_by,
            "at": row.decided_at.astimezone(BUSINESS_ZONE).isoformat(timespec="seconds"),
            "what": row.decision,
            "what_name": DECISION_NAMES[row.decision],
            "community_name": row.community_name,
            "why": row.why,
        }
        for row in rows
    ]


def _supersedes(connection: Connection, delivery_id: int) -> list[int]:
    """The held deliveries that this one corrected."""
    return list(
        connection.scalars(
            text("select delivery_id from ops.delivery where superseded_by = :id order by delivery_id"),
            {"id": delivery_id},
        )
    )


def _open_holds(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        text(
            "select community_name, row_count, last_delivery_id, last_row_count from ops.partition_hold "
            "where delivery_id = :id and status = 'open' order by community_name"
        ),
        {"id": delivery_id},
    ).mappings()
    return [dict(row) for row in rows]


def _owing(connection: Connection, delivery: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of a list by community, those that had not delivered for the delivery's period when the clock was last set."""
    rows = connection.execute(
        text(
            "select community_name, due.due_date, community.days_late from ops.delivery_due as due "
            "inner join ops.delivery_due_community as community using (list_code, period_start) "
            "where list_code = :list_code and :snapshot_date between period_start and period_end "
            "and community.status in ('missing', 'pending') order by community_name"
        ),
        {"list_code": delivery["list_code"], "snapshot_date": delivery["snapshot_date"]},
    ).mappings()
    return [{**row, "due_date": str(row["due_date"])} for row in rows]


def _replaces(connection: Connection, delivery_id: int, contract: Contract | None) -> dict[str, Any] | None:
    """What changed against the delivery this one replaces, in rows; None when it replaces none."""
    rows = connection.execute(
        text(
            "select replaces_delivery_id, kind, column_name, row_count from ops.delivery_change "
            "where delivery_id = :id order by column_name <> '', kind, row_count desc, column_name"
        ),
        {"id": delivery_id},
    ).all()
    if not rows:
        return None
    headers = _headers(contract)
    return {
        "delivery_id": rows[0].replaces_delivery_id,
        # A file of new rows takes the place of no other one: it corrects and adds rows.
        "is_whole": contract is None or contract.is_snapshot,
        "changes": [
            {
                "kind": row.kind,
                "column": row.column_name or None,
                "header": headers.get(row.column_name, row.column_name),
                "row_count": row.row_count,
            }
            for row in rows
        ],
    }


def _scorecard(connection: Connection, delivery: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scores of this list in the month of arrival as far as they are known now; None before they are."""
    rows = connection.execute(
        text(
            "select month, dimension, numerator, denominator, ratio, how from quality.supplier_scorecard "
            "where list_code = :list_code and department = :department and month = ("
            "select date_trunc('month', arrived_on)::date from ops.delivery_arrival where delivery_id = :id)"
        ),
        {
            "list_code": delivery["list_code"],
            "department": delivery["department"],
            "id": delivery["delivery_id"],
        },
    ).all()
    if not rows:
        return None
    by_dimension = {row.dimension: row for row in rows}
    return {
        "month": f"{rows[0].month:%Y-%m}",
        "dimensions": [
            {
                "dimension": dimension,
                "name": name,
                "numerator": row.numerator,
                "denominator": row.denominator,
                "ratio": None if row.ratio is None else float(row.ratio),
                "how": row.how,
            }
            for dimension, name in DIMENSION_NAMES.items()
            if (row := by_dimension.get(dimension)) is not None
        ],
    }
