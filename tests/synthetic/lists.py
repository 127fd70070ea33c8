"""The five core lists as rows: headers, cells with dirt of form, and who every row is about.

Belongs here: what stands in a file's cells. Not here: bytes and folders (`deliveries`), the content of cards (`cards`).
Headers change between the months through the aliases of domain.md 1.2.
"""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from tests.synthetic import dirt as faults
from tests.synthetic.cards import Card, DisabledPersons, FamilyDoctors, GrantFiles, HouseholdRegister, Listing
from tests.synthetic.dirt import Dirt
from tests.synthetic.kinship import relation_to_head, synonyms_for
from tests.synthetic.places import (
    SUBDISTRICT,
    Door,
    draw_address_style,
    write_address,
    write_address_without_room,
)
from tests.synthetic.population import DISABILITY_CATEGORIES, Household, World

Cell = str | int | float | None


@dataclass
class Table:
    """A list's cells. `about[i]` is (person uid or None, household uid) of `rows[i]`."""

    header: tuple[str, ...]
    rows: list[list[Cell]] = field(default_factory=list)
    about: list[tuple[int | None, int]] = field(default_factory=list)

    def add(self, cells: list[Cell], person_uid: int | None, household_uid: int) -> None:
        """One row and whom it is about."""
        self.rows.append(cells)
        self.about.append((person_uid, household_uid))


REGISTER_HEADERS = (
    ("家庭编号", "社区", "网格", "家庭住址", "住房性质", "姓名", "身份证号", "与户主关系", "性别", "出生日期", "联系电话", "职业", "健康状况", "登记日期"),
    ("家庭编号", "社区", "网格", "家庭住址", "住房性质", "姓名", "公民身份号码", "与户主关系", "性别", "出生日期", "联系电话", "职业", "健康状况", "登记日期"),
    ("家庭编号", "社区", "所属网格", "现住址", "住房性质", "姓名", "身份证号码", "与户主关系", "性别", "出生日期", "联系方式", "职业", "健康状况", "登记日期"),
)  # fmt: skip
VISIT_HEADER = (
    "走访编号", "家庭编号", "户主姓名", "家庭住址", "社区", "网格", "走访日期", "录入时间", "走访人员", "走访方式", "走访结果", "是否知情同意", "需求代码",
    "发现问题数", "满意度", "备注",
)  # fmt: skip
DOCTOR_HEADERS = (
    ("签约编号", "居民姓名", "证件类型", "证件号码", "性别", "出生日期", "手机号码", "居住地址", "签约机构", "签约团队", "签约医生", "签约日期", "协议到期日", "服务包类型", "人群标签", "履约状态"),
    ("签约编号", "姓名", "证件类型", "身份证号", "性别", "出生日期", "联系电话", "居住地址", "签约机构", "签约团队", "签约医生", "签约日期", "协议到期日", "服务包类型", "人群标签", "履约状态"),
    ("签约编号", "居民姓名", "证件类型", "证件号码", "性别", "出生日期", "手机号码", "现住址", "签约机构", "签约团队", "家庭医生", "签约日期", "到期日期", "服务包类型", "人群分类", "签约状态"),
)  # fmt: skip
DISABLED_HEADERS = (
    ("姓名", "性别", "公民身份号码", "残疾人证号", "残疾类别", "残疾等级", "发证日期", "户口性质", "现住址", "社区", "监护人姓名", "监护人电话", "联系电话", "证件状态"),
    ("姓名", "性别", "身份证号", "残疾人证号", "残疾类别", "残疾等级", "发证日期", "户口性质", "现住址", "社区", "监护人姓名", "监护人电话", "联系电话", "证件状态"),
    ("残疾人姓名", "性别", "证件号码", "残疾人证号", "残疾类别", "残疾等级", "发证日期", "户口性质", "联系地址", "社区", "监护人姓名", "监护人电话", "联系电话", "状态"),
)  # fmt: skip
LOW_INCOME_HEADERS = (
    ("序号", "低保证号", "户主姓名", "户主公民身份号码", "成员姓名", "身份证号码", "与户主关系", "性别", "出生日期", "家庭住址", "所属社区", "联系电话", "保障类别", "家庭人口", "保障人口", "家庭月人均收入(元)", "月保障金额(元)", "致困原因", "享受起始年月", "备注"),
    ("序号", "低保证号", "户主姓名", "户主身份证号", "成员姓名", "身份证号码", "与户主关系", "性别", "出生日期", "家庭住址", "所属社区", "联系电话", "保障类别", "家庭人口", "保障人口", "家庭月人均收入(元)", "月保障金额(元)", "致困原因", "享受起始年月", "备注"),
    ("序号", "低保证号", "户主姓名", "户主身份证号", "家庭成员姓名", "公民身份号码", "与户主关系", "性别", "出生日期", "现住址", "社区", "联系电话", "低保类别", "家庭人口", "保障人口", "家庭月人均收入(元)", "月保障金(元)", "致贫原因", "享受起始年月", "备注"),
)  # fmt: skip

_LEVELS = {
    "1": ("一级", "1级", "壹级"),
    "2": ("二级", "2级", "贰级"),
    "3": ("三级", "3级", "叁级"),
    "4": ("四级", "4级", "肆级"),
}
_NEEDS = ("YL01", "YL02", "YL03", "YI01", "YI02", "YI03", "JY01", "JO01", "JO02", "WH01", "WH03")
_REMARKS = (
    "老人听力不好，请敲门大声些",
    "反映楼道灯坏了",
    "女儿住外地，每周回来一次",
    "想了解老年食堂",
    "楼上漏水，已联系物业",
    "希望帮忙预约体检",
)


class ListWriter:
    """Writes one month's lists from the departments' files."""

    def __init__(self, world: World, dirt: Dirt, month: date, header_variant: int) -> None:
        self.world, self.dirt, self.month, self.header_variant = world, dirt, month, header_variant

    def household_register(self, register: HouseholdRegister, only_changed: bool = False) -> Table:
        """One row a listed member, in the order of household numbers."""
        rng = self._rng("household_register")
        table = Table(REGISTER_HEADERS[self.header_variant % len(REGISTER_HEADERS)])
        for number in sorted(register.listings):
            listing = register.listings[number]
            if only_changed and not listing.changed:
                continue
            self._write_listing(rng, table, listing)
        return table

    def _write_listing(self, rng: random.Random, table: Table, listing: Listing) -> None:
        world, dirt = self.world, self.dirt
        household = world.households[listing.household_uid]
        head = world.people[household.head]
        address = self._address(rng, listing.door)
        first = listing.cards.get(head.uid)
        cards = ([first] if first else []) + [card for uid, card in listing.cards.items() if uid != head.uid]
        for card in cards:
            person = world.people[card.person_uid]
            own_address = (
                self._address(rng, listing.door) if rng.random() < dirt.address_other_style else address
            )
            cells: list[Cell] = [
                listing.number, self._community(rng, listing.door), listing.door.grid, own_address, household.housing,
                faults.write_name(rng, dirt, card.name, "户主" if card is first else "本人"), faults.write_id(rng, dirt, card.id_text),
                self._relation(rng, relation_to_head(world.people, person, head), person.sex), faults.write_sex(rng, dirt, card.sex, False),
                faults.write_date(rng, card.birth) if card.birth else "", faults.write_phone(rng, dirt, card.phone, head.phone),
                person.occupation, person.health, faults.write_date(rng, card.on),
            ]  # fmt: skip
            table.add(cells, person.uid, person.household_uid)
            if rng.random() < dirt.exact_duplicate:
                table.add(list(cells), person.uid, person.household_uid)

    def visits(self, register: HouseholdRegister, coverage: float) -> Table:
        """The month's visits to a share of the households; a few are corrected under the same number."""
        rng = self._rng("visit")
        table = Table(VISIT_HEADER)
        households = [h for h in self.world.current_households() if rng.random() < coverage]
        for serial, household in enumerate(households, start=1):
            self._write_visit(rng, table, household, f"ZF{self.month:%Y%m}{serial:06d}", register)
        return table

    def _write_visit(
        self,
        rng: random.Random,
        table: Table,
        household: Household,
        visit_no: str,
        register: HouseholdRegister,
    ) -> None:
        dirt, door = self.dirt, household.door
        number = register.number_of.get(household.uid, "")
        if number not in register.listings and rng.random() < 0.4:
            number = ""
        if rng.random() < dirt.visit_without_number:
            number = ""
        named = rng.choice(household.members) if rng.random() < dirt.visit_head_is_member else household.head
        day = self.month + timedelta(days=rng.randrange(28))
        begun = datetime.combine(day, time(rng.randint(8, 20), rng.randint(0, 59)))
        entered = begun + timedelta(hours=rng.choices((2, 10, 20, 31, 55), (40, 30, 22, 6, 2))[0])
        outcome = rng.choices(("成功", "无人在家", "无效", "拒访"), (85, 7, 5, 3))[0]
        is_success = outcome == "成功"
        officer = f"网格员{self.world.place.communities.index(door.community)}{door.grid[1]}"
        needs = ";".join(rng.sample(_NEEDS, rng.randint(1, 2))) if is_success and rng.random() < 0.12 else ""
        remark = rng.choice(_REMARKS) if is_success and rng.random() < 0.06 else ""
        cells: list[Cell] = [
            visit_no, number, faults.write_name(rng, dirt, self.world.people[named].name), self._address(rng, door),
            self._community(rng, door), door.grid, f"{begun:%Y-%m-%d %H:%M}", f"{entered:%Y-%m-%d %H:%M}", officer,
            rng.choices(("入户", "线上", "电话"), (60, 25, 15))[0], outcome, "是" if is_success else "否", needs,
            str(rng.choices((0, 1, 2), (82, 15, 3))[0] if is_success else 0),
            str(rng.choices((5, 4, 3, 2, 1), (52, 32, 12, 3, 1))[0]) if is_success else "", remark,
        ]  # fmt: skip
        table.add(cells, None, household.uid)
        if rng.random() < dirt.visit_corrected:
            # The officer corrects the record: the same number again, entered a day later.
            corrected = list(cells)
            corrected[7], corrected[13] = f"{entered + timedelta(days=1):%Y-%m-%d %H:%M}", "1"
            table.add(corrected, None, household.uid)

    def family_doctor(self, doctors: FamilyDoctors) -> Table:
        """One row a contract."""
        rng, dirt = self._rng("family_doctor"), self.dirt
        table = Table(DOCTOR_HEADERS[self.header_variant % len(DOCTOR_HEADERS)])
        for contract in doctors.contracts:
            card, person = contract.card, self.world.people[contract.card.person_uid]
            team = self.world.place.communities.index(card.door.community) + 1
            tags = [*(["老年人"] if person.age(self.month) >= 65 else []), *person.conditions]
            if person.age(self.month) < 7:
                tags.append("0-6岁儿童")
            if person.disability:
                tags.append("残疾人")
            status = "履约中" if contract.due >= self.month else "已到期"
            table.add(
                [
                    contract.number, faults.write_name(rng, dirt, card.name, "本人"), "居民身份证", faults.write_id(rng, dirt, card.id_text),
                    faults.write_sex(rng, dirt, card.sex, True), faults.write_date(rng, card.birth) if card.birth else "",
                    faults.write_phone(rng, dirt, card.phone), self._address(rng, card.door), f"{SUBDISTRICT}社区卫生服务中心", f"第{team}团队",
                    f"医生{team:02d}", faults.write_date(rng, contract.signed), faults.write_date(rng, contract.due), contract.package,
                    rng.choice(";;;、，").join(tags), status,
                ],
                person.uid, person.household_uid,
            )  # fmt: skip
        return table

    def disabled(self, federation: DisabledPersons) -> Table:
        """One row a holder of a disability card."""
        rng, dirt = self._rng("disabled"), self.dirt
        table = Table(DISABLED_HEADERS[self.header_variant % len(DISABLED_HEADERS)])
        for holder in federation.holders.values():
            card, person = holder.card, self.world.people[holder.card.person_uid]
            category = DISABILITY_CATEGORIES[holder.card_no[18]]
            guardian = next(
                (self.world.people[uid] for uid in (person.father, person.mother, person.spouse) if uid), None
            )
            needs_guardian = guardian is not None and (
                person.age(self.month) < 18 or category in {"智力", "精神"}
            )
            table.add(
                [
                    faults.write_name(rng, dirt, card.name, "本人"), faults.write_sex(rng, dirt, card.sex, False),
                    faults.write_id(rng, dirt, card.id_text), holder.card_no if card.id_fault != "missing" else "",
                    category + rng.choice(("", "残疾")), rng.choices(_LEVELS[holder.card_no[19]], (90, 7, 3))[0],
                    faults.write_date(rng, holder.issued), holder.hukou, self._address(rng, card.door), self._community(rng, card.door),
                    guardian.name if guardian and needs_guardian else "", guardian.phone if guardian and needs_guardian else "",
                    faults.write_phone(rng, dirt, card.phone), "有效",
                ],
                person.uid, person.household_uid,
            )  # fmt: skip
        return table

    def low_income(self, grants: GrantFiles) -> Table:
        """Household blocks: the certificate's row carries the household's columns, further members leave them blank."""
        rng, dirt = self._rng("low_income"), self.dirt
        table = Table(LOW_INCOME_HEADERS[self.header_variant % len(LOW_INCOME_HEADERS)])
        for serial, (household, cards) in enumerate(grants.blocks.values(), start=1):
            grant = household.grant
            if grant is None:
                continue
            first = next((card for card in cards if card.person_uid == household.head), cards[0])
            block_head = self.world.people[first.person_uid]
            for card in [first, *(card for card in cards if card is not first)]:
                person = self.world.people[card.person_uid]
                is_first = card is first
                relation = self._relation(
                    rng, relation_to_head(self.world.people, person, block_head), person.sex
                )
                own: list[Cell] = [
                    faults.write_name(rng, dirt, card.name, "本人"), self._spreadsheet_id(rng, card), relation, faults.write_sex(rng, dirt, card.sex, False),
                    faults.write_date(rng, card.birth) if card.birth else None,
                ]  # fmt: skip
                phone: Cell = faults.write_phone(rng, dirt, card.phone) or None
                if is_first:
                    left: list[Cell] = [str(serial), grant.certificate_no, card.name, first.id_text or None]
                    right: list[Cell] = [
                        grant.category, max(len(household.members), len(cards)), len(cards), grant.income_per_head, grant.amount, grant.reason,
                        f"{grant.since:%Y-%m}", None,
                    ]  # fmt: skip
                    place: list[Cell] = [self._address(rng, card.door), self._community(rng, card.door)]
                else:
                    left, right, place = [None] * 4, [None] * 8, [None] * 2
                table.add([*left, *own, *place, phone, *right], person.uid, person.household_uid)
        return table

    # -- cells ------------------------------------------------------------------------------------------------

    def _rng(self, topic: str) -> random.Random:
        return random.Random(f"{self.world.seed}/write/{topic}/{self.month:%Y%m}")

    def _spreadsheet_id(self, rng: random.Random, card: Card) -> Cell:
        if card.id_fault == "destroyed":
            return faults.destroyed_number(card.id_text)
        return faults.write_id(rng, self.dirt, card.id_text) or None

    def _address(self, rng: random.Random, door: Door) -> str:
        if rng.random() < self.dirt.address_without_room:
            return write_address_without_room(door)
        return write_address(door, draw_address_style(rng))

    def _community(self, rng: random.Random, door: Door) -> str:
        if rng.random() < self.dirt.community_short:
            return rng.choice((door.community.removesuffix("社区"), f"{door.community}居委会"))
        return door.community

    def _relation(self, rng: random.Random, relation: str, sex: str) -> str:
        words = synonyms_for(relation, sex)
        if relation == "户主":
            return rng.choice(("户主", "本人"))
        return rng.choice(words) if words and rng.random() < self.dirt.relation_synonym else relation
