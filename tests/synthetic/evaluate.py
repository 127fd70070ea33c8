"""Judges linkage: the platform's crosswalk against the truth of every row.

Belongs here: pairwise precision, recall and F1 of persons and of people under one roof, counted through contingency
tables (pairs are never enumerated). Not here: the truth itself (`deliveries`), accuracy of values (`inspectors`).

Run `python -m tests.synthetic.evaluate CROSSWALK.csv TRUTH.csv [--examples N]`.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import comb, nan
from pathlib import Path

RowKey = tuple[str, str, str, int]


@dataclass(frozen=True)
class Pairs:
    """Pairwise quality of a clustering. Ratios are nan when there is nothing to divide by."""

    true_pairs: int
    found_pairs: int
    right_pairs: int

    @classmethod
    def of(cls, assignments: Iterable[tuple[Hashable, Hashable]]) -> "Pairs":
        """From (true cluster, found cluster) of every element."""
        cells = Counter(assignments)
        truth: Counter[Hashable] = Counter()
        found: Counter[Hashable] = Counter()
        for (true_cluster, found_cluster), count in cells.items():
            truth[true_cluster] += count
            found[found_cluster] += count
        return cls(*(sum(comb(count, 2) for count in counts.values()) for counts in (truth, found, cells)))

    @property
    def precision(self) -> float:
        """Share of found pairs that are right."""
        return self.right_pairs / self.found_pairs if self.found_pairs else nan

    @property
    def recall(self) -> float:
        """Share of true pairs that were found."""
        return self.right_pairs / self.true_pairs if self.true_pairs else nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.true_pairs + self.found_pairs
        return 2 * self.right_pairs / total if total else nan


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` finds. Rows without an answer count as clusters of their own, so they cost recall."""

    row_count: int
    missing_rows: int  # in the truth, not in the crosswalk
    extra_rows: int  # in the crosswalk, not in the truth
    repeated_rows: int  # in the crosswalk more than once; the last one counts
    unanswered_rows: int  # person rows without a person_id
    true_persons: int
    found_persons: int
    persons: Pairs
    exact_persons: int  # true persons whose rows are exactly one found person
    roofs: Pairs  # over true persons, each once, by the household of most of their rows
    roof_rows: Pairs  # over all rows, visits included
    exact_households: int
    true_households: int
    visit_rows: int
    right_visits: int  # visits at the household where most of the true household's people were put

    def table(self) -> str:
        """The figures as lines a person can read (Chinese)."""
        lines = [
            f"来源行 {self.row_count:,}，缺失 {self.missing_rows:,}，多出 {self.extra_rows:,}，重复 {self.repeated_rows:,}，"
            f"未归人 {self.unanswered_rows:,}",
            f"真实人数 {self.true_persons:,}，归并后 {self.found_persons:,}，完全正确 {_ratio(self.exact_persons, self.true_persons)}",
            f"真实户数 {self.true_households:,}，成员完全正确 {_ratio(self.exact_households, self.true_households)}",
            "                 精确率    召回率    F1        错并对    漏并对",
        ]
        for label, pairs in (
            ("人员配对", self.persons),
            ("同住配对（按人）", self.roofs),
            ("同住配对（按行）", self.roof_rows),
        ):
            padding = " " * (18 - 2 * len(label))
            lines.append(
                f"{label}{padding}{pairs.precision:.4f}    {pairs.recall:.4f}    {pairs.f1:.4f}"
                f"    {pairs.found_pairs - pairs.right_pairs:>6,}    {pairs.true_pairs - pairs.right_pairs:>6,}"
            )
        lines.append(
            f"走访归户正确 {_ratio(self.right_visits, self.visit_rows)}（{self.right_visits:,}/{self.visit_rows:,}）"
        )
        return "\n".join(lines)


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "—"


@dataclass(frozen=True)
class TruthRow:
    """A row of a truth file; empty `person_uid` for a visit."""

    person_uid: str
    household_uid: str


@dataclass(frozen=True)
class FoundRow:
    """A row of a crosswalk; empty strings for null."""

    person_id: str
    household_id: str


def read_truth(path: Path) -> dict[RowKey, TruthRow]:
    """The truth file by (list, file, sheet, row)."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            (line["source"], line["file"], line["sheet"], int(line["row"])): TruthRow(
                line["person_uid"], line["household_uid"]
            )
            for line in csv.DictReader(file)
        }


def read_crosswalk(path: Path) -> tuple[dict[RowKey, FoundRow], int]:
    """The crosswalk by (list, file, sheet, row), and how many rows came more than once."""
    rows: dict[RowKey, FoundRow] = {}
    repeated = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            key = (line["list_code"], line["file_name"], line["sheet_name"], int(line["row_number"]))
            repeated += key in rows
            rows[key] = FoundRow(line["person_id"], line["household_id"])
    return rows, repeated


def evaluate(crosswalk: Path, truth: Path) -> Evaluation:
    """Compares a crosswalk (columns of `published.source_record`) with a truth file."""
    found, repeated = read_crosswalk(crosswalk)
    return evaluate_rows(found, read_truth(truth), repeated)


def evaluate_rows(
    found: dict[RowKey, FoundRow], truth: dict[RowKey, TruthRow], repeated: int = 0
) -> Evaluation:
    """The same on rows already read."""
    nothing = FoundRow("", "")
    person_rows = [(key, row) for key, row in truth.items() if row.person_uid]
    # A row without an answer is alone: its key stands for its cluster.
    person_of = {key: found.get(key, nothing).person_id or key for key, _ in person_rows}
    household_of = {key: found.get(key, nothing).household_id or key for key in truth}
    true_home, found_home = _homes(person_rows, household_of)
    most_of_home = _most_common_by(
        (true_home[uid], found_home[uid]) for uid in true_home if isinstance(found_home[uid], str)
    )
    visits = [
        (key, row.household_uid)
        for key, row in truth.items()
        if not row.person_uid and row.household_uid in most_of_home
    ]
    return Evaluation(
        row_count=len(truth),
        missing_rows=len(truth.keys() - found.keys()),
        extra_rows=len(found.keys() - truth.keys()),
        repeated_rows=repeated,
        unanswered_rows=sum(key in found and not found[key].person_id for key, _ in person_rows),
        true_persons=len(true_home),
        found_persons=len(set(person_of.values())),
        persons=Pairs.of((row.person_uid, person_of[key]) for key, row in person_rows),
        exact_persons=_exact((row.person_uid, person_of[key]) for key, row in person_rows),
        roofs=Pairs.of((true_home[uid], found_home[uid]) for uid in true_home),
        roof_rows=Pairs.of((row.household_uid, household_of[key]) for key, row in truth.items()),
        exact_households=_exact((true_home[uid], found_home[uid]) for uid in true_home),
        true_households=len(set(true_home.values())),
        visit_rows=len(visits),
        right_visits=sum(household_of[key] == most_of_home[home] for key, home in visits),
    )


def _homes(
    person_rows: list[tuple[RowKey, TruthRow]], household_of: Mapping[RowKey, Hashable]
) -> tuple[dict[str, str], dict[str, Hashable]]:
    """Each true person's true household, and the one the platform put most of their rows in."""
    true_home = {row.person_uid: row.household_uid for _, row in person_rows}
    return true_home, _most_common_by((row.person_uid, household_of[key]) for key, row in person_rows)


def _most_common_by(pairs: Iterable[tuple[str, Hashable]]) -> dict[str, Hashable]:
    """The most frequent second for each first; ties go to the smaller text, so that the result is one."""
    votes: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for first, second in pairs:
        votes[first][second] += 1
    return {
        first: min(counter, key=lambda value: (-counter[value], str(value)))
        for first, counter in votes.items()
    }


def _exact(assignments: Iterable[tuple[Hashable, Hashable]]) -> int:
    """True clusters that are exactly one found cluster."""
    members_of_truth: Counter[Hashable] = Counter()
    members_of_found: Counter[Hashable] = Counter()
    cells: Counter[tuple[Hashable, Hashable]] = Counter()
    for true_cluster, found_cluster in assignments:
        members_of_truth[true_cluster] += 1
        members_of_found[found_cluster] += 1
        cells[true_cluster, found_cluster] += 1
    return sum(
        count == members_of_truth[true_cluster] == members_of_found[found_cluster]
        for (true_cluster, found_cluster), count in cells.items()
    )


def mistakes(found: dict[RowKey, FoundRow], truth: dict[RowKey, TruthRow], of: str = "person") -> list[str]:
    """Every wrong cluster in words: `split` (one true, several found) and `merged` (several true, one found).

    `of` is `person` or `household`. Each line names the rows, so that they can be looked up in the deliveries.
    """
    groups: dict[str, dict[str, dict[str, list[RowKey]]]] = {
        "split": defaultdict(dict),
        "merged": defaultdict(dict),
    }
    for key, true_row in truth.items():
        if not true_row.person_uid or key not in found:
            continue
        true_id = true_row.person_uid if of == "person" else true_row.household_uid
        found_id = found[key].person_id if of == "person" else found[key].household_id
        groups["split"][true_id].setdefault(found_id, []).append(key)
        groups["merged"][found_id].setdefault(true_id, []).append(key)
    lines = []
    for kind, clusters in groups.items():
        for cluster_id, parts in clusters.items():
            if len(parts) > 1:
                shown = " | ".join(
                    f"{part}: {', '.join(f'{k[1]}:{k[3]}' for k in keys[:4])}" for part, keys in parts.items()
                )
                lines.append(f"{kind} {of} {cluster_id}: {shown}")
    return lines


def main() -> None:
    """Command line of this module."""
    import argparse

    parser = argparse.ArgumentParser(description="Judge a crosswalk against the truth.")
    parser.add_argument("crosswalk", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--examples", type=int, default=0, help="wrong clusters to list")
    parser.add_argument("--of", choices=("person", "household"), default="person")
    arguments = parser.parse_args()
    found, repeated = read_crosswalk(arguments.crosswalk)
    truth = read_truth(arguments.truth)
    print(evaluate_rows(found, truth, repeated).table())
    for line in mistakes(found, truth, arguments.of)[: arguments.examples]:
        print(line)


if __name__ == "__main__":
    main()
