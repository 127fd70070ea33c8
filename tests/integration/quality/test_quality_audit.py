"""Drawing the month's audit and writing the sheets inspectors fill in."""

import stat
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Engine, text

from infra.errors import PermanentError
from infra.warehouse import Warehouse
from quality.audit import draw_audit
from quality.sampling import load_plan
from quality.worksheets import HEADERS, RESULTS

pytestmark = pytest.mark.database

AS_OF = date(2026, 7, 31)
MONTH = date(2026, 7, 1)

REGISTER = """
create schema reference; create schema master;
create table reference.target (target_code text, target_value numeric, valid_from date);
insert into reference.target values
    ('M01', 0.95, '2024-01-01'), ('M11', 0.1, '2024-01-01'), ('AUDIT_CONFIDENCE', 0.95, '2024-01-01');
create table reference.audit_field (
    field_code text, field_name text, subject text, is_critical boolean, valid_from date
);
insert into reference.audit_field values
    ('person_name', '姓名', 'person', true, '2024-01-01'), ('id_no', '证件号码', 'person', true, '2024-01-01'),
    ('birth_date', '出生日期', 'person', false, '2024-01-01'),
    ('address', '现住址', 'household', true, '2024-01-01'),
    ('member_list', '家庭成员', 'household', true, '2024-01-01');
create table master.household (
    household_id text, head_name text, address text, community_name text, grid_name text, member_count int,
    is_low_income boolean, has_disabled_member boolean, valid_to date
);
create table master.person (
    person_id text, household_id text, person_name text, is_head boolean, birth_date date, id_no_masked text,
    sex_name text, phone_masked text, relation_name text, is_disabled boolean, is_low_income boolean,
    disability_category_code text, disability_level_code text, has_family_doctor boolean
);
create table master.visit (record_id text, household_id text, visited_at timestamptz, is_success boolean);
insert into master.household
select 'H' || i, '户主' || i, '望江家园' || i || '幢', (array['甲社区', '乙社区', '丙社区'])[1 + i % 3], '第1网格',
    1 + i % 5, i % 10 = 0, false, null
from generate_series(1, 600) as i;
insert into master.person
select 'P' || i || '-' || m, 'H' || i, '成员' || i || '之' || m, m = 1, date '1980-01-01' + m, '330106***********X',
    '男', '138****0000', '子', false, false, null, null, false
from generate_series(1, 600) as i, generate_series(1, 1 + i % 5) as m;
insert into master.visit
select 'v' || i, 'H' || i, timestamptz '2026-07-10 09:00+08', i % 4 > 0 from generate_series(1, 600) as i;
insert into master.visit values ('june', 'H1', timestamptz '2026-06-30 23:00+08', true)
"""


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    with warehouse.engine.begin() as connection:
        for statement in REGISTER.split(";"):
            if statement.strip():
                connection.execute(text(statement))
    return warehouse.engine


def items_of(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(
            connection.execute(text("select * from quality.audit_item order by line_number")).mappings()
        )


def sheet_rows(path: Path) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]  # type: ignore[arg-type]


def test_drawn_again_it_is_the_stored_draw_even_when_the_register_changed(
    engine: Engine, tmp_path: Path
) -> None:
    first = draw_audit(engine, MONTH, AS_OF, tmp_path / "one")
    with engine.begin() as connection:
        connection.execute(text("update master.household set address = '改过', community_name = '丁社区'"))
    second = draw_audit(engine, date(2026, 7, 20), date(2026, 8, 31), tmp_path / "two")
    assert first.is_new
    assert not second.is_new
    assert (second.draw_id, second.seed, second.as_of) == (first.draw_id, first.seed, AS_OF)
    for one, two in zip(first.sheets, second.sheets, strict=True):
        assert sheet_rows(one) == sheet_rows(two)


def test_the_draw_depends_on_the_register_alone(make_warehouse: Any, tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        engine = make_warehouse().engine
        with engine.begin() as connection:
            for statement in REGISTER.split(";"):
                if statement.strip():
                    connection.execute(text(statement))
        draw_audit(engine, MONTH, AS_OF, tmp_path / name)
        seen.append([(row["audit_no"], row["household_id"], row["person_id"]) for row in items_of(engine)])
    assert seen[0] == seen[1]


def test_size_strata_and_weights(engine: Engine, tmp_path: Path) -> None:
    draw = draw_audit(engine, MONTH, AS_OF, tmp_path)
    with engine.connect() as connection:
        strata = connection.execute(text("select * from quality.audit_stratum order by stratum")).all()
        visit_count = connection.scalar(text("select visit_count from quality.audit_draw"))
    # 450 successful visits in July: at least 45; every key household of the 60 is audited.
    assert visit_count == 450
    assert draw.sample_count >= 45
    assert sum(row.frame_count for row in strata) == draw.frame_count == 600
    assert sum(row.sample_count for row in strata if row.stratum.endswith("重点")) >= 60
    items = items_of(engine)
    by_household = {row["household_id"]: row for row in items if row["field_code"] == "address"}
    assert len(by_household) == draw.sample_count
    assert sum(row["weight"] for row in by_household.values()) == pytest.approx(600)
    persons = [row for row in items if row["field_code"] == "id_no"]
    member_count = sum(int(row["household_id"][1:]) % 5 + 1 for row in by_household.values())
    assert sum(row["member_factor"] for row in persons) == member_count


def test_at_most_three_persons_of_a_household_and_the_head_among_them(engine: Engine, tmp_path: Path) -> None:
    draw_audit(engine, MONTH, AS_OF, tmp_path)
    by_household: dict[str, list[Any]] = {}
    for row in items_of(engine):
        if row["field_code"] == "person_name":
            by_household.setdefault(row["household_id"], []).append(row)
    assert max(len(rows) for rows in by_household.values()) == 1 + load_plan().other_members_limit
    for household_id, rows in by_household.items():
        assert rows[0]["person_id"] == f"P{household_id[1:]}-1"
        assert rows[0]["member_factor"] == 1
    numbers = [row["audit_no"] for row in items_of(engine)]
    assert len({(row["audit_no"], row["field_code"]) for row in items_of(engine)}) == len(numbers)
    assert all(number.startswith("HC202607-") for number in numbers)


def test_sheets_are_one_a_community_with_masks_and_a_drop_down(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("update master.household set head_name = '=1+1', address = '=cmd()'"))
    draw = draw_audit(engine, MONTH, AS_OF, tmp_path / "sheets")
    assert [path.name for path in draw.sheets] == [
        f"核查表_202607_{name}.xlsx" for name in sorted(["甲社区", "乙社区", "丙社区"])
    ]
    rows = [row for path in draw.sheets for row in sheet_rows(path)]
    assert len(rows) == draw.item_count
    assert tuple(rows[0]) == HEADERS
    assert {row["登记值"] for row in rows if row["核查字段"] == "证件号码"} == {"330106***********X"}
    assert all(row["核实结果"] is None for row in rows)
    workbook = openpyxl.load_workbook(draw.sheets[0])
    sheet = workbook.active
    assert sheet is not None
    (choice,) = sheet.data_validations.dataValidation
    assert choice.formula1 == f'"{",".join(RESULTS)}"'
    assert len(workbook.sheetnames) == 1
    assert {cell.data_type for column in sheet.iter_cols() for cell in column} <= {"s", "n"}
    assert stat.S_IMODE(draw.sheets[0].stat().st_mode) == 0o600


def test_an_empty_register_cannot_be_audited(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("delete from master.household"))
    with pytest.raises(PermanentError, match="没有在册居住家庭"):
        draw_audit(engine, MONTH, AS_OF, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "update reference.audit_field set field_code = 'blood_group' where field_code = 'id_no'",
            "blood_group",
        ),
        ("delete from reference.target where target_code = 'M11'", "没有目标 M11"),
        ("update reference.target set valid_from = '2027-01-01'", "没有目标"),
    ],
)
def test_unknown_fields_and_targets_are_named(
    engine: Engine, tmp_path: Path, change: str, message: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(PermanentError, match=message):
        draw_audit(engine, MONTH, AS_OF, tmp_path)
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from quality.audit_draw")) == 0
