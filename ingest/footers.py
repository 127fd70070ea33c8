"""Rows below and between the data that are nobody's: totals, notes, signatures, page marks, examples.

Not here: what the rows of a list are (``layout``), the forms (``cards``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ingest.normalise.ids import looks_like_id
from ingest.normalise.texts import fold, without_spaces

if TYPE_CHECKING:
    from ingest.readers.sheet import Cell

_TOTAL: Final = re.compile(
    r"(本页|本表|本社区|社区|全街道|街道|总)?(合计|小计|总计|共计|累计|总人数|总户数)[:：]?|(总人数|总户数|人数|户数)[:：]?\d.{0,12}|(合计|小计|总计|共计)[:：]?[(]?\d.{0,12}|共\d+[户人条行].{0,12}"
)
_STATED_PERSONS: Final = re.compile(
    r"(?:本表|街道|总|^)(?:合计|总计|共计|总人数|共)[:：]?(?:\d{1,7}户[,，、]?)?(\d{1,7})[人名]"
)
_FOOTER: Final = re.compile(
    r"(填表|填报|制表|审核|复核|经办|负责|单位负责|主管|分管|报送|审批|统计)?(人|领导|单位|日期|时间)?(签字|签名|盖章|公章)?[:：(].*"
    r"|(填表|填报|制表|审核|复核|经办|单位负责|报送|打印)(人|日期|时间|单位).*|(注|备注|说明|填表说明)[:：1-9].*"
)
_FOOTER_WORDS: Final = re.compile(
    r"填表|填报|制表|审核|复核|经办|负责|主管|分管|报送|审批|统计|打印|盖章|签字|注[:：]|备注[:：]|说明[:：]"
)
# Who signs below a table: 核查人签字, 核查人（签字）, 单位负责人：, 社区（盖章）, 核查日期, 年 月 日.
_SIGNER: Final = (
    r"(填表|填报|制表|审核|复核|经办|负责|主管|分管|报送|审批|统计|录入|核查|核实|督查|抽查|复查|调查|检查|入户|走访|受访|被访|"
    r"单位|部门|科室|社区|居委会|村委会|街道|乡镇|网格|户主|居民|住户|家属|本人|代表|领导|人员|员|人|长|者)"
)
_SIGNATURE: Final = re.compile(
    rf"{_SIGNER}{{0,5}}([(]?(签字|签名|签章|盖章|公章)[)]?){{1,2}}([:：].*|[_]*)"
    rf"|{_SIGNER}{{0,3}}(日期|时间)([:：].*|[_]*)|{_SIGNER}{{2,5}}[:：].*|年月日"
)
# Who signs, in the cell before the name: 制表 | 王五, 分管领导 | 赵六.
_BARE_SIGNER: Final = re.compile(
    r"(填表|填报|制表|复核|审核|审批|经办|编制|核对|签发|报送|分管|主管|抄送|领导签[字名]|"
    r"(分管|主管|单位|街道|社区|科室|部门|主要)?(领导|负责人)|(登记|采集|调查|录入|填表|填报|制表|审核|复核|核查|入户|走访)(人员?|员))[:：]?"
)
# Marks of pages and of the end of a table.
_PAGE_MARK: Final = re.compile(
    r"[-—–_=*·.(\[【]*(以下(空白|无正文|无内容|无数据|空)|此页无正文|本页无正文|(续|接|转|承)(上|下)[一]?页|续表|接上表|下接?页|"
    r"第[\d一二三四五六七八九十]{1,4}页([/,，、.共]*(共?[\d一二三四五六七八九十]{1,4}页)?)|共\d{1,4}页([,，]?第\d{1,4}页)?|\d{1,4}/\d{1,4}页?)"
    r"[-—–_=*·.)\]】]*"
)
# The only cell of a row that begins with a label: 数据来源：…, 截止时间：… Nobody is called so.
_NOTE: Final = re.compile(r"[^:：(\d]{1,12}[:：].*", re.DOTALL)
_LONGEST_NOTE: Final = 500
_EXAMPLE: Final = re.compile(
    r"[(\[【<]?(填写|填表|填报)?(示例|样例|范例|举例|例如|例)(行|数据|\d{1,2}|[一二三])?[)\]】>]?|"
    r"[(\[【<]?(填写|填表|填报)?((示例|样例|范例|举例|例如|例)(行|数据|\d{1,2}|[一二三])?[)\]】>]?[:：、]|(示例|样例|范例|举例)|"
    r"[(\[【<](示例|样例|范例|例)[)\]】>]).{0,12}|.{1,8}[(\[【<](示例|样例|范例|举例|例)[)\]】>]"
)


def stated_persons(cells: Sequence[Cell]) -> int | None:
    """The number of persons that a grand total row states: 合计 38 人, 共38人; subtotals and other units say nothing."""
    written = without_spaces(fold("".join(cell for cell in cells if isinstance(cell, str))))
    found = _STATED_PERSONS.search(written)
    return int(found[1]) if found else None


def is_total_row(cells: Sequence[Cell]) -> bool:
    """Whether a row is a total, or a note or signature below the table."""
    filled = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if not filled:
        return False
    first = total_word(filled[0])
    is_alone = first == "note" and all(cell is None or cell == "" or cell is filled[0] for cell in cells)
    if not (is_alone or first in ("footer", "signature") or "total" in map(total_word, filled[:3])):
        return False
    return not any(looks_like_id(cell) for cell in filled)


@lru_cache(maxsize=16384)
def total_word(cell: str) -> str | None:
    """What a text at the beginning of a row marks it as, unless the row has an id: total, footer, signature, or note.

    A note is none when the row has other cells.
    """
    if cell.isascii() or len(cell) > _LONGEST_NOTE:
        return None  # all of the words are Chinese
    text = without_spaces(fold(cell))
    if _TOTAL.fullmatch(text):
        return "total"
    if _FOOTER.fullmatch(text) and _FOOTER_WORDS.search(text):
        return "footer"
    if _SIGNATURE.fullmatch(text) or _BARE_SIGNER.fullmatch(text):
        return "signature"
    if _PAGE_MARK.fullmatch(text):
        return "footer"
    return "note" if _NOTE.fullmatch(text) else None


def is_example_row(cells: Sequence[Cell], name_position: int | None) -> bool:
    """Whether a row calls itself an example of how to fill in the list, in its first cell or where the name stands."""
    first = next((cell for cell in cells if cell is not None and cell != ""), None)
    name = cells[name_position] if name_position is not None and name_position < len(cells) else None
    return any(isinstance(cell, str) and is_example(cell) for cell in (first, name))


@lru_cache(maxsize=16384)
def is_example(cell: str) -> bool:
    """Whether a text calls what it stands in an example: 示例, 例：张三, 张三（样例）."""
    return ("例" in cell) and _EXAMPLE.fullmatch(without_spaces(fold(cell))) is not None
