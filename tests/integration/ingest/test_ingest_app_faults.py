"""The visit app's bad days: fewer rows, an old backup, other columns, no answer, a crash of ours (F25 to F27)."""

from datetime import timedelta

import pytest
from ingest_app import FILLED, PULLED, add_visit, administer, deliveries_of, watermark
from sqlalchemy import text

from ingest import app_reading, app_source
from ingest.app_source import has_news, pull_app
from ingest.holds import refuse_held, release_held

pytestmark = pytest.mark.database


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
    assert ask("select distinct rule, column_name from ops.quarantined_row") == [("cell_too_long", "remark")]
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


def test_a_wrong_password_says_so_and_does_not_show_it(app, make_settings, warehouse, protector, ask):
    wrong = app.url.replace(app.address.password, "geheim99")
    (pulled,) = pull_app(warehouse.engine, protector, make_settings(None, YIHU_APP_URL=wrong), PULLED)
    assert "密码不对" in pulled.said
    assert "geheim99" not in str(pulled) + str(ask("select * from ops.app_outage"))


def test_the_transaction_at_the_app_is_read_only(app, app_settings):
    from sqlalchemy.exc import DBAPIError

    from ingest.app_mapping import load_app_lists
    from ingest.contract import load_contracts

    (visit,) = (x for x in load_app_lists(None, load_contracts()) if x.list_code == "visit")
    database = app_reading.AppDatabase(app_settings.app_url.get_secret_value())
    with database.snapshot(visit) as table, pytest.raises(DBAPIError, match="read-only"):
        table._connection.execute(text("delete from visit_app.visit"))
