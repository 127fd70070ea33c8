"""Faults from outside the process: its helpers killed or stopped, its backend ended, a disk that is full, a lock that is held.

Belongs here: the disturbances, each with what must be true then. Not here: faults at counted operations (`sweep`).
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import psutil
import psycopg

from tests.faults.harness import Attempt, Harness, children_of_session

SCENARIO: Final = "delivery"


def _helper(pid: int, word: str, seconds: float = 20) -> psutil.Process | None:
    """The first process of the victim whose command line has the word."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and psutil.pid_exists(pid):
        for process in children_of_session(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(word in part for part in process.cmdline()):
                    return process
        time.sleep(0.005)
    return None


def _with_helper(harness: Harness, word: str, number: int, delay: float, what: str) -> Attempt:
    _, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    pid = harness.start(SCENARIO, small_pieces=word == "ingest.sealing_pool", silent_seconds=2)
    helper = _helper(pid, word)
    time.sleep(delay)
    if helper is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            helper.send_signal(number)
    first = harness.finish()
    attempt = harness.judge(SCENARIO, f"{what} after {delay:.2f} s", first, expected, pid)
    if helper is None:
        attempt.problems.append(f"no process {word} was seen")
    return attempt


def parser_killed(harness: Harness, delay: float) -> Attempt:
    """The parser's process is killed: the file is read once more, not refused."""
    return _with_helper(harness, "ingest.parser", signal.SIGKILL, delay, "parser killed")


def parser_stopped(harness: Harness, delay: float) -> Attempt:
    """The parser's process is stopped and says nothing any more: it is ended, and the file read once more."""
    return _with_helper(harness, "ingest.parser", signal.SIGSTOP, delay, "parser stopped")


def sealer_killed(harness: Harness, delay: float) -> Attempt:
    """A sealing process is killed: the delivery waits for the next run."""
    return _with_helper(harness, "ingest.sealing_pool", signal.SIGKILL, delay, "sealing process killed")


def sealer_stopped(harness: Harness, delay: float) -> Attempt:
    """A sealing process is stopped and answers no more: the delivery waits for the next run, and nobody for the process."""
    return _with_helper(harness, "ingest.sealing_pool", signal.SIGSTOP, delay, "sealing process stopped")


def backend_ended(harness: Harness, delay: float) -> Attempt:
    """The server ends the victim's sessions (pg_terminate_backend)."""
    run, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    pid = harness.start(SCENARIO)
    time.sleep(delay * run.seconds)
    with psycopg.connect(harness.conninfo(), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid()"
        )
    first = harness.finish()
    return harness.judge(SCENARIO, f"backend ended at {delay:.0%}", first, expected, pid)


def disk_full(harness: Harness, most_bytes: int) -> Attempt:
    """No file may grow beyond so many bytes (RLIMIT_FSIZE): receipts and what waits on disk do not fit."""
    _, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    pid = harness.start(SCENARIO, file_size_limit=most_bytes, small_pieces=True)
    first = harness.finish()
    attempt = harness.judge(SCENARIO, f"files of at most {most_bytes} bytes", first, expected, pid)
    if first.outcome != "TransientError":
        attempt.problems.append(f"expected a TransientError: {first.outcome}")
    return attempt


def lock_held(harness: Harness, table: str, mode: str = "access exclusive") -> Attempt:
    """Somebody holds a lock for longer than anybody waits (F41): told within half a minute, and made good by the next run."""
    _, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    with psycopg.connect(harness.conninfo()) as holder:
        holder.execute(f"lock table {table} in {mode} mode")  # type: ignore[arg-type]
        pid = harness.start(SCENARIO)
        timer = threading.Timer(60, os.kill, (pid, signal.SIGKILL))
        timer.start()
        first = harness.finish()
        timer.cancel()
        holder.rollback()
    attempt = harness.judge(SCENARIO, f"{table} locked", first, expected, pid)
    if first.outcome != "TransientError" or first.seconds > 45:
        attempt.problems.append(f"{first.outcome} after {first.seconds:.0f} s")
    return attempt


def all_of_them(harness: Harness, rounds: int, seed: int) -> Iterator[Attempt]:
    """Each disturbance so many times, at random moments."""
    order = random.Random(seed)
    helpers: tuple[Callable[[Harness, float], Attempt], ...] = (
        parser_killed, parser_stopped, sealer_killed, sealer_stopped, backend_ended,
    )  # fmt: skip
    for _ in range(rounds):
        for disturb in helpers:
            yield disturb(harness, order.random() * (1.0 if disturb is backend_ended else 0.4))
        yield disk_full(harness, order.choice([1_000, 3_000, 6_000]))
    for table in ("raw.disabled", "ops.delivery", "ops.receipt"):
        yield lock_held(harness, table)
