"""Mutated files: a named outcome each, in time, and no row lost against a reader that shares nothing with ours."""

import time

import pytest

from tests.faults.mutated import through_database, through_memory
from tests.faults.mutations import FORMATS, mutated, sound
from tests.faults.plain_reader import count_members, count_rows

SEED = 20261124


def wrong(results):
    return [
        (result.file.number, result.file.format, result.file.changes, result.outcome, result.problem)
        for result in results
        if result.problem
    ]


def test_the_plain_reader_counts_the_sound_files():
    for kind in FORMATS:
        if kind == "cards":
            assert count_members(sound(kind)) == 12
        else:
            assert count_rows(sound(kind)) == 24, kind


def test_a_number_and_a_seed_always_make_the_same_file():
    for number in range(len(FORMATS)):
        first, again = mutated(number, 1), mutated(number, 1)
        assert first.changes == again.changes
        if first.format.startswith("csv"):
            assert first.content == again.content
    assert mutated(0, 1).content != mutated(0, 2).content


def test_mutated_files_have_a_named_outcome_and_lose_no_row(tmp_path):
    began = time.process_time()
    results = list(through_memory(tmp_path, range(150), SEED))
    assert wrong(results) == []
    assert {result.file.format for result in results} == set(FORMATS)
    assert sum(result.counted is not None for result in results) > 40, "rows were compared"
    assert sum(result.outcome != "rows" for result in results) > 40, "files were refused"
    assert time.process_time() - began < 60


# Found by the soak: what each of them once did.
@pytest.mark.parametrize(
    ("number", "seed", "once"),
    [
        (491, 4, "a header of thirty thousand columns was looked at for every list"),
        (5023, 4, "a second table whose header had lost columns was left out"),
        (161, 1, "openpyxl failed on a colour"),
        (555, 1, "cells outside a row were left out"),
        (1508, 1, "a directory that leads back to itself"),
        (1635, 1, "rows behind the table's end were left out"),
        (2348, 1, "members below a header that one card alone had were left out"),
        (7612, 20261124, "the row whose copy had run into a header was taken for that header again"),
    ],
)
def test_files_that_once_went_wrong(tmp_path, number, seed, once):
    assert wrong(through_memory(tmp_path, range(number, number + 1), seed)) == [], once


@pytest.mark.database
def test_mutated_files_go_all_the_way(warehouse, tmp_path):
    results = list(through_database(warehouse.engine, tmp_path, range(27), SEED))
    assert wrong(results) == []
    memory = [result.outcome for result in through_memory(tmp_path / "memory", range(27), SEED)]
    assert sum(a.outcome == b for a, b in zip(results, memory, strict=True)) >= 22, (
        "the way through memory is the same but for what the ledger decides"
    )
