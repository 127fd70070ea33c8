"""Headers: how the words above the columns are compared with a contract's aliases, and where the header is.

Layouts of domain.md 1.1 that are told here: title and note rows above (L2), two header rows with merged group
titles (L3; three rows too), hint and numbering rows below (L4). What the rows under the header mean is not said here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ingest.header_groups import (
    group_stem,
    head_may_be_member,
    is_person_label,
    other_person,
    others_readings,
    stands_alone,
)
from ingest.normalise.texts import fold, without_bracketed, without_spaces
from ingest.template_marks import is_template_title

if TYPE_CHECKING:
    from ingest.contract import Contract
    from ingest.readers.sheet import Cell, Row

HEADER_SEARCH_ROWS: Final = 15
_MOST_LEVELS: Final = 3
_MOST_HINT_ROWS: Final = 4
_MINIMUM_HITS: Final = 3
_MINIMUM_HIT_RATIO: Final = 0.4
_MARKS: Final = re.compile(r"必填项?|选填项?|必录|[*★※☆:;\"'`“”‘’]|^\d+[.、)]")
# Whose value it is, where the list leaves no doubt: 居民电话 is 电话. Never 户主 or 监护人, who are others.
_OWN: Final = re.compile(
    r"^(本人|个人|居民|住户|本户|家庭(?!人)|人员|对象|家庭成员|成员|残疾人|持证人|签约居民|签约人|签约对象|保障对象|低保对象|低保人员|救助对象|现在?|目前|详细|具体)+"
)
_STRIPPED_RANK: Final = 1000
_DATA: Final = re.compile(r"(?a)\d{4}")
_LABELS_SHARE: Final = 0.6  # of the lower header row, where group titles above name persons
_HINT: Final = re.compile(
    r"必填|选填|格式|例如|示例|填写|请填|请选择|下拉|YYYY|yyyy|=是|＝是|位身份证|单选|多选|[0-9]=|不超过|位数字"
)


@dataclass(frozen=True)
class HeaderMatch:
    """How one header fits one contract.

    Attributes:
        positions: Contract column to position in the row.
        headers: Contract column to the header as written.
        unknown: Headers that the contract does not know, as written.
        doubled: Contract columns that two equal headers claim; the first one is used.
        others: How many headers are known to be of another person than the list is about (parent, doctor); in `unknown`.
        names_persons: Group titles say whose the columns below them are.
        rivals: Other columns that mean the person's id, too: position and header.
    """

    positions: dict[str, int]
    headers: dict[str, str]
    unknown: tuple[str, ...]
    doubled: tuple[str, ...]
    others: int = 0
    names_persons: bool = False
    rivals: tuple[tuple[int, str], ...] = ()

    @property
    def hits(self) -> int:
        """How many columns of the contract are there."""
        return len(self.positions)

    @property
    def hit_ratio(self) -> float:
        """Share of the headers that the contract knows."""
        return (self.hits + self.others) / max(1, self.hits + len(self.unknown))


_WIDEST_HEADER: Final = 1_000  # a text file may have a million columns; nobody's list does
_LONGEST_TITLE: Final = 2_000  # characters, with all that is explained in brackets


@dataclass(frozen=True)
class Header:
    """A header found in a sheet.

    Attributes:
        first: Index in the sheet's rows of the (upper) header row.
        last: Index of the last header or hint row; data begins after it.
        width: How many cells a row may have.
        texts: Normalised header texts by position, to recognise a repeated header.
        notes: What was found besides, for the layout.
        is_of_cards: Made of forms: the sheet may be named after whom it is about.
    """

    first: int
    last: int
    width: int
    texts: tuple[str, ...]
    match: HeaderMatch
    notes: tuple[str, ...] = field(default=())
    is_of_cards: bool = False


@lru_cache(maxsize=4096)
def normalise_header(text: str) -> str:
    """A header without what clerks decorate it with: width, spaces, line breaks, units in brackets, 必填, stars."""
    folded = without_spaces(fold(text))
    bare = without_bracketed(folded) or folded
    return _MARKS.sub("", bare).lower()


def find_header(
    rows: Sequence[Row], contract: Contract, merges: Collection[tuple[int, int, int]] = ()
) -> Header | None:
    """The row, or the two or three rows, of the first 15 that fit the contract best; None when none fits at all.

    Args:
        rows: The sheet's, or those from where a header may begin.
        contract: The list.
        merges: Row number, first and last position of cells merged across columns.
    """
    best: Header | None = None
    head = [
        row._replace(cells=row.cells[:_WIDEST_HEADER])
        for row in rows[: HEADER_SEARCH_ROWS + _MOST_LEVELS - 1]
    ]
    numbers = {row.number for row in head}
    merges = [merge for merge in merges if merge[0] in numbers]
    for index, row in enumerate(head[:HEADER_SEARCH_ROWS]):
        texts = [_text(cell) for cell in row.cells]
        single = _match([(text,) for text in texts], texts, contract)
        if _is_header(single) and (best is None or single.hits > best.match.hits):
            best = _header(rows, index, index, single)
    for levels in range(2, _MOST_LEVELS + 1):
        # Further header rows must earn their place: more columns than the best found so far gives.
        least_gain = 2 if levels == 2 else 1
        for index in range(min(len(head) - levels + 1, HEADER_SEARCH_ROWS)):
            joined = _match_levels(head[index : index + levels], contract, merges)
            if joined is None or not _is_header(joined):
                continue
            # Whose a column is goes before how many are known: 身份证号 below 家长信息 is not the pupil's.
            tells_whose = (
                joined.names_persons
                and best is not None
                and not best.match.names_persons
                and index <= best.first < index + levels
            )
            is_divided = (
                best is not None
                and best.first == best.last == index + levels - 2
                and _splits(head[index + levels - 2], head[index + levels - 1])
            )
            gain = joined.hits - (best.match.hits if best else 0)
            if tells_whose or gain >= (0 if is_divided else least_gain):
                best = _header(rows, index, index + levels - 1, joined)
    return best


def _splits(upper: Row, lower: Row) -> bool:
    """Whether a row only divides titles of the row above: 证件 into 类型 and 号码; it says nothing below the other titles."""
    above = [_text(cell) for cell in upper.cells]
    width = max(len(above), len(lower.cells))
    above += [""] * (width - len(above))
    below = [_text(cell) for cell in lower.cells] + [""] * (width - len(lower.cells))
    if any(_DATA.search(text) for text in below) or any(
        cell is not None and not isinstance(cell, str) for cell in lower.cells
    ):
        return False
    divided = {place for place in range(1, width) if not above[place] and below[place]}
    divided |= {place - 1 for place in divided if above[place - 1]}
    filled = {place for place, text in enumerate(below) if text}
    others = [place for place, text in enumerate(above) if text and place not in divided]
    return len(filled) >= 2 and filled == divided and len(others) >= 2


def missing_columns(header: Header, contract: Contract) -> list[str]:
    """Names of the required columns that no header means.

    A list of households (only heads, no member columns) still names persons: there the head is the member.
    """
    return missing_names(header.match.positions, contract)


def missing_names(names: Collection[str], contract: Contract) -> list[str]:
    """Those of the required columns that are not among these."""
    stand_ins = {"person_name": "head_name", "id_no": "head_id_no"}
    return [
        column.name
        for column in contract.columns
        if column.is_required and column.name not in names and stand_ins.get(column.name) not in names
    ]


def _is_header(match: HeaderMatch) -> bool:
    return match.hits >= _MINIMUM_HITS and match.hit_ratio >= _MINIMUM_HIT_RATIO


def _header(rows: Sequence[Row], first: int, last: int, match: HeaderMatch) -> Header:
    notes = []
    if first and not (rows[0].cells and is_template_title(rows[0].cells[0])):
        notes.append(f"表头上方有 {first} 行标题或说明")
    if last > first:
        notes.append(f"表头有{'两三'[last - first - 1]}行")
    head = rows[first : last + 1 + _MOST_HINT_ROWS]
    width = max(len(trimmed(row.cells)) for row in head[: last - first + 1])
    texts = tuple(normalise_header(_text(cell)) for cell in head[last - first].cells)
    hints = 0
    for row in head[last - first + 1 :]:
        if not (_is_hint_row(row.cells) or _is_numbering_row(row.cells)):
            break
        hints += 1
    if hints:
        notes.append(f"表头下方有{hints if hints > 1 else '一'}行填写说明，已略过")
    return Header(first, last + hints, width, texts, match, tuple(notes))


def _is_hint_row(cells: Sequence[Cell]) -> bool:
    """Whether a row tells how to fill in the columns: a third of its texts do, or the only one of a wide table."""
    texts = [_text(cell) for cell in cells if _text(cell)]
    hints = sum(1 for text in texts if _HINT.search(text))
    filled = sum(1 for cell in cells if cell is not None and cell != "")
    return (hints >= 2 and hints * 3 >= len(texts)) or (hints == filled == 1 and len(cells) >= _MINIMUM_HITS)


def _is_numbering_row(cells: Sequence[Cell]) -> bool:
    """Whether a row numbers the columns, as official forms do: 1 2 3 …, (1) (2) …, 甲 乙 丙 …"""
    texts = [
        without_spaces(fold(cell)) if isinstance(cell, str) else str(cell)
        for cell in cells
        if cell is not None and cell != ""
    ]
    if len(texts) < _MINIMUM_HITS:
        return False
    signs = [text.strip("()栏列") for text in texts]
    lead = next((place for place, sign in enumerate(signs) if sign == "1"), len(signs))
    stems = "甲乙丙丁戊己庚辛壬癸"
    return all(sign == stem for sign, stem in zip(signs[:lead], stems, strict=False)) and all(
        sign == str(number) for number, sign in enumerate(signs[lead:], start=1)
    )


def _match_levels(
    rows: Sequence[Row], contract: Contract, merges: Collection[tuple[int, int, int]]
) -> HeaderMatch | None:
    """Match two or three rows as group titles over titles; a group title stands over the blank cells to its right."""
    if any(not isinstance(cell, str | None) for row in rows[1:] for cell in row.cells):
        return None
    titles = list(_titles(rows, merges))
    match = _match_titles(titles, contract, is_of_heads=False)
    if "person_name" not in match.positions and any(
        head_may_be_member(group_stem(group), contract) for above, _ in titles for group in above
    ):
        match = _match_titles(titles, contract, is_of_heads=True)
    if match.names_persons:
        lowest = [text for cell in rows[-1].cells if (text := _text(cell))]
        labels = sum(is_person_label(text) or read_label(text, contract) is not None for text in lowest)
        are_titles = not any(
            isinstance(cell, str) and _DATA.search(cell) for row in rows for cell in row.cells
        )
        # Not a row of data below 户主, nor one that says 户主 above a header that is repeated.
        return replace(match, names_persons=are_titles and labels >= len(lowest) * _LABELS_SHARE)
    return match


def _titles(
    rows: Sequence[Row], merges: Collection[tuple[int, int, int]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Group titles and title of each position; a group ends where its merged cell does."""
    ends = {(number, begin): end for number, begin, end in merges}
    groups = [""] * len(rows)
    lasts = [_WIDEST_HEADER] * len(rows)
    for position in range(max(len(row.cells) for row in rows)):
        own = [_text(row.cells[position]) if position < len(row.cells) else "" for row in rows]
        lowest = max((level for level, text in enumerate(own) if text), default=-1)
        for level, text in enumerate(own):
            if text:
                groups[level:] = [text] + [""] * (len(rows) - level - 1)
                lasts[level] = ends.get((rows[level].number, position), _WIDEST_HEADER)
            elif level >= lowest or position > lasts[level]:
                groups[level] = ""
        yield ((tuple(group for group in groups[:lowest] if group), own[lowest]) if lowest >= 0 else ((), ""))


def _match_titles(
    titles: Sequence[tuple[tuple[str, ...], str]], contract: Contract, *, is_of_heads: bool
) -> HeaderMatch:
    candidates: list[tuple[str, ...]] = []
    shown: list[str] = []
    others = 0
    names_persons = False
    counts = Counter(title for _, title in titles)
    for above, title in titles:
        whose = other_person(above, contract) if title else None
        if whose is not None and is_of_heads and head_may_be_member(whose, contract):
            whose = None
        if whose is not None:
            readings = _readings_of_other(above, whose, title, contract)
            others += _hit(readings, _alias_ranks(contract)) is None
            names_persons = names_persons or is_person_label(title)
        else:
            stems = [group_stem(group) for group in above]
            readings = (
                (
                    "_".join((*above, title)),
                    "".join((*stems, title)),
                    *(f"{stem}{title}" for stem in stems[::-1]),
                    *(f"{title}{stem}" for stem in stems[::-1]),  # 地址 over 户籍 and 现住
                )
                if above
                else ()
            )
            readings = (*readings, title)
        candidates.append(readings)
        shown.append("_".join((*above, title)) if counts[title] > 1 or whose is not None else title)
    match = _match(candidates, shown, contract)
    return replace(match, others=others, names_persons=names_persons)


def _readings_of_other(above: tuple[str, ...], whose: str, title: str, contract: Contract) -> tuple[str, ...]:
    """What a title below another person's group may mean: that person's column, else nothing of the list's subject."""
    key = normalise_header(title)
    alone = read_label(title, contract)
    column = contract.column(alone[0]) if alone else None
    readings = (
        "_".join((*(above or (whose,)), title)),
        *others_readings(whose, key, column.name if column else None),
    )
    if column is not None and stands_alone(whose, key, column, contract):
        readings = (*readings, title)
    return readings


def _match(candidates: Sequence[tuple[str, ...]], shown: Sequence[str], contract: Contract) -> HeaderMatch:
    """Give every header to the column one of its readings names; of two for one column the better alias wins."""
    ranks = _alias_ranks(contract)
    claims: dict[str, tuple[int, int]] = {}
    doubled: list[str] = []
    named: list[tuple[int, str]] = []
    for position, readings in enumerate(candidates):
        hit = _hit(readings, ranks)
        if hit is None:
            if any(readings):
                named.append((position, shown[position]))
            continue
        column, rank = hit
        claim = claims.get(column)
        if claim is not None and claim[0] == rank:
            doubled.append(column)
        if claim is None or rank < claim[0]:
            if claim is not None:
                named.append((claim[1], shown[claim[1]]))
            claims[column] = (rank, position)
        else:
            named.append((position, shown[position]))
    positions = {column: position for column, (_, position) in claims.items()}
    rivals = [
        (position, shown[position])
        for position, readings in enumerate(candidates)
        if (hit := _hit(readings, ranks)) and hit[0] == "id_no" and position != positions["id_no"]
    ]
    return HeaderMatch(
        positions=positions,
        headers={column: shown[position] for column, position in positions.items()},
        unknown=tuple(text for _, text in sorted(named)),
        doubled=tuple(dict.fromkeys(doubled)),
        rivals=tuple(rivals),
    )


def read_label(text: str, contract: Contract) -> tuple[str, int] | None:
    """The contract column that a label means, and how good an alias it is (0 is best); None when it means none."""
    return _hit((text,), _alias_ranks(contract))


def read_label_of_other(text: str, whose: str, contract: Contract) -> str | None:
    """The contract column that a label means in a section of another person of this stem (子女, 监护人)."""
    found = _hit(_readings_of_other((), whose, text, contract), _alias_ranks(contract))
    return found[0] if found else None


def _hit(readings: tuple[str, ...], ranks: dict[str, tuple[str, int]]) -> tuple[str, int] | None:
    keys = [normalise_header(text) for text in readings if text]
    for key in keys:
        if key in ranks:
            return ranks[key]
    for key in keys:
        bare = _OWN.sub("", key)
        if bare != key and bare in ranks:
            column, rank = ranks[bare]
            return column, rank + _STRIPPED_RANK
    return None


@lru_cache(maxsize=64)
def _alias_ranks(contract: Contract) -> dict[str, tuple[str, int]]:
    return {
        alias: (column.name, rank) for column in contract.columns for rank, alias in enumerate(column.aliases)
    }


def _text(cell: Cell) -> str:
    # What is longer is no title of a column; of what is asked of titles, all is asked again for each contract.
    return fold(cell[:_LONGEST_TITLE]) if isinstance(cell, str) else ""


def trimmed(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Cells without the blank ones at the end."""
    end = len(cells)
    while end and (cells[end - 1] is None or cells[end - 1] == ""):
        end -= 1
    return cells[:end]
