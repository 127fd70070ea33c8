"""What a file says of itself and is not so: columns in each other's place (B55), another number of rows (B56), another
encoding in the middle (B46)."""

import pytest
from ingest_lists import DISABLED_HEADER, csv_bytes, disabled_rows, every_row_has_one_fate

from ingest.holds import release_held

pytestmark = pytest.mark.database
FOLDER = "civil_affairs/disabled"
ID, PHONE = DISABLED_HEADER.index("公民身份号码"), DISABLED_HEADER.index("联系电话")


def with_phones(count):
    return [(*row[:PHONE], f"139{n:08d}", *row[PHONE + 1 :]) for n, row in enumerate(disabled_rows(count))]


def swapped(row):
    cells = list(row)
    cells[ID], cells[PHONE] = cells[PHONE], cells[ID]
    return tuple(cells)


def test_phones_under_the_id_are_held_and_a_person_may_release_them(put, take, ask, warehouse):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, list(map(swapped, with_phones(20)))))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code, outcome.accepted_count) == (
        "held",
        "columns_look_swapped",
        20,
    )
    assert "公民身份号码" in outcome.reason
    assert "联系电话" in outcome.reason
    assert "13900000" not in outcome.reason
    assert every_row_has_one_fate(ask)
    release_held(warehouse.engine, outcome.delivery_id, "数据员甲")
    assert ask("select status from ops.delivery") == [("loaded",)]


@pytest.mark.parametrize(("wrong", "status"), [(0, "loaded"), (10, "loaded"), (11, "held")])
def test_more_than_half_of_a_column_must_be_of_another_kind(put, take, wrong, status):
    rows = with_phones(20)
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, [*map(swapped, rows[:wrong]), *rows[wrong:]]))
    assert [outcome.status for outcome in take()] == [status]


def test_two_wrong_cells_are_typing_errors(put, take):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, list(map(swapped, with_phones(2)))))
    assert [outcome.status for outcome in take()] == ["loaded"]


@pytest.mark.parametrize(
    ("footer", "is_noted"),
    [
        (("合计", "9人"), False),
        (("合计", "12人"), True),
        (("共12人",), True),
        (("合计：12人",), True),
        (("合计", "5户12人"), True),
        (("小计", "4人"), False),
        (("合计", "12户"), False),
        (("合计", "", "3200元"), False),
    ],
)
def test_a_total_row_that_states_another_number_of_persons_is_noted(put, take, ask, footer, is_noted):
    put(FOLDER, "a202607.csv", csv_bytes(DISABLED_HEADER, [*disabled_rows(9), footer]))
    (outcome,) = take()
    assert outcome.status == "loaded"
    ((notes,),) = ask("select layout ->> 'notes' from ops.delivery")
    assert ("表尾写的是 12 人，数据有 9 行" in notes) == is_noted


def test_the_line_that_cannot_be_decoded_is_named(put, take):
    rows = disabled_rows(9)
    content = csv_bytes(DISABLED_HEADER, rows[:4]) + "测试,男\r\n".encode("gb18030")[:-3] + b"\xff\xff\r\n"
    put(FOLDER, "a202607.csv", content + csv_bytes(rows[4], rows[5:]))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == ("refused", "not_decodable")
    assert "第 6 行起认不出" in outcome.reason
