"""`python -m tests.synthetic --households 3000 --months 3 --seed 7 --out DIR`: writes a synthetic sub-district."""

import time
from datetime import date
from pathlib import Path

import click

from tests.synthetic.deliveries import generate
from tests.synthetic.dirt import Dirt


@click.command()
@click.option("--households", default=3000, show_default=True)
@click.option("--months", default=3, show_default=True)
@click.option("--seed", default=7, show_default=True)
@click.option("--first-month", default="2026-08", show_default=True, help="YYYY-MM")
@click.option(
    "--dirt", "preset", default="default", show_default=True, type=click.Choice(["easy", "default", "hard"])
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(households: int, months: int, seed: int, first_month: str, preset: str, out: Path) -> None:
    """Writes monthly landing folders and the truth of every row under OUT."""
    begun = time.perf_counter()
    first = date.fromisoformat(f"{first_month}-01")
    rounds = generate(
        out, seed=seed, households=households, months=months, first_month=first, dirt=Dirt.preset(preset)
    )
    print(
        f"{len(rounds.months)} rounds, {len(rounds.true_rows)} rows, {time.perf_counter() - begun:.1f} s: {out}"
    )


if __name__ == "__main__":
    main()
