"""Readers during publishes: whole, never empty, never backwards, and nobody waits (reliability.md I3, F16, F17)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from publish_register import Register
from sqlalchemy import Connection, Engine, text

from publish.releases import Published, publish

pytestmark = pytest.mark.database

# In these builds every table carries the wave, and wave n is release n.
ONE_STATEMENT = text(
    """
    select
        release.release_no,
        (select count(*) from published.person) as persons,
        (select array_agg(distinct list_count) from published.person) as person_waves,
        (select array_agg(distinct source_household_no) from published.household) as household_waves,
        (select array_agg(distinct relation_code) from published.household_member) as member_waves,
        (
            select array_agg(distinct source_record.link_rule || '/' || person.list_count)
            from published.source_record
            inner join published.person on source_record.person_id = person.person_id
        ) as joined_waves
    from published.release
    """
)


def next_wave(register: Register, wave: int) -> Published:
    with register.engine.begin() as connection:
        for statement in (
            "update candidate.person set list_count = :wave",
            "update candidate.household set source_household_no = :wave",
            "update candidate.household_member set relation_code = :wave",
            "update candidate.source_record set link_rule = :wave",
        ):
            connection.execute(text(statement), {"wave": str(wave)})
    register.judge()
    outcome = publish(register.engine)
    assert isinstance(outcome, Published)
    return outcome


def faults_of(rows: list[tuple[object, ...]], seen: list[int]) -> list[str]:
    """What is wrong with one look at the interface."""
    if len(rows) != 1:
        return [f"{len(rows)} releases visible"]
    number, persons, *waves = rows[0]
    assert isinstance(number, int)
    expected = [[number], [str(number)], [str(number)], [f"{number}/{number}"]]
    faults = [] if (persons, waves) == (6, expected) else [f"torn: {rows[0]}"]
    if seen and number < seen[-1]:
        faults.append(f"backwards: {seen[-1]} to {number}")
    seen.append(number)
    return faults


@contextmanager
def readers(engine: Engine, faults: list[str], looks: list[int]) -> Iterator[None]:
    """Two sessions of single statements and one of REPEATABLE READ transactions, reading without pause."""
    stop = threading.Event()

    def read_statements() -> None:
        seen: list[int] = []
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not stop.is_set():
                faults.extend(faults_of([tuple(row) for row in connection.execute(ONE_STATEMENT)], seen))
        looks.append(len(seen))

    def read_transactions() -> None:
        seen: list[int] = []
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            while not stop.is_set():
                with connection.begin():
                    first = [tuple(row) for row in connection.execute(ONE_STATEMENT)]
                    time.sleep(0.005)
                    faults.extend(faults_of(first, seen))
                    if [tuple(row) for row in connection.execute(ONE_STATEMENT)] != first:
                        faults.append("a transaction saw two releases")
        looks.append(len(seen))

    threads = [
        threading.Thread(target=read) for read in (read_statements, read_statements, read_transactions)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_no_reader_sees_a_torn_empty_or_older_register_during_200_publishes(
    engine: Engine, register: Register
) -> None:
    next_wave(register, 1)
    faults: list[str] = []
    looks: list[int] = []
    with readers(engine, faults, looks):
        for wave in range(2, 202):
            next_wave(register, wave)
    assert faults == []
    assert len(looks) == 3
    assert sum(looks) > 400
    assert register.current() == 201


def timed(act: object, *arguments: object) -> float:
    began = time.monotonic()
    act(*arguments)  # type: ignore[operator]
    return time.monotonic() - began


def read_once(connection: Connection) -> None:
    with connection.begin():
        connection.execute(ONE_STATEMENT).all()


def test_an_open_report_delays_neither_publishing_nor_other_readers(
    engine: Engine, register: Register
) -> None:
    next_wave(register, 1)
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as report,
        engine.connect() as other,
    ):
        before = report.execute(ONE_STATEMENT).all()
        publish_seconds = [timed(next_wave, register, wave) for wave in range(2, 12)]
        read_seconds = [timed(read_once, other) for _ in range(10)]
        assert report.execute(ONE_STATEMENT).all() == before
        assert before[0].release_no == 1
        assert other.execute(ONE_STATEMENT).one().release_no == 11
    assert max(publish_seconds) <= 1.0
    assert max(read_seconds) <= 1.0


def test_a_publish_in_flight_delays_no_reader_and_shows_them_nothing(
    engine: Engine, register: Register
) -> None:
    next_wave(register, 1)
    with engine.connect() as publisher, engine.connect() as reader:
        publisher.execute(text("select * from release.pointer for update"))
        publisher.execute(text("insert into release.person (release_no, person_id) values (2, 'P1')"))
        assert timed(read_once, reader) <= 1.0
        assert faults_of([tuple(row) for row in reader.execute(ONE_STATEMENT)], []) == []
        publisher.rollback()
