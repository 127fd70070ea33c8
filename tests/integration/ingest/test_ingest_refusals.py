"""A held delivery that a person refuses: out of use for good, its rows accounted for, the same file welcome again."""

from types import SimpleNamespace

import openpyxl
import pytest
from click.testing import CliRunner
from ingest_lists import DISABLED_HEADER, csv_bytes, disabled_rows, every_row_has_one_fate

from infra.errors import PermanentError
from ingest.holds import refuse_held, release_held
from ingest.receipts import write_receipts
from orchestration.cli import main

pytestmark = pytest.mark.database

FOLDER = "civil_affairs/disabled"


@pytest.fixture
def held(put, take):
    """Id of a delivery that the guards hold: an older snapshot, one of its nine rows unusable and one with a warning."""
    put(FOLDER, "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(30)))
    take()
    put(FOLDER, "a202607.csv", doubtful_list())
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == ("held", "older_snapshot")
    return outcome.delivery_id


def doubtful_list():
    rows = disabled_rows(29)
    rows[3] = (*rows[3][:6], "2024.02.30", *rows[3][7:])
    return csv_bytes(DISABLED_HEADER, [*rows, ("", "男")])


def test_a_refused_delivery_is_out_of_use_and_every_row_is_accounted_for(
    held, warehouse, ask, protector, take
):
    sealed = ask(
        "select row_number, record_id, source_row_encrypted from raw.disabled where delivery_id = :id",
        id=held,
    )
    guard = ask("select reason from ops.delivery where delivery_id = :id", id=held)[0][0]
    refuse_held(warehouse.engine, held, "数据员甲", "报送单位\n确认是旧表，电话 13912345678")
    (row,) = ask("select * from ops.delivery where delivery_id = :id", id=held)
    assert (row.status, row.reason_code) == ("refused", "older_snapshot")
    assert row.reason.startswith(guard)
    assert "数据员甲" in row.reason
    assert "报送单位 确认是旧表" in row.reason
    assert "13912345678" not in row.reason
    assert (row.row_count, row.accepted_count, row.quarantined_count) == (30, 0, 30)
    assert every_row_has_one_fate(ask)
    kept = {
        number: (rule, row_encrypted)
        for number, rule, row_encrypted in ask(
            "select row_number, rule, row_encrypted from ops.quarantined_row where delivery_id = :id", id=held
        )
    }
    assert len(sealed) == 29
    for number, record, source_row in sealed:
        assert kept.pop(number) == ("delivery_refused", source_row)
        assert "公民身份号码" in protector.decrypt(source_row, f"row|{record}")
    assert [rule for rule, _ in kept.values()] == ["no_identity"]
    assert ask("select status, count(*) from ops.delivery group by 1 order by 1") == [
        ("loaded", 1),
        ("refused", 1),
    ]
    assert ask("select count(*) from raw.disabled") == [(30,)]
    assert take() == []  # the file that still lies there is known


def test_only_a_held_delivery_can_be_refused_and_only_with_a_name_and_a_reason(held, warehouse, ask):
    loaded = ask("select delivery_id from ops.delivery where status = 'loaded'")[0][0]
    for number in (loaded, 999):
        with pytest.raises(PermanentError, match="扣留中的来件"):
            refuse_held(warehouse.engine, number, "数据员甲", "旧表")
    for by, why in (("", "旧表"), ("数据员甲", " \n")):
        with pytest.raises(PermanentError):
            refuse_held(warehouse.engine, held, by, why)
    assert ask("select status from ops.delivery where delivery_id = :id", id=held) == [("held",)]
    refuse_held(warehouse.engine, held, "数据员甲", "旧表")
    with pytest.raises(PermanentError):
        refuse_held(warehouse.engine, held, "数据员甲", "旧表")
    with pytest.raises(PermanentError):
        release_held(warehouse.engine, held, "数据员甲")


def test_the_same_file_again_is_a_new_delivery_that_is_held_again_and_may_be_released(
    held, warehouse, put, take, ask
):
    for attempt in ("again", "once_more"):
        refuse_held(warehouse.engine, held, "数据员甲", "旧表")
        put(FOLDER, f"{attempt}202607.csv", doubtful_list())
        (outcome,) = take()
        assert (outcome.status, outcome.reason_code, outcome.accepted_count) == ("held", "older_snapshot", 29)
        assert outcome.delivery_id > held
        held = outcome.delivery_id
        assert every_row_has_one_fate(ask)
    release_held(warehouse.engine, held, "数据员甲")
    assert ask("select status, count(*) from ops.delivery group by 1 order by 1") == [
        ("loaded", 2),
        ("refused", 2),
    ]
    put(FOLDER, "third202607.csv", doubtful_list())
    assert [o.status for o in take()] == ["duplicate"]


def test_a_corrected_file_loads_after_a_refusal(held, warehouse, put, take, ask):
    refuse_held(warehouse.engine, held, "数据员甲", "旧表")
    put(FOLDER, "更正202609.csv", csv_bytes(DISABLED_HEADER, disabled_rows(29)))
    assert [(o.status, o.accepted_count) for o in take()] == [("loaded", 29)]
    assert every_row_has_one_fate(ask)


def test_a_delivery_without_a_usable_row_can_be_refused(put, take, warehouse, ask):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER[1:], [row[1:] for row in disabled_rows(4)]))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == ("held", "required_column_missing")
    refuse_held(warehouse.engine, outcome.delivery_id, "数据员甲", "请补姓名")
    assert ask("select rule, count(*) from ops.quarantined_row group by 1") == [
        ("required_column_missing", 4)
    ]
    assert every_row_has_one_fate(ask)


def test_the_receipt_says_who_refused_and_lists_what_was_wrong_not_every_row(held, warehouse, tmp_path):
    refuse_held(warehouse.engine, held, "数据员甲", "旧表")
    (path,) = write_receipts(warehouse.engine, tmp_path, [held])
    book = openpyxl.load_workbook(path)
    summary = dict(book["回执"].iter_rows(values_only=True))
    assert (summary["处理结果"], summary["接收"]) == ("拒收", 0)
    assert "由 数据员甲 于" in summary["原因"]
    assert summary["原因"].endswith("拒收：旧表。")
    details = [row[1:4] for row in book["逐行问题"].iter_rows(min_row=2, values_only=True)]
    assert (31, None, "隔离") in details
    assert (5, "发证日期", "未使用") in details
    assert len(details) < 10


def test_the_command_line_refuses_and_rewrites_the_receipt(held, warehouse, tmp_path, monkeypatch, ask):
    settings = SimpleNamespace(
        home=tmp_path,
        outbox=tmp_path / "outbox",
        suppliers=None,
        smtp_url=None,
        mail_from=None,
        alert_recipients=(),
    )
    platform = SimpleNamespace(engine=warehouse.engine, settings=settings)
    monkeypatch.setattr("orchestration.platform.open_platform", lambda: platform)
    told: list[str] = []
    monkeypatch.setattr("orchestration.decisions.tell_ui", lambda _, said: told.append(said))
    done = CliRunner().invoke(main, ["delivery", "refuse", str(held), "--by", "数据员甲"])
    assert done.exit_code == 2  # a reason must be given
    done = CliRunner().invoke(main, ["delivery", "refuse", str(held), "--by", "数据员甲", "--why", "旧表"])
    assert done.exit_code == 0
    assert f"来件 {held} 已由 数据员甲 拒收" in done.output
    assert ask("select status from ops.delivery where delivery_id = :id", id=held) == [("refused",)]
    (receipt,) = (tmp_path / "outbox").rglob(f"回执-{held}-*.xlsx")
    assert dict(openpyxl.load_workbook(receipt)["回执"].iter_rows(values_only=True))["处理结果"] == "拒收"
    again = CliRunner().invoke(main, ["delivery", "refuse", str(held), "--by", "数据员甲", "--why", "旧表"])
    assert again.exit_code == 1
    assert "已拒收" in again.output
    assert told == [f"来件 {held}：拒收"]
