"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STATIONS = ("ingest", "linkage", "quality", "publish")


def tracked_files() -> list[Path]:
    """Every file git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def python_files(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_only_orchestration_imports_dagster():
    guilty = [
        path.relative_to(ROOT)
        for path in python_files("infra", *STATIONS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        if name.split(".")[0] in {"dagster", "dagster_dbt"}
    ]
    assert guilty == []


def test_only_settings_reads_the_environment():
    reading = re.compile(r"os\.(environ\.get|environ\[[^\]]+\](?!\s*=)|getenv)|environ\.get\(")
    guilty = {
        str(path.relative_to(ROOT))
        for path in python_files("infra", "orchestration", *STATIONS)
        if path.name != "settings.py" and reading.search(path.read_text())
    }
    assert guilty == set()


def test_no_module_docstring_is_missing():
    assert [
        path.relative_to(ROOT)
        for path in python_files("infra", "orchestration", *STATIONS)
        if "migrations" not in path.parts and not ast.get_docstring(ast.parse(path.read_text()))
    ] == []


def test_no_registry_host_and_no_path_of_a_machine_is_named():
    hosts = re.compile(
        r"(py[p]i|python[h]osted|npm[j]s|deb\.deb[i]an)\.(org|com)|(^|[^\w.])/(w[o]rk|f[a]rm)/"
    )
    guilty = []
    for path in tracked_files():
        if path.suffix in {".png", ".xlsx"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if hosts.search(text):
            guilty.append(path.relative_to(ROOT))
    assert guilty == []


def test_the_locks_hold_hashes_and_no_address():
    for lock in (ROOT / "infra" / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        packages = re.findall(r"^[a-z0-9_.-]+(?:\[[^\]]*\])?==", text, flags=re.MULTILINE)
        assert len(packages) >= 2
        assert text.count("--hash=sha256:") >= len(packages)


def test_the_dbt_sources_are_what_the_contracts_say():
    from ingest.contract import load_contracts
    from ingest.dbt_sources import render_dbt_sources

    written = ROOT / "dbt_project" / "models" / "staging" / "_raw_sources.yml"
    assert written.read_text(encoding="utf-8") == render_dbt_sources(load_contracts())


def test_the_pages_of_the_lists_are_what_the_contracts_say():
    from ingest.contract import load_contracts
    from ingest.list_page import FOLDER, render_pages

    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")} == render_pages(
        load_contracts()
    ), "run `python -m ingest.list_page`"


def test_every_list_has_one_staging_model():
    from ingest.contract import load_contracts

    models = {path.stem for path in (ROOT / "dbt_project" / "models" / "staging").glob("stg_*.sql")}
    assert models == {f"stg_{c.department}__{code}" for code, c in load_contracts().items()}


def _models() -> list[tuple[str, dict]]:
    found = []
    for path in sorted((ROOT / "dbt_project" / "models").rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models", []):
            found.append((path.parent.name, model))
    return found


@pytest.mark.parametrize(
    ("folder", "model"), _models(), ids=lambda value: value["name"] if isinstance(value, dict) else value
)
def test_every_model_states_its_grain_and_every_column_is_described_in_chinese(folder, model):
    assert re.search(r"粒度|Grain", model.get("description", "")), model["name"]
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert [c["name"] for c in model.get("columns", []) if not chinese.search(c.get("description", ""))] == []


def test_every_sql_model_is_described():
    described = {model["name"] for _folder, model in _models()}
    written = {path.stem for path in (ROOT / "dbt_project" / "models").rglob("*.sql")}
    assert written == described


def test_no_test_is_skipped_or_expected_to_fail_without_a_reason():
    bare = re.compile(r"mark\.(skip|xfail)\s*(\n|\)|$)|pytest\.skip\(\)|assert True\b")
    guilty = [
        path.relative_to(ROOT)
        for path in python_files("tests")
        if path != Path(__file__).resolve() and bare.search(path.read_text())
    ]
    assert guilty == []
