"""Taking times: wall and CPU seconds of a call, ours and its floor in turns.

CPU counts this process with all its threads, the processes it started, and the embedded PostgreSQL, because work moves
between them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psutil

from infra.postgres import EmbeddedServer

NOTHING: Final[Callable[[], Any]] = lambda: None  # noqa: E731


@dataclass(frozen=True)
class Cost:
    """Seconds a call took: on the clock, and of all processors used for it."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


class Meter:
    """Measures calls that use this process and the server of one home."""

    def __init__(self, server: EmbeddedServer) -> None:
        pid = server.status().pid
        if pid is None:
            raise RuntimeError("the embedded server of the bench does not run")
        self._postmaster = psutil.Process(pid)

    def cost(self, call: Callable[[], Any]) -> Cost:
        """Run `call` once."""
        cpu, wall = self._cpu(), time.perf_counter()
        call()
        return Cost(time.perf_counter() - wall, self._cpu() - cpu)

    def in_turns(
        self,
        repeats: int,
        ours: Callable[[], Any],
        floor: Callable[[], Any],
        *,
        before_ours: Callable[[], Any] = NOTHING,
        before_floor: Callable[[], Any] = NOTHING,
    ) -> tuple[Cost, Cost]:
        """Best of `repeats` of both, one after the other each time, so that both meet the same neighbours.

        `before_ours` and `before_floor` put back what the call needs and are not counted.
        """
        costs: tuple[list[Cost], list[Cost]] = ([], [])
        for _ in range(repeats):
            before_ours()
            costs[0].append(self.cost(ours))
            before_floor()
            costs[1].append(self.cost(floor))
        return best(costs[0]), best(costs[1])

    def _cpu(self) -> float:
        # Ended backends are counted in the postmaster's children, living ones in their own times.
        times = self._postmaster.cpu_times()
        spent = times.user + times.system + times.children_user + times.children_system
        for backend in self._postmaster.children():
            try:
                own = backend.cpu_times()
            except psutil.NoSuchProcess:
                continue
            spent += own.user + own.system
        own = os.times()  # with the processes that it started and that have ended
        return spent + own.user + own.system + own.children_user + own.children_system


def best(costs: list[Cost]) -> Cost:
    """The run that was disturbed least."""
    return min(costs, key=lambda cost: cost.wall)
