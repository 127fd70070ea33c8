"""A platform of its own for the pipeline tests: own home, own embedded server, own mail server on loopback.

All tests that use them share one process and one story (xdist group `pipeline`): the line takes seconds, imports take
more.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.mail_sink import MailSink
from tests.pipeline.platform_process import PlatformProcess, Street, platform_folder
from tests.pipeline.street import Home, Story, live


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    from orchestration import dbt_project, platform

    with platform_folder("pipeline") as folder, MailSink(folder / "mails") as sink:
        landing = folder / "landing"
        landing.mkdir()
        before = dict(os.environ)
        for name in [name for name in os.environ if name.startswith("YIHU_")]:
            del os.environ[name]
        os.environ |= {
            "YIHU_HOME": str(folder / "home"),
            "YIHU_LANDING": str(landing),
            "YIHU_SMTP_URL": sink.url,
            "YIHU_MAIL_FROM": "yihu@street.example",
            "YIHU_ALERT_RECIPIENTS": "data@street.example, lead@street.example",
        }
        platform.open_platform.cache_clear()
        dbt_project.manifest_path.cache_clear()
        try:
            yield Home(folder, sink, landing)
        finally:
            if platform.open_platform.cache_info().currsize:
                platform.open_platform().warehouse.close()
            platform.open_platform.cache_clear()
            dbt_project.manifest_path.cache_clear()
            os.environ.clear()
            os.environ |= before


@pytest.fixture(scope="session")
def story(home: Home) -> Story:
    return live(home)


@pytest.fixture
def home_folder() -> Iterator[Path]:
    """A folder for one more platform, reached by commands only; its server is removed with it."""
    with platform_folder("pipeline") as folder:
        yield folder


@pytest.fixture(scope="session")
def street() -> Iterator[Street]:
    with platform_folder("pipeline") as folder:
        platform = PlatformProcess(folder)
        platform.python("-m", "tests.pipeline.ready_street", str(folder), "200")
        with platform.connect("postgres") as connection:
            connection.execute("create database before template yihu")
        yield Street(platform)
