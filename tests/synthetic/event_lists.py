"""The community's event lists as rows: problems, needs, resources and questionnaires, with planted faults and the truth.

Belongs here: what stands in the cells, and which faults were planted where. Not here: bytes and folders
(`deliveries`), the five core lists (`lists`), whose writer this one extends.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from tests.synthetic import dirt as faults
from tests.synthetic.cards import HouseholdRegister
from tests.synthetic.lists import Cell, ListWriter, Table
from tests.synthetic.population import Household

PROBLEM_HEADER = (
    "问题编号", "办理环节", "环节时间", "问题状态", "家庭编号", "反映人姓名", "反映人电话", "家庭住址", "社区", "网格", "问题来源", "问题类型", "问题类别",
    "颜色等级", "严重程度", "问题描述", "是否跨部门", "责任单位", "时限计法", "办理时限", "办理人", "办理情况", "是否解决", "满意评价", "是否重复诉求", "原问题编号",
)  # fmt: skip
NEED_HEADER = (
    "需求编号", "家庭编号", "姓名", "身份证号", "与户主关系", "联系电话", "家庭住址", "社区", "网格", "需求", "是否需要", "紧急程度", "需求说明", "登记日期",
    "登记人", "是否知情同意", "对接状态", "服务类型", "服务单位", "对接日期",
)  # fmt: skip
RESOURCE_HEADER = (
    "资源编号", "家庭编号", "提供人", "身份证号", "联系电话", "家庭住址", "社区", "网格", "资源类别", "资源名称", "是否愿意提供", "可服务时间", "可对应需求",
    "服务类型", "登记日期", "有效期至", "登记人", "是否知情同意",
)  # fmt: skip
SATISFACTION_HEADER = (
    "问卷编号", "调查期次", "家庭编号", "受访人姓名", "家庭住址", "社区", "网格", "评价内容", "分制", "评分", "满意程度", "是否满意", "调查方式", "发放日期",
    "是否回收", "填写日期", "是否有效", "调查人", "意见建议",
)  # fmt: skip

_STAGES = ("发现", "登记", "分流", "办理", "反馈", "评价")
_PROBLEMS = (
    ("邻里噪音", "即时解决", "绿", "轻微", "楼上夜里装修"),
    ("环境卫生", "即时解决", "绿", "轻微", "楼道堆了杂物"),
    ("消防隐患", "即时解决", "红色", "严重", "电动车进楼充电"),
    ("政策咨询", "协调联动", "黄", "一般", "想问高龄津贴"),
    ("物业纠纷", "协调联动类", "黄色", "中等", "物业费有争议"),
    ("公共设施", "长期跟进", "绿色", "中等", "加装电梯"),
)
_RESOURCES = (
    ("特长", "理发"), ("特长", "辅导作业"), ("志愿服务", "陪诊"), ("志愿服务", "巡逻"), ("闲置资源", "轮椅"), ("闲置资源", "会议室"),
)  # fmt: skip
_NEEDS = ("YL01", "居家养老服务", "老年助餐", "YI01", "心理疏导", "课后托管", "JO02", "文体活动")


@dataclass
class EventTable(Table):
    """A table and its planted faults: index of the row, rule of the warning, contract column (None: the whole row)."""

    planted: list[tuple[int, str, str | None]] = field(default_factory=list)


class EventListWriter(ListWriter):
    """Writes one month's event lists. Some rows of every list are spoilt on purpose; ``planted`` says which."""

    def problems(self, register: HouseholdRegister, share: float = 0.1) -> EventTable:
        """One row a stage a problem has reached; some are repeats, some were never said to be anybody's."""
        rng = self._rng("problem")
        table = EventTable(PROBLEM_HEADER)
        numbers: list[str] = []
        for serial, household in enumerate(self._some(rng, share), start=1):
            number = f"WT{self.month:%Y%m}{serial:05d}"
            self._write_problem(rng, table, household, number, register, numbers)
            numbers.append(number)
        self._spoil(table, "环节时间", "stage_at", "date_unreadable", "改天", every=9)
        self._spoil(table, "问题类别", "problem_class_code", "code_unknown", "大问题", every=11)
        self._spoil(table, "是否跨部门", "is_cross_department", "boolean_unreadable", "也许", every=13)
        self._spoil(table, "时限计法", "deadline_basis_code", "deadline_without_basis", "", every=17)
        return table

    def _write_problem(
        self,
        rng: random.Random,
        table: EventTable,
        household: Household,
        number: str,
        register: HouseholdRegister,
        earlier: list[str],
    ) -> None:
        world, door = self.world, household.door
        topic, kind, colour, severity, words = rng.choice(_PROBLEMS)
        person = world.people[rng.choice(household.members)]
        at = datetime.combine(
            self.month + timedelta(days=rng.randrange(20)), time(rng.randint(8, 18), rng.randint(0, 59))
        )
        repeat = rng.choice(earlier) if earlier and rng.random() < 0.1 else ""
        reached = rng.randint(2, len(_STAGES))
        household_no = self._number(rng, household, register)
        for stage in _STAGES[:reached]:
            is_done = stage in ("反馈", "评价")
            table.add(
                [
                    number, stage, f"{at:%Y-%m-%d %H:%M}", "已办结" if is_done else "处理中" if stage != "发现" else "新建",
                    household_no, faults.write_name(rng, self.dirt, person.name), faults.write_phone(rng, self.dirt, person.phone),
                    self._address(rng, door), self._community(rng, door), door.grid, "走访发现", topic, kind, colour, severity, words,
                    rng.choice(("是", "否")), "社区居委会", rng.choice(("小时", "工作日", "自然日")), str(rng.randint(1, 24)), "网格员1",
                    "已上门处理" if stage == "办理" else "", "是" if is_done else "否", rng.choice(("满意", "五星", "基本满意")) if stage == "评价" else "",
                    "是" if repeat else "否", repeat,
                ],
                None, household.uid,
            )  # fmt: skip
            at += timedelta(hours=rng.randint(1, 40))

    def needs(self, register: HouseholdRegister, share: float = 0.15) -> EventTable:
        """One row a need of a household or of one of its members."""
        rng = self._rng("need")
        table = EventTable(NEED_HEADER)
        for serial, household in enumerate(self._some(rng, share), start=1):
            person = self.world.people[rng.choice(household.members)] if rng.random() < 0.6 else None
            for item in rng.sample(_NEEDS, rng.randint(1, 2)):
                asked = self.month + timedelta(days=rng.randrange(25))
                matched = asked + timedelta(days=rng.randrange(1, 3)) if rng.random() < 0.5 else None
                own: list[Cell] = (
                    [
                        faults.write_name(rng, self.dirt, person.name), faults.write_id(rng, self.dirt, person.id_no), "",
                        faults.write_phone(rng, self.dirt, person.phone),
                    ] if person else ["", "", "", ""]
                )  # fmt: skip
                table.add(
                    [
                        f"XQ{self.month:%Y%m}{serial:05d}{item[-1]}", self._number(rng, household, register, always=True), *own,
                        *self._place(rng, household), item, "是", rng.choice(("急", "一般", "不急")), "", faults.write_date(rng, asked),
                        "网格员1", "是", "已对接" if matched else "待对接", rng.choice(("公共服务", "志愿服务")), "街道养老服务中心" if matched else "",
                        f"{matched:%Y-%m-%d}" if matched else "",
                    ],
                    person.uid if person else None, household.uid,
                )  # fmt: skip
        self._spoil(table, "需求", "need_code", "code_unknown", "想要一辆车", every=10)
        self._spoil(table, "登记日期", "recorded_date", "date_impossible", "2026-02-30", every=12)
        self._spoil(table, "紧急程度", "need_urgency_code", "code_unknown", "看情况", every=14)
        return table

    def resources(self, register: HouseholdRegister, share: float = 0.1) -> EventTable:
        """One row a skill, a willingness or an idle thing."""
        rng = self._rng("resource")
        table = EventTable(RESOURCE_HEADER)
        for serial, household in enumerate(self._some(rng, share), start=1):
            kind, name = rng.choice(_RESOURCES)
            adults = [
                self.world.people[uid]
                for uid in household.members
                if self.world.people[uid].age(self.month) >= 18
            ]
            person = rng.choice(adults) if adults and kind != "闲置资源" else None
            asked = self.month + timedelta(days=rng.randrange(25))
            table.add(
                [
                    f"ZY{self.month:%Y%m}{serial:05d}", self._number(rng, household, register, always=True),
                    faults.write_name(rng, self.dirt, person.name) if person else "",
                    faults.write_id(rng, self.dirt, person.id_no) if person else "",
                    faults.write_phone(rng, self.dirt, person.phone) if person else "", *self._place(rng, household), kind, name, "是",
                    rng.choice(("周末", "工作日晚上")), "；".join(rng.sample(("YL01", "YL02", "JY01"), 2)), "志愿服务",
                    f"{asked:%Y-%m-%d}", f"{asked + timedelta(days=365):%Y-%m-%d}", "网格员1", "是",
                ],
                person.uid if person else None, household.uid,
            )  # fmt: skip
        self._spoil(table, "资源类别", "resource_kind_code", "code_unknown", "宝贝", every=7)
        self._spoil(table, "有效期至", "valid_until", "valid_until_before_recorded", "2020-01-01", every=9)
        return table

    def questionnaires(self, register: HouseholdRegister, share: float = 0.12) -> EventTable:
        """One row a question; scales differ by question, some questionnaires never came back."""
        rng = self._rng("satisfaction")
        table = EventTable(SATISFACTION_HEADER)
        survey = f"{self.month.year}年{'上' if self.month.month < 7 else '下'}半年"
        for serial, household in enumerate(self._some(rng, share), start=1):
            sent = self.month + timedelta(days=rng.randrange(8))
            is_returned = rng.random() < 0.85
            answered = f"{sent + timedelta(days=rng.randrange(1, 10)):%Y-%m-%d}" if is_returned else ""
            person = self.world.people[household.head]
            answers: tuple[tuple[str, str, str, str, str], ...] = (
                ("服务态度", "五分制", str(rng.randint(3, 5)), "", ""),
                ("办事效率", "百分制", str(rng.randint(60, 100)), "", ""),
                ("总体满意度", "是否制", "", "", rng.choice(("是", "否"))),
            )
            for question, scale, *answer in answers:
                table.add(
                    [
                        f"WJ-{self.month:%Y%m}-{serial:05d}", survey, self._number(rng, household, register), person.name,
                        *self._place(rng, household), question, scale, *(answer if is_returned else ["", "", ""]),
                        rng.choice(("入户", "电话")), f"{sent:%Y-%m-%d}", "是" if is_returned else "否", answered, "是" if is_returned else "",
                        "网格员1", "",
                    ],
                    None, household.uid,
                )  # fmt: skip
        self._spoil(table, "评分", "score", "score_outside_its_scale", "9", every=4, where=("分制", "五分制"))
        self._spoil(table, "评分", "score", "integer_out_of_range", "900", every=6, where=("分制", "百分制"))
        self._spoil(table, "评价内容", "question_code", "code_unknown", "食堂口味", every=15)
        return table

    def _some(self, rng: random.Random, share: float) -> list[Household]:
        return [household for household in self.world.current_households() if rng.random() < share]

    def _place(self, rng: random.Random, household: Household) -> list[Cell]:
        door = household.door
        return [self._address(rng, door), self._community(rng, door), door.grid]

    def _number(
        self, rng: random.Random, household: Household, register: HouseholdRegister, *, always: bool = False
    ) -> str:
        number = register.number_of.get(household.uid, "")
        if number not in register.listings:
            return ""
        return number if always or rng.random() >= self.dirt.visit_without_number else ""

    def _spoil(
        self,
        table: EventTable,
        header: str,
        column: str,
        rule: str,
        cell: Cell,
        *,
        every: int,
        where: tuple[str, str] | None = None,
    ) -> None:
        """Put a faulty cell into every so-manieth filled row that has no planted fault yet, and note it."""
        place = table.header.index(header)
        spoilt = {index for index, *_ in table.planted}
        filled = [
            index
            for index, row in enumerate(table.rows)
            if row[place]
            and index not in spoilt
            and (where is None or row[table.header.index(where[0])] == where[1])
        ]
        for index in filled[every - 1 :: every]:
            table.rows[index][place] = cell
            table.planted.append((index, rule, column))
