"""The web UI and the daemon as children of one process, so that they end together.

Dagster's processes ignore SIGTERM when they were started from a shell's background (handbook, `stack.md` 2); started
in a session of their own they can be ended as a group. A deployment uses systemd units instead.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from orchestration.platform import dagster_home, open_platform

# Quiet: every tick of every sensor would be a line of the terminal, and the daemon changes its code server every
# minute and warns of it. The UI shows the ticks, with their reasons.
MODULE = ["--code-server-log-level", "error", "-m", "orchestration.definitions"]


def commands(port: int) -> list[list[str]]:
    """Command lines of the web server and the daemon; loopback only, the UI has no login of its own."""
    binaries = Path(sys.executable).parent
    return [
        [
            str(binaries / "dagster-webserver"),
            *("-h", "127.0.0.1", "-p", str(port), "--dagster-log-level", "warning"),
            *MODULE,
        ],
        [str(binaries / "dagster-daemon"), "run", "--log-level", "warning", *MODULE],
    ]


def serve() -> int:
    """Run until interrupted or until one of the two ends; returns the exit code."""
    platform = open_platform()
    home = dagster_home(platform)
    environment = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes"}
    root = Path(__file__).resolve().parents[1]
    children = [
        subprocess.Popen(command, cwd=root, env=environment, start_new_session=True)
        for command in commands(platform.settings.ui_port)
    ]
    click.echo(f"界面：http://127.0.0.1:{platform.settings.ui_port}  状态：{home}  （Ctrl-C 结束）")
    wanted = {"stop": False}

    def stop(*_: object) -> None:
        wanted["stop"] = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        while not wanted["stop"] and all(child.poll() is None for child in children):
            time.sleep(0.5)
        for name, child in zip(("网页服务器", "后台进程"), children, strict=True):
            if child.poll() is not None and not wanted["stop"]:
                click.echo(
                    f"{name}自己结束了（退出码 {child.returncode}），界面随之结束；请重新运行。", err=True
                )
    finally:
        end_groups(children)
    return 0 if wanted["stop"] else 1


def end_groups(children: list[subprocess.Popen[bytes]]) -> None:
    """End each child with all it started: first asked, after 10 s made to."""
    for signum in (signal.SIGINT, signal.SIGKILL):
        for child in children:
            try:
                os.killpg(child.pid, signum)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(child.poll() is None for child in children):
            time.sleep(0.2)
