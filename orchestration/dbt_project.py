"""The dbt project inside Dagster: its manifest, its asset keys, and dbt run in this process.

dagster-dbt starts a new interpreter for each dbt command and throws the partial parse away: 13 to 23 s a step. Running
`dbtRunner` here takes one to three (handbook, `stack.md` 2). The events are the same: they are made by dagster-dbt's
own `DbtCoreCliEventMessage`. Decision: docs/decisions/0002-dbt-in-process.md.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from infra.errors import PermanentError
from infra.files import file_lock
from infra.settings import load_settings
from orchestration.groups import GROUP_OF_SCHEMA

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
# Seeds that Python reads too (docs/decisions/0007); named in seed-paths.
SHARED_SEEDS = PROJECT.parent / "infra" / "reference"
# dbt keeps its state in module globals: never two invocations at once in one process.
_one_at_a_time = Lock()


def _target() -> Path:
    """Folder of dbt's own state, in the home: two homes never share a manifest or a log."""
    return load_settings().home / "dbt"


def _sources_digest() -> str:
    """Digest of all that dbt parses."""
    digest = hashlib.sha256()
    for folder in (PROJECT, SHARED_SEEDS):
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".sql", ".yml", ".csv"} and path.is_file():
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _arguments() -> list[str]:
    target = _target()
    return [
        "--project-dir", str(PROJECT),
        "--profiles-dir", str(PROJECT),
        "--target-path", str(target / "target"),
        "--log-path", str(target / "logs"),
        "--log-level", "none",
        "--log-level-file", "none",
        "--no-use-colors",
    ]  # fmt: skip


@lru_cache(maxsize=1)
def manifest_path() -> Path:
    """Path of a manifest that is true to the project's files; parses the project when they changed.

    The code server and the runs it starts ask at the same time; one parses, the others wait for it.
    """
    target = _target() / "target"
    manifest, stamp = target / "manifest.json", target / "sources.sha256"
    digest = _sources_digest()
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file_lock(target.parent / "parse.lock", "等待另一个进程解析 dbt 项目", timeout_seconds=600):
        if not (manifest.exists() and stamp.exists() and stamp.read_text() == digest):
            run_dbt("parse")
            stamp.write_text(digest)
    return manifest


@lru_cache(maxsize=1)
def manifest() -> Mapping[str, Any]:
    """The parsed project."""
    return json.loads(manifest_path().read_text(encoding="utf-8"))


class DbtFailed(PermanentError):
    """A dbt command ended with errors; the message names the nodes, never a value."""


def _invoke(arguments: list[str], callbacks: list[Any]) -> Any:
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    from dbt.cli.main import dbtRunner

    with _one_at_a_time:
        return dbtRunner(callbacks=callbacks).invoke(arguments)


def _require_success(result: Any, command: str) -> None:
    if result.success:
        return
    failed = [
        f"{node.node.unique_id}: {node.status}"
        for node in getattr(result.result, "results", [])
        if str(node.status) in {"error", "fail", "runtime error"}
    ]
    # The text of a dbt error may hold row values (reliability.md D13): only its type is repeated.
    cause = "; ".join(failed) or type(result.exception).__name__
    raise DbtFailed(
        f"运行 dbt {command}",
        came=cause,
        next_step="按列出的模型或测试核对数据；编译后的 SQL 在 YIHU_HOME/dbt/target",
    )


def run_dbt(*command: str) -> None:
    """Run one dbt command in this process.

    Raises:
        DbtFailed: the command ended with errors.
    """
    result = _invoke([*command, *_arguments()], [])
    _require_success(result, command[0])


def stream_dbt(context: dg.AssetExecutionContext, translator: DagsterDbtTranslator) -> Iterator[Any]:
    """Run `dbt build` for the assets selected in `context`; yield their materialisations and check results.

    Raises:
        DbtFailed: a node failed, after the events of all that ran were yielded.
    """
    from google.protobuf.json_format import MessageToDict

    parameters = get_updated_cli_invocation_params_for_context(
        context=context, manifest=manifest(), dagster_dbt_translator=translator
    )
    messages: list[DbtCoreCliEventMessage] = []

    def keep(event: Any) -> None:
        if event.info.name in {"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"}:
            raw = MessageToDict(event, preserving_proto_field_name=True)
            messages.append(DbtCoreCliEventMessage(raw_event=raw, event_history_metadata={}))

    # "buildable": a test that also reads a model of a later step runs with that step, not before the model exists.
    indirect = parameters.indirect_selection or "buildable"
    # No run_results.json: the messages of failed nodes stand in it with the values they failed on (D13).
    arguments = [
        "build", "--no-write-json", "--exclude-resource-type", "unit_test", "--indirect-selection", indirect,
        *_arguments(), *parameters.selection_args,
    ]  # fmt: skip
    result = _invoke(arguments, [keep])
    for message in messages:
        yield from message.to_default_asset_events(
            manifest=parameters.manifest,
            dagster_dbt_translator=parameters.dagster_dbt_translator,
            context=context,
            project=parameters.dbt_project,
        )
    _require_success(result, "build")


class HouseTranslator(DagsterDbtTranslator):
    """Asset key = [schema, table] as in PostgreSQL; group = the station."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Spec of one dbt resource under its PostgreSQL name, in its station's group."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        if props["resource_type"] == "source":
            return spec
        key = dg.AssetKey([props["schema"], props["alias"]])
        return spec.replace_attributes(
            key=key,
            group_name=GROUP_OF_SCHEMA[props["schema"]],
            description=props["description"] or None,
            kinds={"dbt", "postgres"},
        )
