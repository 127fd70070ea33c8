"""A platform of its own for the pipeline tests: own home, own embedded server, own mail server on loopback.

`story` runs the line as a street would live it and keeps what was seen after each chapter; the tests look at that. All
pipeline tests share one process and one story (xdist group `pipeline`): the line takes seconds, imports take more.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from infra.mail_sink import MailSink
from infra.postgres import EmbeddedServer


@dataclass(frozen=True)
class Home:
    """An open platform in a folder of its own."""

    folder: Path
    sink: MailSink
    landing: Path

    @property
    def platform(self):
        from orchestration.platform import open_platform

        return open_platform()

    @property
    def engine(self) -> Engine:
        return self.platform.engine

    def refresh(self, as_of: date) -> str:
        from orchestration.line import refresh_line

        return refresh_line(self.landing, as_of, platform=self.platform).outcome

    def rows(self, sql: str, **parameters: object) -> list[tuple]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), parameters)]

    def value(self, sql: str, **parameters: object) -> object:
        return self.rows(sql, **parameters)[0][0]

    def deliver(self, source: Path) -> None:
        """Copy a round of deliveries into the landing folder."""
        shutil.copytree(source, self.landing, dirs_exist_ok=True)


@dataclass
class Snapshot:
    """What stood after one chapter of the story."""

    outcome: str
    release_no: int | None
    persons: dict[str, str]
    mails: int
    row_hash: str
    seen: dict[str, object] = field(default_factory=dict)


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    from orchestration import dbt_project, platform

    folder = Path(tempfile.mkdtemp(prefix="yihu-pipeline-"))
    folder.chmod(0o755)
    landing = folder / "landing"
    landing.mkdir()
    with MailSink(folder / "mails") as sink:
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
            EmbeddedServer(folder / "home").remove()
            shutil.rmtree(folder)
