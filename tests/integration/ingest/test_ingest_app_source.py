"""The visit app's own database: what is pulled when, and as which values (F28, F39, B81, B82)."""

import threading
from datetime import date, timedelta

import pytest
from ingest_app import ALL, FILLED, PULLED, add_visit, deliveries_of, watermark
from ingest_lists import VISIT_HEADER, csv_bytes

from ingest.app_source import has_news, pull_app
from ingest.arrivals import update_delivery_due
from ingest.deliveries import ingest_landing

pytestmark = pytest.mark.database


def test_the_first_pull_takes_every_list_and_the_second_takes_nothing(app, pull, ask):
    first = deliveries_of(pull())
    assert set(first) == set(ALL)
    for code, outcome in first.items():
        assert (outcome.status, outcome.reason) == ("loaded", None), code
        assert outcome.row_count == outcome.accepted_count > 0
        assert (outcome.file_name, outcome.snapshot_date) == (f"app:{code}", date(2026, 11, 23))
    assert first["household_register"].row_count == app.ask("select count(*) from member")[0][0]
    assert ask("select distinct snapshot_date_source from ops.delivery") == [("watermark",)]
    paths = [path for (path,) in ask("select source_path from ops.delivery")]
    assert all(path.startswith("app://127.0.0.1:") and app.address.password not in path for path in paths)

    second = pull(PULLED + timedelta(minutes=30))
    assert deliveries_of(second) == {}
    assert {entry.said for entry in second.values()} == {"没有新的行"}
    whole = pull(PULLED + timedelta(minutes=31), is_whole=True)
    assert deliveries_of(whole) == {}


def test_every_warning_of_the_first_pull_is_meant(app, pull, ask):
    """The default mapping and the fixture fit the contracts: no code is unknown, no date unreadable."""
    pull()
    rules = {rule for (rule,) in ask("select distinct rule from ops.row_warning")}
    assert rules & {
        "code_unknown", "date_unreadable", "boolean_unreadable", "integer_unreadable", "text_unreadable", "time_impossible"
    } == set()  # fmt: skip


def test_values_arrive_as_they_are(app, pull, ask):
    pull()
    app_rows = app.ask("select visit_no, visited_at, consent, needs, score from visit order by 1")
    raw_rows = ask(
        "select visit_no, visited_at, has_consent, need_codes, satisfaction_score from raw.visit order by 1"
    )
    assert len(app_rows) == len(raw_rows)
    for (number, at, consent, needs, score), row in zip(app_rows, raw_rows, strict=True):
        assert row == (number, at, consent, sorted(needs) or None, score)
    local = app.ask("select min(stage_at) from problem_event")[0][0]
    seen = ask("select min(stage_at at time zone 'Asia/Shanghai') from raw.problem")[0][0]
    assert seen == local


def test_no_row_stands_in_clear_in_what_is_remembered(app, pull, ask):
    pull()
    remembered = ask("select key_token, row_token from ops.app_row")
    assert all(len(key) == len(row) == 32 and int(key, 16) and int(row, 16) for key, row in remembered)
    assert len({row for _, row in remembered}) == len(remembered)


def test_only_what_changed_is_taken_and_the_correction_wins(app, pull, ask):
    pull()
    later = PULLED + timedelta(hours=1)
    app.do("update visit set score = 1, updated_at = %s where id = 3", later - timedelta(minutes=1))
    app.do(
        "update member set updated_at = %s where id = 3", later - timedelta(minutes=1)
    )  # touched, not changed
    taken = deliveries_of(pull(later))
    assert set(taken) == {"visit"}
    assert taken["visit"].row_count == 1
    rows = ask(
        "select row_number, satisfaction_score from raw.visit where delivery_id = :id",
        id=taken["visit"].delivery_id,
    )
    assert rows == [(1, 1)]
    assert watermark(ask) == later - timedelta(minutes=1)
    assert watermark(ask, "household_register") == later - timedelta(minutes=1)


def test_there_and_back_again_is_two_deliveries(app, pull, ask):
    pull()
    for hours, score in ((1, 1), (2, 5), (3, 1)):
        at = PULLED + timedelta(hours=hours)
        app.do("update visit set score = %s, updated_at = %s where id = 3", score, at)
        assert deliveries_of(pull(at))["visit"].accepted_count == 1
    assert len(ask("select from ops.delivery where list_code = 'visit'")) == 4


def test_a_row_committed_late_is_taken_by_the_next_run(app, pull, ask):
    pull()
    begun = PULLED + timedelta(minutes=10)
    with app.connect() as slow:
        slow.execute(
            "insert into visit_app.visit (visit_no, household_id, method, outcome, visited_at, visitor, updated_at) "
            "values ('ZF-LATE', 1, 'home', 'success', %s, '网格员1', %s)", (begun, begun),
        )  # fmt: skip
        add_visit(app, "ZF-QUICK", begun + timedelta(minutes=20))
        assert deliveries_of(pull(begun + timedelta(minutes=30)))["visit"].row_count == 1
        assert watermark(ask) == begun + timedelta(minutes=20)  # past what is not committed yet
        slow.commit()
    late = deliveries_of(pull(begun + timedelta(minutes=60)))
    assert late["visit"].row_count == 1
    assert ask("select visit_no from raw.visit where delivery_id = :id", id=late["visit"].delivery_id) == [
        ("ZF-LATE",)
    ]
    assert watermark(ask) == begun + timedelta(minutes=20)
    assert deliveries_of(pull(begun + timedelta(minutes=90))) == {}


def test_a_clock_that_is_ahead_moves_no_watermark(app, pull, ask):
    pull()
    add_visit(app, "ZF-AHEAD", PULLED + timedelta(minutes=1), updated_at=PULLED + timedelta(days=400))
    assert deliveries_of(pull(PULLED + timedelta(minutes=5)))["visit"].row_count == 1
    assert watermark(ask) == FILLED
    add_visit(app, "ZF-NEXT", PULLED + timedelta(minutes=10))
    assert deliveries_of(pull(PULLED + timedelta(minutes=15)))["visit"].row_count == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_no_birth_date_shifts_whatever_zone_the_app_lives_in(app, pull, ask, zone):
    app.do(f"alter database {app.name} set timezone = '{zone}'")
    born = [
        date(1988, 5, 1),
        date(1941, 6, 1),
        date(1900, 12, 31),
        date(1991, 9, 15),
    ]  # summer time, local mean time
    for number, day in enumerate(born, start=1):
        app.do("update member set birthday = %s, updated_at = %s where id = %s", day, FILLED, number)
    pull()
    of_app = app.ask("select birthday from member order by household_id, id")
    of_raw = ask("select birth_date from raw.household_register order by row_number")
    assert sorted(of_app) == sorted(of_raw)
    assert {(day,) for day in born} <= set(of_raw)


def test_birth_dates_kept_as_instants_stay_their_day(app, pull, ask):
    """An app that keeps a day as local midnight, in a column with or without zone."""
    app.do(
        "drop view household_register_v; set timezone to 'Asia/Shanghai'; "
        "alter table member alter birthday type timestamptz using birthday::timestamptz"
    )
    recreate_register_view(app)
    pull()
    assert sorted(ask("select birth_date from raw.household_register")) == sorted(
        app.ask("select (birthday at time zone 'Asia/Shanghai')::date from member")
    )


def recreate_register_view(app):
    from tests.synthetic.visit_app import SCHEMA

    view = SCHEMA.read_text(encoding="utf-8").split("create view household_register_v", 1)[1].split(";", 1)[0]
    app.do(f"create view household_register_v {view}")


def test_two_pulls_at_once_take_each_row_once(app, warehouse, protector, app_settings, ask):
    threads = [
        threading.Thread(target=pull_app, args=(warehouse.engine, protector, app_settings, PULLED))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask("select list_code, count(*) from ops.delivery group by 1 having count(*) > 1") == []
    assert ask("select count(*) from raw.visit") == [(60,)]


def test_a_file_and_a_pull_may_bring_the_same_visit(app, pull, ask, warehouse, protector, tmp_path):
    """One contract, two ways: rows of one business key, and the later one is the correction."""
    pull()
    (number,) = app.ask("select visit_no from visit where id = 5")[0]
    folder = tmp_path / "landing" / "community" / "visit"
    folder.mkdir(parents=True)
    row = (
        number,
        "",
        "",
        "清水苑1幢1单元101室",
        "近江社区",
        "",
        "2026-08-02 10:00",
        "2026-08-02 12:00",
        "网格员9",
        "电话",
        "成功",
        "是",
        "",
        "0",
        "2",
        "",
    )
    (folder / "走访记录20261124.csv").write_bytes(csv_bytes(VISIT_HEADER, [row]))
    (outcome,) = ingest_landing(
        warehouse.engine, protector, tmp_path / "landing", PULLED + timedelta(hours=1)
    )
    assert outcome.status == "loaded"
    newest = (
        "select r.satisfaction_score from raw.visit r join ops.delivery d using (delivery_id) where visit_no = :no "
        "order by d.snapshot_date desc, d.received_at desc, d.delivery_id desc limit 1"
    )
    assert ask(newest, no=number) == [(2,)]
    app.do("update visit set score = 1, updated_at = %s where id = 5", PULLED + timedelta(hours=2))
    pull(PULLED + timedelta(hours=3))
    assert ask(newest, no=number) == [(1,)]


ODD = """
create table odd (
    id numeric, visit_no text, visited_at timestamptz, entered_at timestamp, score numeric, consent text, remark json, note bytea,
    address text, needs jsonb, updated_at timestamptz
)
"""


@pytest.fixture
def odd(app, make_settings, tmp_path, warehouse, protector):
    """A table of strange values as the list of visits."""
    app.do(ODD)
    mapping = tmp_path / "odd.yaml"
    mapping.write_text(
        """
lists:
  visit:
    relation: visit_app.odd
    key: [id]
    watermark: updated_at
    look_back: 1h
    look_back_reason: 测试
    columns: {visit_no: 走访编号, visited_at: 走访日期, entered_at: 录入时间, score: 满意度, consent: 是否知情同意, remark: 备注, note: 网格,
      address: 家庭住址, needs: 需求代码}
""",
        encoding="utf-8",
    )
    settings = make_settings(None, YIHU_APP_URL=app.url, YIHU_APP_SOURCES=str(mapping))
    return lambda at=PULLED: pull_app(warehouse.engine, protector, settings, at)[0]


def test_no_value_of_a_database_stops_a_pull(app, odd, ask):
    """B81, B82: each odd value is a warning or a quarantined row."""
    good = "'2026-08-01 10:00+08', '2026-08-01 12:00'"
    deep = "[" * 1000 + "]" * 1000
    values = [
        f"(-1, 'A01', {good}, 4, 'true', null, null, '清水苑1幢1单元101室', '[\"YL01\"]', '{PULLED}')",
        f"(2, 'A02', 'infinity', '-infinity', 5, '是', null, null, '清水苑1幢1单元102室', '[]', '{PULLED}')",
        f"(3, 'A03', {good}, 1e1000, '是', null, null, '清水苑1幢1单元103室', '[]', 'infinity')",
        f"(4, 'A04', {good}, 'NaN', '也许', '\"a\\u0000b\"', null, '清水苑1幢1单元104室', '{{\"a\": 1}}', null)",
        f"(1e200, 'A05', {good}, 4, '是', '{deep}', '\\xdeadbeef', '清水苑1幢1单元105室', '[]', '{PULLED}')",
        f"(6, 'A06', {good}, 4, '是', to_json(repeat('长', 1000000)), null, '清水苑1幢1单元106室', '[]', '{PULLED}')",
        "(7, 'A07', '0044-03-15 10:00+08 BC', null, 4, '是', null, null, '清水苑1幢1单元107室', '[\"NEW9\"]', '-infinity')",
        *(f"({n}, 'B{n}', {good}, 4, '是', null, null, '清水苑2幢1单元{n}室', '[]', '{PULLED}')" for n in range(101, 131)),
    ]  # fmt: skip
    app.do("insert into odd values " + ", ".join(value.replace("%", "%%") for value in values))
    outcome = odd().outcome
    assert (outcome.status, outcome.row_count, outcome.quarantined_count) == ("loaded", 37, 1)
    assert ask("select rule, row_number from ops.quarantined_row") == [("cell_too_long", 5)]
    warned = ask(
        "select raw.visit_no, w.rule, w.column_name from ops.row_warning w join raw.visit raw using (record_id) "
        "where raw.visit_no like 'A%' order by 1, 3"
    )
    told = {(number, column): rule for number, rule, column in warned}
    assert {("A02", "visited_at"), ("A02", "entered_at"), ("A03", "satisfaction_score")} <= set(told)
    assert ("A07", "visited_at") in told
    assert ask("select satisfaction_score from raw.visit where visit_no = 'A04'") == [
        (None,)
    ]  # not a number: no value
    assert told[("A04", "has_consent")] == "boolean_unreadable"
    assert told[("A04", "remark")] == told[("A05", "grid_name")] == "text_unreadable"
    assert told[("A04", "need_codes")] == told[("A07", "need_codes")] == "code_unknown"
    assert ask("select watermark from ops.app_watermark") == [(PULLED,)]
    assert odd(PULLED + timedelta(minutes=30)).said == "没有新的行"


def test_a_view_with_a_key_twice_is_refused(app, odd):
    app.do(
        "insert into odd (id, visit_no, visited_at, address, updated_at) select 1, n::text, now(), '清水苑1幢1单元101室', now() "
        "from generate_series(1, 3) n"
    )
    outcome = odd().outcome
    assert (outcome.status, outcome.reason_code) == ("refused", "app_key_not_unique")
    assert odd(PULLED + timedelta(hours=1)).outcome is None


def test_has_news_asks_cheaply(app, pull, warehouse, app_settings):
    assert has_news(warehouse.engine, app_settings, PULLED)
    pull()
    assert not has_news(warehouse.engine, app_settings, PULLED)
    add_visit(app, "ZF-NEW", PULLED)
    assert has_news(warehouse.engine, app_settings, PULLED)


def test_the_login_needs_no_more_than_to_read(app, make_settings, warehouse, protector, ask):
    """The grants of docs/app_source.md, and a pull that tries to write would fail anyway."""
    app.do("drop role if exists yihu_reader; create role yihu_reader login password 'lesen'")
    try:
        app.do("grant usage on schema visit_app to yihu_reader")
        app.do(
            "grant select on household_register_v, visit_v, problem_event_v, need_v, resource_v, questionnaire_answer to yihu_reader"
        )
        url = f"postgresql://yihu_reader:lesen@{app.address.host}:{app.address.port}/{app.name}"
        pulls = pull_app(warehouse.engine, protector, make_settings(None, YIHU_APP_URL=url), PULLED)
        assert {p.list_code for p in pulls if p.outcome and p.outcome.status == "loaded"} == set(ALL)
        assert "lesen" not in str(ask("select * from ops.delivery"))
    finally:
        app.do("drop owned by yihu_reader; drop role yihu_reader")


def test_a_quiet_day_is_no_day_missed(app, pull, ask, warehouse):
    """A daily list that was asked for and had nothing new has come; a day on which the app was down has not."""
    pull()  # a Tuesday
    pull(PULLED + timedelta(days=1))
    pull(PULLED + timedelta(days=3))
    assert len(ask("select from ops.delivery where list_code = 'visit'")) == 1
    dues = {
        due.period_start: due
        for due in update_delivery_due(warehouse.engine, date(2026, 11, 28))
        if due.list_code == "visit"
    }
    told = {day: (due.status, due.days_late) for day, due in dues.items()}
    assert told[date(2026, 11, 25)] == ("on_time", 0)
    assert told[date(2026, 11, 26)] == ("late", 1)
    assert told[date(2026, 11, 27)] == ("on_time", 0)


def test_the_receipt_of_a_pull_asks_for_no_file(app, pull, warehouse, tmp_path):
    import json

    from ingest.receipts import write_missing_receipts

    app.do("update member set mobile = '123' where id = 1")
    pull()
    written = write_missing_receipts(warehouse.engine, tmp_path / "outbox", tmp_path / "old")
    (register,) = (path for path in written if "household_register" in str(path))
    receipt = json.loads(register.with_suffix(".json").read_text(encoding="utf-8"))
    assert "走访应用" in receipt["next_step"]
    assert "不必另报文件" in receipt["next_step"]
    assert any(kind["rule"] == "phone_invalid" for kind in receipt["kinds"])
