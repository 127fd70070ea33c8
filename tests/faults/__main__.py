"""`make soak`: the long versions of the tests of this folder, with a bar for each and a table at the end.

Belongs here: the command line. Exit code 1 when anything was not as it must be; each such case is told with what makes it
again (scenario, operation, seed, number).
"""

import os
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from infra.postgres import EmbeddedServer
from infra.warehouse import Warehouse
from tests.faults import outside
from tests.faults.harness import Harness
from tests.faults.mutated import through_database, through_memory
from tests.faults.scenes import SCENES
from tests.faults.sweep import fault_at, points, random_kills, some

# Commits are waited for: one of the disturbances makes the server start again.
_FAST_AND_UNSAFE = {"fsync": "off", "full_page_writes": "off"}
_SWEPT = ("delivery", "release", "refuse", "confirm", "unlock", "first")
_TOGETHER = 100  # files that go all the way at once
_SHARE_ALL_THE_WAY = 10  # one file in so many


class Soak:
    """Runs the parts and keeps what came of them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.rows: list[tuple[str, int, int, str, float]] = []

    def part(
        self, name: str, count: int, cases: Iterable[Any], tell: Callable[[Any], tuple[str, str]]
    ) -> None:
        """One part with its bar; `tell` gives a case's outcome, and what was wrong with it or nothing."""
        outcomes: Counter[str] = Counter()
        wrong, began = 0, time.monotonic()
        with Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
        ) as bar:
            task = bar.add_task(name, total=count)
            for case in cases:
                outcome, problem = tell(case)
                outcomes[outcome] += 1
                if problem:
                    wrong += 1
                    self._console.print(f"[red]{name}[/]: {problem}", markup=True, highlight=False)
                bar.advance(task)
        told = ", ".join(f"{outcome} {times}" for outcome, times in outcomes.most_common())
        self.rows.append((name, sum(outcomes.values()), wrong, told, time.monotonic() - began))

    def table(self) -> Table:
        """What came of all parts."""
        table = Table(title="make soak")
        for heading in ("part", "cases", "wrong", "outcomes", "seconds"):
            table.add_column(heading, justify="left" if heading in ("part", "outcomes") else "right")
        for name, count, wrong, told, seconds in self.rows:
            table.add_row(name, str(count), f"[red]{wrong}[/]" if wrong else "0", told, f"{seconds:.0f}")
        return table


def _of_attempt(attempt: Any) -> tuple[str, str]:
    return attempt.first.outcome, f"{attempt.what}: {attempt.problems}" if attempt.problems else ""


def _of_result(seed: int) -> Callable[[Any], tuple[str, str]]:
    def tell(result: Any) -> tuple[str, str]:
        file = result.file
        about = f"seed {seed} number {file.number} {file.format} {file.changes}: {result.problem}"
        return result.outcome, about if result.problem else ""

    return tell


def _in_database(harness: Harness, folder: Path, count: int, seed: int) -> Iterator[Any]:
    for begin in range(0, count, _TOGETHER):
        warehouse: Warehouse = harness.fresh_warehouse()
        yield from through_database(
            warehouse.engine, folder / "database", range(begin, min(begin + _TOGETHER, count)), seed
        )
        warehouse.close()


@click.command()
@click.option("--kills", default=200, help="kills at random times")
@click.option("--files", default=10_000, help="mutated files")
@click.option(
    "--points", "most_points", default=0, help="operations of a scenario that are tried; 0: all, in every way"
)
@click.option(
    "--scenario", "scenarios", multiple=True, type=click.Choice(_SWEPT), help="only these; default: all"
)
@click.option("--rounds", default=5, help="rounds of disturbances from outside")
@click.option("--seed", default=20261124)
def main(
    kills: int, files: int, most_points: int, scenarios: tuple[str, ...], rounds: int, seed: int
) -> None:
    """Kill, fail and mutate for as long as it takes."""
    os.nice(10)
    console = Console()
    soak = Soak(console)
    folder = Path(tempfile.mkdtemp(prefix="yihu-soak-"))
    folder.chmod(0o755)
    (folder / "server").mkdir(mode=0o755)
    server = EmbeddedServer(folder / "server", _FAST_AND_UNSAFE)
    try:
        with Harness(server.start(), folder / "scenes", "soak") as harness:
            for scenario in scenarios or _SWEPT:
                chosen = points(harness, scenario)
                if most_points:
                    chosen = some(chosen, most_points, seed)
                soak.part(
                    f"every operation: {scenario}",
                    len(chosen),
                    (fault_at(harness, scenario, point) for point in chosen),
                    _of_attempt,
                )
            if kills:
                assert "dozen" in SCENES
                soak.part(
                    "random kills: a dozen deliveries",
                    kills,
                    random_kills(harness, "dozen", kills, seed),
                    _of_attempt,
                )
            if rounds:
                soak.part(
                    "from outside",
                    outside.how_many(rounds),
                    outside.all_of_them(harness, rounds, seed),
                    _of_attempt,
                )
            if files:
                soak.part(
                    "mutated files",
                    files,
                    through_memory(folder / "memory", range(files), seed),
                    _of_result(seed),
                )
                whole = files // _SHARE_ALL_THE_WAY
                soak.part(
                    "mutated files, all the way",
                    whole,
                    _in_database(harness, folder, whole, seed + 1),
                    _of_result(seed + 1),
                )
    finally:
        server.remove()
        shutil.rmtree(folder)
    console.print(soak.table())
    most = [
        resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    console.print(f"most memory: {most[0]} MiB here, {most[1]} MiB in a process beside")
    raise SystemExit(any(wrong for _, _, wrong, _, _ in soak.rows))


if __name__ == "__main__":
    main()
