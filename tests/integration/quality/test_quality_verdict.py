"""The verdict on hand-made audits and checks: passed, failed, insufficient, and never twice for the same."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from infra.errors import PermanentError
from infra.warehouse import Warehouse
from quality.verdict import Verdict, judge

pytestmark = pytest.mark.database

AS_OF = date(2026, 7, 31)
CANARY = "卡纳丽测试甲41976531"

TABLES = """
create schema reference; create schema staging;
create table reference.target (target_code text, target_value numeric, valid_from date);
insert into reference.target values
    ('M01', 0.95, '2024-01-01'), ('M01b', 0.98, '2024-01-01'), ('AUDIT_CONFIDENCE', 0.95, '2024-01-01'),
    ('AUDIT_UNVERIFIABLE', 0.1, '2024-01-01');
create table staging.stg_supervision__audit_return (
    record_id text, list_code text, delivery_id bigint, snapshot_date date, received_at timestamptz, audit_no text,
    household_id text, field_code text, outcome_code text, inspector_name text, inspected_date date,
    remark_encrypted text, is_current boolean
);
create or replace function release.candidate_hash() returns text language sql stable
as 'select repeat(''a'', 64)'
"""


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    with warehouse.engine.begin() as connection:
        for statement in TABLES.split(";"):
            if statement.strip():
                connection.execute(text(statement))
    return warehouse.engine


def refresh(engine: Engine, *, checks: bool = True) -> int:
    """A refresh with passed checks of staging and master."""
    with engine.begin() as connection:
        refresh_id = int(
            connection.execute(
                text("insert into ops.refresh (as_of) values (:as_of) returning refresh_id"), {"as_of": AS_OF}
            ).scalar_one()
        )
    if checks:
        add_check(engine, refresh_id, "staging", is_passed=True)
        add_check(engine, refresh_id, "master", is_passed=True)
    return refresh_id


def add_check(
    engine: Engine, refresh_id: int, suite: str, *, is_passed: bool, severity: str = "error"
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into quality.check_result (refresh_id, suite, table_name, check_name, title, severity,"
                " is_passed, checked_count, failed_count)"
                " values (:refresh_id, :suite, 'master.person', 'person_id_is_unique', '人员ID唯一', :severity,"
                " :is_passed, 10, 1)"
            ),
            {"refresh_id": refresh_id, "suite": suite, "severity": severity, "is_passed": is_passed},
        )


def draw(
    engine: Engine, households: int, frame_count: int = 3000, strata: tuple[str, ...] = ("甲社区·普通",)
) -> int:
    """A stored draw: households spread over the strata in turn, 10 household fields each."""
    with engine.begin() as connection:
        draw_id = int(
            connection.execute(
                text(
                    "insert into quality.audit_draw"
                    " (audit_month, as_of, target_code, seed, frame_count, sample_count, visit_count)"
                    " values ('2026-07-01', '2026-07-31', 'M01', 1, :frame_count, :households, 0) returning draw_id"
                ),
                {"frame_count": frame_count, "households": households},
            ).scalar_one()
        )
        for stratum in strata:
            connection.execute(
                text("insert into quality.audit_stratum values (:draw_id, :stratum, :frame, :sample)"),
                {
                    "draw_id": draw_id,
                    "stratum": stratum,
                    "frame": frame_count // len(strata),
                    "sample": households // len(strata),
                },
            )
        connection.execute(
            text(
                """
                insert into quality.audit_item (audit_no, field_code, draw_id, household_id, stratum, weight,
                    member_factor, line_number, field_name, is_critical)
                select 'HC202607-' || h || '-0', 'f' || f, :draw_id, 'H' || h,
                    (cast(:strata as text[]))[1 + h % cardinality(cast(:strata as text[]))], 1, 1, h * 10 + f,
                    '字段', f < 5
                from generate_series(1, :households) as h, generate_series(1, 10) as f
                """
            ),
            {"draw_id": draw_id, "households": households, "strata": list(strata)},
        )
    return draw_id


def give_back(
    engine: Engine,
    condition: str,
    outcome: str = "correct",
    inspected: date = date(2026, 7, 20),
    **extra: Any,
) -> None:
    """Returned sheets: an outcome for every item of a condition (`h` the household's number, `f` the field's)."""
    with engine.begin() as connection:
        connection.execute(
            text(
                f"""
                with items as (
                    select audit_no, field_code, split_part(audit_no, '-', 2)::int as h, substr(field_code, 2)::int as f
                    from quality.audit_item
                ), gone as (
                    update staging.stg_supervision__audit_return as older set is_current = false
                    from items where older.audit_no = items.audit_no and older.field_code = items.field_code
                    and {condition}
                )
                insert into staging.stg_supervision__audit_return
                    (record_id, snapshot_date, audit_no, field_code, outcome_code, inspected_date, remark_encrypted,
                    is_current)
                select gen_random_uuid()::text, :inspected, audit_no, field_code, :outcome, :inspected, :remark, true
                from items where {condition}
                """
            ),
            {"outcome": outcome, "inspected": inspected, "remark": extra.get("remark")},
        )


def stored(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text("select * from quality.verdict order by verdict_id")).mappings())


def judged(engine: Engine, refresh_id: int | None = None, target_code: str = "M01") -> Verdict:
    return judge(engine, AS_OF, refresh(engine) if refresh_id is None else refresh_id, target_code)


class TestStatus:
    def test_a_register_shown_right_passes(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        give_back(engine, "h % 5 = 0 and f = 1", "wrong")
        verdict = judged(engine)
        assert verdict.status == "passed"
        assert verdict.is_passed
        assert verdict.accuracy_ratio == pytest.approx(0.98)
        assert (verdict.audited_household_count, verdict.audited_field_count) == (300, 3000)
        assert verdict.lower_bound_ratio is not None
        assert 0.95 <= verdict.lower_bound_ratio < 0.98
        assert verdict.household_accuracy_ratio == pytest.approx(0.8)
        assert verdict.critical_accuracy_ratio == pytest.approx(1 - 60 / 1200)
        (row,) = stored(engine)
        assert (row["status"], row["content_hash"], row["as_of"]) == ("passed", "a" * 64, AS_OF)
        assert row["reasons"] == list(verdict.reasons)

    def test_a_point_below_the_target_fails(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        give_back(engine, "f = 1 and h % 10 < 6", "wrong")
        verdict = judged(engine)
        assert verdict.status == "failed"
        assert verdict.reasons[0].startswith("信息准确率未达标：信息准确率 94%")

    def test_exactly_95_percent_is_no_failure_and_94_99_is(self, engine: Engine) -> None:
        draw(engine, 200)
        give_back(engine, "true")
        give_back(engine, "f = 1 and h % 2 = 0", "wrong")
        verdict = judged(engine)
        assert (verdict.accuracy_ratio, verdict.status) == (0.95, "insufficient")
        give_back(engine, "f = 1 and h = 1", "wrong")
        assert judged(engine).status == "failed"

    def test_right_but_too_few_is_insufficient_and_says_how_many(self, engine: Engine) -> None:
        draw(engine, 40)
        give_back(engine, "true")
        give_back(engine, "h % 5 = 0 and f = 1", "wrong")
        verdict = judged(engine)
        assert verdict.status == "insufficient"
        assert verdict.needed_household_count is not None
        assert verdict.needed_household_count > 40
        assert f"共需抽查约 {verdict.needed_household_count} 户" in verdict.reasons[0]

    def test_no_audit_at_all_is_insufficient(self, engine: Engine) -> None:
        verdict = judged(engine)
        assert (verdict.status, verdict.accuracy_ratio, verdict.audited_field_count) == (
            "insufficient",
            None,
            0,
        )
        assert "2026-02-01 至 2026-07-31 没有可用的抽查结果" in verdict.reasons[0]
        draw(engine, 40)
        assert not judged(engine).is_new  # drawn but not returned is no news

    def test_a_verdict_given_again_speaks_of_the_new_business_date(self, engine: Engine) -> None:
        judged(engine)
        later = AS_OF + timedelta(days=10)
        again = judge(engine, later, refresh(engine))
        assert not again.is_new
        assert "2026-02-11 至 2026-08-10" in again.reasons[0]
        assert [row["as_of"] for row in stored(engine)] == [later]

    def test_too_much_unverifiable_is_insufficient(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "f > 1")
        give_back(engine, "f = 1", "unverifiable")
        assert judged(engine).status == "passed"  # exactly 10 %
        give_back(engine, "f = 2 and h = 1", "unverifiable")
        verdict = judged(engine)
        assert verdict.status == "insufficient"
        assert "无法核实的字段占" in verdict.reasons[0]

    def test_sheets_of_one_community_do_not_speak_for_the_others(self, engine: Engine) -> None:
        draw(engine, 300, strata=("甲社区·普通", "乙社区·普通"))
        give_back(engine, "h % 2 = 0")
        verdict = judged(engine)
        assert verdict.status == "insufficient"
        assert verdict.covered_frame_ratio == pytest.approx(0.5)
        assert "50%" in verdict.reasons[0]
        give_back(engine, "true")
        assert judged(engine).status == "passed"

    def test_changed_and_not_applicable_are_no_errors(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        give_back(engine, "f = 1 and h % 2 = 0", "changed")
        give_back(engine, "f = 2", "not_applicable")
        verdict = judged(engine)
        assert (verdict.status, verdict.accuracy_ratio) == ("passed", 1.0)
        assert verdict.audited_field_count == 2700
        assert verdict.outdated_ratio == pytest.approx(150 / 2700)

    def test_the_stretch_target_is_another_verdict(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        give_back(engine, "h % 5 = 0 and f = 1", "wrong")
        refresh_id = refresh(engine)
        assert judged(engine, refresh_id).status == "passed"
        assert judged(engine, refresh_id, "M01b").status == "insufficient"
        assert [row["target_code"] for row in stored(engine)] == ["M01", "M01b"]

    def test_an_unknown_target_is_refused(self, engine: Engine) -> None:
        with pytest.raises(PermanentError, match="没有目标 M99"):
            judged(engine, target_code="M99")
        assert stored(engine) == []


class TestChecks:
    def test_a_failed_check_of_this_refresh_fails_and_is_named(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        clean = refresh(engine)
        dirty = refresh(engine)
        add_check(engine, dirty, "master", is_passed=False)
        verdict = judged(engine, dirty)
        assert verdict.status == "failed"
        assert verdict.failed_check_names == ("master.person.person_id_is_unique",)
        assert verdict.reasons[0] == "检查未通过：人员ID唯一（master.person.person_id_is_unique）"
        assert judged(engine, clean).status == "passed"
        assert len(stored(engine)) == 2

    def test_a_warning_is_shown_elsewhere_and_does_not_fail(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        refresh_id = refresh(engine)
        add_check(engine, refresh_id, "master", is_passed=False, severity="warn")
        assert judged(engine, refresh_id).status == "passed"

    def test_checks_that_did_not_run_fail(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        verdict = judged(engine, refresh(engine, checks=False))
        assert verdict.status == "failed"
        assert verdict.failed_check_names == ("master.not_run", "staging.not_run")


class TestEvidence:
    def test_judged_again_it_is_the_stored_verdict(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        first, second = judged(engine), judged(engine)
        assert first.is_new
        assert not second.is_new
        assert (second.verdict_id, second.evidence_hash) == (first.verdict_id, first.evidence_hash)
        assert len(stored(engine)) == 1

    def test_new_content_new_returns_and_new_limits_are_new_verdicts(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        judged(engine)
        give_back(engine, "h = 1 and f = 1", "wrong")
        judged(engine)
        with engine.begin() as connection:
            connection.execute(
                text("update reference.target set target_value = 0.96 where target_code = 'M01'")
            )
        judged(engine)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "create or replace function release.candidate_hash() returns text language sql stable"
                    " as 'select repeat(''b'', 64)'"
                )
            )
        judged(engine)
        rows = stored(engine)
        assert len(rows) == 4
        assert len({(row["content_hash"], row["evidence_hash"]) for row in rows}) == 4

    def test_only_the_last_six_months_up_to_the_business_date_count(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "h <= 100", inspected=date(2026, 1, 31))
        give_back(engine, "h between 101 and 200", inspected=date(2026, 2, 1))
        give_back(engine, "h > 200", inspected=date(2026, 8, 1))
        assert judged(engine).audited_household_count == 100

    def test_the_newest_return_of_an_item_wins(self, engine: Engine) -> None:
        draw(engine, 100)
        give_back(engine, "true", "wrong")
        give_back(engine, "true", "correct")
        assert judged(engine).accuracy_ratio == 1

    def test_returns_of_unknown_items_are_counted_and_said(self, engine: Engine) -> None:
        draw(engine, 300)
        give_back(engine, "true")
        with engine.begin() as connection:
            connection.execute(
                text(
                    "insert into staging.stg_supervision__audit_return (audit_no, field_code, outcome_code,"
                    " inspected_date, is_current) values ('HC209901-0001-0', 'f1', 'wrong', '2026-07-20', true)"
                )
            )
        verdict = judged(engine)
        assert verdict.status == "passed"
        assert "1 行核查结果对不上" in verdict.reasons[-1]

    def test_nothing_of_a_return_but_its_outcome_is_kept(self, engine: Engine) -> None:
        draw(engine, 100)
        give_back(engine, "true", remark=CANARY)
        assert CANARY not in repr(judged(engine))
        assert CANARY not in str(stored(engine))


def test_the_table_refuses_a_pass_below_its_target(engine: Engine) -> None:
    insert = (
        "insert into quality.verdict (as_of, content_hash, evidence_hash, status, reasons, target_code, target_ratio,"
        " audited_household_count, audited_field_count, correct_field_count, lower_bound_ratio)"
        " values ('2026-07-31', 'c', 'e', 'passed', '[]', 'M01', 0.95, 1, 1, 1, {bound})"
    )
    for bound in ("0.9499", "null"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(insert.format(bound=bound)))
    with engine.begin() as connection:
        connection.execute(text(insert.format(bound="0.95")))
