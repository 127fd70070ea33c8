"""Plays the inspectors: takes the audit work sheets, visits the synthetic people, and returns the sheets filled in.

Belongs here: an honest comparison of each shown value with what is true in the world, as files say it
(`truth/<month>/*.csv`), and knobs that spoil it for tests. Not here: the sheets' making (`quality.audit`), their judging.

A platform id is understood through the crosswalk: the person (household) most of its rows are about. A shown value that
was true on the first of the month before and is not now is 已变更; one that was never true, or has been wrong for longer,
is 错误.
"""

import csv
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from infra.protection import mask_id_no, mask_phone
from tests.synthetic.evaluate import FoundRow, RowKey, TruthRow, read_crosswalk, read_truth
from tests.synthetic.kinship import is_same_relation
from tests.synthetic.workbooks import freeze_workbook

RIGHT, WRONG, CHANGED, UNVERIFIABLE = "正确", "错误", "已变更", "无法核实"
_GIVEN_HEADERS = ("抽查编号", "家庭ID", "人员ID", "核查字段", "登记值")
_FILLED_HEADERS = ("核实结果", "核实值", "核查人", "核查日期", "备注")
# What the sheets call a field, to what is compared. Names as in the code list `audit_field`.
_FIELDS = {
    "姓名": "name", "证件号码": "id_no", "身份证号": "id_no", "性别": "sex", "出生日期": "birth_date", "联系电话": "phone",
    "与户主关系": "relation", "是否持证残疾人": "is_disabled", "残疾类别": "disability_category", "残疾等级": "disability_level",
    "是否签约家庭医生": "has_family_doctor", "现住址": "address", "居住地址": "address", "家庭住址": "address", "社区": "community",
    "网格": "grid", "户主姓名": "head_name", "家庭人口": "member_count", "家庭成员": "members", "家庭成员名单": "members",
    "是否低保家庭": "is_low_income", "是否低保": "is_low_income", "家中是否有残疾人": "has_disabled_member",
}  # fmt: skip
_LASTING_FIELDS = frozenset({"name", "id_no", "sex", "birth_date"})


@dataclass(frozen=True)
class MonthTruth:
    """What was true on the first of a month: rows of persons.csv and households.csv by uid."""

    persons: dict[str, dict[str, str]]
    households: dict[str, dict[str, str]]

    @classmethod
    def read(cls, folder: Path) -> "MonthTruth":
        """From `truth/<month>`."""
        return cls(
            _rows_by(folder / "persons.csv", "person_uid"),
            _rows_by(folder / "households.csv", "household_uid"),
        )


@dataclass
class Inspection:
    """What the inspectors did: `outcomes[field name][结果]` counts lines; `returned` are the files they handed in."""

    returned: list[Path] = field(default_factory=list)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def count(self, outcome: str) -> int:
        """Lines with this outcome."""
        return sum(counter[outcome] for counter in self.outcomes.values())

    @property
    def accuracy(self) -> float:
        """Unweighted share of right lines among right and wrong ones; the platform's own estimate is weighted."""
        judged = self.count(RIGHT) + self.count(WRONG)
        return self.count(RIGHT) / judged if judged else float("nan")


def inspect(
    sheets: Iterable[Path],
    crosswalk: Path,
    truth: Path,
    month: date,
    landing: Path,
    *,
    seed: int = 1,
    error_rate: float = 0.0,
    unverifiable_rate: float = 0.02,
    returned_rate: float = 1.0,
) -> Inspection:
    """Fills in the work sheets and puts them into `landing`/supervision/audit_return.

    Args:
        sheets: The xlsx files that `quality.audit.draw_audit` wrote.
        crosswalk: What `yihu crosswalk` wrote for the audited build.
        truth: The `truth` folder of `deliveries.Rounds`.
        month: First of the audited month; the world is looked at as it was on that day.
        landing: Landing folder for the filled-in sheets.
        seed: Chance of `error_rate` and the like.
        error_rate: Share of right lines reported as wrong, to play a bad register.
        unverifiable_rate: Share of households where nobody opens.
        returned_rate: Share of the sheets that come back at all.
    """
    inspector = _Inspector(crosswalk, truth, month, seed, error_rate, unverifiable_rate)
    inspection = Inspection()
    folder = landing / "supervision" / "audit_return"
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in sorted(sheets):
        if random.Random(f"{seed}/return/{sheet.name}").random() >= returned_rate:
            continue
        path = folder / sheet.name
        path.write_bytes(inspector.fill_in(sheet, inspection))
        inspection.returned.append(path)
    return inspection


class _Inspector:
    def __init__(
        self,
        crosswalk: Path,
        truth: Path,
        month: date,
        seed: int,
        error_rate: float,
        unverifiable_rate: float,
    ) -> None:
        self.month, self.seed = month, seed
        self.error_rate, self.unverifiable_rate = error_rate, unverifiable_rate
        self.now = MonthTruth.read(truth / f"{month:%Y-%m}")
        before = truth / f"{month - timedelta(days=1):%Y-%m}"
        self.before = MonthTruth.read(before) if before.is_dir() else self.now
        rows = read_truth(truth / f"{month:%Y-%m}" / "rows.csv")
        found, _ = read_crosswalk(crosswalk)
        self.person_of = _understand(found, rows, lambda row: row.person_id, lambda row: row.person_uid)
        self.household_of = _understand(
            found, rows, lambda row: row.household_id, lambda row: row.household_uid
        )

    def fill_in(self, sheet_path: Path, inspection: Inspection) -> bytes:
        """The workbook with the inspectors' columns filled in."""
        from openpyxl import load_workbook

        book = load_workbook(sheet_path)
        sheet = book.worksheets[0]
        column = {str(cell.value): cell.column for cell in sheet[1] if cell.value is not None}
        missing = [header for header in (*_GIVEN_HEADERS, *_FILLED_HEADERS) if header not in column]
        if missing:
            raise ValueError(f"filling in {sheet_path.name}: columns {missing} missing, found {list(column)}")
        for line in range(2, sheet.max_row + 1):
            given = [sheet.cell(line, column[header]).value for header in _GIVEN_HEADERS]
            audit_no, household_id, person_id, field_name, shown = (
                "" if v is None else str(v) for v in given
            )
            if not audit_no:
                continue
            outcome, verified, remark = self._look(audit_no, household_id, person_id, field_name, shown)
            inspection.outcomes[field_name][outcome] += 1
            rng = random.Random(f"{self.seed}/day/{household_id}")
            officer, day = f"督查员{rng.randint(1, 6):02d}", self.month + timedelta(days=rng.randint(20, 27))
            filled: tuple[str | date, ...] = (outcome, verified, officer, day, remark)
            for header, value in zip(_FILLED_HEADERS, filled, strict=True):
                sheet.cell(line, column[header]).value = value or None
        return freeze_workbook(book, self.month)

    def _look(
        self, audit_no: str, household_id: str, person_id: str, field_name: str, shown: str
    ) -> tuple[str, str, str]:
        """(outcome, verified value, remark) of one line."""
        rng = random.Random(f"{self.seed}/line/{audit_no}/{field_name}")
        if random.Random(f"{self.seed}/door/{household_id}").random() < self.unverifiable_rate:
            return UNVERIFIABLE, "", "三次上门无人"
        if field_name not in _FIELDS:
            raise ValueError(
                f"inspecting {audit_no}: the field {field_name!r} is unknown, known are {sorted(_FIELDS)}"
            )
        what = _FIELDS[field_name]
        household_uid = self.household_of.get(household_id, "")
        person_uid = self.person_of.get(person_id, "") if person_id else ""
        if not household_uid or (person_id and not person_uid):
            return UNVERIFIABLE, "", "查无此户此人"
        outcome, verified = self._compare(what, shown, household_uid, person_uid)
        if outcome == RIGHT and rng.random() < self.error_rate:
            return WRONG, f"与登记不同：{verified}", ""
        return outcome, "" if outcome == RIGHT else verified, ""

    def _compare(self, what: str, shown: str, household_uid: str, person_uid: str) -> tuple[str, str]:
        household = self.now.households[household_uid]
        nobody_left = not household["member_uids"]
        if person_uid:
            person = self.now.persons[person_uid]
            gone = person["is_present"] == "0" or person["household_uid"] != household_uid
            if nobody_left and person["is_present"] == "0":
                return UNVERIFIABLE, ""
            if gone and what not in _LASTING_FIELDS:
                was_here = self.before.persons.get(person_uid, {}).get("household_uid") == household_uid
                was_here &= self.before.persons.get(person_uid, {}).get("is_present") == "1"
                return (CHANGED if was_here else WRONG), "已不在此户居住"
            is_right = _person_is(what, shown, person)
            was_right = person_uid in self.before.persons and _person_is(
                what, shown, self.before.persons[person_uid]
            )
            true_value = _person_value(what, person)
        else:
            is_right = not nobody_left and _household_is(what, shown, household_uid, self.now)
            was_right = household_uid in self.before.households and _household_is(
                what, shown, household_uid, self.before
            )
            true_value = (
                "全户已不在此居住" if nobody_left else _household_value(what, household_uid, self.now)
            )
        return (RIGHT if is_right else CHANGED if was_right else WRONG), true_value


# -- comparing one value -------------------------------------------------------------------------------------------


def _person_is(what: str, shown: str, person: dict[str, str]) -> bool:
    true = _person_value(what, person)
    match what:
        case "name":
            return _plain_name(shown) == _plain_name(true)
        case "id_no":
            return _plain(shown).upper() in {true, mask_id_no(true)}
        case "phone":
            return _plain(shown) in {true, mask_phone(true)} if true else not shown
        case "birth_date":
            return shown[:10] == true
        case "sex":
            return shown in {true, "1" if true == "男" else "2"}
        case "relation":
            return is_same_relation(shown, true, person["sex"])
        case _:
            return shown == true


def _person_value(what: str, person: dict[str, str]) -> str:
    if what == "is_disabled":
        return "是" if person["disability_category"] else "否"
    if what in {"has_family_doctor", "is_low_income"}:
        return "是" if person[what] == "1" else "否"
    return person[what]


def _household_is(what: str, shown: str, household_uid: str, truth: MonthTruth) -> bool:
    household = truth.households[household_uid]
    match what:
        case "address":
            return _plain(shown) in {_plain(text) for text in household["addresses"].split("\t")}
        case "members":
            names = [_plain_name(name) for name in re.split(r"[、，,;；]", shown) if name.strip()]
            return Counter(names) == Counter(_plain_name(name) for name in _member_names(household, truth))
        case "head_name":
            return _plain_name(shown) == _plain_name(_household_value(what, household_uid, truth))
        case _:
            return shown == _household_value(what, household_uid, truth)


def _household_value(what: str, household_uid: str, truth: MonthTruth) -> str:
    household = truth.households[household_uid]
    members = household["member_uids"].split()
    match what:
        case "address":
            return household["addresses"].split("\t")[0]
        case "members":
            return "、".join(_member_names(household, truth))
        case "member_count":
            return str(len(members))
        case "head_name":
            return truth.persons[household["head_uid"]]["name"]
        case "has_disabled_member":
            return "是" if any(truth.persons[uid]["disability_category"] for uid in members) else "否"
        case "is_low_income":
            return "是" if household["is_low_income"] == "1" else "否"
        case _:
            return household[what]


def _member_names(household: dict[str, str], truth: MonthTruth) -> list[str]:
    return [truth.persons[uid]["name"] for uid in household["member_uids"].split()]


def _plain(text: str) -> str:
    """Width and spaces do not make a value wrong."""
    return re.sub(r"[\s\u200b]", "", unicodedata.normalize("NFKC", text))


def _plain_name(text: str) -> str:
    return re.sub("[·•．・‧.]", "·", _plain(text))


# -- understanding the platform's ids ------------------------------------------------------------------------------


def _understand(
    found: dict[RowKey, FoundRow],
    truth: dict[RowKey, TruthRow],
    found_id: Callable[[FoundRow], str],
    true_id: Callable[[TruthRow], str],
) -> dict[str, str]:
    """Platform id to the true uid most of its rows are about."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for key, row in found.items():
        if key in truth and found_id(row) and true_id(truth[key]):
            votes[found_id(row)][true_id(truth[key])] += 1
    return {
        platform_id: min(counter, key=lambda uid: (-counter[uid], int(uid)))
        for platform_id, counter in votes.items()
    }


def _rows_by(path: Path, column: str) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row[column]: row for row in csv.DictReader(file)}
