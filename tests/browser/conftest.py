"""`yihu ui` as a person starts it, on a home of its own with a small street's deliveries waiting, and Chromium to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.postgres import EmbeddedServer
from tests.synthetic.deliveries import generate

YIHU = Path(sys.executable).parent / "yihu"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@dataclass(frozen=True)
class Console:
    """A running UI and daemon."""

    home: Path
    landing: Path
    address: str
    environment: dict[str, str]

    def rows(self, sql: str) -> list[tuple]:
        """Rows of the warehouse behind the UI."""
        url = subprocess.run(
            [YIHU, "url", "--plain"], env=self.environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        with psycopg.connect(url) as connection:
            return connection.execute(sql).fetchall()


def until(what: str, look: Callable[[], object], seconds: float = 150) -> object:
    """Look again and again until something true is seen; fails saying what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(1)
    raise AssertionError(f"{what}: not seen within {seconds:.0f} s")


@contextmanager
def running_console(home: Path, landing: Path) -> Iterator[Console]:
    """`yihu ui` on a free port; ended with all it started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YIHU_")}
    environment |= {"YIHU_HOME": str(home), "YIHU_LANDING": str(landing), "YIHU_UI_PORT": str(port)}
    log = (home.parent / "ui.log").open("wb")
    process = subprocess.Popen([YIHU, "ui"], env=environment, stdout=log, stderr=log, start_new_session=True)
    console = Console(home, landing, f"http://127.0.0.1:{port}", environment)

    def answers() -> bool:
        assert process.poll() is None, (home.parent / "ui.log").read_text(errors="replace")[-3000:]
        try:
            return urllib.request.urlopen(f"{console.address}/server_info", timeout=2).status == 200
        except OSError:
            return False

    try:
        until("the web server answers", answers)
        yield console
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        log.close()


@pytest.fixture(scope="session")
def console() -> Iterator[Console]:
    find_chromium()
    folder = Path(tempfile.mkdtemp(prefix="yihu-browser-"))
    folder.chmod(0o755)
    generate(folder / "synthetic", seed=31, households=120, months=1, first_month=date(2026, 8, 1))
    landing = folder / "landing"
    shutil.copytree(folder / "synthetic" / "2026-08", landing)
    try:
        with running_console(folder / "home", landing) as console:
            yield console
    finally:
        EmbeddedServer(folder / "home").remove()
        shutil.rmtree(folder)


def find_chromium() -> str:
    """Path of Chromium; without one the test is skipped, or fails where it was promised (CI)."""
    found = shutil.which("chromium")
    if found is None:
        reason = "Chromium is not installed (apt-get install chromium fonts-noto-cjk)"
        if os.environ.get("YIHU_TEST_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=60_000)  # a page on two busy cores
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1500, "height": 950}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()
