"""Reference data: one source a fact, described, and equal wherever it has to stand twice."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from ingest.contract import load_code_lists
from ingest.dbt_sources import LIST_CODE_FILE, render_list_codes

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "dbt_project" / "seeds"
FOLDERS = (SEEDS, ROOT / "infra" / "reference")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Code list to the seed of the same codes.
SEED_OF_LIST = {
    "sex": "sex_code",
    "relation": "relation_code",
    "ethnic_group": "ethnic_group",
    "marital_status": "marital_status",
    "education_level": "education_level",
    "live_consistency": "live_consistency",
    "household_registration_type": "household_registration_type",
    "id_document_type": "id_document_type",
    "disability_category": "disability_category",
    "disability_level": "disability_level",
    "certificate_status": "certificate_status",
    "contract_status": "contract_status",
    "visit_method": "visit_method",
    "visit_outcome": "visit_outcome",
    "audit_outcome": "audit_outcome",
}
# Columns that may be empty, by what their absence says.
MAY_BE_EMPTY = {
    "valid_from", "valid_to", "note", "clock", "letter_code", "parent_code", "is_married", "sex_code", "age_order",
    "least_age_gap_years", "period",
}  # fmt: skip


def described() -> dict[str, dict]:
    return {
        seed["name"]: seed
        for path in sorted(SEEDS.glob("*.yml"))
        for seed in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]
    }


def rows_of(name: str) -> list[dict[str, str]]:
    (path,) = (folder / f"{name}.csv" for folder in FOLDERS if (folder / f"{name}.csv").exists())
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_seed_is_described_and_every_description_has_a_seed():
    assert {path.stem for folder in FOLDERS for path in folder.glob("*.csv")} == set(described())


@pytest.mark.parametrize("name", sorted(described()))
def test_a_seed_states_its_grain_its_types_and_where_it_comes_from(name):
    seed, rows = described()[name], rows_of(name)
    columns = [column["name"] for column in seed["columns"]]
    assert seed["description"].strip().startswith("粒度：")
    assert columns == list(rows[0]) == list(seed["config"]["column_types"])
    assert [column["name"] for column in seed["columns"] if not CHINESE.search(column["description"])] == []
    assert "source" in columns
    empty = {column for row in rows for column, value in row.items() if not value}
    if name == "calendar":
        empty.discard("name")  # a plain day has none
    assert empty <= MAY_BE_EMPTY


@pytest.mark.parametrize(("code_list", "seed"), SEED_OF_LIST.items())
def test_the_codes_of_a_list_are_those_of_its_seed(code_list, seed):
    rows = rows_of(seed)
    code_column = next(iter(rows[0]))
    assert list(load_code_lists()[code_list].codes) == [row[code_column] for row in rows]


def test_audited_fields_are_in_the_list_that_inspectors_return():
    assert {row["field_code"] for row in rows_of("audit_field")} <= set(
        load_code_lists()["audit_field"].codes
    )


def test_the_seed_of_all_list_codes_is_what_the_code_lists_say():
    assert LIST_CODE_FILE.read_text(encoding="utf-8") == render_list_codes(), (
        "run python -m ingest.dbt_sources"
    )


def test_the_standards_are_complete():
    relations = {row["relation_code"]: row for row in rows_of("relation_code")}
    # GB/T 4761-2008, domain.md 2.3: 03 to 09 and 98 are not used.
    assert set(relations) == {f"{n:02d}" for n in range(1, 100)} - {f"{n:02d}" for n in range(3, 10)} - {
        "98"
    } - {f"{n:02d}" for n in range(13, 20)}
    assert {code for code, row in relations.items() if row["age_order"] == "older"} == {"50", "51", "52"}
    assert {row["sex_code"] for code, row in relations.items() if code in ("11", "28", "51", "73")} == {"1"}
    assert {row["sex_code"] for code, row in relations.items() if code in ("12", "38", "52", "64")} == {"2"}
    groups = [row["ethnic_group_code"] for row in rows_of("ethnic_group")]
    assert groups == [f"{n:02d}" for n in range(1, 57)] + ["97", "98"]
    letters = [row["letter_code"] for row in rows_of("ethnic_group") if row["letter_code"]]
    assert len(set(letters)) == 56


def test_legacy_registration_ends_where_the_new_one_begins():
    types = {row["household_registration_type_code"]: row for row in rows_of("household_registration_type")}
    assert types["1"]["valid_to"] == types["2"]["valid_to"] == types["3"]["valid_from"] == "2014-07-24"
