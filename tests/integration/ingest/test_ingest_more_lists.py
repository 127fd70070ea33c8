"""The seven further lists of persons, whole: deliveries of a synthetic sub-district into the tables."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from ingest_lists import csv_bytes, every_row_has_one_fate, made_id

from ingest.deliveries import ingest_landing
from tests.synthetic.dirt import Dirt
from tests.synthetic.more_files import MORE_FOLDERS, MoreFiles
from tests.synthetic.more_lists import PLANTS, MoreListWriter, deliver_more
from tests.synthetic.population import World

pytestmark = pytest.mark.database

AUGUST, SEPTEMBER = date(2026, 8, 1), date(2026, 9, 1)
PLANTS_A_RULE = 2


def test_two_months_of_all_lists_are_loaded_whole_and_planted_faults_are_told(
    warehouse, protector, landing, ask
):
    world = World.create(7, 700, AUGUST)
    files = MoreFiles(world, Dirt.default())
    planted, true_rows = [], []
    for variant, month in enumerate((AUGUST, SEPTEMBER)):
        if month > world.today:
            world.advance(month)
        files.update(month)
        writer = MoreListWriter(world, Dirt.default(), month, variant, plants=PLANTS_A_RULE)
        rows, broken = deliver_more(landing, files, writer)
        true_rows += rows
        planted += broken
    assert {p.rule for p in planted} == {rule for plants in PLANTS.values() for rule in plants}
    outcomes = ingest_landing(
        warehouse.engine, protector, landing, datetime(2026, 9, 8, 1, tzinfo=UTC), as_of=date(2026, 9, 8)
    )
    assert Counter((o.list_code, o.status) for o in outcomes) == {
        (code, "loaded"): 2 for code in MORE_FOLDERS
    }
    assert every_row_has_one_fate(ask)
    unusable = [row.rule for row in ask("select rule from ops.quarantined_row")]
    assert set(unusable) <= {"total_row"}
    stored = {
        (row.list_code, row.file_name, row.sheet_name, row.row_number)
        for code in MORE_FOLDERS
        for row in ask(
            f"select list_code, file_name, sheet_name, row_number from raw.{code} join ops.delivery using (delivery_id)"
        )
    }
    assert stored == {(row.source, row.file, row.sheet, row.row) for row in true_rows}
    told = {
        (row.list_code, row.file_name, row.sheet_name, row.row_number, row.rule)
        for row in ask(
            "select list_code, file_name, sheet_name, row_number, rule from ops.row_warning join ops.delivery using (delivery_id)"
        )
    }
    assert {(p.list_code, p.file, p.sheet, p.row, p.rule) for p in planted} <= told
    # A check that sound rows break would drown the clerks: what was not planted comes of dirt, and is rare.
    counts = Counter(rule for *_, rule in told)
    for rule in (
        "unemployed_after_registered",
        "next_before_followed_up",
        "institution_missing",
        "certificate_missing",
    ):
        assert counts[rule] == 2 * PLANTS_A_RULE
    for rule in (
        "age_too_high",
        "age_too_low",
        "id_birth_date_differs",
        "id_sex_differs",
        "certificate_id_differs",
    ):
        assert counts[rule] <= 0.04 * len(true_rows)
    assert not counts["code_unknown"]


def test_nothing_of_an_illness_stands_in_clear(put, take, ask):
    words = ("精神分裂症", "3级", "市第七人民医院", "不服药", "曾肇事")
    put(
        "health/severe_mental",
        "患者202607.csv",
        csv_bytes(
            (
                "姓名",
                "身份证号",
                "目前诊断类型",
                "目前危险性评估等级",
                "治疗医院",
                "治疗情况",
                "有无肇事肇祸史",
                "现住址",
            ),
            [("赵雪", made_id(3), *words, "清水苑1幢1单元101室")],
        ),
    )
    (outcome,) = take()
    assert (outcome.status, outcome.accepted_count, outcome.warning_count) == ("loaded", 1, 0)
    (row,) = ask("select to_jsonb(t)::text as everything from raw.severe_mental as t")
    assert not any(word in row.everything for word in words)


def test_a_diagnosis_that_the_code_list_knows_is_a_code_behind_the_cipher(put, take, ask, protector):
    put(
        "health/severe_mental",
        "患者202607.csv",
        csv_bytes(
            ("姓名", "身份证号", "目前诊断类型", "目前危险性评估等级", "现住址"),
            [
                ("赵雪", made_id(3), "双相情感障碍", "0级", "清水苑1幢1单元101室"),
                ("王思", made_id(4), "抑郁状态", "0", ""),
            ],
        ),
    )
    take()
    known, other = ask(
        "select record_id, diagnosis_encrypted, danger_level_encrypted from raw.severe_mental order by row_number"
    )
    assert protector.decrypt(known.diagnosis_encrypted, f"diagnosis|{known.record_id}") == "4"
    assert protector.decrypt(known.danger_level_encrypted, f"danger_level|{known.record_id}") == "0"
    assert protector.decrypt(other.diagnosis_encrypted, f"diagnosis|{other.record_id}") == "抑郁状态"
    assert protector.decrypt(other.danger_level_encrypted, f"danger_level|{other.record_id}") == "0"
    assert [row.rule for row in ask("select rule from ops.row_warning")] == ["code_unknown"]


LOW_HEADER = ("低保证号", "户主姓名", "成员姓名", "身份证号码", "与户主关系", "是否保障", "家庭住址")


def test_low_income_and_extreme_poverty_exclude_each_other(put, take, ask):
    both, insured_not, only = made_id(3), made_id(4), made_id(5)
    put(
        "civil_affairs/low_income",
        "低保202607.csv",
        csv_bytes(
            LOW_HEADER,
            [
                ("D1", "赵雪", "赵雪", both, "户主", "是", "清水苑1幢1单元101室"),
                ("D1", "赵雪", "王思", insured_not, "配偶", "否", "清水苑1幢1单元101室"),
            ],
        ),
    )
    take()
    put(
        "civil_affairs/extreme_poverty",
        "特困202607.csv",
        csv_bytes(
            ("姓名", "身份证号", "供养方式", "家庭住址"),
            [
                (f"人{n}", number, "分散", "清水苑1幢1单元101室")
                for n, number in enumerate((both, insured_not, only))
            ],
        ),
    )
    (poverty,) = take()
    assert (
        poverty.warning_count == 1 + ask("select count(*) from ops.row_warning where rule like 'name%'")[0][0]
    )
    told = ask("select list_code, row_number, rule, column_name, message from ops.row_warning join ops.delivery using (delivery_id) where rule like 'also_in%'")  # fmt: skip
    assert [(row.list_code, row.row_number, row.rule, row.column_name) for row in told] == [
        ("extreme_poverty", 2, "also_in_low_income", "id_no")
    ]
    assert both not in told[0].message
    assert every_row_has_one_fate(ask)
    # The next low-income list is compared with the current rows of the other one, and so on.
    put(
        "civil_affairs/low_income",
        "低保202608.csv",
        csv_bytes(LOW_HEADER, [("D1", "赵雪", "赵雪", both, "户主", "", "清水苑1幢1单元101室")]),
    )
    take()
    assert [
        row.list_code
        for row in ask(
            "select list_code from ops.row_warning join ops.delivery using (delivery_id) where rule = 'also_in_extreme_poverty'"
        )
    ] == ["low_income"]
    assert every_row_has_one_fate(ask)


def test_a_wrong_total_is_a_note_of_the_delivery_without_a_number(put, take, ask):
    put(
        "civil_affairs/low_income",
        "低保202607.csv",
        csv_bytes(
            (*LOW_HEADER, "月保障金额(元)"),
            [
                ("D1", "赵雪", "赵雪", made_id(3), "户主", "是", "清水苑1幢1单元101室", "4711"),
                ("合计", "", "", "", "", "", "", "4712"),
            ],
        ),
    )
    take()
    (delivery,) = ask("select layout from ops.delivery")
    assert any("合计行与各行相加不等" in note for note in delivery.layout["notes"])
    assert "471" not in str(delivery.layout)
