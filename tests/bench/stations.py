"""The stations one by one on a street of `--rows` person records, one month, all lists: each beside its floor."""

from __future__ import annotations

import functools
import gc
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.clock import utc_now
from infra.protection import FieldProtector
from infra.settings import load_settings
from ingest.batch_sealing import BatchSealer, Delivery
from ingest.batches import batches_of
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.layout import choose_tables
from ingest.readers.delimited import stream_delimited
from orchestration.dbt_project import manifest_path, run_dbt
from publish.releases import Published, publish
from publish.stamping import TABLES
from tests.bench import floors
from tests.bench.large_file import measure_large_files, measure_workbook
from tests.bench.measure import NOTHING, Cost
from tests.bench.person_linkage import LINK
from tests.bench.platform import AS_OF, Bench
from tests.bench.report import Finding, Goal, Report

LIST = "household_register"
BUILD = (
    "build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable", "--select",
)  # fmt: skip
STAGING = ("fqn:yihu.staging", "fqn:yihu.intermediate", "resource_type:seed")
MASTER = ("fqn:yihu.master", "fqn:yihu.candidate")
REPEATS = 2
LOAD, STAGE, BUILD_MASTER, STAMP = (
    "all lists to raw",
    "build of seeds and staging, with tests",
    "build of master and candidate, with tests",
    "stamp, compare, hash thrice, move the pointer",
)


def measure_ingest(bench: Bench, report: Report, landing: Path, scratch: Path) -> None:
    """One large csv list, in turns with its floor; then how much of it is reading and normalising, and protecting."""
    only = scratch / "one-list"
    shutil.copytree(landing / "community" / LIST, only / "community" / LIST, dirs_exist_ok=True)
    content = next((only / "community" / LIST).iterdir()).read_bytes()
    _ingest(bench, only, bench.platform.protector)
    stored = floors.copied_out(bench.platform.engine, "raw", LIST)
    rows = bench.rows(f"select count(*) from raw.{LIST}")[0][0]

    def floor() -> None:
        floors.decode_csv(content, "utf-8")
        floors.copy_in(bench.platform.engine, "raw", LIST, stored)

    def forget() -> None:
        _forget_deliveries(bench)
        _forget_cells()

    ours, least = bench.meter.in_turns(
        REPEATS,
        lambda: _ingest(bench, only, bench.platform.protector),
        floor,
        before_ours=forget,
        before_floor=lambda: floors.empty_copy(bench.platform.engine, "raw", LIST),
    )
    report.findings.append(
        Finding("ingest", f"{LIST} csv to raw", rows, ours, least, "csv decode + COPY of the same rows")
    )
    report.findings.append(
        Finding("ingest", "seconds per 100k rows", rows, figure=ours.wall * 100_000 / rows)
    )
    sealing = _sealing_seconds(bench, content)
    report.findings.append(
        Finding(
            "ingest", "read, judge and seal on one core, seconds per million rows", rows, sealing,
            figure=sealing.wall * 1e6 / rows, goal=Goal.at_most("G10", sealing.wall * 1e6 / rows, 4),
        )
    )  # fmt: skip
    _measure_protection(bench, report, rows, ours)
    _forget_deliveries(bench)
    measure_large_files(
        bench,
        report,
        content,
        scratch,
        lambda folder: _ingest(bench, folder, bench.platform.protector),
        forget,
    )
    measure_workbook(bench, report, content, scratch)


def _ingest(bench: Bench, landing: Path, protector: FieldProtector) -> None:
    outcomes = ingest_landing(bench.platform.engine, protector, landing, utc_now(), as_of=AS_OF)
    if not outcomes or any(outcome.status != "loaded" for outcome in outcomes):
        raise RuntimeError(
            f"the bench's own lists must load, came: {[(o.list_code, o.status) for o in outcomes]}"
        )


def _forget_deliveries(bench: Bench) -> None:
    tables = ", ".join(f"raw.{code}" for code in load_contracts())
    bench.run(f"truncate {tables}, ops.delivery cascade")


def _forget_cells() -> None:
    """Empty the normalisers' caches: a process that has read the same file before is not what is measured."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ingest."):
            for member in vars(module).values():
                if isinstance(member, functools._lru_cache_wrapper):
                    member.cache_clear()
    gc.collect()


def _sealing_seconds(bench: Bench, content: bytes) -> Cost:
    """What the processes beside ingest's own do with a large file, in one process."""
    contract = load_contracts()[LIST]
    day = AS_OF
    rows = stream_delimited(lambda: io.BufferedReader(io.BytesIO(content)), len(content))
    sealer = BatchSealer(bench.platform.protector, Delivery(1, contract, "0" * 64, day, day))
    _forget_cells()

    def seal() -> None:
        for batch in batches_of(choose_tables(rows, contract), contract):
            sealer.seal(batch)

    return bench.meter.cost(seal)


def _measure_protection(bench: Bench, report: Report, rows: int, ingest: Cost) -> None:
    """Ciphertexts and tokens as ingest makes them: four ciphertexts and two tokens a row of the register."""
    protector = bench.platform.protector
    records = [f"{number:024d}".encode() for number in range(rows)]
    texts = [b"330102198503%06d" % (number % 1_000_000) for number in range(rows)]
    whole = [b'{"row": "%s"}' % (text * 18) for text in texts]

    def ours() -> None:
        for column in ("id_no", "phone", "health_status"):
            protector.encrypt_all(texts, column, records)
        protector.encrypt_all(whole, "row", records)
        for kind in ("id_no", "phone"):
            for text in texts:
                protector.token(kind, text.decode())

    plain = [
        (text, record)
        for column in (texts, texts, texts, whole)
        for text, record in zip(column, records, strict=True)
    ]
    protecting, least = bench.meter.in_turns(REPEATS, ours, lambda: floors.seal(plain))
    report.findings.append(
        Finding("protection", f"encrypt and token, {6 * rows:,} values", rows, protecting, least, "bare AES-256-GCM")
    )  # fmt: skip
    report.findings.append(
        Finding("protection", "share of ingest's CPU", rows, figure=protecting.cpu / ingest.cpu)
    )


def fill(bench: Bench, report: Report, landing: Path) -> None:
    """Bring the scratch platform to where linkage begins: all lists ingested, staging built; once, with their floors."""
    manifest_path()
    loading = bench.meter.cost(lambda: _ingest(bench, landing, bench.platform.protector))
    loading_floor = arrival_floor(bench, landing, "true")
    report.findings.append(
        Finding(
            "ingest", LOAD, raw_count(bench), loading, bench.meter.cost(loading_floor),
            "csv decode + COPY of the same rows",
        )
    )  # fmt: skip
    staging = bench.meter.cost(lambda: run_dbt(*BUILD, *STAGING))
    tables = made_tables(bench, "staging")
    report.findings.append(
        Finding(
            "dbt", STAGE, raw_count(bench), staging,
            bench.meter.cost(lambda: floors.create_as_select(bench.platform.engine, tables)), "create table as select",
        )
    )  # fmt: skip


def raw_count(bench: Bench) -> int:
    """Rows of all lists."""
    counts = [bench.rows(f"select count(*) from raw.{code}")[0][0] for code in load_contracts()]
    return sum(counts)


def arrival_floor(bench: Bench, arrived: Path, condition: str) -> Callable[[], None]:
    """The floor of taking in the files under `arrived`, whose rows in raw fulfil the condition; ready to be run once."""
    engine = bench.platform.engine
    stored = {code: floors.copied_out(engine, "raw", code, condition) for code in load_contracts()}
    texts = [(path.read_bytes(), _encoding(path)) for path in sorted(arrived.rglob("*.csv"))]
    for code in stored:
        floors.empty_copy(engine, "raw", code)

    def run() -> None:
        for content, encoding in texts:
            floors.decode_csv(content, encoding)
        for code, rows in stored.items():
            floors.copy_in(engine, "raw", code, rows)

    return run


def _encoding(path: Path) -> str:
    return "gb18030" if "disabled" in path.parts else "utf-8-sig"


def measure_dbt(bench: Bench, report: Report) -> None:
    """Golden records and candidate, tests included, in turns with a copy of the tables they make."""
    tables: list[tuple[str, str]] = []

    def made() -> None:
        if not tables:
            tables.extend(made_tables(bench, "master", "candidate"))

    ours, least = bench.meter.in_turns(
        REPEATS,
        lambda: run_dbt(*BUILD, *MASTER),
        lambda: floors.create_as_select(bench.platform.engine, tables),
        before_floor=made,
    )
    rows = floors.create_as_select(bench.platform.engine, tables)
    report.findings.append(
        Finding("dbt", BUILD_MASTER, rows, ours, least, "create table as select")
    )  # fmt: skip
    report.costs["dbt nodes, s"] = node_seconds(8)


def made_tables(bench: Bench, *schemas: str) -> list[tuple[str, str]]:
    """The tables (no views) of some schemas, in order."""
    found = bench.rows(
        "select schemaname, tablename from pg_tables where schemaname = any(:schemas) order by 1, 2",
        schemas=list(schemas),
    )
    return [(schema, table) for schema, table in found]


def node_seconds(count: int) -> list[tuple[str, float]]:
    """The dearest nodes of the last dbt build."""
    path = load_settings().home / "dbt" / "target" / "run_results.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    nodes = [(".".join(one["unique_id"].split(".")[::2][:2]), one["execution_time"]) for one in results]
    return sorted(nodes, key=lambda node: -node[1])[:count]


def measure_publish(bench: Bench, report: Report) -> None:
    """A whole `publish` of content that was judged, in turns with a plain insert-select; then the hash alone."""
    if not bench.rows("select to_regclass('candidate.person')::text")[0][0]:
        run_dbt(*BUILD, *MASTER)
    outcomes: list[Any] = []

    def plain() -> int:
        return floors.insert_select(bench.platform.engine, TABLES, 1)

    def empty() -> None:
        for table in TABLES:
            floors.empty_copy(bench.platform.engine, "release", table)

    ours, least = bench.meter.in_turns(
        REPEATS,
        lambda: outcomes.append(publish(bench.platform.engine, by="bench")),
        plain,
        before_ours=lambda: _judge_new_content(bench),
        before_floor=empty,
    )
    if not all(isinstance(outcome, Published) for outcome in outcomes):
        raise RuntimeError(f"the bench's own content must be published, came: {outcomes}")
    rows = sum(outcomes[-1].counts.values())
    report.findings.append(
        Finding("publish", STAMP, rows, ours, least, "insert-select of the same rows")
    )  # fmt: skip
    hashing, least = bench.meter.in_turns(
        REPEATS,
        lambda: bench.rows("select release.candidate_hash()"),
        plain,
        before_ours=NOTHING,
        before_floor=empty,
    )
    report.findings.append(
        Finding("publish", "content hash alone", rows, hashing, least, "insert-select of the same rows")
    )


def _judge_new_content(bench: Bench) -> None:
    """Other content than what is up, and a passed verdict on it: the scratch platform has no inspectors."""
    bench.run(
        "update candidate.person set list_count = list_count + 1",
        "insert into quality.verdict (as_of, content_hash, evidence_hash, status, reasons, target_code,"
        " target_ratio, audited_household_count, audited_field_count, correct_field_count, accuracy_ratio,"
        " lower_bound_ratio, interval_lower_ratio, upper_bound_ratio)"
        f" values ('{AS_OF}', release.candidate_hash(), 'bench', 'passed', '[]', 'M01', 0.95, 301, 2410, 2349,"
        " 0.975, 0.961, 0.957, 0.985)",
    )
    with bench.platform.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum (full, analyze) candidate.person")


def add_up(report: Report) -> None:
    """All stations of this run one after the other, against all their floors: goal G1 without what Dagster adds."""
    stations = {LOAD, STAGE, LINK, BUILD_MASTER, STAMP}
    lines = [one for one in report.findings if one.what in stations]
    ours = sum((one.ours for one in lines if one.ours), Cost(0, 0))
    least = sum((one.floor for one in lines if one.floor), Cost(0, 0))
    report.findings.append(
        Finding(
            "stations", "all lists to a release", lines[0].rows, ours, least, "the sum of the floors",
            goal=Goal.at_most("G1", ours.wall / least.wall, 2),
        )
    )  # fmt: skip
