"""A list is one contract, one staging model and no Python: a made-up seventeenth list goes the whole way.

The Department of Veterans Affairs sends a list nobody has ever heard of. It gets a contract in a copy of the contract
folder, a staging model in a copy of the dbt project and a line in the dbt var; then the template a clerk fills in is made,
filled in, delivered, linked to the people the register knows, and shown in `source_record`.
"""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import Engine, text

from infra.protection import FieldProtector
from infra.warehouse import Warehouse
from ingest import contract as contracts_module
from ingest.contract import CONTRACT_FOLDER, load_contracts
from ingest.dbt_sources import render_dbt_sources
from ingest.deliveries import ingest_landing
from ingest.list_page import render_pages
from ingest.template import HEADER_ROW, write_templates
from linkage.run import link
from quality.expectations import check_deliveries
from tests.synthetic.identity import check_character

pytestmark = pytest.mark.database

ROOT = Path(__file__).resolve().parents[3]
AS_OF = date(2026, 8, 31)
ARRIVED = datetime(2026, 8, 20, 1, 0, tzinfo=UTC)

CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: veteran
name: 退役军人优待名单
version: "1.0.0"
status: active
domain: veterans
description:
  purpose: 走访慰问和优待服务的对象
  usage: 退役军人事务站按季报送的优待对象名单
customProperties:
  - {property: legalBasis, value: "履行法定职责所必需（退役军人保障法）"}
  - {property: semantics, value: snapshot}
  - {property: rhythm, value: quarterly}
  - {property: dueDay, value: 15}
  - {property: businessKey, value: [person_name, id_no]}
  - {property: rowIdentity, value: [[person_name], [id_no]]}
  - property: guards
    value: {countChangeRatio: 0.2, countChangeMinimum: 10, quarantinedRatio: 0.05, quarantinedMinimum: 1, olderSnapshot: true,
            missingCommunity: true, missingCommunityMinimum: 5}
schema:
  - name: veteran
    logicalType: object
    dataGranularityDescription: 一行一名优待对象
    quality:
      - name: veteran_discharged_before_birth
        description: 退役日期不早于出生日期
        dimension: consistency
        type: custom
        engine: yihu
        implementation: {check: order, lower: birth_date, upper: discharged_date}
        customProperties:
          - {property: source, value: 常理}
          - {property: problem, value: 退役日期早于出生日期}
          - {property: remedy, value: 核对两个日期}
    properties:
""" + "".join(
    f"""      - name: {name}
        businessName: {header}
        description: {header}
        logicalType: {logical}
        required: {"true" if required else "false"}
        classification: {data_class}
        customProperties:
          - {{property: semanticType, value: {kind}}}
          - {{property: aliases, value: [{aliases}]}}{more}
"""
    for name, header, logical, required, data_class, kind, aliases, more in (
        ("person_name", "姓名", "string", True, "P2", "person_name", "优待对象姓名", ""),
        ("id_no", "身份证号", "string", True, "P3", "id_no", "公民身份号码", ""),
        ("sex_code", "性别", "string", False, "P2", "code", "性别代码",
         "\n          - {property: codeList, value: sex}"),
        ("birth_date", "出生日期", "date", False, "P2", "date", "出生年月",
         "\n          - {property: pastOnly, value: true}"),
        ("phone", "联系电话", "string", False, "P2", "phone", "手机号码", ""),
        ("address", "家庭住址", "string", False, "P2", "address", "现住址", ""),
        ("community_name", "社区", "string", False, "P1", "text", "所属社区",
         "\n          - {property: community, value: true}"),
        ("veteran_card_no", "优待证号", "string", False, "P1", "text", "退役军人优待证号", ""),
        ("discharged_date", "退役日期", "date", False, "P1", "date", "退役时间",
         "\n          - {property: pastOnly, value: true}"),
    )
)  # fmt: skip

MODEL = """with

loaded_rows as (
    {{ loaded_rows('veteran') }}
)

select
    record_id,
    list_code,
    delivery_id,
    file_name,
    sheet_name,
    row_number,
    snapshot_date,
    least(coalesce(discharged_date, snapshot_date), snapshot_date) as evidence_date,
    person_name,
    person_name_key,
    person_name_pinyin,
    id_no_encrypted,
    id_no_token,
    id_no_masked,
    id_no_kind,
    id_no_birth_date,
    id_no_sex_code,
    sex_code,
    birth_date,
    phone_encrypted,
    phone_token,
    phone_masked,
    phone_kind,
    address,
    address_key,
    address_status,
    address_compound,
    address_building,
    address_unit,
    address_room,
    coalesce(community_name, address_community) as community_name,
    veteran_card_no,
    discharged_date,
    is_newest_delivery as is_current
from loaded_rows
"""


def made_id(birth: date, serial: int) -> str:
    body = f"330102{birth:%Y%m%d}{serial:03d}"
    return body + check_character(body)


OLD = {"name": "陈建国", "birth": date(1950, 3, 1), "serial": 11, "sex": "男", "door": "清水苑3幢1单元201室"}
NEW = {"name": "林向阳", "birth": date(1962, 5, 9), "serial": 35, "sex": "男", "door": "清水苑5幢2单元302室"}


@pytest.fixture
def seventeen_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The contract folder with one file more."""
    folder = tmp_path / "contracts"
    shutil.copytree(CONTRACT_FOLDER, folder)
    (folder / "veteran.yaml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.setattr(contracts_module, "CONTRACT_FOLDER", folder)
    load_contracts.cache_clear()
    yield load_contracts()
    monkeypatch.undo()
    load_contracts.cache_clear()


@pytest.fixture
def dbt(seventeen_lists, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """dbt on a copy of the project with one model and one line more."""
    project = tmp_path / "copy" / "dbt_project"
    shutil.copytree(
        ROOT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs", "__pycache__")
    )
    shutil.copytree(ROOT / "infra" / "reference", tmp_path / "copy" / "infra" / "reference")
    staging = project / "models" / "staging"
    (staging / "stg_veterans__veteran.sql").write_text(MODEL, encoding="utf-8")
    columns = [
        line.strip().rstrip(",").split(" as ")[-1] for line in MODEL.splitlines() if line.startswith("    ")
    ][1:]
    (staging / "stg_veterans__veteran.yml").write_text(
        "models:\n  - name: stg_veterans__veteran\n    description: 一行一名优待对象\n    columns:\n"
        + "".join(f"      - {{name: {name}, description: 见数据约定}}\n" for name in columns),
        encoding="utf-8",
    )
    (staging / "_raw_sources.yml").write_text(render_dbt_sources(seventeen_lists), encoding="utf-8")
    settings = project / "dbt_project.yml"
    before = settings.read_text(encoding="utf-8")
    after = before.replace(
        "person_record_models:\n", "person_record_models:\n      - stg_veterans__veteran\n"
    )
    assert after != before
    settings.write_text(after, encoding="utf-8")
    for name, value in warehouse.dbt_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

    def run(*command: str) -> None:
        from dbt.cli.main import dbtRunner

        result = dbtRunner().invoke(
            [
                *command,
                *("--project-dir", str(project), "--profiles-dir", str(project)),
                *("--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")),
                *("--log-level", "none", "--log-level-file", "none"),
            ]
        )
        assert result.exception is None, result.exception
        assert {
            r.node.name: r.message for r in result.result if str(r.status) not in ("success", "pass")
        } == {}

    return run


def fill_in(template: Path, target: Path, rows: list[dict[str, object]]) -> None:
    """What a clerk does with the template."""
    book = openpyxl.load_workbook(template)
    sheet = book.worksheets[0]
    places = {str(cell.value).lstrip("*"): cell.column for cell in sheet[HEADER_ROW]}
    for number, row in enumerate(rows, start=HEADER_ROW + 1):
        for header, value in row.items():
            sheet.cell(number, places[header], value)
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)


def veteran(who: dict, **others: object) -> dict[str, object]:
    return {
        "姓名": who["name"], "身份证号": made_id(who["birth"], who["serial"]), "性别": who["sex"],
        "出生日期": datetime.combine(who["birth"], datetime.min.time()), "家庭住址": who["door"], "社区": "近江社区",
        "优待证号": f"Y{who['serial']:06d}", "退役日期": date(1990, 12, 1), **others,
    }  # fmt: skip


def rows_of(engine: Engine, query: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_list_nobody_has_heard_of_needs_a_contract_and_a_model(
    seventeen_lists, dbt: Callable[..., None], warehouse: Warehouse, protector: FieldProtector, tmp_path: Path
) -> None:
    engine, landing = warehouse.engine, tmp_path / "landing"
    templates = {
        path.name: path for path in write_templates(tmp_path / "templates", ["veteran", "household_register"])
    }
    fill_in(
        templates["家庭信息登记表填报模板.xlsx"],
        landing / "community" / "household_register" / "登记表202608.xlsx",
        [{
            "家庭编号": "WJ01000001", "姓名": OLD["name"], "身份证号": made_id(OLD["birth"], OLD["serial"]), "与户主关系": "户主",
            "家庭住址": OLD["door"], "社区": "近江社区", "登记日期": date(2026, 7, 1),
        }],
    )  # fmt: skip
    mistyped = {**NEW, "name": "周望", "serial": 57}
    fill_in(
        templates["退役军人优待名单填报模板.xlsx"],
        landing / "veterans" / "veteran" / "优待名单202608.xlsx",
        [
            veteran(OLD),
            veteran(NEW),
            veteran(mistyped, 退役日期=date(1950, 1, 1)),
            {"社区": "近江社区", "优待证号": "Y999999"},
        ],
    )

    # One row in four tells nobody's name: the guard of the contract holds the delivery; a clerk's typing does not.
    outcomes = {outcome.list_code: outcome for outcome in ingest_landing(engine, protector, landing, ARRIVED)}
    assert outcomes["household_register"].status == "loaded"
    assert (outcomes["veteran"].status, outcomes["veteran"].reason_code) == ("held", "too_many_quarantined")
    fill_in(
        templates["退役军人优待名单填报模板.xlsx"],
        landing / "veterans" / "veteran" / "优待名单202608更正.xlsx",
        [veteran(OLD), veteran(NEW), veteran(mistyped, 退役日期=date(1950, 1, 1))],
    )
    (outcome,) = ingest_landing(engine, protector, landing, ARRIVED)
    assert (outcome.list_code, outcome.status, outcome.reason_code) == ("veteran", "loaded", None)
    ((department, rows, accepted),) = rows_of(
        engine,
        "select department, row_count, accepted_count from ops.delivery where list_code = 'veteran' and status = 'loaded'",
    )
    assert (department, rows, accepted) == ("veterans", 3, 3)
    warned = rows_of(
        engine,
        "select distinct w.rule from ops.row_warning w join ops.delivery d using (delivery_id) where d.status = 'loaded'"
        " and d.list_code = 'veteran'",
    )
    assert warned == [("veteran_discharged_before_birth",)]

    with engine.begin() as connection:
        refresh_id = connection.scalar(
            text("insert into ops.refresh (as_of) values (:as_of) returning refresh_id"), {"as_of": AS_OF}
        )
    dbt("seed")
    dbt("run", "--select", "fqn:yihu.staging", "fqn:yihu.intermediate")
    link(engine, protector, AS_OF)
    dbt("run", "--select", "fqn:yihu.master", "fqn:yihu.candidate")
    dbt("test", "--select", "test_type:singular")

    found = rows_of(
        engine,
        "select list_code, row_number, person_id, household_id from candidate.source_record order by list_code, row_number",
    )
    assert [(code, number) for code, number, *_ in found] == [
        ("household_register", 4), ("veteran", 4), ("veteran", 5), ("veteran", 6),
    ]  # fmt: skip
    register, old, *others = found
    assert old[2:] == register[2:]
    assert len({register[2], *(row[2] for row in others)}) == 3
    assert all(row[2] and row[3] for row in found)

    checks = {
        result.check_name
        for result in check_deliveries(engine, refresh_id)
        if result.table_name == "raw.veteran"
    }
    assert checks >= {"id_no_is_filled", "sex_code_is_in_its_code_list", "row_count_equals_the_ledger"}
    page = render_pages(seventeen_lists)["veteran.md"]
    assert "退役日期不早于出生日期" in page
    assert "`veterans/veteran/`" in page
    assert "退役军人保障法" in page
