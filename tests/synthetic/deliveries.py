"""Writes monthly rounds of the five core lists into landing folders, with the truth of every row.

Belongs here: folders, file names, encodings, workbook layout, the truth files. Not here: cells (`lists`).

    <out>/2026-08/<department>/<list>/<file>     one landing folder a month
    <out>/truth_rows.csv                         as in the samples: source,file,sheet,row,person_uid,household_uid,household_uid_then
    <out>/truth/2026-08/rows.csv                 the same, as known at the end of that month, rows of all months so far
    <out>/truth/2026-08/persons.csv, households.csv    what is true on the first of that month (for inspectors)

`household_uid` is a person's living household at the time the truth file speaks of, on every row, also of earlier months
(deliveries.md: "the person's living household now"); `household_uid_then` is the one of the row's own month. A visit has
no person and the visited household.
"""

import csv
import io
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.synthetic.cards import DisabledPersons, FamilyDoctors, GrantFiles, HouseholdRegister
from tests.synthetic.dirt import Dirt
from tests.synthetic.kinship import relation_to_head
from tests.synthetic.lists import Cell, ListWriter, Table
from tests.synthetic.places import ADDRESS_STYLES, SUBDISTRICT, write_address
from tests.synthetic.population import Shares, World
from tests.synthetic.workbooks import workbook_bytes

FOLDERS = {
    "low_income": ("civil_affairs", "low_income"),
    "disabled": ("civil_affairs", "disabled"),
    "family_doctor": ("health", "family_doctor"),
    "household_register": ("community", "household_register"),
    "visit": ("community", "visit"),
    "problem": ("community", "problem"),
    "need": ("community", "need"),
    "resource": ("community", "resource"),
    "satisfaction": ("community", "satisfaction"),
}
TRUTH_HEADER = ("source", "file", "sheet", "row", "person_uid", "household_uid", "household_uid_then")


PERSON_HEADER = (
    "person_uid", "name", "sex", "birth_date", "id_no", "phone", "household_uid", "relation", "is_present", "is_low_income",
    "disability_category", "disability_level", "has_family_doctor",
)  # fmt: skip
# `addresses`: every right spelling of the door, separated by tabs.
HOUSEHOLD_HEADER = (
    "household_uid", "head_uid", "community", "grid", "address_key", "is_low_income", "member_uids", "addresses",
)  # fmt: skip


@dataclass(frozen=True)
class TrueRow:
    """One delivered data row: `row` is the line of the file as a person counts it, the header included."""

    source: str
    file: str
    sheet: str
    row: int
    person_uid: int | None
    household_uid_then: int


class Rounds:
    """A world, its departments, and the rounds they have delivered so far."""

    def __init__(
        self,
        world: World,
        dirt: Dirt,
        out: Path,
        *,
        visit_coverage: float = 0.67,
        register_only_changed: bool = False,
        header_variants: bool = True,
    ) -> None:
        self.world, self.dirt, self.out = world, dirt, out
        self.visit_coverage, self.register_only_changed = visit_coverage, register_only_changed
        self.header_variants = header_variants
        self.register = HouseholdRegister(world, dirt)
        self.doctors = FamilyDoctors(world, dirt)
        self.federation = DisabledPersons(world, dirt)
        self.grants = GrantFiles(world, dirt)
        self.true_rows: list[TrueRow] = []
        self.months: list[date] = []

    def deliver(self, month: date) -> Path:
        """Writes the round of `month` (a first of the month, not before the world's day) and returns its landing folder."""
        if month > self.world.today:
            self.world.advance(month)
        for department in (self.register, self.doctors, self.federation, self.grants):
            department.update(month)
        landing = self.out / f"{month:%Y-%m}"
        variant = len(self.months) if self.header_variants else 0
        writer = ListWriter(self.world, self.dirt, month, variant)
        only_changed = self.register_only_changed and bool(self.months)
        stamp = f"{month:%Y%m}"
        self._csv(
            landing,
            "household_register",
            f"家庭信息登记表{stamp}.csv",
            writer.household_register(self.register, only_changed),
            "utf-8",
        )
        self._csv(
            landing,
            "visit",
            f"走访记录{stamp}.csv",
            writer.visits(self.register, self.visit_coverage),
            "utf-8",
        )
        self._csv(
            landing,
            "family_doctor",
            f"家庭医生签约名单{stamp}.csv",
            writer.family_doctor(self.doctors),
            "utf-8-sig",
        )
        self._csv(
            landing, "disabled", f"持证残疾人名册_{stamp}.csv", writer.disabled(self.federation), "gb18030"
        )
        self._low_income(
            landing, f"{SUBDISTRICT}低保对象花名册{stamp}.xlsx", writer.low_income(self.grants), month
        )
        self._deliver_more(landing, month)
        self.months.append(month)
        self._write_truth(month)
        return landing

    def _deliver_more(self, landing: Path, month: date) -> None:
        """What else comes in the round; nothing here (`every_list.EveryListRounds`)."""

    def _csv(self, landing: Path, list_code: str, file_name: str, table: Table, encoding: str) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([table.header, *table.rows])
        self._put(landing, list_code, file_name, text.getvalue().encode(encoding))
        self._note_truth(list_code, file_name, table, first_row=2)

    def _low_income(self, landing: Path, file_name: str, table: Table, month: date) -> None:
        title = f"{SUBDISTRICT}最低生活保障对象花名册（{month.year}年{month.month}月）"
        unit, day = ("填报单位", "填报日期") if month.month % 2 else ("填表单位", "填表日期")
        notes: list[Cell] = [
            f"{unit}：{SUBDISTRICT}社会事务科",
            *[None] * 4,
            f"{day}：{month.year}.{month.month}.5",
        ]
        households = sum(row[0] is not None for row in table.rows)
        footer: list[Cell] = ["合计", None, f"{households}户", None, f"{len(table.rows)}人"]
        content = workbook_bytes([title], [notes], list(table.header), table.rows, [footer], written_on=month)
        self._put(landing, "low_income", file_name, content)
        self._note_truth("low_income", file_name, table, first_row=4)

    def _put(self, landing: Path, list_code: str, file_name: str, content: bytes) -> None:
        folder = landing.joinpath(*FOLDERS[list_code])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name).write_bytes(content)

    def _note_truth(self, list_code: str, file_name: str, table: Table, first_row: int) -> None:
        self.true_rows.extend(
            TrueRow(list_code, file_name, "", line, person_uid, household_uid)
            for line, (person_uid, household_uid) in enumerate(table.about, start=first_row)
        )

    # -- truth ------------------------------------------------------------------------------------------------

    def _write_truth(self, month: date) -> None:
        people = self.world.people
        rows = [
            (
                row.source, row.file, row.sheet, row.row, row.person_uid or "",
                people[row.person_uid].household_uid if row.person_uid else row.household_uid_then, row.household_uid_then,
            )
            for row in self.true_rows
        ]  # fmt: skip
        folder = self.out / "truth" / f"{month:%Y-%m}"
        _write_csv(folder / "rows.csv", TRUTH_HEADER, rows)
        shutil.copyfile(folder / "rows.csv", self.out / "truth_rows.csv")
        self._write_persons(folder / "persons.csv")
        self._write_households(folder / "households.csv")

    def _write_persons(self, path: Path) -> None:
        people, households = self.world.people, self.world.households
        lines = []
        for person in people.values():
            household = households[person.household_uid]
            category, level = person.disability or ("", "")
            covered = household.grant is not None and person.uid in household.grant.member_uids
            lines.append(
                (
                    person.uid, person.name, person.sex, person.birth, person.id_no, person.phone, person.household_uid,
                    relation_to_head(people, person, people[household.head]), int(person.is_present), int(covered), category, level,
                    int(person.has_family_doctor),
                )
            )  # fmt: skip
        _write_csv(path, PERSON_HEADER, lines)

    def _write_households(self, path: Path) -> None:
        lines = []
        for household in self.world.households.values():
            door = household.door
            spellings = dict.fromkeys(write_address(door, style) for style, _ in ADDRESS_STYLES)
            lines.append(
                (
                    household.uid, household.head, door.community, door.grid, door.key, int(household.grant is not None),
                    " ".join(map(str, household.members)), "\t".join(spellings),
                )
            )  # fmt: skip
        _write_csv(path, HOUSEHOLD_HEADER, lines)


def generate(
    out: Path,
    *,
    seed: int,
    households: int = 3000,
    months: int = 3,
    first_month: date = date(2026, 8, 1),
    dirt: Dirt | None = None,
    shares: Shares | None = None,
) -> Rounds:
    """A whole sub-district: that many monthly rounds under `out`. Same arguments, same bytes."""
    world = World.create(seed, households, first_month, shares)
    rounds = Rounds(world, dirt or Dirt.default(), out)
    for number in range(months):
        years, month_index = divmod(first_month.month - 1 + number, 12)
        rounds.deliver(date(first_month.year + years, month_index + 1, 1))
    return rounds


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
