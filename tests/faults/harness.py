"""One attempt after the other: a copy of the scene, a process in which something goes wrong, an ordinary run, a comparison.

Belongs here: databases, processes, and what must be true after each attempt. Not here: which faults are tried (`sweep`).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psutil
import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from infra.migrations import migrate
from infra.postgres import ServerAddress
from infra.protection import FieldProtector
from infra.warehouse import Warehouse
from tests.faults.scenes import prepare
from tests.faults.state import NO_GAPS, State, differences, end_state

ROOT: Final = Path(__file__).parents[2]
KILLED: Final = -signal.SIGKILL
_GONE_SECONDS: Final = (
    5.0  # reliability.md F04: a dead client's backend, and what it started, are gone by then
)
_HANG_SECONDS: Final = 120.0


@dataclass
class Run:
    """One run of the victim.

    Attributes:
        steps: A line an operation: number, kind, what it works on.
        moments: For each of them the seconds from the start of the run to its beginning.
    """

    status: int
    outcome: str
    message: str
    steps: list[str]
    moments: list[float]
    seconds: float


@dataclass
class Attempt:
    """What came of one fault; `problems` is empty when all is as it must be."""

    what: str
    first: Run
    problems: list[str] = field(default_factory=list)


class Harness:
    """Scenes on one server. To be closed.

    Args:
        address: The throw-away server.
        folder: Everything lies below; the scene always at the same place, because the ledger knows absolute paths.
        name: Part of the names of databases.
    """

    def __init__(self, address: ServerAddress, folder: Path, name: str = "faults") -> None:
        self._address = address
        self._folder = folder
        self._name = name
        self.scene = folder / "scene"
        self.trace = folder / "trace"
        self._bases: dict[str, Path] = {}
        self._clean: dict[tuple[str, bool], tuple[Run, State]] = {}
        self._attempts = 0
        self._database = ""
        (folder / "keys").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._protector = FieldProtector(folder / "keys" / "field-keys.json")
        self._protector.encrypt("x", "x")  # makes the key file
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.victim"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._administer("create database {} template template0", f"{name}_template")
        warehouse = self._warehouse(f"{name}_template")
        migrate(warehouse.engine)
        warehouse.close()

    def __enter__(self) -> "Harness":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the victim's parent and drop the databases."""
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait()
        for database in (
            self._database,
            f"{self._name}_template",
            f"{self._name}_fresh",
            *map(self._base_name, self._bases),
        ):
            if database:
                self._administer("drop database if exists {} with (force)", database)

    # --- one run -------------------------------------------------------------------------------------------------

    def reset(self, scenario: str) -> None:
        """Database and folder as they are before the scenario."""
        if scenario not in self._bases:
            self._bases[scenario] = self._make_base(scenario)
        if self._database:
            self._administer("drop database {} with (force)", self._database)
        self._attempts += 1
        self._database = f"{self._name}_{self._attempts}"
        self._administer("create database {} template " + self._base_name(scenario), self._database)
        if self.scene.exists():
            shutil.rmtree(self.scene)
        shutil.copytree(self._bases[scenario], self.scene)

    def start(self, scenario: str, **options: Any) -> int:
        """Start the victim; its process number."""
        (self._folder / "result").unlink(missing_ok=True)
        self.trace.write_bytes(b"")
        request = {
            "scenario": scenario,
            "folder": str(self.scene),
            "url": self._warehouse_url(self._database),
            "trace": str(self.trace),
            "result": str(self._folder / "result"),
            "log": str(self._folder / "victim.log"),
            **options,
        }
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(request).encode() + b"\n")
        self._zygote.stdin.flush()
        self._started = time.monotonic()
        return int(self._zygote.stdout.readline())

    def finish(self) -> Run:
        """Wait for the victim."""
        assert self._zygote.stdout is not None
        status = int(self._zygote.stdout.readline())
        seconds = time.monotonic() - self._started
        lines = [line.rpartition("\t") for line in self.trace.read_text("utf-8").splitlines()]
        try:
            result = json.loads((self._folder / "result").read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            result = {"outcome": "died", "message": ""}
        return Run(
            status,
            result["outcome"],
            result["message"],
            [step for step, _, _ in lines],
            [float(moment) - self._started for _, _, moment in lines],
            seconds,
        )

    def run(self, scenario: str, **options: Any) -> Run:
        """Start the victim and wait for it."""
        self.start(scenario, **options)
        return self.finish()

    def clean(self, scenario: str, *, small_pieces: bool = False) -> tuple[Run, State]:
        """The run that nothing disturbs, and its end state."""
        key = (scenario, small_pieces)
        if key not in self._clean:
            self.reset(scenario)
            run = self.run(scenario, small_pieces=small_pieces)
            assert run.outcome == "done", run
            problems = self.leftovers()
            assert not problems, problems
            self._clean[key] = (run, self.state())
        return self._clean[key]

    def state(self) -> State:
        """The end state of the present scene."""
        return end_state(self.conninfo(), self._protector, self.scene)

    def conninfo(self) -> str:
        """Of the present scene's database."""
        return self._warehouse_url(self._database).replace("postgresql+psycopg", "postgresql")

    # --- judging -------------------------------------------------------------------------------------------------

    def judge(self, scenario: str, what: str, first: Run, expected: State, pid: int = 0) -> Attempt:
        """After a fault: nothing is left at work, an ordinary second run ends well, and the end is the clean run's."""
        attempt = Attempt(what, first)
        if first.outcome == "other":
            attempt.problems.append(f"an error that is none of ours: {first.message}")
        if any(name in first.message for name in ("测甲", "测乙", "3301021", "1390000")):
            attempt.problems.append("the error names somebody")
        if pid:
            attempt.problems += self._still_running(pid)
        second = self.run(scenario, again=True)
        if second.outcome != "done":
            attempt.problems.append(f"the second run: {second.outcome} {second.message}")
        attempt.problems += self.leftovers()
        attempt.problems += differences(expected, self.state())
        return attempt

    def leftovers(self) -> list[str]:
        """Sessions at work, locks, spool files and drafts that are left after a run."""
        left = []
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            deadline = time.monotonic() + _GONE_SECONDS
            while sessions := connection.execute(
                "select state, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and backend_type = 'client backend'"
            ).fetchall():
                if time.monotonic() > deadline:
                    left.append(f"sessions are left: {[state for state, _ in sessions]}")
                    break
                time.sleep(0.02)
            locks = connection.execute(
                "select count(*) from pg_locks where locktype = 'advisory' and database ="
                " (select oid from pg_database where datname = current_database())"
            ).fetchone()
            if locks != (0,):
                left.append(f"advisory locks are left: {locks}")
        left += [f"left in the spool: {path.name}" for path in (self.scene / "spool").iterdir()]
        left += [f"a draft is left: {path.name}" for path in (self.scene / "outbox").rglob(".*")]
        return left

    @staticmethod
    def _still_running(pid: int) -> list[str]:
        """Processes that the victim started and that outlive it; the victim led a session of its own."""
        deadline = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < deadline:
            if not children_of_session(pid):
                return []
            time.sleep(0.02)
        return [f"processes outlive their parent: {[p.name() for p in children_of_session(pid)]}"]

    # --- databases -----------------------------------------------------------------------------------------------

    def _make_base(self, scenario: str) -> Path:
        self._administer(f"create database {{}} template {self._name}_template", self._base_name(scenario))
        if self.scene.exists():
            shutil.rmtree(self.scene)
        (self.scene / "home").mkdir(parents=True)
        (self.scene / "home").chmod(0o700)
        shutil.copy2(self._folder / "keys" / "field-keys.json", self.scene / "home")
        warehouse = self._warehouse(self._base_name(scenario))
        with warehouse.engine.begin() as connection:
            connection.exec_driver_sql(NO_GAPS)
        prepare(
            scenario, self.scene, warehouse.engine, FieldProtector(self.scene / "home" / "field-keys.json")
        )
        warehouse.close()
        base = self._folder / f"base_{scenario}"
        shutil.copytree(self.scene, base)
        return base

    def fresh_warehouse(self) -> Warehouse:
        """A migrated database of its own that nothing has happened to; the one before goes."""
        name = f"{self._name}_fresh"
        self._administer("drop database if exists {} with (force)", name)
        self._administer(f"create database {{}} template {self._name}_template", name)
        return self._warehouse(name)

    def _base_name(self, scenario: str) -> str:
        return f"{self._name}_base_{scenario}"

    def _warehouse_url(self, database: str) -> str:
        address = self._address
        return URL.create(
            "postgresql+psycopg", address.user, address.password, address.host, address.port, database
        ).render_as_string(hide_password=False)

    def _warehouse(self, database: str) -> Warehouse:
        address = self._address
        url = URL.create("postgresql", address.user, address.password, address.host, address.port, database)
        return Warehouse(url, url.set(database="dagster"))

    def _administer(self, statement: str, database: str) -> None:
        address = self._address
        with psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(SQL(statement).format(Identifier(database)))


def children_of_session(pid: int) -> list[psutil.Process]:
    """Processes of the session that `pid` leads, without itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if (
                process.pid != pid
                and os.getsid(process.pid) == pid
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found
