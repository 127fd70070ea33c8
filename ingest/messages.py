"""What is said about a row, by rule: what is wrong and how to mend it, in Chinese, never with a value.

``ops.row_warning.message`` and ``ops.quarantined_row.message`` are made here; receipts show the two halves apart.
"""

from __future__ import annotations

from typing import Final

# The rule of rows that were accepted until a person refused the whole delivery.
REFUSED_WITH_DELIVERY: Final = "delivery_refused"

# Rows that are nobody's; no household goes on across them.
NOT_DATA: Final = ("total_row", "example_row")

QUARANTINE_RULES: Final[dict[str, tuple[str, str]]] = {
    "total_row": ("合计、小计或表尾说明行，不是数据行", "不必修改，登记时不计入人数"),
    "no_identity": (
        "这一行没有写明是谁（没有姓名也没有证件号码，或没有可辨认的对象）",
        "补上姓名和证件号码后重新报送",
    ),
    "example_row": ("这是填写示例，不是真实的人或事", "请删去这一行"),
    "no_key": (
        "为空或没有取值，这一行无法登记（同号的行才能更正，没有编号就无从更正）",
        "补上或改正该栏后重报这一行",
    ),
    "row_longer_than_header": (
        "这一行的格数多于表头，内容可能错位",
        "检查是否多了分隔符或地址、备注里有未加引号的逗号，改正后重新报送",
    ),
    "cell_too_long": ("有一栏的内容长得不合常理（超过 10 万字）", "缩短该栏；附件和照片不要写进文字栏"),
    "name_of_another_column": ("姓名栏里不是姓名，像是别的栏的内容", "检查这一行是否错位，改正后重新报送"),
    "name_unreadable": (
        "姓名栏有无法识别的字符（缺字或乱码），证件号码也不能确认是谁",
        "用可显示的汉字重新录入姓名；生僻字请用国家标准编码的字",
    ),
    "required_column_missing": ("缺少必需的一栏，整批不能使用", "在表头补上缺少的栏及其内容后重新报送"),
    REFUSED_WITH_DELIVERY: ("整批来件已由数据人员拒收，这一行没有使用", "按来件的拒收原因改正后重新报送"),
}

WARNING_RULES: Final[dict[str, tuple[str, str]]] = {
    "required_value_missing": ("该栏为空", "请核实后补填"),
    "spreadsheet_error": ("单元格是公式错误（如 #N/A），没有取值", "改正公式，或改为直接填写数值"),
    "formula_without_value": (
        "单元格是公式，却没有计算结果，没有取值",
        "用 Excel 或 WPS 打开、重新计算并保存，或改为直接填写数值",
    ),
    "text_unreadable": ("含有无法识别的字符（缺字或乱码），没有取值", "重新录入该栏"),
    "value_too_long": ("内容太长，不像该栏的内容，没有取值", "检查这一行是否错位，重新录入该栏"),
    "ditto_unresolved": ("写的是“同上”，没有取值", "照实写出这一格的内容"),
    "household_value_differs": (
        "与户主行不同，已按户主行取值",
        "同一户的，改成一致或留空；如是另一户，请写上该户的户号（如低保证号）和户主姓名",
    ),
    "household_not_named": ("没有写是哪一户，又与上面一户对不上，已另作一户", "写上该户的户号（如低保证号）和户主姓名"),
    "head_is_member": (
        "这一行只写了户主，没有写家庭成员，已登记为户主本人",
        "户主也要写在成员栏里；有其他成员的，每人一行",
    ),
    "ditto": ("写的是“同上”，已照上一行取值", "请逐行填写完整"),
    "name_unreadable": ("姓名有无法识别的字符（缺字或乱码），没有取值；已按证件号码登记", "用可显示的汉字重新录入姓名"),
    "name_of_another_column": ("不是姓名，像是别的栏的内容，没有取值", "检查这一行是否错位"),
    "name_with_note": ("姓名后面带有说明（如已故、户主），匹配时已去掉", "把说明写到备注或状态栏"),
    "name_with_question_mark": ("姓名中有问号，可能是没有显示出来的生僻字", "核对姓名用字"),
    "id_checksum_wrong": ("证件号码的校验码不对，至少有一位录错", "对照证件改正"),
    "id_birth_date_impossible": ("证件号码中的出生日期不可能", "对照证件改正"),
    "id_area_unknown": ("证件号码的地区码没有见过", "对照证件核对"),
    "id_masked": ("证件号码被打了星号", "报送完整的证件号码"),
    "id_rounded": ("证件号码被表格软件改成了近似数，后几位已丢失", "把该列设为文本格式，重新录入完整号码"),
    "id_stored_as_number": ("证件号码存成了数字，后几位已丢失", "把该列设为文本格式，重新录入完整号码"),
    "id_wrong_length": ("证件号码位数不对", "对照证件改正"),
    "id_letter_for_digit": ("证件号码中有字母（如把 0 写成 O、把 1 写成 I 或 l）", "对照证件改正"),
    "id_several_numbers": ("一个格里有几个证件号码", "一人一行，只填本人的号码"),
    "id_with_other_text": ("证件号码旁有别的文字，已只取号码", "该栏只填号码"),
    "id_no_number": ("证件号码栏里没有号码", "填写证件号码；确实没有的留空"),
    "id_of_15_digits": ("是 15 位旧号码，已换算为 18 位", "改报 18 位号码"),
    "id_is_certificate": ("证件号码栏填的是残疾人证号，已取其中的身份证号", "该栏改填身份证号"),
    "id_taken_from_certificate": ("没有可用的身份证号，已取残疾人证号中的身份证号", "补填身份证号"),
    "id_taken_from_head_column": ("户主本人的证件号码不完整，已取户主一栏的号码", "补填成员一栏的证件号码"),
    "id_is_heads_id": ("填的是户主的证件号码，没有取值", "改填本人的证件号码"),
    "id_birth_date_differs": ("证件号码中的出生日期与出生日期栏不同", "核对两栏，改正有误的一栏"),
    "id_sex_differs": ("证件号码中的性别与性别栏不同", "核对两栏，改正有误的一栏"),
    "id_shared_by_two_names": ("同一证件号码在本次清单里有两个不同的姓名", "核对是谁的号码，改正另一行"),
    "certificate_malformed": ("残疾人证号应为 20 位（补办后 22 位），格式不对", "对照残疾人证改正"),
    "certificate_id_differs": ("残疾人证号前 18 位与身份证号不同", "核对两栏，改正有误的一栏"),
    "certificate_category_differs": ("残疾人证号第 19 位与残疾类别不同", "核对两栏，改正有误的一栏"),
    "certificate_level_differs": ("残疾人证号第 20 位与残疾等级不同", "核对两栏，改正有误的一栏"),
    "category_taken_from_certificate": ("没有可用的残疾类别，已取残疾人证号第 19 位", "补填残疾类别"),
    "level_taken_from_certificate": ("没有可用的残疾等级，已取残疾人证号第 20 位", "补填残疾等级"),
    "phone_invalid": ("电话号码不对（手机应为 11 位，固定电话为区号加 7 或 8 位）", "核实后改正"),
    "phone_filler": ("是凑数的号码", "填写真实号码，没有的留空"),
    "phone_with_note": ("号码旁边有说明文字，已取号码", "该栏只填号码，说明写到备注"),
    "phone_several_numbers": ("一个格里有几个号码，已取第一个手机号", "该栏只填一个号码"),
    "date_unreadable": ("日期看不懂，没有取值", "按 2026-07-05 的样子填写"),
    "date_impossible": ("日期不存在或不合常理，没有取值", "核实后按 2026-07-05 的样子填写"),
    "date_placeholder": ("是系统凑数的日期，没有取值", "填写真实日期，没有的留空"),
    "date_lunar": ("是农历日期，没有取值", "改填公历日期"),
    "date_two_digit_year": ("年份只有两位，分不清世纪，没有取值", "写全四位年份"),
    "date_two_digit_year_read": ("年份只有两位，已按 19 开头理解", "写全四位年份"),
    "date_day_month_unclear": ("分不清哪个是日、哪个是月，没有取值", "按 2026-07-05 的样子填写"),
    "date_day_missing": ("只有年月没有日，没有取值", "写全年月日"),
    "date_month_ambiguous": ("月份写成 .1，可能是 1 月也可能是 10 月，已按 1 月理解", "按 2026-01 的样子填写"),
    "date_in_future": ("日期晚于报送日期，没有取值", "核实后改正"),
    "time_impossible": ("时刻不存在，没有取值", "按 2026-07-05 14:30 的样子填写"),
    "code_unknown": ("认不得这个写法，没有取值", "按填表说明选用规定的写法"),
    "integer_unreadable": ("不是整数，没有取值", "只填数字"),
    "integer_out_of_range": ("数字超出合理范围，没有取值", "核实后改正"),
    "amount_unreadable": ("金额看不懂", "只填数字，单位为元"),
    "boolean_unreadable": ("应填“是”或“否”，没有取值", "改填“是”或“否”"),
    "contract_dates_reversed": ("到期日早于签约日", "核对两个日期"),
    "entered_before_visited": ("录入时间早于走访时间", "核对两个时间"),
    "period_implausible": ("起止日期的间隔不合常理", "核对两个日期"),
    "status_lapsed": ("状态仍为有效，但在清单日期之前已经到期", "更新状态，或改正到期日"),
    "several_current_contracts": ("同一人有几份有效的签约", "只保留现行的一份，其余改为解约"),
    "ended_without_date": ("状态是解约，但没有解约日期", "补填解约日期"),
    "ended_without_reason": ("状态是解约，但没有解约原因", "补填解约原因"),
    "deregistered_without_date": ("状态是注销，但没有注销日期", "补填注销日期"),
    "deregistered_without_reason": ("状态是注销，但没有注销原因", "补填注销原因"),
    "unemployed_after_registered": ("失业时间晚于失业登记日期", "核对两个日期"),
    "deregistered_before_registered": ("失业登记注销日期早于登记日期", "核对两个日期"),
    "id_is_guardians_id": ("填的是监护人的证件号码，没有取值", "改填本人的证件号码；没有的留空"),
    "guardian_missing": ("未满 14 周岁，没有写监护人", "补填监护人姓名和联系电话"),
    "age_too_high": ("按证件号码或出生日期计算，年龄超过本清单的上限", "核对证件号码，不再符合的不报"),
    "age_too_low": ("按证件号码或出生日期计算，年龄不到本清单的下限", "核对证件号码，不符合的不报"),
    "relation_sex_differs": ("称谓与性别不符", "核对与户主关系和性别，改正有误的一栏"),
    "household_head_not_once": ("一户应恰有一名户主，这一户没有或不止一名", "核对与户主关系"),
    "insured_more_than_household": ("家庭人口少于保障人口", "核对两个人数"),
    "insured_count_differs": ("保障人口与标为保障的成员人数不同", "核对人数和各成员的保障标志"),
    "total_differs": ("合计行与各行相加不等", "核对合计行和各行"),
    "also_in_low_income": ("此人也在现行的低保对象花名册中，低保与特困供养不能同时享受", "核实后在其中一份清单中去掉"),
    "also_in_extreme_poverty": ("此人也在现行的特困人员名单中，低保与特困供养不能同时享受", "核实后在其中一份清单中去掉"),
    "duplicate_of_row": ("与同一次报送的另一行完全相同", "删去重复的一行"),
    "row_shorter_than_header": ("这一行的格数少于表头，缺的栏按空处理", "检查是否漏了分隔符"),
    "number_in_text": ("夹有电话或证件号码，已去掉号码", "号码填到电话、证件号码栏"),
    "id_in_number_column": ("填的是本行的身份证号，没有取值", "填写该栏自己的编号，没有的留空"),
    "address_incomplete": ("地址没有写到门牌（幢、单元、室）", "写全幢、单元、室"),
}  # fmt: skip

# Rules about a value that was taken from elsewhere, said briefly: for a cell of which something else is told already.
TAKEN_FROM: Final[dict[str, str]] = {
    "id_taken_from_certificate": "已取残疾人证号中的身份证号",
    "id_taken_from_head_column": "已取户主一栏的号码",
    "category_taken_from_certificate": "已取残疾人证号第 19 位",
    "level_taken_from_certificate": "已取残疾人证号第 20 位",
}


def message(
    rule: str,
    subject: str | None = None,
    *,
    detail: str = "",
    is_quarantined: bool = False,
    wording: tuple[str, str] | None = None,
) -> str:
    """One sentence or two about a row.

    Args:
        rule: Key of the rule.
        subject: Header of the column the message is about, or None when it is about the whole row.
        detail: Row number or the like, put after the problem; never a value.
        is_quarantined: Whether the row was not accepted; some rules can also end in a warning.
        wording: Problem and remedy where the contract words the rule itself (``CrossChecks.wordings``).
    """
    problem, remedy = wording or parts(rule, is_quarantined=is_quarantined)
    about = f"“{subject}”：" if subject else ""
    return f"{about}{problem}{detail}。{remedy}。"


def parts(rule: str, *, is_quarantined: bool = False) -> tuple[str, str]:
    """Problem and remedy of a rule, apart; empty texts for a rule of an older version."""
    rules = QUARANTINE_RULES if is_quarantined else WARNING_RULES
    return rules.get(rule, ("", ""))
