"""Rounds have the format of the samples, their faults at the configured rates, and a truth for every row."""

import csv
import hashlib
import re
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.synthetic.deliveries import FOLDERS, TRUTH_HEADER, Rounds, generate
from tests.synthetic.dirt import Dirt
from tests.synthetic.identity import UNASSIGNED_MOBILE_PREFIXES, is_valid_id

MONTHS = ("2026-08", "2026-09", "2026-10")
ENCODINGS = {
    "household_register": "utf-8",
    "visit": "utf-8",
    "family_doctor": "utf-8-sig",
    "disabled": "gb18030",
}
ID_COLUMN = {"household_register": 6, "family_doctor": 3, "disabled": 2}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    return generate(tmp_path_factory.mktemp("rounds"), seed=3, households=600)


def delivered(rounds: Rounds, month: str, list_code: str) -> Path:
    (path,) = (rounds.out / month).joinpath(*FOLDERS[list_code]).iterdir()
    return path


def lines_of(path: Path, list_code: str) -> dict[int, list[str]]:
    """Data rows by the line a person counts. No cell of ours holds a line break."""
    with path.open(encoding=ENCODINGS[list_code], newline="") as file:
        return {number: cells for number, cells in enumerate(csv.reader(file), start=1) if number > 1}


def read_truth(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    def digests(folder: Path, seed: int) -> dict[str, str]:
        generate(folder, seed=seed, households=120, months=2)
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    first = digests(tmp_path / "a", 1)
    assert first == digests(tmp_path / "b", 1)
    assert not set(first.values()) & set(digests(tmp_path / "c", 2).values())
    assert len(first) == 2 * (5 + 3) + 1


def test_truth_has_every_data_row_exactly_once(rounds: Rounds) -> None:
    expected: Counter[tuple[str, str, int]] = Counter()
    for month in MONTHS:
        for list_code in ENCODINGS:
            path = delivered(rounds, month, list_code)
            expected.update((list_code, path.name, line) for line in lines_of(path, list_code))
        path = delivered(rounds, month, "low_income")
        for line, cells in enumerate(load_workbook(path).worksheets[0].iter_rows(values_only=True), start=1):
            if line > 3 and cells[0] != "合计":
                expected["low_income", path.name, line] += 1
    truth = read_truth(rounds.out / "truth_rows.csv")
    assert tuple(truth[0]) == TRUTH_HEADER
    assert Counter((row["source"], row["file"], int(row["row"])) for row in truth) == expected
    assert set(expected.values()) == {1}


def test_truth_says_the_household_now_on_all_rows_of_a_person(rounds: Rounds) -> None:
    truth = read_truth(rounds.out / "truth_rows.csv")
    homes: dict[str, set[str]] = {}
    for row in truth:
        if row["source"] == "visit":
            assert row["person_uid"] == ""
            assert row["household_uid"] == row["household_uid_then"]
        else:
            homes.setdefault(row["person_uid"], set()).add(row["household_uid"])
    assert {len(households) for households in homes.values()} == {1}
    assert any(row["household_uid"] != row["household_uid_then"] for row in truth)
    # Earlier truths speak of their own month.
    august = read_truth(rounds.out / "truth" / "2026-08" / "rows.csv")
    assert all(row["household_uid"] == row["household_uid_then"] for row in august)


def test_files_look_like_the_samples(rounds: Rounds) -> None:
    register = delivered(rounds, "2026-08", "household_register").read_bytes()
    assert not register.startswith(b"\xef\xbb\xbf")
    assert register.count(b"\r\n") == register.count(b"\n")
    doctor = delivered(rounds, "2026-08", "family_doctor").read_bytes()
    assert doctor.startswith("\ufeff签约编号,居民姓名,".encode())
    assert (
        delivered(rounds, "2026-08", "disabled")
        .read_bytes()
        .decode("gb18030")
        .startswith("姓名,性别,公民身份号码")
    )
    sheet = load_workbook(delivered(rounds, "2026-08", "low_income")).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert [str(merged) for merged in sheet.merged_cells.ranges] == ["A1:T1"]
    assert re.fullmatch(r"云河街道最低生活保障对象花名册（2026年8月）", str(rows[0][0]))
    assert str(rows[1][0]).startswith(("填报单位：", "填表单位："))
    assert str(rows[1][5]).endswith("2026.8.5")
    assert rows[2][1] == "低保证号"
    assert rows[-1][0] == "合计"
    assert rows[-1][4] == f"{len(rows) - 4}人"
    blocks = [row for row in rows[3:-1] if row[0] is not None]
    assert rows[-1][2] == f"{len(blocks)}户"
    assert all(row[1] is None and row[9] is None for row in rows[3:-1] if row[0] is None)


def test_headers_change_between_the_months(rounds: Rounds) -> None:
    for list_code, encoding in ENCODINGS.items():
        headers = {
            delivered(rounds, month, list_code).read_bytes().decode(encoding).split("\r\n", 1)[0]
            for month in MONTHS
        }
        assert len(headers) == (1 if list_code == "visit" else 3), list_code


@pytest.mark.parametrize("list_code", sorted(ID_COLUMN))
def test_at_most_a_little_over_six_percent_of_a_list_have_faulty_ids(list_code: str, tmp_path: Path) -> None:
    rounds = generate(tmp_path, seed=11, households=2500, months=1)
    right_ids = {person.uid: person.id_no for person in rounds.world.people.values()}
    path = delivered(rounds, "2026-08", list_code)
    cells = lines_of(path, list_code)
    uids = {row.row: row.person_uid for row in rounds.true_rows if row.source == list_code}
    kinds = Counter(
        classify_id(cells[line][ID_COLUMN[list_code]], right_ids[uid])
        for line, uid in uids.items()
        if uid is not None
    )
    shares = {kind: count / kinds.total() for kind, count in kinds.items()}
    assert 0.03 < 1 - shares["right"] < 0.085
    if list_code != "disabled":  # too few rows for rare faults
        dirt = rounds.dirt
        assert shares["somebody else's"] == pytest.approx(dirt.id_of_relative * 0.85, abs=0.004)
        assert shares["checksum wrong"] == pytest.approx(
            dirt.id_one_digit + dirt.id_swapped_digits, abs=0.005
        )
        assert shares["masked"] == pytest.approx(dirt.id_masked, abs=0.005)
        assert shares["missing"] == pytest.approx(dirt.id_missing, abs=0.009)


def classify_id(text: str, right: str) -> str:
    clean = re.sub(r"[\s'\u200b]", "", unicodedata.normalize("NFKC", text)).upper()
    if clean == right:
        return "right"
    if not any(character.isdecimal() for character in clean):
        return "missing"
    if re.search(r"\*{3}|X{3}", clean):
        return "masked"
    if len(clean) == 15:
        return "15 digits"
    return "somebody else's" if is_valid_id(clean) else "checksum wrong"


def test_presets_are_ordered_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    faulty = []
    for preset in ("easy", "default", "hard"):
        rounds = generate(tmp_path / preset, seed=4, households=500, months=1, dirt=Dirt.preset(preset))
        faulty.append(
            sum(bool(card.id_fault) for x in rounds.register.listings.values() for card in x.cards.values())
        )
    assert faulty == sorted(faulty)
    assert faulty[0] < faulty[1] * 0.6 < faulty[2] * 0.6
    with pytest.raises(ValueError, match="easy"):
        Dirt.preset("filthy")


def test_phones_in_the_files_are_nobodys(rounds: Rounds) -> None:
    numbers = Counter[str]()
    for month in MONTHS:
        for cells in lines_of(delivered(rounds, month, "household_register"), "household_register").values():
            text = re.sub(r"[\s-]|^\+86", "", unicodedata.normalize("NFKC", cells[10])).removeprefix("+86")
            numbers.update(re.findall(r"(?<!\d)1\d{10}(?!\d)", text))
    strangers = [n for n in numbers if n[:3] not in UNASSIGNED_MOBILE_PREFIXES and len(set(n[3:])) > 3]
    fillers = {"13800000000", "13800138000", "12345678901", "13000000000", "11111111111"}
    # One digit mistyped in the prefix is the only way to leave the unassigned ranges.
    assert len(set(strangers) - fillers) <= 0.004 * len(numbers)
    assert numbers["13800000000"] > 3


def test_faults_stay_until_the_card_is_typed_again(rounds: Rounds) -> None:
    def ids(month: str) -> dict[tuple[int, str], str]:
        path = delivered(rounds, month, "household_register")
        cells = lines_of(path, "household_register")
        return {
            (row.person_uid or 0, cells[row.row][0]): re.sub(
                r"\D", "", unicodedata.normalize("NFKC", cells[row.row][6])
            )
            for row in rounds.true_rows
            if row.file == path.name
        }

    right = {person.uid: re.sub(r"\D", "", person.id_no) for person in rounds.world.people.values()}
    before, after = ids("2026-08"), ids("2026-09")
    wrong = [key for key, text in before.items() if text != right[key[0]] and key in after]
    assert wrong
    assert sum(after[key] == before[key] for key in wrong) / len(wrong) > 0.7


def test_register_knows_double_families_and_people_in_two_households(tmp_path: Path) -> None:
    rounds = generate(tmp_path, seed=8, households=1500, months=3)
    numbers: dict[int, set[str]] = {}
    listed: Counter[int] = Counter()
    for listing in rounds.register.listings.values():
        numbers.setdefault(listing.household_uid, set()).add(listing.number)
        listed.update(listing.cards.keys())
    assert 8 <= sum(len(of_household) > 1 for of_household in numbers.values()) <= 60
    assert (
        sum(any(card.stays_behind for card in x.cards.values()) for x in rounds.register.listings.values())
        >= 5
    )
    assert 0.005 < sum(count > 1 for count in listed.values()) / len(listed) < 0.04


def test_changed_part_of_the_register_is_smaller_and_truthful(tmp_path: Path) -> None:
    from tests.synthetic.population import World

    rounds = Rounds(
        World.create(2, 300, date(2026, 8, 1)), Dirt.default(), tmp_path, register_only_changed=True
    )
    for month in (8, 9):
        rounds.deliver(date(2026, month, 1))
    whole = lines_of(delivered(rounds, "2026-08", "household_register"), "household_register")
    part = lines_of(delivered(rounds, "2026-09", "household_register"), "household_register")
    assert 0 < len(part) < len(whole)
    assert sum(
        row.file.endswith("202609.csv") and row.source == "household_register" for row in rounds.true_rows
    ) == len(part)


def test_registration_dates_lie_before_the_month_of_the_file(rounds: Rounds) -> None:
    for listing in rounds.register.listings.values():
        for card in listing.cards.values():
            assert card.on < date(2026, 10, 1)
            assert card.on >= rounds.world.people[card.person_uid].birth
