"""A list of persons that nobody named in Python is linked like the old ones: from its file to the published rows."""

import csv
import io
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from ingest.deliveries import ingest_landing
from ingest.normalise.ids import check_character
from linkage.run import link

pytestmark = pytest.mark.database

AS_OF = date(2026, 8, 31)
DOOR, OTHER_DOOR = "清水苑3幢1单元301室", "莫邪塘8-1-202"
GRANDMOTHERS_PHONE = "13905718823"


def made_id(birth, sequence):
    first_17 = f"330102{birth}{sequence}"
    return first_17 + check_character(first_17)


MOTHER, FATHER = made_id("19850323", "124"), made_id("19830101", "111")
CHILD, NEIGHBOUR = made_id("20150202", "333"), made_id("20160303", "226")
FILES = {
    "community/household_register": (
        ("家庭编号", "社区", "家庭住址", "姓名", "身份证号", "与户主关系", "联系电话", "登记日期"),
        [
            ("WJ1", "近江社区", DOOR, "赵雪梅", MOTHER, "户主", "13905710001", "2026-07-01"),
            ("WJ1", "近江社区", DOOR, "王思远", FATHER, "配偶", "13905710002", "2026-07-01"),
            ("WJ1", "近江社区", DOOR, "王小川", CHILD, "子", "", "2026-07-01"),
            ("WJ2", "近江社区", OTHER_DOOR, "李一宁", NEIGHBOUR, "户主", "", "2026-07-01"),
        ],
    ),
    "civil_affairs/children_in_need": (
        ("儿童姓名", "身份证号", "出生日期", "儿童类别", "监护人姓名", "与儿童关系", "监护人电话", "家庭住址", "社区"),
        [
            ("王小川", CHILD, "2015-02-02", "贫困家庭儿童", "钱秀英", "外祖母", GRANDMOTHERS_PHONE, DOOR, "近江社区"),
            ("王新雨", "", "2026-05-05", "其他需要帮助", "钱秀英", "外祖母", GRANDMOTHERS_PHONE, DOOR, "近江社区"),
            ("李一宁", "", "2016-03-03", "留守儿童", "钱秀英", "其他亲属", GRANDMOTHERS_PHONE, OTHER_DOOR, "近江社区"),
        ],
    ),
    "health/severe_mental": (
        ("姓名", "身份证号", "目前诊断类型", "监护人姓名", "监护人身份证", "现住址"),
        [("赵雪梅", MOTHER, "精神分裂症", "王思远", FATHER, DOOR)],
    ),
    "human_resources/unemployed": (
        ("aac003", "aac147", "aac067", "aae100", "ajc090", "aae043", "失业登记注销日期", "失业登记注销原因", "aac046"),
        [
            ("王思远", FATHER, "13905710002", "注销", "2024-01-05", "2024-02-01", "2024-09-01", "就业", DOOR),
            ("王思远", FATHER, "13905710002", "有效", "2026-05-05", "2026-06-01", "", "", DOOR),
        ],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def published(engine, dbt, protector, tmp_path_factory):
    """The rows of ``candidate.source_record`` by list and line."""
    landing = tmp_path_factory.mktemp("landing")
    for place, (header, rows) in FILES.items():
        folder = landing / place
        folder.mkdir(parents=True)
        out = io.StringIO(newline="")
        csv.writer(out).writerows([header, *rows])
        (folder / "名单202607.csv").write_bytes(out.getvalue().encode("utf-8"))
    outcomes = ingest_landing(engine, protector, landing, datetime(2026, 8, 5, 1, tzinfo=UTC), as_of=AS_OF)
    assert {outcome.status for outcome in outcomes} == {"loaded"}
    with engine.begin() as connection:
        connection.execute(
            text("insert into ops.refresh (as_of, run_id, started_at) values (:as_of, 'test', now())"),
            {"as_of": AS_OF},
        )
    for command in (("seed",), ("run", "--select", "staging", "intermediate")):
        assert set(dbt(*command).values()) <= {"success"}
    link(engine, protector, AS_OF)
    assert set(dbt("run", "--select", "master", "candidate").values()) <= {"success"}
    with engine.connect() as connection:
        rows = connection.execute(text("select * from candidate.source_record")).all()
    return {(row.list_code, row.row_number): row for row in rows}


def person(published, list_code, row_number):
    return published[list_code, row_number].person_id


def test_every_accepted_row_of_the_new_lists_is_published(published):
    assert set(published) == {
        (place.split("/")[1], line) for place, (_, rows) in FILES.items() for line in range(2, 2 + len(rows))
    }
    assert all(row.person_id for row in published.values())


def test_a_person_of_a_new_list_and_an_old_one_is_one_person(published):
    assert person(published, "children_in_need", 2) == person(published, "household_register", 4)
    assert person(published, "severe_mental", 2) == person(published, "household_register", 2)
    assert (
        person(published, "unemployed", 2)
        == person(published, "unemployed", 3)
        == person(published, "household_register", 3)
    )


def test_a_child_without_an_id_is_somebody_and_lives_behind_its_door(published):
    newborn = published["children_in_need", 3]
    assert newborn.person_id not in {
        row.person_id for key, row in published.items() if key != ("children_in_need", 3)
    }
    assert newborn.household_id == published["household_register", 2].household_id
    # The neighbour's child has no id here, but its name, its birth date and its door.
    assert person(published, "children_in_need", 4) == person(published, "household_register", 5)


def test_a_guardians_phone_and_id_make_nobody_one_person(published):
    children = {person(published, "children_in_need", line) for line in (2, 3, 4)}
    assert len(children) == 3
    assert person(published, "severe_mental", 2) != person(published, "household_register", 3)


def test_guardians_stand_in_columns_of_their_own(published, engine):
    with engine.connect() as connection:
        records = connection.execute(
            text(
                "select phone_token, id_no_token, list_code from staging.int_person_record where list_code = 'children_in_need'"
            )
        ).all()
        guardians = connection.execute(
            text(
                "select count(distinct guardian_phone_token), count(guardian_phone_token) from staging.stg_civil_affairs__children_in_need"
            )
        ).one()
    assert [record.phone_token for record in records] == [None] * 3
    assert sum(record.id_no_token is not None for record in records) == 1
    assert tuple(guardians) == (1, 3)
