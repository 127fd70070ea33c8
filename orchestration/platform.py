"""The opened platform: settings, warehouse and field protection, once per process.

Assets receive it as the resource `platform`; the command line opens the same object.
"""

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine

from infra.protection import FieldProtector
from infra.settings import Settings, load_settings
from infra.warehouse import Warehouse, open_warehouse, refresh_lock
from orchestration.scrub import scrubbed

DAGSTER_INSTANCE = """\
# Written by `yihu`; the address of the storage comes from the environment of the process.
telemetry: {enabled: false}
nux: {enabled: false}
storage:
  postgres:
    postgres_url: {env: DAGSTER_STORAGE_URL}
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config: {base_dir: BASE_DIR}
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
run_monitoring: {enabled: true, max_runtime_seconds: 7200}
concurrency:
  runs: {max_concurrent_runs: 2}
  pools: {default_limit: 1, granularity: run}
retention:
  sensor: {purge_after_days: 14}
  schedule: {purge_after_days: 90}
"""


@dataclass(frozen=True)
class Platform:
    """Settings, warehouse and field protection that every station call needs."""

    settings: Settings
    warehouse: Warehouse
    protector: FieldProtector

    @property
    def engine(self) -> Engine:
        """SQLAlchemy engine of the warehouse."""
        return self.warehouse.engine


@lru_cache(maxsize=1)
def open_platform() -> Platform:
    """Open the platform the environment describes; started, migrated and ready."""
    # Rows by the ten thousand live until they are stored; looking for dead ones every 700 took a seventh of a refresh.
    gc.set_threshold(50_000, 20, 50)
    settings = load_settings()
    warehouse = open_warehouse(settings)
    protector = FieldProtector.open(settings)
    protector.confirm_keys(warehouse.engine)
    os.environ.update(warehouse.dbt_environment())
    return Platform(settings, warehouse, protector)


def dagster_home(platform: Platform) -> Path:
    """Write the Dagster instance of this home and point the process at it.

    The storage address holds a password, so it goes into the environment of this process and of the processes it
    starts, not into the file.
    """
    home = platform.settings.home / "dagster"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(
        DAGSTER_INSTANCE.replace("BASE_DIR", str(home / "storage")), encoding="utf-8"
    )
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_STORAGE_URL"] = platform.warehouse.dagster_url()
    return home


_WAIT_FOR_OTHER_RUN_SECONDS = 1800

# Asked for by every step that writes: the lock is taken when the run begins and freed when it ends.
HeldLock = dg.ResourceParam[object]


@scrubbed
def _hold_refresh_lock(_context: dg.InitResourceContext) -> Iterator[None]:
    # A run that the sensor began meanwhile is no reason to turn everything red: it is waited for.
    with refresh_lock(open_platform().engine, wait_seconds=_WAIT_FOR_OTHER_RUN_SECONDS):
        yield


@scrubbed
def _platform(_context: dg.InitResourceContext) -> Platform:
    return open_platform()


RESOURCES = {
    "platform": dg.ResourceDefinition(_platform, description="已打开的平台：设置、数据库、字段保护。"),
    # Held for a whole run: two runs never write the register at the same time, whoever started them.
    "refresh_lock": dg.ResourceDefinition(
        _hold_refresh_lock, description="全线互斥锁：同一时间只有一次运行在写户档。"
    ),
}
