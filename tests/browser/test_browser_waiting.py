"""What data staff do in the UI about what waits: see why and since when, open the launch form, decide, see it settled.

One walk: files arrive that the guards hold; a person reads the table, releases a delivery and confirms a community.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, until
from tests.browser.test_browser_ui import LOCATION, finished, shows
from tests.synthetic.identity import check_character

pytestmark = [pytest.mark.browser, pytest.mark.database, pytest.mark.xdist_group("browser")]

FOLDER = "civil_affairs/extreme_poverty"
HEADER = "姓名,身份证号,家庭住址,社区"
HELD_ID = "select delivery_id from ops.delivery where list_code = 'extreme_poverty' and status = 'held'"
GONE_ID = "select delivery_id from ops.partition_hold where status = 'open'"


def lines(*communities: str, nameless: int = 0) -> str:
    rows = []
    for number, community in enumerate(communities):
        first_17 = f"33010219{40 + number % 40}0101{number:03d}"
        rows.append(
            f"测试{'甲乙丙丁戊己庚辛壬癸'[number % 10]},{first_17}{check_character(first_17)},清水苑{number + 1}幢1单元101室,{community}"
        )
    return "\n".join([HEADER, *rows, *([f",,清水苑1幢,{communities[0]}"] * nameless)]) + "\n"


def picture(page: Page, name: str) -> None:
    """A look for people who ask for one."""
    if folder := os.environ.get("YIHU_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def launch(page: Page, console: Console, job: str, op: str, **values: str | int) -> str:
    """Fill in the launch form of a job and run it; the status it ended with."""
    page.goto(f"{console.address}/{LOCATION}/jobs/{job}/playground")
    editor = page.locator(".CodeMirror").first
    expect(editor).to_contain_text("delivery_id")  # the fields are there, to be filled in
    picture(page, f"{job}-empty")
    form = f"ops:\n  {op}:\n    config:\n" + "".join(
        f"      {name}: {value}\n" for name, value in values.items()
    )
    editor.evaluate("(element, text) => element.CodeMirror.setValue(text)", form)
    button = page.get_by_role("button", name="Launch run")
    expect(button).to_be_enabled()
    picture(page, f"{job}-form")
    before = finished(page, console, job)
    button.click()

    def ended() -> dict[str, str] | None:
        run = finished(page, console, job)
        return run if run != before else None

    run = until(f"a run of {job}", ended, 240)
    page.goto(f"{console.address}/runs/{run['runId']}")
    shows(page, op)
    picture(page, f"{job}-run")
    return run["status"]


def test_held_files_are_shown_with_why_and_what_to_do(console: Console, page: Page) -> None:
    folder = console.platform.folder / "landing" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    near, water = "近江社区", "在水社区"
    (folder / "特困202606.csv").write_text(lines(*[near] * 6, *[water] * 6))
    (folder / "特困202607.csv").write_text(lines(*[near] * 6))
    (folder / "特困202608.csv").write_text(lines(*[near] * 7, *[water] * 6, nameless=3))
    until("the files are taken in", lambda: console.platform.rows(HELD_ID), 240)
    until("the check has run", lambda: finished(page, console, "ingest_deliveries"), 240)
    page.goto(f"{console.address}/assets/ops/waiting")
    shows(page, "等待处理", "特困202608.csv", "confirm_partition_gone")
    picture(page, "waiting")
    page.goto(f"{console.address}/assets/ops/delivery?view=checks")
    page.get_by_text("no_delivery_waits_for_a_person").first.click()
    shows(page, "《特困人员名单》扣留 1 件；待确认的社区 1 个")
    picture(page, "check")


def test_the_form_says_what_is_expected(console: Console, page: Page) -> None:
    page.goto(f"{console.address}/{LOCATION}/jobs/release_delivery")
    shows(page, "放行一次扣留的来件", "yihu delivery unlock")
    picture(page, "release_delivery-job")
    status = launch(page, console, "release_delivery", "release", delivery_id=999, by="数据员甲", why="核实")
    assert status == "FAILURE"
    shows(page, "没有这次来件")


def test_a_person_releases_a_delivery(console: Console, page: Page) -> None:
    [(held,)] = console.platform.rows(HELD_ID)
    status = launch(
        page, console, "release_delivery", "release", delivery_id=held, by="数据员甲", why="三行确无身份信息"
    )
    assert status == "SUCCESS"
    assert console.platform.rows(
        "select status, released_by from ops.delivery where delivery_id = %s", [held]
    ) == [("loaded", "数据员甲")]
    page.goto(f"{console.address}/assets/ops/waiting")
    shows(page, f"来件 {held}：放行")
    picture(page, "waiting-after-release")
    # The other checks of the ledger keep what the last intake found.
    page.goto(f"{console.address}/assets/ops/delivery?view=checks")
    shows(page, "deliveries_look_like_their_lists")
    assert page.get_by_text("Not evaluated", exact=False).count() == 0
    picture(page, "checks-after-release")


def test_nothing_waits_when_the_community_was_delivered(console: Console, page: Page) -> None:
    """The released file has the community that the July file lacked: the question is closed by itself."""
    assert console.platform.rows(GONE_ID) == []
    page.goto(f"{console.address}/assets/ops/waiting")
    shows(page, "没有等待处理的来件")
    picture(page, "waiting-after")


def test_a_person_confirms_that_a_community_is_gone(console: Console, page: Page) -> None:
    folder = console.platform.folder / "landing" / FOLDER
    (folder / "特困202609.csv").write_text(lines(*["近江社区"] * 8))
    [(delivery,)] = until("the community is asked about", lambda: console.platform.rows(GONE_ID), 240)
    status = launch(
        page, console, "confirm_partition_gone", "confirm",
        delivery_id=delivery, community="在水社区", by="数据员乙", why="社区已撤并",
    )  # fmt: skip
    assert status == "SUCCESS"
    assert console.platform.rows(
        "select status, decided_by from ops.partition_hold where delivery_id = %s", [delivery]
    ) == [("confirmed_gone", "数据员乙")]
