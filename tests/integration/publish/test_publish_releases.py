"""What publish, roll_back, reinstate, freeze_quarter and prune_releases do to the register that is up."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from publish_register import Register
from sqlalchemy import Engine, text

from infra.errors import PermanentError
from publish.releases import (
    Published,
    Refused,
    Unchanged,
    freeze_quarter,
    prune_releases,
    publish,
    reinstate,
    roll_back,
)

pytestmark = pytest.mark.database


def release_wave(register: Register, wave: int) -> Published:
    register.build(wave=wave)
    register.judge()
    outcome = publish(register.engine)
    assert isinstance(outcome, Published)
    return outcome


def test_before_the_first_release_the_interface_is_there_and_empty(
    engine: Engine, register: Register
) -> None:
    for view in ("person", "household", "household_member", "source_record", "id_history", "release"):
        assert register.published(f"select * from published.{view}") == []


def test_the_first_release_is_the_build_row_for_row(engine: Engine, register: Register) -> None:
    register.judge()
    outcome = publish(engine)
    assert isinstance(outcome, Published)
    assert outcome.release_no == 1
    assert outcome.previous_release_no is None
    assert outcome.counts == {
        "person": 6,
        "household": 3,
        "household_member": 6,
        "source_record": 6,
        "id_history": 0,
    }
    assert (outcome.differences.persons_new, outcome.differences.households_new) == (6, 3)
    for table in ("person", "household", "household_member", "source_record", "id_history"):
        columns = ", ".join(
            f"{name}::text"
            for (name,) in register.published(
                "select column_name from information_schema.columns"
                f" where table_schema = 'candidate' and table_name = '{table}' order by 1"
            )
        )
        assert sorted(map(str, register.published(f"select {columns} from published.{table}"))) == sorted(
            map(str, register.published(f"select {columns} from candidate.{table}"))
        )
    assert register.published("select release_no, as_of, lower_bound_ratio from published.release") == [
        (1, date(2026, 8, 31), 0.961)
    ]


@pytest.mark.parametrize(
    ("statuses", "outcome", "code"),
    [
        (["passed"], Published, None),
        (["failed"], Refused, "not_passed"),
        (["insufficient"], Refused, "not_passed"),
        ([], Refused, "not_judged"),
        (["failed", "passed"], Published, None),
        (["passed", "failed"], Refused, "not_passed"),
    ],
)
def test_only_a_passed_newest_verdict_publishes(
    engine: Engine, register: Register, statuses: list[str], outcome: type, code: str | None
) -> None:
    for number, status in enumerate(statuses):
        register.judge(status, evidence=f"e{number}")
    result = publish(engine)
    assert isinstance(result, outcome)
    assert (register.current() == 1) == (outcome is Published)
    if isinstance(result, Refused):
        assert result.code == code
        assert "判定" in result.reason
        assert not statuses or f"测试理由 M01 {statuses[-1]}" in result.reason
        assert register.published("select count(*) from release.person") == [(0,)]


def test_judged_again_an_older_verdict_is_the_last_word(engine: Engine, register: Register) -> None:
    """A check failed once and works again: the same evidence as at first, so the first verdict counts again."""
    first = register.judge("passed", evidence="e1")
    register.judge("failed", evidence="e1 and a failed check")
    assert isinstance(publish(engine), Refused)
    with engine.begin() as connection:
        connection.execute(text(f"update quality.verdict set judged_at = now() where verdict_id = {first}"))
    assert isinstance(publish(engine), Published)


def test_every_target_judged_on_the_content_must_have_passed(engine: Engine, register: Register) -> None:
    register.judge("failed", target="M01")
    register.judge("passed", target="M02")
    result = publish(engine)
    assert isinstance(result, Refused)
    assert "M01" in result.reason


def test_content_that_changed_after_the_verdict_is_refused(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    register.build(wave=2)
    register.judge()
    with engine.begin() as connection:
        connection.execute(text("update candidate.person set person_name = '测试改' where person_id = 'P3'"))
    result = publish(engine)
    assert isinstance(result, Refused)
    assert result.code == "changed"
    assert "数据在判定之后有变动" in result.reason
    assert register.current() == 1
    assert register.published("select distinct list_count from published.person") == [(1,)]


def test_a_build_for_an_earlier_day_does_not_take_the_place_of_a_newer_release(
    engine: Engine, register: Register
) -> None:
    release_wave(register, 1)
    register.build(wave=2)
    register.judge(as_of=date(2026, 7, 31))
    result = publish(engine)
    assert isinstance(result, Refused)
    assert result.code == "older"
    assert "2026-07-31" in result.reason
    assert "yihu rollback" in result.reason
    assert register.current() == 1
    assert register.published("select count(*) from release.release") == [(1,)]
    register.judge(evidence="e2")
    assert isinstance(publish(engine), Published), "the same content judged for the day it is published"


def test_after_going_back_a_day_between_the_two_releases_may_be_published(
    engine: Engine, register: Register
) -> None:
    for wave, day in ((1, date(2026, 6, 30)), (2, date(2026, 8, 31))):
        register.build(wave=wave)
        register.judge(as_of=day)
        publish(engine)
    roll_back(engine, by="张三", why="演练")
    register.build(wave=3)
    register.judge(as_of=date(2026, 7, 31))
    assert isinstance(publish(engine), Published)


def test_without_a_build_the_refusal_says_so(engine: Engine) -> None:
    result = publish(engine)
    assert isinstance(result, Refused)
    assert result.code == "not_built"


def test_the_same_content_again_publishes_nothing(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    register.build(reverse=True)
    before = register.published("select count(*) from release.person")
    assert publish(engine) == Unchanged(1)
    assert register.published("select count(*) from release.person") == before
    assert len(register.published("select * from release.pointer_history")) == 1


def test_the_same_content_with_a_newer_failed_verdict_is_refused_and_stays_up(
    engine: Engine, register: Register
) -> None:
    release_wave(register, 1)
    register.judge("failed", evidence="e2")
    assert isinstance(publish(engine), Refused)
    assert register.current() == 1


def test_differences_tell_new_gone_merged_and_moved(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    register.build(
        households={"H1": ["P1", "P3"], "H3": ["P4", "P5"], "H4": ["P7"]},
        merged={"P2": "P1", "H2": "H1"},
    )
    register.judge()
    result = publish(engine)
    assert isinstance(result, Published)
    found = result.differences
    assert (found.persons_new, found.persons_gone, found.persons_merged, found.persons_moved) == (1, 1, 1, 1)
    assert (found.households_new, found.households_gone, found.households_merged) == (1, 0, 1)
    assert result.previous_release_no == 1
    assert register.published("select summary -> 'differences' from published.release") == [
        (found.as_dict(),)
    ]


def test_roll_back_goes_to_the_nearest_and_is_logged(engine: Engine, register: Register) -> None:
    for wave in (1, 2, 3):
        release_wave(register, wave)
    assert roll_back(engine, by="陈主任", why="第三期有误") == 2
    assert register.published("select distinct list_count from published.person") == [(2,)]
    assert register.published(
        "select from_release_no, to_release_no, move, moved_by, reason from release.pointer_history"
        " order by history_no desc limit 1"
    ) == [(3, 2, "roll_back", "陈主任", "第三期有误")]


def test_withdrawn_content_stays_down_until_a_person_reinstates_it(
    engine: Engine, register: Register
) -> None:
    release_wave(register, 1)
    release_wave(register, 2)
    roll_back(engine, by="陈主任", why="第二期有误")
    register.build(wave=2)
    register.judge(evidence="another month's evidence")
    refused = publish(engine)
    assert isinstance(refused, Refused)
    assert refused.code == "withdrawn"
    assert "陈主任" in refused.reason
    assert "第 2 期" in refused.reason
    assert register.current() == 1

    assert reinstate(engine, 2, by="陈主任", why="核实无误") == 2
    assert publish(engine) == Unchanged(2)
    assert register.published("select move from release.pointer_history order by history_no") == [
        ("publish",),
        ("publish",),
        ("roll_back",),
        ("reinstate",),
    ]


def test_after_a_roll_back_other_content_moves_on_and_the_withdrawn_is_never_a_target(
    engine: Engine, register: Register
) -> None:
    release_wave(register, 1)
    release_wave(register, 2)
    roll_back(engine, by="陈主任", why="第二期有误")
    assert release_wave(register, 3).release_no == 3
    register.build(wave=2)
    assert isinstance(publish(engine), Refused)
    assert roll_back(engine, by="陈主任", why="第三期也有误") == 1


def test_going_over_two_releases_withdraws_both(engine: Engine, register: Register) -> None:
    for wave in (1, 2, 3):
        release_wave(register, wave)
    assert roll_back(engine, 1, by="陈主任", why="都有误") == 1
    for wave in (2, 3):
        register.build(wave=wave)
        assert isinstance(publish(engine), Refused)
    reinstate(engine, 2, by="陈主任", why="第二期无误")
    register.build(wave=3)
    assert isinstance(publish(engine), Refused)
    assert register.current() == 2


@pytest.mark.parametrize("target", [None, 1, 2, 99])
def test_there_is_no_roll_back_to_nowhere(engine: Engine, register: Register, target: int | None) -> None:
    release_wave(register, 1)
    with pytest.raises(PermanentError, match="回退"):
        roll_back(engine, target, by="陈主任", why="试试")
    assert register.current() == 1


@pytest.mark.parametrize(("by", "why"), [("", "原因"), ("陈主任", " ")])
def test_a_roll_back_says_who_and_why(engine: Engine, register: Register, by: str, why: str) -> None:
    release_wave(register, 1)
    release_wave(register, 2)
    with pytest.raises(PermanentError, match="操作人"):
        roll_back(engine, by=by, why=why)
    assert register.current() == 2


def test_a_quarter_is_frozen_once(engine: Engine, register: Register) -> None:
    quarter = date(2026, 7, 1)
    with pytest.raises(PermanentError, match="尚无发布"):
        freeze_quarter(engine, quarter)
    release_wave(register, 1)
    assert freeze_quarter(engine, quarter) == 1
    assert freeze_quarter(engine, quarter) == 1
    release_wave(register, 2)
    with pytest.raises(PermanentError, match="已冻结为第 1 期"):
        freeze_quarter(engine, quarter)
    assert register.published("select quarter_start, release_no from release.archive") == [(quarter, 1)]


def test_a_quarter_takes_no_release_from_before_it(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    with pytest.raises(PermanentError, match="早于该季度"):
        freeze_quarter(engine, date(2026, 10, 1))
    with pytest.raises(PermanentError, match="季度首日"):
        freeze_quarter(engine, date(2026, 8, 1))


def test_prune_keeps_the_current_the_targets_and_the_archives(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    freeze_quarter(engine, date(2026, 4, 1))
    for wave in (2, 3, 4, 5):
        release_wave(register, wave)
    assert prune_releases(engine, keep=2) == [2]
    kept = register.published("select distinct release_no from release.person order by 1")
    assert kept == [(1,), (3,), (4,), (5,)]
    for table in ("household", "household_member", "source_record"):
        assert register.published(f"select distinct release_no from release.{table} order by 1") == kept
    assert register.published("select count(*) from release.release where content_hash <> ''") == [(5,)]
    assert prune_releases(engine, keep=2) == []
    with pytest.raises(PermanentError, match="已清理"):
        roll_back(engine, 2, by="陈主任", why="太旧")
    assert roll_back(engine, by="陈主任", why="试回退") == 4
    with pytest.raises(PermanentError, match="至少"):
        prune_releases(engine, keep=0)


def test_racing_publishers_make_one_release(engine: Engine, register: Register) -> None:
    rounds, racers = 12, 4
    for wave in range(1, rounds + 1):
        register.build(wave=wave)
        register.judge()
        start = threading.Barrier(racers)
        outcomes: list[Published | Unchanged | Refused] = []

        def race(start: threading.Barrier = start, outcomes: list = outcomes) -> None:
            start.wait()
            outcomes.append(publish(engine))

        threads = [threading.Thread(target=race) for _ in range(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == racers
        assert [o.release_no for o in outcomes if isinstance(o, Published)] == [wave]
        assert all(o == Unchanged(wave) for o in outcomes if not isinstance(o, Published))
    assert register.published(
        "select array_agg(to_release_no order by history_no) from release.pointer_history"
    ) == [(list(range(1, rounds + 1)),)]


def test_a_publisher_does_not_queue_behind_a_stuck_one(engine: Engine, register: Register) -> None:
    release_wave(register, 1)
    register.build(wave=2)
    register.judge()
    with engine.begin() as stuck:
        stuck.execute(text("select * from release.pointer for update"))
        refused = publish(engine)
    assert isinstance(refused, Refused)
    assert refused.code == "busy"
    assert isinstance(publish(engine), Published)


def test_a_candidate_that_breaks_a_key_is_an_error_without_a_persons_data(
    engine: Engine, register: Register
) -> None:
    with engine.begin() as connection:
        connection.execute(text("insert into candidate.person select * from candidate.person"))
    register.judge()
    with pytest.raises(PermanentError) as caught:
        publish(engine)
    assert "person_pkey" in str(caught.value)
    assert "P1" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert register.current() is None


def test_the_planner_knows_a_release_as_soon_as_it_is_up(engine: Engine, register: Register) -> None:
    register.judge()
    publish(engine)
    for table in ("person", "household", "household_member", "source_record"):
        known = register.published(
            f"select reltuples::bigint from pg_class where oid = 'release.{table}'::regclass"
        )
        assert known == register.published(f"select count(*) from release.{table}")
