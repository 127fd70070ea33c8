"""The `yihu` command as a person uses it: exit codes, what is printed, several homes, other databases, other users."""

import csv
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from infra.postgres import EmbeddedServer
from infra.settings import describe_settings
from infra.warehouse import REFRESH_LOCK
from tests.pipeline.platform_process import REPOSITORY, PlatformProcess
from tests.pipeline.street import MONTHS
from tests.synthetic.bad_files import front_half
from tests.synthetic.deliveries import FOLDERS, generate

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("processes")]

AS_OF = MONTHS[1][1].isoformat()
# What the messages ask an administrator to run, ended by the Chinese that follows.
STATEMENT = re.compile(r"(?:create (?:database|role)|grant|alter database)[^\n（，。]*?(?= 和 |[（，。\n]|$)")


@pytest.fixture(scope="module")
def platform(street) -> PlatformProcess:
    """The street after its second month; half a list comes after the whole one, which is no correction of it."""
    street.restore()
    folder = street.folder
    shutil.copytree(folder / "second", folder / "landing", dirs_exist_ok=True)
    (good,) = (folder / "second").joinpath(*FOLDERS["family_doctor"]).iterdir()
    (folder / "landing").joinpath(*FOLDERS["family_doctor"], f"补报半份{AS_OF[:7]}.csv").write_bytes(
        front_half(good.read_bytes())
    )
    done = street.platform.run("refresh", "--as-of", AS_OF)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "已发布新版" in done.stdout
    assert "当前发布：第 2 期" in done.stdout
    return street.platform


def test_crosswalk_writes_the_source_records_of_the_newest_build(platform, tmp_path):
    file = tmp_path / "crosswalk.csv"
    done = platform.run("crosswalk", str(file))
    assert done.returncode == 0, done.stderr
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == [
        "list_code", "delivery_id", "file_name", "sheet_name", "row_number", "person_id", "household_id", "link_rule",
        "link_probability",
    ]  # fmt: skip
    accepted = platform.rows(
        "select sum(accepted_count) from ops.delivery where status = 'loaded' and list_code <> 'audit_return'"
    )[0][0]
    assert len(rows) == accepted
    assert str(len(rows)) in done.stdout
    assert all(row["person_id"] for row in rows if row["list_code"] != "visit")


def test_url_connects_with_sqlalchemy_and_with_libpq(platform):
    engine = create_engine(platform.run("url").stdout.strip())
    with engine.connect() as connection:
        assert connection.scalar(text("select release_no from published.release")) == 2
    engine.dispose()
    with psycopg.connect(platform.run("url", "--plain").stdout.strip()) as connection:
        assert connection.execute("select count(*) from published.person").fetchone()[0] > 500


def test_status_names_the_release_and_the_verdict(platform):
    done = platform.run("status")
    assert done.returncode == 0
    assert "第 2 期" in done.stdout
    assert "信息准确率达标" in done.stdout


def test_settings_shows_every_variable_and_no_password(platform):
    secret = PlatformProcess(
        platform.folder,
        {
            "YIHU_SMTP_URL": "smtp://clerk:geheim17@127.0.0.1:2525",
            "YIHU_MAIL_FROM": "yihu@street.example",
            "YIHU_ALERT_RECIPIENTS": "data@street.example",
            "YIHU_WAREHOUSE_URL": "postgresql://yihu:geheim18@db.example/yihu",
        },
    )
    done = secret.run("settings")
    assert done.returncode == 0, done.stderr
    for variable in describe_settings():
        assert variable.name in done.stdout
    assert "geheim" not in done.stdout + done.stderr
    assert str(platform.home) in done.stdout


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"YIHU_HOEM": "/tmp/x"}, ["YIHU_HOEM", "是不是 YIHU_HOME"]),
        ({"YIHU_UI_PORT": "many"}, ["YIHU_UI_PORT", "1 到 65535"]),
        ({"YIHU_SMTP_URL": "smtp://127.0.0.1"}, ["YIHU_MAIL_FROM", "YIHU_ALERT_RECIPIENTS"]),
    ],
)
def test_wrong_settings_are_told_and_nothing_is_started(home_folder, variables, said):
    done = PlatformProcess(home_folder, variables).run("refresh")
    assert done.returncode == 1
    for word in said:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home_folder / "home").exists()


def test_a_second_refresh_is_told_that_one_is_running(platform):
    with platform.connect() as holder:
        holder.execute("select pg_advisory_lock(%s)", [REFRESH_LOCK])
        done = platform.run("refresh", "--as-of", AS_OF)
    assert done.returncode == 4
    assert "另一次刷新正在进行" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_told(platform):
    assert platform.run("refresh", "--landing", "/no/such/folder").returncode == 2
    assert platform.run("refresh", "--as-of", "gestern").returncode == 2
    assert platform.run("rollback", "--by", "测试员").returncode == 2


def test_a_fault_of_the_program_is_told_without_values(platform):
    """A table that is gone: the stack for the developers, the names of what failed, no text of the driver."""
    with platform.connect() as connection:
        connection.execute("alter table ops.delivery rename to delivery_away")
    try:
        done = platform.run("delivery", "list")
    finally:
        with platform.connect() as connection:
            connection.execute("alter table ops.delivery_away rename to delivery")
    assert done.returncode == 1
    assert "程序故障" in done.stderr
    assert "SQLSTATE 42P01" in done.stderr
    assert "does not exist" not in done.stderr


def test_held_deliveries_are_listed_and_released_once(platform):
    listed = platform.run("delivery", "list", "--limit", "50").stdout
    (line,) = [line for line in listed.splitlines() if "扣留" in line]
    number = line.split()[0]
    done = platform.run("delivery", "release", number, "--by", "测试员")
    assert done.returncode == 0, done.stderr
    assert platform.rows("select status, released_by from ops.delivery where delivery_id = %s", [number]) == [
        ("loaded", "测试员")
    ]
    again = platform.run("delivery", "release", number, "--by", "测试员")
    assert again.returncode == 1
    assert "它不在扣留中（已接收）" in again.stderr


def test_ids_resolve(platform):
    ((person, gone),) = platform.rows(
        "select (select min(person_id) from published.person), (select min(entity_id) from linkage.identity_event where event = 'merged_into')"
    )
    done = platform.run("resolve", person)
    assert (done.returncode, done.stdout.strip()) == (0, person)
    if gone:
        assert platform.run("resolve", gone).stdout.strip() not in ("", gone)
    unknown = platform.run("resolve", "P999999999")
    assert unknown.returncode == 1
    assert "没有这个编号" in unknown.stdout


def test_a_release_is_taken_back_and_reinstated(platform):
    done = platform.run("rollback", "--by", "测试员", "--why", "演练")
    assert (done.returncode, done.stdout.strip()) == (0, "当前发布版：第 1 期")
    assert platform.rows("select release_no from published.release") == [(1,)]
    twice = platform.run("rollback", "--by", "测试员", "--why", "演练")
    assert twice.returncode == 1
    assert "没有可以回退" in twice.stderr
    done = platform.run("reinstate", "2", "--by", "测试员", "--why", "演练完毕")
    assert done.returncode == 0, done.stderr
    assert platform.rows("select release_no from published.release") == [(2,)]


def test_two_homes_know_nothing_of_each_other(platform, home_folder):
    other = PlatformProcess(home_folder)
    assert other.run("prepare").returncode == 0
    assert other.run("url").stdout != platform.run("url").stdout
    assert other.run("delivery", "list").stdout.strip() == "还没有来件。"
    assert "尚无发布" in other.run("status").stdout
    assert other.run("stop").returncode == 0
    assert "第 2 期" in platform.run("status").stdout
    assert (other.home / "keys" / "field-keys.json").read_bytes() != (
        platform.home / "keys" / "field-keys.json"
    ).read_bytes()


def test_a_database_of_ones_own_by_url(home_folder):
    """A login that owns its database and is no superuser; what it lacks is said with the statement that mends it."""
    generate(home_folder / "synthetic", seed=4, households=40, months=1, first_month=MONTHS[0][0])
    shutil.copytree(home_folder / "synthetic" / f"{MONTHS[0][0]:%Y-%m}", home_folder / "landing")
    server = EmbeddedServer(home_folder / "server")
    try:
        address = server.start()
        with psycopg.connect(
            host=address.host, port=address.port, user=address.user, password=address.password, dbname="postgres",
            autocommit=True,
        ) as administrator:  # fmt: skip
            administrator.execute(
                "create role office login nosuperuser nocreatedb nocreaterole password 'geheim19'"
            )
            platform = PlatformProcess(
                home_folder,
                {
                    "YIHU_WAREHOUSE_URL": f"postgresql://office:geheim19@{address.host}:{address.port}/register"
                },
            )
            asked = []
            for _ in range(6):
                done = platform.run("refresh", "--as-of", MONTHS[0][1].isoformat())
                if done.returncode != 1:
                    break
                assert "Traceback" not in done.stderr
                statements = STATEMENT.findall(done.stderr)
                assert statements, done.stderr
                asked += statements
                for statement in statements:
                    administrator.execute(statement.encode())
            assert done.returncode == 3, (asked, done.stdout, done.stderr)
            assert "geheim" not in done.stdout + done.stderr
            assert any("create database" in statement for statement in asked)
            databases = {
                name
                for (name,) in administrator.execute(
                    "select datname from pg_database join pg_roles as r on r.oid = datdba where rolname = 'office'"
                )
            }
            assert databases == {"register", "register_dagster"}
        assert not (platform.home / "postgres").exists(), "no server of its own"
        assert platform.rows("select count(*) > 80 from candidate.person") == [(True,)]
        assert platform.run("stop").returncode == 1
    finally:
        server.remove()


def test_a_person_who_is_not_root(home_folder):
    """Everything, the server too, runs as the person who starts it."""
    if os.geteuid() != 0:
        pytest.skip("all tests here run as an ordinary user already")
    account = pwd.getpwnam("nobody")
    python = _python_of(account.pw_uid, account.pw_gid)
    if python is None:
        pytest.skip("no Python and checkout that user `nobody` can read")
    generate(home_folder / "synthetic", seed=4, households=40, months=1, first_month=MONTHS[0][0])
    shutil.copytree(home_folder / "synthetic" / f"{MONTHS[0][0]:%Y-%m}", home_folder / "landing")
    mine = home_folder / "nobody"
    mine.mkdir()
    os.chown(mine, account.pw_uid, account.pw_gid)
    environment = {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(mine), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": _import_path(),
        "YIHU_HOME": str(mine / "home"), "YIHU_LANDING": str(home_folder / "landing"),
    }  # fmt: skip

    def yihu(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", "from orchestration.cli import main; main()", *arguments],
            cwd=mine, env=environment, user=account.pw_uid, group=account.pw_gid, extra_groups=[], capture_output=True, text=True,
        )  # fmt: skip

    try:
        done = yihu("refresh", "--as-of", MONTHS[0][1].isoformat())
        assert done.returncode == 3, done.stdout + done.stderr
        status = EmbeddedServer(mine / "home").status()
        assert status.is_running
        assert Path(f"/proc/{status.pid}").stat().st_uid == account.pw_uid
        assert {path.stat().st_uid for path in (mine / "home").rglob("*")} == {account.pw_uid}
        with psycopg.connect(yihu("url", "--plain").stdout.strip()) as connection:
            assert connection.execute("select count(*) > 80 from candidate.person").fetchone() == (True,)
    finally:
        assert yihu("stop", "--and-remove").returncode == 0


def _import_path() -> str:
    return os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))])


def _python_of(uid: int, gid: int) -> str | None:
    """An interpreter of our version that the user can run against this very checkout."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if candidate is None:
            continue
        try:
            tried = subprocess.run(
                [candidate, "-c", "import orchestration.cli, psycopg"], env={"PYTHONPATH": _import_path()}, cwd="/", user=uid,
                group=gid, extra_groups=[], capture_output=True,
            )  # fmt: skip
        except OSError:
            continue
        if tried.returncode == 0:
            return candidate
    return None
