"""Card forms (L6): label beside value, one card a household or person, several below one another, members in a table.

A card becomes rows under an ordinary header, so that everything behind sees a table: one row a member, carrying what
the card says of the household, or one row a card that has no members. Nothing is guessed: a sheet is read as cards only
when every required column of the contract is a label on it. What the values mean is not said here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ingest.footers import is_total_row
from ingest.header_groups import is_person_label, is_section, section_of_other
from ingest.headers import (
    Header,
    HeaderMatch,
    missing_names,
    normalise_header,
    read_label,
    read_label_of_other,
)
from ingest.normalise.ids import looks_like_id
from ingest.normalise.names import name_key
from ingest.normalise.texts import code_text, fold, without_spaces
from ingest.readers.sheet import LONGEST_CELL, Cell, Row, Sheet, UnreadableFile

if TYPE_CHECKING:
    from ingest.contract import Contract

_MOST_ROWS: Final = 20_000  # a workbook with more is no collection of forms
_LEAST_LABELS: Final = 4
_FORM_ROWS: Final = 80  # the first form of a sheet stands in these
_LEAST_HEADER_LABELS: Final = 3
_HEADER_SHARE: Final = 0.6  # of the filled cells of a members' header are labels the contract knows
_LABEL_LENGTH: Final = 24
_INLINE: Final = re.compile(r"^([^:]{1,20}):(.+)$", re.DOTALL)
_FORM_TITLE: Final = re.compile(r"(表|卡|档案)(\(.*\))?$")
_FOOTER: Final = re.compile(
    r"(填表|填报|登记|采集|调查|审核|走访|户主|经办|制表)(人|员|单位|日期|时间)?(签字|签名|签章)?[:]"
)
_COUNTER: Final = re.compile(r"序号?|编?号|No\.?")
# Labels of forms that no contract knows, but that no member is called either.
_SECTION: Final = re.compile(
    r"(备注|说明|其[他它].{0,6}|.{0,10}(情况|需求|意见|建议|资源|特长|评价|记录|签字|签名|签章|盖章|日期|时间|照片)):?"
)
_HEAD_CODES: Final = ("01", "02")
_TICKED: Final = "☑✓✔√■●◉⊙"
_UNTICKED: Final = "□☐○◯▢"
_BRACKETED_TICK: Final = re.compile(rf"[(\[【]\s*[{_TICKED}vV]\s*[)\]】]")
_BRACKETED_BLANK: Final = re.compile(r"[(\[【]\s*[)\]】]")
_OPTION: Final = re.compile(rf"[{_TICKED}{_UNTICKED}][^{_TICKED}{_UNTICKED}]*")
_OPTION_BEFORE: Final = re.compile(rf"[^{_TICKED}{_UNTICKED}]*[{_TICKED}{_UNTICKED}]")
_BRACKETS: Final = str.maketrans("（）［］", "()[]")
_LONGEST_OPTIONS: Final = 500  # characters; longer is prose
_OPTION_ENDS: Final = " ,，;；、/|\n\t"


@dataclass
class _Card:
    """One form: what its labels say, and its members under their own header."""

    first_row: int
    values: dict[str, Cell] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    members: list[tuple[int, dict[str, Cell]]] = field(default_factory=list)
    has_labels: bool = False  # beside their values: without them it is an ordinary table


def read_cards(sheet: Sheet, contract: Contract) -> tuple[Sheet, Header] | None:
    """The cards of a sheet as a table with its header; None when the sheet does not hold cards of this list.

    Raises:
        UnreadableFile: `cards_differ`: a line with somebody's id is on none of the cards.
    """
    if len(sheet.rows[: _MOST_ROWS + 1]) > _MOST_ROWS:
        return None
    reader = _Reader(contract, sheet)
    cards = reader.read()
    names = [column.name for column in contract.columns if any(column.name in card.labels for card in cards)]
    if len(names) < _LEAST_LABELS or not cards or not all(card.has_labels for card in cards):
        return None
    rows: list[Row] = []
    left_out = 0
    for card in cards:
        lines, dropped = _lines(card, contract)
        left_out += dropped
        rows.extend(Row(number, tuple(cells.get(name) for name in names)) for number, cells in lines)
    if not rows:
        return None
    if reader.unread_row is not None:
        raise UnreadableFile(
            "cards_differ",
            f"卡片式表格的第 {reader.unread_row} 行有证件号码，却看不出属于哪张卡片的哪一栏，整份未接入以免漏人。"
            "请各张卡片用同样的格式，或按填报模板改成一人一行后重新报送。",
        )
    labels = {name: next(card.labels[name] for card in cards if name in card.labels) for name in names}
    first = cards[0].first_row
    above = [row for row in sheet.rows if row.number < first]
    notes = [f"工作表“{sheet.title}”是卡片式表格，读出 {len(cards)} 张卡片"]
    if left_out:
        notes.append(f"有 {left_out} 项个人信息写在卡片上却看不出是哪位成员的，已略过")
    header = Header(
        first=len(above),
        last=len(above),
        width=len(names),
        texts=tuple(normalise_header(labels[name]) for name in names),
        match=HeaderMatch({name: place for place, name in enumerate(names)}, labels, (), ()),
        notes=tuple(notes),
        is_of_cards=True,
    )
    head = Row(first, tuple(labels[name] for name in names))
    return replace(sheet, rows=[*above, head, *rows], vertical_merges=(), horizontal_merges=()), header


def form_columns(sheet: Sheet, contract: Contract, *, is_whole: bool = True) -> int:
    """How many columns of a list the form at the top of a sheet has; 0 when there is no form, or none of this list.

    Only what cannot be an ordinary table with notes above it is one: labels beside values in several rows, and what tells
    one entry of the list from another among them.

    Args:
        is_whole: Whether it must have all that the list requires.
    """
    reader = _Reader(contract, replace(sheet, rows=sheet.rows[:_FORM_ROWS]))
    cards = reader.read()
    names = {name for card in cards for name in card.labels}
    identity = {name for group in contract.row_identity for name in group} | set(contract.block_start)
    is_form = (
        len(names) >= _LEAST_LABELS
        and reader.label_rows > 1
        and all(card.has_labels for card in cards)
        and (
            not is_whole
            or (
                not missing_names(names, contract)
                and any(name in identity for card in cards for name in card.values)
            )
        )
    )
    return len(names) if is_form else 0


def chosen_options(text: str) -> str | None:
    """The ticked ones of options written out with boxes: ``□自有 ☑租赁`` is ``租赁``; None when none is ticked.

    Text without boxes comes back as it is.
    """
    if len(text) > _LONGEST_OPTIONS:
        return text
    marked = _BRACKETED_BLANK.sub("□", _BRACKETED_TICK.sub("☑", text.translate(_BRACKETS)))
    marks = {sign for sign in marked if sign in _TICKED or sign in _UNTICKED}
    # A lone √ is a yes, and 张○○ is no choice of anything.
    if not marks & set("□☐▢☑") and not (marks & set(_UNTICKED) and marks & set(_TICKED)):
        return text
    if not marked.strip("".join((_TICKED, _UNTICKED, _OPTION_ENDS))):
        return text
    stripped = marked.lstrip(_OPTION_ENDS)
    pattern = _OPTION if stripped[0] in _TICKED or stripped[0] in _UNTICKED else _OPTION_BEFORE
    chosen = [
        option.strip(_TICKED + _OPTION_ENDS)
        for option in pattern.findall(stripped)
        if any(sign in _TICKED for sign in option)
    ]
    return "、".join(option for option in chosen if option) or None


class _Reader:
    """Goes through the rows of a sheet and gathers its cards."""

    def __init__(self, contract: Contract, sheet: Sheet) -> None:
        self._contract = contract
        self._rows = sheet.rows
        # The last column of a cell that spans several.
        self._ends = {(number, begin): end for number, begin, end in sheet.horizontal_merges}
        self._counters = {column.name for column in contract.columns if column.is_row_counter}
        self._cards: list[_Card] = []
        self._opening: str | None = None  # the label every card begins with
        self._title = ""
        self._begins_anew = True
        self._counter: int | None = None  # position of 序号 in the members' table
        self._section: str | None = (
            None  # whose the labels are, when not of whom the form is about (子女信息)
        )
        # Lines with somebody's id in a place that no label explains: the forms differ, and nobody may be left out.
        self.unread_row: int | None = None
        self.label_rows = 0

    def read(self) -> list[_Card]:
        """All cards in order."""
        table: dict[int, str] | None = None
        for index, row in enumerate(self._rows):
            texts = [_label_text(cell) for cell in row.cells]
            self._enter_section(texts)
            hits = [self._hit(text) if text else None for text in texts]
            following = self._rows[index + 1].cells if index + 1 < len(self._rows) else ()
            if columns := self._members_header(row.cells, hits, following):
                card = self._open_card(row.number)
                table = columns
                self._counter = next(
                    (place for place, text in enumerate(texts) if _COUNTER.fullmatch(text)), None
                )
                for position, name in columns.items():
                    card.labels.setdefault(name, texts[position])
            elif table is not None and not self._leaves_table(row.cells, hits):
                self._read_member(row, table)
            else:
                table = None
                self._read_labels(row, texts, hits)
        return [card for card in self._cards if card.labels]

    def _hit(self, text: str) -> str | None:
        if len(text) > _LABEL_LENGTH:
            return None
        if self._section is not None:
            return read_label_of_other(text, self._section, self._contract)
        found = read_label(text, self._contract)
        return found[0] if found else None

    def _enter_section(self, texts: Sequence[str]) -> None:
        """A section's title says whose the labels below it are, or beside it; until the next section or form."""
        filled = [text for text in texts if text]
        if len(filled) == 1 and (is_section(filled[0]) or _FORM_TITLE.search(filled[0])):
            self._section = section_of_other(filled[0], self._contract)
        elif len(filled) > 2 and texts[0] and is_person_label(filled[1]):
            whose = section_of_other(texts[0], self._contract)
            if whose is not None:
                self._section = whose
        elif self._section is not None and self._cards and any(self._is_opening(text) for text in filled):
            self._section = None  # the next form, which has no title

    def _is_opening(self, text: str) -> bool:
        found = read_label(text, self._contract) if len(text) <= _LABEL_LENGTH else None
        own = ("person_name", "id_no", "phone", "address")  # what another person has, too
        return found is not None and found[0] == self._opening and found[0] not in own

    def _leaves_table(self, cells: Sequence[Cell], hits: Sequence[str | None]) -> bool:
        """Whether a row below a members' header is no member: it begins with a label, or is a title or signature."""
        first = next((hit for cell, hit in zip(cells, hits, strict=True) if cell not in (None, "")), None)
        if self._counter is not None and self._counter < len(cells):
            count = cells[self._counter]
            if isinstance(count, str) and count and not re.search(r"\d|[一二三四五六七八九十]", fold(count)):
                return True  # a label where members are numbered
        if _SECTION.fullmatch(_folded(cells)):
            return True
        # A member's relation may be a word that is a label elsewhere (户主).
        return (
            first is not None
            or sum(1 for hit in hits if hit) >= 3
            or bool(self._inline(cells))
            or _is_end(cells)
            or is_total_row(cells)
        )

    def _read_member(self, row: Row, table: dict[int, str]) -> None:
        cells = {
            name: chosen_options(cell) if isinstance(cell, str) else cell
            for position, name in table.items()
            if position < len(row.cells) and (cell := row.cells[position]) not in (None, "")
        }
        if all(name in self._counters for name in cells):
            return  # a line of the form that was left empty
        card = self._cards[-1]
        if any(name in ("person_name", "id_no") for name in table.values()):
            card.members.append((row.number, cells))
        else:
            # Labels above their values: still the card itself.
            card.values = {**cells, **card.values}

    def _members_header(
        self, cells: Sequence[Cell], hits: Sequence[str | None], following: Sequence[Cell]
    ) -> dict[int, str]:
        """Column by position when a row is a header: nearly all its cells are labels, and those below are not."""
        filled = sum(1 for cell in cells if cell not in (None, ""))
        columns: dict[int, str] = {}
        for position, name in enumerate(hits):
            if name is not None and name not in columns.values():
                columns[position] = name
        if len(columns) < _LEAST_HEADER_LABELS or len(columns) < filled * _HEADER_SHARE:
            return {}
        below = [self._hit(text) for cell in following if (text := _label_text(cell))]
        return {} if sum(1 for name in below if name) > 1 else columns

    def _inline(self, cells: Sequence[Cell]) -> list[tuple[str, str, str]]:
        """Column, label and value of cells that hold both: 家庭编号：WJ01."""
        found = []
        for cell in cells:
            parts = _INLINE.match(fold(cell)) if isinstance(cell, str) else None
            if parts and (name := self._hit(parts[1].strip())):
                found.append((name, parts[1].strip(), parts[2].strip()))
        return found

    def _read_labels(self, row: Row, texts: Sequence[str], hits: Sequence[str | None]) -> None:
        pairs: list[tuple[str, str, Cell]] = []
        values: set[int] = set()
        for place, name in enumerate(hits):
            if name is not None and place not in values:
                position, value = self._value(row, hits, place, name)
                values.add(position)
                pairs.append((name, texts[place], value))
        pairs.extend(self._inline(row.cells))
        if not pairs:
            has_id = any(looks_like_id(cell) for cell in row.cells if isinstance(cell, str))
            if has_id and self._section is None:
                self.unread_row = self.unread_row or row.number
            filled = [text for text in texts if text]
            if len(filled) == 1 and _FORM_TITLE.search(filled[0]):
                # The form's title again: another card begins.
                self._begins_anew = self._begins_anew or filled[0] == self._title
                self._title = self._title or filled[0]
            return
        self.label_rows += 1
        for name, label, value in pairs:
            is_new = self._cards and name == self._opening and name in self._cards[-1].labels
            if is_new or self._begins_anew:
                self._cards.append(_Card(row.number))
                self._begins_anew = False
                self._opening = self._opening or name
            card = self._cards[-1]
            card.has_labels = True
            if card.values.get(name) in (None, ""):
                card.labels.setdefault(name, label)
                if isinstance(value, str):
                    value = chosen_options(value)
                if value not in (None, ""):
                    card.values[name] = value

    def _open_card(self, number: int) -> _Card:
        if not self._cards or self._begins_anew:
            self._cards.append(_Card(number))
            self._begins_anew = False
        return self._cards[-1]

    def _value(self, row: Row, hits: Sequence[str | None], place: int, name: str) -> tuple[int, Cell]:
        """Position and value of the cell right of a label; a blank one is a value that was not filled in.

        What stands further right is not looked at: it may be another label, which the contract does not know.
        """
        position = self._ends.get((row.number, place), place) + 1
        cell = row.cells[position] if position < len(row.cells) else None
        if cell in (None, ""):
            return position, None
        if hits[position] is not None:
            code_list = next(column.code_list for column in self._contract.columns if column.name == name)
            # A label, unless it is also one of the codes that are asked for (与户主关系: 户主).
            if code_list is None or code_text(str(cell)) not in code_list.by_text:
                return place, None
        return position, cell


def _lines(card: _Card, contract: Contract) -> tuple[list[tuple[int, dict[str, Cell]]], int]:
    """Row number and cells of each row of a card, and how many of its values belong to nobody that can be told."""
    household = {column.name for column in contract.columns if column.is_household}
    shared = {name: value for name, value in card.values.items() if name in household}
    personal = {name: value for name, value in card.values.items() if name not in household}
    if not card.members:
        cells = {**shared, **personal}
        return ([(card.first_row, cells)] if cells else []), 0
    lines = [(number, {**shared, **cells}) for number, cells in card.members]
    if not personal:
        return lines, 0
    own = _own_line(lines, {**shared, **personal}, contract)
    if own is not None:
        lines[own] = (lines[own][0], {**personal, **lines[own][1]})
        return lines, 0
    if any(name in personal for name in ("person_name", "id_no")):
        # The card is of a person whose family stands in the table without that person.
        return [(card.first_row, {**shared, **personal}), *lines], 0
    return lines, len(personal)


def _own_line(
    lines: Sequence[tuple[int, dict[str, Cell]]], values: dict[str, Cell], contract: Contract
) -> int | None:
    """Which member the personal values of a card speak of: the one it names, else its head."""
    named = values.get("person_name", values.get("head_name"))
    if isinstance(named, str):
        same = [
            place
            for place, (_, cells) in enumerate(lines)
            if isinstance(cells.get("person_name"), str)
            and name_key(str(cells["person_name"])) == name_key(named)
        ]
        return same[0] if len(same) == 1 else None
    column = contract.column("relation_code")
    if column is None or column.code_list is None:
        return None
    heads = [
        place
        for place, (_, cells) in enumerate(lines)
        if column.code_list.by_text.get(code_text(str(cells.get("relation_code") or ""))) in _HEAD_CODES
    ]
    return heads[0] if len(heads) == 1 else None


def _is_end(cells: Sequence[Cell]) -> bool:
    """Whether a row is no member's: the title of the next section or form, or a signature."""
    filled = [cell for cell in cells if cell not in (None, "")]
    folded = _folded(cells)
    return bool(_FOOTER.match(folded)) or (
        len(filled) == 1
        and isinstance(filled[0], str)
        and not re.search(r"\d{15}", folded)
        and len(cells) > 2
    )


def _label_text(cell: Cell) -> str:
    if not isinstance(cell, str) or len(cell) > LONGEST_CELL:
        return ""
    return without_spaces(fold(cell))


def _folded(cells: Sequence[Cell]) -> str:
    return next((_label_text(cell) for cell in cells if isinstance(cell, str) and cell.strip()), "")
