"""The embedded PostgreSQL of one home: start, stop, status. Databases and tables belong to ``infra.warehouse``.

The server listens on 127.0.0.1 only, asks for a password (SCRAM), uses the builtin C.UTF-8 locale (with locale C
Chinese text has no letters and no trigrams) and runs on UTC. It is a daemon: it outlives the process that started
it and is found again by the next one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from infra.errors import PermanentError, TransientError
from infra.files import file_lock, read_private_file, write_private_file
from infra.postgres_placement import Placement, place

HOST: Final = "127.0.0.1"
ADMINISTRATOR: Final = "yihu"

_START_PATIENCE_SECONDS: Final = 15.0
_READY_TIMEOUT_SECONDS: Final = 60
_LOCK_TIMEOUT_SECONDS: Final = 120.0
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Given on the command line at every start, so that the code, not an old file, says how the server runs.
_OPTIONS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "synchronous_commit": "on",
    # A killed client's statement must not go on and commit half a minute later.
    "client_connection_check_interval": "2s",
    # Values of rows stand in messages, details and statements of errors; the client gets them, the log must not.
    # LOG ranks above ERROR here: starts, recoveries and crashes are still logged.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "wal_compression": "on",
    "max_wal_size": "2GB",
}


@dataclass(frozen=True)
class ServerAddress:
    """How an administrator reaches the server over TCP."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class ServerStatus:
    """State of the embedded server: ``port`` and ``pid`` are None when it does not run."""

    is_running: bool
    port: int | None
    pid: int | None
    data: Path
    log: Path


class EmbeddedServer:
    """The PostgreSQL server of one home. Every method may be called by several processes at once."""

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        """Name the server; nothing is started or made yet.

        Args:
            home: ``YIHU_HOME``, absolute.
            options: Server settings on top of the platform's own; tests use it to trade safety for speed.
        """
        self._home = home
        self._options = {**_OPTIONS, **(options or {})}

    def start(self) -> ServerAddress:
        """Make the server run, whatever state it was left in, and say where it listens.

        The first start makes the data (about 1 s). A running server is used as it is.

        Raises:
            PermanentError: The data, a secret or the home is not usable.
            TransientError: Another process is busy with the server, or it is still recovering.
        """
        placement = place(self._home)
        with self._lock(placement):
            password = self._password(placement)
            if not placement.data.is_dir():
                _initialise(placement, password)
            port = _wait_for_running(placement, password)
            if port is None:
                port = self._launch(placement)
                if _wait_for_running(placement, password) != port:
                    raise TransientError(
                        "连接刚启动的内嵌数据库", came=f"端口 {port} 没有应答", next_step="稍后重试"
                    )
        return ServerAddress(HOST, port, ADMINISTRATOR, password)

    def stop(self) -> bool:
        """Stop the server, ending open sessions; returns whether it was running."""
        if not (self._home / "postgres").is_dir():
            return False
        placement = place(self._home)
        with self._lock(placement):
            return _stop(placement)

    def status(self) -> ServerStatus:
        """Whether the server runs, and where; starts and makes nothing."""
        if not (self._home / "postgres").is_dir():
            data = self._home / "postgres" / "data"
            return ServerStatus(is_running=False, port=None, pid=None, data=data, log=data / "server.log")
        placement = place(self._home)
        pid_file = _read_pid_file(placement.data)
        running = pid_file is not None and _lives_in(placement.data, pid_file.pid)
        return ServerStatus(
            is_running=running,
            port=pid_file.port if pid_file and running else None,
            pid=pid_file.pid if pid_file and running else None,
            data=placement.data,
            log=placement.data / "server.log",
        )

    def remove(self) -> None:
        """Stop the server and delete its data, password and port, wherever they lie."""
        if not (self._home / "postgres").is_dir():
            return
        placement = place(self._home)
        with self._lock(placement):
            _stop(placement)
            shutil.rmtree(placement.root)
            shutil.rmtree(placement.folder, ignore_errors=True)

    def _lock(self, placement: Placement) -> contextlib.AbstractContextManager[None]:
        return file_lock(placement.folder / "lock", "启动或停止内嵌数据库", _LOCK_TIMEOUT_SECONDS)

    def _password(self, placement: Placement) -> str:
        path = placement.folder / "admin-password"
        if not path.exists() and not placement.data.exists():
            write_private_file(path, secrets.token_urlsafe(32).encode(), replace=False)
        try:
            return read_private_file(path, "数据库管理员口令文件").decode().strip()
        except FileNotFoundError:
            raise PermanentError(
                "读取数据库管理员口令文件",
                came=f"{path} 不见了，而数据文件夹还在",
                next_step="从备份恢复该文件",
            ) from None

    def _launch(self, placement: Placement) -> int:
        """Start the postmaster and wait until it accepts connections; returns its port.

        Right after a ``kill -9`` of the postmaster its children or its zombie are still there and a start is
        refused; they are gone after a few seconds.
        """
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        log = placement.data / "server.log"
        while True:
            _clear_stale_pid_file(placement.data, deadline)
            port = _usable_port(placement.folder / "port")
            log_size = log.stat().st_size if log.exists() else 0
            options = " ".join(f"-c {name}='{value}'" for name, value in self._options.items())
            arguments = [
                "-w",
                "-t",
                str(_READY_TIMEOUT_SECONDS),
                "-l",
                str(log),
                "-o",
                f"-p {port} {options}",
            ]
            # The daemon inherits its output; a pipe would never close.
            if _run(placement, "pg_ctl", "-D", str(placement.data), *arguments, "start") == 0:
                return port
            messages = log.read_bytes()[log_size:].decode("utf-8", "replace") if log.exists() else ""
            pid_file = _read_pid_file(placement.data)
            if pid_file is not None and _lives_in(placement.data, pid_file.pid):
                raise TransientError(
                    "启动内嵌数据库",
                    came=f"{_READY_TIMEOUT_SECONDS} 秒后仍在恢复",
                    next_step=f"稍后重试；进展见 {log}",
                )
            retryable = any(
                mark in messages for mark in ("lock file", "pre-existing shared memory", "could not bind")
            )
            if not retryable or time.monotonic() > deadline:
                fatal = [line for line in messages.splitlines() if "FATAL" in line or "PANIC" in line]
                raise PermanentError(
                    "启动内嵌数据库",
                    came=fatal[-1] if fatal else "服务器没有启动",
                    next_step=f"查看 {log}",
                )
            time.sleep(0.3)


@dataclass(frozen=True)
class _PidFile:
    pid: int
    port: int


def _read_pid_file(data: Path) -> _PidFile | None:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return _PidFile(pid=abs(int(lines[0])), port=int(lines[3]))
    except (FileNotFoundError, PermissionError, IndexError, ValueError):
        return None  # not there, or just being written


def _processes_in(data: Path) -> Iterator[int]:
    """Process ids whose working directory is the data folder: the postmaster and all its children are there."""
    target = str(data.resolve())
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(entry / "cwd") == target:
                    yield int(entry.name)


def _lives_in(data: Path, pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(data.resolve())
    except OSError:
        return False


def _wait_for_running(placement: Placement, password: str) -> int | None:
    """Port of the running server once it accepts connections, or None when there is none.

    That it is ours is proved, not guessed: the password fits both ways (SCRAM) and the data folder is the same.
    """
    deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
    while True:
        pid_file = _read_pid_file(placement.data)
        if pid_file is None or not _lives_in(placement.data, pid_file.pid):
            return None
        try:
            with psycopg.connect(
                host=HOST,
                port=pid_file.port,
                user=ADMINISTRATOR,
                password=password,
                dbname="postgres",
                connect_timeout=5,
                autocommit=True,
            ) as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PermanentError(
                    "连接内嵌数据库",
                    came=f"{placement.folder / 'admin-password'} 中的口令不对",
                    next_step="从备份恢复该文件",
                ) from None
            if time.monotonic() > deadline:
                raise TransientError(
                    "连接内嵌数据库",
                    came=f"端口 {pid_file.port} 上的服务器 {_READY_TIMEOUT_SECONDS} 秒内没有就绪",
                    next_step=f"稍后重试；进展见 {placement.data / 'server.log'}",
                ) from None
            time.sleep(0.1)  # starting up or shutting down
            continue
        if row is not None and Path(row[0]).resolve() == placement.data.resolve():
            return pid_file.port
        return None


def _clear_stale_pid_file(data: Path, deadline: float) -> None:
    """Wait for the rest of a killed server to go, and remove its pid file if the number now means another process.

    PostgreSQL ignores a pid file of a dead process by itself, but not one whose number was given to a living
    process of the same user since: after a reboot that is likely between two homes.
    """
    while (remaining := list(_processes_in(data))) and time.monotonic() < deadline:
        time.sleep(0.1)
    if remaining:
        raise TransientError(
            "启动内嵌数据库",
            came=f"上一个服务器的进程还在运行：{', '.join(map(str, sorted(remaining)))}",
            next_step="等它们结束后重试，或结束这些进程",
        )
    pid_file = _read_pid_file(data)
    if pid_file is not None and Path(f"/proc/{pid_file.pid}").exists():
        (data / "postmaster.pid").unlink(missing_ok=True)


def _usable_port(path: Path) -> int:
    """The remembered port when it is free, else another free one, remembered from now on."""
    remembered = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if remembered.isdecimal() and _is_free(int(remembered)):
        return int(remembered)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    write_private_file(path, f"{port}\n".encode(), replace=True)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _initialise(placement: Placement, password: str) -> None:
    """Make the data folder; it appears under its name only when it is complete."""
    draft, password_file = placement.root / "data.new", placement.root / "initial-password"
    shutil.rmtree(draft, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    output = placement.folder / "initdb.log"
    try:
        write_private_file(password_file, password.encode(), replace=True)
        draft.mkdir(mode=0o700)
        if placement.account is not None:
            for path in (draft, password_file):
                os.chown(path, placement.account.pw_uid, placement.account.pw_gid)
        result = _run(
            placement,
            "initdb",
            f"--pgdata={draft}",
            f"--username={ADMINISTRATOR}",
            f"--pwfile={password_file}",
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C.UTF-8",
            output=output,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if result != 0:
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if "error" in line.lower()]
        raise PermanentError(
            "建立内嵌数据库", came=(errors or lines or ["initdb 失败"])[0], next_step=f"查看 {output}"
        )
    draft.rename(placement.data)


def _stop(placement: Placement) -> bool:
    pid_file = _read_pid_file(placement.data)
    if pid_file is None or not _lives_in(placement.data, pid_file.pid):
        return False
    arguments = ["-D", str(placement.data), "-m", "fast", "-w", "-t", str(_READY_TIMEOUT_SECONDS)]
    if _run(placement, "pg_ctl", *arguments, "stop") != 0 and _lives_in(placement.data, pid_file.pid):
        raise TransientError(
            "停止内嵌数据库",
            came=f"{_READY_TIMEOUT_SECONDS} 秒内没有停下",
            next_step=f"稍后重试；情况见 {placement.data / 'server.log'}",
        )
    return True


def _run(placement: Placement, program: str, *arguments: str, output: Path | None = None) -> int:
    """Run one of PostgreSQL's programs as the server's user, with nothing of our environment."""
    account = placement.account
    with open(output or os.devnull, "wb") as sink:
        return subprocess.run(
            [str(placement.binaries / "bin" / program), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env=_ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
        ).returncode
