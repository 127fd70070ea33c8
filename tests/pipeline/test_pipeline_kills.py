"""`yihu refresh` killed in the middle of each station: the next one ends as if nothing had happened.

No hook in the program: a lock on a table of the station makes the refresh wait there, and there it is killed. Every
point starts from the same database, a copy of a template.
"""

import shutil
import signal
import time
from dataclasses import dataclass

import pytest

from infra.warehouse import REFRESH_LOCK
from tests.pipeline.platform_process import PlatformProcess, Street
from tests.pipeline.street import MONTHS, PUBLISHED

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("processes")]

AS_OF = MONTHS[1][1].isoformat()
# Writers of a table wait for a reader's share lock; dbt, which replaces tables, waits for anybody who reads them.
POINTS = {
    "ingest": ("raw.household_register", "share"),
    "staging": ("staging.int_person_record", "access share"),
    "linkage": ("linkage.record_link", "share"),
    "master": ("master.household", "access share"),
    "verdict": ("quality.verdict", "share"),
    "publish": ("release.person", "share"),
}


@dataclass(frozen=True)
class End:
    """All that a refresh leaves behind and another one must leave the same.

    Not the serial numbers of deliveries and events: a transaction that was rolled back has used some up.
    """

    deliveries: list[tuple]
    links: list[tuple]
    events: list[tuple]
    published: list[list[tuple]]
    release_no: int


def end_of(platform: PlatformProcess) -> End:
    return End(
        deliveries=platform.rows(
            "select list_code, file_name, status, row_count, accepted_count, quarantined_count, warning_count"
            " from ops.delivery order by 1, 2"
        ),
        links=platform.rows("select record_id, person_id, household_id from linkage.record_link order by 1"),
        events=platform.rows(
            "select entity, entity_id, event, other_id from linkage.identity_event order by 1, 2, 3, 4"
        ),
        published=[
            platform.rows(
                f"select md5(string_agg(row::text, '|' order by row::text)) from"
                f" (select to_jsonb(t) - 'delivery_id' - 'event_no' as row from published.{table} as t)"
            )
            for table in PUBLISHED
        ],
        release_no=platform.rows("select release_no from release.pointer")[0][0],
    )


@pytest.fixture(scope="module")
def undisturbed(street: Street) -> End:
    """The second month, taken in by a refresh that nobody kills."""
    street.restore()
    shutil.copytree(street.folder / "second", street.folder / "landing", dirs_exist_ok=True)
    done = street.platform.run("refresh", "--as-of", AS_OF)
    assert done.returncode == 0, done.stdout + done.stderr
    return end_of(street.platform)


def kill_at(platform: PlatformProcess, table: str, mode: str) -> None:
    """Start a refresh, let it run until it waits for `table`, and kill it there."""
    with platform.connect() as holder, platform.connect() as watcher:
        holder.autocommit = False
        holder.execute(f"lock table {table} in {mode} mode")
        process = platform.start("refresh", "--as-of", AS_OF)
        deadline = time.monotonic() + 300
        while not watcher.execute(
            "select exists (select from pg_locks where relation = %s::regclass and not granted)", [table]
        ).fetchone()[0]:
            assert process.poll() is None, process.stdout.read().decode()
            assert time.monotonic() < deadline, f"never waited for {table}"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        holder.rollback()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_refresh_is_made_good_by_the_next(street, undisturbed, point):
    platform = street.platform
    street.restore()
    ((old_release,),) = platform.rows("select release_no from release.pointer")
    old = platform.rows("select md5(string_agg(p::text, '|' order by person_id)) from published.person as p")
    kill_at(platform, *POINTS[point])

    assert platform.rows("select release_no from release.pointer") == [(old_release,)], (
        "the old register is up"
    )
    assert (
        platform.rows("select md5(string_agg(p::text, '|' order by person_id)) from published.person as p")
        == old
    )
    assert is_soon(
        platform, "select not exists (select from pg_locks where locktype = 'advisory' and objid = %s)"
    ), "the lock is free"
    ((killed,),) = platform.rows("select run_id from ops.refresh order by refresh_id desc limit 1")

    done = platform.run("refresh", "--as-of", AS_OF)

    assert done.returncode == 0, done.stdout + done.stderr
    assert end_of(platform) == undisturbed
    assert platform.rows(
        "select outcome, finished_at is not null from ops.refresh where run_id = %s", [killed]
    ) == [("failed", True)]
    assert platform.rows("select count(*) from ops.refresh where outcome is null") == [(0,)]
    with platform.connect("dagster") as dagster:
        assert dagster.execute("select status from runs where run_id = %s", [killed]).fetchone() == (
            "FAILURE",
        )
        assert dagster.execute(
            "select count(*) from runs where status in ('STARTED', 'STARTING')"
        ).fetchone() == (0,)
    assert (
        platform.rows(
            "select relname from pg_class where relname like '%\\_\\_dbt\\_%' and relkind in ('r', 'v', 'm')"
        )
        == []
    ), "no leftovers of dbt"
    assert_rows_are_conserved(platform)
    assert is_soon(
        platform,
        "select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and (state <> 'idle' or %s is null))",
    ), "no session is left at work"


def is_soon(platform: PlatformProcess, question: str) -> bool:
    """Whether the answer becomes true within the time the server takes to see that a client is gone."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if platform.rows(question, [REFRESH_LOCK & 0xFFFFFFFF])[0][0]:
            return True
        time.sleep(0.1)
    return False


def assert_rows_are_conserved(platform: PlatformProcess) -> None:
    for (code,) in platform.rows("select list_code from ops.contract"):
        assert (
            platform.rows(
                "select d.delivery_id from ops.delivery as d where d.list_code = %s and"
                f" (d.accepted_count <> (select count(*) from raw.{code} as r where r.delivery_id = d.delivery_id)"
                " or d.quarantined_count <> (select count(*) from ops.quarantined_row as q where q.delivery_id = d.delivery_id))",
                [code],
            )
            == []
        )
    assert (
        platform.rows(
            "select file_name from ops.delivery where status in ('loaded', 'held') group by list_code, content_sha256, file_name"
            " having count(*) > 1"
        )
        == []
    )
