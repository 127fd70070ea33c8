"""The visit app's own database: what is pulled when, what is held, and what survives the app's bad days (F25 to F28, F39, B81)."""

import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from ingest_lists import VISIT_HEADER, csv_bytes
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from ingest import app_reading, app_source
from ingest.app_source import has_news, pull_app
from ingest.deliveries import ingest_landing
from ingest.holds import refuse_held, release_held
from tests.synthetic.population import World
from tests.synthetic.visit_app import fill_app, make_app

pytestmark = pytest.mark.database
FILLED = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PULLED = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
ALL = ("household_register", "visit", "problem", "need", "resource", "satisfaction")


class App:
    """The app's side: a database of its own on the throw-away server."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.url = f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{name}"

    def connect(self, **options):
        return psycopg.connect(self.url, **options)

    def do(self, statement, *values):
        with self.connect(autocommit=True) as connection:
            connection.execute("set search_path to visit_app")
            return connection.execute(statement, values).rowcount

    def ask(self, statement, *values):
        with self.connect() as connection:
            connection.execute("set search_path to visit_app")
            return connection.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def app_template(warehouse_server):
    app = App(warehouse_server, "visit_app_template")
    administer(warehouse_server, "create database {} template template0", app.name)
    with app.connect() as connection:
        make_app(connection)
        fill_app(connection, World.create(7, 60, date(2026, 8, 1)), FILLED)
    return app


@pytest.fixture
def app(app_template):
    app = App(app_template.address, "visit_app_test")
    administer(app.address, "drop database if exists {} with (force)", app.name)
    administer(app.address, f"create database {{}} template {app_template.name}", app.name)
    return app


@pytest.fixture
def settings(make_settings, app):
    return make_settings(None, YIHU_APP_URL=app.url)


@pytest.fixture
def pull(warehouse, protector, settings):
    def pull(at=PULLED, **options):
        pulls = pull_app(warehouse.engine, protector, settings, at, **options)
        return {pull.list_code: pull for pull in pulls}

    return pull


def administer(address, statement, name):
    with psycopg.connect(
        host=address.host, port=address.port, user=address.user, password=address.password, dbname="postgres",
        autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(SQL(statement).format(Identifier(name)))


def deliveries_of(pulls):
    return {code: pull.outcome for code, pull in pulls.items() if pull.outcome is not None}


def add_visit(app, number, at, **values):
    columns = {
        "visit_no": number, "household_id": 1, "method": "home", "outcome": "success", "visited_at": at, "created_at": at,
        "visitor": "网格员1", "updated_at": at, **values,
    }  # fmt: skip
    app.do(
        f"insert into visit ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
        *columns.values(),
    )


def watermark(ask, code="visit"):
    return ask("select watermark from ops.app_watermark where list_code = :code", code=code)[0][0]


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


def test_a_shrunken_table_is_held_and_a_release_accepts_it(app, pull, ask, warehouse):
    first = deliveries_of(pull())
    app.do(
        "delete from need; delete from problem_event; delete from problem; delete from visit where id %% 5 < 2"
    )
    held = deliveries_of(pull(PULLED + timedelta(hours=1)))
    assert (held["visit"].status, held["visit"].reason_code) == ("held", "app_table_shrunken")
    assert "少了 24 行" in held["visit"].reason
    assert held["visit"].row_count == 36
    assert (held["problem"].status, held["problem"].reason_code) == ("refused", "app_table_shrunken")
    assert watermark(ask) == FILLED
    # Nothing is told again while a person has not decided, and what is new waits.
    add_visit(app, "ZF-NEW", PULLED + timedelta(minutes=90))
    assert deliveries_of(pull(PULLED + timedelta(hours=2))) == {}
    release_held(warehouse.engine, held["visit"].delivery_id, "测试员")
    taken = deliveries_of(pull(PULLED + timedelta(hours=3)))
    assert {code: (o.status, o.row_count) for code, o in taken.items()} == {"visit": ("loaded", 1)}
    assert ask("select last_row_count from ops.app_watermark where list_code = 'visit'") == [(37,)]
    assert len(ask("select from raw.visit where delivery_id = :id", id=first["visit"].delivery_id)) == 60
    # What changes now is seen as a change, whatever was known before the release.
    app.do("update visit set score = 2, updated_at = %s where id = 4", PULLED + timedelta(hours=4))
    assert deliveries_of(pull(PULLED + timedelta(hours=4)))["visit"].row_count == 1


def test_a_restored_backup_is_held_and_the_repaired_app_goes_on(app, pull, ask, warehouse):
    add_visit(app, "ZF-LAST", FILLED + timedelta(hours=5))
    pull()
    app.do("delete from visit where visit_no = 'ZF-LAST'")
    held = deliveries_of(pull(PULLED + timedelta(hours=1)))
    assert (held["visit"].status, held["visit"].reason_code) == ("held", "app_table_shrunken")
    assert "旧备份" in held["visit"].reason
    refuse_held(warehouse.engine, held["visit"].delivery_id, "测试员", "应用恢复了旧备份")
    again = pull(PULLED + timedelta(hours=2))
    assert deliveries_of(again) == {}
    assert "已拒收" in again["visit"].said
    add_visit(app, "ZF-LAST", FILLED + timedelta(hours=5))
    add_visit(app, "ZF-NEXT", PULLED + timedelta(hours=2))
    assert deliveries_of(pull(PULLED + timedelta(hours=3)))["visit"].status == "loaded"


def test_rows_of_a_refused_pull_come_again_with_what_was_mended(app, pull, ask, warehouse):
    pull()
    for number in range(20):
        add_visit(
            app,
            f"ZF-{number:02}",
            PULLED + timedelta(minutes=number),
            remark="长" * 100_001 if number < 5 else None,
        )
    held = deliveries_of(pull(PULLED + timedelta(hours=1)))["visit"]
    assert (held.status, held.reason_code, held.quarantined_count) == ("held", "too_many_quarantined", 5)
    assert ask("select distinct rule, column_name from ops.quarantined_row") == [("cell_too_long", None)]
    refuse_held(warehouse.engine, held.delivery_id, "测试员", "备注里有附件")
    assert deliveries_of(pull(PULLED + timedelta(hours=2))) == {}
    app.do(
        "update visit set remark = '短', updated_at = %s where length(remark) > 100",
        PULLED + timedelta(hours=30),
    )
    mended = deliveries_of(pull(PULLED + timedelta(hours=31)))["visit"]
    assert (mended.status, mended.accepted_count) == ("loaded", 20)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter view visit_v rename column outcome to result", "没有栏 outcome（表中未用的栏：result）"),
        ("drop view visit_v", "没有表或视图 visit_app.visit_v"),
        ("drop view visit_v; create table visit_v as select * from visit; alter table visit_v drop score", "没有栏"),
        ("alter view visit_v rename column updated_at to old; ", "没有栏 updated_at"),
    ],
)  # fmt: skip
def test_a_changed_table_is_refused_whole_and_named_once(app, pull, ask, change, said):
    pull()
    add_visit(app, "ZF-NEW", PULLED)
    app.do("update member set job = '护林员', updated_at = %s where id = 1", PULLED)
    app.do(change)
    taken = deliveries_of(pull(PULLED + timedelta(hours=1)))
    assert (taken["visit"].status, taken["visit"].reason_code) == ("refused", "app_schema_changed")
    assert said in taken["visit"].reason
    assert taken["visit"].row_count == 0
    assert taken["household_register"].status == "loaded"  # others go on
    assert watermark(ask) == FILLED
    assert "visit" not in deliveries_of(pull(PULLED + timedelta(hours=2)))


def test_a_retyped_column_waits_for_somebody_to_confirm_it(
    app, pull, ask, make_settings, warehouse, protector, tmp_path
):
    pull()
    app.do("update questionnaire_answer set updated_at = %s", PULLED)
    app.do("alter table questionnaire_answer alter score type text using score::text")
    refused = deliveries_of(pull(PULLED + timedelta(hours=1)))["satisfaction"]
    assert refused.reason_code == "app_schema_changed"
    assert "栏 score 原来是小数，现在是文字" in refused.reason
    mapping = tmp_path / "sources.yaml"
    mapping.write_text(
        app_source_yaml().replace("visit_app.questionnaire_answer\n", "visit_app.questionnaire_answer\n    schema_confirmed: 2026-11-24\n"),
        encoding="utf-8",
    )  # fmt: skip
    confirmed = make_settings(None, YIHU_APP_URL=app.url, YIHU_APP_SOURCES=str(mapping))
    app.do("update questionnaire_answer set score = '3', updated_at = %s", PULLED)
    pulls = pull_app(warehouse.engine, protector, confirmed, PULLED + timedelta(hours=2))
    assert {p.list_code: p.outcome.status for p in pulls if p.outcome} == {"satisfaction": "loaded"}


def app_source_yaml():
    from ingest.app_mapping import DEFAULT_FILE

    return DEFAULT_FILE.read_text(encoding="utf-8")


def test_a_wider_column_and_a_new_one_are_no_change(app, pull):
    pull()
    app.do("alter table questionnaire_answer alter opinion type varchar(4000), add extra text")
    app.do("update questionnaire_answer set opinion = '好', updated_at = %s", PULLED)
    assert deliveries_of(pull(PULLED + timedelta(hours=1)))["satisfaction"].status == "loaded"


def test_an_app_that_is_down_is_one_outage_and_goes_on_where_it_was(
    app, pull, ask, make_settings, warehouse, protector
):
    pull()
    add_visit(app, "ZF-NEW", PULLED + timedelta(minutes=1))
    before = ask("select * from ops.app_watermark order by 1")
    down = make_settings(None, YIHU_APP_URL="postgresql://reader:geheim@127.0.0.1:1/app")
    for hour in (1, 2):
        (pulled,) = pull_app(warehouse.engine, protector, down, PULLED + timedelta(hours=hour))
        assert pulled.is_unreachable
        assert "没有数据库应答" in pulled.said
        assert "geheim" not in pulled.said
    assert ask("select * from ops.app_watermark order by 1") == before
    assert ask("select began_at, ended_at from ops.app_outage") == [(PULLED + timedelta(hours=1), None)]
    assert not has_news(warehouse.engine, down, PULLED + timedelta(hours=2))
    assert deliveries_of(pull(PULLED + timedelta(hours=3)))["visit"].row_count == 1
    assert ask("select ended_at from ops.app_outage") == [(PULLED + timedelta(hours=3),)]


@pytest.mark.parametrize("reading", [1, 2])
def test_an_app_that_dies_in_the_middle_of_reading_leaves_nothing_half(app, pull, ask, monkeypatch, reading):
    """While rows are looked at first, and while they are being stored."""
    app.do("update visit set score = 2, updated_at = %s", PULLED)
    readings = []
    rows = app_reading.AppTable.rows

    def cut(self, since):
        readings.append(self._list.list_code)
        for number, row in enumerate(rows(self, since)):
            if self._list.list_code == "visit" and readings.count("visit") == reading and number == 30:
                administer(
                    app.address,
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'yihu' and datname = "
                    f"'{app.name}'", "unused",
                )  # fmt: skip
            yield row

    monkeypatch.setattr(app_reading.AppTable, "rows", cut)
    monkeypatch.setattr(app_source, "load_app_lists", small_pages(app_source.load_app_lists))
    first = pull()
    assert first["visit"].is_unreachable
    assert first["problem"].outcome.status == "loaded"  # the others go on
    assert ask("select from ops.delivery where list_code = 'visit'") == []
    assert ask("select from ops.app_row where list_code = 'visit'") == []
    assert ask("select list_code from ops.app_outage where ended_at is null") == [("visit",)]
    monkeypatch.undo()
    assert deliveries_of(pull(PULLED + timedelta(hours=1)))["visit"].row_count == 60


def small_pages(load):
    from dataclasses import replace

    return lambda path, contracts: tuple(replace(entry, page_rows=10) for entry in load(path, contracts))


def test_an_app_that_is_slow_is_given_up(app, pull, ask, monkeypatch):
    monkeypatch.setitem(app_reading._OPENING, "postgresql", ("set local statement_timeout = '300ms'",))
    with app.connect() as blocker:
        blocker.execute("lock table visit_app.visit in access exclusive mode")
        pulls = pull()
    assert pulls["visit"].is_unreachable
    assert "57014" in pulls["visit"].said  # query_canceled
    assert pulls["satisfaction"].outcome.status == "loaded"


def test_a_crash_between_reading_and_commit_leaves_the_watermark_and_loses_nothing(
    app, pull, ask, monkeypatch
):
    pull()
    add_visit(app, "ZF-NEW", PULLED)
    before = ask("select * from ops.app_watermark order by 1"), ask("select count(*) from ops.app_row")

    def killed(*_args, **_options):
        raise KeyboardInterrupt

    for step in ("remember_rows", "advance"):
        with monkeypatch.context() as patch:
            patch.setattr(app_source.app_state, step, killed)
            with pytest.raises(KeyboardInterrupt):
                pull(PULLED + timedelta(hours=1), only="visit")
        assert (
            ask("select * from ops.app_watermark order by 1"),
            ask("select count(*) from ops.app_row"),
        ) == before
        assert ask("select from raw.visit where visit_no = 'ZF-NEW'") == []
    assert deliveries_of(pull(PULLED + timedelta(hours=1)))["visit"].row_count == 1


def test_two_pulls_at_once_take_each_row_once(app, warehouse, protector, settings, ask):
    threads = [
        threading.Thread(target=pull_app, args=(warehouse.engine, protector, settings, PULLED))
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


def test_has_news_asks_cheaply(app, pull, warehouse, settings):
    assert has_news(warehouse.engine, settings, PULLED)
    pull()
    assert not has_news(warehouse.engine, settings, PULLED)
    add_visit(app, "ZF-NEW", PULLED)
    assert has_news(warehouse.engine, settings, PULLED)


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


def test_a_wrong_password_says_so_and_does_not_show_it(app, make_settings, warehouse, protector, ask):
    wrong = app.url.replace(app.address.password, "geheim99")
    (pulled,) = pull_app(warehouse.engine, protector, make_settings(None, YIHU_APP_URL=wrong), PULLED)
    assert "口令不对" in pulled.said
    assert "geheim99" not in str(pulled) + str(ask("select * from ops.app_outage"))


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


def test_the_transaction_at_the_app_is_read_only(app, settings):
    from sqlalchemy.exc import DBAPIError

    from ingest.app_mapping import load_app_lists
    from ingest.contract import load_contracts

    (visit,) = (x for x in load_app_lists(None, load_contracts()) if x.list_code == "visit")
    database = app_reading.AppDatabase(settings.app_url.get_secret_value())
    with database.snapshot(visit) as table, pytest.raises(DBAPIError, match="read-only"):
        table._connection.execute(text("delete from visit_app.visit"))
