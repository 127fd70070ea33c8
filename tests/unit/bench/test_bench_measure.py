"""What plain Splink is given and what comes of it; the table of figures."""

from datetime import date

import polars as pl
from rich.console import Console

from linkage import model
from tests.bench import floors
from tests.bench.measure import Cost
from tests.bench.person_linkage import pairs_of
from tests.bench.report import Finding, Goal, Report
from tests.synthetic.evaluate import Pairs

TEXTS = (
    "own_id", "weak_id", "id_pattern", "door", "place", "person_name_key", "person_name_pinyin", "known_sex",
    "phone_kind", "phone_token", "address_compound", "address_building",
)  # fmt: skip


def record(name: str, birth: date, phone: str) -> dict[str, object]:
    return dict.fromkeys(TEXTS) | {
        "person_name_key": name, "known_birth_date": birth, "phone_kind": "mobile", "phone_token": phone,
    }  # fmt: skip


def test_plain_splink_gives_every_record_a_cluster_and_joins_equal_ones():
    people = [
        record(f"甲{number}", date(1950 + number, 1, 1), f"t{number}") for number in range(40) for _ in "ab"
    ]
    schema = {**dict.fromkeys(TEXTS, pl.String), "known_birth_date": pl.Date}
    table = floors.splink_table(pl.DataFrame(people, schema=schema))
    settings = model.shipped_model()["settings"]
    pairs, clusters = floors.plain_splink(table, settings, [("name", "birth_date")], 0.0)
    assert (pairs.height, clusters.height, clusters["cluster_id"].n_unique()) == (40, 80, 40)


def test_pairs_are_counted_as_the_evaluation_counts_them():
    truth, found = [1, 1, 1, 2, 2, 3], [7, 7, 8, 8, 8, 9]
    assert pairs_of(pl.Series(truth), pl.Series(found)) == Pairs.of(zip(truth, found, strict=True))


def test_the_table_shows_the_ratio_and_whether_its_goal_is_met():
    slow = Finding("line", "all", 10, Cost(6, 5), Cost(2, 2), "least", goal=Goal.at_most("G1", 3, 2))
    console = Console(record=True, width=160)
    Report({}, findings=[slow]).show(console)
    text = console.export_text()
    assert "3.00x" in text
    assert "2.50x" in text
    assert "G1 ≤ 2" in text
    assert " no " in text
