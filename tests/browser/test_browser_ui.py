"""What data staff do in the Dagster UI: see the graph, launch the line, read why the gate refused, see the folder watched.

The tests are one walk and build on each other: the sensor takes the deliveries in, then a person launches the line.
"""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, until

pytestmark = [pytest.mark.browser, pytest.mark.database, pytest.mark.xdist_group("browser")]

RUNS = """
query Runs($job: String!) {
  runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId status } } }
}
"""


def runs(page: Page, console: Console, job: str) -> list[dict]:
    """The runs of a job, newest first, as the UI itself asks for them."""
    answer = page.request.post(
        f"{console.address}/graphql", data=json.dumps({"query": RUNS, "variables": {"job": job}}),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    return answer.json()["data"]["runsOrError"]["results"]


def finished(page: Page, console: Console, job: str) -> dict | None:
    ended = [run for run in runs(page, console, job) if run["status"] in ("SUCCESS", "FAILURE", "CANCELED")]
    return ended[0] if ended else None


def test_the_graph_shows_the_stations(console, page):
    page.goto(f"{console.address}/asset-groups")
    for group in ("s1_ingest", "s2_staging", "s3_linkage", "s4_master", "s5_quality", "s6_publish"):
        expect(page.get_by_text(group).first).to_be_visible()


def test_the_landing_sensor_takes_new_files_in_by_itself(console, page):
    run = until("a run of ingest_deliveries", lambda: finished(page, console, "ingest_deliveries"), 240)
    assert run["status"] == "SUCCESS"
    loaded = dict(console.rows("select list_code, status from ops.delivery"))
    assert loaded == dict.fromkeys(
        ("low_income", "disabled", "family_doctor", "household_register", "visit"), "loaded"
    )


def test_a_person_launches_the_line_and_the_gate_refuses_it(console, page):
    page.goto(f"{console.address}/locations/orchestration.definitions/jobs/refresh_master")
    expect(page.get_by_text("整条线走一遍").first).to_be_visible()
    page.get_by_role("button", name="Materialize all").click()
    run = until("the run of refresh_master", lambda: finished(page, console, "refresh_master"), 240)
    assert run["status"] == "FAILURE", "no audits: the blocking check stops the run before the release"
    assert console.rows(f"select outcome from ops.refresh where run_id = '{run['runId']}'") == [
        ("gate_refused",)
    ]
    assert console.rows("select count(*) from published.person") == [(0,)]

    page.goto(f"{console.address}/runs/{run['runId']}")
    expect(page.get_by_text("quality__verdict").first).to_be_visible()
    expect(page.get_by_text("Failure").first).to_be_visible()


def test_the_check_says_in_chinese_why(console, page):
    page.goto(f"{console.address}/assets/quality/verdict?view=checks")
    expect(page.get_by_text("accuracy_reaches_the_target").first).to_be_visible()
    expect(page.get_by_text("置信下限达到目标").first).to_be_visible()
    expect(page.get_by_text("准确率证据不足").first).to_be_visible()


def test_an_asset_says_in_chinese_what_it_is_and_what_came(console, page):
    page.goto(f"{console.address}/assets/ops/delivery")
    expect(page.get_by_text("来件台账").first).to_be_visible()
    expect(page.get_by_text("接收行数").first).to_be_visible()
    page.goto(f"{console.address}/assets/linkage/record_link")
    expect(page.get_by_text("合并的重复记录").first).to_be_visible()


def test_what_runs_by_itself_is_listed(console, page):
    page.goto(f"{console.address}/automation")
    for name in (
        "refresh_master_nightly",
        "revise_archives_quarterly",
        "landing_sensor",
        "failed_run_sensor",
        "alert_sensor",
    ):
        expect(page.get_by_text(name).first).to_be_visible()
