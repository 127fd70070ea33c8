"""The whole line: one month of a street of 3,000 households in a warm process, beside the sum of the floors.

The second month is measured. The first one warms the process, is audited by the synthetic inspectors, and so lets the
second be judged and published as in real life.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from linkage import model
from orchestration.line import refresh_line
from publish.crosswalk import write_crosswalk
from publish.stamping import TABLES
from quality.audit import draw_audit
from tests.bench import floors
from tests.bench.measure import Cost, best
from tests.bench.person_linkage import plain_floor, read_records
from tests.bench.platform import AS_OF, MONTH, Bench
from tests.bench.report import Finding, Goal, Report
from tests.bench.stations import arrival_floor, made_tables
from tests.synthetic.deliveries import Rounds
from tests.synthetic.dirt import Dirt
from tests.synthetic.inspectors import inspect
from tests.synthetic.population import World

HOUSEHOLDS = 3_000
NEXT_MONTH, NEXT_AS_OF = date(2026, 9, 1), date(2026, 9, 30)
PLAIN_THRESHOLD = 6.0
REPEATS = 2


def measure_line(bench: Bench, report: Report, scratch: Path, seed: int) -> None:
    """`refresh_line` of the second month, and the floors of what it did."""
    landing = scratch / "landing"
    rounds = Rounds(World.create(seed, HOUSEHOLDS, MONTH, None), Dirt.default(), scratch / "street")
    _deliver(rounds, MONTH, landing)
    refresh_line(landing, AS_OF, platform=bench.platform)
    _audit(bench, scratch, landing, seed)
    arrived = _deliver(rounds, NEXT_MONTH, landing)
    outcomes: list[str] = []
    ours = bench.meter.cost(
        lambda: outcomes.append(refresh_line(landing, NEXT_AS_OF, platform=bench.platform).outcome)
    )
    if outcomes not in (["released"], ["gate_refused"]):
        raise RuntimeError(f"the bench's own month must go through the line, came: {outcomes}")

    floor = _floors(bench, arrived, is_published=outcomes == ["released"])
    least = sum(floor.values(), Cost(0, 0))
    rows = bench.rows("select count(*) from staging.int_person_record")[0][0]
    report.findings.append(
        Finding(
            "line", f"refresh_line, month 2 of {HOUSEHOLDS:,} households ({outcomes[0]})", rows, ours,
            least, "decode + COPY, plain Splink, create table as, insert-select",
            goal=Goal.at_most("G1", ours.wall / least.wall, 2),
        )
    )  # fmt: skip
    report.costs["line floors, s"] = [(name, cost.wall) for name, cost in floor.items()]
    report.costs["line steps, s"] = _step_seconds(bench)


def _deliver(rounds: Rounds, month: date, landing: Path) -> Path:
    folder = rounds.deliver(month)
    shutil.copytree(folder, landing, dirs_exist_ok=True)
    return folder


def _audit(bench: Bench, scratch: Path, landing: Path, seed: int) -> None:
    """The month's audit, returned to the landing folder by the synthetic inspectors."""
    engine = bench.platform.engine
    write_crosswalk(engine, scratch / "crosswalk.csv")
    drawn = draw_audit(engine, MONTH, AS_OF, scratch / "audits")
    truth = scratch / "street" / "truth"
    inspect(drawn.sheets, scratch / "crosswalk.csv", truth, MONTH, landing, seed=seed)


def _floors(bench: Bench, arrived: Path, *, is_published: bool) -> dict[str, Cost]:
    engine = bench.platform.engine
    delivered = f"delivery_id in (select delivery_id from ops.delivery where snapshot_date > '{AS_OF}')"
    built = made_tables(bench, "staging", "master", "candidate")
    records = floors.splink_table(read_records(bench))
    settings = model.shipped_model()["settings"]
    costs: dict[str, list[Cost]] = {"ingest": [], "linkage": [], "dbt": [], "publish": []}
    for _ in range(REPEATS):
        costs["ingest"].append(bench.meter.cost(arrival_floor(bench, arrived, delivered)))
        costs["linkage"].append(bench.meter.cost(lambda: plain_floor(records, settings, PLAIN_THRESHOLD)))
        costs["dbt"].append(bench.meter.cost(lambda: floors.create_as_select(engine, built)))
        if is_published:
            for table in TABLES:
                floors.empty_copy(engine, "release", table)
            costs["publish"].append(bench.meter.cost(lambda: floors.insert_select(engine, TABLES, 1)))
    return {name: best(each) for name, each in costs.items() if each}


def _step_seconds(bench: Bench) -> list[tuple[str, float]]:
    """How long each Dagster step of the newest run took, dearest first."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_records(limit=1)[0].dagster_run
        steps = [
            (step.step_key, step.end_time - step.start_time)
            for step in instance.get_run_step_stats(run.run_id)
            if step.start_time and step.end_time
        ]
    return sorted(steps, key=lambda step: -step[1])
