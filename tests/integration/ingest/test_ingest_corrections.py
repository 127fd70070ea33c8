"""What a correction does to the delivery that it corrects, and how receipts say what was corrected and decided."""

import json

import openpyxl
import pytest
from ingest_lists import (
    DISABLED_HEADER,
    REGISTER_HEADER,
    VISIT_HEADER,
    conforming,
    csv_bytes,
    disabled_rows,
    register_rows,
)

from infra.clock import business_today
from infra.errors import PermanentError
from ingest.holds import confirm_partition_gone, refuse_held, release_held
from ingest.receipts import write_missing_receipts
from orchestration.waiting import waiting_items

pytestmark = pytest.mark.database

DISABLED, VISIT, REGISTER = "civil_affairs/disabled", "community/visit", "community/household_register"
TODAY = business_today()


@pytest.fixture
def land(put, take):
    def land(place, name, header, rows):
        put(place, name, csv_bytes(header, rows))
        (outcome,) = take()
        return outcome

    return land


@pytest.fixture
def receipt(warehouse, tmp_path):
    outbox = tmp_path / "outbox"

    def receipt(delivery_id):
        write_missing_receipts(warehouse.engine, outbox)
        (path,) = outbox.rglob(f"回执-{delivery_id}-*.xlsx")
        first = openpyxl.load_workbook(path)["回执"]
        said = {row[0]: row[1] for row in first.iter_rows(values_only=True)}
        return said, conforming(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))

    return receipt


def visits(count, **wrong):
    rows = []
    for n in range(count):
        row = dict(zip(VISIT_HEADER, [""] * len(VISIT_HEADER), strict=True))
        row |= {
            "走访编号": f"ZF{n:04d}", "家庭编号": f"WJ{n:06d}", "社区": "近江社区", "走访日期": "2026-11-02",
            "录入时间": "2026-11-03 09:00", "走访人员": "张走访", "走访方式": "入户", "走访结果": "成功", "满意度": "5",
        }  # fmt: skip
        rows.append(tuple({**row, **(wrong if n < 4 else {})}.values()))
    return rows


def test_rows_of_an_event_list_are_to_be_reported_again_by_themselves(land, receipt):
    wrong = land(VISIT, "走访20261102.csv", VISIT_HEADER, visits(20, 走访日期="去年"))
    said, answer = receipt(wrong.delivery_id)
    assert said["请接着做"] == answer["next_step"]
    assert "把这 4 行改正后再报一次（走访编号不变即为更正），不必重报其余行" in said["请接着做"]
    assert "下次报送时" not in said["请接着做"]
    # Four rows mended, two new ones: nothing is replaced.
    mended = land(VISIT, "走访20261103.csv", VISIT_HEADER, [*visits(4), *visits(22)[20:]])
    said, answer = receipt(mended.delivery_id)
    assert said["与以前相比"] == "新增 2 行，更正 4 行"
    assert "与上次相比" not in said
    assert "取代" not in "".join(map(str, said.values()))
    assert answer["replaces"]["is_whole"] is False


def test_rows_of_a_household_are_to_be_reported_with_their_household(land, receipt):
    rows = register_rows(4)
    rows[0] = (*rows[0][:9], "昨天", *rows[0][10:])
    said, _ = receipt(land(REGISTER, "登记表202611.csv", REGISTER_HEADER, rows).delivery_id)
    assert "所在的户整户改正后再报一次" in said["请接着做"]


def test_rows_of_a_whole_list_are_delivered_with_the_next_one(land, receipt):
    rows = disabled_rows(20)
    rows[0] = (*rows[0][:6], "昨天", *rows[0][7:])
    said, _ = receipt(land(DISABLED, "a202607.csv", DISABLED_HEADER, rows).delivery_id)
    assert said["请接着做"].endswith("下次报送时一并带来。")
    second = land(DISABLED, "b202607.csv", DISABLED_HEADER, disabled_rows(20))
    said, answer = receipt(second.delivery_id)
    assert said["与上次相比"].startswith("取代来件 ")
    assert answer["replaces"]["is_whole"] is True


def test_a_held_file_is_settled_by_the_correction_of_its_period(land, receipt, warehouse, ask):
    first = land(DISABLED, "a202607.csv", DISABLED_HEADER, disabled_rows(40))
    held = land(DISABLED, "b202610.csv", DISABLED_HEADER, disabled_rows(10))
    assert held.status == "held"
    right = land(DISABLED, "c202610.csv", DISABLED_HEADER, disabled_rows(41))
    assert right.status == "loaded"
    assert waiting_items(warehouse.engine) == []
    said, answer = receipt(held.delivery_id)
    assert f"已由来件 {right.delivery_id} 更正，不再使用" in said["原因"]
    assert "数据人员放行" not in said["原因"]
    assert said["请接着做"].startswith("不必处理")
    assert (answer["delivery"]["status"], answer["delivery"]["reason_code"]) == ("refused", "superseded")
    assert answer["delivery"]["superseded_by"] == right.delivery_id
    said, answer = receipt(right.delivery_id)
    assert said["更正了"].startswith(f"来件 {held.delivery_id}：")
    assert answer["supersedes"] == [held.delivery_id]
    with pytest.raises(PermanentError, match=f"已由来件 {right.delivery_id} 更正，不再使用"):
        release_held(warehouse.engine, held.delivery_id, "张三", "核对过")
    # Every row of it is accounted for, and none of it stands.
    assert ask("select count(*) from raw.disabled where delivery_id = :id", id=held.delivery_id) == [(0,)]
    assert ask("select count(*) from ops.quarantined_row where delivery_id = :id", id=held.delivery_id) == [
        (10,)
    ]
    assert first.status == "loaded"


def test_a_correction_that_is_released_settles_what_it_corrects_too(land, warehouse, ask):
    land(DISABLED, "a202607.csv", DISABLED_HEADER, disabled_rows(60))
    one = land(DISABLED, "b202610.csv", DISABLED_HEADER, disabled_rows(10))
    other = land(DISABLED, "c202610.csv", DISABLED_HEADER, disabled_rows(12))
    assert (one.status, other.status) == ("held", "held")
    release_held(warehouse.engine, other.delivery_id, "张三", "核对过")
    assert ask(
        "select reason_code, superseded_by from ops.delivery where delivery_id = :id", id=one.delivery_id
    ) == [("superseded", other.delivery_id)]


def test_another_period_or_an_earlier_day_corrects_nothing(land, warehouse):
    land(DISABLED, "a202603.csv", DISABLED_HEADER, disabled_rows(40))
    held = land(DISABLED, "b20260820.csv", DISABLED_HEADER, disabled_rows(10))
    assert held.status == "held"
    assert land(DISABLED, "c20260810.csv", DISABLED_HEADER, disabled_rows(41)).status == "loaded"
    later = land(DISABLED, "d20261105.csv", DISABLED_HEADER, disabled_rows(42))
    assert later.status == "loaded"
    (waits,) = waiting_items(warehouse.engine)
    assert waits.delivery_id == held.delivery_id


def test_a_part_of_the_same_day_corrects_only_its_communities(land, warehouse):
    land(DISABLED, "a202607.csv", DISABLED_HEADER, disabled_rows(40))
    held = land(DISABLED, "b202610.csv", DISABLED_HEADER, disabled_rows(4, ("近江社区",)))
    assert held.status == "held"
    # The whole list but the community in question: that one waits, and so does its held file.
    land(DISABLED, "c202610.csv", DISABLED_HEADER, [row for row in disabled_rows(40) if row[9] == "在水社区"])
    assert held.delivery_id in [item.delivery_id for item in waiting_items(warehouse.engine)]


def test_an_event_list_that_waits_names_what_came_since(land, warehouse):
    many = [(*row[:2], "", "", row[4], *row[5:]) for row in visits(10)]
    broken = [("", "", *row[2:6], "", *row[7:]) for row in many]
    held = land(VISIT, "走访20261102.csv", VISIT_HEADER, [*broken, *visits(3)])
    assert held.status == "held"
    later = land(VISIT, "走访20261102更正.csv", VISIT_HEADER, visits(13))
    assert later.status == "loaded"
    (waits,) = waiting_items(warehouse.engine)
    assert waits.delivery_id == held.delivery_id
    assert waits.next_step == f"同一期已有来件 {later.delivery_id}，请比较后放行或拒收"
    release_held(warehouse.engine, held.delivery_id, "张三", "比较过")


def test_what_a_person_decided_is_said_and_nothing_is_asked_any_more(land, receipt, warehouse):
    land(DISABLED, "a202607.csv", DISABLED_HEADER, disabled_rows(40, ("近江社区", "在水社区", "近江社区")))
    rest = [row for row in disabled_rows(40, ("近江社区", "在水社区", "近江社区")) if row[9] == "近江社区"]
    partly = land(DISABLED, "b202610.csv", DISABLED_HEADER, rest)
    assert (partly.status, partly.reason_code) == ("loaded", "community_missing")
    said, answer = receipt(partly.delivery_id)
    assert "告知数据人员确认" in said["原因"]
    assert answer["decisions"] == []
    confirm_partition_gone(warehouse.engine, partly.delivery_id, "在水社区", "张三", "已撤并")
    said, answer = receipt(partly.delivery_id)
    assert (
        said["原因"] == f"已了结的社区：在水社区已由张三于 {TODAY} 确认没有对象，从 2026-10-31 起作退出处理。"
    )
    assert "沿用" not in "".join(map(str, said.values()))
    (decision,) = answer["decisions"]
    assert (decision["by"], decision["what"], decision["why"]) == ("张三", "confirm_gone", "已撤并")
    assert (decision["community_name"], decision["at"][:10]) == ("在水社区", str(TODAY))
    held = land(DISABLED, "c202611.csv", DISABLED_HEADER, disabled_rows(5, ("近江社区",)))
    assert held.status == "held"
    release_held(warehouse.engine, held.delivery_id, "张三", "核对过")
    said, answer = receipt(held.delivery_id)
    assert "本次 5 行，上次 27 行" in said["原因"]
    assert f"已由张三于 {TODAY} 放行" in said["原因"]
    assert "由数据人员" not in said["原因"]
    assert answer["decisions"][0]["what_name"] == "放行"


def test_refusing_by_hand_still_keeps_every_row(land, warehouse, ask):
    land(DISABLED, "a202607.csv", DISABLED_HEADER, disabled_rows(40))
    held = land(DISABLED, "b202610.csv", DISABLED_HEADER, disabled_rows(10))
    refuse_held(warehouse.engine, held.delivery_id, "张三", "旧表")
    assert ask("select count(*) from ops.quarantined_row where delivery_id = :id", id=held.delivery_id) == [
        (10,)
    ]
