"""Receipts: for every delivery, once a state, in two forms that say the same, and never a value."""

import json
from datetime import date, timedelta

import openpyxl
import pytest
from ingest_lists import ARRIVED, DISABLED_HEADER, conforming, csv_bytes, disabled_rows, made_id
from sqlalchemy import text

from ingest import receipts as receipts_module
from ingest.arrivals import update_delivery_due
from ingest.holds import refuse_held, release_held
from ingest.receipt_content import DIMENSION_NAMES
from ingest.receipt_workbook import MOST_LINES_OF_A_KIND
from ingest.receipts import write_missing_receipts, write_receipts
from quality.scorecard import score_suppliers

pytestmark = pytest.mark.database

FOLDER = "civil_affairs/disabled"
CANARIES = ("卡纳丽测试甲", "CNRYHEALTH", "659099198706050015", "17198000001", "41976531")


def wrong_digit(number):
    return number[:-1] + ("1" if number[-1] != "1" else "2")


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


def read(path):
    """A receipt in both forms: first sheet, kinds, lines, all sheets; and the JSON."""
    book = openpyxl.load_workbook(path)
    sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
    answer = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    conforming(answer)
    return sheets, answer


def test_every_state_of_a_delivery_has_its_receipt(put, take, warehouse, outbox):
    content = csv_bytes(DISABLED_HEADER, disabled_rows(20))
    put(FOLDER, "a202607.csv", content)
    put(FOLDER, "again202607.csv", content)
    put(FOLDER, "few202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    put(FOLDER, "空.csv", b"")
    outcomes = {o.delivery_id: o.status for o in take()}
    assert sorted(outcomes.values()) == ["duplicate", "held", "loaded", "refused"]
    found = {}
    for path in write_missing_receipts(warehouse.engine, outbox):
        sheets, answer = read(path)
        summary = dict(sheets["回执"])
        assert (answer["schema"], answer["schema_version"]) == ("yihu.receipt", "1.2")
        assert summary["请接着做"] == answer["next_step"]
        assert summary["处理结果"] == answer["delivery"]["status_name"]
        assert answer["delivery"]["status"] == outcomes[answer["delivery"]["delivery_id"]]
        found[answer["delivery"]["status"]] = answer["next_step"]
        assert path.parent == outbox / "civil_affairs" / "disabled"
    assert "全部接收" in found["loaded"]
    assert "不必处理" in found["duplicate"]
    assert "等待数据人员核对" in found["held"]
    assert "没有使用" in found["refused"]


def test_a_receipt_is_written_again_when_the_state_changes_and_only_then(put, take, warehouse, outbox, ask):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(30)))
    put(FOLDER, "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    put(FOLDER, "c202609.csv", csv_bytes(DISABLED_HEADER, disabled_rows(4)))
    loaded, released, refused = (o.delivery_id for o in take())
    first = write_missing_receipts(warehouse.engine, outbox)
    assert len(first) == 3
    assert write_missing_receipts(warehouse.engine, outbox) == []
    # A supplier takes its receipts away: they are not written again.
    for path in first:
        path.unlink()
    assert write_missing_receipts(warehouse.engine, outbox) == []
    release_held(warehouse.engine, released, "数据员甲")
    refuse_held(warehouse.engine, refused, "数据员甲", "旧表")
    again = write_missing_receipts(warehouse.engine, outbox)
    assert again == first[1:]
    states = [read(path)[1] for path in again]
    assert [(a["receipt_no"], a["delivery"]["status"], a["counts"]["accepted_count"]) for a in states] == [
        (2, "loaded", 5),
        (2, "refused", 0),
    ]
    assert dict(read(again[1])[0]["回执"])["回执版次"] == 2
    assert ask("select delivery_id, version, mail_state from ops.receipt order by 1, 2") == [
        (loaded, 1, "waiting"),
        (released, 1, "waiting"),
        (released, 2, "waiting"),
        (refused, 1, "waiting"),
        (refused, 2, "waiting"),
    ]


def test_a_run_killed_while_it_writes_receipts_loses_and_repeats_none(
    put, take, warehouse, outbox, ask, monkeypatch
):
    for month in (7, 8, 9):
        put(FOLDER, f"a20260{month}.csv", csv_bytes(DISABLED_HEADER, disabled_rows(9 + month)))
    ids = [o.delivery_id for o in take()]
    write = receipts_module.write_workbook

    def killed_after_the_second(path, content, problems):
        write(path, content, problems)
        if content["delivery"]["delivery_id"] == ids[1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(receipts_module, "write_workbook", killed_after_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_missing_receipts(warehouse.engine, outbox)
    monkeypatch.undo()
    assert ask("select delivery_id, version from ops.receipt") == [(ids[0], 1)]
    assert len(write_missing_receipts(warehouse.engine, outbox)) == 2
    assert ask("select delivery_id, version from ops.receipt order by 1") == [(n, 1) for n in ids]
    assert len(list(outbox.rglob("回执-*.xlsx"))) == len(list(outbox.rglob("回执-*.json"))) == 3
    assert list(outbox.rglob(".*")) == []


def test_receipts_move_from_the_old_folder_without_a_second_mail(put, take, warehouse, outbox, tmp_path, ask):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(12)))
    (old,) = take()
    legacy = tmp_path / "receipts"
    there = legacy / "civil_affairs" / "disabled"
    there.mkdir(parents=True)
    (there / f"回执-{old.delivery_id}-a202607.xlsx").write_bytes(b"old")
    put(FOLDER, "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(13)))
    (new,) = take()
    assert len(write_missing_receipts(warehouse.engine, outbox, legacy)) == 2
    assert not legacy.exists()
    assert ask("select delivery_id, mail_state from ops.receipt order by 1") == [
        (old.delivery_id, "none"),
        (new.delivery_id, "waiting"),
    ]
    # Anything else in the folder is somebody's.
    there.mkdir(parents=True)
    (there / f"回执-{old.delivery_id}-a202607.xlsx").write_bytes(b"old")
    (there / "笔记.txt").write_bytes(b"mine")
    write_missing_receipts(warehouse.engine, outbox, legacy)
    assert [path.name for path in legacy.rglob("*") if path.is_file()] == ["笔记.txt"]


def test_kinds_come_first_and_lines_are_capped_in_the_workbook_only(put, take, warehouse, outbox):
    many = MOST_LINES_OF_A_KIND + 40
    rows = [(*row[:2], wrong_digit(row[2]), "", *row[4:]) for row in disabled_rows(many)]
    rows[3] = (*rows[3][:6], "2024.02.30", *rows[3][7:])
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, rows))
    (outcome,) = take()
    (path,) = write_receipts(warehouse.engine, outbox, [outcome.delivery_id])
    sheets, answer = read(path)
    kinds = {(kind["rule"], kind["column"]): kind["count"] for kind in answer["kinds"]}
    assert kinds["id_checksum_wrong", "id_no"] == many
    assert kinds["date_impossible", "issued_date"] == 1
    counts = [kind["count"] for kind in answer["kinds"]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == len(answer["problems"]) == outcome.warning_count
    assert sheets["问题汇总"][0] == ("条数", "栏目", "处理", "问题", "怎样改")
    assert [row[0] for row in sheets["问题汇总"][1:]] == counts
    lines = [row for row in sheets["逐行问题"][1:] if row[4].startswith("证件号码的校验码不对")]
    assert [row[1] for row in lines] == list(range(2, MOST_LINES_OF_A_KIND + 2))
    assert "JSON" in dict(sheets["回执"])["没有列全"]
    problem = next(p for p in answer["problems"] if p["rule"] == "date_impossible")
    assert problem == {
        "sheet": "",
        "row": 5,
        "column": "issued_date",
        "header": "发证日期",
        "handling": "accepted",
        "rule": "date_impossible",
        "problem": "日期不存在或不合常理，没有取值",
        "remedy": "核实后按 2026-07-05 的样子填写",
    }


def test_a_receipt_tells_changes_waiting_communities_and_the_scores_of_the_month(
    put, take, warehouse, outbox
):
    rows = disabled_rows(20)
    rows[0] = (*rows[0][:2], wrong_digit(rows[0][2]), "", *rows[0][4:])
    put(FOLDER, "a202611.csv", csv_bytes(DISABLED_HEADER, rows))
    (first,) = take()
    with warehouse.engine.begin() as connection:
        # Rows as the guards write them for a later delivery.
        connection.execute(
            text(
                "insert into ops.delivery_change (delivery_id, replaces_delivery_id, kind, column_name, row_count) "
                "values (:id, :id, 'added', '', 3), (:id, :id, 'changed', '', 2), (:id, :id, 'changed', 'phone', 2)"
            ),
            {"id": first.delivery_id},
        )
        connection.execute(
            text(
                "insert into ops.partition_hold (delivery_id, community_name, last_delivery_id, last_row_count, "
                "row_count, status) values (:id, '在水社区', :id, 10, 0, 'open')"
            ),
            {"id": first.delivery_id},
        )
    update_delivery_due(warehouse.engine, date(2026, 11, 24))
    score_suppliers(warehouse.engine, date(2026, 11, 24))
    (path,) = write_missing_receipts(warehouse.engine, outbox)
    sheets, answer = read(path)
    summary = dict(sheets["回执"])
    assert summary["与上次相比"] == f"取代来件 {first.delivery_id}：新增 3 行，改动 2 行"
    assert ("改动", "联系电话", 2) in sheets["与上次相比"]
    assert summary["待确认的社区"].startswith("在水社区：上次 10 行，这次 0 行")
    assert answer["waiting_communities"][0]["community_name"] == "在水社区"
    assert [score["dimension"] for score in answer["scorecard"]["dimensions"]] == list(DIMENSION_NAMES)
    assert answer["scorecard"]["month"] == "2026-11"
    assert [row[0] for row in sheets["本月评分"][1:]] == list(DIMENSION_NAMES.values())
    faults = {s["dimension"]: s["denominator"] - s["numerator"] for s in answer["scorecard"]["dimensions"]}
    assert (faults["accuracy"], faults["consistency"], faults["timeliness"]) == (1, 0, 0)
    # The community is delivered after all: that is another state.
    with warehouse.engine.begin() as connection:
        connection.execute(
            text("update ops.partition_hold set status = 'delivered', settled_by_delivery = delivery_id")
        )
    assert write_missing_receipts(warehouse.engine, outbox) == [path]
    assert read(path)[1]["waiting_communities"] == []


def test_no_value_and_no_formula_in_either_form(put, take, warehouse, outbox):
    name, health, number, phone, income = CANARIES
    rows = [
        *disabled_rows(20),
        (f"{name}(已故)", "男", wrong_digit(number), f"{number}41", f"+{health}", f"={income}", f"－{health}",
         health, f"＝{health}", name, name, phone, phone + "1", health),
        ("", "", "", "", health, "", "", "", "", "", "", "", "", ""),
        ("合计", f"@{income}", "", "", "", "", "", "", "", "", "", "", "", ""),
    ]  # fmt: skip
    put(FOLDER, f"=名册_{number}_202607.csv", csv_bytes(DISABLED_HEADER, rows))
    take()
    update_delivery_due(warehouse.engine, date(2026, 11, 24))
    score_suppliers(warehouse.engine, date(2026, 11, 24))
    (path,) = write_missing_receipts(warehouse.engine, outbox)
    written = path.with_suffix(".json").read_text(encoding="utf-8")
    for sheet in openpyxl.load_workbook(path):
        for row in sheet:
            for cell in row:
                assert cell.data_type != "f"
                said = str(cell.value or "")
                assert (
                    said.lstrip(" \u3000")[:1] not in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
                    or not said
                )
                written += f"\n{said}"
    assert "id_checksum_wrong" in written  # the search finds what is there
    assert [canary for canary in CANARIES if canary in written or canary[:-1] in written] == []


def test_the_clock_counts_the_business_date_of_the_refresh_that_took_the_list_in(put, take, warehouse, ask):
    def refresh(as_of, at):
        with warehouse.engine.begin() as connection:
            connection.execute(
                text("insert into ops.refresh (as_of, started_at) values (:as_of, :at)"),
                {"as_of": as_of, "at": at},
            )

    refresh(date(2026, 7, 10), ARRIVED - timedelta(minutes=9))
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(20)))
    take(ARRIVED - timedelta(minutes=8))
    refresh(date(2026, 10, 20), ARRIVED - timedelta(minutes=5))
    put(FOLDER, "b20261019.csv", csv_bytes(DISABLED_HEADER, disabled_rows(21)))
    take(ARRIVED - timedelta(minutes=4))
    assert ask("select arrived_on from ops.delivery_arrival order by delivery_id") == [
        (date(2026, 7, 10),),
        (date(2026, 10, 20),),
    ]
    told = (
        "select period_start, status, days_late from ops.delivery_due where list_code = 'disabled' order by 1"
    )
    for _ in range(2):
        update_delivery_due(warehouse.engine, date(2026, 10, 20))
        assert ask(told) == [(date(2026, 7, 1), "on_time", 0), (date(2026, 10, 1), "late", 5)]
    # A run for an earlier day gives that day's answer.
    update_delivery_due(warehouse.engine, date(2026, 10, 18))
    assert ask(told) == [(date(2026, 7, 1), "on_time", 0), (date(2026, 10, 1), "missing", 3)]


def test_an_unchanged_list_that_comes_again_is_not_missing(put, take, warehouse, ask):
    content = csv_bytes(DISABLED_HEADER, disabled_rows(20))
    put(FOLDER, "名册202607.csv", content)
    (first,) = take(ARRIVED.replace(month=7, day=10))
    put(FOLDER, "名册202610.csv", content)
    (again,) = take(ARRIVED.replace(month=10, day=10))
    assert (first.status, again.status) == ("loaded", "duplicate")
    update_delivery_due(warehouse.engine, date(2026, 12, 1))
    due = ask("select period_start, first_delivery_id from ops.delivery_due where list_code = 'disabled'")
    assert dict(map(tuple, due)) == {
        date(2026, 7, 1): first.delivery_id,
        date(2026, 10, 1): again.delivery_id,
    }


def test_a_large_receipt_is_quick(put, take, warehouse, outbox):
    """Twenty thousand warnings here; the cost is linear, so a hundred thousand are five times as much."""
    from time import process_time

    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(20)))
    (outcome,) = take()
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.row_warning (delivery_id, record_id, row_number, rule, column_name, message) "
                "select :id, n::text, n, 'id_checksum_wrong', 'id_no', '“公民身份号码”：证件号码的校验码不对，至少有一位录错。对照证件改正。' "
                "from generate_series(1, 20000) as n"
            ),
            {"id": outcome.delivery_id},
        )
    start = process_time()
    (path,) = write_missing_receipts(warehouse.engine, outbox)
    assert process_time() - start < 4
    sheets, answer = read(path)
    assert len(answer["problems"]) == 20_000 + outcome.warning_count
    assert len(sheets["逐行问题"]) <= 1 + MOST_LINES_OF_A_KIND + outcome.warning_count
    assert path.stat().st_size < 100_000


def test_made_ids_are_valid(put, take):
    """The lists of these tests warn about nothing by themselves."""
    assert len(made_id(1)) == 18
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(20)))
    assert [(o.status, o.warning_count) for o in take()] == [("loaded", 0)]
