"""What people have and are: telephones, work, health, disability, a family doctor, low-income grants.

Belongs here: attributes drawn by age and household. Not here: who exists and lives where (`population`).
"""

import random
from datetime import timedelta

from tests.synthetic.population import DISABILITY_CATEGORIES, Grant, Household, Person, World

_CATEGORY_WEIGHTS = (12, 14, 3, 50, 8, 10, 3)
_LEVEL_WEIGHTS = (12, 20, 30, 38)
HARDSHIP_REASONS = ("因病", "因残", "缺乏劳动力", "失业", "因学", "其他")


def settle(world: World, rng: random.Random, household: Household) -> None:
    """Gives the household's people phones, work, health, contracts, and the household perhaps a grant."""
    household.is_unlisted = rng.random() < world.shares.unlisted_household
    for person in world.members(household):
        settle_person(world, rng, person)
    _give_phones(world, rng, household)
    members = world.members(household)
    weight = (
        2.2
        if any(p.disability for p in members)
        else 1.6
        if all(p.age(world.today) > 62 for p in members)
        else 0.8
    )
    if rng.random() < world.shares.low_income * weight:
        grant_low_income(world, rng, household)


def settle_person(world: World, rng: random.Random, person: Person) -> None:
    """Work, health, disability and family doctor by age."""
    age = person.age(world.today)
    retirement = 60 if person.sex == "男" else 52
    if age < 6:
        person.occupation = "学龄前儿童"
    elif age < 22:
        person.occupation = "学生"
    elif age >= retirement:
        person.occupation = "退休"
    else:
        person.occupation = rng.choices(
            ("职员", "工人", "个体", "无业", "自由职业", "教师"), (40, 22, 14, 12, 8, 4)
        )[0]
    factor = 0.4 if age < 30 else 0.95 if age < 60 else 2.4
    if rng.random() < world.shares.disabled * factor:
        category = rng.choices(tuple(DISABILITY_CATEGORIES), _CATEGORY_WEIGHTS)[0]
        person.disability = (category, rng.choices("1234", _LEVEL_WEIGHTS)[0])
    chronic_share = 0.02 if age < 40 else 0.15 if age < 60 else 0.42
    person.conditions = tuple(tag for tag in ("高血压", "糖尿病") if rng.random() < chronic_share)
    person.health = (
        "残疾"
        if person.disability
        else "慢性病"
        if person.conditions
        else rng.choice(("健康", "健康", "一般"))
    )
    factor = 1.5 if age >= 65 or person.disability else 1.4 if age < 7 else 0.78
    person.has_family_doctor = rng.random() < world.shares.family_doctor * factor
    person.is_unlisted = rng.random() < world.shares.unlisted_person


def _give_phones(world: World, rng: random.Random, household: Household) -> None:
    family_phone = world.office.issue_phone() if rng.random() < world.shares.family_phone else None
    adult_phones: list[str] = []
    for person in world.members(household):
        age = person.age(world.today)
        if family_phone and not person.is_lodger:
            person.phone = family_phone
        elif age >= 16 and rng.random() < (0.95 if age < 70 else 0.72):
            person.phone = (
                world.office.issue_landline()
                if age > 65 and rng.random() < 0.06
                else world.office.issue_phone()
            )
            adult_phones.append(person.phone)
        elif adult_phones and rng.random() < 0.8:
            person.phone = rng.choice(adult_phones[:2])


def grant_low_income(world: World, rng: random.Random, household: Household) -> None:
    """A grant for all of the household's relatives, or for one person alone (单人保)."""
    relatives = [uid for uid in household.members if not world.people[uid].is_lodger]
    frail = [uid for uid in relatives if world.people[uid].disability]
    if len(relatives) > 1 and frail and rng.random() < 0.35:
        relatives = frail[:1]
    household.grant = Grant(
        certificate_no=f"D3301020{rng.randrange(10**7):07d}",
        member_uids=relatives,
        category="城市低保" if rng.random() < 0.8 else "农村低保",
        reason=rng.choice(HARDSHIP_REASONS),
        income_per_head=rng.randint(150, 980),
        amount=rng.randint(300, 1500) * len(relatives),
        since=world.today - timedelta(days=rng.randint(40, 3600)),
    )
