"""One month of life in the world: births, deaths, moves, marriages, separations, new telephone numbers, grants.

Belongs here: what changes in truth. Not here: when departments learn of it (`cards`).
Rates are per month; they are about twice life's, so that three rounds show every kind of change.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tests.synthetic import names
from tests.synthetic.circumstances import grant_low_income, settle, settle_person
from tests.synthetic.places import Door
from tests.synthetic.population import Event, Household, Person, World


@dataclass(frozen=True)
class MonthlyRates:
    """Probability in a month, per person or household who can have the event."""

    birth: float = 0.009  # per woman of 22 to 40 with a husband in the household
    household_moves_within: float = 0.008
    household_moves_out: float = 0.004
    household_moves_in: float = 0.005  # per household of the world
    grown_child_leaves: float = 0.02
    parent_joins_child: float = 0.06  # per old single with a child in another household
    marriage: float = 0.012  # per unmarried man of 22 to 42
    separation: float = 0.0006  # per couple
    phone_change: float = 0.012
    new_grant: float = 0.001
    grant_ends: float = 0.025
    new_doctor_contract: float = 0.004
    new_disability: float = 0.0004


def live_one_month(world: World, month: date, rates: MonthlyRates | None = None) -> None:
    """Lets everything of the month before `month` happen and sets the world's day to `month`."""
    rates = rates or MonthlyRates()
    rng = random.Random(f"{world.seed}/events/{month:%Y%m}")
    first = (month - timedelta(days=1)).replace(day=1)
    days = (month - first).days

    def some_day() -> date:
        return first + timedelta(days=rng.randrange(days))

    life = _Month(world, rng, rates, some_day)
    for household in list(world.current_households()):
        life.deaths(household)
        life.births(household)
    for household in list(world.current_households()):
        life.moves(household)
    life.marriages()
    life.arrivals()
    for person in list(world.people.values()):
        if person.is_present:
            life.personal_changes(person)
    for household in world.current_households():
        life.grants(household)
    world.today = month


class _Month:
    def __init__(
        self, world: World, rng: random.Random, rates: MonthlyRates, some_day: Callable[[], date]
    ) -> None:
        self.world, self.rng, self.rates, self.some_day = world, rng, rates, some_day
        self._children_of: dict[int, list[Person]] = {}
        for person in world.people.values():
            for parent in (person.father, person.mother):
                if parent is not None:
                    self._children_of.setdefault(parent, []).append(person)

    def deaths(self, household: Household) -> None:
        for person in self.world.members(household):
            age = person.age(self.world.today)
            share = 0.008 if age > 85 else 0.003 if age > 72 else 0.0012 if age > 60 else 0.00008
            if self.rng.random() < share:
                person.died_on = self.some_day()
                if person.spouse:
                    self.world.people[person.spouse].spouse = None
                self._note(person.died_on, "death", person.uid)
                self._take_out(household, person)

    def births(self, household: Household) -> None:
        for mother in self.world.members(household):
            if mother.sex == "男" or not 22 <= mother.age(self.world.today) <= 40 or mother.spouse is None:
                continue
            father = self.world.people[mother.spouse]
            if father.household_uid != household.uid or self.rng.random() >= self.rates.birth:
                continue
            surname = names.split_name(father.name)[0] or "阿"
            baby = self.world.add_person(self.rng, household.uid, 0, None, surname, father.id_no[:6])
            baby.birth = self.some_day()
            baby.id_no = self.world.office.issue_id(father.id_no[:6], baby.birth, baby.sex)
            baby.father, baby.mother, baby.phone = father.uid, mother.uid, mother.phone
            baby.occupation, baby.health = "学龄前儿童", "健康"
            household.members.append(baby.uid)
            self._note(baby.birth, "birth", baby.uid)
            if self.rng.random() < self.world.shares.twin_births:
                twin = self.world.add_twin(self.rng, household, baby)
                twin.phone, twin.occupation, twin.health = mother.phone, baby.occupation, baby.health
                self._note(baby.birth, "birth", twin.uid)

    def moves(self, household: Household) -> None:
        share = self.rng.random()
        if share < self.rates.household_moves_within:
            on = self.some_day()
            elsewhere = None if self.rng.random() < 0.5 else household.door.community
            self._move_household(household, self.world.place.take_door(self.rng, elsewhere), on)
            return
        if share < self.rates.household_moves_within + self.rates.household_moves_out:
            on = self.some_day()
            for person in self.world.members(household):
                person.left_on = on
            household.members = []
            self._note(on, "household_left", household.uid)
            return
        for person in self.world.members(household):
            self._perhaps_leave(household, person)

    def _perhaps_leave(self, household: Household, person: Person) -> None:
        world, age = self.world, person.age(self.world.today)
        parents = {person.father, person.mother}
        with_parents = any(uid in household.members for uid in parents if uid)
        if 20 <= age <= 38 and person.spouse is None and (with_parents or person.is_lodger):
            if person.uid != household.head and self.rng.random() < self.rates.grown_child_leaves:
                new = world.new_household(self.rng, world.place.take_door(self.rng))
                new.housing = "租赁"
                self.move_person(person, new, "person_left_home")
        elif age > 66 and len(household.members) == 1:
            children = [
                child
                for child in self._children_of.get(person.uid, ())
                if child.is_present and child.household_uid != household.uid
            ]
            if children and self.rng.random() < self.rates.parent_joins_child:
                self.move_person(person, world.households[children[0].household_uid], "parent_joined_child")
        elif (
            person.spouse in household.members
            and person.uid != household.head
            and self.rng.random() < self.rates.separation
        ):
            world.people[person.spouse].spouse, person.spouse = None, None
            self.move_person(
                person, world.new_household(self.rng, world.place.take_door(self.rng)), "separation"
            )

    def marriages(self) -> None:
        world = self.world
        single = [
            p
            for p in world.people.values()
            if p.is_present and p.spouse is None and 22 <= p.age(world.today) <= 42
        ]
        women = [p for p in single if p.sex == "女"]
        for man in (p for p in single if p.sex == "男"):
            if self.rng.random() >= self.rates.marriage:
                continue
            home = world.households[man.household_uid]
            if women and self.rng.random() < 0.5:
                woman = self.rng.choice(women)
                if woman.spouse is not None or woman.household_uid == home.uid or _are_kin(man, woman):
                    continue
                women.remove(woman)
            else:
                woman = world.add_person(self.rng, home.uid, man.age(world.today) - 1, "女")
                settle_person(world, self.rng, woman)
                woman.phone = world.office.issue_phone()
                woman.household_uid = 0
            man.spouse, woman.spouse = woman.uid, man.uid
            if self.rng.random() < 0.5 and man.uid != home.head:
                home = world.new_household(self.rng, world.place.take_door(self.rng))
                self.move_person(man, home, "married_out")
            self.move_person(woman, home, "married_in")

    def arrivals(self) -> None:
        for _ in range(len(self.world.current_households())):
            if self.rng.random() < self.rates.household_moves_in:
                household = self.world.found_random_household(self.rng, self.world.place.take_door(self.rng))
                settle(self.world, self.rng, household)
                household.moved_on = self.some_day()
                for person in self.world.members(household):
                    person.moved_on = household.moved_on
                self._note(household.moved_on, "household_arrived", household.uid)

    def personal_changes(self, person: Person) -> None:
        world = self.world
        if person.phone and self.rng.random() < self.rates.phone_change:
            person.phone = world.office.issue_phone()
            self._note(self.some_day(), "phone_changed", person.uid)
        if not person.has_family_doctor and self.rng.random() < self.rates.new_doctor_contract:
            person.has_family_doctor = True
            self._note(self.some_day(), "doctor_contract", person.uid)
        if person.disability is None and self.rng.random() < self.rates.new_disability * (
            3 if person.age(world.today) > 60 else 1
        ):
            person.disability = (self.rng.choices("12345", (1, 1, 1, 5, 1))[0], self.rng.choice("1234"))
            self._note(self.some_day(), "disability", person.uid)

    def grants(self, household: Household) -> None:
        if household.grant is None:
            if self.rng.random() < self.rates.new_grant:
                grant_low_income(self.world, self.rng, household)
                self._note(self.some_day(), "grant_began", household.uid)
            return
        covered = [uid for uid in household.grant.member_uids if uid in household.members]
        household.grant.member_uids = covered
        if not covered or self.rng.random() < self.rates.grant_ends:
            household.grant = None
            self._note(self.some_day(), "grant_ended", household.uid)

    def move_person(self, person: Person, household: Household, kind: str) -> None:
        """Takes the person out of the old household, if there is one, and into the new one."""
        old = self.world.households.get(person.household_uid)
        if old is not None and person.uid in old.members:
            self._take_out(old, person)
        household.members.append(person.uid)
        if household.head == 0:
            household.head = person.uid
        person.household_uid, person.is_lodger = household.uid, False
        person.moved_on = self.some_day()
        self._note(person.moved_on, kind, person.uid)

    def _move_household(self, household: Household, door: Door, on: date) -> None:
        household.previous_door, household.door, household.moved_on = household.door, door, on
        for person in self.world.members(household):
            person.moved_on = on
        self._note(on, "household_moved", household.uid)

    def _take_out(self, household: Household, person: Person) -> None:
        household.members.remove(person.uid)
        if not household.members or household.head != person.uid:
            return
        rest = self.world.members(household)
        adults = [p for p in rest if p.age(self.world.today) >= 18] or rest
        spouse = [p for p in adults if p.spouse == person.uid]
        relatives = [p for p in adults if not p.is_lodger] or adults
        household.head = (spouse or sorted(relatives, key=lambda p: (p.birth, p.uid)))[0].uid

    def _note(self, on: date, kind: str, subject: int) -> None:
        self.world.events.append(Event(on, kind, subject))


def _are_kin(one: Person, other: Person) -> bool:
    parents = {one.father, one.mother} - {None}
    return bool(parents & {other.father, other.mother})
