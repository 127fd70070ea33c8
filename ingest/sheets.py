"""One sheet, seen for a list: the tables on it (L1 to L4, several below one another, card forms), its community, its unit.

Each table is handed on as a sheet with its header, so that what comes behind knows one layout only. Which sheets of a
workbook belong to a list, and what a row is, is said in ``layout``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ingest.cards import form_columns, read_cards
from ingest.headers import HEADER_SEARCH_ROWS, Header, find_header, missing_columns, normalise_header
from ingest.normalise.regions import community_name
from ingest.normalise.texts import fold, without_bracketed, without_spaces
from ingest.readers.sheet import Cell, Row, Sheet

if TYPE_CHECKING:
    from ingest.contract import Contract

Table = tuple[Sheet, Header]

_MOST_TABLES: Final = 500
_FORM_HAS_MORE: Final = 3  # columns by which a form must fit better than the table on it
# A second table on a sheet must fit nearly as well as the first: rows that repeat a few titles are none.
_SECOND_TABLE_SHARE: Final = 0.6
_NUMBERING: Final = re.compile(
    r"^(?:第?[\d一二三四五六七八九十]{1,3}[.、,)\-_ ]+|[①-⑳]|\d{1,3}(?=[一-龥]{2})(?![号栋幢座楼组月年日季户区期个人单网年]))"
)
# What a workbook calls a sheet that nobody has named.
_UNNAMED: Final = re.compile(r"(?i)(sheet|工作表|表)\s*\d*")
_PERIOD: Final = re.compile(r"(?:20\d\d)?[年.\-_/]?\d{0,2}[月季]?(?:\d{1,2}日)?(?:度|份)?$")
_COMMUNITY: Final = re.compile(r"[一-龥]{2,12}(?:社区|村|居委会)")
_BARE_NAME: Final = re.compile(r"[一-龥]{2,6}")
# Names of sheets that are no place: what the sheet is for, whom it lists, when, how many.
_NO_PLACE: Final = re.compile(
    r"表|名单|名册|清单|台账|汇总|统计|合计|总|数据|明细|信息|说明|模板|模版|样|选项|字典|代码|原始|备份|新|旧|增|减|注销|变更|"
    r"变动|在册|停|城市|城镇|农村|低保|残疾|特困|低边|边缘|儿童|老人|老年|学生|失业|男|女|家庭|人员|户|第|月|季|年|上|下|页|全部|其他|附件|"
    r"街道|区$|市$|县$|组$"
)
_UNIT_NOTE: Final = re.compile(r"单位[:：][^;；。]{0,12}?(万元|千元|百元|元)")
_UNIT_IN_HEADER: Final = re.compile(r"(万元|千元|百元|元)")
_FACTORS: Final = {"万元": 10_000, "千元": 1_000, "百元": 100}
_PLAIN_AMOUNT: Final = re.compile(r"(?a)[¥￥]?([+-]?\d+(?:\.\d+)?)")


def tables_of(sheet: Sheet, contract: Contract) -> list[Table]:
    """The tables of a list on one sheet, in order; none when the sheet has nothing of it."""
    header = find_header(sheet.rows, contract, sheet.horizontal_merges)
    if header is None or missing_columns(header, contract) or is_form(sheet, header, contract):
        cards = read_cards(sheet, contract)
        # The table of members inside a card has a header too, but knows less than the card.
        if (
            cards is not None
            and not missing_columns(cards[1], contract)
            and (header is None or cards[1].match.hits > header.match.hits)
        ):
            return [cards]
    if header is None:
        return []
    unit = _noted_unit(sheet.rows[: header.first])
    # A large text file is never held in memory; it is an export of one table.
    if not isinstance(sheet.rows, list):
        return [_in_yuan((sheet, header), contract, unit)]
    tables = _split((sheet, header), contract)
    return [_in_yuan(_without_repeated_heads(table), contract, unit) for table in tables]


def is_form(sheet: Sheet, header: Header | None, contract: Contract) -> bool:
    """Whether a sheet holds forms of a list, of which a table with that header is only a part (family members)."""
    hits = form_columns(sheet, contract)
    return hits > 0 and (header is None or hits >= header.match.hits + _FORM_HAS_MORE)


def with_communities(tables: Sequence[Table]) -> list[Table]:
    """The tables with the community their sheet is named after (L8)."""
    titles = {sheet.title for sheet, _ in tables}
    bare = {title: place_name(title) for title in titles}
    named = [place for title, place in bare.items() if not _UNNAMED.fullmatch(fold(title).strip())]
    # 近江 beside 在水 and 清波社区 is a community; alone it may be anything, and forms are named after persons.
    are_places = len(named) > 1 and all(named) and not any(header.is_of_cards for _, header in tables)
    return [
        (
            replace(
                sheet,
                community=community_of_sheet(sheet.title) or (bare[sheet.title] if are_places else None),
            ),
            header,
        )
        for sheet, header in tables
    ]


def community_of_sheet(title: str) -> str | None:
    """The community that a sheet's name states, without number, year and brackets; None when it states none."""
    name = _bare_title(title)
    return community_name(name) if _COMMUNITY.fullmatch(name) else None


def place_name(title: str) -> str | None:
    """The community that a sheet's name would be among other such names (近江); None when it cannot be a place."""
    if stated := community_of_sheet(title):
        return stated
    name = _bare_title(title)
    return community_name(name) if _BARE_NAME.fullmatch(name) and not _NO_PLACE.search(name) else None


def _bare_title(title: str) -> str:
    bare = without_bracketed(without_spaces(fold(title)))
    return _PERIOD.sub("", _NUMBERING.sub("", bare)).strip("-_.、")


def _split(table: Table, contract: Contract) -> list[Table]:
    """The table, parted where another header of the same list begins whose columns stand in another order."""
    tables: list[Table] = []
    while len(tables) < _MOST_TABLES and (found := _next_header(table, contract)) is not None:
        first, header = found
        sheet, above = table
        place = first  # titles of the table stand right above its header
        while place - 1 > above.last and _is_title(sheet.rows[place - 1]):
            place -= 1
        note = f"第 {sheet.rows[first].number} 行起是另一张表，按它自己的表头读取"
        tables.append((replace(sheet, rows=sheet.rows[:place]), above))
        header = replace(
            header,
            first=first - place,
            last=header.last - header.first + first - place,
            notes=(*header.notes, note),
        )
        table = (replace(sheet, rows=sheet.rows[place:]), header)
    return [*tables, table]


def _next_header(table: Table, contract: Contract) -> tuple[int, Header] | None:
    """The next header below the table's own that puts the columns elsewhere, and where its first row is."""
    sheet, header = table
    rows = sheet.rows
    words = {cell for cell in rows[_title_row(header, rows)].cells if isinstance(cell, str) and cell}
    for place in range(header.last + 1, len(rows)):
        row = rows[place]
        if len(words.intersection(row.cells)) < 2 or _is_same_header(row, header):
            continue
        begin = max(header.last + 1, place - 2)  # the upper of several header rows may stand just above
        found = find_header(rows[begin : begin + HEADER_SEARCH_ROWS], contract, sheet.horizontal_merges)
        if (
            found is not None
            and found.match.hits >= header.match.hits * _SECOND_TABLE_SHARE
            and found.match.positions != header.match.positions
            and begin + found.first <= place <= begin + found.last
        ):
            return begin + found.first, found
    return None


def _is_title(row: Row) -> bool:
    filled = [cell for cell in row.cells if cell is not None and cell != ""]
    return len(filled) == 1 and isinstance(filled[0], str)


def _title_row(header: Header, rows: Sequence[Row]) -> int:
    """Index of the row that holds the header's own words."""
    for place in range(header.last, header.first - 1, -1):
        if (
            tuple(normalise_header(cell) if isinstance(cell, str) else "" for cell in rows[place].cells)
            == header.texts
        ):
            return place
    return header.first


def _is_same_header(row: Row, header: Header) -> bool:
    return (
        tuple(normalise_header(cell) if isinstance(cell, str) else "" for cell in row.cells) == header.texts
    )


def _without_repeated_heads(table: Table) -> Table:
    """Titles, notes and upper header rows that stand again at the top of every printed page are no rows of the list."""
    sheet, header = table
    head = {row.cells for row in sheet.rows[: header.last + 1]}
    begins = {cells[0] for cells in head}
    rows = [
        row
        for place, row in enumerate(sheet.rows)
        if place <= header.last
        or row.cells[0] not in begins
        or row.cells not in head
        or _is_same_header(row, header)
    ]
    left_out = len(sheet.rows) - len(rows)
    if not left_out:
        return table
    note = f"数据中重复出现标题或表头共 {left_out} 行，已略过"
    return replace(sheet, rows=rows), replace(header, notes=(*header.notes, note))


def _in_yuan(table: Table, contract: Contract, noted: str | None) -> Table:
    """Amounts of a table that states another unit (单位：万元), in yuan; a unit in a column's own header goes first."""
    sheet, header = table
    factors: dict[int, int] = {}
    for name, position in header.match.positions.items():
        column = contract.column(name)
        if column is None or column.semantic_type != "amount":
            continue
        own = _UNIT_IN_HEADER.search(fold(header.match.headers[name]))
        unit = own[1] if own else noted
        if unit in _FACTORS:
            factors[position] = _FACTORS[unit]
    if not factors:
        return table
    rows = [*sheet.rows[: header.last + 1]]
    for row in sheet.rows[header.last + 1 :]:
        cells = list(row.cells)
        for position, factor in factors.items():
            if position < len(cells):
                cells[position] = _times(cells[position], factor)
        rows.append(Row(row.number, tuple(cells)))
    titles = [
        header.match.headers[name] for name, position in header.match.positions.items() if position in factors
    ]
    note = f"表中注明金额单位不是元，{'、'.join(titles)}已换算成元"
    return replace(sheet, rows=rows), replace(header, notes=(*header.notes, note))


def _noted_unit(rows: Sequence[Row]) -> str | None:
    for row in rows:
        for cell in row.cells:
            found = _UNIT_NOTE.search(without_spaces(fold(cell))) if isinstance(cell, str) else None
            if found:
                return found[1]
    return None


def _times(cell: Cell, factor: int) -> Cell:
    """An amount times a factor; what is no plain number, or names its own unit, stays."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return cell
    text = without_spaces(fold(cell)).replace(",", "") if isinstance(cell, str) else repr(cell)
    found = _PLAIN_AMOUNT.fullmatch(text)
    if not found:
        return cell
    return format((Decimal(found[1]) * factor).normalize(), "f")
