"""The gate in the database: content hash, seals, and what the publisher cannot get past with SQL of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from psycopg import errors
from publish_register import Register
from sqlalchemy import Engine, text

from infra.warehouse import Warehouse
from publish.gate import GateRefusal, publisher_transaction
from publish.releases import Published, publish, roll_back
from publish.stamping import stamp

pytestmark = pytest.mark.database

COLUMNS = "person_id, person_name, household_id, valid_from"


# The content hash


def hashes(register: Register, *settings: str) -> str:
    with register.engine.connect() as connection:
        for setting in settings:
            connection.execute(text(setting))
        return connection.execute(text("select release.candidate_hash()")).scalar_one()


def test_the_hash_is_64_hex_digits_and_does_not_depend_on_row_order_or_session(register: Register) -> None:
    first = hashes(register)
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")
    register.build(reverse=True)
    assert hashes(register) == first
    assert (
        hashes(
            register,
            "set timezone = 'Asia/Shanghai'",
            "set datestyle = 'German'",
            "set extra_float_digits = -10",
            "set search_path = candidate, release",
            "set standard_conforming_strings = off",
            "set bytea_output = 'escape'",
        )
        == first
    )


def test_stamped_rows_have_the_hash_of_the_candidate_they_came_from(
    engine: Engine, register: Register
) -> None:
    expected = hashes(register)
    register.judge()
    publish(engine)
    assert register.published(
        "select release.release_hash(1), content_hash from release.release where release_no = 1"
    ) == [(expected, expected)]


@pytest.mark.parametrize(
    "change",
    [
        "update candidate.person set person_name = '测试改' where person_id = 'P1'",
        "update candidate.person set phone_masked = '' where person_id = 'P1'",  # null before
        "update candidate.person set is_disabled = null where person_id = 'P1'",
        "update candidate.household set address = address || ' '",
        "update candidate.household_member set valid_to = '2026-02-01' where person_id = 'P3'",
        "update candidate.source_record set link_probability = 0.98765433 where row_number = 3",
        "update candidate.source_record set person_id = 'P2' where row_number = 3",
        "delete from candidate.source_record where row_number = 3",
        "insert into candidate.source_record select * from candidate.source_record where row_number = 3",
        "insert into candidate.id_history values (1, 'person', 'P9', 'retired', null, '2026-01-05', null)",
        # the same values, moved to the neighbouring column
        "update candidate.person set relation_code = '户主', relation_name = null where person_id = 'P1'",
        "update candidate.person set relation_code = null, relation_name = '户主' where person_id = 'P1'",
    ],
)
def test_every_change_changes_the_hash(engine: Engine, register: Register, change: str) -> None:
    seen = {hashes(register)}
    with engine.begin() as connection:
        connection.execute(text(change))
    seen.add(hashes(register))
    assert len(seen) == 2


# Ways around the gate


@pytest.fixture
def judged(register: Register) -> Register:
    """Release 1 is up; build 2 has been judged and failed."""
    register.judge()
    publish(register.engine)
    register.build(wave=2)
    register.judge("failed")
    return register


@pytest.fixture
def publisher(warehouse: Warehouse, judged: Register) -> Iterator[psycopg.Connection]:
    """A login of its own that can do what the publisher can, and nothing else: no way back by RESET ROLE."""
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "do $$ begin if not exists (select from pg_roles where rolname = 'test_publisher') then"
                " create role test_publisher login password 'test' in role yihu_publisher; end if; end $$"
            )
        )
    url = warehouse.engine.url
    with psycopg.connect(
        host=url.host,
        port=url.port,
        dbname=url.database,
        user="test_publisher",
        password="test",
        autocommit=True,
    ) as connection:
        yield connection


STAMP = f"insert into release.person (release_no, {COLUMNS}) select 2, {COLUMNS} from candidate.person;"
INSERT = "insert into release.release (release_no, content_hash, verdict_id, summary) values "
POINT = "update release.pointer set version = version + 1, moved_by = 'x', reason = 'x', release_no = "
PASSED = "(select verdict_id from quality.verdict where status = 'passed')"
FAILED = "(select verdict_id from quality.verdict where status = 'failed')"
OLD_HASH = "(select content_hash from quality.verdict where status = 'passed')"
NEW_HASH = "(select release.candidate_hash())"

BYPASSES = {
    "a release of failed content": f"{STAMP}{INSERT}(2, {NEW_HASH}, {FAILED}, '{{}}')",
    "a release of failed content under another content's verdict": f"{STAMP}{INSERT}(2, {NEW_HASH}, {PASSED}, '{{}}')",
    "a release that claims the hash of passed content": f"{STAMP}{INSERT}(2, {OLD_HASH}, {PASSED}, '{{}}')",
    "a release without a verdict": f"{INSERT}(2, {NEW_HASH}, null, '{{}}')",
    "a number below the last": f"{INSERT}(0, {OLD_HASH}, {PASSED}, '{{}}')",
    "a release that states its own accuracy": (
        "insert into release.release (release_no, content_hash, verdict_id, summary, accuracy_ratio)"
        f" values (2, {OLD_HASH}, {PASSED}, '{{}}', 1)"
    ),
    "the pointer on a release that does not exist": f"{STAMP}{POINT}2",
    "the pointer on nothing": f"{POINT}null",
    "the pointer without a new version": "update release.pointer set release_no = 2",
    "a second pointer": "insert into release.pointer (is_the_only_row, moved_by, reason) values (false, 'x', 'x')",
    "no pointer": "delete from release.pointer",
    "a faked move date": "update release.pointer set moved_at = '2000-01-01'",
    "a verdict of one's own": "insert into quality.verdict overriding system value select * from quality.verdict",
    "a verdict turned": "update quality.verdict set status = 'passed'",
    "verdicts forgotten": "delete from quality.verdict where status = 'failed'",
    "verdicts truncated": "truncate quality.verdict cascade",
    "a late row in a release": f"insert into release.person (release_no, {COLUMNS}) select 1, 'P99', 'x', 'H1', '2026-01-05'",
    "a late row by copy": "copy release.person (release_no, person_id) from stdin",
    "a changed row of a release": "update release.person set person_name = 'x' where release_no = 1",
    "a lost row of a release": "delete from release.person where release_no = 1",
    "a release emptied": "truncate release.person",
    "a changed release": "update release.release set content_hash = 'x'",
    "a deleted release": "delete from release.release",
    "a faked history": (
        "insert into release.pointer_history (moved_at, to_release_no, move, moved_by, reason)"
        " values (now(), 1, 'publish', 'x', 'x')"
    ),
    "a lost history": "delete from release.pointer_history",
    "an archive of something unpublished": "insert into release.archive values ('2026-07-01', 2, now(), 'x')",
    "a changed archive": "update release.archive set release_no = 1",
    "pruning the current release": "select release.prune(0)",
    "triggers off": "alter table release.pointer disable trigger all",
    "a trigger dropped": "drop trigger gate_pointer on release.pointer",
    "a gate function replaced": (
        "create or replace function release.gate_pointer() returns trigger language plpgsql"
        " as $$ begin return new; end $$"
    ),
    "a hash function replaced": (
        "create or replace function release.release_hash(bigint) returns text language sql as $$ select 'x' $$"
    ),
    "the table altered": "alter table release.release alter column verdict_id drop not null",
    "a rule on the table": "create rule r as on insert to release.release do instead nothing",
    "triggers skipped as a replica": "set session_replication_role = replica",
    "a view replaced": "create or replace view published.release as select 1 as release_no",
    "a function to shadow with": "create function public.md5(text) returns text language sql as $$ select 'x' $$",
    "a temporary table to shadow with": "create temporary table pointer (release_no bigint)",
    "the candidate turned into passed content": "update candidate.person set list_count = 1",
    "an owner's rights": "set role yihu",
    "a role of one's own": "alter role test_publisher superuser",
}


def test_nobody_puts_an_earlier_day_up(judged: Register) -> None:
    judged.judge(evidence="e2", as_of=date(2026, 7, 31))
    newest = "(select max(verdict_id) from quality.verdict)"

    def without_asking_publish() -> None:
        with publisher_transaction(judged.engine, "发布") as connection:
            stamp(connection, 2)
            connection.exec_driver_sql(f"{INSERT}(2, {NEW_HASH}, {newest}, '{{}}')")
            connection.exec_driver_sql(f"{POINT}2")

    with pytest.raises(GateRefusal) as refused:
        without_asking_publish()
    assert refused.value.code == "older"
    assert judged.current() == 1


def fingerprint(register: Register) -> list[object]:
    """Everything a bypass would have to change."""
    tables = (
        *("release.person", "release.household", "release.household_member", "release.source_record"),
        *("release.id_history", "release.release", "release.pointer", "release.pointer_history"),
        *("release.archive", "quality.verdict", "candidate.person", "published.person", "published.release"),
    )
    triggers = (
        "select count(*) filter (where tgenabled = 'A'), string_agg(md5(pg_get_triggerdef(oid)), ',' order by oid)"
        " from pg_trigger where not tgisinternal"
    )
    return [
        *(
            register.published(
                f"select count(*), md5(string_agg(t::text, '' order by t::text)) from {table} as t"
            )
            for table in tables
        ),
        register.published(triggers),
    ]


def attempt(publisher: psycopg.Connection, statement: str) -> None:
    with publisher.transaction():
        if statement.startswith("copy"):
            with publisher.cursor().copy(statement) as copy:
                copy.write_row((1, "P99"))
        else:
            publisher.execute(statement)


@pytest.mark.parametrize("name", BYPASSES)
def test_the_publisher_cannot_bypass_the_gate(
    judged: Register, publisher: psycopg.Connection, name: str
) -> None:
    before = fingerprint(judged)
    with pytest.raises(psycopg.DatabaseError) as caught:
        attempt(publisher, BYPASSES[name])
    # Refused by the gate or for want of a right; a fault of the statement itself would prove nothing.
    sqlstate = caught.value.sqlstate or ""
    assert sqlstate.startswith("YH") or sqlstate == "42501", f"{sqlstate}: {caught.value}"
    assert fingerprint(judged) == before
    assert judged.current() == 1


def test_the_publisher_can_publish_and_nothing_wider_is_granted(
    judged: Register, publisher: psycopg.Connection
) -> None:
    granted = judged.published(
        "select n.nspname || '.' || c.relname, string_agg(distinct a.privilege_type, ',' order by a.privilege_type)"
        " from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid"
        " cross join aclexplode(c.relacl) as a"
        " where a.grantee = 'yihu_publisher'::regrole group by 1"
    )
    stamped = ("person", "household", "household_member", "source_record", "id_history")
    assert dict(granted) == {
        **{f"candidate.{table}": "SELECT" for table in stamped},
        **{f"release.{table}": "INSERT,SELECT" for table in (*stamped, "archive")},
        **{f"release.{table}": "SELECT" for table in ("release", "pointer", "pointer_history")},
        "quality.verdict": "SELECT",
    }
    judged.judge("passed", evidence="more evidence")
    assert isinstance(publish(judged.engine), Published)


def test_public_has_nothing(engine: Engine, register: Register) -> None:
    everything = (
        "select 'schema ' || nspname from pg_namespace cross join aclexplode(nspacl) as a"
        " where a.grantee = 0 and nspname in ('release', 'published', 'candidate', 'quality')"
        " union all select 'table ' || c.oid::regclass from pg_class as c cross join aclexplode(c.relacl) as a"
        " where a.grantee = 0 and c.relnamespace in"
        " ('release'::regnamespace, 'published'::regnamespace, 'candidate'::regnamespace)"
        " union all select 'function ' || p.oid::regprocedure from pg_proc as p"
        " cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a"
        " where a.grantee = 0 and p.pronamespace = 'release'::regnamespace"
    )
    assert register.published(everything) == []


def test_a_late_row_cannot_slip_in_beside_a_publish_in_flight(
    engine: Engine, register: Register, warehouse: Warehouse
) -> None:
    """Two sessions: the second stamps a row under the number the first is about to publish."""
    register.judge()
    columns = "release_no, person_id"
    with engine.connect() as first, engine.connect() as second:
        first.execute(text(f"insert into release.person ({columns}) values (7, 'P1')"))
        second.execute(text("set lock_timeout = '200ms'"))
        with pytest.raises(Exception, match="lock timeout"):
            second.execute(text(f"insert into release.person ({columns}) values (7, 'P2')"))


def test_a_late_row_of_an_older_snapshot_is_refused(engine: Engine, register: Register) -> None:
    """A REPEATABLE READ session that began before the publish cannot see that the release is sealed."""
    register.judge()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as older:
        older.execute(text("select * from release.release"))
        publish(engine)
        with pytest.raises(Exception, match="could not serialize"):
            older.execute(text("insert into release.person (release_no, person_id) values (1, 'P99')"))


def test_the_owner_too_is_refused_while_the_triggers_stand(engine: Engine, register: Register) -> None:
    register.judge()
    publish(engine)
    for statement in (
        "update release.person set person_name = 'x'",
        "delete from release.source_record",
        "truncate release.household",
        "delete from release.pointer_history",
        "update release.release set lower_bound_ratio = 1",
        "update release.release set pruned_at = now()",
        "set local session_replication_role = replica; delete from release.person",
    ):
        with pytest.raises(Exception, match="不可"), engine.begin() as connection:
            connection.connection.cursor().execute(statement)


def test_a_release_whose_rows_were_tampered_with_cannot_come_back(engine: Engine, register: Register) -> None:
    for wave in (1, 2):
        register.build(wave=wave)
        register.judge()
        publish(engine)
    with engine.begin() as connection:
        connection.execute(text("alter table release.person disable trigger refuse_change"))
        connection.execute(text("update release.person set person_name = '测试改' where release_no = 1"))
        connection.execute(text("alter table release.person enable always trigger refuse_change"))
    with pytest.raises(Exception, match="不一致"):
        roll_back(engine, by="陈主任", why="回退")
    assert register.current() == 2


def test_a_release_whose_verdict_was_revoked_cannot_come_back(engine: Engine, register: Register) -> None:
    for wave in (1, 2):
        register.build(wave=wave)
        register.judge()
        publish(engine)
    with engine.begin() as connection:
        connection.execute(text("update quality.verdict set status = 'failed' where verdict_id = 1"))
    with pytest.raises(Exception, match="没有通过的准确率判定"):
        roll_back(engine, by="陈主任", why="回退")


# The interface


def test_every_published_column_has_a_chinese_comment(engine: Engine) -> None:
    missing = (
        "select c.oid::regclass || '.' || a.attname from pg_class as c"
        " inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relkind in ('v', 'r') and c.relnamespace in ('published'::regnamespace, 'release'::regnamespace)"
        " and coalesce(col_description(c.oid, a.attnum), '') !~ '[一-龥]'"
        " union all select c.oid::regclass::text from pg_class as c"
        " where c.relkind in ('v', 'r') and c.relnamespace in ('published'::regnamespace, 'release'::regnamespace)"
        " and coalesce(obj_description(c.oid, 'pg_class'), '') !~ '[一-龥]'"
    )
    register = Register(engine)
    assert register.published(missing) == []
    assert len(register.published("select * from pg_views where schemaname = 'published'")) == 6


def test_the_views_are_barriers_and_show_the_documented_columns(engine: Engine) -> None:
    register = Register(engine)
    assert register.published(
        "select bool_and('security_barrier=true' = any(reloptions)) from pg_class"
        " where relnamespace = 'published'::regnamespace and relkind = 'v'"
    ) == [(True,)]
    columns = (
        "select string_agg(column_name, ', ' order by ordinal_position) from information_schema.columns"
        " where table_schema = '{}' and table_name = '{}' and column_name <> 'release_no'"
    )
    for table in ("person", "household", "household_member", "source_record", "id_history"):
        assert register.published(columns.format("published", table)) == register.published(
            columns.format("release", table)
        )


def test_a_reader_sees_the_views_and_nothing_else(judged: Register, warehouse: Warehouse) -> None:
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "do $$ begin if not exists (select from pg_roles where rolname = 'test_reader') then"
                " create role test_reader login password 'test'; end if; end $$"
            )
        )
        connection.execute(text("grant usage on schema published to test_reader"))
        connection.execute(text("grant select on all tables in schema published to test_reader"))
    url = warehouse.engine.url
    with psycopg.connect(
        host=url.host,
        port=url.port,
        dbname=url.database,
        user="test_reader",
        password="test",
        autocommit=True,
    ) as reader:
        assert reader.execute("select count(*) from published.person").fetchone() == (6,)
        for private in ("release.person", "release.pointer", "candidate.person", "quality.verdict"):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(f"select * from {private}")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("select release.candidate_hash()")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("set role yihu_publisher")
