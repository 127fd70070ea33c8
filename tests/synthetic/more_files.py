"""What the departments have on file for the seven further lists of persons: who stands there, and with what facts.

Belongs here: people in extreme poverty, old people alone, children in need, patients, students and unemployed of a
`World`, chosen and kept as `cards` does. Not here: how their files look (`more_lists`).
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tests.synthetic import dirt as faults
from tests.synthetic.cards import Card, Clerk
from tests.synthetic.dirt import Dirt
from tests.synthetic.places import SUBDISTRICT
from tests.synthetic.population import Household, Person, World

MORE_FOLDERS = {
    "extreme_poverty": ("civil_affairs", "extreme_poverty"),
    "elderly_alone": ("civil_affairs", "elderly_alone"),
    "children_in_need": ("civil_affairs", "children_in_need"),
    "severe_mental": ("health", "severe_mental"),
    "serious_illness": ("health", "serious_illness"),
    "student_support": ("education", "student_support"),
    "unemployed": ("human_resources", "unemployed"),
}
WORKBOOKS = ("extreme_poverty", "elderly_alone", "children_in_need", "student_support")
_DIAGNOSES = (
    "精神分裂症",
    "分裂情感性障碍",
    "偏执性精神病",
    "双相（情感）障碍",
    "癫痫所致精神障碍",
    "精神发育迟滞伴发精神障碍",
)
_CHILD_CATEGORIES = (
    "事实无人抚养儿童",
    "贫困家庭儿童",
    "重病重残儿童",
    "留守儿童",
    "其他需要帮助的儿童",
    "孤儿（社会散居）",
)


@dataclass(frozen=True)
class MoreShares:
    """How many of those who could stand on a list do."""

    extreme_poverty: float = 0.12  # of old people living alone without a grant
    elderly_alone: float = 0.85  # of old people in a household of old people
    children_in_need: float = 0.06  # of children
    severe_mental: float = 0.006  # of adults
    serious_illness: float = 0.75  # of the illnesses the health centre knows
    student_support: float = 0.10  # of school children (all those with a grant)
    unemployed: float = 0.8  # of people without work


@dataclass
class Entry:
    """One line of a department's file: the card and what the list says besides, drawn once."""

    card: Card
    facts: dict[str, str]


class MoreFiles:
    """What the departments have on file for the seven lists; a card keeps its faults until it is typed again."""

    def __init__(self, world: World, dirt: Dirt, shares: MoreShares | None = None) -> None:
        self.world, self.dirt, self.shares = world, dirt, shares or MoreShares()
        self.entries: dict[str, dict[tuple[int, str], Entry]] = {code: {} for code in MORE_FOLDERS}

    def update(self, month: date) -> None:
        """Brings all files up to the first of the month: who left is off the list, who is new gets a card."""
        for list_code, entries in self.entries.items():
            rng = random.Random(f"{self.world.seed}/{list_code}/{month:%Y%m}")
            clerk = Clerk(self.world, self.dirt, rng)
            wanted = {(person.uid, topic): facts for person, topic, facts in self._due(list_code, month)}
            for key in list(entries):
                if key not in wanted:
                    del entries[key]
            for key, facts in wanted.items():
                person = self.world.people[key[0]]
                door = self.world.households[person.household_uid].door
                entry = entries.get(key)
                if entry is None:
                    is_workbook = list_code in WORKBOOKS
                    card = clerk.type_card(
                        person, door, clerk.recent_day(month, person.birth), is_spreadsheet=is_workbook
                    )
                    entries[key] = Entry(card, facts)
                else:
                    entry.card = clerk.keep_up(entry.card, person, door, month)

    def _due(self, list_code: str, month: date) -> Iterator[tuple[Person, str, dict[str, str]]]:
        """Who belongs on a list, under which topic (a person may stand there twice), with what it says of him."""
        share = getattr(self.shares, list_code)
        for household in self.world.current_households():
            for person in self.world.members(household):
                for topic in _topics(list_code, person, household, self.world, month):
                    rng = random.Random(f"{self.world.seed}/{list_code}/{person.uid}/{topic}")
                    is_sure = list_code == "student_support" and household.grant is not None
                    if rng.random() < share or is_sure:
                        yield person, topic, _FACTS[list_code](rng, person, month)


def _topics(
    list_code: str, person: Person, household: Household, world: World, month: date
) -> tuple[str, ...]:
    age = person.age(month)
    match list_code:
        case "extreme_poverty":
            return ("",) if age >= 62 and len(household.members) == 1 and household.grant is None else ()
        case "elderly_alone":
            is_old_household = all(other.age(month) >= 60 for other in world.members(household))
            return ("",) if is_old_household and len(household.members) <= 2 else ()
        case "children_in_need":
            return ("",) if age < 17 and (person.father or person.mother) else ()
        case "severe_mental":
            return ("",) if 18 <= age < 80 else ()
        case "serious_illness":
            return person.conditions
        case "student_support":
            return ("",) if 6 <= age < 18 else ()
        case _:
            return ("",) if person.occupation == "无业" else ()


def _poverty_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    is_housed = rng.random() < 0.4
    return {
        "城乡类别": rng.choices(("城市", "农村"), (80, 20))[0],
        "供养方式": rng.choice(("集中", "集中供养") if is_housed else ("分散", "分散供养")),
        "月供养金": rng.choice(("1460", "1,820", "1820元")),
        "照料护理等级": rng.choice(("一档", "二档", "三档", "无")),
        "生活自理能力": rng.choice(("全自理", "半护理", "全护理", "部分丧失")),
        "供养机构名称": f"{SUBDISTRICT}敬老院" if is_housed else "",
        "批准时间": faults.write_date(rng, month - timedelta(days=rng.randint(60, 2500))),
    }


def _elderly_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    return {
        "自理能力": rng.choices(("自理", "部分失能", "失能", "失智"), (80, 13, 5, 2))[0],
        "健康状况": person.health,
        "是否享有医保": rng.choice(("是", "是", "有", "否")),
        "探访人": f"志愿者{rng.randint(1, 9)}",
        "探访频次": rng.choice(("每周一次", "每月一次", "每月两次")),
    }


def _child_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    return {
        "儿童类别": rng.choice(_CHILD_CATEGORIES),
        "困境类型": rng.choice(("父母重残", "父亲服刑", "母亲失联", "家庭贫困", "自身重病")),
        "父亲状况": rng.choice(("重残", "服刑", "失联", "正常")),
        "母亲状况": rng.choice(("重病", "失联", "正常")),
        "学校": "近江小学" if 6 <= person.age(month) < 12 else "",
        "年级": f"{'一二三四五六'[person.age(month) - 6]}年级" if 6 <= person.age(month) < 12 else "",
        "保障标准": rng.choice(("1460", "1,825元", "730")),
        "审批时间": faults.write_date(rng, max(person.birth + timedelta(days=30), month - timedelta(days=rng.randint(40, 900)))),
        "儿童主任姓名": f"儿童主任{rng.randint(1, 5)}",
        "风险等级": rng.choices(("低", "中", "高风险"), (70, 22, 8))[0],
    }  # fmt: skip


def _mental_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    return {
        "家庭经济状况": rng.choice(("贫困", "非贫困")),
        "是否纳入低保": rng.choice(("是", "否")),
        "初次发病日期": faults.write_date(rng, month - timedelta(days=rng.randint(400, 6000))),
        "目前诊断类型": rng.choice(_DIAGNOSES),
        "目前危险性评估等级": rng.choices(("0级", "1级", "2", "3级"), (70, 15, 10, 5))[0],
        "病情": rng.choice(("稳定", "基本稳定", "不稳定")),
        "有无肇事肇祸史": rng.choice(("无", "无", "有")),
        "治疗情况": rng.choice(("规律服药", "间断服药", "不服药")),
        "治疗医院": "市第七人民医院",
        "参与管理人员": f"责任医生{rng.randint(1, 6)}",
    }


def _illness_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    followed = month - timedelta(days=rng.randint(1, 80))
    return {
        "确诊日期": faults.write_date(rng, month - timedelta(days=rng.randint(200, 5000))),
        "管理分组": rng.choice(("一组", "二组", "三组管理")),
        "随访日期": followed.isoformat(),
        "随访方式": rng.choice(("门诊", "家庭", "电话")),
        "转归": rng.choices(("继续", "继续随访", "暂时失访"), (70, 25, 5))[0],
        "下次随访日期": (followed + timedelta(days=90)).isoformat(),
        "管理机构": f"{SUBDISTRICT}社区卫生服务中心",
        "责任医生": f"医生{rng.randint(1, 12):02d}",
    }


def _student_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    age = person.age(month)
    stage, first = ("小学", 6) if age < 12 else ("初中", 12) if age < 15 else ("高中", 15)
    return {
        "学校全称": f"近江{stage}", "学段": stage, "年级": f"{'一二三四五六'[age - first]}年级", "班级": f"{rng.randint(1, 6)}班",
        "就读方式": rng.choices(("走读", "住校"), (85, 15))[0],
        "困难类型": rng.choice(("城市低保", "低保边缘、残疾人子女", "孤儿", "其他困难", "特困")),
        "资助项目": rng.choice(("营养餐补助", "生活费补助")), "资助金额": rng.choice(("500", "625元", "1,000")),
    }  # fmt: skip


def _unemployed_facts(rng: random.Random, person: Person, month: date) -> dict[str, str]:
    registered = month - timedelta(days=rng.randint(3, 500))
    is_closed = rng.random() < 0.2 and (month - registered).days > 40
    return {
        "aac011": rng.choice(("初中", "高中", "大专", "本科", "中专")),
        "aac009": rng.choice(("非农业", "居民户口", "农业")),
        "aae100": "注销" if is_closed else "有效",
        "ajc090": (registered - timedelta(days=rng.randint(1, 90))).isoformat(),
        "aae043": registered.isoformat(),
        "失业原因": rng.choice(("合同期满", "本人辞职", "单位破产", "毕业未就业")),
        "失业登记注销日期": (registered + timedelta(days=30)).isoformat() if is_closed else "",
        "失业登记注销原因": rng.choice(("就业", "领养老金", "迁出")) if is_closed else "",
        "就业创业证号": f"33010200{rng.randrange(10**8):08d}",
        "就业困难类型": rng.choice(("", "", "大龄", "零就业家庭", "大龄、连续失业一年")),
    }


_FACTS: dict[str, Callable[[random.Random, Person, date], dict[str, str]]] = {
    "extreme_poverty": _poverty_facts,
    "elderly_alone": _elderly_facts,
    "children_in_need": _child_facts,
    "severe_mental": _mental_facts,
    "serious_illness": _illness_facts,
    "student_support": _student_facts,
    "unemployed": _unemployed_facts,
}
