"""The asset graph, as Dagster loads it: a change of the graph shows in this file."""

import dagster as dg
import pytest

from ingest.contract import load_contracts


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from orchestration.definitions import defs

    dg.Definitions.validate_loadable(defs)
    return defs


def keys(defs: dg.Definitions, schema: str) -> set[str]:
    return {key.path[-1] for key in defs.resolve_asset_graph().get_all_asset_keys() if key.path[0] == schema}


def test_the_stations_stand_in_the_graph(defs):
    contracts = load_contracts()
    assert keys(defs, "raw") == set(contracts)
    assert keys(defs, "ops") == {"refresh", "delivery", "waiting", "delivery_due", "receipt"}
    assert keys(defs, "staging") >= {f"stg_{c.department}__{code}" for code, c in contracts.items()} | {
        "int_person_record",
        "int_household_record",
        "int_visit",
    }
    assert keys(defs, "linkage") == {"record_link", "household_membership", "identity_event"}
    assert keys(defs, "master") >= {"person", "household", "household_member", "visit"}
    assert keys(defs, "candidate") == {
        "person",
        "household",
        "household_member",
        "source_record",
        "id_history",
    }
    assert keys(defs, "quality") == {"check_result", "verdict", "supplier_scorecard"}
    assert keys(defs, "published") == {"release"}
    assert keys(defs, "release") == {"archive"}


def test_nothing_reaches_the_release_but_through_the_verdict(defs):
    graph = defs.resolve_asset_graph()
    release, verdict = dg.AssetKey(["published", "release"]), dg.AssetKey(["quality", "verdict"])
    assert graph.get(release).parent_keys == {verdict}
    check = graph.get(dg.AssetCheckKey(verdict, "accuracy_reaches_the_target"))
    assert check.blocking


def test_linkage_runs_between_staging_and_master(defs):
    graph = defs.resolve_asset_graph()
    person = graph.get(dg.AssetKey(["master", "person"]))
    upstream, frontier = set(), {person.key}
    while frontier:
        frontier = {parent for key in frontier for parent in graph.get(key).parent_keys} - upstream
        upstream |= frontier
    assert dg.AssetKey(["linkage", "record_link"]) in upstream
    assert dg.AssetKey(["ops", "delivery"]) in upstream


def test_everything_a_person_sees_is_described_in_chinese(defs):
    graph = defs.resolve_asset_graph()
    bare = [
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if not any("\u4e00" <= letter <= "\u9fff" for letter in graph.get(key).description or "")
    ]
    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    bare += [job.name for job in jobs if not job.description]
    assert bare == []


def test_every_asset_has_a_station(defs):
    from orchestration.groups import GROUP_OF_SCHEMA

    graph = defs.resolve_asset_graph()
    assert {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if graph.get(key).group_name != GROUP_OF_SCHEMA[key.path[0]]
    } == set()


def test_jobs_schedules_and_sensors(defs):
    jobs = {job.name for job in defs.resolve_all_job_defs()} - {"__ASSET_JOB"}
    assert jobs == {
        "ingest_deliveries",
        "pull_app",
        "refresh_master",
        "revise_archives",
        "release_delivery",
        "refuse_delivery",
        "confirm_partition_gone",
    }
    nightly = defs.resolve_schedule_def("refresh_master_nightly")
    assert nightly.execution_timezone == "Asia/Shanghai"
    assert defs.resolve_schedule_def("pull_app_every_half_hour").execution_timezone == "Asia/Shanghai"
    assert {s.name for s in defs.sensors or []} == {
        "landing_sensor",
        "failed_run_sensor",
        "ingested_sensor",
        "alert_sensor",
    }
