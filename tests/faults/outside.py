"""Faults from outside the process: its helpers killed or stopped, its backend ended, a disk that is full, a lock that is held.

Belongs here: the disturbances, each with what must be true then. Not here: faults at counted operations (`sweep`).
"""

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import psycopg

from tests.faults.harness import Attempt, Harness, children_of_session

SCENARIO: Final = "delivery"
_SILENT_SECONDS: Final = 5  # instead of half a minute or more, where a process is stopped
LOCKED: Final = (
    "raw.disabled",
    "ops.delivery",
    "ops.quarantined_row",
    "ops.row_warning",
    "ops.receipt",
    "ops.alert",
)


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
    silent_seconds = _SILENT_SECONDS if number == signal.SIGSTOP else 0
    pid = harness.start(SCENARIO, small_pieces=word == "ingest.sealing_pool", silent_seconds=silent_seconds)
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


def small_disk(harness: Harness, place: str) -> Attempt:
    """The disk on which outbox or spool lie is full (ENOSPC of a file system of its own): told, and made good when it is not.

    Mounting needs root.
    """
    _, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    folder = harness.scene / place
    before = folder.with_name(f"{place} before")
    folder.rename(before)
    shutil.copytree(before, folder)
    size = sum(-(-path.stat().st_size // 4096) * 4 for path in before.rglob("*") if path.is_file()) + 24
    mode = oct(folder.stat().st_mode)[-3:]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k,mode={mode}", "tmpfs", folder], check=True)
    try:
        shutil.copytree(before, folder, dirs_exist_ok=True)
        _fill(folder / ".filler")
        pid = harness.start(SCENARIO, small_pieces=True)
        first = harness.finish()
        (folder / ".filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        attempt = harness.judge(SCENARIO, f"the disk of the {place} is full", first, expected, pid)
    finally:
        subprocess.run(["umount", folder], check=True)
    if first.outcome != "TransientError" or os.strerror(errno.ENOSPC) not in first.message:
        attempt.problems.append(f"expected a TransientError that tells of the disk: {first}")
    return attempt


def _fill(path: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def backend_killed(harness: Harness, delay: float) -> Attempt:
    """A process of the server is killed (F05): the server drops every session and starts again by itself."""
    run, expected = harness.clean(SCENARIO)
    harness.reset(SCENARIO)
    pid = harness.start(SCENARIO)
    time.sleep(delay * run.seconds)
    with psycopg.connect(harness.conninfo(), autocommit=True) as connection:
        session = None
        while session is None and not _is_over(pid):
            session = connection.execute(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and backend_type = 'client backend'"
            ).fetchone()
        if session is not None:
            os.kill(session[0], signal.SIGKILL)
    first = harness.finish()
    _wait_for_server(harness)
    return harness.judge(SCENARIO, f"a process of the server killed at {delay:.0%}", first, expected, pid)


def _is_over(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def _wait_for_server(harness: Harness) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(harness.conninfo()).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


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


def how_many(rounds: int) -> int:
    """The disturbances that `all_of_them` makes."""
    return 7 * rounds + len(LOCKED) + (2 if os.geteuid() == 0 else 0)


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
        yield backend_killed(harness, order.random())
    for table in LOCKED:
        yield lock_held(harness, table)
    if os.geteuid() == 0:
        for place in ("outbox", "spool"):
            yield small_disk(harness, place)
