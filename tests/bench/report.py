"""What a run found: the table a person reads, and the same as JSON."""

from __future__ import annotations

import json
import os
import resource
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Cost


@dataclass(frozen=True)
class Goal:
    """A goal of docs/performance.md, and whether a measured value meets it."""

    code: str
    words: str
    is_met: bool

    @classmethod
    def at_most(cls, code: str, value: float, limit: float) -> Goal:
        """The value must not exceed the limit."""
        return cls(code, f"≤ {limit:g}", value <= limit)

    @classmethod
    def at_least(cls, code: str, value: float, limit: float) -> Goal:
        """The value must reach the limit."""
        return cls(code, f"≥ {limit:g}", value >= limit)


@dataclass(frozen=True)
class Finding:
    """One line: what was measured on how many rows, what it cost, and what its floor cost (None: a figure only)."""

    part: str
    what: str
    rows: int
    ours: Cost | None = None
    floor: Cost | None = None
    floor_is: str = ""
    figure: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Wall seconds over the floor's."""
        return self.ours.wall / self.floor.wall if self.ours and self.floor else None

    @property
    def cpu_ratio(self) -> float | None:
        """CPU seconds over the floor's."""
        return self.ours.cpu / self.floor.cpu if self.ours and self.floor and self.floor.cpu else None


@dataclass
class Report:
    """All findings of a run, the top costs inside the parts, and the machine they belong to."""

    options: dict[str, Any]
    load_before: tuple[float, float, float] = field(default_factory=os.getloadavg)
    findings: list[Finding] = field(default_factory=list)
    costs: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def show(self, console: Console) -> None:
        """Print the table, the floors, and the top costs."""
        table = Table(title="speed of the line", title_justify="left")
        for column in ("part", "what", "rows", "ours s", "floor s", "ratio", "cpu ratio", "goal", "met"):
            table.add_column(column, justify="left" if column in ("part", "what", "goal", "met") else "right")
        floors = list(dict.fromkeys(one.floor_is for one in self.findings if one.floor_is))
        for one in self.findings:
            mark = f" [dim]({floors.index(one.floor_is) + 1})[/dim]" if one.floor_is else ""
            table.add_row(
                one.part, one.what + mark, f"{one.rows:,}", _seconds(one.ours), _seconds(one.floor),
                f"{one.figure:.4g}" if one.figure is not None else _times(one.ratio), _times(one.cpu_ratio),
                f"{one.goal.code} {one.goal.words}" if one.goal else "", _verdict(one.goal),
            )  # fmt: skip
        console.print(table)
        console.print(
            "floors: " + "; ".join(f"({number}) {words}" for number, words in enumerate(floors, start=1))
        )
        for part, costs in self.costs.items():
            shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in costs)
            console.print(f"[bold]{part}[/bold]: {shown}")
        console.print(
            f"load average {', '.join(f'{load:.1f}' for load in self.load_before)} before, "
            f"{', '.join(f'{load:.1f}' for load in os.getloadavg())} after; {os.cpu_count()} processors; "
            f"peak memory of this process {peak_memory_gib():.2f} GiB"
        )

    def write(self, folder: Path, finished_at: datetime) -> Path:
        """Write the run as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{finished_at:%Y%m%dT%H%M%SZ}.json"
        content = {
            "options": self.options,
            "finished_at": finished_at.isoformat(timespec="seconds"),
            "processors": os.cpu_count(),
            "load_before": self.load_before,
            "load_after": os.getloadavg(),
            "peak_memory_gib": round(peak_memory_gib(), 3),
            "findings": [
                asdict(one) | {"ratio": one.ratio, "cpu_ratio": one.cpu_ratio} for one in self.findings
            ],
            "costs": self.costs,
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        return path


def peak_memory_gib() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _seconds(cost: Cost | None) -> str:
    return f"{cost.wall:.2f}" if cost else ""


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else ""


def _verdict(goal: Goal | None) -> str:
    return "" if goal is None else "[green]yes[/green]" if goal.is_met else "[red]no[/red]"
