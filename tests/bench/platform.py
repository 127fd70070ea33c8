"""A scratch platform for one part of the bench: own home, own embedded server, removed at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import text

from infra.postgres import EmbeddedServer
from orchestration import dbt_project, runs
from orchestration.platform import Platform, open_platform
from tests.bench.measure import Meter

MONTH, AS_OF = date(2026, 8, 1), date(2026, 8, 31)


@dataclass(frozen=True)
class Bench:
    """An open platform, and the meter of what is done on it."""

    platform: Platform
    meter: Meter

    def rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.platform.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), parameters)]

    def run(self, *statements: str) -> None:
        """Run statements in one transaction."""
        with self.platform.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def open_refresh(self) -> None:
        """The business date every station runs as of."""
        runs.open_refresh(self.platform.engine, AS_OF, "bench")


@contextmanager
def scratch_platform(home: Path) -> Iterator[Bench]:
    """Open a platform in an empty `home`; what the environment says of another platform is set aside meanwhile."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("YIHU_")]:
        del os.environ[name]
    os.environ["YIHU_HOME"] = str(home)
    server = EmbeddedServer(home)
    _remove(server, home)
    _forget_platform()
    try:
        platform = open_platform()
        yield Bench(platform, Meter(server))
        platform.warehouse.close()
    finally:
        _forget_platform()
        os.environ.clear()
        os.environ |= before
        _remove(server, home)


def _forget_platform() -> None:
    open_platform.cache_clear()
    dbt_project.manifest_path.cache_clear()


def _remove(server: EmbeddedServer, home: Path) -> None:
    if home.exists():
        server.remove()
        shutil.rmtree(home)
