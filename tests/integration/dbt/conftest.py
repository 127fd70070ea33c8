"""dbt against the throw-away server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"


class Dbt:
    """dbt in this process, as orchestration runs it, with its state in a folder of the test."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def __call__(self, *command: str) -> dict[str, str]:
        """Run a command; name of each node to its status."""
        from dbt.cli.main import dbtRunner

        result = dbtRunner().invoke(
            [
                *command,
                *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
                *("--target-path", str(self._state / "target"), "--log-path", str(self._state / "logs")),
                *("--log-level", "none", "--log-level-file", "none"),
            ]
        )
        assert result.exception is None, result.exception
        return {r.node.unique_id: str(r.status) for r in result.result}


@pytest.fixture(scope="module")
def engine(module_warehouse: Warehouse) -> Engine:
    return module_warehouse.engine


@pytest.fixture(scope="module")
def dbt(module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in module_warehouse.dbt_environment().items():
            patch.setenv(name, value)
        patch.setitem(os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        yield Dbt(tmp_path_factory.mktemp("dbt"))
