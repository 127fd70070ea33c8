"""The judge is right on cases small enough to count by hand."""

import csv
import math
from pathlib import Path

import pytest

from tests.synthetic.evaluate import Evaluation, FoundRow, Pairs, TruthRow, evaluate, evaluate_rows, mistakes


def truth_of(*rows: tuple[str, str]) -> dict[tuple[str, str, str, int], TruthRow]:
    return {("register", "f.csv", "", line): TruthRow(*row) for line, row in enumerate(rows, start=2)}


def found_of(*rows: tuple[str, str]) -> dict[tuple[str, str, str, int], FoundRow]:
    return {("register", "f.csv", "", line): FoundRow(*row) for line, row in enumerate(rows, start=2)}


def test_perfect() -> None:
    truth = truth_of(("1", "9"), ("1", "9"), ("2", "9"), ("3", "8"), ("", "9"))
    found = found_of(("P1", "H1"), ("P1", "H1"), ("P2", "H1"), ("P3", "H2"), ("", "H1"))
    result = evaluate_rows(found, truth)
    assert (result.persons.precision, result.persons.recall, result.persons.f1) == (1, 1, 1)
    assert (result.roofs.precision, result.roofs.recall, result.roof_rows.f1) == (1, 1, 1)
    assert (result.exact_persons, result.true_persons, result.found_persons) == (3, 3, 3)
    assert (result.exact_households, result.true_households) == (2, 2)
    assert (result.visit_rows, result.right_visits) == (1, 1)
    assert (result.missing_rows, result.extra_rows, result.unanswered_rows) == (0, 0, 0)


def test_one_wrong_merge_and_one_split_counted_by_hand() -> None:
    # Persons a (3 rows), b (2 rows), c (1 row). Found: a a | a b b c.
    truth = truth_of(("a", "9"), ("a", "9"), ("a", "9"), ("b", "9"), ("b", "9"), ("c", "8"))
    found = found_of(("P1", "H1"), ("P1", "H1"), ("P2", "H1"), ("P2", "H1"), ("P2", "H1"), ("P2", "H1"))
    result = evaluate_rows(found, truth)
    # True pairs: 3 + 1 = 4. Found pairs: 1 + 6 = 7. Right: aa 1, bb 1 = 2.
    assert (result.persons.true_pairs, result.persons.found_pairs, result.persons.right_pairs) == (4, 7, 2)
    assert result.persons.precision == pytest.approx(2 / 7)
    assert result.persons.recall == pytest.approx(2 / 4)
    assert result.persons.f1 == pytest.approx(2 * (2 / 7) * 0.5 / (2 / 7 + 0.5))
    assert result.exact_persons == 0
    # Persons under one roof: true ab | c = 1 pair; found abc = 3 pairs; right 1.
    assert (result.roofs.true_pairs, result.roofs.found_pairs, result.roofs.right_pairs) == (1, 3, 1)
    # Rows: 5 + 1 true = 10 pairs; found 6 = 15 pairs; right 10.
    assert (result.roof_rows.true_pairs, result.roof_rows.found_pairs, result.roof_rows.right_pairs) == (
        10,
        15,
        10,
    )


def test_a_person_counts_once_under_the_roof_of_most_rows() -> None:
    truth = truth_of(("a", "9"), ("a", "9"), ("a", "9"), ("b", "9"))
    found = found_of(("P1", "H2"), ("P1", "H1"), ("P1", "H1"), ("P2", "H1"))
    result = evaluate_rows(found, truth)
    assert (result.roofs.true_pairs, result.roofs.found_pairs, result.roofs.right_pairs) == (1, 1, 1)


def test_missing_and_unanswered_rows_cost_recall_only() -> None:
    truth = truth_of(("a", "9"), ("a", "9"), ("a", "9"))
    found = found_of(("P1", "H1"), ("", ""))
    result = evaluate_rows(found, truth)
    assert (result.missing_rows, result.unanswered_rows) == (1, 1)
    assert (result.persons.true_pairs, result.persons.found_pairs, result.persons.right_pairs) == (3, 0, 0)
    assert math.isnan(result.persons.precision)
    assert result.persons.recall == 0


def test_two_unanswered_rows_are_not_one_person() -> None:
    result = evaluate_rows(found_of(("", ""), ("", "")), truth_of(("a", "9"), ("b", "8")))
    assert result.persons.found_pairs == result.roofs.found_pairs == 0
    assert result.found_persons == 2


def test_a_visit_put_elsewhere_is_wrong() -> None:
    truth = truth_of(("a", "9"), ("b", "8"), ("", "9"), ("", "8"), ("", "7"))
    found = found_of(("P1", "H1"), ("P2", "H2"), ("", "H1"), ("", "H1"), ("", ""))
    result = evaluate_rows(found, truth)
    # Household 7 has no person row, so nobody can say which household_id is right for it.
    assert (result.visit_rows, result.right_visits) == (2, 1)


def test_extra_and_repeated_rows_are_counted(tmp_path: Path) -> None:
    crosswalk, truth = tmp_path / "crosswalk.csv", tmp_path / "truth.csv"
    columns = "list_code,delivery_id,file_name,sheet_name,row_number,person_id,household_id,link_rule,link_probability"
    crosswalk.write_text(
        f"{columns}\nregister,1,f.csv,,2,P1,H1,splink,0.99\nregister,2,f.csv,,2,P2,H1,splink,0.99\nregister,1,f.csv,,9,P1,H1,,\n",
        encoding="utf-8",
    )
    truth.write_text(
        "source,file,sheet,row,person_uid,household_uid\nregister,f.csv,,2,1,1\n", encoding="utf-8"
    )
    result = evaluate(crosswalk, truth)
    assert (result.row_count, result.missing_rows, result.extra_rows, result.repeated_rows) == (1, 0, 1, 1)


def test_pairs_are_not_enumerated() -> None:
    million = Pairs.of(("one", "one") for _ in range(1_000_000))
    assert million.right_pairs == 499_999_500_000


def test_table_is_readable_chinese() -> None:
    truth = truth_of(("1", "9"), ("1", "9"), ("2", "9"))
    table = evaluate_rows(found_of(("P1", "H1"), ("P1", "H1"), ("P2", "H1")), truth).table()
    assert "人员配对" in table
    assert "1.0000" in table
    assert isinstance(evaluate_rows({}, {}), Evaluation)
    assert "—" in evaluate_rows({}, {}).table()


def test_mistakes_name_the_rows() -> None:
    truth = truth_of(("a", "9"), ("a", "9"), ("b", "9"))
    lines = mistakes(found_of(("P1", "H1"), ("P2", "H1"), ("P2", "H1")), truth)
    assert lines == ["split person a: P1: f.csv:2 | P2: f.csv:3", "merged person P2: a: f.csv:3 | b: f.csv:4"]
    assert mistakes(found_of(("P1", "H1"), ("P1", "H1"), ("P2", "H1")), truth, "household") == []


def test_truth_evaluates_perfectly_against_itself(tmp_path: Path) -> None:
    from tests.synthetic.deliveries import generate

    generate(tmp_path, seed=6, households=150, months=2)
    with (tmp_path / "truth_rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    crosswalk = tmp_path / "crosswalk.csv"
    with crosswalk.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("list_code", "delivery_id", "file_name", "sheet_name", "row_number", "person_id", "household_id")
        )
        for row in rows:
            person_id = f"P{row['person_uid']}" if row["person_uid"] else ""
            writer.writerow(
                (
                    row["source"],
                    1,
                    row["file"],
                    row["sheet"],
                    row["row"],
                    person_id,
                    f"H{row['household_uid']}",
                )
            )
    result = evaluate(crosswalk, tmp_path / "truth_rows.csv")
    assert result.persons.f1 == result.roofs.f1 == result.roof_rows.f1 == 1
    assert result.exact_persons == result.true_persons
    assert result.right_visits == result.visit_rows > 50
