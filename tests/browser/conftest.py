"""`yihu ui` as a person starts it, on a home of its own, with a mail server on loopback, and Chromium to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.mail_sink import MailSink
from tests.pipeline.platform_process import YIHU, PlatformProcess, platform_folder
from tests.synthetic.deliveries import generate

T = TypeVar("T")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@dataclass(frozen=True)
class Console:
    """A running UI and daemon, the platform behind them, and the month's deliveries, not yet landed."""

    address: str
    platform: PlatformProcess
    deliveries: Path
    sink: MailSink

    def drop_deliveries(self) -> None:
        """Put the month's files into the landing folder, as the departments would."""
        shutil.copytree(self.deliveries, self.platform.folder / "landing", dirs_exist_ok=True)


def until(what: str, look: Callable[[], T | None], seconds: float = 150) -> T:
    """Look again and again until something true is seen; fails saying what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(1)
    raise AssertionError(f"{what}: not seen within {seconds:.0f} s")


@contextmanager
def running_ui(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """`yihu ui` on a free port, its address; ended with all it started.

    It shows nothing before the definitions are loaded: an answer means that the graph is there.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [YIHU, "ui"],
            env={**environment, "YIHU_UI_PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            return urllib.request.urlopen(f"{address}/server_info", timeout=2).status == 200
        except OSError:
            return False

    try:
        until("the web server answers", answers)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


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
def console() -> Iterator[Console]:
    find_chromium()
    with platform_folder("browser") as folder, MailSink(folder / "mails") as sink:
        generate(folder / "synthetic", seed=31, households=150, months=1, first_month=date(2026, 8, 1))
        (folder / "landing").mkdir()
        platform = PlatformProcess(
            folder,
            {
                "YIHU_SMTP_URL": sink.url,
                "YIHU_MAIL_FROM": "yihu@street.example",
                "YIHU_ALERT_RECIPIENTS": "data@street.example",
            },
        )
        with running_ui(platform.environment, folder / "ui.log") as address:
            yield Console(address, platform, folder / "synthetic" / "2026-08", sink)


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
