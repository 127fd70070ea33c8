"""What leaves the database as files and texts: crosswalk, summary, page."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from publish_register import Register
from sqlalchemy import Engine, text

from infra.errors import PermanentError
from publish.crosswalk import write_crosswalk
from publish.releases import publish
from publish.report import render_release_summary, write_release_page

pytestmark = pytest.mark.database

HEADER = (
    "list_code,delivery_id,file_name,sheet_name,row_number,person_id,household_id,link_rule,link_probability"
)


def test_the_crosswalk_is_the_newest_build_sorted_whatever_the_verdict(
    engine: Engine, register: Register, tmp_path: Path
) -> None:
    register.judge()
    publish(engine)
    register.build(wave=2, reverse=True)
    register.judge("failed")
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into candidate.source_record values"
                " ('visit', 2, '走访 \"七月\".csv', '', 10, null, 'H1', 'door', null),"
                " ('visit', 2, '走访 \"七月\".csv', '', 9, null, null, 'none', 1),"
                " ('disabled', 11, 'x.xlsx', '表二', 4, 'P1', 'H1', 'splink', 0.5)"
            )
        )
    path = tmp_path / "crosswalk.csv"
    assert write_crosswalk(engine, path) == 9
    content = path.read_bytes()
    assert content.startswith(HEADER.encode() + b"\n")
    rows = list(csv.reader(content.decode("utf-8").splitlines()))
    keys = [(row[0], int(row[1]), row[3], int(row[4])) for row in rows[1:]]
    assert keys == sorted(keys)
    assert rows[1] == ["disabled", "11", "x.xlsx", "表二", "4", "P1", "H1", "splink", "0.5"]
    assert rows[2] == ["low_income", "1", "低保,2026-01.xlsx", "", "3", "P1", "H1", "2", "0.98765432"]
    assert rows[-1] == ["visit", "2", '走访 "七月".csv', "", "10", "", "H1", "door", ""]
    assert b'""' not in content.replace(b'""\xe4\xb8\x83\xe6\x9c\x88""', b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["crosswalk.csv"]


def test_without_a_build_the_crosswalk_says_what_to_do(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="yihu refresh"):
        write_crosswalk(engine, tmp_path / "crosswalk.csv")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PermanentError, match="写不了"):
        write_crosswalk(engine, tmp_path / "missing" / "crosswalk.csv")


def test_the_summary_before_anything_says_so(engine: Engine) -> None:
    summary = render_release_summary(engine)
    assert "尚无发布" in summary
    assert "尚无判定" in summary


def test_the_summary_names_release_figures_changes_and_the_newest_verdict(
    engine: Engine, register: Register
) -> None:
    register.judge()
    publish(engine)
    assert "首次发布" in render_release_summary(engine)
    register.build(households={"H1": ["P1", "P2"], "H2": ["P3", "P7"]})
    register.judge()
    publish(engine)
    register.build(wave=3)
    register.judge("insufficient")
    summary = render_release_summary(engine)
    for expected in (
        "第 2 期",
        "数据日期 2026-08-31",
        "人员 4，家庭 2",
        "准确率 97.50%",
        "与第 1 期相比，人员：新增 1，离册 3",
        "置信下限 96.10%（要求不低于 95.00%），置信区间 95.70%–98.50%",
        "最近判定：证据不足（数据日期 2026-08-31",
        "测试理由 M01 insufficient",
    ):
        assert expected in summary
    assert "测试P1" not in summary


def test_the_page_holds_aggregates_only_hides_small_numbers_and_needs_no_network(
    engine: Engine, register: Register, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match="尚无发布"):
        write_release_page(engine, tmp_path)
    homes = {f"H{number}": [f"P{number}{member}" for member in "abc"] for number in range(1, 41)}
    communities = {home: "朝阳社区" if number < 30 else "<b>东门</b>" for number, home in enumerate(homes)}
    communities["H40"] = "小小社区"
    register.build(households=homes, communities=communities, low_income=("H1", "H2"))
    register.judge()
    publish(engine)
    path = write_release_page(engine, tmp_path / "pages")
    assert path == tmp_path / "pages" / "release-1.html"
    page = path.read_text(encoding="utf-8")

    assert "朝阳社区" in page
    assert "&lt;b&gt;东门" in page
    assert "97.50%" in page
    cells = re.findall(r"<tr>\s*<td>小小社区</td>(.*?)</tr>", page, re.DOTALL)
    assert len(cells) == 1
    numbers = re.findall(r"<span>([\d,]+|—)</span></td>", cells[0])
    assert numbers == ["—", "—", "0", "0"]
    total = re.findall(r'<tr class="total">.*?</tr>', page, re.DOTALL)[0]
    assert re.findall(r"<td>([\d,]+|—)</td>", total) == ["40", "120", "—", "0"]
    assert not re.search(r"P\d+[abc]|测试P|H\d+", page)
    assert not re.search(r"https?:|src=|@import|url\(|<script", page)
    assert write_release_page(engine, tmp_path / "pages") == path
    assert [entry.name for entry in path.parent.iterdir()] == ["release-1.html"]


def test_a_small_difference_cannot_be_worked_out_from_the_totals(
    engine: Engine, register: Register, tmp_path: Path
) -> None:
    homes = {f"H{number}": [f"P{number}{member}" for member in "abc"] for number in range(1, 41)}
    for households in (homes, {**{home: homes[home] for home in list(homes)[10:]}, "H99": ["P99a", "P99b"]}):
        register.build(households=households)
        register.judge()
        publish(engine)
    page = write_release_page(engine, tmp_path).read_text(encoding="utf-8")
    changes = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    # 2 new and 30 gone: 92 = 120 + new - gone would tell the 2 if the 30 stood there.
    assert changes[:3] == [("新增", "—"), ("离册", "—"), ("并入他人", "0")]
