"""Which list a file is: told by the folder it lies in, and held against what its header says.

A file in the wrong place, of an unknown list or of another list than its folder's is refused with the folder where it
belongs. What is done with a file that is in its place is not said here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from ingest.cards import form_columns
from ingest.contract import Contract
from ingest.footers import is_total_row
from ingest.headers import Header, find_header, missing_columns, normalise_header
from ingest.landing import MAX_SUB_FOLDERS, NO_DEPARTMENT, NO_LIST, LandedFile
from ingest.layout import Layout, choose_tables
from ingest.normalise.texts import fold, is_null, without_spaces
from ingest.readers.garbled import is_garbled
from ingest.readers.sheet import Cell, Content, Sheet, UnreadableFile
from ingest.sheets import is_form
from ingest.values import cell_text

_SAME_LIST_HITS: Final = 3  # columns by which another contract must fit better to be named
_COMPARED_ROWS: Final = 20_000  # of a large file's two columns of ids
_SAME_FORM_HITS: Final = 2  # the same for forms, whose labels are their list's own
_TITLE_ROWS: Final = 3
_SHEETS_OF_FORMS: Final = 5  # so many sheets tell what the forms of a workbook are


def contract_of(
    contracts: Mapping[str, Contract], file: LandedFile, content: Callable[[], Content]
) -> Contract:
    """The contract of the folder a file lies in; `content` reads the file where that is needed to tell.

    Raises:
        UnreadableFile: It lies in no list's folder; names the folder where it belongs, by its content where that is plain.
    """
    contract = contracts.get(file.list_code)
    if contract is not None and contract.department != file.department:
        raise UnreadableFile(
            "wrong_department",
            f"《{contract.title}》应放在 {_folder(contract)} 文件夹，不是 {file.department}。",
        )
    if file.is_misplaced:
        raise UnreadableFile("misplaced", _misplaced(contracts, file, contract, content))
    if contract is None:
        where = "文件所在的文件夹不是任何清单的，未接入。"
        raise UnreadableFile("unknown_list", where + _where_it_belongs(contracts, file, content))
    return contract


def _misplaced(
    contracts: Mapping[str, Contract],
    file: LandedFile,
    contract: Contract | None,
    content: Callable[[], Content],
) -> str:
    if file.department == NO_DEPARTMENT:
        where = "文件直接放在来件文件夹里，没有放进清单的文件夹，未接入。"
    elif file.list_code == NO_LIST:
        where = f"文件直接放在部门文件夹 {file.department} 里，没有放进清单的文件夹，未接入。"
    else:
        where = f"文件放得太深，未接入：清单的文件夹下最多再分 {MAX_SUB_FOLDERS} 层。"
    if contract is not None:
        return where + _put_into([contract])
    return where + _where_it_belongs(contracts, file, content)


def _where_it_belongs(
    contracts: Mapping[str, Contract], file: LandedFile, content: Callable[[], Content]
) -> str:
    """The folder of the list that the content is; where that is not plain, those of the department, or all."""
    looks_like = _list_of(contracts, content)
    if looks_like is not None:
        return f"内容像是《{looks_like.title}》。{_put_into([looks_like])}"
    of_department = [other for other in contracts.values() if other.department == file.department]
    return _put_into(of_department or contracts.values())


def _put_into(contracts: Iterable[Contract]) -> str:
    choices = list(contracts)
    if len(choices) == 1:
        return f"请放入 {_folder(choices[0])} 文件夹。"
    named = "、".join(f"{_folder(contract)}（{contract.title}）" for contract in choices)
    return f"请放入以下文件夹之一：{named}。"


def _folder(contract: Contract) -> str:
    return f"{contract.department}/{contract.list_code}"


def _list_of(contracts: Mapping[str, Contract], content: Callable[[], Content]) -> Contract | None:
    """The only list that a file can be, by its header; None when it is unreadable or could be several."""
    try:
        sheets = content().sheets
    except UnreadableFile:
        return None
    fits = []
    for contract in contracts.values():
        fits.append((max((hits for hits, _ in _hits(sheets, contract)), default=0), contract))
    fits.sort(key=lambda fit: fit[0], reverse=True)
    (best, contract), *others = fits
    return contract if best >= max(other for other, _ in others) + _SAME_LIST_HITS else None


def lay_out(contracts: Mapping[str, Contract], contract: Contract, content: Content) -> Layout:
    """The tables of the list in a file.

    Raises:
        UnreadableFile: No header fits, another list fits clearly better, a required column is there twice, or a hidden
            sheet is of the list, too (B12).
    """
    differing: UnreadableFile | None = None
    try:
        layout = choose_tables(content, contract)
        hits = max(header.match.hits for _, header in layout.tables)
        is_complete = not missing_columns(layout.tables[0][1], contract)
    except UnreadableFile as refusal:
        if not any(sheet.rows for sheet in content.sheets):
            raise UnreadableFile("empty_file", "文件里没有内容。请检查后重新报送。") from None
        differing = refusal if refusal.code == "cards_differ" else None
        layout, hits, is_complete = None, 0, any(form_columns(sheet, contract) for sheet in content.sheets)
    if not is_complete or differing is not None:
        # A form of this list that lacks a label is not another list's for having fewer labels there.
        hits = max(hits, *(form_columns(sheet, contract, is_whole=False) for sheet in content.sheets))
    other = _better_list(contracts, contract, content, hits, is_complete=is_complete)
    if other is not None:
        raise UnreadableFile(
            "wrong_list",
            f"内容是《{other.title}》，不是《{contract.title}》。{_put_into([other])}",
        )
    if differing is not None:
        raise differing
    if layout is None:
        if is_garbled(content):
            raise UnreadableFile(
                "garbled_text",
                "文件内容是乱码：曾用错误的编码打开后又保存，汉字已经变形，另存也恢复不了。请找回保存之前的原始文件，"
                "用 Excel 或 WPS 打开、确认汉字显示正常后，另存为 xlsx 或“CSV UTF-8”重新报送。",
            )
        raise UnreadableFile(
            "no_header", f"找不到《{contract.title}》的表头（前 15 行内）。请按填报模板的表头报送。"
        )
    for table in layout.tables:
        _settle_rivals(table, layout)
    if layout.hidden:
        raise UnreadableFile(
            "hidden_list",
            f"工作表{'、'.join(f'“{title}”' for title in layout.hidden)}是隐藏的，里面也是《{contract.title}》的数据，"
            "不知道要不要算，整份未接入以免漏人。要算的请取消隐藏，不算的请删去该表，然后重新报送。",
        )
    doubled = [
        column
        for _, header in layout.tables
        for name in header.match.doubled
        if (column := contract.column(name)) is not None and column.is_required and name != "id_no"
    ]
    if doubled:
        raise UnreadableFile(
            "doubled_header", f"表头“{doubled[0].header}”出现了两次，分不清用哪一栏。请删去或改名后重新报送。"
        )
    return layout


def _settle_rivals(table: tuple[Sheet, Header], layout: Layout) -> None:
    """Two columns of ids with the same numbers are one; with different ones nobody can say whose is whose (B54).

    Raises:
        UnreadableFile: `doubled_header`: they differ.
    """
    sheet, header = table
    own = header.match.positions.get("id_no")
    if own is None:
        return
    for rival, title in header.match.rivals:
        for row in itertools.islice(sheet.rows, header.last + 1, header.last + 1 + _COMPARED_ROWS):
            one, other = (
                _id_text(row.cells[place] if place < len(row.cells) else None) for place in (own, rival)
            )
            if (
                other
                and one != other
                and not (is_total_row(row.cells) or normalise_header(other) == normalise_header(title))
            ):
                first = header.match.headers["id_no"]
                both = f"“{first}”出现了两次" if first == title else f"“{first}”和“{title}”都是证件号码"
                raise UnreadableFile(
                    "doubled_header",
                    f"表头{both}，内容又不相同（如第 {row.number} 行），分不清用哪一栏。请删去一栏或写明是谁的，改正后重新报送。",
                )
        layout.notes.append(f"“{title}”与“{header.match.headers['id_no']}”内容相同，只用一栏")


def _id_text(cell: Cell) -> str:
    text = without_spaces(fold(cell_text(cell))).upper() if cell is not None else ""
    return "" if is_null(text) else text


def _better_list(
    contracts: Mapping[str, Contract], contract: Contract, content: Content, hits: int, *, is_complete: bool
) -> Contract | None:
    best: Contract | None = None
    best_hits, is_form_of_best = hits, False
    for other in contracts.values():
        if other is contract:
            continue
        for other_hits, is_form_of_other in _hits(content.sheets, other):
            if other_hits > best_hits:
                best, best_hits, is_form_of_best = other, other_hits, is_form_of_other
    if best is None:
        return None
    # A list that has all it needs is only somebody else's when that one fits much better.
    margin = _SAME_LIST_HITS if is_complete else 1
    if is_form_of_best:
        margin = 1 if _is_titled(content.sheets, best) else min(margin, _SAME_FORM_HITS)
    return best if best_hits - hits >= margin else None


def _is_titled(sheets: Iterable[Sheet], contract: Contract) -> bool:
    """Whether the list's own title stands above the form."""
    rows = itertools.chain.from_iterable(sheet.rows[:_TITLE_ROWS] for sheet in sheets)
    return any(
        contract.title in without_spaces(fold(cell))
        for row in rows
        for cell in row.cells
        if isinstance(cell, str)
    )


def _hits(sheets: Iterable[Sheet], contract: Contract) -> Iterator[tuple[int, bool]]:
    """How many columns of a list each sheet has that has all it needs, and whether as a form."""
    forms = 0
    for sheet in sheets:
        header = find_header(sheet.rows, contract, sheet.horizontal_merges)
        if header is None or missing_columns(header, contract):
            header = None
        else:
            yield header.match.hits, False
        if sheet.rows and forms < _SHEETS_OF_FORMS:
            forms += 1
            if is_form(sheet, header, contract):
                yield form_columns(sheet, contract), True
