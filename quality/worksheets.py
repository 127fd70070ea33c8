"""The work sheets inspectors fill in: one xlsx a community, made from the stored items of a draw.

The headers are the contract `audit_return` of ingest: a filled-in sheet is a delivery. What is on a line was
decided and stored by `quality.audit`; nothing is looked up here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.files import write_private_file

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

HEADERS: Final = (
    "抽查编号",
    "家庭ID",
    "人员ID",
    "社区",
    "地址",
    "姓名",
    "核查字段",
    "登记值",
    "核实结果",
    "核实值",
    "核查人",
    "核查日期",
    "备注",
)
RESULTS: Final = ("正确", "错误", "已变更", "无法核实", "不适用")

_WIDTHS: Final = (18, 15, 15, 12, 34, 12, 16, 34, 12, 24, 10, 13, 24)
_FILLED_IN: Final = {"核实结果", "核实值", "核查人", "核查日期", "备注"}
# Shown as comments on the headers: a second sheet would be one more table for a reader to tell from data.
_COMMENTS: Final = {
    "抽查编号": "每一行核查一户或一人的一个字段。灰色各列请勿改动；黄色各列由核查人填写。\n"
    "请由未走访过该户的人员核查。填好后原样存为 xlsx，放入来件文件夹的 supervision/audit_return 下。",
    "登记值": "证件号码和电话只给出遮盖后的样子，请核对未遮盖的各位。",
    "核实结果": "正确、错误、已变更（登记时正确，其后发生变化）、无法核实、不适用。\n"
    "至少上门三次（含晚间和周末）仍见不到人的，选“无法核实”。",
    "核实值": "选“错误”或“已变更”时写明实际情况。",
}


@dataclass(frozen=True)
class SheetLine:
    """One line of a work sheet, as drawn."""

    audit_no: str
    household_id: str
    person_id: str | None
    community_name: str
    address: str | None
    person_name: str | None
    field_name: str
    registered_value: str | None


def write_work_sheets(folder: Path, month: date, lines: Iterable[SheetLine]) -> list[Path]:
    """Write one workbook a community into `folder` (made when missing) and return their paths, sorted.

    The sheets hold names and addresses: they are readable by the owner only (mode 0600).
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_community: dict[str, list[SheetLine]] = {}
    for line in lines:
        by_community.setdefault(line.community_name, []).append(line)
    paths = []
    for community_name, group in sorted(by_community.items()):
        path = folder / f"核查表_{month:%Y%m}_{_for_file_name(community_name)}.xlsx"
        write_private_file(path, _workbook(month, group), replace=True)
        paths.append(path)
    return paths


def _workbook(month: date, lines: Sequence[SheetLine]) -> bytes:
    from io import BytesIO

    from openpyxl import Workbook

    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "核查表"
    sheet.append(list(HEADERS))
    for line in lines:
        sheet.append(
            [
                line.audit_no,
                line.household_id,
                line.person_id,
                line.community_name,
                line.address,
                line.person_name,
                line.field_name,
                line.registered_value,
            ]
        )
    _dress(sheet, len(lines))
    content = BytesIO()
    workbook.save(content)
    return content.getvalue()


def _dress(sheet: "Worksheet", line_count: int) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    thin = Side(style="thin", color="C8CDD3")
    head = PatternFill("solid", fgColor="1F4E79")
    for number, (header, width) in enumerate(zip(HEADERS, _WIDTHS, strict=True), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        top = sheet.cell(1, number)
        top.font, top.fill = Font(bold=True, color="FFFFFF"), head
        top.alignment = Alignment(horizontal="center", vertical="center")
        if header in _COMMENTS:
            top.comment = Comment(_COMMENTS[header], "一户", width=320, height=130)
        # Named styles: setting font, fill and border cell by cell takes five times as long.
        style = NamedStyle(
            name=f"核查 {header}",
            fill=PatternFill("solid", fgColor="FFF9DB" if header in _FILLED_IN else "F3F4F6"),
            border=Border(left=thin, right=thin, top=thin, bottom=thin),
            alignment=Alignment(vertical="center", wrap_text=header in ("地址", "登记值")),
            number_format="yyyy-mm-dd" if header == "核查日期" else "@",
        )
        for row in range(2, line_count + 2):
            cell = sheet.cell(row, number)
            if cell.data_type == "f":
                cell.data_type = "s"  # a name that begins with "=" is a name
            cell.style = style if row == 2 else style.name
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(HEADERS))}{line_count + 1}"
    choice = DataValidation(
        type="list",
        formula1=f'"{",".join(RESULTS)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle="核实结果",
        error=f"请选择：{'、'.join(RESULTS)}",
    )
    letter = get_column_letter(HEADERS.index("核实结果") + 1)
    choice.add(f"{letter}2:{letter}{line_count + 1}")
    sheet.add_data_validation(choice)


def _for_file_name(text: str) -> str:
    return "".join(mark for mark in text if mark.isalnum() or mark in "（）()·-") or "社区不详"
