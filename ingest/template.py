"""The fill-in workbook of a list, made from its contract alone.

One sheet to fill in (title, note row, header, no data), one that explains every column, and a hidden one with the
choices that are too long for a drop-down's own text. Hints stand in input prompts and on the second sheet, never in
the rows below the header: whatever stands there is data. What the columns mean is in ``guidance``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from infra.errors import PermanentError
from ingest.contract import Column, Contract, load_contracts
from ingest.guidance import allowed_values, example_of, how_to_write, meaning_of, what_a_delivery_is, when_due
from ingest.template_marks import CHOICES_SHEET, GUIDE_SHEET, guide_title, template_title

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

HEADER_ROW: Final = 3
# Validations and prompts reach this far; nothing stops a longer list.
LAST_ROW: Final = 5000
# What Excel allows in a validation (ECMA-376 18.3.1.32): a longer text makes the file "damaged".
_MOST_PROMPT: Final = 255
_MOST_CHOICES: Final = 255
_MOST_TITLE: Final = 32

_TEXT: Final = "@"
_FORMATS: Final = {"date": "yyyy-mm-dd", "datetime": "yyyy-mm-dd hh:mm", "integer": "0", "amount": "0.00"}
_WIDTHS: Final = {
    "id_no": 22, "disability_certificate": 25, "phone": 15, "address": 32, "datetime": 18, "date": 13, "integer": 9,
    "person_name": 12, "boolean": 10, "bank_account": 24, "protected_text": 26, "amount": 12,
}  # fmt: skip
_LENGTHS: Final = {
    "person_name": (1, 50),
    "id_no": (6, 20),
    "disability_certificate": (20, 22),
    "phone": (7, 20),
    "bank_account": (8, 32),
    "address": (2, 200),
    "text": (1, 200),
}
_REQUIRED_FILL: Final = "FFF2CC"
_OPTIONAL_FILL: Final = "DDEBF7"


def write_templates(folder: Path, list_codes: Iterable[str] = ()) -> list[Path]:
    """Write the workbooks of some lists, or of all when none is named.

    Returns:
        The files, ``<title>填报模板.xlsx``, in the order of the list codes.

    Raises:
        PermanentError: There is no such list.
    """
    contracts = load_contracts()
    wanted = list(list_codes) or list(contracts)
    unknown = [code for code in wanted if code not in contracts]
    if unknown:
        raise PermanentError(
            "生成填报模板",
            came=f"没有这样的清单：{'、'.join(unknown)}",
            expected=f"{'、'.join(contracts)} 之一",
            next_step="改正清单代码后重新运行",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return [write_template(contracts[code], folder) for code in wanted]


def write_template(contract: Contract, folder: Path) -> Path:
    """Write the workbook of one list into a folder; an earlier one of the same name is replaced."""
    import openpyxl

    book = openpyxl.Workbook()
    _fill_in_sheet(book, contract)
    _guide_sheet(book, contract)
    if CHOICES_SHEET in book.sheetnames:
        book.move_sheet(CHOICES_SHEET, 1)
    path = folder / f"{contract.title}填报模板.xlsx"
    book.save(path)
    return path


def _fill_in_sheet(book: Workbook, contract: Contract) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter

    sheet = book.worksheets[0]
    sheet.title = contract.title[:31]
    width = len(contract.columns)
    last = get_column_letter(width)
    sheet.cell(1, 1, template_title(contract)).font = Font(size=16, bold=True)
    sheet.cell(2, 1, "填表单位：　　　　　　　　填表日期：").font = Font(size=11)
    for row in (1, 2):
        sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=width)
    sheet.cell(1, 1).alignment = Alignment(horizontal="center", vertical="center")
    thin = Side(style="thin", color="BFBFBF")
    for number, column in enumerate(contract.columns, start=1):
        letter = get_column_letter(number)
        head = sheet.cell(HEADER_ROW, number, f"*{column.header}" if column.is_required else column.header)
        head.font = Font(bold=True)
        head.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        head.border = Border(left=thin, right=thin, top=thin, bottom=thin)
        head.fill = PatternFill("solid", fgColor=_REQUIRED_FILL if column.is_required else _OPTIONAL_FILL)
        dimension = sheet.column_dimensions[letter]
        dimension.width = _WIDTHS.get(column.semantic_type, 16)
        dimension.number_format = number_format(column)
        validation = _validation(book, contract, column)
        validation.add(f"{letter}{HEADER_ROW + 1}:{letter}{LAST_ROW}")
        sheet.add_data_validation(validation)
    sheet.row_dimensions[1].height = 28
    sheet.row_dimensions[HEADER_ROW].height = 32
    sheet.freeze_panes = f"A{HEADER_ROW + 1}"
    _set_up_print(sheet, f"{HEADER_ROW}:{HEADER_ROW}", f"A:{last}")


def number_format(column: Column) -> str:
    """How the cells of a column are kept: as text wherever a spreadsheet would round or turn into dates."""
    return _TEXT if column.is_month else _FORMATS.get(column.semantic_type, _TEXT)


def _validation(book: Workbook, contract: Contract, column: Column) -> DataValidation:
    """What the spreadsheet offers, asks and refuses in a column.

    Only what could never be read is refused; a code written another way is asked about and may stay, because the
    reader knows more ways of writing than a drop-down shows.
    """
    from openpyxl.worksheet.datavalidation import DataValidation

    how = how_to_write(column)
    choices = allowed_values(column)
    error = f"{column.header}：{how}。"
    style: Literal["stop", "warning"] = "stop"
    if choices and column.semantic_type != "codes":
        validation = DataValidation(type="list", formula1=_choices(book, column, choices))
        error, style = f"{column.header}：请从下拉选项中选择；确要照原来的写法，选“是”继续。", "warning"
    elif column.semantic_type in ("date", "datetime") and not column.is_month:
        latest = "TODAY()+1" if column.is_past_only else "DATE(2099,12,31)"
        validation = DataValidation(
            type="date", operator="between", formula1="DATE(1900,1,1)", formula2=latest
        )
    elif column.semantic_type == "integer":
        least = "0" if column.minimum is None else str(column.minimum)
        most = "999999999" if column.maximum is None else str(column.maximum)
        validation = DataValidation(type="whole", operator="between", formula1=least, formula2=most)
    elif column.semantic_type == "amount":
        validation = DataValidation(type="decimal", operator="greaterThanOrEqual", formula1="0")
    else:
        least_length, most_length = _LENGTHS.get(column.semantic_type, (1, 1000))
        validation = DataValidation(
            type="textLength", operator="between", formula1=str(least_length), formula2=str(most_length)
        )
        error, style = f"{column.header}：长度不对。{how}。", "warning"
    prompt = f"{'必填。' if column.is_required else ''}{meaning_of(column.description)}。{how}。"
    if column.semantic_type == "codes":
        prompt += f"可选：{'、'.join(choices)}"
    validation.errorStyle = style
    validation.allow_blank = True
    validation.showErrorMessage = validation.showInputMessage = True
    validation.promptTitle, validation.prompt = column.header[:_MOST_TITLE], _cut(prompt)
    validation.errorTitle, validation.error = "请核对", _cut(error)
    return validation


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_PROMPT else f"{text[: _MOST_PROMPT - 10]}…见“{GUIDE_SHEET}”"


def _choices(book: Workbook, column: Column, names: list[str]) -> str:
    """The choices as the validation itself says them, or as a range of the hidden sheet when it cannot."""
    from openpyxl.utils import get_column_letter

    text = ",".join(names)
    if len(text) <= _MOST_CHOICES and not any(mark in name for name in names for mark in ',"，'):
        return f'"{text}"'
    if CHOICES_SHEET in book.sheetnames:
        sheet = book[CHOICES_SHEET]
    else:
        sheet = book.create_sheet(CHOICES_SHEET)
        sheet.sheet_state = "hidden"
    number = sheet.max_column + 1 if sheet.cell(1, 1).value is not None else 1
    for row, name in enumerate(names, start=1):
        sheet.cell(row, number, name)
    letter = get_column_letter(number)
    return f"'{CHOICES_SHEET}'!${letter}$1:${letter}${len(names)}"


def _guide_sheet(book: Workbook, contract: Contract) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill

    sheet = book.create_sheet(GUIDE_SHEET)
    lines = [
        guide_title(contract),
        f"报什么：{contract.description}。{meaning_of(contract.grain)}。",
        f"什么时候报：{when_due(contract)}。{what_a_delivery_is(contract)}",
        f"怎样填：在“{contract.title[:31]}”表的第 {HEADER_ROW + 1} 行起填写，一行一条；黄底带 * 的栏必填；不改表头，不加合计行。",
        "证件号码、电话已设为文本格式：请直接填写，不要先设成“数值”，否则后几位会变成 0 而无法恢复。",
        "从别处粘贴时请选“只粘贴值”，以免把文本格式冲掉。",
    ]
    if contract.block_start:
        household = "、".join(column.header for column in contract.columns if column.is_household)
        lines.append(
            f"一户几人：每户第一行写全本户各栏（{household}），其他成员接着往下写，这些栏可以留空；"
            "另起一户时必须重新写全。"
        )
    lines.append(f"数据约定 {contract.version} 版。下表的示例都是编造的，不要照抄到清单里。")
    for row, line in enumerate(lines, start=1):
        sheet.cell(row, 1, line).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=6)
        sheet.row_dimensions[row].height = 18 * (1 + len(line) // 60)
    sheet.cell(1, 1).font = Font(size=14, bold=True)
    top = len(lines) + 2
    for number, word in enumerate(("栏", "意思", "必填", "怎样写", "例子", "可以填"), start=1):
        head = sheet.cell(top, number, word)
        head.font = Font(bold=True)
        head.fill = PatternFill("solid", fgColor=_OPTIONAL_FILL)
    for place, column in enumerate(contract.columns, start=top + 1):
        texts = (
            column.header,
            meaning_of(column.description),
            "必填" if column.is_required else "",
            how_to_write(column),
            example_of(column),
            "、".join(allowed_values(column)),
        )
        for number, text in enumerate(texts, start=1):
            sheet.cell(place, number, text).number_format = _TEXT
            sheet.cell(place, number).alignment = Alignment(wrap_text=True, vertical="top")
    for letter, width in zip("ABCDEF", (18, 34, 7, 46, 24, 60), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = f"B{top + 1}"
    _set_up_print(sheet, f"{top}:{top}", "A:F")


def _set_up_print(sheet: Worksheet, title_rows: str, columns: str) -> None:
    """A4 across, as wide as the page, the header on every page."""
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = title_rows
    footer = sheet.oddFooter
    if footer is not None:
        footer.center.text = "第 &P 页，共 &N 页"
