"""The review sheet: open proposals as an xlsx that a person decides on, and the decisions read back.

Not here: what a decision does (``decisions``).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine

from infra.errors import PermanentError
from infra.files import write_private_file
from ingest.addresses.decisions import Proposal, decide, open_proposals
from ingest.normalise.texts import fold
from ingest.readers.files import read_file
from ingest.readers.sheet import Content, UnreadableFile

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

KINDS: Final = {"new": "新小区", "alias": "别名", "has_units": "是否分单元"}
DECISIONS: Final = {"同意": True, "不同意": False}
HEADERS: Final = (
    "建议编号", "种类", "小区名称", "别名", "社区", "建议", "门牌数", "写单元的门牌数", "没写单元的门牌数", "共有门牌数", "共有人数", "相似度",
    "最早见于", "最近见于", "决定",
)  # fmt: skip
_WIDTHS: Final = (10, 12, 26, 26, 16, 30, 9, 16, 18, 12, 10, 9, 12, 12, 10)


def said(proposal: Proposal) -> str:
    """What a proposal asks for, in one Chinese sentence."""
    units = {True: "分单元", False: "不分单元", None: "是否分单元待查"}[proposal.has_units]
    if proposal.kind == "alias":
        return f"“{proposal.alias}”就是“{proposal.compound}”"
    return f"收录，{units}" if proposal.kind == "new" else units


def write_review(engine: Engine, path: Path) -> int:
    """Write the open proposals as a sheet with a drop-down for the decision; how many they are."""
    from openpyxl import Workbook

    proposals = open_proposals(engine)
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "地名库建议"
    sheet.append(list(HEADERS))
    for each in proposals:
        sheet.append(
            [
                each.proposal_id,
                KINDS[each.kind],
                each.compound,
                each.alias,
                each.community,
                said(each),
                each.door_count,
                each.with_unit_count,
                each.without_unit_count,
                each.shared_door_count,
                each.shared_person_count,
                None if each.similarity is None else float(each.similarity),
                each.first_seen,
                each.last_seen,
            ]
        )
    _dress(sheet, len(proposals))
    content = BytesIO()
    workbook.save(content)
    write_private_file(path, content.getvalue(), replace=True)
    return len(proposals)


def apply_review(engine: Engine, path: Path, by: str) -> tuple[int, list[str]]:
    """Read the decisions of a filled-in sheet and carry them out, all or none. Lines without a decision stay open.

    Returns:
        How many were decided, and what :func:`ingest.addresses.decisions.approve` returns.

    Raises:
        PermanentError: It is no review sheet, a decision cannot be read, or a line no longer is what it was.
    """
    proposals = {each.proposal_id: each for each in open_proposals(engine)}
    decisions: dict[int, bool] = {}
    for number, line in _lines(path):
        written = fold(line["决定"])
        if not written:
            continue
        proposal_no = line["建议编号"]
        proposal = proposals.get(int(proposal_no)) if proposal_no.isdigit() else None
        told = (line["种类"], line["小区名称"], line["别名"], line["社区"])
        if proposal is None or told != (
            KINDS[proposal.kind], proposal.compound, proposal.alias, proposal.community
        ):  # fmt: skip
            raise _refusal(f"第 {number} 行与待定的建议对不上", "决定之前没有改动过的行", "重新生成审核表")
        if written not in DECISIONS:
            raise _refusal(f"第 {number} 行的决定读不懂", "、".join(DECISIONS), "改正后重新读入")
        if decisions.setdefault(proposal.proposal_id, DECISIONS[written]) != DECISIONS[written]:
            raise _refusal(f"建议 {proposal_no} 有两个不同的决定", "一条建议一个决定", "改正后重新读入")
    return len(decisions), decide(engine, decisions, by) if decisions else []


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        content: Content = read_file(path.read_bytes(), path.name)
    except UnreadableFile as refusal:
        raise _refusal(refusal.reason, "yihu gazetteer review 生成的 xlsx", "用原来的审核表填写") from None
    rows = content.sheets[0].rows
    header = [fold(str(cell or "")) for cell in rows[0].cells] if rows else []
    missing = [name for name in HEADERS if name not in header]
    if missing:
        raise _refusal(
            f"缺少 {'、'.join(missing)}", "yihu gazetteer review 生成的 xlsx", "用原来的审核表填写"
        )
    return [
        (
            row.number,
            {
                name: _written(row.cells[place]) if (place := header.index(name)) < len(row.cells) else ""
                for name in HEADERS
            },
        )
        for row in rows[1:]
    ]


def _written(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _refusal(came: str, expected: str, next_step: str) -> PermanentError:
    return PermanentError(
        "读入地名库审核表", came=came, expected=expected, next_step=f"{next_step}；本次没有任何改动"
    )


def _dress(sheet: Worksheet, line_count: int) -> None:
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for number, width in enumerate(_WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        top = sheet.cell(1, number)
        top.font, top.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F4E79")
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            if cell.data_type == "f":
                cell.data_type = "s"  # a name that begins with "=" is a name
        row[-1].fill = PatternFill("solid", fgColor="FFF9DB")
    sheet.freeze_panes = "A2"
    if not line_count:
        return
    choice = DataValidation(type="list", formula1=f'"{",".join(DECISIONS)}"', allow_blank=True)
    choice.showErrorMessage = True
    choice.error = f"请选择：{'、'.join(DECISIONS)}，或留空"
    letter = get_column_letter(len(HEADERS))
    choice.add(f"{letter}2:{letter}{line_count + 1}")
    sheet.add_data_validation(choice)
