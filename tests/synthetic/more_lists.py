"""The seven further lists of persons as deliveries: cells with dirt of form, layouts, truth and planted faults.

Same shape as `cards`, `lists` and `deliveries`: files are brought up to a month (`more_files.MoreFiles.update`), written
as tables (`MoreListWriter`) and put into folders (`deliver_more`). Not here: who stands on a list (`more_files`).
"""

import csv
import io
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from tests.synthetic import dirt as faults
from tests.synthetic.cards import Card
from tests.synthetic.deliveries import TrueRow
from tests.synthetic.dirt import Dirt
from tests.synthetic.kinship import relation_to_head
from tests.synthetic.lists import Cell, ListWriter, Table
from tests.synthetic.more_files import MORE_FOLDERS, WORKBOOKS, Entry, MoreFiles
from tests.synthetic.places import SUBDISTRICT
from tests.synthetic.population import Person, World
from tests.synthetic.workbooks import freeze_workbook, workbook_bytes

# Two templates a list: the words of domain.md 1.3 and others of its aliases, the same columns in the same order.
MORE_HEADERS = {
    "extreme_poverty": (
        ("序号", "姓名", "身份证号", "性别", "出生日期", "城乡类别", "供养方式", "月供养金", "照料护理等级", "生活自理能力", "供养机构名称", "照料人姓名", "照料人电话", "批准时间", "家庭住址", "社区", "联系电话"),
        ("序号", "特困人员姓名", "公民身份号码", "性别", "出生年月日", "城乡属性", "供养形式", "供养标准", "护理等级", "自理能力", "供养机构", "监护人姓名", "监护人电话", "批准日期", "现住址", "所属社区", "联系方式"),
    ),
    "elderly_alone": (
        ("序号", "姓名", "身份证号", "性别", "年龄", "居住状况", "自理能力", "子女姓名", "子女电话", "紧急联系人", "紧急联系人电话", "健康状况", "是否享有医保", "探访人", "探访频次", "居住地址", "联系电话"),
        ("序号", "老人姓名", "身份证号码", "性别", "年龄", "居住情况", "自理情况", "赡养人姓名", "子女联系电话", "紧急联系人姓名", "紧急联系电话", "健康情况", "有无医保", "探访人员", "探访频率", "现住址", "电话"),
    ),
    "children_in_need": (
        ("序号", "儿童姓名", "身份证号", "性别", "出生日期", "儿童类别", "困境类型", "父亲姓名", "父亲状况", "母亲姓名", "母亲状况", "监护人姓名", "与儿童关系", "监护人身份证", "监护人电话", "学校", "年级", "保障标准", "审批时间", "儿童主任姓名", "风险等级", "家庭住址", "社区"),
        ("序号", "姓名", "公民身份号码", "性别", "出生年月日", "儿童类型", "困境原因", "父亲", "父亲情况", "母亲", "母亲情况", "监护人", "监护人与儿童关系", "监护人身份证号", "监护人联系电话", "就读学校", "就读年级", "月发放", "批准时间", "儿童主任", "风险程度", "居住地址", "所属社区"),
    ),
    "severe_mental": (
        ("姓名", "身份证号", "性别", "出生日期", "家庭经济状况", "是否纳入低保", "监护人姓名", "监护人身份证", "监护人联系方式", "初次发病日期", "目前诊断类型", "目前危险性评估等级", "病情", "有无肇事肇祸史", "治疗情况", "治疗医院", "参与管理人员", "现住址", "社区", "联系电话"),
        ("患者姓名", "公民身份号码", "性别", "出生年月日", "经济状况", "纳入低保", "监护人", "监护人身份证号", "监护人电话", "首次发病时间", "诊断", "危险性评估", "病情评估", "肇事肇祸史", "服药情况", "就诊医院", "管理人员", "居住地址", "所属社区", "联系方式"),
    ),
    "serious_illness": (
        ("姓名", "身份证号", "性别", "出生日期", "病种", "确诊日期", "管理分组", "随访日期", "随访方式", "转归", "下次随访日期", "管理机构", "责任医生", "居住地址", "联系电话"),
        ("患者姓名", "身份证号码", "性别", "出生年月日", "慢病类型", "确诊时间", "管理组别", "随访时间", "随访形式", "随访转归", "下次随访时间", "管辖机构", "管理医生", "现住址", "手机号码"),
    ),
    "student_support": (
        ("姓名", "身份证号", "学籍号", "性别", "出生日期", "学校全称", "学段", "年级", "班级", "就读方式", "户主姓名", "联系电话", "是否残疾生", "残疾证号", "困难类型", "资助项目", "资助金额", "家庭住址", "社区"),
        ("学生姓名", "身份证件号码", "全国学籍号", "性别", "出生年月日", "学校名称", "教育阶段", "就读年级", "所在班级", "住宿情况", "家长姓名", "联系方式", "是否残疾学生", "残疾人证号", "困难类别", "资助名称", "金额", "居住地址", "所属社区"),
    ),
    "unemployed": (
        ("aac003", "aac147", "aac004", "aac006", "aac011", "aac009", "aac010", "aac046", "aac067", "aae100", "ajc090", "aae043", "失业原因", "失业登记注销日期", "失业登记注销原因", "就业创业证号", "就业困难类型", "居委名称"),
        ("姓名", "证件号码", "性别", "出生日期", "文化程度", "户口性质", "户籍地址", "常住地址", "手机", "失业登记状态", "失业时间", "失业登记日期", "失业原因", "注销日期", "注销原因", "失业证号", "就业困难人员类型", "社区"),
    ),
}  # fmt: skip
_HINTS = {
    "身份证号": "必填，18位身份证",
    "学段": "必填，下拉选择",
    "资助金额": "必填，数字，单位为元",
    "困难类型": "选填，可多选",
}


@dataclass(frozen=True)
class Planted:
    """A cross-check that a row was made to break: list, file, sheet, line, rule of the warning."""

    list_code: str
    file: str
    sheet: str
    row: int
    rule: str


@dataclass
class PlantedTable(Table):
    """A table whose rows at some positions break a rule."""

    planted: dict[int, str] = field(default_factory=dict)


class MoreListWriter(ListWriter):
    """Writes one month's further lists from the departments' files.

    Cells stand under the headers of the first template; `plants` rows a rule are made to break it.
    """

    def __init__(
        self, world: World, dirt: Dirt, month: date, header_variant: int, *, plants: int = 0
    ) -> None:
        super().__init__(world, dirt, month, header_variant)
        self.plants = plants

    def table(self, list_code: str, files: MoreFiles) -> PlantedTable:
        """One row an entry of the file, in the order it was made."""
        variants = MORE_HEADERS[list_code]
        table = PlantedTable(variants[self.header_variant % len(variants)])
        rng = self._rng(list_code)
        left = dict.fromkeys(PLANTS[list_code], self.plants)
        for serial, ((uid, topic), entry) in enumerate(files.entries[list_code].items(), start=1):
            person = self.world.people[uid]
            cells = self._common(rng, list_code, entry, person) | entry.facts
            cells |= getattr(self, f"_{list_code}")(rng, person, entry.card, topic)
            cells["序号"] = serial
            rule = self._plant(list_code, left, cells, entry.card, person)
            if rule:
                table.planted[len(table.rows)] = rule
            table.add([cells.get(name) or None for name in variants[0]], uid, person.household_uid)
        return table

    def _plant(
        self, list_code: str, left: dict[str, int], cells: dict[str, Cell], card: Card, person: Person
    ) -> str | None:
        """Break one rule on a row whose id, birth date and sex are as they are in life."""
        if card.id_fault or card.birth not in (None, person.birth) or card.sex != person.sex:
            return None
        for rule, count in left.items():
            change = PLANTS[list_code][rule](cells, person, self.month) if count else None
            if change is not None:
                cells |= change
                left[rule] -= 1
                return rule
        return None

    def _common(self, rng: random.Random, list_code: str, entry: Entry, person: Person) -> dict[str, Cell]:
        """Who the person is and where, under the headers of all lists that have them."""
        card, dirt = entry.card, self.dirt
        name = faults.write_name(rng, dirt, card.name, "本人")
        number: Cell = faults.write_id(rng, dirt, card.id_text)
        if card.id_fault == "destroyed" and list_code in WORKBOOKS:
            number = faults.destroyed_number(card.id_text)
        sex = faults.write_sex(rng, dirt, card.sex, list_code == "unemployed")
        birth = faults.write_date(rng, card.birth) if card.birth else ""
        address, community = self._address(rng, card.door), self._community(rng, card.door)
        phone = faults.write_phone(rng, dirt, card.phone)
        return {
            **dict.fromkeys(("姓名", "儿童姓名", "aac003"), name),
            **dict.fromkeys(("身份证号", "aac147"), number),
            **dict.fromkeys(("性别", "aac004"), sex),
            **dict.fromkeys(("出生日期", "aac006"), birth),
            **dict.fromkeys(("家庭住址", "居住地址", "现住址", "aac046"), address),
            **dict.fromkeys(("社区", "居委名称"), community),
            **dict.fromkeys(("联系电话", "aac067"), phone),
        }

    # -- what only one list says ----------------------------------------------------------------------------------

    def _extreme_poverty(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        carer = self._kin(person)
        return {"照料人姓名": carer.name if carer else "", "照料人电话": carer.phone if carer else ""}

    def _elderly_alone(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        household = self.world.households[person.household_uid]
        child = next((p for p in self.world.people.values() if person.uid in (p.father, p.mother)), None)
        return {
            "年龄": str(person.age(self.month)),
            "居住状况": "独居" if len(household.members) == 1 else "空巢",
            "子女姓名": child.name if child else "", "子女电话": child.phone if child else "",
            "紧急联系人": child.name if child else "", "紧急联系人电话": child.phone if child else "",
        }  # fmt: skip

    def _children_in_need(
        self, rng: random.Random, person: Person, card: Card, topic: str
    ) -> dict[str, Cell]:
        people = self.world.people
        father, mother = people.get(person.father or 0), people.get(person.mother or 0)
        guardian = self._guardian(person)
        return {
            "父亲姓名": father.name if father else "", "母亲姓名": mother.name if mother else "",
            "监护人姓名": guardian.name, "与儿童关系": _guardian_relation(self.world, guardian, person),
            "监护人身份证": guardian.id_no, "监护人电话": guardian.phone,
        }  # fmt: skip

    def _severe_mental(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        guardian = self._kin(person)
        if guardian is None:
            return {}
        return {"监护人姓名": guardian.name, "监护人身份证": guardian.id_no, "监护人联系方式": guardian.phone}

    def _serious_illness(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        return {"病种": topic}

    def _student_support(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        head = self.world.people[self.world.households[person.household_uid].head]
        number = f"{person.id_no}{''.join(person.disability)}" if person.disability else ""
        return {
            "学籍号": f"G{person.id_no}", "户主姓名": head.name, "是否残疾生": "是" if number else "否", "残疾证号": number,
        }  # fmt: skip

    def _unemployed(self, rng: random.Random, person: Person, card: Card, topic: str) -> dict[str, Cell]:
        return {"aac010": f"浙江省杭州市上城区{SUBDISTRICT}"}

    def _kin(self, person: Person) -> Person | None:
        people = self.world.people
        near = [people.get(uid or 0) for uid in (person.spouse, person.father, person.mother)]
        children = [p for p in people.values() if person.uid in (p.father, p.mother)]
        return next(
            (kin for kin in (*near, *children) if kin is not None and kin.age(self.month) >= 18), None
        )

    def _guardian(self, child: Person) -> Person:
        """A parent of the household, else its oldest member."""
        household = self.world.households[child.household_uid]
        members = self.world.members(household)
        parents = [p for p in members if p.uid in (child.father, child.mother)]
        return (parents or sorted(members, key=lambda member: member.birth))[0]


def _guardian_relation(world: World, guardian: Person, child: Person) -> str:
    """What the guardian is to the child, in a word of GB/T 4761."""
    word = relation_to_head(world.people, guardian, child)
    return {"父": "父亲", "母": "母亲", "其他": "其他亲属"}.get(word, word)


Plant = Callable[[dict[str, Cell], Person, date], dict[str, Cell] | None]


def _shifted_birth(cells: dict[str, Cell], person: Person, month: date) -> dict[str, Cell]:
    return {"出生日期": (person.birth - timedelta(days=1)).isoformat()}


def _other_sex(cells: dict[str, Cell], person: Person, month: date) -> dict[str, Cell]:
    word = "女" if person.sex == "男" else "男"
    return {"性别": word, "aac004": word}


# How a row is made to break a rule; None where this row cannot.
PLANTS: dict[str, dict[str, Plant]] = {
    "extreme_poverty": {
        "id_birth_date_differs": _shifted_birth,
        "institution_missing": lambda cells, person, month: {"供养方式": "集中", "供养机构名称": ""},
    },
    "elderly_alone": {"id_sex_differs": _other_sex},
    "children_in_need": {
        "guardian_missing": lambda cells, person, month: (
            {"监护人姓名": "", "与儿童关系": ""} if person.age(month) < 13 else None
        ),
        "id_is_guardians_id": lambda cells, person, month: {"监护人身份证": person.id_no, "与儿童关系": ""},
    },
    "severe_mental": {"id_birth_date_differs": _shifted_birth},
    "serious_illness": {
        "next_before_followed_up": lambda cells, person, month: {"下次随访日期": "2020-01-01"},
    },
    "student_support": {
        "certificate_missing": lambda cells, person, month: {"是否残疾生": "是", "残疾证号": ""},
    },
    "unemployed": {
        "unemployed_after_registered": lambda cells, person, month: {
            "aae100": "有效", "ajc090": "2026-01-02", "aae043": "2026-01-01", "失业登记注销日期": "", "失业登记注销原因": "",
        },
        "deregistered_without_date": lambda cells, person, month: {
            "aae100": "注销", "失业登记注销日期": "", "失业登记注销原因": "就业",
        },
    },
}  # fmt: skip


def deliver_more(
    landing: Path, files: MoreFiles, writer: MoreListWriter, lists: Iterable[str] = MORE_FOLDERS
) -> tuple[list[TrueRow], list[Planted]]:
    """Writes the lists of the writer's month under `landing`; the truth of every row, and what was planted.

    Layouts: L2 workbooks with title, note row and footer; one sheet a community beside a page of instructions (L8); a
    hint row below the header (L4); CSV in GB18030, in UTF-8 with BOM, and with column codes for headers.
    """
    month, true_rows, planted = writer.month, [], []
    for list_code in lists:
        table = writer.table(list_code, files)
        name, content, sheets = _file(list_code, table, files, month)
        folder = landing.joinpath(*MORE_FOLDERS[list_code])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        for sheet, line, position in sheets:
            uid, household_uid = table.about[position]
            true_rows.append(TrueRow(list_code, name, sheet, line, uid, household_uid))
            if position in table.planted:
                planted.append(Planted(list_code, name, sheet, line, table.planted[position]))
    return true_rows, planted


def _file(
    list_code: str, table: PlantedTable, files: MoreFiles, month: date
) -> tuple[str, bytes, list[tuple[str, int, int]]]:
    """File name, bytes, and for each row its sheet, its line and its position in the table."""
    stamp, positions = f"{month:%Y%m}", range(len(table.rows))
    header = list(table.header)
    match list_code:
        case "extreme_poverty" | "children_in_need":
            title = {"extreme_poverty": "特困人员名单", "children_in_need": "困境儿童名单"}[list_code]
            note: list[Cell] = [
                f"填报单位：{SUBDISTRICT}社会事务科",
                None,
                f"填报日期：{month.year}.{month.month}.6",
            ]
            footer: list[Cell] = ["合计", None, f"{len(table.rows)}人"]
            content = workbook_bytes(
                [f"{SUBDISTRICT}{title}（{month.year}年{month.month}月）"],
                [note],
                header,
                table.rows,
                [footer],
                written_on=month,
            )
            return (
                f"{title}{stamp}.xlsx",
                content,
                [("", line, p) for p, line in enumerate(range(4, 4 + len(positions)))],
            )
        case "student_support":
            hints: list[Cell] = [_HINTS.get(name) for name in MORE_HEADERS[list_code][0]]
            content = workbook_bytes([], [], header, [hints, *table.rows], [], written_on=month)
            return f"学生资助名单{stamp}.xlsx", content, [("", 3 + p, p) for p in positions]
        case "elderly_alone":
            content, places = _sheet_a_community(table, files, month)
            return f"独居空巢老人{stamp}.xlsx", content, places
        case _:
            encoding = {"severe_mental": "gb18030", "serious_illness": "utf-8-sig", "unemployed": "gb18030"}[
                list_code
            ]
            title = {
                "severe_mental": "严重精神障碍患者",
                "serious_illness": "慢性病重病患者",
                "unemployed": "失业登记",
            }[list_code]
            text = io.StringIO(newline="")
            csv.writer(text).writerows([header, *table.rows])
            return (
                f"{title}{stamp}.csv",
                text.getvalue().encode(encoding),
                [("", 2 + p, p) for p in positions],
            )


def _sheet_a_community(
    table: PlantedTable, files: MoreFiles, month: date
) -> tuple[bytes, list[tuple[str, int, int]]]:
    from openpyxl import Workbook

    book, places = Workbook(), []
    by_community: dict[str, list[int]] = {}
    for position, (uid, _) in enumerate(table.about):
        card = files.entries["elderly_alone"][(uid or 0, "")].card
        by_community.setdefault(card.door.community, []).append(position)
    instructions = book.active
    assert instructions is not None
    instructions.title = "填表说明"
    instructions.append(["一、每个社区一张表，年满六十周岁的独居、空巢老人都填。"])
    for community, positions in sorted(by_community.items()):
        sheet = book.create_sheet(community)
        sheet.append(list(table.header))
        for line, position in enumerate(positions, start=2):
            sheet.append(list(table.rows[position]))
            places.append((community, line, position))
    return freeze_workbook(book, month), places
