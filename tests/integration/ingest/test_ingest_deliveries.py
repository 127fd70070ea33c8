"""Deliveries into a real warehouse: whole or not at all, once, and never a protected value in the clear."""

import dataclasses
import io
import os
from datetime import UTC, date, datetime
from functools import partial

import openpyxl
import pytest
from ingest_lists import (
    ARRIVED,
    DISABLED_HEADER,
    REGISTER_HEADER,
    VISIT_HEADER,
    csv_bytes,
    disabled_rows,
    every_row_has_one_fate,
    low_income_workbook,
    made_id,
    register_rows,
)
from sqlalchemy import text

from infra.errors import PermanentError, TransientError
from ingest import deliveries
from ingest.batch_sealing import BatchSealer
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.holds import release_held
from ingest.parser_client import Parser
from ingest.raw_tables import ensure_raw_tables
from ingest.receipts import write_missing_receipts, write_receipts

pytestmark = pytest.mark.database


def test_the_core_lists_are_loaded_once(put, take, ask):
    put(
        "civil_affairs/disabled",
        "持证残疾人名册_202607.csv",
        csv_bytes(DISABLED_HEADER, disabled_rows(9), "gb18030"),
    )
    put(
        "community/household_register",
        "家庭信息登记表202607.csv",
        csv_bytes(REGISTER_HEADER, register_rows(20), "utf-8-sig"),
    )
    head, wife = made_id(101), made_id(102)
    low = (
        "1",
        "D1",
        "曹某",
        head,
        "曹某",
        head,
        "户主",
        "男",
        "",
        "清水苑1幢1单元101室",
        "近江社区",
        "",
        "城市低保",
        2,
        2,
        310,
        651,
        "因残",
        "2025-10",
        None,
    )
    put(
        "civil_affairs/low_income",
        "花名册202608.xlsx",
        low_income_workbook(low, (None, None, None, None, "冯某", wife, "配偶")),
    )
    visit = (
        "ZF1",
        "WJ000001",
        "测试丙",
        "莫邪塘2#1-202",
        "近江社区",
        "第1网格",
        "2026-07-20 19:31",
        "2026-07-20 21:31",
        "网格员02",
        "入户",
        "成功",
        "是",
        "YL01",
        "1",
        "5",
        "",
    )
    put("community/visit", "走访记录202607.csv", csv_bytes(VISIT_HEADER, [visit]))
    outcomes = take()
    assert {o.status for o in outcomes} == {"loaded"}
    assert {o.list_code: (o.row_count, o.accepted_count, o.quarantined_count) for o in outcomes} == {
        "disabled": (9, 9, 0), "household_register": (20, 20, 0), "low_income": (3, 2, 1), "visit": (1, 1, 0),
    }  # fmt: skip
    assert {o.list_code: o.snapshot_date for o in outcomes} == {
        "disabled": date(2026, 7, 31), "household_register": date(2026, 7, 31), "low_income": date(2026, 7, 5), "visit": date(2026, 7, 31),
    }  # fmt: skip
    assert every_row_has_one_fate(ask)
    assert ask("select allowance_no, block_no, relation_code from raw.low_income order by row_number") == [
        ("D1", 1, "02"),
        ("D1", 1, "10"),
    ]
    assert ask("select visited_at, need_codes, has_consent, address_key from raw.visit") == [
        (datetime(2026, 7, 20, 11, 31, tzinfo=UTC), ["YL01"], True, "莫邪塘|2|1|202")
    ]
    assert ask("select snapshot_date_source from ops.delivery where list_code = 'low_income'") == [
        ("note_row",)
    ]
    assert take() == []


def test_the_same_bytes_are_in_once_whatever_they_are_called(put, take, ask):
    content = csv_bytes(DISABLED_HEADER, disabled_rows(5))
    path = put("civil_affairs/disabled", "a.csv", content)
    put("civil_affairs/disabled", "b.csv", content)
    first, second = take()
    assert (first.status, second.status, second.reason_code) == ("loaded", "duplicate", "same_content")
    assert ask("select duplicate_of from ops.delivery where status = 'duplicate'") == [(first.delivery_id,)]
    os.utime(path, ns=(1, 1))
    assert [outcome.status for outcome in take()] == ["duplicate"]
    assert take() == []
    assert ask("select count(*) from raw.disabled") == [(5,)]


def test_record_ids_depend_on_the_bytes_alone(put, landing, make_warehouse, protector):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    put("community/household_register", "b202607.csv", csv_bytes(REGISTER_HEADER, register_rows(4)))
    seen = []
    for moved in (False, True):
        warehouse = make_warehouse()
        if moved:
            (landing / "civil_affairs/disabled/a202607.csv").rename(
                landing / "civil_affairs/disabled/z202607.csv"
            )
            put("health/family_doctor", "first202601.csv", b"")
        ingest_landing(warehouse.engine, protector, landing, ARRIVED)
        with warehouse.engine.connect() as connection:
            seen.append(
                connection.execute(
                    text(
                        "select record_id, id_no_token from raw.disabled union all select record_id, id_no_token from raw.household_register order by 1"
                    )
                ).all()
            )
    assert seen[0] == seen[1]
    assert len(seen[0]) == 9


def test_several_months_at_once_are_loaded_in_order(put, take):
    for month, name in (("09", "a"), ("07", "c"), ("08", "b")):
        put(
            "civil_affairs/disabled",
            f"{name}2026{month}.csv",
            csv_bytes(DISABLED_HEADER, disabled_rows(9 + int(month))),
        )
    outcomes = take()
    assert [o.snapshot_date.month for o in outcomes] == [7, 8, 9]
    assert {o.status for o in outcomes} == {"loaded"}


def test_a_snapshot_date_is_never_after_the_arrival(put, take):
    put("civil_affairs/disabled", "a202611.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    put("community/household_register", "b.csv", csv_bytes(REGISTER_HEADER, register_rows(3)))
    assert {o.snapshot_date for o in take()} == {date(2026, 11, 24)}


@pytest.mark.parametrize("table", ["raw.disabled", "ops.quarantined_row", "ops.row_warning"])
def test_a_delivery_that_fails_half_way_leaves_nothing_and_is_taken_next_time(
    put, take, ask, warehouse, table
):
    secret = made_id(500)
    rows = [
        *disabled_rows(30),
        ("", "", "", "", "", "", "", "", "", "", "", "", "", ""),
        ("测试丁", "男", secret[:-1], "x", "", "", "", "", "", "", "", "", "", ""),
    ]
    rows[30] = ("", "男", "", "", "", "", "", "", "", "", "", "", "", "")
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, rows))
    ensure_raw_tables(warehouse.engine, load_contracts())
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "create function fail() returns trigger language plpgsql as $$ begin raise exception 'no: %', new; end $$"
            )
        )
        connection.execute(
            text(f"create trigger fail before insert on {table} for each row execute function fail()")
        )
    with pytest.raises(TransientError) as caught:
        take()
    assert secret[:-1] not in str(caught.value)
    assert "测试" not in str(caught.value)
    assert caught.value.__cause__ is None
    for name in ("ops.delivery", "raw.disabled", "ops.quarantined_row", "ops.row_warning"):
        assert ask(f"select count(*) from {name}") == [(0,)]
    with warehouse.engine.begin() as connection:
        connection.execute(text(f"drop trigger fail on {table}"))
    (outcome,) = take()
    assert (outcome.status, outcome.row_count, outcome.quarantined_count) == ("loaded", 32, 1)
    assert every_row_has_one_fate(ask)


BAD_FILES = {
    "empty.csv": (b"", "refused", "empty_file"),
    "empty.xlsx": (b"", "refused", "empty_file"),
    "header_only.csv": (csv_bytes(DISABLED_HEADER, []), "refused", "no_rows"),
    "header_and_footer.csv": (csv_bytes(DISABLED_HEADER, [("合计",)]), "refused", "no_rows"),
    "wrong_list.csv": (csv_bytes(REGISTER_HEADER, register_rows(5)), "refused", "wrong_list"),
    "no_list.csv": (csv_bytes(("甲", "乙"), [("1", "2")]), "refused", "no_header"),
    "damaged.xlsx": (low_income_workbook()[:2000], "refused", "damaged_workbook"),
    "truncated.csv": ("姓名,公民身份号码,社区\n测试,".encode() + b"\xff\xff\xff\xff", "refused", "not_decodable"),
    "quote.csv": ('姓名,公民身份号码,社区\n"测试,1,2\n'.encode(), "refused", "broken_quoting"),
    "page.xls": (b"<html><body><table></table></body></html>", "refused", "no_table"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "refused", "damaged_workbook"),
    "scan.pdf.xlsx": (b"%PDF-1.4", "refused", "pdf"),
    "doubled.csv": (csv_bytes(("姓名", "姓名", "公民身份号码", "残疾类别"), [("测试", "测试", made_id(1), "肢体")]), "refused", "doubled_header"),
    "missing_column.csv": (csv_bytes(("公民身份号码", "残疾类别", "残疾等级"), [(made_id(1), "肢体", "一级")]), "held", "required_column_missing"),
    "broken_rows.csv": (csv_bytes(DISABLED_HEADER, [*disabled_rows(9), *[("", sex) for sex in "男女男"]]), "held", "too_many_quarantined"),
}  # fmt: skip


def test_bad_files_end_in_the_ledger_with_a_chinese_reason_and_stop_nobody(put, take, ask):
    for name, (content, _, _) in BAD_FILES.items():
        put("civil_affairs/disabled", name, content)
    put("civil_affairs/disabled", "zzz_good202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(9)))
    put("civil_affairs/no_such_list", "x.csv", csv_bytes(DISABLED_HEADER, disabled_rows(2)))
    put("health/disabled", "x.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    found = {outcome.file_name: outcome for outcome in take()}
    assert {name: (found[name].status, found[name].reason_code) for name in BAD_FILES} == {
        name: (status, code) for name, (_, status, code) in BAD_FILES.items()
    }
    assert found["zzz_good202607.csv"].status == "loaded"
    assert {o.reason_code for o in found.values() if o.file_name == "x.csv"} <= {
        "unknown_list",
        "wrong_department",
    }
    for department, code in (("civil_affairs", "no_such_list"), ("health", "disabled")):
        assert ask(
            "select status from ops.delivery where department = :department and list_code = :code and file_name = 'x.csv'",
            department=department, code=code,
        ) == [("refused",)]  # fmt: skip
    for delivery in ask("select * from ops.delivery where status in ('refused', 'held')"):
        assert any("一" <= character <= "龥" for character in delivery.reason)
        assert "Traceback" not in delivery.reason
        if delivery.status == "refused":
            assert delivery.row_count == 0
    assert every_row_has_one_fate(ask)
    assert take() == []


def test_the_reason_names_the_list_that_the_file_is(put, take):
    put("civil_affairs/disabled", "x.csv", csv_bytes(REGISTER_HEADER, register_rows(5)))
    (outcome,) = take()
    assert "《家庭信息登记表》" in outcome.reason
    assert "community/household_register" in outcome.reason


def test_what_is_no_plain_file_is_refused_at_once_or_not_seen(landing, put, take):
    good = put("civil_affairs/disabled", "good202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    folder = good.parent
    os.mkfifo(folder / "pipe.csv")
    (folder / "link.csv").symlink_to(good)
    (folder / "dangling.csv").symlink_to(folder / "nowhere")
    (folder / "folder.csv").mkdir()
    for name in (".hidden.csv", "~$open.xlsx", "half.csv.part", "x.tmp"):
        (folder / name).write_bytes(b"x")
    (folder / os.fsdecode("坏名".encode("gb18030") + b".csv")).write_bytes(
        csv_bytes(DISABLED_HEADER, disabled_rows(4))
    )
    found = {outcome.file_name: (outcome.status, outcome.reason_code) for outcome in take()}
    undecodable = [name for name in found if "\ufffd" in name]
    assert [found.pop(name) for name in undecodable] == [("refused", "undecodable_name")]
    assert found == {
        "good202607.csv": ("loaded", None),
        "pipe.csv": ("refused", "not_a_plain_file"),
        "link.csv": ("refused", "not_a_plain_file"),
        "dangling.csv": ("refused", "not_a_plain_file"),
    }
    assert take() == []


def test_a_file_that_still_grows_is_left_for_the_next_time(put, take, monkeypatch):
    path = put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(5)))
    real_read = os.read

    def growing_read(descriptor, size):
        block = real_read(descriptor, size)
        if block:
            with path.open("ab") as file:
                file.write(b"\n")
        return block

    with monkeypatch.context() as patch:
        patch.setattr("ingest.landing.os.read", growing_read)
        assert take() == []
    assert [outcome.status for outcome in take()] == ["loaded"]


@pytest.mark.parametrize(
    ("count", "status"),
    [(41, "loaded"), (49, "loaded"), (50, "held"), (31, "loaded"), (30, "held"), (80, "held")],
)
def test_a_count_far_from_the_last_snapshot_waits_for_a_person(put, take, ask, count, status):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(40)))
    put(
        "civil_affairs/disabled",
        "b202608.csv",
        csv_bytes(DISABLED_HEADER, disabled_rows(count)),
    )
    first, second = take()
    assert first.status == "loaded"
    assert second.status == status
    assert every_row_has_one_fate(ask)


def test_small_lists_may_change_by_a_few(put, take):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(4)))
    put("civil_affairs/disabled", "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(12)))
    assert [outcome.status for outcome in take()] == ["loaded", "loaded"]


def test_an_older_snapshot_waits_and_is_released_by_a_person(put, take, ask, warehouse):
    put("civil_affairs/disabled", "b202608.csv", csv_bytes(DISABLED_HEADER, disabled_rows(9)))
    take()
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(8)))
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code, outcome.accepted_count) == ("held", "older_snapshot", 8)
    release_held(warehouse.engine, outcome.delivery_id, "数据员甲")
    assert ask(
        "select status, released_by from ops.delivery where delivery_id = :id", id=outcome.delivery_id
    ) == [("loaded", "数据员甲")]
    with pytest.raises(PermanentError):
        release_held(warehouse.engine, outcome.delivery_id, "数据员甲")
    with pytest.raises(PermanentError):
        release_held(warehouse.engine, 999, "数据员甲")
    assert take() == []


def test_an_update_list_may_be_small_or_old(put, take):
    put("community/household_register", "b202608.csv", csv_bytes(REGISTER_HEADER, register_rows(60)))
    take()
    put("community/household_register", "a202607.csv", csv_bytes(REGISTER_HEADER, register_rows(4)))
    assert [outcome.status for outcome in take()] == ["loaded"]


@pytest.mark.parametrize("station", ["reading", "judging"])
def test_a_file_on_which_the_program_fails_stops_no_other(put, take, monkeypatch, station):
    if station == "reading":
        monkeypatch.setattr(deliveries, "Parser", partial(Parser, module="tests.broken_parser"))
    else:
        seal = BatchSealer.seal

        def failing(self, batch):
            if "please fail" in str(batch):
                raise IndexError(made_id(1))
            return seal(self, batch)

        monkeypatch.setattr(BatchSealer, "seal", failing)
    poison = [("测试甲", "男", made_id(1), *[""] * 5, "please fail", *[""] * 5)]
    put("civil_affairs/disabled", "a202606.csv", csv_bytes(DISABLED_HEADER, poison))
    put("civil_affairs/disabled", "b202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    outcomes = {o.file_name: o for o in take()}
    assert (outcomes["a202606.csv"].status, outcomes["a202606.csv"].reason_code) == (
        "refused",
        "program_fault",
    )
    assert "IndexError" in outcomes["a202606.csv"].reason
    assert made_id(1) not in outcomes["a202606.csv"].reason
    assert outcomes["b202607.csv"].status == "loaded"
    assert take() == []


def test_a_sheet_that_lost_a_required_column_is_not_passed_over(put, take):
    """One community's sheet without names: its rows are counted, and a person decides."""
    book = openpyxl.Workbook()
    rows = disabled_rows(8)
    for line in (DISABLED_HEADER, *rows[:5]):
        book.active.append(line)
    other, extract = book.create_sheet("在水社区"), book.create_sheet("新增")
    for line in (DISABLED_HEADER[1:], *(row[1:] for row in rows[5:])):
        other.append(line)
    for line in (DISABLED_HEADER[1:5], *(row[1:5] for row in rows[:2])):
        extract.append(line)
    out = io.BytesIO()
    book.save(out)
    put("civil_affairs/disabled", "a202607.xlsx", out.getvalue())
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code, outcome.row_count) == ("held", "required_column_missing", 8)


def test_footers_do_not_count_as_bad_rows(put, take):
    rows = [*disabled_rows(4), ("小计", "4人"), ("合计", "4人"), ("填表人：甲", "审核人：乙")]
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, rows))
    (outcome,) = take()
    assert (outcome.status, outcome.row_count, outcome.quarantined_count) == ("loaded", 7, 3)


def test_a_held_delivery_without_a_usable_row_cannot_be_released(put, take, warehouse):
    put("civil_affairs/disabled", "a202607.csv", BAD_FILES["missing_column.csv"][0])
    (outcome,) = take()
    with pytest.raises(PermanentError):
        release_held(warehouse.engine, outcome.delivery_id, "数据员甲")


def all_text_of(warehouse):
    """Every value of every table of the warehouse, as one text."""
    with warehouse.engine.connect() as connection:
        tables = connection.execute(
            text(
                "select table_schema, table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')"
            )
        ).all()
        return "\n".join(
            str(value)
            for schema, table in tables
            for (value,) in connection.execute(text(f'select t::text from "{schema}"."{table}" as t'))
        )


def test_no_protected_value_is_in_the_database_in_the_clear(put, take, warehouse, protector, ask, tmp_path):
    number, head, phone, landline = made_id(77), made_id(78), "19912345670", "057187651234"
    income, allowance, cause, remark, tag = (
        "41976531.17",
        "31415926",
        "卡纳丽病因",
        "卡纳丽备注一段",
        "卡纳丽诊断",
    )
    good = (
        "1",
        "D1",
        "卡纳丽",
        head,
        "卡纳丽",
        head,
        "户主",
        "女",
        "",
        "清水苑1幢1单元101室",
        "近江社区",
        phone,
        "城市低保",
        2,
        2,
        income,
        allowance,
        cause,
        "2025-10",
        remark,
    )
    bad_row = (
        None,
        None,
        None,
        None,
        phone,
        number,
        "配偶",
        "",
        "",
        None,
        None,
        landline,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        remark,
    )
    wrong = (
        None,
        None,
        None,
        None,
        "卡某",
        number[:-1] + ("0" if number[-1] != "0" else "1"),
        "子",
        "",
        "",
        None,
        None,
        "1991234567",
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        remark,
    )
    put("civil_affairs/low_income", "花名册202607.xlsx", low_income_workbook(good, bad_row, wrong))
    doctor = (
        "QY1",
        "卡纳丽",
        "居民身份证",
        number,
        "男",
        "",
        phone,
        "清水苑1幢1单元101室",
        "某中心",
        "一队",
        "王某",
        "2026-01-01",
        "2027-01-01",
        "慢病包",
        tag,
        "履约中",
    )
    header = (
        "签约编号",
        "居民姓名",
        "证件类型",
        "证件号码",
        "性别",
        "出生日期",
        "手机号码",
        "居住地址",
        "签约机构",
        "签约团队",
        "签约医生",
        "签约日期",
        "协议到期日",
        "服务包类型",
        "人群标签",
        "履约状态",
    )
    put("health/family_doctor", "名单202607.csv", csv_bytes(header, [doctor]))
    put("community/household_register", "表202607.csv", csv_bytes(REGISTER_HEADER, register_rows(2)))
    outcomes = take()
    assert sum(o.quarantined_count for o in outcomes) == 2
    planted = [
        number,
        number[:-1],
        number[6:17],
        head,
        phone,
        landline,
        "1991234567",
        income,
        allowance,
        cause,
        remark,
        tag,
        "慢病包",
        "心梗术后",
    ]
    receipts = write_receipts(warehouse.engine, tmp_path / "receipts", [o.delivery_id for o in outcomes])
    places = {"database": all_text_of(warehouse)} | {
        path.name: "\n".join(
            str(c.value) for sheet in openpyxl.load_workbook(path) for row in sheet for c in row
        )
        for path in receipts
    }
    assert "卡纳丽" in places["database"]  # the search finds what is there
    assert [
        (place, value) for place, value in ((p, v) for p in places for v in planted) if value in places[place]
    ] == []
    assert all("卡" not in places[path.name] for path in receipts)
    row = ask(
        "select record_id, id_no_encrypted, phone_encrypted, income_per_capita_encrypted from raw.low_income order by row_number"
    )[0]
    opened = [
        protector.decrypt(row[1], f"id_no|{row[0]}"),
        protector.decrypt(row[2], f"phone|{row[0]}"),
        protector.decrypt(row[3], f"income_per_capita|{row[0]}"),
    ]
    assert opened == [head, phone, income]
    source = ask("select record_id, source_row_encrypted from raw.low_income order by row_number")[0]
    assert remark in protector.decrypt(source[1], f"row|{source[0]}")


def test_columns_outside_the_contract_are_not_kept(put, take, ask, protector):
    rows = [(*row, "不该保存") for row in disabled_rows(3)]
    put("civil_affairs/disabled", "a202607.csv", csv_bytes((*DISABLED_HEADER, "家庭年收入"), rows))
    (outcome,) = take()
    assert outcome.status == "loaded"
    for record, sealed in ask("select record_id, source_row_encrypted from raw.disabled"):
        assert "不该保存" not in protector.decrypt(sealed, f"row|{record}")
    assert ask("select layout -> 'tables' -> 0 -> 'unknown' from ops.delivery") == [(["家庭年收入"],)]


def test_a_delivery_without_a_usable_row_is_taken_again_once_its_header_is_known(put, take, monkeypatch):
    from ingest import deliveries

    content = csv_bytes(
        ("大名", "公民身份号码", "残疾类别", "残疾等级"), [("测试甲", made_id(1), "肢体", "一级")]
    )
    put("civil_affairs/disabled", "a202607.csv", content)
    assert [o.reason_code for o in take()] == ["required_column_missing"]
    contracts = load_contracts()
    disabled = contracts["disabled"]
    columns = tuple(
        dataclasses.replace(column, aliases=(*column.aliases, "大名"))
        if column.name == "person_name"
        else column
        for column in disabled.columns
    )
    taught = contracts | {"disabled": dataclasses.replace(disabled, columns=columns)}
    monkeypatch.setattr(deliveries, "load_contracts", lambda: taught)
    put("civil_affairs/disabled", "again202607.csv", content)
    assert [(o.status, o.accepted_count) for o in take()] == [("loaded", 1)]
    put("civil_affairs/disabled", "third202607.csv", content)
    assert [o.status for o in take()] == ["duplicate"]


def test_a_receipt_that_a_broken_run_left_out_is_written_by_the_next(put, take, warehouse, tmp_path):
    put("civil_affairs/disabled", "a202607.csv", csv_bytes(DISABLED_HEADER, disabled_rows(3)))
    put("civil_affairs/disabled", "空.csv", b"")
    outcomes = take()
    (written,) = write_receipts(warehouse.engine, tmp_path, [outcomes[0].delivery_id])
    (missing,) = write_missing_receipts(warehouse.engine, tmp_path)
    assert f"回执-{outcomes[1].delivery_id}-" in missing.name
    assert missing != written
    assert write_missing_receipts(warehouse.engine, tmp_path) == []


def test_receipts_say_row_column_and_remedy_and_hold_no_formula(put, take, warehouse, tmp_path):
    number = made_id(5)
    rows = [
        *disabled_rows(20),
        (
            "=cmd|'/c calc'!A1",
            "男",
            number[:-1] + ("1" if number[-1] != "1" else "2"),
            "",
            "+肢体",
            "=1+1",
            "2024.02.30",
            "",
            "清水苑",
            "",
            "",
            "",
            "@1",
            "",
        ),
    ]
    put("civil_affairs/disabled", "=名册/../202607.csv".replace("/", "_"), csv_bytes(DISABLED_HEADER, rows))
    put("civil_affairs/disabled", "bad.csv", b"")
    outcomes = take()
    paths = write_receipts(warehouse.engine, tmp_path, [o.delivery_id for o in outcomes])
    assert write_receipts(warehouse.engine, tmp_path, [o.delivery_id for o in outcomes]) == []
    assert all(path.is_relative_to(tmp_path / "civil_affairs" / "disabled") for path in paths)
    assert set(tmp_path.rglob("*回执*")) == {*paths, *(path.with_suffix(".json") for path in paths)}
    books = {o.status: openpyxl.load_workbook(path) for o, path in zip(outcomes, paths, strict=True)}
    for book in books.values():
        for sheet in book:
            for row in sheet:
                for cell in row:
                    assert cell.data_type != "f"
                    assert not (isinstance(cell.value, str) and cell.value[:1] in "=+-@")
    summary = {row[0]: row[1] for row in books["loaded"]["回执"].iter_rows(values_only=True)}
    assert (summary["处理结果"], summary["数据行数"], summary["接收"]) == ("接收", 21, 21)
    details = list(books["loaded"]["逐行问题"].iter_rows(values_only=True))[1:]
    wrong_digit = [row for row in details if row[4] == "证件号码的校验码不对，至少有一位录错"]
    assert [(row[1], row[2], row[3], row[5]) for row in wrong_digit] == [
        (22, "公民身份号码", "接收", "对照证件改正")
    ]
    refused = {row[0]: row[1] for row in books["refused"]["回执"].iter_rows(values_only=True)}
    assert "文件是空的" in refused["原因"]


def test_contracts_become_commented_tables_and_rows(warehouse, ask):
    contracts = load_contracts()
    for _ in range(2):
        ensure_raw_tables(warehouse.engine, contracts)
    assert ask("select list_code from ops.contract order by 1") == [(code,) for code in sorted(contracts)]
    assert ask("select count(*) from ops.contract_column") == [
        (sum(len(c.columns) for c in contracts.values()),)
    ]
    uncommented = ask(
        "select c.relname, a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where n.nspname = 'raw' and c.relkind = 'r' and col_description(c.oid, a.attnum) is null"
    )
    assert uncommented == []


def test_a_table_is_extended_by_new_columns_and_never_changes_a_type(warehouse, ask):
    contracts = load_contracts()
    ensure_raw_tables(warehouse.engine, contracts)
    with warehouse.engine.begin() as connection:
        connection.execute(text("alter table raw.visit drop column remark_encrypted"))
    ensure_raw_tables(warehouse.engine, contracts)
    assert ask("select remark_encrypted from raw.visit") == []
    with warehouse.engine.begin() as connection:
        connection.execute(text("alter table raw.visit alter column problem_count type text"))
    with pytest.raises(PermanentError) as caught:
        ensure_raw_tables(warehouse.engine, contracts)
    assert "problem_count" in str(caught.value)
