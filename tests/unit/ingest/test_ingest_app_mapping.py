"""The mapping of the visit app's tables: what is wrong in it is told in Chinese, all at once."""

from datetime import timedelta

import pytest
import yaml

from infra.errors import PermanentError
from ingest.app_mapping import DEFAULT_FILE, load_app_lists
from ingest.contract import load_contracts

CONTRACTS = load_contracts()


@pytest.fixture
def entry():
    return {
        "relation": "app.visit", "key": ["id"], "watermark": "updated_at", "look_back": "2h", "look_back_reason": "长事务",
        "columns": {"no": "走访编号", "at": "visited_at", "house": "户号"},
    }  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def load(lists, **more):
        path = tmp_path / "sources.yaml"
        path.write_text(yaml.safe_dump({"lists": lists, **more}, allow_unicode=True), encoding="utf-8")
        return load_app_lists(path, CONTRACTS)

    return load


def test_the_mapping_that_ships_fits_the_contracts():
    lists = load_app_lists(None, CONTRACTS)
    assert [entry.list_code for entry in lists] == list(
        yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8"))["lists"]
    )
    assert {CONTRACTS[entry.list_code].department for entry in lists} == {"community"}


def test_columns_are_named_by_name_header_or_alias(load, entry):
    (visit,) = load({"visit": entry}, timezone="UTC")
    assert visit.columns == {"visit_no": "no", "visited_at": "at", "source_household_no": "house"}
    assert (visit.schema, visit.relation, visit.full_name) == ("app", "visit", "app.visit")
    assert (visit.look_back, visit.zone.key) == (timedelta(hours=2), "UTC")
    assert visit.source_columns[:2] == ("id", "updated_at")
    assert sorted(visit.source_columns[2:]) == ["at", "house", "no"]


def test_only_a_changed_mapping_has_another_fingerprint(load, entry):
    (one,), (same,) = load({"visit": entry}), load({"visit": entry})
    (other,) = load({"visit": entry | {"schema_confirmed": "2026-11-24"}})
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": {"no": "走访编号", "at": "走访日期", "x": "天气"}}, "没有栏“天气”"),
        (
            {"columns": {"no": "走访编号", "at": "走访日期", "b": "走访时间", "h": "户号"}},
            "b 和 at 都对照到“走访日期”",
        ),
        ({"columns": {"no": "走访编号", "h": "户号"}}, "缺少必需的栏 走访日期"),
        ({"columns": {"no": "走访编号", "at": "走访日期"}}, "没有一组能认出一行的栏"),
        ({"look_back": "bald"}, "lists.visit.look_back：应为时长"),
        ({"look_back": "0h"}, "应为时长"),
        ({"timezone": "Peking"}, "没有这个时区"),
        ({"watermark": None}, "lists.visit.watermark：应为文字"),
        ({"key": []}, "lists.visit.key：至少要有一项"),
        ({"page_rows": 3}, "应为 10 到 100000 的整数"),
        ({"pagerows": 3}, "lists.visit.pagerows：没有这一项"),
    ],
)
def test_a_mistake_is_told_with_its_place(load, entry, change, said):
    with pytest.raises(PermanentError) as caught:
        load({"visit": entry | change})
    assert said in str(caught.value)
    assert "sources.yaml" in str(caught.value)


def test_all_mistakes_are_told_at_once(load, entry):
    with pytest.raises(PermanentError, match=r"2 处错误.*没有清单 besuch.*缺少必需的栏"):
        load({"besuch": entry, "visit": entry | {"columns": {"h": "户号", "no": "走访编号"}}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lists: [", "第 1 行"),
        ("lists: {}", "至少要有一项"),
        ("lists: {visit: {relation: a, relation: b}}", "“relation”出现两次"),
        ("- 1", "应为 名称: 值 的形式"),
        ("", "应为 名称: 值 的形式"),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path, text, said):
    path = tmp_path / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PermanentError, match=said):
        load_app_lists(path, CONTRACTS)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PermanentError, match="读不了"):
        load_app_lists(tmp_path / "gone.yaml", CONTRACTS)
