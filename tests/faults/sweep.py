"""Which faults are tried: every operation of a scenario in every way, and kills at random times.

Belongs here: the choice, from a seed. Not here: what must be true afterwards (`harness`).
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import Final

from tests.faults.harness import KILLED, Attempt, Harness
from tests.faults.operations import FAULTS

# After these the server wants to be asked again; tried at commits, and where a lock is waited for (F41, F42).
RETRYABLE: Final = ("deadlock", "serialization", "lock_timeout")


def points(harness: Harness, scenario: str, *, small_pieces: bool = False) -> list[tuple[int, str, str]]:
    """Every operation of the scenario's clean run with every fault: number, fault, what the operation is."""
    run, _ = harness.clean(scenario, small_pieces=small_pieces)
    found = []
    for line in run.steps:
        number, kind, detail = line.split("\t")
        faults = list(FAULTS)
        if kind == "commit" or "advisory" in detail or kind == "copy":
            faults += RETRYABLE
        found += [(int(number), fault, f"{kind} {detail}") for fault in faults]
    return found


def some(all_points: list[tuple[int, str, str]], count: int, seed: int) -> list[tuple[int, str, str]]:
    """A choice in which every kind of operation comes up, each as often as the others."""
    order = random.Random(seed)
    kinds: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for point in all_points:
        kinds.setdefault((point[1], point[2].split()[0]), []).append(point)
    chosen: list[tuple[int, str, str]] = []
    while len(chosen) < min(count, len(all_points)):
        for kind in sorted(kinds):
            if kinds[kind]:
                chosen.append(kinds[kind].pop(order.randrange(len(kinds[kind]))))
    return chosen[:count]


def fault_at(
    harness: Harness, scenario: str, point: tuple[int, str, str], *, small_pieces: bool = False
) -> Attempt:
    """One fault at one operation."""
    number, fault, what = point
    _, expected = harness.clean(scenario, small_pieces=small_pieces)
    harness.reset(scenario)
    pid = harness.start(scenario, at=number, fault=fault, small_pieces=small_pieces)
    first = harness.finish()
    attempt = harness.judge(scenario, f"{scenario} {fault} {number} {what}", first, expected, pid)
    if fault.startswith("kill") and first.status != KILLED:
        attempt.problems.append(f"it was to be killed and was not: {first.outcome}")
    return attempt


def random_kills(harness: Harness, scenario: str, count: int, seed: int) -> Iterator[Attempt]:
    """Kills at any time from 0 to 100 % of the clean run's duration, drawn evenly."""
    order = random.Random(seed)
    run, expected = harness.clean(scenario)
    for number in range(count):
        # Strata, so that a short series, too, covers the whole run.
        share = (number + order.random()) / count
        harness.reset(scenario)
        pid = harness.start(scenario)
        timer = threading.Timer(share * run.seconds, _kill, (pid,))
        timer.start()
        first = harness.finish()
        timer.cancel()
        yield harness.judge(
            scenario,
            f"{scenario} killed at {share:.0%}, {len(first.steps)} operations done",
            first,
            expected,
            pid,
        )


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
