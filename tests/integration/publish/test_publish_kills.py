"""A publish that dies at any step leaves the old register up whole, and the next call finishes the work (F06)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from publish_register import Register
from sqlalchemy import Engine, create_engine, event, text

from infra.errors import TransientError
from infra.postgres import EmbeddedServer
from infra.settings import load_settings
from infra.warehouse import open_warehouse
from publish.releases import Published, Unchanged, publish

pytestmark = pytest.mark.database


@contextmanager
def fault_at(
    engine: Engine, is_the_moment: Callable[[int, str], bool], fault: Callable[[Any], None]
) -> Iterator[list[str]]:
    """Call `fault` with the driver's connection before a statement or the commit; yields the steps reached.

    `is_the_moment` gets the number of the step, from 1, and its text.
    """
    steps: list[str] = []

    def reach(step: str, connection: Any) -> None:
        steps.append(step)
        if is_the_moment(len(steps), step):
            fault(connection.connection.driver_connection)

    def before_statement(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        reach(statement, connection)

    def before_commit(connection: Any) -> None:
        reach("commit", connection)

    event.listen(engine, "before_cursor_execute", before_statement)
    event.listen(engine, "commit", before_commit)
    try:
        yield steps
    finally:
        event.remove(engine, "before_cursor_execute", before_statement)
        event.remove(engine, "commit", before_commit)


def two_waves(engine: Engine) -> Register:
    """Release 1 is up, build 2 is judged and waits."""
    register = Register(engine)
    register.build()
    register.judge()
    publish(engine)
    register.build(wave=2)
    register.judge()
    return register


def assert_whole(register: Register, wave: int) -> None:
    assert register.published("select release_no from published.release") == [(wave,)]
    assert register.published("select count(*), min(list_count), max(list_count) from published.person") == [
        (6, wave, wave)
    ]


def test_a_publish_killed_at_every_step_is_all_or_nothing(engine: Engine) -> None:
    register = two_waves(engine)
    victim = create_engine(engine.url, hide_parameters=True)

    def kill_backend(connection: Any) -> None:
        with engine.begin() as killer:
            killer.execute(
                text("select pg_terminate_backend(:pid, 5000)"), {"pid": connection.info.backend_pid}
            )

    step, outcome = 0, None
    while outcome is None:
        step += 1
        with fault_at(victim, lambda number, _, step=step: number == step, kill_backend) as steps:
            try:
                outcome = publish(victim)
            except TransientError:
                assert len(steps) == step
                assert_whole(register, 1)
                for table in ("person", "source_record", "release"):
                    assert register.published(f"select max(release_no) from release.{table}") == [(1,)]
    # The first publish that was not killed is the one that has fewer steps than the fault waited for.
    assert isinstance(outcome, Published)
    assert step == len(steps) + 1
    assert step > 15
    assert_whole(register, 2)
    assert publish(victim) == Unchanged(2)
    victim.dispose()


@pytest.mark.parametrize("moment", ["insert into release.source_record", "update release.pointer", "commit"])
def test_a_publish_survives_the_kill_of_the_server(scratch_folder: Path, moment: str) -> None:
    settings = load_settings({"YIHU_HOME": str(scratch_folder)})
    warehouse = open_warehouse(settings)
    register = two_waves(warehouse.engine)
    victim = create_engine(warehouse.engine.url, hide_parameters=True)
    postmaster = EmbeddedServer(scratch_folder).status().pid
    assert postmaster is not None
    # Killed just before the commit is sent, the backend may still live long enough to do it.
    with (
        fault_at(victim, lambda _, step: moment in step, lambda _: os.kill(postmaster, signal.SIGKILL)),
        suppress(TransientError),
    ):
        publish(victim)
    deadline = time.monotonic() + 5
    while EmbeddedServer(scratch_folder).status().pid == postmaster:
        assert time.monotonic() < deadline, "the fault was not reached"
        time.sleep(0.01)
    victim.dispose()
    warehouse.close()

    warehouse = open_warehouse(settings)
    register = Register(warehouse.engine)
    current = register.current()
    assert current in (1, 2)
    assert_whole(register, current)
    outcome = publish(warehouse.engine)
    assert outcome == Unchanged(2) or isinstance(outcome, Published)
    assert_whole(register, 2)
    warehouse.close()
