"""Contracts: valid ODCS, consistent with themselves, and what raw and dbt make of them."""

import csv
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from infra.errors import PermanentError
from ingest.contract import CONTRACT_FOLDER, load_code_lists, load_contracts
from ingest.dbt_sources import SOURCES_FILE, render_dbt_sources
from ingest.messages import QUARANTINE_RULES, WARNING_RULES, message
from ingest.normalise.texts import code_text

FILES = sorted(CONTRACT_FOLDER.glob("*.yaml"))
CONTRACTS = load_contracts()


def test_the_core_lists_have_contracts():
    assert set(CONTRACTS) >= {
        "low_income", "disabled", "family_doctor", "household_register", "visit", "audit_return",
    }  # fmt: skip


# The official schema of the standard, as its own Python package ships it. `datacontract lint` (datacontract-cli, in a
# virtual environment of its own) checks against the same and says so for every file of ingest/contracts.
OFFICIAL_SCHEMA = json.loads(OpenDataContractStandard.json_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_contract_is_valid_odcs(path):
    text = path.read_text(encoding="utf-8")
    assert OpenDataContractStandard.from_string(text).apiVersion == "v3.2.0"
    jsonschema.validate(yaml.safe_load(text), OFFICIAL_SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        lambda contract: contract.update(surprise=1),
        lambda contract: contract.pop("version"),
        lambda contract: contract.update(apiVersion="v3.9.9"),
        lambda contract: contract["schema"][0].update(surprise=1),
        lambda contract: contract["schema"][0]["properties"][0].update(surprise=1),
        lambda contract: contract["schema"][0]["properties"][0].update(logicalType="identity card"),
        lambda contract: contract["schema"][0]["properties"][0].pop("name"),
        lambda contract: contract["schema"][0]["properties"][0].update(required="perhaps"),
        lambda contract: contract["schema"][0]["properties"][0]["customProperties"][0].update(surprise=1),
        lambda contract: contract["schema"][0]["quality"][0].update(dimension="beauty"),
        lambda contract: contract["schema"][0]["quality"][0].update(surprise=1),
    ],
)
def test_the_official_schema_refuses_what_the_standard_does_not_know(change):
    contract = yaml.safe_load((CONTRACT_FOLDER / "need.yaml").read_text(encoding="utf-8"))
    change(contract)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(contract, OFFICIAL_SCHEMA)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.list_code)
def test_every_contract_states_its_law_its_purpose_and_a_class_for_every_column(contract):
    assert contract.legal_basis
    assert contract.purpose
    assert all(column.data_class in ("P0", "P1", "P2", "P3", "P4") for column in contract.columns)
    assert all(column.description for column in contract.columns)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.list_code)
def test_sensitive_columns_are_encrypted(contract):
    # What the programme must publish or count by in SQL is sensitive too, but stays a code (docs/tables.md).
    coded = {"code", "codes", "boolean", "date", "integer"}
    assert [
        column.name
        for column in contract.columns
        if column.data_class in ("P3", "P4") and not column.is_encrypted and column.semantic_type not in coded
    ] == []


def test_raw_columns_follow_the_semantic_types():
    columns = {column.name: column.sql_type for column in CONTRACTS["low_income"].raw_columns}
    assert list(columns)[:5] == ["record_id", "delivery_id", "sheet_name", "row_number", "block_no"]
    assert list(columns)[-1] == "source_row_encrypted"
    assert {"id_no_encrypted", "id_no_token", "id_no_masked", "id_no_kind", "head_id_no_token"} <= set(
        columns
    )
    assert "income_per_capita_encrypted" in columns
    assert not {"income_per_capita", "monthly_allowance", "cause", "remark", "id_no", "phone"} & set(columns)
    assert columns["id_no_birth_date"] == columns["birth_date"] == "date"


def test_the_dbt_source_file_is_current():
    assert SOURCES_FILE.read_text(encoding="utf-8") == render_dbt_sources(CONTRACTS)


def test_code_lists_know_the_ways_of_writing_of_the_handbook():
    relation, sex = load_code_lists()["relation"], load_code_lists()["sex"]
    assert {text: relation.by_text[text] for text in ("户主", "本人", "妻", "儿媳", "爷爷", "奶奶", "外公", "外婆", "保姆")} == {
        "户主": "02", "本人": "01", "妻": "12", "儿媳": "38", "爷爷": "61", "奶奶": "62", "外公": "63", "外婆": "64", "保姆": "99",
    }  # fmt: skip
    assert "媳妇" not in relation.by_text
    assert {sex.by_text[text] for text in ("男", "1", "M")} == {"1"}


SEEDS = Path(__file__).resolve().parents[3] / "dbt_project" / "seeds"
SEEDED = {
    "sex": "sex_code", "relation": "relation_code", "disability_category": "disability_category",
    "disability_level": "disability_level", "certificate_status": "certificate_status",
    "contract_status": "contract_status", "visit_method": "visit_method", "visit_outcome": "visit_outcome",
    "audit_field": "audit_field", "audit_outcome": "audit_outcome",
}  # fmt: skip


@pytest.mark.parametrize(("name", "seed"), SEEDED.items())
def test_a_code_list_reads_every_name_of_the_reference_table_as_its_code(name, seed):
    with (SEEDS / f"{seed}.csv").open(encoding="utf-8") as file:
        rows = [tuple(row)[:2] for row in list(csv.reader(file))[1:]]
    code_list = load_code_lists()[name]
    assert {code: code_list.by_text.get(code_text(text)) for code, text in rows} == {
        code: code for code, _ in rows
    }


def _copy(tmp_path: Path, change):
    text = (CONTRACT_FOLDER / "visit.yaml").read_text(encoding="utf-8")
    (tmp_path / "visit.yaml").write_text(change(text), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (lambda text: text.replace("classification: P1", "classification: P9", 1), "classification"),
        (lambda text: text.replace("value: datetime", "value: moment", 1), "semanticType"),
        (lambda text: text.replace("id: visit", "id: visits", 1), "文件名"),
        (lambda text: text.replace("businessName: 户主姓名", "businessName: 家庭编号", 1), "既指"),
        (lambda text: text.replace("codeList, value: need", "codeList, value: needs", 1), "codeList"),
        (lambda text: text.replace("domain: community", "domain: community\ndomain: health", 1), "两次"),
        (lambda text: text.replace("kind: DataContract", "kind: DataContract\nsurprise: 1", 1), "ODCS"),
        (lambda text: text.replace("[visit_no]", "[no_such_column]", 1), "没有的栏"),
        (lambda text: text.replace("semantics, value: append", "semantics, value: maybe", 1), "semantics"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused_with_its_file_and_mistake(tmp_path, change, mistake):
    with pytest.raises(PermanentError) as caught:
        load_contracts(_copy(tmp_path, change))
    assert "visit.yaml" in str(caught.value)
    assert mistake in str(caught.value)


@pytest.mark.parametrize("is_quarantined", [True, False])
def test_every_rule_has_a_message_that_says_what_is_wrong_and_what_to_do(is_quarantined):
    rules = QUARANTINE_RULES if is_quarantined else WARNING_RULES
    for rule, (problem, remedy) in rules.items():
        text = message(rule, "证件号码", is_quarantined=is_quarantined)
        assert text == f"“证件号码”：{problem}。{remedy}。"
        assert problem
        assert remedy
