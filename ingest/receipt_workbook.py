"""The receipt as a workbook: what to do first, then the kinds of problems, then line by line.

What is said is `ingest.receipt_content`. No cell can be taken for a formula (B80).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.clock import BUSINESS_ZONE
from ingest.receipt_content import CHANGE_NAMES, CORRECTION_NAMES, DATE_SOURCES, FOOTER_RULE, HANDLING_NAMES

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

# Of one kind of problem so many lines stand in the workbook: who mends the rest sorts or filters the list itself, and
# a workbook of a hundred thousand lines opens for nobody. The JSON file has all.
MOST_LINES_OF_A_KIND: Final = 200
_KINDS_ON_THE_FIRST_SHEET: Final = 5

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_workbook(path: Path, content: Mapping[str, Any], problems: Iterable[Mapping[str, Any]]) -> None:
    """Write the receipt; an earlier file of that name stays until the new one is whole.

    Args:
        path: The file.
        content: What :func:`ingest.receipt_content.content_of` made.
        problems: The lines to show, at most ``MOST_LINES_OF_A_KIND`` of a kind.
    """
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    _write_sheet(book, "回执", (18, 90), None, _summary(content))
    if content["kinds"]:
        _write_sheet(
            book,
            "问题汇总",
            (10, 18, 10, 60, 50),
            ("条数", "栏目", "处理", "问题", "怎样改"),
            (
                (
                    kind["count"],
                    kind["header"],
                    HANDLING_NAMES[kind["handling"]],
                    kind["problem"],
                    kind["remedy"],
                )
                for kind in content["kinds"]
            ),
        )
    _write_sheet(
        book,
        "逐行问题",
        (14, 8, 18, 10, 60, 50),
        ("工作表", "行号", "栏目", "处理", "问题", "怎样改"),
        (
            (
                line["sheet"],
                line["row"],
                line["header"],
                HANDLING_NAMES[line["handling"]],
                line["problem"],
                line["remedy"],
            )
            for line in problems
        ),
    )
    if content["replaces"]:
        _write_sheet(
            book,
            "与上次相比",
            (12, 24, 10),
            ("变化", "栏目", "行数"),
            (
                (
                    _change_names(content)[change["kind"]],
                    change["header"] or "（按行计）",
                    change["row_count"],
                )
                for change in content["replaces"]["changes"]
            ),
        )
    if content["scorecard"]:
        _write_sheet(
            book,
            "本月评分",
            (12, 12, 12, 12, 80),
            ("维度", "合格比例（%）", "合格", "核对", "怎样计算"),
            (
                (
                    score["name"],
                    "无可核对" if score["ratio"] is None else round(100 * score["ratio"], 2),
                    score["numerator"],
                    score["denominator"],
                    score["how"],
                )
                for score in content["scorecard"]["dimensions"]
            ),
        )
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as file:
        file.write(_saved(book))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def harmless(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula: an apostrophe goes first where one could begin."""
    if isinstance(value, str) and value.lstrip(" \u3000\u00a0").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _saved(book: Workbook) -> bytes:
    """The workbook as bytes, with the sheets that `_write_sheet` keeps in memory."""
    from zipfile import ZIP_DEFLATED, ZipFile

    from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
    from openpyxl.writer.excel import ExcelWriter

    class Writer(ExcelWriter):
        def write_worksheet(self, sheet: Any) -> None:
            sheet._drawing = SpreadsheetDrawing()
            sheet._drawing.charts, sheet._drawing.images = sheet._charts, sheet._images
            sheet.close()
            sheet._rels = sheet._writer._rels
            self._archive.writestr(  # type: ignore[attr-defined]
                sheet.path[1:], sheet._writer.out.getvalue()
            )
            self.manifest.append(sheet)

    out = io.BytesIO()
    Writer(book, ZipFile(out, "w", ZIP_DEFLATED, allowZip64=True)).save()
    return out.getvalue()


def _change_names(content: Mapping[str, Any]) -> Mapping[str, str]:
    return CHANGE_NAMES if content["replaces"]["is_whole"] else CORRECTION_NAMES


def _summary(content: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    from datetime import datetime

    delivery, counts = content["delivery"], content["counts"]
    received = datetime.fromisoformat(delivery["received_at"]).astimezone(BUSINESS_ZONE)
    yield "处理结果", delivery["status_name"]
    yield "请接着做", content["next_step"]
    if delivery["reason"]:
        yield "原因", delivery["reason"]
    for decision in content["decisions"]:
        day = datetime.fromisoformat(decision["at"]).date()
        about = f"{decision['community_name']}：" if decision["community_name"] else ""
        why = f"（{decision['why']}）" if decision["why"] else ""
        yield "数据人员的决定", f"{about}已由{decision['by']}于 {day} {decision['what_name']}{why}"
    if content["supersedes"]:
        numbers = "、".join(map(str, content["supersedes"]))
        yield "更正了", f"来件 {numbers}：原被扣留，已由本次来件更正，不再使用"
    yield "来件编号", delivery["delivery_id"]
    yield "回执版次", content["receipt_no"]
    yield "清单", delivery["list_title"]
    yield "文件", delivery["file_name"]
    yield "收到时间", f"{received:%Y-%m-%d %H:%M}（北京时间）"
    if delivery["snapshot_date"]:
        source = DATE_SOURCES.get(delivery["snapshot_date_source"], "")
        yield "清单日期", f"{delivery['snapshot_date']}（依据：{source}）"
    footers = counts["footer_count"]
    yield "数据行数", counts["row_count"] - footers
    yield "接收", counts["accepted_count"]
    yield "隔离（不能使用）", f"{counts['quarantined_count'] - footers} 行"
    if footers:
        yield "合计、表尾", f"{footers} 行，不算数据，也不算错"
    yield "需要改正的提示", counts["warning_count"]
    # A total row is said above; it is nothing to mend.
    faults = [kind for kind in content["kinds"] if kind["rule"] != FOOTER_RULE]
    for number, kind in enumerate(faults[:_KINDS_ON_THE_FIRST_SHEET], start=1):
        about = f"“{kind['header']}”" if kind["header"] else ""
        yield f"主要问题 {number}", f"{kind['count']} 条：{about}{kind['problem']}。{kind['remedy']}"
    for hold in content["waiting_communities"]:
        yield (
            "待确认的社区",
            f"{hold['community_name']}：上次 {hold['last_row_count']} 行，这次 {hold['row_count']} 行，现仍沿用上次的",
        )
    if content["owing_communities"]:
        due_date = content["owing_communities"][0]["due_date"]
        names = "、".join(owing["community_name"] for owing in content["owing_communities"])
        yield "本期还没有报的社区", f"{names}（应报日 {due_date}）"
    if content["replaces"]:
        change_names, is_whole = _change_names(content), content["replaces"]["is_whole"]
        totals = "，".join(
            f"{change_names[change['kind']]} {change['row_count']} 行"
            for change in content["replaces"]["changes"]
            if change["column"] is None and (is_whole or change["row_count"])
        )
        if is_whole:
            yield "与上次相比", f"取代来件 {content['replaces']['delivery_id']}：{totals}"
        else:
            yield "与以前相比", totals
    for note in content["reading"]:
        yield note["what"], note["how"]
    if any(kind["count"] > MOST_LINES_OF_A_KIND for kind in content["kinds"]):
        yield (
            "没有列全",
            f"“逐行问题”中每种问题只列前 {MOST_LINES_OF_A_KIND} 条，完整名单见同名的 JSON 文件。",
        )
    yield (
        "请注意",
        "回执只列行号和问题，不重复表中任何人的信息；文件名照原样（其中的号码已遮盖），请勿把姓名写进文件名。行号按文件中的行数，表头也算一行。",
    )


def _write_sheet(
    book: Workbook,
    title: str,
    widths: Sequence[int],
    headings: Sequence[str] | None,
    rows: Iterable[Sequence[Any]],
) -> None:
    from openpyxl.worksheet._writer import WorksheetWriter

    sheet = book.create_sheet(title)
    # openpyxl would keep the sheet in a temporary file, which a run that is killed leaves behind; receipts are small.
    sheet._writer = WorksheetWriter(sheet, out=io.BytesIO())
    sheet._writer.write_top()
    for index, width in enumerate(widths):
        sheet.column_dimensions["ABCDEF"[index]].width = width
    if headings is not None:
        sheet.freeze_panes = "A2"
        _append(sheet, headings, is_heading=True)
    for row in rows:
        _append(sheet, row)


def _append(sheet: WriteOnlyWorksheet, values: Sequence[Any], *, is_heading: bool = False) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font

    cells = []
    for value in values:
        cell = WriteOnlyCell(sheet, harmless(value))
        if isinstance(value, str):
            cell.data_type = "s"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        if is_heading:
            cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)
