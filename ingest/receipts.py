"""Receipts: what a supplier gets back for each delivery, as a workbook, row by row what to mend.

A receipt holds row numbers, column names and rules, never a value, so that it may lie in a shared folder and go by
mail. No cell can be taken for a formula (B80).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, text

from infra.clock import BUSINESS_ZONE
from ingest.contract import load_contracts
from ingest.messages import REFUSED_WITH_DELIVERY, parts

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

_STATUS_NAMES: Final = {
    "loaded": "接收",
    "held": "扣留，待确认（暂不使用）",
    "refused": "拒收",
    "duplicate": "重复，不再登记",
}
_DATE_SOURCES: Final = {
    "note_row": "表中填报日期",
    "file_name": "文件名",
    "watermark": "数据库水位",
    "arrival": "收到日期",
}
_UNSAFE_IN_NAMES: Final = re.compile(r"[^\w.\-（）()一-龥]+")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MAX_NAME_BYTES: Final = 150
_RECEIPT_NAME: Final = re.compile(r"回执-(\d+)-")
_DETAIL_HEADINGS: Final = ("工作表", "行号", "栏目", "处理", "问题", "怎样改")
_WIDTHS: Final = (14, 8, 18, 10, 60, 50)


def write_receipts(engine: Engine, folder: Path, delivery_ids: Iterable[int]) -> list[Path]:
    """Write one receipt for each delivery, over an earlier one.

    Args:
        engine: The warehouse.
        folder: Receipts go to ``<folder>/<department>/<list>/回执-<delivery_id>-<file name>.xlsx``.
        delivery_ids: Deliveries of the ledger; unknown ids are left out.

    Returns:
        The files written, in the order of the deliveries.
    """
    written = []
    with engine.connect() as connection:
        for delivery_id in delivery_ids:
            delivery = (
                connection.execute(
                    text("select * from ops.delivery where delivery_id = :id"), {"id": delivery_id}
                )
                .mappings()
                .first()
            )
            if delivery is None:
                continue
            target = folder / _safe(delivery["department"]) / _safe(delivery["list_code"])
            target.mkdir(parents=True, exist_ok=True)
            path = (
                target
                / f"回执-{delivery_id}-{_safe(delivery['file_name'].rpartition('.')[0] or delivery['file_name'])}.xlsx"
            )
            _write(connection, dict(delivery), path)
            written.append(path)
    return written


def write_missing_receipts(engine: Engine, folder: Path) -> list[Path]:
    """Write the receipts of all deliveries that have none in `folder`, also of those a broken run left without one."""
    found = (_RECEIPT_NAME.match(path.name) for path in folder.rglob("*.xlsx"))
    present = [int(match[1]) for match in found if match]
    with engine.connect() as connection:
        missing = connection.scalars(
            text(
                "select delivery_id from ops.delivery where delivery_id <> all(:present) order by delivery_id"
            ),
            {"present": present},
        ).all()
    return write_receipts(engine, folder, missing)


def _write(connection: Connection, delivery: dict[str, Any], path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    summary = book.create_sheet("回执")
    summary.column_dimensions["A"].width = 18
    summary.column_dimensions["B"].width = 90
    for row in _summary_rows(delivery):
        _append(summary, row)
    detail = book.create_sheet("逐行问题")
    detail.freeze_panes = "A2"
    for index, width in enumerate(_WIDTHS):
        detail.column_dimensions["ABCDEF"[index]].width = width
    _append(detail, _DETAIL_HEADINGS, is_heading=True)
    for row in _detail_rows(connection, delivery):
        _append(detail, row)
    draft = path.with_name(f".{path.name}.part")
    book.save(draft)
    draft.replace(path)


def _summary_rows(delivery: dict[str, Any]) -> list[tuple[Any, ...]]:
    contract = load_contracts().get(delivery["list_code"])
    layout = delivery["layout"] or {}
    received = delivery["received_at"].astimezone(BUSINESS_ZONE)
    rows: list[tuple[Any, ...]] = [
        ("来件编号", delivery["delivery_id"]),
        ("清单", contract.title if contract else delivery["list_code"]),
        ("文件", delivery["file_name"]),
        ("收到时间", f"{received:%Y-%m-%d %H:%M}（北京时间）"),
        ("处理结果", _STATUS_NAMES[delivery["status"]]),
    ]
    if delivery["reason"]:
        rows.append(("原因", delivery["reason"]))
    if delivery["snapshot_date"]:
        source = _DATE_SOURCES.get(delivery["snapshot_date_source"], "")
        rows.append(("清单日期", f"{delivery['snapshot_date']}（依据：{source}）"))
    footers = layout.get("footer_count", 0)
    rows += [
        ("数据行数", delivery["row_count"]),
        ("接收", delivery["accepted_count"]),
        (
            "隔离（不能使用）",
            f"{delivery['quarantined_count']} 行" + (f"，其中合计、表尾 {footers} 行" if footers else ""),
        ),
        ("需要改正的提示", delivery["warning_count"]),
    ]
    how = "，".join(f"{name}：{value}" for name, value in layout.get("read_as", {}).items())
    if how:
        rows.append(("读取方式", how))
    for table in layout.get("tables", ()):
        place = f"“{table['sheet']}”" if table["sheet"] else ""
        rows.append(("表头", f"{place}第 {table['header_row']} 行"))
        if table["renamed"]:
            rows.append(
                ("表头的叫法", "，".join(f"“{seen}”作“{ours}”" for ours, seen in table["renamed"].items()))
            )
        if table["unknown"]:
            rows.append(("未采用的栏", "、".join(table["unknown"]) + "（数据约定之外，不保存）"))
    rows.extend(("说明", note) for note in layout.get("notes", ()))
    rows.append(("请注意", "回执只列行号和问题，不含任何人的信息。行号按文件中的行数，表头也算一行。"))
    return rows


def _detail_rows(connection: Connection, delivery: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    contract = load_contracts().get(delivery["list_code"])
    headers = {column.name: column.header for column in contract.columns} if contract else {}
    found = connection.execute(
        text(
            "select sheet_name, row_number, rule, column_name, message, '隔离' as handling from ops.quarantined_row "
            "where delivery_id = :id union all select sheet_name, row_number, rule, column_name, message, '接收' "
            "from ops.row_warning where delivery_id = :id order by sheet_name, row_number, handling desc, rule"
        ),
        {"id": delivery["delivery_id"]},
    )
    is_refused = delivery["status"] == "refused"
    for row in found:
        if row.rule == REFUSED_WITH_DELIVERY:
            continue  # said once, as the reason of the delivery
        header = headers.get(row.column_name or "", "")
        problem, remedy = parts(row.rule, is_quarantined=row.handling == "隔离")
        # The stored message may say more than the rule (the number of the other row); its halves stand apart here.
        stated = row.message.removeprefix(f"“{header}”：").removesuffix(f"。{remedy}。")
        yield (
            row.sheet_name,
            row.row_number,
            header,
            "未使用" if is_refused and row.handling == "接收" else row.handling,
            stated if problem else row.message,
            remedy,
        )


def _append(sheet: WriteOnlyWorksheet, values: Sequence[Any], *, is_heading: bool = False) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font

    cells = []
    for value in values:
        cell = WriteOnlyCell(sheet, _harmless(value))
        if isinstance(value, str):
            cell.data_type = "s"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        if is_heading:
            cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)


def _harmless(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula: an apostrophe goes first where one could begin."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _safe(name: str) -> str:
    """A name fit for a file: letters, digits, Chinese, points; not too long, never a path."""
    cleaned = _UNSAFE_IN_NAMES.sub("_", name).strip("._") or "_"
    while len(cleaned.encode()) > _MAX_NAME_BYTES:
        cleaned = cleaned[:-1]
    return cleaned
