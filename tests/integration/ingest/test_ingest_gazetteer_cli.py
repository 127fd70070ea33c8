"""`yihu gazetteer`, from the side of data staff."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from ingest_lists import DISABLED_HEADER, csv_bytes, disabled_rows

from ingest.addresses.learning import propose_entries
from ingest.contract import load_contracts
from orchestration.cli import main

pytestmark = pytest.mark.database


@pytest.fixture
def yihu(warehouse, monkeypatch):
    platform = SimpleNamespace(engine=warehouse.engine)
    monkeypatch.setattr("orchestration.platform.open_platform", lambda: platform)
    return lambda *arguments: CliRunner().invoke(main, ["gazetteer", *map(str, arguments)])


@pytest.fixture
def learned(warehouse, put, take):
    rows = disabled_rows(12, communities=("近江社区",))
    place = DISABLED_HEADER.index("现住址")
    addresses = [
        *(f"南镇花园{n}幢{n}01室" for n in range(1, 7)),
        *(f"大南镇花园{n}幢1单元501室" for n in range(1, 7)),
    ]
    rows = [(*row[:place], address, *row[place + 1 :]) for row, address in zip(rows, addresses, strict=True)]
    put("civil_affairs/disabled", "202607.csv", csv_bytes(DISABLED_HEADER, rows))
    take()
    propose_entries(warehouse.engine, load_contracts())


def test_staff_list_approve_and_export(yihu, learned, tmp_path, ask):
    shown = yihu("list").output.splitlines()
    assert ["收录，不分单元" in line for line in shown if " 南镇花园 " in line] == [True]
    number = next(line.split()[0] for line in shown if " 南镇花园 " in line)
    approved = yihu("approve", number, "--by", "王主任")
    assert approved.exit_code == 0
    assert "请一并决定：大南镇花园" in approved.output
    assert "改动 12 行" in approved.output
    keys = [row.address_key for row in ask("select address_key from raw.disabled order by row_number")]
    assert keys == [*(f"南镇花园|{n}||{n}01" for n in range(1, 7)), *[None] * 6]

    rest = next(line.split()[0] for line in yihu("list").output.splitlines() if "大南镇花园" in line)
    assert "改动 6 行" in yihu("approve", rest, "--by", "王主任").output
    assert yihu("list").output == "没有待定的建议。\n"
    file = tmp_path / "地名库.csv"
    assert "已写入 2 条" in yihu("export", file).output
    assert "新增或改动 0 条" in yihu("import", file, "--by", "李警官").output


def test_a_sheet_is_read_back_only_with_a_name(yihu, learned, tmp_path):
    file = tmp_path / "审核.xlsx"
    assert "已写入 2 条建议" in yihu("review", file).output
    assert yihu("review", file, "--apply").exit_code == 2
    assert "已决定 0 条" in yihu("review", file, "--apply", "--by", "王主任").output


def test_rejected_once_a_proposal_is_gone(yihu, learned):
    number = yihu("list").output.split()[0]
    assert yihu("reject", number, "--by", "王主任").output == "已否决 1 条。\n"
    again = yihu("reject", number, "--by", "王主任")
    assert again.exit_code == 1
    assert "已经决定过" in again.output
