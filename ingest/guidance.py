"""How a clerk fills in a column, in Chinese, from the contract alone: for the template and the documentation page.

Here: hints, invented examples and allowed values by semantic type. Not here: where they are shown (``template``,
``list_page``), what a reader makes of the cells (``values``).
"""

from __future__ import annotations

import re
from typing import Final

from ingest.contract import Column, Contract

# The id of the textbooks (a woman born on 1949-12-31), nobody's.
_EXAMPLE_ID: Final = "11010519491231002X"
_EXAMPLES: Final[dict[str, str]] = {
    "person_name": "王小兰",
    "id_no": _EXAMPLE_ID,
    "disability_certificate": f"{_EXAMPLE_ID}44",
    "phone": "13906543217",
    "address": "望江家园12幢1单元301室",
    "datetime": "2026-10-08 09:30",
    "boolean": "是",
    "protected_text": "老人行动不便",
    "amount": "1080.00",
    "bank_account": "6200000000000000000",
    "diagnosis": "高血压",
}
_HOW: Final[dict[str, str]] = {
    "person_name": "照身份证件上的姓名填写，中间不加空格，后面不加称呼或说明",
    "id_no": "18 位，按文本填写，末位是字母的写大写 X；证件没有或不清楚就留空，不写“无”",
    "disability_certificate": "20 位（换领过的 22 位），按文本填写：身份证号后面是类别、等级各一位",
    "phone": "一格一个号码：11 位手机号，或带区号的固定电话；没有就留空",
    "address": "写到门牌：小区、幢、单元、室，如“望江家园12幢1单元301室”",
    "datetime": "年月日和时分，如 2026-10-08 09:30（北京时间）",
    "boolean": "是或否；不清楚就留空",
    "codes": "可以写几项，中间用顿号隔开",
    "protected_text": "据实填写，入库即加密",
    "amount": "只写数字，单位元，可带两位小数；入库即加密",
    "bank_account": "按文本填写，不加空格；入库即加密",
    "diagnosis": "据实填写，入库即加密",
}
# Invented values of columns whose type says too little: by column name, and each of them is read without a finding.
_EXAMPLES_OF: Final[dict[str, str]] = {
    "absence_reason": "因病休养", "admission_reason": "病情波动", "aid_project": "助学金", "assistance": "社区每月上门一次",
    "available_time": "周末上午", "bank_name": "杭州银行", "cause": "因病", "certificate_status_code": "有效",
    "child_officer_name": "李敏", "class_name": "三（2）班", "current_situation": "求职中", "description": "楼道灯不亮",
    "diagnosed": "2024-05-10", "disability_note": "肢体二级", "doctor_name": "李敏", "employment_status": "未就业",
    "entered_by": "李敏", "family_no": "H0001", "father_status": "重残", "first_onset": "2010-05", "followed_up": "2026-09-15",
    "grade": "三年级", "grid_name": "第1网格", "handler_name": "李敏", "handling_note": "已联系物业更换",
    "hardship_reason": "父母重残", "hospital": "市第七人民医院", "household_economy": "一般", "household_id": "A0001",
    "hukou_type": "居民户", "housing_type": "自有", "id_type": "居民身份证", "incident_history": "无", "incident_number": "0",
    "inspector_name": "李敏", "institution": "望江街道社区卫生服务中心", "institution_name": "上城区福利院",
    "intention": "愿意就业", "job_wish": "保洁", "last_incident": "2020-05-10", "manager_names": "李敏、陈刚",
    "mental_condition": "稳定", "mother_status": "健在", "need_detail": "需要助餐", "occupation": "退休",
    "opinion": "希望多些活动", "provider_name": "望江街道社区卫生服务中心", "recorder_name": "李敏", "registration_status_code": "有效",
    "rehabilitation": "望江街道阳光家园", "resource_detail": "会修小家电", "resource_name": "小家电维修", "remark": "无",
    "responsible_person": "李敏", "responsible_unit": "近江社区", "school_name": "近江小学", "service_need": "助餐",
    "service_package": "基础包", "shown_value": "近江社区", "special_support": "重残", "street_name": "望江街道",
    "student_no": f"G{_EXAMPLE_ID}", "survey_name": "2026年第三季度", "surveyor_name": "李敏", "team": "第一团队",
    "term": "2026年秋季", "treatment": "规律服药", "verified_value": "近江社区", "visit_frequency": "每周一次",
    "visitor_name": "李敏",
}  # fmt: skip
# What a description says to those who read the database, and a clerk need not know: how values are stored, which
# national code a drop-down follows, what the layout is called.
_INTERNAL: Final = re.compile(r"[，；]?(?:只存密文|不作任何键)[^，；。]*|（(?:GB[^）]*|L\d)）")
# Words of column names that say an end: their example lies after that of the other dates.
_ENDS: Final = ("expiry", "until", "due", "end", "valid", "cancelled", "ended")
_RHYTHMS: Final = {
    "daily": "每个工作日",
    "monthly": "每月",
    "quarterly": "每季度",
    "half_yearly": "每半年",
    "per_term": "每学期",
}


def meaning_of(description: str) -> str:
    """What a column, or a row, means, without what only those who read the database need."""
    return _INTERNAL.sub("", description)


def how_to_write(column: Column) -> str:
    """One sentence (without full stop) that says how the column is written."""
    if column.code_list is not None and column.semantic_type == "code":
        return f"从下拉选项中选一项（{column.code_list.title}）"
    if column.semantic_type == "integer":
        least = 0 if column.minimum is None else column.minimum
        return f"{least} 至 {column.maximum} 的整数" if column.maximum is not None else "整数"
    if column.semantic_type == "date":
        way = "年月，如 2026-10" if column.is_month else "年月日，如 2026-10-08"
        return f"{way}；不能晚于今天" if column.is_past_only else way
    if column.semantic_type == "text":
        return "写社区全名，如“近江社区”" if column.is_community else "照实填写；不写身份证号和电话"
    return _HOW[column.semantic_type]


def example_of(column: Column) -> str:
    """An invented value that the platform reads without a finding."""
    if column.name in _EXAMPLES_OF:
        return _EXAMPLES_OF[column.name]
    if column.code_list is not None:
        names = list(column.code_list.codes.values())
        is_head = column.code_list.by_text.get("户主") is not None
        return (
            "户主" if is_head else "、".join(names[:2]) if column.semantic_type == "codes" else _woman(names)
        )
    if column.semantic_type == "integer":
        return str(max(column.minimum or 0, 1))
    if column.semantic_type == "date":
        year = "2027" if any(word in column.name for word in _ENDS) and not column.is_past_only else "2025"
        if column.name == "birth_date":
            return "1949-12-31"
        return f"{year}-10" if column.is_month else f"{year}-10-08"
    if column.semantic_type == "text":
        if column.is_row_counter:
            return "1"
        if column.is_community:
            return "近江社区"
        return "A0001" if column.name.endswith("_no") else "照实写"
    return _EXAMPLES[column.semantic_type]


def allowed_values(column: Column) -> list[str]:
    """The names a clerk chooses from; empty when anything may be written."""
    if column.semantic_type == "boolean":
        return ["是", "否"]
    return list(column.code_list.codes.values()) if column.code_list is not None else []


def when_due(contract: Contract) -> str:
    """How often the list is delivered and by when."""
    rhythm = _RHYTHMS[contract.rhythm]
    if contract.rhythm == "daily":
        return f"{rhythm}报送"
    if contract.due_day is None:
        return f"{rhythm}报送，期末前报到"
    unit = "个工作日" if contract.due_unit == "working_day" else "日"
    when = "期满后" if contract.is_due_after_period else "每期"
    return f"{rhythm}报送，{when}第 {contract.due_day} {unit}前报到"


def what_a_delivery_is(contract: Contract) -> str:
    """Whether a file is the whole list or adds to it, and what a row that is missing or comes again means."""
    keys = "、".join(header_of(contract, name) for name in contract.business_key)
    if contract.semantics == "snapshot":
        scope = "所报各社区的" if contract.is_partial else "完整的"
        return f"每次报{scope}名单：上次有、这次没有的人，视为不再在册，由数据人员核实原因。"
    if contract.semantics == "upsert":
        return f"每次可以只报有变动的：{keys}相同的行以新报的为准，没有报的保持不变。"
    return f"每次只报新增的：以前报过的不必再报；{keys}相同的行再报一次，视为更正。"


def how_to_correct(contract: Contract, rows: str) -> str:
    """What to do with rows of a list whose files bring new rows only: nothing else brings them again."""
    keys = "、".join(header_of(contract, name) for name in contract.business_key)
    if contract.block_start:
        return f"请把{rows}所在的户整户改正后再报一次（{keys}不变即为更正），不必重报其余的户"
    return f"请把{rows}改正后再报一次（{keys}不变即为更正），不必重报其余行"


def header_of(contract: Contract, name: str) -> str:
    """The canonical header of a column."""
    column = contract.column(name)
    return name if column is None else column.header


def _woman(names: list[str]) -> str:
    """The sex that the example id says, where the list is one of sexes; else its first name."""
    return "女" if "女" in names else names[0]
