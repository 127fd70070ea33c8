"""Inspectors tell right from wrong, changed from never true, and fill in every line they are given."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from infra.protection import mask_id_no, mask_phone
from tests.synthetic.deliveries import generate
from tests.synthetic.inspectors import CHANGED, RIGHT, UNVERIFIABLE, WRONG, MonthTruth, inspect

HEADERS = (
    "抽查编号", "家庭ID", "人员ID", "社区", "地址", "姓名", "核查字段", "登记值", "核实结果", "核实值", "核查人", "核查日期", "备注",
)  # fmt: skip
SEPTEMBER = date(2026, 9, 1)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months, and a crosswalk of a platform that makes no mistake: P<uid>, H<uid>."""
    folder = tmp_path_factory.mktemp("world")
    generate(folder, seed=21, households=800, months=2)
    with (folder / "truth_rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "crosswalk.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("list_code", "delivery_id", "file_name", "sheet_name", "row_number", "person_id", "household_id")
        )
        for row in rows:
            person_id = f"P{row['person_uid']}" if row["person_uid"] else ""
            writer.writerow(
                (row["source"], 1, row["file"], "", row["row"], person_id, f"H{row['household_uid']}")
            )
    return folder


@pytest.fixture(scope="module")
def september(out: Path) -> MonthTruth:
    return MonthTruth.read(out / "truth" / "2026-09")


@pytest.fixture(scope="module")
def august(out: Path) -> MonthTruth:
    return MonthTruth.read(out / "truth" / "2026-08")


@pytest.fixture
def ask(out: Path, tmp_path: Path) -> Callable[..., list[tuple[str, str]]]:
    """Returns (result, verified value) of lines of (household uid, person uid or '', field, shown value)."""

    def ask(*lines: tuple[str, str, str, str], **options: float) -> list[tuple[str, str]]:
        book = Workbook()
        sheet = book.worksheets[0]
        sheet.append(HEADERS)
        for number, (household, person, field_name, shown) in enumerate(lines):
            sheet.append(
                (
                    f"HC-{number}",
                    f"H{household}",
                    f"P{person}" if person else None,
                    "",
                    "",
                    "",
                    field_name,
                    shown,
                )
            )
        path = tmp_path / "sheet.xlsx"
        book.save(path)
        inspection = inspect(
            [path],
            out / "crosswalk.csv",
            out / "truth",
            SEPTEMBER,
            tmp_path / "landing",
            unverifiable_rate=0,
            **options,
        )
        (returned,) = inspection.returned
        assert returned == tmp_path / "landing" / "supervision" / "audit_return" / "sheet.xlsx"
        filled = load_workbook(returned).worksheets[0].iter_rows(min_row=2, values_only=True)
        return [(str(row[8]), str(row[9] or "")) for row in filled]

    return ask


def staying(september: MonthTruth, august: MonthTruth) -> dict[str, str]:
    """A person with a phone of whom nothing changed."""
    return next(
        p for uid, p in september.persons.items()
        if p == august.persons.get(uid) and p["phone"].isdecimal() and p["is_present"] == "1" and p["relation"] == "户主"
    )  # fmt: skip


def test_right_values_in_every_form(
    ask: Callable[..., list[tuple[str, str]]], september: MonthTruth, august: MonthTruth
) -> None:
    person = staying(september, august)
    household = september.households[person["household_uid"]]
    home, uid = person["household_uid"], person["person_uid"]
    members = [september.persons[member]["name"] for member in household["member_uids"].split()]
    answers = ask(
        (home, uid, "姓名", f" {person['name']}\u200b"),
        (home, uid, "证件号码", mask_id_no(person["id_no"])),
        (home, uid, "联系电话", mask_phone(person["phone"])),
        (home, uid, "出生日期", person["birth_date"]),
        (home, uid, "性别", person["sex"]),
        (home, uid, "与户主关系", "本人"),
        (home, uid, "是否持证残疾人", "是" if person["disability_category"] else "否"),
        (home, "", "现住址", household["addresses"].split("\t")[-1]),
        (home, "", "家庭成员", "、".join(reversed(members))),
        (home, "", "是否低保家庭", "是" if household["is_low_income"] == "1" else "否"),
        (home, "", "家庭人口", str(len(members))),
        (home, "", "网格", household["grid"]),
    )
    assert answers == [(RIGHT, "")] * len(answers)


def test_wrong_values_come_back_with_the_truth(
    ask: Callable[..., list[tuple[str, str]]], september: MonthTruth, august: MonthTruth
) -> None:
    person = staying(september, august)
    household = september.households[person["household_uid"]]
    home, uid = person["household_uid"], person["person_uid"]
    answers = ask(
        (home, uid, "姓名", "某某某"),
        (home, uid, "证件号码", mask_id_no("11010519491231002X")),
        (home, uid, "联系电话", ""),
        (home, uid, "出生日期", "1900-01-01"),
        (home, uid, "与户主关系", "岳母"),
        (home, "", "现住址", household["addresses"].split("\t")[0].removesuffix("室")[:-3]),
        (home, "", "家庭成员", "某某某"),
    )
    assert [result for result, _ in answers] == [WRONG] * len(answers)
    assert answers[0][1] == person["name"]
    assert answers[1][1] == person["id_no"]
    assert answers[2][1] == person["phone"]
    assert answers[5][1] == household["addresses"].split("\t")[0]


def test_what_was_true_last_month_has_changed(
    ask: Callable[..., list[tuple[str, str]]], september: MonthTruth, august: MonthTruth
) -> None:
    person = next(
        p for uid, p in september.persons.items()
        if uid in august.persons and p["phone"] != august.persons[uid]["phone"] and p["is_present"] == "1"
        and p["household_uid"] == august.persons[uid]["household_uid"]
    )  # fmt: skip
    moved = next(
        h for uid, h in september.households.items()
        if uid in august.households and h["addresses"] != august.households[uid]["addresses"] and h["member_uids"]
    )  # fmt: skip
    old_phone = august.persons[person["person_uid"]]["phone"]
    old_address = august.households[moved["household_uid"]]["addresses"].split("\t")[0]
    answers = ask(
        (person["household_uid"], person["person_uid"], "联系电话", mask_phone(old_phone)),
        (moved["household_uid"], "", "现住址", old_address),
        (moved["household_uid"], "", "现住址", moved["addresses"].split("\t")[0]),
    )
    assert [result for result, _ in answers] == [CHANGED, CHANGED, RIGHT]
    assert answers[0][1] == person["phone"]


def test_people_of_a_household_that_left_cannot_be_asked(
    ask: Callable[..., list[tuple[str, str]]], september: MonthTruth, august: MonthTruth
) -> None:
    home = next(
        h for uid, h in september.households.items() if not h["member_uids"] and august.households[uid]["member_uids"]
        and september.persons[h["head_uid"]]["is_present"] == "0"
    )  # fmt: skip
    answers = ask(
        (home["household_uid"], home["head_uid"], "姓名", september.persons[home["head_uid"]]["name"]),
        (home["household_uid"], "", "现住址", home["addresses"].split("\t")[0]),
    )
    assert [result for result, _ in answers] == [UNVERIFIABLE, CHANGED]


def test_a_bad_register_can_be_played(
    ask: Callable[..., list[tuple[str, str]]], september: MonthTruth, august: MonthTruth
) -> None:
    person = staying(september, august)
    lines = [(person["household_uid"], person["person_uid"], "姓名", person["name"])] * 300
    wrong = [result for result, _ in ask(*lines, error_rate=0.2)].count(WRONG)
    assert 35 <= wrong <= 85
    assert ask(*lines[:20], error_rate=0.2, seed=3) == ask(*lines[:20], error_rate=0.2, seed=3)


def test_unknown_ids_and_fields(ask: Callable[..., list[tuple[str, str]]]) -> None:
    assert ask(("999999", "", "现住址", "某处")) == [(UNVERIFIABLE, "")]
    with pytest.raises(ValueError, match="是否养猫"):
        ask(("1", "", "是否养猫", "是"))
