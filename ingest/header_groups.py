"""Group titles that name a person (L3): whose name, id, phone and address stand below them.

家长信息 over 身份证号 is the parent's id, whatever the list calls the pupil's. Not here: where a header is (``headers``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ingest.normalise.texts import fold, without_bracketed, without_spaces

if TYPE_CHECKING:
    from ingest.contract import Column, Contract

_GROUP_WORDS: Final = re.compile(r"(基本|主要|相关)?(信息|情况|资料|数据)$")
_MARKS: Final = re.compile(
    r"必填项?|选填项?|必录|[*★※☆:;\"'`“”‘’]|^\d+[.、)]|^[一二三四五六七八九十]{1,3}[.、]"
)
_HEADS: Final = "户主|申请人|家庭代表|户代表"
_RELATIVES: Final = (
    rf"{_HEADS}|家长|父亲?|母亲?|父母亲?|双亲|爸爸|妈妈|爷爷|奶奶|祖父母?|外祖父母?|监护人|子女|儿女|儿子|女儿|"
    r"赡养人|抚养人|扶养人|照料人|照护人|照顾人|看护人|配偶|丈夫|妻子|爱人|家属|亲属|亲戚|亲友|联系人|担保人|保证人|代理人|代办人|"
    r"委托人|领取人|代领人|兄弟姐妹|邻居|陪同人员?"
)
_STAFF: Final = (
    r"医生|医师|大夫|护士|走访人员?|走访员|入户人员?|访问人员?|访问员|网格员|网格长|探访人员?|巡访人员?|儿童主任|督导员|结对人员?|"
    r"帮扶人员?|包联人员?|责任人|负责人|经办人员?|登记人员?|录入人员?|填表人|审核人|调查员|调查人员?|核查人员?|采集人员?|社工|志愿者|"
    r"班主任|教师|老师|校长|工作人员|社区干部|联系干部|法定代表人|法人"
)
_OTHERS: Final = re.compile(rf".{{0,6}}?({_RELATIVES}|{_STAFF})[一二三四五1-5甲乙丙]?")
_IS_STAFF: Final = re.compile(rf".{{0,6}}?(?:{_STAFF})[一二三四五1-5甲乙丙]?")
_IS_HEAD: Final = re.compile(rf".{{0,6}}?(?:{_HEADS})[一二三四五1-5甲乙丙]?")
_MEMBERS: Final = re.compile(r"(?:主要)?(?:家庭)?(?:主要)?成员")
# A title that says itself whose it is: 父亲姓名 below 父母情况, 与户主关系 below 户主信息.
_SAYS_WHOSE: Final = re.compile(rf"与.{{1,6}}关系|.{{0,4}}?(?:{_RELATIVES}|{_STAFF}).*")
# What is told of a person, in words that a list need not know.
_LABEL: Final = re.compile(
    r".{0,4}?(姓名|名字|身份证件?号?码?|身份号码|证件号码?|证件类型|电话号?码?|手机号?码?|联系方式|住址|地址|居住地|户籍地|关系|称谓|单位|"
    r"职务|职业|性别|年龄|出生日期|出生年月|状况|民族|学历|文化程度)"
)
_PERSONAL_TYPES: Final = frozenset(
    {"person_name", "id_no", "phone", "address", "diagnosis", "disability_certificate", "bank_account"}
)
_PERSONAL_COLUMNS: Final = re.compile(r"sex|birth|age|occupation|health|community|relation|remark|status")
# Titles that mean one thing, each as lists call it when they say whose it is.
_FORMS: Final = {
    "person_name": ("姓名", ""),
    "id_no": ("身份证号", "身份证号码", "证件号码"),
    "phone": ("电话", "联系电话", "联系方式"),
}


@lru_cache(maxsize=4096)
def group_stem(title: str) -> str:
    """A group title without what it is decorated with and without 信息, 情况: whose or what it is."""
    folded = without_spaces(fold(title))
    bare = _MARKS.sub("", without_bracketed(folded) or folded)
    return _GROUP_WORDS.sub("", bare) or bare


def other_person(above: tuple[str, ...], contract: Contract) -> str | None:
    """The stem of the group title that says whose a column is, when that is not the list's own subject.

    Args:
        above: Group titles over a column, from the top; the lowest one that names a person decides.
        contract: The list.
    """
    own = contract.column("person_name")
    for title in reversed(above):
        stem = group_stem(title)
        if own is not None and (stem in own.aliases or f"{stem}姓名" in own.aliases):
            if _MEMBERS.fullmatch(stem) and contract.column("relation_code") is None:
                return stem  # of the family of the person that a list without households is about
            return None
        if _OTHERS.fullmatch(stem):
            return stem
    return None


def section_of_other(title: str, contract: Contract) -> str | None:
    """The stem of a form's section title that names another person than the form is about; None for any other title."""
    whose = other_person((title,), contract)
    return None if whose is None or head_may_be_member(whose, contract) else whose


def is_section(title: str) -> bool:
    """Whether a title heads a section of a form: 子女信息, 健康情况, 监护人."""
    stem = group_stem(title)
    return _GROUP_WORDS.search(without_spaces(fold(title))) is not None or _OTHERS.fullmatch(stem) is not None


def is_person_label(title: str) -> bool:
    """Whether a title is what one asks of a person: 姓名, 身份证号, 电话 …"""
    return _LABEL.fullmatch(group_stem(title)) is not None


def others_readings(stem: str, title: str, column_name: str | None) -> tuple[str, ...]:
    """How a title below another person's group may be called in a list: whose it is always stands in front.

    Args:
        stem: The group's stem.
        title: The title, normalised.
        column_name: What the title alone would mean in the list, or None.
    """
    found = _OTHERS.fullmatch(stem)
    stems = dict.fromkeys((stem, found[1] if found else stem))
    kind = column_name if column_name in _FORMS else _kind(title)
    forms = (title, *_FORMS.get(kind or "", ()))
    return tuple(f"{whose}{form}" for form in forms for whose in stems)


def stands_alone(stem: str, title: str, column: Column, contract: Contract) -> bool:
    """Whether a title below another person's group means a column of the list nevertheless."""
    if _SAYS_WHOSE.fullmatch(title):
        return True
    if _IS_HEAD.fullmatch(stem):
        # The head's address is the household's, where the list is of households.
        return column.is_household or contract.column("person_name") is None
    if _IS_STAFF.fullmatch(stem):
        return column.semantic_type not in _PERSONAL_TYPES and not _PERSONAL_COLUMNS.search(column.name)
    return False


def head_may_be_member(stem: str, contract: Contract) -> bool:
    """Whether the head is who a list of households without a head's columns of its own is about."""
    return bool(_IS_HEAD.fullmatch(stem) and contract.block_start and contract.column("head_name") is None)


def _kind(title: str) -> str | None:
    if title in ("姓名", "名字"):
        return "person_name"
    if re.fullmatch(r"(公民|居民)?(身份证?|证)件?号?码?", title):
        return "id_no"
    return "phone" if re.fullmatch(r"(联系|移动)?(电话|手机|方式)号?码?", title) else None
