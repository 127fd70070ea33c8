"""What the departments have on file: cards typed by clerks, and how they keep up with life.

Belongs here: the household register's listings, the family doctors' contracts, the disabled persons' cards and the grant
files, with their content faults and delays. Not here: how a file looks (`lists`) and where it is put (`deliveries`).
A card keeps its faults from month to month until it is typed again, as in life; that is what makes the lists disagree
for long, and harder than independent noise.
"""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.synthetic import dirt as faults
from tests.synthetic import identity, names
from tests.synthetic.dirt import Dirt
from tests.synthetic.places import Door
from tests.synthetic.population import Household, Person, World


@dataclass(slots=True)
class Card:
    """One person as a clerk typed them. `id_fault` names the content fault of the id, empty when it is right."""

    person_uid: int
    name: str
    id_text: str
    id_fault: str
    birth: date | None
    sex: str
    phone: str
    door: Door
    on: date
    stays_behind: bool = False  # listed in a household the person does not live in


@dataclass(slots=True)
class Listing:
    """A household in the household register under its number."""

    number: str
    household_uid: int
    door: Door
    cards: dict[int, Card] = field(default_factory=dict)
    is_stale: bool = False
    changed: bool = True


@dataclass(slots=True)
class Contract:
    """A family-doctor contract."""

    number: str
    card: Card
    signed: date
    due: date
    package: str


@dataclass(slots=True)
class DisabilityCard:
    """A disability card: its 20 or 22 character number is derived from the right id."""

    card: Card
    card_no: str
    issued: date
    hukou: str


class Clerk:
    """Types cards: every content fault of `Dirt` happens here."""

    def __init__(self, world: World, dirt: Dirt, rng: random.Random) -> None:
        self.world, self.dirt, self.rng = world, dirt, rng

    def type_card(self, person: Person, door: Door, on: date, *, is_spreadsheet: bool = False) -> Card:
        """A fresh card of the person as known on that day."""
        id_text, fault = self._type_id(person, on, is_spreadsheet)
        return Card(
            person.uid, self._type_name(person.name), id_text, fault, self._type_birth(person.birth), self._type_sex(person.sex),
            self._type_phone(person), door, on,
        )  # fmt: skip

    def _type_id(self, person: Person, on: date, is_spreadsheet: bool) -> tuple[str, str]:
        rng, dirt = self.rng, self.dirt
        if (on - person.birth).days < 60 and rng.random() < dirt.newborn_without_id:
            return rng.choice(faults.NULL_WORDS), "missing"
        fault = faults.pick(
            rng, ("missing", dirt.id_missing), ("one_digit", dirt.id_one_digit), ("swapped_digits", dirt.id_swapped_digits),
            ("of_relative", dirt.id_of_relative), ("masked", dirt.id_masked),
            ("15_digits", dirt.id_15_digits if person.birth.year < 1999 else 0.0),
            ("destroyed", dirt.id_destroyed_by_spreadsheet if is_spreadsheet and person.id_no[17] != "X" else 0.0),
        )  # fmt: skip
        match fault:
            case "missing":
                return rng.choice(faults.NULL_WORDS), fault
            case "one_digit":
                return faults.mistype_digit(rng, person.id_no), fault
            case "swapped_digits":
                return faults.swap_digits(rng, person.id_no), fault
            case "of_relative":
                household = self.world.households[person.household_uid]
                relatives = [uid for uid in household.members if uid != person.uid]
                if not relatives:
                    return person.id_no, ""
                # The head's id is the one at hand.
                of_head = household.head in relatives and rng.random() < 0.6
                return self.world.people[household.head if of_head else rng.choice(relatives)].id_no, fault
            case "masked":
                return faults.mask_id(rng, person.id_no), fault
            case "15_digits":
                return faults.old_id(person.id_no), fault
            case "destroyed":
                return person.id_no, fault
            case _:
                return person.id_no, ""

    def _type_name(self, name: str) -> str:
        fault = faults.pick(
            self.rng, ("sound", self.dirt.name_homophone), ("look", self.dirt.name_look_alike)
        )
        if fault is None or "·" in name:
            return name
        return names.homophone(self.rng, name) if fault == "sound" else names.look_alike(self.rng, name)

    def _type_birth(self, birth: date) -> date | None:
        dirt = self.dirt
        fault = faults.pick(
            self.rng,
            ("missing", dirt.birth_missing),
            ("lunar", dirt.birth_lunar),
            ("digit", dirt.birth_one_digit),
        )
        return None if fault == "missing" else faults.shift_birth(self.rng, birth, fault)

    def _type_sex(self, sex: str) -> str:
        if self.rng.random() < self.dirt.sex_wrong:
            return "女" if sex == "男" else "男"
        return sex

    def _type_phone(self, person: Person) -> str:
        rng, dirt = self.rng, self.dirt
        fault = faults.pick(
            rng, ("missing", dirt.phone_missing), ("filler", dirt.phone_filler), ("officer", dirt.phone_of_officer),
            ("digit", dirt.phone_one_digit),
        )  # fmt: skip
        match fault:
            case "missing":
                return ""
            case "filler":
                return rng.choice(identity.FILLER_PHONES[:1] * 4 + identity.FILLER_PHONES)
            case "officer":
                # A grid officer writes down an own number: the same one for all households of the community.
                community = self.world.households[person.household_uid].door.community
                return f"1640000{1000 + self.world.place.communities.index(community):04d}"
            case "digit" if person.phone:
                return faults.mistype_digit(rng, person.phone)
            case _:
                return person.phone

    def keep_up(
        self, card: Card, person: Person, door: Door, month: date, *, is_spreadsheet: bool = False
    ) -> Card:
        """The card a month later: typed again, confirmed with a new date, or left as it was."""
        share = self.rng.random()
        if share < self.dirt.card_typed_again:
            return self.type_card(person, door, self.recent_day(month), is_spreadsheet=is_spreadsheet)
        if share < self.dirt.card_typed_again + self.dirt.card_confirmed:
            card.on = self.recent_day(month)
        return card

    def recent_day(self, month: date, not_before: date | None = None) -> date:
        """A day of the month before, not before a given day."""
        latest = month - timedelta(days=1)
        earliest = max(latest.replace(day=1), not_before or date.min)
        return earliest + timedelta(days=self.rng.randrange(max(1, (month - earliest).days)))


class HouseholdRegister:
    """The communities' household register: listings by number."""

    def __init__(self, world: World, dirt: Dirt) -> None:
        self.world, self.dirt = world, dirt
        self.listings: dict[str, Listing] = {}
        self.number_of: dict[int, str] = {}
        self.second_number_of: dict[int, str] = {}
        self._serial = 0
        self._is_first = True

    def update(self, month: date) -> None:
        """Brings the register up to the first of the month, as far as the officers get."""
        rng = random.Random(f"{self.world.seed}/register/{month:%Y%m}")
        clerk = Clerk(self.world, self.dirt, rng)
        for listing in list(self.listings.values()):
            listing.changed = False
            self._forget(rng, listing)
        arrivals: list[Person] = []
        for household in self.world.current_households():
            arrivals.extend(self._update_household(clerk, household, month))
        for person in arrivals:
            self._list_again_with_parents(clerk, person, month)
        self._is_first = False

    def _forget(self, rng: random.Random, listing: Listing) -> None:
        if listing.is_stale and rng.random() > self.dirt.old_row_stays:
            del self.listings[listing.number]
            return
        for uid, card in list(listing.cards.items()):
            person = self.world.people[uid]
            lives_here = person.is_present and person.household_uid == listing.household_uid
            if not lives_here and not card.stays_behind and rng.random() > self.dirt.old_row_stays:
                del listing.cards[uid]
                listing.changed = True
        if not listing.cards:
            del self.listings[listing.number]

    def _update_household(self, clerk: Clerk, household: Household, month: date) -> list[Person]:
        rng, dirt = clerk.rng, self.dirt
        number = self.number_of.get(household.uid)
        if number is None:
            if not self._is_first and rng.random() < dirt.late_registration:
                return []
            number = self.number_of[household.uid] = self._next_number(household.door)
        if household.is_unlisted:
            return []
        listing = self.listings.get(number)
        if listing is None:
            listing = self.listings[number] = Listing(number, household.uid, household.door)
            if rng.random() < dirt.registered_twice:
                self._register_twice(clerk, household, number, month)
        elif listing.door != household.door and rng.random() > dirt.late_registration:
            listing = self._follow_move(rng, listing, household)
        self._keep_second_listing(clerk, household, month)
        arrivals = []
        for person in self.world.members(household):
            card = listing.cards.get(person.uid)
            if card is None:
                # A listing that was given up when the family left may not have been typed anew for all.
                if person.is_unlisted or (not self._is_first and rng.random() < dirt.late_registration):
                    continue
                on = self._day_of_registration(clerk, person, month)
                listing.cards[person.uid] = clerk.type_card(person, listing.door, on)
                listing.changed = True
                arrivals.append(person)
            else:
                card.stays_behind = False
                kept = clerk.keep_up(card, person, listing.door, month)
                listing.changed |= kept is not card or kept.on >= (month - timedelta(days=31))
                listing.cards[person.uid] = kept
        return arrivals

    def _follow_move(self, rng: random.Random, listing: Listing, household: Household) -> Listing:
        crosses = listing.door.community != household.door.community
        moved = Listing(listing.number, household.uid, household.door)
        if crosses or rng.random() < self.dirt.renumbered_on_move:
            moved.number = self.number_of[household.uid] = self._next_number(household.door)
            if rng.random() < self.dirt.old_row_stays:
                listing.is_stale = True
            else:
                del self.listings[listing.number]
        else:
            moved.cards = listing.cards
        self.listings[moved.number] = moved
        return moved

    def _keep_second_listing(self, clerk: Clerk, household: Household, month: date) -> None:
        second = self.listings.get(self.second_number_of.get(household.uid, ""))
        if second is None:
            return
        second.is_stale |= second.door != household.door
        for uid, card in second.cards.items():
            if uid in household.members and not second.is_stale:
                second.cards[uid] = clerk.keep_up(card, self.world.people[uid], second.door, month)

    def _register_twice(self, clerk: Clerk, household: Household, number: str, month: date) -> None:
        """The same family again under a second number, usually with all its members."""
        suffixed = clerk.rng.random() < self.dirt.second_number_is_suffix
        second = Listing(
            f"{number}B" if suffixed else self._next_number(household.door), household.uid, household.door
        )
        for person in self.world.members(household):
            if not person.is_unlisted and (person.uid == household.head or clerk.rng.random() < 0.85):
                on = self._day_of_registration(clerk, person, month)
                second.cards[person.uid] = clerk.type_card(person, household.door, on)
        if second.cards:
            self.listings[second.number] = second
            self.second_number_of[household.uid] = second.number

    def _list_again_with_parents(self, clerk: Clerk, person: Person, month: date) -> None:
        """A grown-up child with an own household still stands in the parents' listing, with an old date."""
        for parent_uid in (person.father, person.mother):
            parent = self.world.people.get(parent_uid or 0)
            if parent is None or not parent.is_present or parent.household_uid == person.household_uid:
                continue
            listing = self.listings.get(self.number_of.get(parent.household_uid, ""))
            if listing is None or person.uid in listing.cards:
                return
            if clerk.rng.random() > self.dirt.listed_in_two_households:
                return
            old_day = month - timedelta(days=clerk.rng.randint(150, 700))
            card = clerk.type_card(person, listing.door, old_day)
            card.stays_behind = True
            listing.cards[person.uid] = card
            return

    def _day_of_registration(self, clerk: Clerk, person: Person, month: date) -> date:
        if self._is_first:
            return max(person.birth, month - timedelta(days=clerk.rng.randint(1, 110)))
        return clerk.recent_day(month, max(person.birth, person.moved_on or date.min))

    def _next_number(self, door: Door) -> str:
        self._serial += 1
        return f"WJ{self.world.place.communities.index(door.community) + 1:02d}{self._serial:06d}"


class FamilyDoctors:
    """The health centre's contracts."""

    def __init__(self, world: World, dirt: Dirt) -> None:
        self.world, self.dirt = world, dirt
        self.contracts: list[Contract] = []
        self._serial = 0
        self._signed: set[int] = set()

    def update(self, month: date) -> None:
        """New contracts, renewals, lapses, and what the centre learns of moves."""
        rng = random.Random(f"{self.world.seed}/doctor/{month:%Y%m}")
        clerk = Clerk(self.world, self.dirt, rng)
        is_first = not self.contracts
        kept = []
        for contract in self.contracts:
            if self._keep(clerk, contract, month):
                kept.append(contract)
        self.contracts = kept
        for person in self.world.people.values():
            if person.has_family_doctor and person.is_present and person.uid not in self._signed:
                self._signed.add(person.uid)
                self._sign(clerk, person, month, is_first)
                if rng.random() < self.dirt.contract_twice:
                    self._sign(clerk, person, month, is_first)

    def _sign(self, clerk: Clerk, person: Person, month: date, is_first: bool) -> None:
        self._serial += 1
        if is_first:
            signed = max(person.birth, month - timedelta(days=clerk.rng.randint(1, 330)))
        else:
            signed = clerk.recent_day(month, max(person.birth, person.moved_on or date.min))
        door = self.world.households[person.household_uid].door
        package = "老年人包" if person.age(month) >= 65 else "慢病包" if person.conditions else "基础包"
        card = clerk.type_card(person, door, signed)
        self.contracts.append(Contract(f"QY{self._serial:07d}", card, signed, _a_year_later(signed), package))

    def _keep(self, clerk: Clerk, contract: Contract, month: date) -> bool:
        person = self.world.people[contract.card.person_uid]
        if not person.is_present:
            return clerk.rng.random() < 0.5
        door = self.world.households[person.household_uid].door
        if contract.due < month:
            if clerk.rng.random() < 0.15:
                return False
            contract.signed = clerk.recent_day(month)
            contract.due = _a_year_later(contract.signed)
            contract.card = clerk.type_card(person, door, contract.signed)
        elif contract.card.door != door:
            if clerk.rng.random() < self.dirt.doctor_learns_of_move:
                contract.card = clerk.type_card(person, door, contract.signed)
        elif clerk.rng.random() < self.dirt.card_typed_again:
            contract.card = clerk.type_card(person, door, contract.signed)
        return True


class DisabledPersons:
    """The disabled persons' federation's card holders."""

    def __init__(self, world: World, dirt: Dirt) -> None:
        self.world, self.dirt = world, dirt
        self.holders: dict[int, DisabilityCard] = {}

    def update(self, month: date) -> None:
        """New holders; the dead and gone stay on the list for some months."""
        rng = random.Random(f"{self.world.seed}/disabled/{month:%Y%m}")
        clerk = Clerk(self.world, self.dirt, rng)
        for uid, holder in list(self.holders.items()):
            person = self.world.people[uid]
            if not person.is_present:
                if rng.random() < 0.4:
                    del self.holders[uid]
                continue
            door = self.world.households[person.household_uid].door
            if door != holder.card.door and rng.random() > self.dirt.doctor_learns_of_move:
                continue
            holder.card = clerk.keep_up(holder.card, person, door, month)
            holder.card.door = door
        for person in self.world.people.values():
            if person.disability is None or not person.is_present or person.uid in self.holders:
                continue
            category, level = person.disability
            issued = max(person.birth + timedelta(days=200), month - timedelta(days=rng.randint(20, 2600)))
            number = person.id_no + category + level + ("B1" if rng.random() < 0.25 else "")
            door = self.world.households[person.household_uid].door
            hukou = rng.choices(("居民户", "非农业", "农业"), (6, 3, 2))[0]
            card = clerk.type_card(person, door, clerk.recent_day(month))
            self.holders[person.uid] = DisabilityCard(card, number, min(issued, month), hukou)


class GrantFiles:
    """The social affairs office's low-income files: cards by certificate and person."""

    def __init__(self, world: World, dirt: Dirt) -> None:
        self.world, self.dirt = world, dirt
        self.blocks: dict[str, tuple[Household, list[Card]]] = {}

    def update(self, month: date) -> None:
        """The blocks of all running grants, in the order of their certificates."""
        rng = random.Random(f"{self.world.seed}/low_income/{month:%Y%m}")
        clerk = Clerk(self.world, self.dirt, rng)
        blocks: dict[str, tuple[Household, list[Card]]] = {}
        for household in self.world.households.values():
            grant = household.grant
            if grant is None:
                continue
            known = {
                card.person_uid: card for card in self.blocks.get(grant.certificate_no, (household, []))[1]
            }
            old_door = next(iter(known.values())).door if known else household.door
            learns = old_door == household.door or rng.random() < 0.6
            door = household.door if learns else old_door
            cards = []
            for uid in grant.member_uids:
                person, card = self.world.people[uid], known.get(uid)
                if not person.is_present and (card is None or rng.random() < 0.7):
                    continue
                if card is None:
                    card = clerk.type_card(person, door, clerk.recent_day(month), is_spreadsheet=True)
                else:
                    card = clerk.keep_up(card, person, door, month, is_spreadsheet=True)
                card.door = door
                cards.append(card)
            if cards:
                blocks[grant.certificate_no] = (household, cards)
        self.blocks = dict(sorted(blocks.items()))


def _a_year_later(day: date) -> date:
    return date(day.year + 1, day.month, min(day.day, 28) if day.month == 2 else day.day)
