"""One delivery, one decision: killed and failed around single operations, at random times and from outside (F01 to F05, F10,
F23, F41, F42). A short seeded choice; `make soak` tries them all."""

import os

import pytest

from tests.faults import outside
from tests.faults.sweep import fault_at, points, random_kills, some

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("faults")]
SEED = 20261124


@pytest.mark.parametrize(
    ("scenario", "count"),
    [("delivery", 12), ("release", 4), ("refuse", 4), ("confirm", 4), ("unlock", 4)],
)
def test_a_fault_at_any_operation_is_made_good_by_the_next_run(harness, scenario, count):
    all_points = points(harness, scenario)
    assert len(all_points) > 150, "the operations were counted"
    attempts = [fault_at(harness, scenario, point) for point in some(all_points, count, SEED)]
    assert [(attempt.what, attempt.problems) for attempt in attempts if attempt.problems] == []
    if scenario == "delivery":
        assert sum(attempt.first.outcome != "done" for attempt in attempts) >= count // 2, (
            "the faults were felt"
        )


def test_rows_on_disk_and_in_other_processes_are_made_good_too(harness):
    all_points = [
        point
        for point in points(harness, "delivery", small_pieces=True)
        if "copy" in point[2] or "spool" in point[2]
    ]
    attempts = [
        fault_at(harness, "delivery", point, small_pieces=True) for point in some(all_points, 4, SEED)
    ]
    assert [(attempt.what, attempt.problems) for attempt in attempts if attempt.problems] == []


@pytest.mark.parametrize(
    "word", ["from ops.alert", "delete from quality.supplier_scorecard", "update ops.alert set"]
)
def test_mails_and_scores_tell_of_a_lost_server_in_our_words(harness, word):
    """Once a driver's own error came out of them, which may name values of a row."""
    point = next(
        point
        for point in points(harness, "delivery")
        if point[1] == "error_before" and word in point[2].lower()
    )
    attempt = fault_at(harness, "delivery", point)
    assert (attempt.first.outcome, attempt.problems) == ("TransientError", []), attempt.what


def test_kills_at_random_times_over_a_dozen_deliveries(harness):
    attempts = list(random_kills(harness, "dozen", 12, SEED))
    assert [(attempt.what, attempt.problems) for attempt in attempts if attempt.problems] == []
    assert sum(attempt.first.outcome == "died" for attempt in attempts) >= 6
    run, _ = harness.clean("dozen")
    done = [len(attempt.first.steps) for attempt in attempts]
    assert min(done) < len(run.steps) / 4 < len(run.steps) / 2 < max(done), (
        "the kills are spread over the run"
    )


@pytest.mark.parametrize(
    ("disturb", "when"),
    [
        (outside.parser_killed, 0.05),
        (outside.parser_stopped, 0.0),
        (outside.sealer_killed, 0.0),
        (outside.sealer_stopped, 0.0),
        (outside.backend_ended, 0.5),
        (outside.disk_full, 1_000),
        (outside.lock_held, "raw.disabled"),
        (outside.lock_held, "ops.alert"),
    ],
)
def test_a_disturbance_from_outside_is_made_good(harness, disturb, when):
    attempt = disturb(harness, when)
    assert attempt.problems == [], attempt.what


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("place", ["outbox", "spool"])
def test_a_disk_that_is_full_is_told_and_made_good(harness, place):
    attempt = outside.small_disk(harness, place)
    assert attempt.problems == [], attempt.what


def test_the_comparison_sees_one_changed_byte(harness):
    run, expected = harness.clean("delivery")
    changed = {name: list(rows) for name, rows in expected.items()}
    changed["raw.disabled"][0] = changed["raw.disabled"][0].replace("清水苑", "清水園")
    from tests.faults.state import differences

    assert len(differences(expected, changed)) == 1
    for kind in (
        "ops.delivery",
        "ops.quarantined_row",
        "ops.row_warning",
        "ops.receipt",
        "ops.alert",
        "quality.supplier_scorecard",
    ):
        assert expected[kind], f"{kind} is compared"
    assert {
        name.rpartition(".")[2] for name in expected if name.startswith("outbox/") and "回执" in name
    } == {"xlsx", "json"}
    assert differences(expected, expected) == []
    assert {line.split("\t")[1] for line in run.steps} >= {
        "connect", "execute", "copy", "copy write", "commit", "create", "write", "fsync", "replace", "read",
    }  # fmt: skip
