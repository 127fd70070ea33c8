"""Which faults are tried: every operation of a scenario in every way, and kills at random times.

Belongs here: the choice, from a seed. Not here: what must be true afterwards (`harness`).
"""

import bisect
import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
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
    """Kills at any time from 0 to 100 % of the clean run's duration, drawn evenly.

    A moment is so long after an operation as it was in the clean run: on a busy machine the kills would else all fall
    into the beginning.
    """
    order = random.Random(seed)
    run, expected = harness.clean(scenario)
    for number in range(count):
        # Strata, so that a short series, too, covers the whole run.
        share = (number + order.random()) / count
        moment = share * run.seconds
        done = bisect.bisect(run.moments, moment)
        rest = moment - run.moments[done - 1] if done else moment
        harness.reset(scenario)
        pid = harness.start(scenario)
        killer = threading.Thread(target=_kill, args=(pid, harness.trace, done, rest))
        killer.start()
        first = harness.finish()
        killer.join()
        yield harness.judge(
            scenario,
            f"{scenario} killed at {share:.0%}, {len(first.steps)} operations done",
            first,
            expected,
            pid,
        )


def _kill(pid: int, trace: Path, done: int, rest: float) -> None:
    """Kill the process so many seconds after its operation number `done`, if it comes so far."""
    with contextlib.suppress(ProcessLookupError):
        while done and trace.read_bytes().count(b"\n") < done:
            os.kill(pid, 0)
            time.sleep(0.002)
        time.sleep(rest)
        os.kill(pid, signal.SIGKILL)
