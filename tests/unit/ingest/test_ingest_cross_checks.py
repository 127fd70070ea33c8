"""Cross-checks: each contract warns of the planted fault, of that alone, and of nothing in sound data."""

from datetime import date, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from open_data_contract_standard.model import DataQuality

from infra.errors import PermanentError
from ingest.check_kinds import Finding
from ingest.contract import CONTRACT_FOLDER, load_code_lists, load_contracts
from ingest.cross_checks import Unique
from ingest.declared_checks import read_cross_checks
from ingest.layout import choose_tables, missing_columns, source_rows
from ingest.messages import WARNING_RULES
from ingest.normalise.ids import check_character
from ingest.readers.sheet import Content, Row, Sheet
from ingest.rows import judge_rows

CONTRACTS = load_contracts()
SNAPSHOT = date(2026, 10, 31)
ARRIVAL = date(2026, 11, 5)


def made_id(birth="19850323", sequence="124"):
    first_17 = f"330102{birth}{sequence}"
    return first_17 + check_character(first_17)


WOMAN, MAN, OTHER = made_id(), made_id("19830101", "111"), made_id("19791212", "132")
CHILD, OLD = made_id("20180202", "333"), made_id("19450505", "222")

SOUND = {
    "extreme_poverty": {"姓名": "赵雪", "身份证号": WOMAN, "性别": "女", "出生日期": "1985-03-23", "供养方式": "集中", "供养机构名称": "望江养老院", "供养标准": "1200", "护理等级": "二档", "生活自理能力": "半护理", "批准时间": "2020-01-01"},
    "elderly_alone": {"姓名": "钱老", "身份证号": OLD, "性别": "女", "出生日期": "1945-05-05", "居住状况": "独居", "自理能力": "自理", "子女姓名": "钱小", "子女电话": "13905718823"},
    "children_in_need": {"儿童姓名": "孙小", "身份证号": CHILD, "性别": "男", "出生日期": "2018-02-02", "儿童类别": "事实无人抚养", "监护人姓名": "孙爷", "与儿童关系": "祖母", "监护人身份证": OLD, "监护人电话": "13905718823"},
    "severe_mental": {"姓名": "赵雪", "身份证号": WOMAN, "性别": "女", "出生日期": "1985-03-23", "目前诊断类型": "精神分裂症", "目前危险性评估等级": "0级", "监护人姓名": "王思", "监护人身份证": MAN},
    "serious_illness": {"姓名": "赵雪", "身份证号": WOMAN, "性别": "女", "出生日期": "1985-03-23", "病种": "高血压", "随访日期": "2026-08-01", "下次随访日期": "2026-11-01"},
    "student_support": {"姓名": "孙小", "身份证号": CHILD, "性别": "男", "出生日期": "2018-02-02", "学段": "小学", "就读方式": "走读", "户主姓名": "孙爷", "是否残疾生": "是", "残疾证号": CHILD + "43", "困难类型": "城市低保、残疾学生"},
    "unemployed": {"aac003": "王思", "aac147": MAN, "aac004": "男", "aac006": "1983-01-01", "aae100": "注销", "ajc090": "2026-01-05", "aae043": "2026-02-01", "失业登记注销日期": "2026-06-01", "注销原因": "就业", "aac011": "大专", "aac009": "非农业"},
    "family_doctor": {"签约编号": "Q1", "居民姓名": "赵雪", "证件号码": WOMAN, "性别": "女", "出生日期": "1985-03-23", "签约日期": "2026-03-01", "协议到期日": "2027-02-28", "签约状态": "签约", "人群标签": "高血压;糖尿病", "解约日期": "", "解约原因": ""},
    "disabled": {"姓名": "赵雪", "性别": "女", "公民身份号码": WOMAN, "残疾人证号": WOMAN + "41", "残疾类别": "肢体", "残疾等级": "一级"},
    "visit": {"走访编号": "ZF1", "家庭编号": "WJ1", "走访日期": "2026-10-20 19:31", "录入时间": "2026-10-20 20:00"},
    "problem": {"问题编号": "WT1", "办理环节": "登记", "环节时间": "2026-10-20 09:00", "是否重复诉求": "是", "原问题编号": "WT0", "办理时限": "3", "时限计法": "工作日"},
    "need": {"家庭编号": "WJ1", "需求代码": "YL01", "登记日期": "2026-10-20", "对接日期": "2026-10-22"},
    "resource": {"家庭编号": "WJ1", "资源类别": "闲置资源", "资源名称": "轮椅", "登记日期": "2026-10-20", "有效期至": "2027-10-20"},
    "satisfaction": {"问卷编号": "MY1", "评价内容": "服务态度", "分制": "五分制", "评分": "5", "发放日期": "2026-10-08", "填写日期": "2026-10-09"},
}  # fmt: skip
FAULTS = [
    ("extreme_poverty", {"性别": "男"}, "id_sex_differs", "sex_code"),
    ("extreme_poverty", {"出生日期": "1985-03-24"}, "id_birth_date_differs", "birth_date"),
    ("extreme_poverty", {"供养机构名称": ""}, "institution_missing", "institution_name"),
    ("elderly_alone", {"身份证号": WOMAN, "出生日期": "1985-03-23"}, "age_too_low", "id_no"),
    ("children_in_need", {"身份证号": MAN, "出生日期": "1983-01-01"}, "age_too_high", "id_no"),
    ("children_in_need", {"身份证号": "", "出生日期": "2000-01-01"}, "age_too_high", "id_no"),
    ("children_in_need", {"监护人姓名": ""}, "guardian_missing", "guardian_name"),
    ("children_in_need", {"监护人姓名": "", "身份证号": "无"}, "guardian_missing", "guardian_name"),
    (
        "children_in_need",
        {"与儿童关系": "祖父"},
        "guardian_relation_sex_differs",
        "guardian_relation_code",
    ),
    ("severe_mental", {"监护人身份证": WOMAN}, "id_is_guardians_id", "id_no"),
    ("serious_illness", {"下次随访日期": "2026-07-01"}, "next_before_followed_up", "next_follow_up_date"),
    ("student_support", {"残疾证号": ""}, "certificate_missing", "disability_certificate_no"),
    ("student_support", {"残疾证号": WOMAN + "43"}, "certificate_id_differs", "disability_certificate_no"),
    ("student_support", {"户主姓名": ""}, "guardian_missing", "guardian_name"),
    ("unemployed", {"ajc090": "2026-02-02"}, "unemployed_after_registered", "registered_date"),
    ("unemployed", {"失业登记注销日期": "2026-01-31"}, "deregistered_before_registered", "deregistered_date"),
    ("unemployed", {"失业登记注销日期": ""}, "deregistered_without_date", "deregistered_date"),
    ("unemployed", {"注销原因": ""}, "deregistered_without_reason", "deregistration_reason_code"),
    ("family_doctor", {"协议到期日": "2026-02-28", "签约状态": ""}, "contract_dates_reversed", "expiry_date"),
    ("family_doctor", {"签约日期": "2026-09-01"}, "period_implausible", "expiry_date"),
    ("family_doctor", {"签约日期": "2020-03-01"}, "period_implausible", "expiry_date"),
    (
        "family_doctor",
        {"签约日期": "2025-10-01", "协议到期日": "2026-10-30"},
        "status_lapsed",
        "contract_status_code",
    ),
    ("family_doctor", {"签约状态": "解约", "解约原因": "迁出"}, "ended_without_date", "ended_date"),
    (
        "family_doctor",
        {"签约状态": "解约", "解约日期": "2026-05-01"},
        "ended_without_reason",
        "termination_reason_code",
    ),
    (
        "family_doctor",
        {"签约状态": "解约", "解约日期": "2026-02-01", "解约原因": "迁出"},
        "ended_before_signed",
        "ended_date",
    ),
    ("disabled", {"残疾人证号": MAN + "41"}, "certificate_id_differs", "disability_certificate_no"),
    ("disabled", {"残疾类别": "听力"}, "certificate_category_differs", "disability_category_code"),
    ("disabled", {"残疾等级": "2级"}, "certificate_level_differs", "disability_level_code"),
    ("disabled", {"残疾类别": ""}, "category_taken_from_certificate", "disability_category_code"),
    ("disabled", {"残疾等级": ""}, "level_taken_from_certificate", "disability_level_code"),
    ("visit", {"录入时间": "2026-10-20 19:00"}, "entered_before_visited", "entered_at"),
    ("problem", {"原问题编号": ""}, "repeat_without_number", "repeat_of_no"),
    ("problem", {"时限计法": ""}, "deadline_without_basis", "deadline_basis_code"),
    ("need", {"对接日期": "2026-10-19"}, "matched_before_recorded", "matched_date"),
    ("resource", {"有效期至": "2026-10-19"}, "valid_until_before_recorded", "valid_until"),
    ("satisfaction", {"填写日期": "2026-10-07"}, "answered_before_sent", "answered_date"),
    ("satisfaction", {"评分": "90"}, "score_outside_its_scale", "score"),
    ("satisfaction", {"评分": "0"}, "score_outside_its_scale", "score"),
    ("satisfaction", {"评分": "101", "分制": "百分制"}, "integer_out_of_range", "score"),
    ("satisfaction", {"评分": "90", "分制": "是否"}, "score_of_a_yes_no_question", "score"),
]


def judge(list_code, *rows, snapshot=SNAPSHOT, extra=()):
    """Judge rows given as header to cell; `extra` are lines below them."""
    contract = CONTRACTS[list_code]
    header = tuple(dict.fromkeys(name for row in rows for name in row))
    lines = [header, *(tuple(row.get(name) for name in header) for row in rows), *extra]
    content = Content([Sheet("", [Row(n, line) for n, line in enumerate(lines, start=1)], title="表")], {})
    layout = choose_tables(content, contract)
    missing = missing_columns(layout.tables[0][1], contract)
    return judge_rows(source_rows(layout, contract), contract, ARRIVAL, missing, snapshot)


def rules(row):
    return [(warning.rule, warning.column_name) for warning in row.warnings]


@pytest.mark.parametrize("list_code", SOUND)
def test_sound_rows_give_no_warning(list_code):
    (row,) = judge(list_code, SOUND[list_code]).accepted
    assert rules(row) == []


@pytest.mark.parametrize(("list_code", "change", "rule", "column"), FAULTS)
def test_a_planted_fault_gives_exactly_its_warning_and_keeps_the_row(list_code, change, rule, column):
    judged = judge(list_code, SOUND[list_code] | change)
    (row,) = judged.accepted
    assert judged.quarantined == []
    assert rules(row) == [(rule, column)]
    (warning,) = row.warnings
    assert warning.message.startswith(f"“{CONTRACTS[list_code].column(column).header}”：")
    assert not any(value and len(value) > 4 and value in warning.message for value in change.values())


def test_every_declared_check_of_one_row_is_planted_once():
    declared = {
        (code, check.rule)
        for code, contract in CONTRACTS.items()
        if code in SOUND
        for check in (*contract.checks.of_row, *contract.checks.of_household)
    }
    planted = {(code, rule) for code, _, rule, _ in FAULTS}
    # Birth date, sex and the guardian's id are the same words on every list: planted on one of them.
    common = {"id_birth_date_differs", "id_sex_differs", "id_is_guardians_id", "guardian_missing"}
    assert {(code, rule) for code, rule in declared - planted if rule not in common} == set()


def test_a_guardians_id_on_the_childs_row_is_not_the_childs():
    (row,) = judge(
        "children_in_need",
        SOUND["children_in_need"] | {"身份证号": OLD, "性别": "", "出生日期": "2018-02-02"},
    ).accepted
    assert ("id_is_guardians_id", "id_no") in rules(row)
    assert row.values["id_no"].kind == "missing"
    assert row.values["guardian_id_no"].text == OLD


def test_what_the_certificate_says_is_taken_where_the_column_is_empty():
    (row,) = judge("disabled", SOUND["disabled"] | {"残疾类别": "", "残疾等级": ""}).accepted
    assert (row.values["disability_category_code"], row.values["disability_level_code"]) == ("4", "1")


# -- households -------------------------------------------------------------------------------------------------------

HEAD = {"低保证号": "D1", "户主姓名": "赵雪", "家庭人口": "3", "保障人口": "2", "月保障金额": "1,200元", "成员姓名": "赵雪", "身份证号码": WOMAN, "与户主关系": "户主", "性别": "女", "是否保障": "是"}  # fmt: skip
HUSBAND = {"成员姓名": "王思", "身份证号码": MAN, "与户主关系": "丈夫", "性别": "男", "是否保障": "是"}
MOTHER = {"成员姓名": "钱老", "身份证号码": OLD, "与户主关系": "母亲", "性别": "女", "是否保障": "否"}


def household(*rows, **options):
    judged = judge("low_income", *rows, **options)
    assert judged.quarantined == [] or options
    return [rules(row) for row in judged.accepted], judged


def test_a_sound_household_gives_no_warning():
    assert household(HEAD, HUSBAND, MOTHER)[0] == [[], [], []]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            (HEAD | {"与户主关系": "妻"}, HUSBAND, MOTHER),
            [[("household_head_not_once", "relation_code")], [], []],
        ),
        (
            (HEAD, HUSBAND | {"与户主关系": "妻"}, MOTHER),
            [[], [("relation_sex_differs", "relation_code")], []],
        ),
        ((HEAD | {"保障人口": "3"}, HUSBAND, MOTHER), [[("insured_count_differs", "insured_count")], [], []]),
        (
            (HEAD | {"家庭人口": "1"}, HUSBAND, MOTHER),
            [[("insured_more_than_household", "household_size")], [], []],
        ),
    ],
)
def test_a_faulty_household_is_told_once(rows, expected):
    assert household(*rows)[0] == expected


def test_a_second_head_is_told_and_names_the_first_ones_row():
    found, judged = household(HEAD, HUSBAND, MOTHER | {"低保证号": "D1", "与户主关系": "本人"})
    assert found == [[], [], [("household_head_not_once", "relation_code")]]
    assert "另见第 2 行" in judged.accepted[2].warnings[0].message


def test_the_insured_are_counted_only_when_the_list_has_the_flag():
    plain = [
        {name: cell for name, cell in row.items() if name != "是否保障"} for row in (HEAD, HUSBAND, MOTHER)
    ]
    assert household(plain[0] | {"保障人口": "1"}, *plain[1:])[0] == [[], [], []]


def test_a_register_that_brings_members_without_their_head_is_sound_but_two_heads_are_not():
    row = {
        "家庭编号": "WJ1",
        "姓名": "王思",
        "身份证号": MAN,
        "与户主关系": "配偶",
        "家庭住址": "清水苑1幢1单元101室",
    }
    assert [rules(found) for found in judge("household_register", row).accepted] == [[]]
    heads = [row | {"与户主关系": "户主"}, row | {"姓名": "赵雪", "身份证号": WOMAN, "与户主关系": "户主"}]
    assert [rules(found) for found in judge("household_register", *heads).accepted] == [
        [],
        [("household_head_not_once", "relation_code")],
    ]


@pytest.mark.parametrize(
    ("list_code", "change", "rule", "column", "beside"),
    [
        ("disabled", {"残疾类别": "肢体残缺"}, "code_unknown", "disability_category_code", "已取残疾人证号第 19 位"),
        ("disabled", {"残疾等级": "5级"}, "code_unknown", "disability_level_code", "已取残疾人证号第 20 位"),
        ("disabled", {"公民身份号码": 330102198503231000}, "id_stored_as_number", "id_no", "已取残疾人证号中的身份证号"),
        ("disabled", {"公民身份号码": None}, "id_taken_from_certificate", "id_no", "已取残疾人证号中的身份证号"),
        ("family_doctor", {"签约状态": "解约", "解约日期": "去年", "解约原因": "迁出"}, "date_unreadable", "ended_date", ""),
    ],
)  # fmt: skip
def test_one_cell_one_message(list_code, change, rule, column, beside):
    (row,) = judge(list_code, SOUND[list_code] | change).accepted
    (warning,) = [warning for warning in row.warnings if warning.column_name == column]
    assert warning.rule == rule
    assert beside in warning.message


# -- keys of events ---------------------------------------------------------------------------------------------------

EVENTS = sorted(code for code, contract in CONTRACTS.items() if not contract.is_snapshot)
# What an event of a list may differ in when its key is the same.
OTHERWISE = {
    "visit": {"备注": "另一次"},
    "problem": {"备注": "另一件"},
    "need": {"备注": "另一项"},
    "resource": {"备注": "另一项"},
    "satisfaction": {"备注": "另一份"},
    "household_register": {"备注": "另一行"},
}


@pytest.mark.parametrize("code", EVENTS)
def test_every_list_of_events_declares_that_its_keys_are_unique(code):
    assert any(isinstance(check, Unique) for check in CONTRACTS[code].checks.of_delivery)


@pytest.mark.parametrize("code", sorted(set(EVENTS) & set(SOUND) & set(OTHERWISE)))
def test_two_different_rows_of_one_key_are_told_on_both(code):
    """Only one of them counts, and which of two events was lost nobody could say (found by a clerk, 2026-11)."""
    contract = CONTRACTS[code]
    (check,) = [check for check in contract.checks.of_delivery if isinstance(check, Unique)]
    headers = {name: contract.column(name).header for name in check.key}
    row = SOUND[code] | {header: SOUND[code].get(header, "甲1") for header in headers.values()}
    for rows, expected in (
        ([row, row | OTHERWISE[code]], [[check.rule], [check.rule]]),
        ([row, row], [[], ["duplicate_of_row"]]),
        ([row, {**row, **OTHERWISE[code], headers[check.key[0]]: "乙二"}], [[], []]),
    ):
        judged = judge(code, *rows)
        assert [[w.rule for w in found.warnings] for found in judged.accepted] == expected
        if expected[0]:
            assert [
                "另见第 3 行" in judged.accepted[0].warnings[0].message,
                "另见第 2 行" in judged.accepted[1].warnings[0].message,
            ] == [True, True]


@pytest.mark.parametrize(
    ("code", "header"),
    [
        (code, contract.column(name).header)
        for code, contract in CONTRACTS.items()
        if contract.semantics == "append" and contract.column(contract.business_key[0]).is_required
        for name in contract.business_key
    ],
)
@pytest.mark.parametrize("cell", [None, "无", "同上"])
def test_an_event_without_its_key_is_quarantined(code, header, cell):
    """No later row could correct it: it would stay for ever."""
    row = SOUND.get(code) or {"抽查编号": "CC1", "核查字段": "姓名", "核查结果": "正确"}
    judged = judge(code, row | {header: cell}, row)
    assert [(found.rule, found.source.row_number) for found in judged.quarantined] == [("no_key", 2)]
    assert judged.quarantined[0].message.startswith(f"“{header}”：")
    assert len(judged.accepted) == 1


def test_a_stage_whose_time_was_mistyped_is_kept():
    row = SOUND["problem"]
    (found,) = judge("problem", row | {"环节时间": "改天"}).accepted
    assert ("date_unreadable", "stage_at") in rules(found)


# -- deliveries -------------------------------------------------------------------------------------------------------


def test_several_current_contracts_of_one_person_are_told_on_each():
    row = SOUND["family_doctor"]
    judged = judge(
        "family_doctor",
        row,
        row | {"签约编号": "Q2"},
        row | {"签约编号": "Q3", "签约状态": "解约", "解约日期": "2026-05-01", "解约原因": "迁出"},
        row | {"签约编号": "Q4", "居民姓名": "王思", "证件号码": MAN, "性别": "男", "出生日期": "1983-01-01"},
    )
    told = [("several_current_contracts", "contract_status_code")]
    assert [rules(found) for found in judged.accepted] == [told, told, [], []]


def amounts(total, *extra_totals, second="800"):
    second_household = {"低保证号": "D2", "户主姓名": "李四", "月保障金额": second, "成员姓名": "李四", "身份证号码": OTHER, "与户主关系": "户主"}  # fmt: skip
    width = list(dict.fromkeys([*HEAD, *second_household]))
    lines = [
        tuple(word if n == 0 else amount if name == "月保障金额" else None for n, name in enumerate(width))
        for word, amount in (*extra_totals, ("合计", total))
    ]
    return judge("low_income", HEAD, HUSBAND, MOTHER, second_household, extra=lines)


def test_a_household_counts_once_in_the_total_and_subtotals_do_not():
    assert amounts("2000").notes == ()
    assert amounts("2,000.00元", ("小计", "1200")).notes == ()
    repeated = judge(
        "low_income",
        HEAD,
        HEAD | HUSBAND | {"低保证号": "D1"},
        extra=[("合计", *(None for _ in list(HEAD)[1:4]), "1200")],
    )
    assert repeated.notes == ()


def test_a_total_that_is_wrong_is_told_at_the_delivery_without_a_number():
    (note,) = amounts("2100").notes
    assert note == "“月保障金额(元)”：合计行与各行相加不等。核对合计行和各行。"
    assert amounts("2100", second="约八百").notes == ()  # cannot be compared
    assert amounts(None).notes == ()
    assert amounts("看附件").notes == ()


# -- the vocabulary ------------------------------------------------------------------------------------------------------


@given(st.dates(date(2000, 1, 1), date(2026, 1, 1)), st.integers(-800, 800))
def test_order_and_period_disjoin_the_ways_two_dates_can_be_wrong(begin, days):
    end = begin + timedelta(days)
    (row,) = judge(
        "family_doctor",
        SOUND["family_doctor"]
        | {"签约日期": begin.isoformat(), "协议到期日": end.isoformat(), "签约状态": ""},
    ).accepted
    expected = (
        "contract_dates_reversed" if days < 0 else "period_implausible" if not 364 <= days <= 1097 else None
    )
    assert [rule for rule, _ in rules(row)] == ([expected] if expected else [])


@given(st.dates(date(1990, 1, 1), date(2026, 10, 31)))
def test_the_age_of_a_child_is_counted_in_whole_years_on_the_snapshot_day(birth):
    row = SOUND["children_in_need"] | {"身份证号": "", "出生日期": birth.isoformat()}
    (found,) = judge("children_in_need", row).accepted
    eighteen = birth.replace(year=birth.year + 18) if (birth.month, birth.day) != (2, 29) else None
    is_adult = (eighteen or date(birth.year + 18, 3, 1)) <= SNAPSHOT
    assert (("age_too_high", "id_no") in rules(found)) == is_adult


RELATION = load_code_lists()["relation"]


@given(st.sampled_from(sorted(RELATION.codes)), st.sampled_from(["1", "2"]))
def test_a_relation_is_told_exactly_when_only_the_other_sex_has_it(code, sex):
    number = made_id(sequence="111" if sex == "1" else "222")
    row = {
        "家庭编号": "WJ1",
        "姓名": "赵雪",
        "身份证号": number,
        "与户主关系": code,
        "家庭住址": "清水苑1幢1单元101室",
    }
    (found,) = judge("household_register", row).accepted
    is_told = [("relation_sex_differs", "relation_code")]
    assert rules(found) == (is_told if RELATION.sexes.get(code, sex) != sex else [])


def test_the_sexes_of_relations_are_codes_of_both_lists():
    assert set(RELATION.sexes) <= set(RELATION.codes)
    assert set(RELATION.sexes.values()) == {"1", "2"}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.list_code)
def test_every_check_has_words_and_a_source(contract):
    checks = contract.checks
    for check in (
        *checks.of_row, *checks.of_household, *checks.of_block, *checks.of_delivery, *checks.of_sheet, *checks.of_store,
    ):  # fmt: skip
        assert check.source
        assert check.rule in WARNING_RULES or all(checks.wordings[check.rule])


def _entry(**implementation):
    return DataQuality.model_validate(
        {
            "name": "contract_dates_reversed",
            "type": "custom",
            "engine": "yihu",
            "implementation": implementation,
            "customProperties": [{"property": "source", "value": "test"}],
        }
    )


COLUMNS = CONTRACTS["family_doctor"].columns


@pytest.mark.parametrize(
    ("implementation", "mistake"),
    [
        ({"check": "guess", "lower": "signed_date"}, "check 应为"),
        ({"check": "order", "lower": "signed_date"}, "upper"),
        ({"check": "order", "lower": "signed_date", "upper": "expiry_date", "strict": True}, "strict"),
        ({"check": "order", "lower": "signed_date", "upper": "no_such_column"}, "no_such_column"),
        ({"check": "id_fact", "id": "id_no", "fact": "height", "column": "sex_code"}, "height"),
    ],
)
def test_a_check_outside_the_vocabulary_is_refused(implementation, mistake):
    with pytest.raises(ValueError, match=mistake):
        read_cross_checks([_entry(**implementation)], COLUMNS, has_blocks=False)


def test_a_rule_without_words_is_refused_and_with_its_own_words_is_not():
    entry = _entry(check="order", lower="signed_date", upper="expiry_date")
    entry.name = "a_rule_of_a_seventeenth_list"
    with pytest.raises(ValueError, match="problem"):
        read_cross_checks([entry], COLUMNS, has_blocks=False)
    extras = entry.model_dump(by_alias=True)
    extras["customProperties"] += [
        {"property": "problem", "value": "不对"},
        {"property": "remedy", "value": "改正"},
    ]
    checks = read_cross_checks([DataQuality.model_validate(extras)], COLUMNS, has_blocks=False)
    values = {"signed_date": date(2026, 1, 2), "expiry_date": date(2026, 1, 1)}
    assert list(checks.row_findings(values, SNAPSHOT)) == [
        Finding("a_rule_of_a_seventeenth_list", "expiry_date")
    ]
    assert checks.wordings == {"a_rule_of_a_seventeenth_list": ("不对", "改正")}


def test_a_check_against_a_list_that_is_not_there_is_refused(tmp_path):
    text = (CONTRACT_FOLDER / "extreme_poverty.yaml").read_text(encoding="utf-8")
    (tmp_path / "extreme_poverty.yaml").write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["id"] == "extreme_poverty"
    with pytest.raises(PermanentError, match="low_income"):
        load_contracts(tmp_path)
