"""Receipts that a clerk can act on: allowed values, limits, forms; one problem for a column that is missing; fair scores."""

import json
from datetime import date

import openpyxl
import pytest
from ingest_lists import DISABLED_HEADER, conforming, csv_bytes, disabled_rows

from ingest.arrivals import update_delivery_due
from ingest.receipts import write_missing_receipts
from quality.scorecard import score_suppliers

pytestmark = pytest.mark.database

FOLDER = "civil_affairs/disabled"


@pytest.fixture
def answered(put, take, warehouse, tmp_path):
    def answered(name, header, rows):
        put(FOLDER, name, csv_bytes(header, rows))
        (outcome,) = take()
        (path,) = write_missing_receipts(warehouse.engine, tmp_path / "outbox")
        book = openpyxl.load_workbook(path)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
        return outcome, sheets, conforming(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))

    return answered


def with_cell(row, header, value):
    place = DISABLED_HEADER.index(header)
    return (*row[:place], value, *row[place + 1 :])


def test_what_may_stand_in_a_cell_is_said(answered):
    rows = disabled_rows(20)
    rows[0] = with_cell(rows[0], "残疾类别", "腿脚")
    rows[1] = with_cell(rows[1], "联系电话", "1390654321")
    _, sheets, answer = answered("a202607.csv", DISABLED_HEADER, rows)
    told = {problem["rule"]: problem for problem in answer["problems"]}
    assert told["code_unknown"]["problem"].startswith("认不得这个写法，没有取值")
    assert told["code_unknown"]["remedy"] == "请填：视力、听力、言语、肢体、智力、精神、多重之一"
    assert told["phone_invalid"]["problem"].endswith("，这里有 10 位数字")
    assert any("肢体、智力、精神、多重之一" in str(row) for row in sheets["问题汇总"])


def test_a_missing_column_is_one_problem_and_the_header_that_looks_like_it_is_asked_about(answered):
    header = ("残疾人称呼X", *DISABLED_HEADER[1:])
    outcome, sheets, answer = answered("a202607.csv", header, disabled_rows(200))
    assert (outcome.status, outcome.reason_code) == ("held", "required_column_missing")
    assert "“姓名”（是否就是“残疾人称呼X”？）" in outcome.reason
    assert [kind["rule"] for kind in answer["kinds"]] == ["required_column_missing"]
    (problem,) = answer["problems"]
    assert (problem["row"], problem["header"], problem["handling"]) == (None, "姓名", "quarantined")
    assert len(sheets["逐行问题"]) == 2


def test_a_header_that_looks_like_nothing_is_not_asked_about(answered):
    outcome, _, _ = answered("a202607.csv", ("QQQ", *DISABLED_HEADER[1:]), disabled_rows(12))
    assert outcome.reason.startswith("缺少必需的栏：“姓名”。")


def test_a_footer_is_not_said_to_be_unusable(answered):
    rows = [*disabled_rows(20), ("合计", *[""] * (len(DISABLED_HEADER) - 2), "20")]
    outcome, sheets, answer = answered("a202607.csv", DISABLED_HEADER, rows)
    assert (outcome.row_count, outcome.quarantined_count) == (21, 1)
    said = dict(sheets["回执"])
    assert (said["数据行数"], said["接收"], said["隔离（不能使用）"]) == (20, 20, "0 行")
    assert said["合计、表尾"].startswith("1 行")
    assert answer["counts"]["footer_count"] == 1


def test_what_could_not_be_used_comes_first(answered):
    rows = [with_cell(row, "残疾类别", "腿脚") for row in disabled_rows(20)]
    rows[0] = ("", "男", "", "", *rows[0][4:])
    _, _, answer = answered("a202607.csv", DISABLED_HEADER, rows)
    assert answer["kinds"][0]["handling"] == "quarantined"
    counts = [kind["count"] for kind in answer["kinds"][1:]]
    assert counts == sorted(counts, reverse=True)


def test_only_empty_required_cells_are_missing_in_the_score(put, take, warehouse, ask):
    rows = disabled_rows(20)
    rows[0] = with_cell(rows[0], "公民身份号码", "330102")  # taken from the certificate
    rows[1] = with_cell(rows[1], "残疾类别", "腿脚")  # not known, so taken from the certificate
    rows[2] = with_cell(rows[2], "现住址", "清水苑")  # not down to the door
    rows[3] = with_cell(rows[3], "残疾等级", "很重")
    rows[4] = with_cell(rows[4], "姓名", "")  # empty, and required; the row is known by its id
    put(FOLDER, "a202611.csv", csv_bytes(DISABLED_HEADER, rows))
    take()
    rules = {rule for (rule,) in ask("select distinct rule from ops.row_warning")}
    assert rules >= {"address_incomplete", "required_value_missing"}
    update_delivery_due(warehouse.engine, date(2026, 11, 24))
    (score,) = [
        score
        for score in score_suppliers(warehouse.engine, date(2026, 11, 24))
        if (score.list_code, score.dimension) == ("disabled", "completeness")
    ]
    ((empty,),) = ask("select count(*) from ops.row_warning where rule = 'required_value_missing'")
    assert empty == 1
    assert score.denominator - score.numerator == empty
