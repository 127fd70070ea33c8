"""Areas of ids and addresses: an abolished one is as good as any, an unheard-of one is a warning."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.admin_divisions import known_area_codes
from ingest.addresses.parser import parse_address
from ingest.contract import load_code_lists
from ingest.normalise.ids import check_character, parse_id
from ingest.normalise.regions import split_regions

DOCUMENT_TYPES = Path(__file__).parents[3] / "dbt_project" / "seeds" / "id_document_type.csv"


def id_of(area: str) -> str:
    first_17 = f"{area}19800229001"
    return first_17 + check_character(first_17)


@pytest.mark.parametrize(
    "area",
    [
        "330103",
        "330113",
        "500157",
        "500112",
        "653228",
        "659012",
        "540481",
        "810000",
        "820000",
        "830000",
        "330101",
        "132401",
    ],
)
def test_an_area_of_any_time_is_known(area):
    parsed = parse_id(id_of(area))
    assert (parsed.kind, parsed.area_code, parsed.finding) == ("valid", area, None)


@given(st.integers(100000, 899999).map(str))
def test_an_area_is_warned_about_exactly_when_it_never_was(area):
    parsed = parse_id(id_of(area))
    assert parsed.kind == "valid"
    assert parsed.finding == (None if area in known_area_codes() else "id_area_unknown")


@pytest.mark.parametrize(
    ("address", "rest"),
    [
        ("湖北省襄樊市樊城区春园路3号", "春园路3号"),
        ("杭州市下城区春园路3号", "春园路3号"),
        ("锡林郭勒盟锡林浩特市团结小区3幢", "团结小区3幢"),
        ("恩施州恩施市金子坝小区3幢", "金子坝小区3幢"),
        ("重庆两江新区春园路3号", "春园路3号"),
        ("上海浦东新区春园路3号", "春园路3号"),
        ("杭州临平区春园路3号", "春园路3号"),
        ("杭州高新区春园路3号", "春园路3号"),
    ],
)
def test_regions_of_any_time_are_taken_off(address, rest):
    assert split_regions(address) == (rest, None)


@pytest.mark.parametrize("name", ["中山小区", "黄山小区", "朝阳小区", "海口小区"])
def test_a_city_that_begins_a_compounds_name_stays(name):
    assert parse_address(f"{name}3幢1单元501").key == f"{name}|3|1|501"


EXAMPLES = {
    "resident_identity_card": "11010519491231002X",
    "hmt_residence_permit": id_of("830000"),
    "hm_travel_permit": "H12345678",
    "taiwan_travel_permit": "12345678",
    "foreign_permanent_residence_old": "USA123456789012",
    "foreign_permanent_residence": id_of("933001"),
    "passport": "E12345678",
    "birth_certificate": "P330012345",
    "officer_certificate": "军字第1234567号",
    "none": "无",
}


def test_every_document_type_is_read_as_the_seed_says():
    with DOCUMENT_TYPES.open(encoding="utf-8", newline="") as file:
        kinds = {row["id_document_type_code"]: row["id_no_kind"] for row in csv.DictReader(file)}
    assert {code: parse_id(number).kind for code, number in EXAMPLES.items()} == kinds
    assert set(load_code_lists()["id_document_type"].codes) == set(kinds)
