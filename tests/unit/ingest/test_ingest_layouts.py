"""Layouts L2 to L8 and the dirt of sheets: what each becomes as rows of the list (domain.md 1.1, 1.5)."""

import io

import openpyxl
import pytest

from ingest.cards import chosen_options
from ingest.contract import load_contracts
from ingest.headers import find_header, missing_columns
from ingest.layout import choose_tables, source_rows
from ingest.normalise.texts import fold
from ingest.placing import lay_out
from ingest.readers.files import read_file
from ingest.readers.sheet import Content, Row, Sheet, UnreadableFile
from ingest.sheets import community_of_sheet, place_name

REGISTER = load_contracts()["household_register"]
LOW_INCOME = load_contracts()["low_income"]
HEADER = ("家庭编号", "社区", "家庭住址", "姓名", "身份证号", "与户主关系")
MEMBER = ("WJ01", "近江社区", "清水苑1幢1单元101室", "张一", "11010519491231002X", "户主")


def workbook(*sheets):
    """An xlsx of (title, rows, merges) sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows, *merges in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        for area in merges[0] if merges else ():
            sheet.merge_cells(area)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def laid_out(content, contract=REGISTER):
    layout = choose_tables(read_file(content, "名册.xlsx"), contract)
    return layout, list(source_rows(layout, contract))


def sound(rows):
    return [row for row in rows if row.fault is None]


def values(rows, *names):
    return [tuple(row.cells.get(name) for name in names) for row in sound(rows)]


def card(number, community, address, members, phone="13900000001"):
    return [
        ("家庭信息登记表",),
        ("家庭编号", number, "社区", community, "健康状况", None),
        ("家庭住址", address, None, None, "联系电话", phone),
        ("住房性质", "□自有 ☑租赁 □公租", None, None, "兴趣爱好", "书法"),
        ("家庭成员情况",),
        ("序号", "姓名", "身份证号", "与户主关系", "性别", "爱好"),
        *members,
        (len(members) + 1, None, None, None, None, None),
        ("备注", "常年在外", None, None, None, None),
        ("填表人：李某", None, None, "填表日期：2026年7月5日", None, None),
    ]


FIRST = [
    (1, "张一", "11010519491231002X", "户主", "男", "棋"),
    (2, "王二", "110105195001010029", "配偶", "女", None),
]
SECOND = [(1, "赵三", "110105196001010016", "户主", "男", None)]


class TestCards:
    def test_one_card_a_sheet_becomes_a_row_a_member_with_the_households_values(self):
        content = workbook(
            ("张一", card("WJ01", "近江社区", "清水苑1幢1单元101室", FIRST)),
            ("赵三", card("WJ02", "近江社区", "清水苑1幢1单元102室", SECOND, phone="13900000002")),
        )
        layout, rows = laid_out(content)
        assert values(rows, "source_household_no", "address", "person_name", "relation_code", "phone") == [
            ("WJ01", "清水苑1幢1单元101室", "张一", "户主", "13900000001"),
            ("WJ01", "清水苑1幢1单元101室", "王二", "配偶", None),
            ("WJ02", "清水苑1幢1单元102室", "赵三", "户主", "13900000002"),
        ]
        assert [(row.sheet_name, row.row_number) for row in rows] == [("张一", 7), ("张一", 8), ("赵三", 7)]
        assert [row.block_no for row in rows] == [1, 1, 2]
        assert {row.cells["housing_type"] for row in rows if row.row_number == 7} == {"租赁"}
        assert sum("卡片式表格" in note for note in layout.notes) == 2

    def test_cards_below_one_another_on_one_sheet(self):
        lines = [
            *card("WJ01", "近江社区", "清水苑1幢1单元101室", FIRST),
            *card("WJ02", "在水社区", "清水苑1幢1单元102室", SECOND, phone=None),
            *card("WJ03", "在水社区", "清水苑1幢1单元103室", SECOND),
        ]
        _, rows = laid_out(workbook(("登记表", lines)))
        assert values(rows, "source_household_no", "community_name", "person_name") == [
            ("WJ01", "近江社区", "张一"),
            ("WJ01", "近江社区", "王二"),
            ("WJ02", "在水社区", "赵三"),
            ("WJ03", "在水社区", "赵三"),
        ]
        assert len({row.row_number for row in rows}) == 4

    def test_a_label_over_several_columns_has_its_value_behind_them(self):
        lines = [
            ("家庭信息登记表",),
            ("家庭编号", None, "WJ01", "社区", "近江社区"),
            ("家庭住址", None, "清水苑1幢1单元101室", None, None),
            ("姓名", None, "张一", "性别", "男"),
            ("身份证号", None, "11010519491231002X", "与户主关系", "户主"),
        ]
        _, rows = laid_out(workbook(("一", lines, ["A2:B2", "A3:B3", "A4:B4", "A5:B5"])))
        assert values(rows, "source_household_no", "address", "person_name", "sex_code", "relation_code") == [
            ("WJ01", "清水苑1幢1单元101室", "张一", "男", "户主")
        ]
        assert [row.row_number for row in rows] == [2]

    def test_a_value_left_blank_is_not_taken_from_the_next_label(self):
        lines = card("WJ01", None, "清水苑1幢1单元101室", FIRST)
        _, rows = laid_out(workbook(("一", lines)))
        assert all("community_name" not in row.cells for row in rows)

    def test_labels_and_values_in_one_cell(self):
        lines = [
            ("家庭编号：WJ01", "社区：近江社区"),
            ("家庭住址：清水苑1幢1单元101室",),
            ("姓名", "身份证号", "与户主关系"),
            ("张一", "11010519491231002X", "户主"),
        ]
        _, rows = laid_out(workbook(("一", lines)))
        assert values(rows, "source_household_no", "community_name", "address", "person_name") == [
            ("WJ01", "近江社区", "清水苑1幢1单元101室", "张一")
        ]

    def test_a_person_the_card_names_stands_beside_the_family_in_the_table(self):
        lines = [
            ("家庭编号", "WJ01", "家庭住址", "清水苑1幢1单元101室"),
            ("姓名", "张一", "身份证号", "11010519491231002X"),
            ("家庭成员",),
            ("姓名", "身份证号", "与户主关系", "性别"),
            ("王二", "110105195001010029", "配偶", "女"),
        ]
        _, rows = laid_out(workbook(("一", lines)))
        assert values(rows, "source_household_no", "person_name") == [("WJ01", "张一"), ("WJ01", "王二")]
        assert [row.row_number for row in rows] == [1, 5]

    def test_a_form_without_the_lists_required_labels_is_no_card(self):
        lines = [
            ("姓名", "张一", "性别", "男"),
            ("联系电话", "1", "职业", "工人"),
            ("社区", "近江", "网格", "一"),
        ]
        with pytest.raises(UnreadableFile) as caught:
            laid_out(workbook(("一", lines)))
        assert caught.value.code == "no_header"

    def test_an_ordinary_table_is_never_taken_for_cards(self):
        layout, rows = laid_out(workbook(("一", [HEADER, MEMBER, MEMBER])))
        assert len(rows) == 2
        assert not any("卡片" in note for note in layout.notes)

    @pytest.mark.parametrize(
        "footer",
        [
            ("填表人", "网格员01", None, "填表日期", "2026-09-02", None),
            ("登记人", "网格员03", "审核人", "李主任", "日期", "2026-09-05"),
        ],
    )
    def test_who_filled_in_a_card_is_no_member(self, footer):
        form = [
            ("家庭信息登记表",),
            ("家庭编号", "WJ01", "社区", "近江社区", "网格", "第2网格"),
            ("家庭住址", "清水苑1幢1单元101室", None, None, None, None),
            ("姓名", "与户主关系", "身份证号", "性别", "职业", "健康状况"),
            ("张一", "户主", "11010519491231002X", "女", "职员", "健康"),
            footer,
        ]
        second = [*form[:1], ("家庭编号", "WJ02", *form[1][2:]), *form[2:]]
        _, rows = laid_out(workbook(("表", [*form, *second])))
        assert values(rows, "source_household_no", "person_name") == [("WJ01", "张一"), ("WJ02", "张一")]

    def test_labels_below_another_persons_section_are_that_persons(self):
        contract = load_contracts()["elderly_alone"]
        form = [
            ("独居老人信息卡",),
            ("姓名", "老赵", "身份证号", "11010519491231002X"),
            ("居住状况", "独居", "社区", "近江社区"),
            ("子女信息",),
            ("姓名", "子赵", "电话", "13611112222"),
            ("身份证号", "110105196001010016", "住址", "莫邪塘2幢2单元202室"),
            ("紧急联系人", "急吴", "紧急联系人电话", "13711112222"),
        ]
        second = [form[0], ("姓名", "老钱", "身份证号", "110105195001010029"), *form[2:]]
        _, rows = laid_out(workbook(("卡", [*form, *second])), contract)
        names = (
            "person_name",
            "id_no",
            "child_name",
            "child_phone",
            "phone",
            "address",
            "emergency_contact_name",
        )
        assert values(rows, *names) == [
            ("老赵", "11010519491231002X", "子赵", "13611112222", None, None, "急吴"),
            ("老钱", "110105195001010029", "子赵", "13611112222", None, None, "急吴"),
        ]


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ("□自有 ☑租赁 □公租", "租赁"),
        ("□自有 √租赁 □公租", "租赁"),
        ("☑男□女", "男"),
        ("男□ 女☑", "女"),
        ("[√]自有 [ ]租赁", "自有"),
        ("（ ）自有（√）租赁", "租赁"),
        ("☑助餐 □助浴 ☑助医", "助餐、助医"),
        ("□自有 □租赁", None),
        ("√", "√"),
        ("□", "□"),
        ("清水苑1幢", "清水苑1幢"),
        ("张○", "张○"),
    ],
)
def test_ticked_options(written, chosen):
    assert chosen_options(written) == chosen


DISABLED_CARD = [
    ("残疾人基本情况登记表",),
    ("姓名", "赵三", "性别", "男"),
    ("公民身份号码", "110105196001010016", "残疾人证号", "11010519600101001641"),
    ("残疾类别", "肢体", "残疾等级", "一级"),
    ("现住址", "清水苑1幢1单元101室", "联系电话", "13900000001"),
    ("家庭成员情况",),
    ("姓名", "身份证号", "联系电话"),
    ("王二", "110105195001010029", None),
]
VISIT_CARD = [
    ("入户走访记录表",),
    ("走访编号", "ZF001", "家庭编号", "WJ01"),
    ("户主姓名", "张一", "家庭住址", "清水苑1幢1单元101室"),
    ("走访日期", "2026-10-05", "走访人", "李某"),
    ("走访方式", "入户", "走访结果", "见到"),
    ("备注", "无", None, None),
]
REGISTER_CARD = card("WJ01", "近江社区", "清水苑1幢1单元101室", FIRST)
CONTRACTS = load_contracts()


class TestFormsInTheWrongFolder:
    """B75: a form is told by its labels, as a table is by its header."""

    @pytest.mark.parametrize(
        ("lines", "folder", "belongs_to"),
        [
            (lines, folder, belongs_to)
            for lines, belongs_to in (
                (REGISTER_CARD, "household_register"),
                (DISABLED_CARD, "disabled"),
                (VISIT_CARD, "visit"),
            )
            for folder in CONTRACTS
            if folder != belongs_to
        ],
    )
    def test_it_is_refused_with_the_folder_where_it_belongs(self, lines, folder, belongs_to):
        content = read_file(workbook(("一", lines), ("二", lines)), "登记表.xlsx")
        with pytest.raises(UnreadableFile) as caught:
            lay_out(CONTRACTS, CONTRACTS[folder], content)
        assert caught.value.code == "wrong_list"
        assert f"{CONTRACTS[belongs_to].department}/{belongs_to} 文件夹" in caught.value.reason

    @pytest.mark.parametrize(
        ("lines", "code", "names"),
        [
            (REGISTER_CARD, "household_register", ["张一", "王二"]),
            (DISABLED_CARD, "disabled", ["赵三"]),
            (VISIT_CARD, "visit", ["张一"]),
        ],
    )
    def test_in_its_own_folder_it_is_read(self, lines, code, names):
        layout = lay_out(CONTRACTS, CONTRACTS[code], read_file(workbook(("一", lines)), "登记表.xlsx"))
        assert "卡片式表格" in "".join(layout.notes)
        found = [row.cells.get("person_name") for row in source_rows(layout, CONTRACTS[code])]
        assert found[: len(names)] == names

    def test_a_form_that_lacks_a_required_label_is_still_its_own_lists(self):
        lines = [("家庭信息登记表",), ("社区", "近江社区", "健康状况", None), *REGISTER_CARD[2:]]
        layout = lay_out(CONTRACTS, REGISTER, read_file(workbook(("一", lines)), "登记表.xlsx"))
        assert "source_household_no" in missing_columns(layout.tables[0][1], REGISTER)

    @pytest.mark.parametrize("code", sorted(CONTRACTS))
    def test_a_table_under_notes_is_never_a_form(self, code):
        contract = CONTRACTS[code]
        headers = [column.header for column in contract.columns]
        notes = [
            ("近江社区2026年10月名册",),
            ("社区", "近江社区", "填表日期", "2026-10-03", "联系电话", "13900000001"),
            (
                "填表单位：近江社区",
                "填表人：李某",
                "联系电话：13900000001",
                "填表日期：2026年10月3日",
                "社区：近江社区",
            ),
        ]
        lines = [*notes, headers, *([f"值{row}{place}" for place in range(len(headers))] for row in range(3))]
        content = read_file(workbook(("一", lines)), "名册.xlsx")
        layout = lay_out(CONTRACTS, contract, content)
        assert "卡片式表格" not in "".join(layout.notes)
        assert len(list(source_rows(layout, contract))) == 3


class TestCellsTooLong:
    """B39: such a cell condemns its row; its household goes on below it."""

    LONG = "长" * 100_001

    def test_a_card_that_says_one_is_quarantined_and_the_next_one_is_read(self):
        rows = [
            *card("WJ01", "近江社区", self.LONG, FIRST),
            *card("WJ02", "近江社区", "清水苑2幢1单元101室", SECOND),
        ]
        sheet = Sheet("", [Row(number, cells) for number, cells in enumerate(rows, start=1)])
        layout = choose_tables(Content([sheet], {}), REGISTER)
        found = list(source_rows(layout, REGISTER))
        assert [(row.fault, row.fault_column) for row in found] == [
            ("cell_too_long", "address"),
            ("cell_too_long", "address"),
            (None, None),
        ]
        assert values(found, "person_name", "source_household_no") == [("赵三", "WJ02")]

    def test_members_below_the_heads_row_stay_in_its_household(self):
        head = ["WJ02", "近江社区", self.LONG, "李二", "110105195001010029", "户主"]
        rows = [HEADER, MEMBER, head, ["", "", "", "李三", "110105196001010016", "子"]]
        sheet = Sheet("", [Row(number, tuple(cells)) for number, cells in enumerate(rows, start=1)])
        found = list(source_rows(choose_tables(Content([sheet], {}), REGISTER), REGISTER))
        assert [row.fault for row in found] == [None, "cell_too_long", None]
        assert values(found[2:], "source_household_no", "community_name", "address") == [
            ("WJ02", "近江社区", None)
        ]
        assert found[1].delivered["家庭住址"] == self.LONG

    def test_what_is_merged_over_several_rows_condemns_the_row_it_stands_in(self):
        rows = [HEADER, ["WJ02", "近江社区", self.LONG, "李二", "110105195001010029", "户主"]]
        rows.append(["WJ02", None, None, "李三", "110105196001010016", "子"])
        sheet = Sheet(
            "",
            [Row(number, tuple(cells)) for number, cells in enumerate(rows, start=1)],
            vertical_merges=((2, 2, 3),),
        )
        found = list(source_rows(choose_tables(Content([sheet], {}), REGISTER), REGISTER))
        assert [row.fault for row in found] == ["cell_too_long", None]


class TestHeaders:
    def test_three_header_rows_with_merges(self):
        lines = [
            ("低保对象花名册",),
            ("序号", "家庭信息", None, None, None, None, None),
            (None, "户主情况", None, "成员情况", None, None, "家庭住址"),
            (None, "姓名", "身份证号", "姓名", "身份证号", "与户主关系", None),
            (1, "张一", "11010519491231002X", "王二", "110105195001010029", "配偶", "清水苑1幢1单元101室"),
        ]
        layout, rows = laid_out(
            workbook(("一", lines, ["A2:A4", "B2:G2", "B3:C3", "D3:F3", "G3:G4"])), LOW_INCOME
        )
        header = layout.tables[0][1]
        assert (header.first, header.last) == (1, 3)
        assert values(rows, "sequence_no", "head_name", "person_name", "relation_code", "address") == [
            (1, "张一", "王二", "配偶", "清水苑1幢1单元101室")
        ]

    def test_hint_rows_above_and_several_below(self):
        lines = [
            ("必填", None, "必填", "必填，不超过50字", "必填，18位身份证", "请选择"),
            HEADER,
            ("必填", "下拉选择", "格式：小区幢单元室", "必填", "18位身份证", "请选择"),
            ("例如WJ01", "选填", "选填", "示例：张三", "例如 3301", "选填"),
            (1, 2, 3, 4, 5, 6),
            MEMBER,
        ]
        _, rows = laid_out(workbook(("一", lines)))
        assert [row.row_number for row in rows] == [6]

    @pytest.mark.parametrize(
        "numbers", [("甲", "乙", 1, 2, 3, 4), ("(1)", "(2)", "(3)", "(4)", "(5)", "(6)")]
    )
    def test_a_row_that_numbers_the_columns_is_no_data(self, numbers):
        _, rows = laid_out(workbook(("一", [HEADER, numbers, MEMBER])))
        assert [row.row_number for row in rows] == [3]

    def test_a_row_of_data_is_not_a_numbering(self):
        rows = [Row(1, HEADER), Row(2, (1, "张一", 2, 3, 4, 5))]
        assert find_header(rows, REGISTER).last == 0


class TestSheets:
    @pytest.mark.parametrize(
        ("title", "community"),
        [
            ("近江社区", "近江社区"),
            ("近江社区（2026）", "近江社区"),
            ("1.近江社区", "近江社区"),
            ("3、近江居委会", "近江社区"),
            ("近江社区2026年7月", "近江社区"),
            ("近江社区202607", "近江社区"),
            ("近江", None),
            ("汇总", None),
            ("Sheet1", None),
        ],
    )
    def test_the_community_a_sheet_is_named_after(self, title, community):
        assert community_of_sheet(title) == community

    @pytest.mark.parametrize(
        "title", ["汇总", "填表说明", "Sheet1", "城市", "农村低保", "7月", "新增人员", "男", "合计"]
    )
    def test_what_is_no_place(self, title):
        assert place_name(title) is None

    def test_one_sheet_a_community_with_summary_and_guide(self):
        header, member = HEADER[:1] + HEADER[2:], MEMBER[:1] + MEMBER[2:]
        content = workbook(
            ("汇总", [("社区", "户数", "人数"), ("近江", 1, 1), ("在水", 1, 1)]),
            ("近江", [header, member]),
            ("2.在水", [header, member]),
            ("清波社区（2026）", [header, member]),
            ("填表说明", [("1. 身份证号必填",), ("2. 家庭编号由社区填写",)]),
        )
        layout, rows = laid_out(content)
        assert values(rows, "community_name") == [("近江社区",), ("在水社区",), ("清波社区",)]
        assert any("汇总" in note for note in layout.notes)
        assert any("填表说明" in note for note in layout.notes)

    def test_short_names_beside_full_ones_and_unnamed_sheets_are_communities(self):
        header, member = HEADER[:1] + HEADER[2:], MEMBER[:1] + MEMBER[2:]
        titles = ("近江", "在水社区", "01清波社区", "02清泰", "Sheet6")
        _, rows = laid_out(workbook(*((title, [header, member]) for title in titles)))
        assert values(rows, "community_name") == [
            ("近江社区",), ("在水社区",), ("清波社区",), ("清泰社区",), (None,)
        ]  # fmt: skip

    def test_forms_are_named_after_persons(self):
        sheets = [(title, card("WJ01", "", "清水苑1幢1单元101室", FIRST)) for title in ("张家", "李家")]
        _, rows = laid_out(workbook(*sheets))
        assert set(values(rows, "community_name")) == {(None,)}

    def test_a_lone_sheet_with_a_short_name_is_no_community(self):
        header, member = HEADER[:1] + HEADER[2:], MEMBER[:1] + MEMBER[2:]
        _, rows = laid_out(workbook(("近江", [header, member])))
        assert values(rows, "community_name") == [(None,)]

    def test_two_tables_on_one_sheet_are_read_each_by_its_own_header(self):
        lines = [
            ("一、常住",), HEADER, MEMBER, ("合计", None, "1人"), (None,),
            ("二、租住",), tuple(reversed(HEADER)), tuple(reversed(MEMBER)),
        ]  # fmt: skip
        _, rows = laid_out(workbook(("一", lines)))
        assert values(rows, *("source_household_no", "person_name")) == [("WJ01", "张一"), ("WJ01", "张一")]
        assert [row.row_number for row in sound(rows)] == [3, 8]

    def test_titles_and_headers_of_every_printed_page_are_no_rows(self):
        page = [("家庭信息登记表",), ("填表单位：某街道",), HEADER]
        layout, rows = laid_out(workbook(("一", [*page, MEMBER, *page, MEMBER, *page, MEMBER])))
        assert [row.row_number for row in rows] == [4, 8, 12]
        assert any("重复出现" in note for note in layout.notes)

    def test_thousands_of_blank_rows_and_a_restarting_number_change_nothing(self):
        header = ("序号", *HEADER)
        lines = [header, (1, *MEMBER), (2, *MEMBER), *[(None,)] * 3000, (1, *MEMBER), *[(" ",)] * 3000]
        _, rows = laid_out(workbook(("一", lines)))
        assert [row.row_number for row in rows] == [2, 3, 3004]
        assert [row.fault for row in rows] == [None] * 3


class TestUnits:
    TITLE = ("姓名", "身份证号", "与户主关系", "户主姓名", "低保证号")

    def amounts(self, note, title, *cells):
        lines = [
            (note,),
            (*self.TITLE, title),
            *(("张一", "1", "户主", "张一", "D1", cell) for cell in cells),
        ]
        layout, rows = laid_out(workbook(("一", lines)), LOW_INCOME)
        column = next(
            name for name, header in layout.tables[0][1].match.headers.items() if header == fold(title)
        )
        return [row.cells[column] for row in rows], layout.notes

    def test_an_amount_in_ten_thousands_is_converted_and_noted(self):
        cells, notes = self.amounts(
            "填表单位：某街道 单位：万元", "月保障金额", 0.1234, "0.12", "1,2", "0.2万元", "不详"
        )
        assert cells == ["1234", "1200", "120000", "0.2万元", "不详"]
        assert any("换算成元" in note for note in notes)

    def test_a_unit_in_the_header_goes_before_the_note(self):
        assert self.amounts("单位：万元", "月保障金额（元）", 1234)[0] == [1234]
        assert self.amounts("单位：元", "月保障金额（万元）", 0.5)[0] == ["5000"]

    def test_yuan_stays(self):
        cells, notes = self.amounts("单位：人、元", "月保障金额", 1234)
        assert cells == [1234]
        assert not any("换算" in note for note in notes)


def test_a_large_text_file_is_not_gone_through_for_other_tables():
    class Streamed(tuple):
        """Rows that are no list, as the reader of large text files gives them."""

    sheet = Sheet("", Streamed([Row(1, HEADER), Row(2, MEMBER)]))
    layout = choose_tables(Content([sheet], {}), REGISTER)
    assert layout.tables[0][0] is not None
    assert [row.row_number for row in source_rows(layout, REGISTER)] == [2]


class TestTwoColumnsOfIds:
    HEAD = ("家庭编号", "家庭住址", "姓名", "身份证号", "证件号码")

    def lay_out(self, *ids):
        lines = [("WJ1", "清水苑1幢1单元101室", "张一", *pair) for pair in ids]
        content = read_file(workbook(("表", [self.HEAD, *lines])), "名册.xlsx")
        return lay_out(load_contracts(), REGISTER, content)

    def test_with_different_numbers_are_refused_by_their_names(self):
        with pytest.raises(UnreadableFile) as refusal:
            self.lay_out((MEMBER[4], MEMBER[4]), (MEMBER[4], "110105195001010029"))
        assert refusal.value.code == "doubled_header"
        assert "“身份证号”和“证件号码”" in refusal.value.reason
        assert "110105" not in refusal.value.reason

    def test_with_the_same_numbers_are_one(self):
        layout = self.lay_out((MEMBER[4], MEMBER[4].lower()), ("110105195001010029", None))
        assert any("内容相同" in note for note in layout.notes)

    def test_a_number_that_only_the_other_column_has_is_not_lost(self):
        with pytest.raises(UnreadableFile):
            self.lay_out((None, MEMBER[4]))

    def test_one_header_twice_is_refused_in_lists_that_need_no_id_too(self):
        contract = load_contracts()["elderly_alone"]
        lines = [
            ("姓名", "居住状况", "身份证号", "身份证号"),
            ("张一", "独居", MEMBER[4], "110105195001010029"),
        ]
        content = read_file(workbook(("表", lines)), "名册.xlsx")
        with pytest.raises(UnreadableFile) as refusal:
            lay_out(load_contracts(), contract, content)
        assert refusal.value.code == "doubled_header"
