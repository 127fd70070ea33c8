"""The code server, the web UI and the daemon as children of one process, so that they end together.

One code server loads the definitions, and the other two read it through a socket. Started with `-m` each of the two
starts a code server of its own: two of them parse the same dbt project at the same moment into one folder, and the
web server shows an empty graph for ever if its one did not load. Here nothing is shown before the definitions are
there, and a failure to load them is said at once.

Dagster's processes ignore SIGTERM when they were started from a shell's background (handbook, `stack.md` 2); started
in a session of their own they can be ended as a group. A deployment uses systemd units instead.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from orchestration.platform import dagster_home, open_platform

# Part of the UI's addresses: /locations/yihu/...
LOCATION = "yihu"
ROOT = Path(__file__).resolve().parents[1]


def start(binary: str, *arguments: str) -> subprocess.Popen[bytes]:
    """One of Dagster's programs, in a session of its own."""
    return subprocess.Popen(
        [str(Path(sys.executable).parent / binary), *arguments],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes"},
        start_new_session=True,
    )


def start_code_server(socket: Path) -> subprocess.Popen[bytes]:
    """The process that loads the definitions and starts the runs; it ends when they do not load."""
    return start(
        "dagster", "api", "grpc", "--socket", str(socket), "--module-name", "orchestration.definitions",
        "--location-name", LOCATION, "--log-level", "error",
    )  # fmt: skip


def code_server_answers(socket: Path) -> bool:
    """Whether the definitions are loaded and served."""
    from dagster._grpc.client import DagsterGrpcClient

    # Before the socket is there the client prints its failure to connect.
    return socket.exists() and DagsterGrpcClient(socket=str(socket)).health_check_query() == "SERVING"


def start_web_and_daemon(workspace: Path, port: int) -> list[subprocess.Popen[bytes]]:
    """Web server and daemon; loopback only, the UI has no login of its own.

    Quiet: every tick of every sensor would be a line of the terminal. The UI shows the ticks, with their reasons.
    """
    web = ["-h", "127.0.0.1", "-p", str(port), "--dagster-log-level", "warning"]
    return [
        start("dagster-webserver", *web, "-w", str(workspace)),
        start("dagster-daemon", "run", "--log-level", "warning", "-w", str(workspace)),
    ]


def serve() -> int:
    """Run until interrupted or until one of the children ends; returns the exit code."""
    platform = open_platform()
    home = dagster_home(platform)
    wanted = {"stop": False}

    def stop(*_: object) -> None:
        wanted["stop"] = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    names = ("定义服务器", "网页服务器", "后台进程")
    # A short path of its own: a socket's path may have 107 bytes, a home's may have more.
    with tempfile.TemporaryDirectory(prefix="yihu-ui-") as folder:
        socket, workspace = Path(folder, "code.sock"), Path(folder, "workspace.yaml")
        server = {"socket": str(socket), "location_name": LOCATION}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        children = [start_code_server(socket)]

        def all_run() -> bool:
            return not wanted["stop"] and all(child.poll() is None for child in children)

        try:
            click.echo("正在读取资产定义……")
            _wait(lambda: not all_run() or code_server_answers(socket))
            if all_run():
                children += start_web_and_daemon(workspace, platform.settings.ui_port)
                address = f"http://127.0.0.1:{platform.settings.ui_port}"
                click.echo(f"界面：{address}  状态：{home}  （Ctrl-C 结束）")
            _wait(lambda: not all_run())
            for name, child in zip(names, children, strict=False):
                if child.poll() is not None and not wanted["stop"]:
                    click.echo(
                        f"{name}自己结束了（退出码 {child.returncode}），界面随之结束；请重新运行。", err=True
                    )
        finally:
            end_groups(children)
    return 0 if wanted["stop"] else 1


def _wait(seen: Callable[[], bool]) -> None:
    while not seen():
        time.sleep(0.5)


def end_groups(children: list[subprocess.Popen[bytes]]) -> None:
    """End each child with all it started, the last started first: asked, after 10 s made to."""
    for signum in (signal.SIGINT, signal.SIGKILL):
        for child in reversed(children):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signum)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(child.poll() is None for child in children):
            time.sleep(0.2)
