"""What data staff do in the Dagster UI: see the graph, see the folder watched, launch the line, read why the gate refused.

The tests are one walk and build on each other: departments drop files, the sensor takes them in, a person launches the
line from the UI; queue, daemon and run worker carry it to the gate, which refuses a street that was never audited.
"""

from email import policy
from email.parser import BytesParser

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, until

pytestmark = [pytest.mark.browser, pytest.mark.database, pytest.mark.xdist_group("browser")]

STATIONS = ("s1_ingest", "s2_staging", "s3_linkage", "s4_master", "s5_quality", "s6_publish")
LOCATION = "locations/yihu"
RUNS = """
query Runs($job: String!) {
  runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId status } } }
}
"""


def finished(page: Page, console: Console, job: str) -> dict[str, str] | None:
    """The newest run of a job that has ended, as the UI itself asks for it."""
    answer = page.request.post(
        f"{console.address}/graphql", data={"query": RUNS, "variables": {"job": job}}, timeout=60_000
    )
    runs = answer.json()["data"]["runsOrError"]["results"]
    return next((run for run in runs if run["status"] in ("SUCCESS", "FAILURE", "CANCELED")), None)


def shows(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.get_by_text(text).first).to_be_visible()


def test_the_graph_shows_the_stations_in_order_of_flow(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/asset-groups")
    # The sidebar names each group too; the graph comes after it.
    boxes = [page.get_by_text(station, exact=True).last for station in STATIONS]
    for box in boxes:
        expect(box).to_be_visible()

    def left_to_right() -> bool:
        places = [(box.bounding_box() or {"x": 0})["x"] for box in boxes]
        return places == sorted(set(places))

    until("the stations stand from left to right", left_to_right, 60)


@pytest.mark.parametrize(
    ("station", "asset"),
    [
        ("s2_staging", "int_person_record"),
        ("s3_linkage", "record_link"),
        ("s5_quality", "verdict"),
        ("s6_publish", "archive"),
    ],
)
def test_a_station_shows_its_tables(console: Console, page: Page, station: str, asset: str) -> None:
    page.goto(f"{console.address}/{LOCATION}/asset-groups/{station}")
    expect(page.get_by_text(asset, exact=True).last).to_be_visible()


def test_what_runs_by_itself_is_listed_and_explained(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/automation")
    shows(page, "refresh_master_nightly", "revise_archives_quarterly")
    shows(page, "landing_sensor", "failed_run_sensor", "alert_sensor")
    page.goto(f"{console.address}/{LOCATION}/sensors/landing_sensor")
    shows(page, "看守来件文件夹")
    page.goto(f"{console.address}/{LOCATION}/schedules/refresh_master_nightly")
    shows(page, "每天凌晨 1:30（北京时间）")


def test_the_landing_sensor_takes_new_files_in_by_itself(console: Console, page: Page) -> None:
    console.drop_deliveries()
    run = until("a run of ingest_deliveries", lambda: finished(page, console, "ingest_deliveries"), 240)
    assert run["status"] == "SUCCESS"
    assert dict(console.platform.rows("select list_code, status from ops.delivery")) == dict.fromkeys(
        ("low_income", "disabled", "family_doctor", "household_register", "visit"), "loaded"
    )


def test_an_asset_says_in_chinese_what_it_is_and_what_came(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/assets/ops/delivery")
    shows(page, "来件台账", "接收行数", "家庭信息登记表")


def test_the_launch_form_explains_what_may_be_chosen(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/{LOCATION}/jobs/refresh_master")
    shows(page, "整条线走一遍")
    page.get_by_role("button", name="Materialize all").locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    page.locator(".CodeMirror-line", has_text="as_of").click()
    shows(page, "留空表示今天（北京时间）")


def test_a_person_launches_the_line_and_the_gate_refuses_it(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/{LOCATION}/jobs/refresh_master")
    page.get_by_role("button", name="Materialize all").click()
    run = until("the run of refresh_master", lambda: finished(page, console, "refresh_master"), 240)
    assert run["status"] == "FAILURE", "no audits: the blocking check stops the run before the release"
    assert console.platform.rows("select outcome from ops.refresh where run_id = %s", [run["runId"]]) == [
        ("gate_refused",)
    ]
    assert console.platform.rows("select count(*) from published.person") == [(0,)]

    page.goto(f"{console.address}/runs/{run['runId']}")
    shows(page, "Failure", "deliveries", "dbt_staging", "linkage", "dbt_master", "quality__verdict")
    shows(page, "判定未通过，这一版不发布")


def test_the_check_says_in_chinese_why(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/assets/quality/verdict?view=checks")
    shows(page, "accuracy_reaches_the_target", "Failed", "置信下限达到目标", "准确率证据不足")


def test_the_refusal_is_mailed_once(console: Console) -> None:
    mails = [
        BytesParser(policy=policy.default).parsebytes(mail.read_bytes()) for mail in console.sink.mails()
    ]
    assert ["未通过发布：准确率证据不足" in mail["Subject"] for mail in mails] == [True]
