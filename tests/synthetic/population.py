"""The world: people, kinship, living households and what is true of them. `events` moves it on by months.

Belongs here: facts. Not here: what departments know or write about the facts (`cards`, `lists`).
A household is a living household (architecture.md): the people who keep house together behind one door. Its uid stays
with the people when the whole household moves; a person who leaves alone gets another household's uid.
"""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.synthetic import names
from tests.synthetic.identity import IdentityOffice
from tests.synthetic.places import Door, SubDistrict

DISABILITY_CATEGORIES = {
    "1": "视力",
    "2": "听力",
    "3": "言语",
    "4": "肢体",
    "5": "智力",
    "6": "精神",
    "7": "多重",
}


@dataclass(frozen=True)
class Shares:
    """How often the hard things of life occur. Shares are of households unless a name says otherwise."""

    shared_door: float = 0.03  # a second living household behind the same door
    split_family: float = 0.05  # parents and a grown-up child in two households of the sub-district
    lodger: float = 0.02
    family_phone: float = 0.16  # one number for the whole family
    twin_births: float = 0.025  # of births
    sibling_shared_character: float = 0.4  # of families with several children
    namesake_in_building: float = 0.012
    homophone_in_building: float = 0.008
    dotted_name: float = 0.003  # of families
    unlisted_household: float = 0.025  # never in the household register
    unlisted_person: float = 0.02  # of persons, in a household that is in the register
    low_income: float = 0.04
    disabled: float = 0.06  # of persons
    family_doctor: float = 0.45  # of persons


@dataclass(slots=True)
class Person:
    """One human being. `household_uid` is the living household now, or the last one of somebody dead or gone."""

    uid: int
    name: str
    sex: str  # 男 or 女
    birth: date
    id_no: str
    household_uid: int
    phone: str = ""
    father: int | None = None
    mother: int | None = None
    spouse: int | None = None
    occupation: str = ""
    health: str = ""
    conditions: tuple[str, ...] = ()
    disability: tuple[str, str] | None = None  # category digit, level digit
    has_family_doctor: bool = False
    is_unlisted: bool = False
    is_lodger: bool = False
    died_on: date | None = None
    left_on: date | None = None  # left the sub-district
    moved_on: date | None = None  # last change of door

    def age(self, on: date) -> int:
        """Whole years on a day."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))

    @property
    def is_present(self) -> bool:
        """Alive and in the sub-district."""
        return self.died_on is None and self.left_on is None


@dataclass(slots=True)
class Grant:
    """A low-income grant: `member_uids` are the persons it covers, the first is the certificate's head."""

    certificate_no: str
    member_uids: list[int]
    category: str
    reason: str
    income_per_head: int
    amount: int
    since: date


@dataclass(slots=True)
class Household:
    """People who keep house together. `members` are uids; empty when it has ended."""

    uid: int
    door: Door
    members: list[int]
    head: int
    housing: str
    is_unlisted: bool = False
    grant: Grant | None = None
    moved_on: date | None = None
    previous_door: Door | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened; `subject` is a person's or household's uid."""

    on: date
    kind: str
    subject: int


@dataclass
class World:
    """Everything that is true on `today`, and what happened until then."""

    seed: int
    today: date
    shares: Shares
    place: SubDistrict
    office: IdentityOffice
    people: dict[int, Person] = field(default_factory=dict)
    households: dict[int, Household] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @classmethod
    def create(cls, seed: int, household_count: int, today: date, shares: Shares | None = None) -> "World":
        """A world of that many living households on that day."""
        from tests.synthetic.circumstances import settle  # which is about worlds itself

        place = SubDistrict.build(random.Random(f"{seed}/place"), household_count)
        world = cls(seed, today, shares or Shares(), place, IdentityOffice(random.Random(f"{seed}/identity")))
        rng = random.Random(f"{seed}/world")
        while len(world.households) < household_count:
            room_left = household_count - len(world.households)
            household = world.found_random_household(rng, place.take_door(rng))
            if room_left > 1 and rng.random() < world.shares.shared_door:
                world._add_second_household_behind_door(rng, household)
            elif room_left > 1 and rng.random() < world.shares.split_family:
                world._add_grown_up_child(rng, household, place.take_door(rng))
        world._rename_to_namesakes(rng)
        for household in world.households.values():
            settle(world, rng, household)
        return world

    def advance(self, month: date) -> None:
        """Lets the month before `month` (a first of the month) happen: births, deaths, moves, marriages and so on."""
        from tests.synthetic.events import live_one_month  # which is about worlds itself

        live_one_month(self, month)

    def members(self, household: Household) -> list[Person]:
        """The household's people, in order of arrival."""
        return [self.people[uid] for uid in household.members]

    def current_households(self) -> list[Household]:
        """Households that have members."""
        return [household for household in self.households.values() if household.members]

    # -- founding ---------------------------------------------------------------------------------------------

    def add_person(
        self,
        rng: random.Random,
        household_uid: int,
        age: float,
        sex: str | None = None,
        surname: str | None = None,
        area: str | None = None,
        shared_character: str | None = None,
    ) -> Person:
        """A new person with name, id and birth date; kinship is the caller's."""
        sex = sex or rng.choice("男女")
        birth = self.today - timedelta(days=int(age * 365.25) + rng.randrange(365))
        surname = surname if surname is not None else names.draw_surname(rng)
        given = names.draw_given_name(rng, sex, birth.year, shared_character)
        household = self.households.get(household_uid)
        while household and any(self.people[uid].name == surname + given for uid in household.members):
            given = names.draw_given_name(rng, sex, birth.year, shared_character)
        id_no = self.office.issue_id(area or self.office.draw_area(), birth, sex)
        person = Person(len(self.people) + 1, surname + given, sex, birth, id_no, household_uid)
        self.people[person.uid] = person
        return person

    def new_household(self, rng: random.Random, door: Door) -> Household:
        """An empty household behind that door."""
        uid = len(self.households) + 1
        housing = rng.choices(("自有", "租赁", "公租房"), (70, 24, 6))[0]
        household = Household(uid, door, [], 0, housing)
        self.households[uid] = household
        return household

    def found_random_household(self, rng: random.Random, door: Door) -> Household:
        """A household of a random kind with all its people (their attributes: `circumstances`)."""
        household = self.new_household(rng, door)
        kind = rng.choices(
            ("single", "old_single", "couple", "old_couple", "family", "three_generations", "single_parent", "sharers", "skip"),
            (10, 8, 11, 10, 36, 15, 5, 3, 2),
        )[0]  # fmt: skip
        match kind:
            case "single":
                head = self.add_person(rng, household.uid, rng.uniform(20, 58))
                household.members = [head.uid]
            case "old_single":
                head = self.add_person(rng, household.uid, rng.uniform(62, 93), rng.choice("男女女"))
                household.members = [head.uid]
            case "couple":
                household.members = [p.uid for p in self._couple(rng, household.uid, rng.uniform(24, 58))]
            case "old_couple":
                household.members = [p.uid for p in self._couple(rng, household.uid, rng.uniform(60, 88))]
            case "sharers":
                count = rng.randint(2, 4)
                sharers = [self.add_person(rng, household.uid, rng.uniform(19, 45)) for _ in range(count)]
                for sharer in sharers[1:]:
                    sharer.is_lodger = True
                household.members = [p.uid for p in sharers]
                household.housing = "租赁"
            case "single_parent":
                parent = self.add_person(rng, household.uid, rng.uniform(27, 58))
                household.members = [parent.uid]
                self._add_children(rng, household, parent, None)
            case "skip":
                couple = self._couple(rng, household.uid, rng.uniform(58, 76))
                household.members = [p.uid for p in couple]
                self._add_left_behind_grandchild(rng, household, couple)
            case _:
                couple = self._couple(rng, household.uid, rng.uniform(26, 55))
                household.members = [p.uid for p in couple]
                self._add_children(rng, household, couple[0], couple[1])
                if kind == "three_generations":
                    self._add_parents(rng, household, rng.choice(couple))
        household.head = household.members[0]
        if rng.random() < self.shares.lodger:
            lodger = self.add_person(rng, household.uid, rng.uniform(20, 60))
            lodger.is_lodger = True
            household.members.append(lodger.uid)
        return household

    def _couple(self, rng: random.Random, household_uid: int, age: float) -> tuple[Person, Person]:
        head_sex = "男" if rng.random() < 0.78 else "女"
        area = self.office.draw_area()
        head = self.add_person(rng, household_uid, age, head_sex, area=area)
        partner_area = area if rng.random() < 0.5 else None
        partner_sex = "女" if head_sex == "男" else "男"
        partner_age = max(20.0, age + rng.gauss(-1.5 if head_sex == "男" else 1.5, 2.5))
        partner = self.add_person(rng, household_uid, partner_age, partner_sex, area=partner_area)
        head.spouse, partner.spouse = partner.uid, head.uid
        if rng.random() < self.shares.dotted_name:
            head.name, partner.name = names.draw_dotted_name(rng), names.draw_dotted_name(rng)
        return head, partner

    def _add_children(
        self, rng: random.Random, household: Household, parent: Person, other: Person | None
    ) -> None:
        mother_age = min(p.age(self.today) for p in (parent, other) if p is not None)
        count = rng.choices((1, 2, 3), (55, 38, 7))[0]
        father = next((p for p in (parent, other) if p is not None and p.sex == "男"), None)
        mother = next((p for p in (parent, other) if p is not None and p.sex == "女"), None)
        surname = names.split_name((father or parent).name)[0] or "阿"
        if mother is not None and father is not None and rng.random() < 0.05:
            surname = names.split_name(mother.name)[0] or surname
        shares_character = rng.random() < self.shares.sibling_shared_character
        shared: str | None = None
        oldest = max(0.3, min(mother_age - 21.5, 27))
        for _ in range(count):
            child = self.add_person(
                rng, household.uid, rng.uniform(0, oldest), None, surname, parent.id_no[:6], shared
            )
            self._adopt(household, child, father, mother)
            given = names.split_name(child.name)[1]
            if shares_character and len(given) == 2:
                shared = given[0]
            if rng.random() < self.shares.twin_births:
                self.add_twin(rng, household, child)

    def _adopt(
        self, household: Household, child: Person, father: Person | None, mother: Person | None
    ) -> None:
        child.father = father.uid if father else None
        child.mother = mother.uid if mother else None
        household.members.append(child.uid)

    def add_twin(self, rng: random.Random, household: Household, first: Person) -> Person:
        """A twin: same day, same parents, a shared character, an id a few numbers on."""
        surname, given = names.split_name(first.name)
        sex = first.sex if rng.random() < 0.7 else ("女" if first.sex == "男" else "男")
        name, taken = first.name, {self.people[uid].name for uid in household.members} | {first.name}
        while name in taken:
            name = surname + names.draw_given_name(rng, sex, first.birth.year, given[0])
        id_no = self.office.issue_twin_id(first.id_no, first.birth, sex)
        twin = Person(len(self.people) + 1, name, sex, first.birth, id_no, household.uid)
        twin.father, twin.mother = first.father, first.mother
        self.people[twin.uid] = twin
        household.members.append(twin.uid)
        return twin

    def _add_parents(self, rng: random.Random, household: Household, child: Person) -> None:
        age = child.age(self.today) + rng.uniform(22, 32)
        surname = names.split_name(child.name)[0] or None
        roles = rng.choices((("男", "女"), ("女",), ("男",)), (45, 40, 15))[0]
        parents: dict[str, Person] = {}
        for sex in roles:
            parents[sex] = self.add_person(
                rng,
                household.uid,
                age + rng.uniform(-2, 2),
                sex,
                surname if sex == "男" else None,
                child.id_no[:6],
            )
            household.members.append(parents[sex].uid)
        self._become_child(child, parents.get("男"), parents.get("女"))

    def _become_child(self, child: Person, father: Person | None, mother: Person | None) -> None:
        child.father = father.uid if father else child.father
        child.mother = mother.uid if mother else child.mother
        if father and mother:
            father.spouse, mother.spouse = mother.uid, father.uid

    def _add_left_behind_grandchild(
        self, rng: random.Random, household: Household, grandparents: tuple[Person, Person]
    ) -> None:
        """A child whose father works elsewhere: he stands in no list but makes them kin."""
        surname = names.split_name(grandparents[0].name)[0] or None
        age = rng.uniform(1, 17)
        father_age = min(max(age + 21, 24), grandparents[0].age(self.today) - 20)
        father = self.add_person(rng, household.uid, father_age, "男", surname)
        father.left_on = self.today - timedelta(days=400)
        self._become_child(
            father,
            next((p for p in grandparents if p.sex == "男"), None),
            next((p for p in grandparents if p.sex == "女"), None),
        )
        grandchild = self.add_person(rng, household.uid, age, None, surname, father.id_no[:6])
        self._adopt(household, grandchild, father, None)

    def _add_second_household_behind_door(self, rng: random.Random, first: Household) -> None:
        if rng.random() < 0.5 or self.people[first.head].age(self.today) < 45:
            tenants = self.found_random_household(rng, first.door)
            tenants.housing = "租赁"
        else:
            self._add_grown_up_child(rng, first, first.door)

    def _add_grown_up_child(self, rng: random.Random, first: Household, door: Door) -> None:
        head = self.people[first.head]
        if head.age(self.today) < 45:
            return
        household = self.new_household(rng, door)
        age = rng.uniform(22, max(22.5, head.age(self.today) - 22))
        surname = names.split_name(head.name)[0] or None
        child = self.add_person(rng, household.uid, age, "男", surname, head.id_no[:6])
        household.members, household.head = [child.uid], child.uid
        couple = [head, *([self.people[head.spouse]] if head.spouse else [])]
        father = next((p for p in couple if p.sex == "男"), None)
        mother = next((p for p in couple if p.sex == "女"), None)
        child.father, child.mother = father.uid if father else None, mother.uid if mother else None
        if rng.random() < 0.75:
            wife = self.add_person(rng, household.uid, max(20, age - 2), "女")
            wife.spouse, child.spouse = child.uid, wife.uid
            household.members.append(wife.uid)
            if rng.random() < 0.6 and age > 24:
                self._add_children(rng, household, child, wife)

    def _rename_to_namesakes(self, rng: random.Random) -> None:
        """Gives some people the name (or a name sounding like that) of a neighbour in the same building."""
        by_building: dict[tuple[str, str, str], list[Person]] = {}
        for household in self.households.values():
            door = household.door
            building = by_building.setdefault((door.community, door.compound.name, door.building), [])
            building.append(self.people[household.head])
        for neighbours in by_building.values():
            for person in neighbours[1:]:
                same_sex = [p for p in neighbours if p.sex == person.sex and p is not person]
                if not same_sex:
                    continue
                share = rng.random()
                if share < self.shares.namesake_in_building:
                    person.name = rng.choice(same_sex).name
                elif share < self.shares.namesake_in_building + self.shares.homophone_in_building:
                    person.name = names.homophone(rng, rng.choice(same_sex).name)
