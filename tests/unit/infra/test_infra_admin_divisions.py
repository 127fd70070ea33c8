"""Area codes: the facts of GB/T 2260 that are known for sure, and the shape of the whole table."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from infra.admin_divisions import ADMIN_DIVISION_FILE, known_area_codes, names_of
from infra.reference.make_admin_division import _Division, divisions

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with ADMIN_DIVISION_FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def by_code(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["code"]].append(row)
    return found


@pytest.mark.parametrize(
    ("code", "name", "valid_from", "valid_to"),
    [
        ("330103", "下城区", "1980-01-01", "2021-01-01"),
        ("330113", "临平区", "2021-01-01", ""),
        ("330114", "钱塘区", "2021-01-01", ""),
        ("500105", "江北区", "1997-01-01", "2026-01-01"),
        ("500112", "渝北区", "1997-01-01", "2026-01-01"),
        ("500157", "两江新区", "2026-01-01", ""),
        ("540481", "米林市", "2023-01-01", ""),
        ("540581", "错那市", "2023-01-01", ""),
        ("653228", "和康县", "2024-01-01", ""),
        ("653229", "和安县", "2024-01-01", ""),
        ("659012", "白杨市", "2023-01-01", ""),
        ("810000", "香港特别行政区", "1997-01-01", ""),
        ("820000", "澳门特别行政区", "1999-01-01", ""),
        ("830000", "台湾（居住证地址码）", "2018-09-01", ""),
    ],
)
def test_known_facts(
    by_code: dict[str, list[Row]], code: str, name: str, valid_from: str, valid_to: str
) -> None:
    (row,) = by_code[code]
    assert (row["name"], row["valid_from"], row["valid_to"]) == (name, valid_from, valid_to)


def test_a_renamed_or_moved_area_has_a_row_for_each_state(by_code: dict[str, list[Row]]) -> None:
    xiangyang = [(row["name"], row["valid_to"]) for row in by_code["420600"]]
    assert xiangyang[-2][0] == "襄樊市"
    assert xiangyang[-1] == ("襄阳市", "")
    assert xiangyang[-2][1] == by_code["420600"][-1]["valid_from"]


def test_no_code_stands_for_two_areas_at_a_time(by_code: dict[str, list[Row]]) -> None:
    overlapping = [
        code
        for code, states in by_code.items()
        for earlier, later in pairwise(states)
        if not earlier["valid_to"] or earlier["valid_to"] > later["valid_from"]
    ]
    assert overlapping == []
    assert [
        row
        for rows in by_code.values()
        for row in rows
        if row["valid_to"] and row["valid_to"] <= row["valid_from"]
    ] == []


def test_the_table_of_today_is_whole(rows: list[Row]) -> None:
    today = [row for row in rows if not row["valid_to"]]
    counts = {level: sum(row["level"] == level for row in today) for level in ("province", "city", "county")}
    # 34 provinces and 830000; 333 prefectures and the collective codes of municipalities and directly ruled counties.
    assert counts["province"] == 35
    assert 333 <= counts["city"] <= 350
    assert 2840 <= counts["county"] <= 2860


def test_every_area_has_a_parent_that_stands_in_the_table(rows: list[Row]) -> None:
    codes = {row["code"] for row in rows}
    assert [row for row in rows if row["level"] != "province" and row["parent_code"] not in codes] == []
    assert {row["parent_code"] for row in rows if row["level"] == "province"} == {""}
    assert [row for row in rows if not (row["code"].isdigit() and len(row["code"]) == 6)] == []
    assert [row for row in rows if not (row["name"] and row["valid_from"] and row["source"])] == []


def test_what_stations_ask() -> None:
    assert {"330103", "330101", "500112", "830000"} <= known_area_codes()
    assert {"180102", "330199", "000000", ""}.isdisjoint(known_area_codes())
    assert "襄樊市" in names_of("city")
    assert "襄樊市" not in names_of("city", only_current=True)
    assert "浙江省" in names_of("province", only_current=True)


def _year(name: str, parent: str = "330100") -> _Division:
    return _Division(name, "county", parent)


def test_years_become_intervals() -> None:
    province = {year: _Division("浙江省", "province", "") for year in range(2019, 2025)}
    city = {year: _Division("杭州市", "city", "330000") for year in range(2019, 2025)}
    history = {
        "330000": province,
        "330100": city,
        "330103": {2019: _year("下城区"), 2020: _year("下城区")},
        "330110": {2019: _year("余杭市"), 2020: _year("余杭区"), 2022: _year("余杭区")},
        "330113": {2023: _year("临平区"), 2024: _year("临平区")},
        "330199": {2024: _year("某区")},
    }
    current = {
        "330000": _Division("浙江省", "province", ""),
        "330100": _Division("杭州市", "city", "330000"),
        "330113": _year("临平区"),
        "330157": _year("新设区", "330000"),
    }
    standard = {"330101": {2002: _year("市辖区"), 2003: _year("市辖区")}, "330103": {2002: _year("下城区")}}
    found = [
        (row[0], row[1], row[3], row[4][:4], row[5][:4]) for row in divisions(history, current, standard)
    ]
    assert found == [
        ("330000", "浙江省", "", "2019", ""),
        ("330100", "杭州市", "330000", "2019", ""),
        ("330101", "市辖区", "330100", "2002", "2004"),
        ("330103", "下城区", "330100", "2019", "2021"),
        ("330110", "余杭市", "330100", "2019", "2020"),
        ("330110", "余杭区", "330100", "2020", "2021"),
        ("330110", "余杭区", "330100", "2022", "2023"),
        ("330113", "临平区", "330100", "2023", ""),
        ("330157", "新设区", "330100", "2026", ""),
        ("330199", "某区", "330100", "2024", "2026"),
        ("830000", "台湾（居住证地址码）", "", "2018", ""),
    ]


def test_a_renaming_that_the_script_cannot_date_is_refused() -> None:
    with pytest.raises(ValueError, match="330113"):
        divisions({"330113": {2024: _year("临平区")}}, {"330113": _year("新临平区")}, {})


def test_the_file_is_beside_its_script() -> None:
    assert ADMIN_DIVISION_FILE.parent == Path(divisions.__code__.co_filename).parent
