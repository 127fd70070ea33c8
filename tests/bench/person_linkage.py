"""Linkage beside plain Splink on the same records: time and accuracy (goals G2, G3, G4).

The same trained weights, the same normalised records, the same pairs of agreeing fields: the difference is what the
station does besides Splink (collapsing what is equal, vetoes, joins refused, rules of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, Any

from linkage import model
from linkage.doors import add_doors
from linkage.persons import link_persons
from linkage.records import judge_ids, open_ids, read_household_records, read_person_records
from linkage.run import link
from tests.bench import floors
from tests.bench.measure import Cost, best
from tests.bench.platform import AS_OF, Bench
from tests.bench.report import Finding, Goal, Report
from tests.synthetic.deliveries import TrueRow
from tests.synthetic.evaluate import Pairs

if TYPE_CHECKING:
    import polars as pl

THRESHOLDS = tuple(range(-6, 43, 2))
REPEATS = 2
PLAIN = "plain Splink 5 predict + cluster, same records and weights"
LINK = "link(): read, decrypt, persons, households, ids, write"


def measure_linkage(bench: Bench, report: Report, true_rows: Sequence[TrueRow]) -> None:
    """Times in turns and pairwise accuracy of both on the synthetic truth."""
    records = read_records(bench)
    settings = model.shipped_model()["settings"]
    table = floors.splink_table(records)
    truth = _truth(bench, records, true_rows)
    threshold, plain = best_threshold(table, settings, truth)

    ours: list[Cost] = []
    whole: list[Cost] = []
    least: list[Cost] = []
    found: list[pl.Series] = []
    for _ in range(REPEATS):
        ours.append(bench.meter.cost(lambda: found.append(link_persons(records, settings).links["person"])))
        least.append(bench.meter.cost(lambda: plain_floor(table, settings, threshold)))
        whole.append(bench.meter.cost(lambda: link(bench.platform.engine, bench.platform.protector, AS_OF)))
    rows = records.height
    persons, floor = best(ours), best(least)
    mine = pairs_of(truth, found[0])
    report.findings += [
        Finding(
            "linkage", "records to persons", rows, persons, floor,
            PLAIN,
            goal=Goal.at_most("G2", persons.wall / floor.wall, 1.25),
        ),
        Finding(
            "linkage", LINK, rows, best(whole), floor, PLAIN
        ),
        Finding("linkage", "pairwise F1", rows, figure=mine.f1, goal=Goal.at_least("G3", mine.f1, 0.9985)),
        Finding(
            "linkage", "pairwise precision", rows, figure=mine.precision,
            goal=Goal.at_least("G3", mine.precision, 0.999),
        ),
        Finding("linkage", f"plain Splink's F1 at its best threshold ({threshold})", rows, figure=plain.f1),
        Finding(
            "linkage", f"wrong pairs, {_wrong(mine):,} against {_wrong(plain):,}", rows,
            figure=_wrong(mine) / max(1, _wrong(plain)),
            goal=Goal.at_most("G4", _wrong(mine) / max(1, _wrong(plain)), 0.75),
        ),
    ]  # fmt: skip


def read_records(bench: Bench) -> pl.DataFrame:
    """All person records as linkage compares them."""
    with bench.platform.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        records = judge_ids(open_ids(read_person_records(raw), bench.platform.protector))
        records, _ = add_doors(records, read_household_records(raw))
    return records.sort("record_id")


def plain_floor(
    table: pl.DataFrame, settings: dict[str, Any], threshold: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Plain Splink with the blocking fields of our model."""
    return floors.plain_splink(table, settings, [columns for _, columns, _ in model.BLOCKS], threshold)


def best_threshold(table: pl.DataFrame, settings: dict[str, Any], truth: pl.Series) -> tuple[int, Pairs]:
    """The match weight at which plain Splink does best on the truth, and how well that is."""
    import numpy as np
    import polars as pl
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs, _ = plain_floor(table, settings, THRESHOLDS[-1])
    results: list[tuple[float, int, Pairs]] = []
    for threshold in THRESHOLDS:
        edges = pairs.filter(pl.col("match_weight") >= threshold)
        ends = edges["unique_id_l"].to_numpy(), edges["unique_id_r"].to_numpy()
        graph = coo_array((np.ones(edges.height, dtype=np.int8), ends), shape=(table.height, table.height))
        quality = pairs_of(truth, pl.Series(connected_components(graph, directed=False)[1]))
        results.append((quality.f1, threshold, quality))
    _, threshold, quality = max(results, key=lambda result: result[0])
    return threshold, quality


def pairs_of(truth: pl.Series, found: pl.Series) -> Pairs:
    """`Pairs.of` for many rows; both in order of record_id."""
    import polars as pl

    both = pl.DataFrame({"truth": truth, "found": found})

    def pairs(*columns: str) -> int:
        return sum(comb(count, 2) for count in both.group_by(columns).len()["len"].to_list())

    return Pairs(pairs("truth"), pairs("found"), pairs("truth", "found"))


def _truth(bench: Bench, records: pl.DataFrame, true_rows: Sequence[TrueRow]) -> pl.Series:
    """The true person of every record, in order of record_id."""
    import polars as pl

    places = bench.rows(
        "select record_id, list_code, file_name, row_number from staging.int_person_record order by record_id"
    )
    person_of = {(row.source, row.file, row.row): row.person_uid for row in true_rows}
    found = pl.DataFrame(
        {
            "record_id": [place[0] for place in places],
            "truth": [person_of[place[1], place[2], place[3]] for place in places],
        }
    )
    return records.select("record_id").join(found, on="record_id", maintain_order="left")["truth"]


def _wrong(pairs: Pairs) -> int:
    return pairs.true_pairs + pairs.found_pairs - 2 * pairs.right_pairs
