"""States of a delivery and what a person decides: duplicates, older files, passwords; every decision is recorded."""

import io
from types import SimpleNamespace

import msoffcrypto.format.ooxml
import pytest
from click.testing import CliRunner
from ingest_lists import (
    DISABLED_HEADER,
    csv_bytes,
    disabled_rows,
    every_row_has_one_fate,
    workbook_bytes,
)

from infra.errors import PermanentError
from ingest.holds import refuse_held, release_held, unlock_held
from orchestration.cli import main

pytestmark = pytest.mark.database

FOLDER = "civil_affairs/disabled"
PASSWORD = "街道2026-Secret"


def locked_workbook(rows, password=PASSWORD):
    plain, sealed = io.BytesIO(workbook_bytes(DISABLED_HEADER, *rows)), io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt(password, sealed)
    return sealed.getvalue()


@pytest.fixture
def locked(put, take):
    path = put(FOLDER, "名册202607.xlsx", locked_workbook(disabled_rows(9)))
    (outcome,) = take()
    return SimpleNamespace(path=path, outcome=outcome, id=outcome.delivery_id)


@pytest.fixture
def unlock(warehouse, protector, landing):
    def unlock(delivery_id, password=PASSWORD, by="数据员甲"):
        return unlock_held(warehouse.engine, protector, landing, delivery_id, password, by)

    return unlock


def test_one_of_ten_equal_files_is_taken(put, take, ask):
    """F34: the same bytes under ten names at the same moment."""
    content = csv_bytes(DISABLED_HEADER, disabled_rows(5))
    for number in range(10):
        put(FOLDER, f"名册{number}.csv", content)
    outcomes = take()
    assert [outcome.status for outcome in outcomes] == ["loaded", *["duplicate"] * 9]
    assert {o.reason for o in outcomes[1:]} == {
        f"内容与来件 {outcomes[0].delivery_id} 完全相同，不再重复登记。"
    }
    assert ask("select count(*) from raw.disabled") == [(5,)]


def test_the_same_name_with_other_bytes_is_a_new_delivery(put, take, ask):
    put(FOLDER, "名册202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    take()
    put(FOLDER, "名册202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(6)))
    (outcome,) = take()
    assert (outcome.status, outcome.accepted_count) == ("loaded", 6)
    assert ask("select kind, row_count from ops.delivery_change where kind <> 'changed' order by 1") == [
        ("added", 1), ("removed", 0), ("unchanged", 5),
    ]  # fmt: skip


def test_decisions_are_recorded_and_what_is_decided_no_longer_waits(put, take, ask, warehouse):
    put(FOLDER, "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(9)))
    take()
    held = []
    for month, count in (("06", 7), ("07", 8)):
        put(FOLDER, f"a2026{month}.csv", csv_bytes(DISABLED_HEADER, disabled_rows(count)))
        held += take()
    assert [
        tuple(row) for row in ask("select delivery_id, reason_code, job_names from ops.waiting order by 1")
    ] == [(outcome.delivery_id, "older_snapshot", "release_delivery / refuse_delivery") for outcome in held]
    release_held(warehouse.engine, held[0].delivery_id, "数据员甲", "补报\n六月，电话 13912345678")
    refuse_held(warehouse.engine, held[1].delivery_id, "数据员乙", "旧表")
    assert ask("select delivery_id from ops.waiting") == []
    decided = ask(
        "select delivery_id, decision, decided_by, why from ops.delivery_decision order by decision_no"
    )
    assert [tuple(row[:3]) for row in decided] == [
        (held[0].delivery_id, "release", "数据员甲"),
        (held[1].delivery_id, "refuse", "数据员乙"),
    ]
    assert decided[0].why.startswith("补报 六月")
    assert "13912345678" not in decided[0].why
    with pytest.raises(PermanentError, match="写明是谁"):
        release_held(warehouse.engine, held[1].delivery_id, " ")


def test_a_locked_workbook_waits_for_its_password(locked, ask, put, take):
    assert (locked.outcome.status, locked.outcome.reason_code) == ("held", "needs_password")
    assert (locked.outcome.row_count, locked.outcome.snapshot_date) == (0, None)
    assert "密码" in locked.outcome.reason
    (item,) = ask("select * from ops.waiting")
    assert (item.delivery_id, item.job_names) == (locked.id, "refuse_delivery")
    assert f"yihu delivery unlock {locked.id}" in item.next_step
    assert take() == []
    put(FOLDER, "同一份.xlsx", locked.path.read_bytes())
    assert [(o.status, o.reason_code) for o in take()] == [("duplicate", "same_content")]


def test_the_password_opens_it_as_the_delivery_it_is(locked, unlock, ask, take):
    arrived = ask("select received_at from ops.delivery")
    outcome = unlock(locked.id)
    assert (outcome.delivery_id, outcome.status, outcome.accepted_count) == (locked.id, "loaded", 9)
    assert str(outcome.snapshot_date) == "2026-07-31"
    (row,) = ask("select * from ops.delivery")
    assert (row.status, row.reason_code, row.reason, row.accepted_count) == ("loaded", None, None, 9)
    assert ask("select received_at from ops.delivery") == arrived
    assert ask("select decision, decided_by, why from ops.delivery_decision") == [
        ("unlock", "数据员甲", None)
    ]
    assert every_row_has_one_fate(ask)
    assert take() == []


def test_what_is_unlocked_goes_past_the_guards_like_any_other(put, take, unlock, ask):
    put(FOLDER, "a202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(9)))
    take()
    put(FOLDER, "名册202607.xlsx", locked_workbook(disabled_rows(8)))
    (outcome,) = take()
    opened = unlock(outcome.delivery_id)
    assert (opened.status, opened.reason_code, opened.accepted_count) == ("held", "older_snapshot", 8)
    assert every_row_has_one_fate(ask)


def test_a_wrong_password_leaves_it_waiting(locked, unlock, ask):
    with pytest.raises(PermanentError, match="密码不对") as caught:
        unlock(locked.id, "猜的")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert ask("select status, reason_code from ops.delivery") == [("held", "needs_password")]
    assert ask("select * from ops.delivery_decision") == []
    assert unlock(locked.id).status == "loaded"
    with pytest.raises(PermanentError, match="没有在等密码"):
        unlock(locked.id)


def test_another_file_in_its_place_is_not_opened(locked, unlock):
    locked.path.write_bytes(locked_workbook(disabled_rows(8)))
    with pytest.raises(PermanentError, match="内容变了"):
        unlock(locked.id)
    locked.path.unlink()
    with pytest.raises(PermanentError, match="没有这个文件"):
        unlock(locked.id)


def test_a_locked_workbook_is_released_by_its_password_only(locked, warehouse, ask):
    with pytest.raises(PermanentError, match="yihu delivery unlock"):
        release_held(warehouse.engine, locked.id, "数据员甲")
    refuse_held(warehouse.engine, locked.id, "数据员甲", "请去掉密码重报")
    assert ask("select status, row_count from ops.delivery") == [("refused", 0)]


def test_the_command_line_takes_the_password_from_its_input_and_keeps_it_nowhere(
    locked, warehouse, protector, landing, tmp_path, monkeypatch, ask
):
    settings = SimpleNamespace(
        home=tmp_path / "home", outbox=tmp_path / "outbox", landing=landing, suppliers=None,
        smtp_url=None, mail_from=None, alert_recipients=(),
    )  # fmt: skip
    platform = SimpleNamespace(engine=warehouse.engine, protector=protector, settings=settings)
    monkeypatch.setattr("orchestration.platform.open_platform", lambda: platform)
    arguments = ["delivery", "unlock", str(locked.id), "--by", "数据员甲"]
    seen = CliRunner().invoke(main, ["delivery", "list", "--waiting"])
    assert f"yihu delivery unlock {locked.id}" in seen.output
    wrong = CliRunner().invoke(main, [*arguments, "--password-stdin"], input="no\n")
    assert (wrong.exit_code, "密码不对" in wrong.output) == (1, True)
    done = CliRunner().invoke(main, arguments, input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert "接收 9" in done.output
    assert PASSWORD not in done.output + wrong.output
    shown = CliRunner().invoke(main, ["delivery", "show", str(locked.id)]).output
    assert "数据员甲 提供密码" in shown
    with warehouse.engine.connect() as connection:
        dump = "".join(
            str(connection.exec_driver_sql(f"select * from {table}").all())
            for table in ("ops.delivery", "ops.delivery_decision", "ops.alert", "ops.quarantined_row")
        )
    assert PASSWORD not in dump
    written = [
        path for folder in (settings.home, settings.outbox) for path in folder.rglob("*") if path.is_file()
    ]
    assert written, "at least the receipt"
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


def test_a_workbook_that_comes_again_without_its_password_settles_the_locked_one(
    locked, put, take, unlock, ask
):
    put(FOLDER, "别的202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    take()
    assert ask("select status from ops.delivery where delivery_id = :id", id=locked.id) == [("held",)]
    put(FOLDER, "名册202607.xlsx", workbook_bytes(DISABLED_HEADER, *disabled_rows(6)))
    (opened,) = take()
    assert opened.status == "loaded"
    assert ask(
        "select status, reason_code, superseded_by from ops.delivery where delivery_id = :id", id=locked.id
    ) == [("refused", "superseded", opened.delivery_id)]
    with pytest.raises(PermanentError, match="没有在等密码"):
        unlock(locked.id)
