"""`python -m tests.bench [--rows N] [--parts LIST] [--seed N]`: measures, shows a table, writes it as JSON.

Works in `YIHU_HOME/bench/`, on embedded servers of its own that it removes again; the platform of `YIHU_HOME` and its
database are not touched.
"""

import shutil

import click
from rich.console import Console

from infra.clock import utc_now
from infra.settings import load_settings
from tests.bench.person_linkage import measure_linkage
from tests.bench.platform import MONTH, scratch_platform
from tests.bench.report import Report
from tests.bench.stations import add_up, fill, measure_dbt, measure_ingest, measure_publish
from tests.bench.whole_line import measure_line
from tests.synthetic.deliveries import generate

PARTS = ("ingest", "linkage", "dbt", "publish", "line")
PERSON_RECORDS_PER_HOUSEHOLD = 4.4  # of one month of all lists


@click.command()
@click.option(
    "--rows", default=100_000, show_default=True, help="person records of the street (to 1 million)"
)
@click.option("--parts", default=",".join(PARTS), show_default=True, help="what to measure")
@click.option("--seed", default=7, show_default=True)
def main(rows: int, parts: str, seed: int) -> None:
    """Speed of the line as ratios to floors measured in the same run."""
    wanted = parts.split(",")
    if unknown := set(wanted) - set(PARTS):
        raise click.BadParameter(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    report = Report({"rows": rows, "parts": wanted, "seed": seed})
    folder = load_settings().home / "bench"
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        if set(wanted) - {"line"}:
            households = max(50, round(rows / PERSON_RECORDS_PER_HOUSEHOLD))
            console.print(f"a street of {households:,} households …")
            rounds = generate(
                scratch / "street", seed=seed, households=households, months=1, first_month=MONTH
            )
            landing = scratch / "street" / f"{MONTH:%Y-%m}"
            with scratch_platform(folder / "home") as bench:
                bench.open_refresh()
                if "ingest" in wanted:
                    console.print("ingest …")
                    measure_ingest(bench, report, landing, scratch)
                if set(wanted) & {"linkage", "dbt", "publish"}:
                    console.print("filling staging …")
                    fill(bench, report, landing)
                    console.print("linkage …")
                    measure_linkage(bench, report, rounds.true_rows)
                if "dbt" in wanted:
                    console.print("dbt …")
                    measure_dbt(bench, report)
                if "publish" in wanted:
                    console.print("publish …")
                    measure_publish(bench, report)
                if {"dbt", "publish"} <= set(wanted):
                    add_up(report)
        if "line" in wanted:
            console.print("the whole line …")
            with scratch_platform(folder / "home") as bench:
                measure_line(bench, report, scratch / "line", seed)
    finally:
        # Also when a part failed: what the others found took minutes.
        shutil.rmtree(scratch, ignore_errors=True)
        report.show(console)
        console.print(f"written: {report.write(folder, utc_now())}")


if __name__ == "__main__":
    main()
