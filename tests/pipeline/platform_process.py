"""A folder for a platform, the `yihu` command in processes of its own, and the database behind it, for tests of one home."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from infra.postgres import EmbeddedServer

REPOSITORY = Path(__file__).resolve().parents[2]
YIHU = Path(sys.executable).with_name("yihu")


@contextmanager
def platform_folder(name: str) -> Iterator[Path]:
    """A folder that the server's own user can walk into; the server of `home` in it is removed with it."""
    folder = Path(tempfile.mkdtemp(prefix=f"yihu-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        EmbeddedServer(folder / "home").remove()
        shutil.rmtree(folder)


@dataclass
class PlatformProcess:
    """One home in a folder, reached as a person at a terminal reaches it."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """The machine's environment without any other platform's variables."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("YIHU_", "DAGSTER_"))
        }
        return (
            kept
            | {"YIHU_HOME": str(self.home), "YIHU_LANDING": str(self.folder / "landing")}
            | self.variables
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `yihu` and do not wait for it."""
        return subprocess.Popen(
            [str(YIHU), *arguments],
            cwd="/",
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `yihu` to its end."""
        return subprocess.run(
            [str(YIHU), *arguments],
            cwd="/",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, *arguments: str) -> None:
        """Run a module of the repository in this platform's environment; it must end well."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=REPOSITORY, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def connect(self, database: str | None = None) -> psycopg.Connection:
        """A session of the administrator, autocommit."""
        url = self.run("url", "--plain").stdout.strip() if not hasattr(self, "_url") else self._url
        self._url = url
        return psycopg.connect(url, autocommit=True, **({"dbname": database} if database else {}))

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement.encode(), values or None).fetchall()


@dataclass(frozen=True)
class Street:
    """A street of 200 households whose first release is up; its second month waits in `second`."""

    platform: PlatformProcess

    @property
    def folder(self) -> Path:
        return self.platform.folder

    def restore(self) -> None:
        """The database as it was when the street was made."""
        with self.platform.connect("postgres") as connection:
            connection.execute("drop database yihu with (force)")
            connection.execute("create database yihu template before")
