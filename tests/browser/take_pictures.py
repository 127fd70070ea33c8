"""`make pictures`: the pictures of the README, taken anew from a demo's home (after `make demo`).

graph.png       the asset graph in the Dagster UI, all groups open
alert-mail.png  the HTML part of the newest mail about a refused release, as a mail program shows it
"""

import os
from email import policy
from email.parser import BytesParser
from pathlib import Path

import click
from playwright.sync_api import Browser, sync_playwright

from infra.settings import load_settings, project_folder
from tests.browser.conftest import CHROMIUM_FLAGS, find_chromium, running_ui

IMAGES = project_folder() / "docs" / "images"


@click.command()
@click.option("--home", type=click.Path(path_type=Path, exists=True), help="default: YIHU_HOME")
def main(home: Path | None) -> None:
    """Write docs/images."""
    home = (home or load_settings().home).resolve()
    environment = {**os.environ, "YIHU_HOME": str(home)}
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        picture_of_mail(browser, home)
        with running_ui(environment, home / "ui.log") as address:
            picture_of_graph(browser, address)
        browser.close()


# The code lists and the helpers of master would make the picture too tall to read.
SHOWN = 'not group:"s0_reference" and not key:"master/int*" and not key:"master/visit"'


def picture_of_graph(browser: Browser, address: str) -> None:
    """The lineage of the line with its groups open."""
    page = browser.new_page(viewport={"width": 1900, "height": 1560}, locale="zh-CN")
    page.goto(f"{address}/asset-groups")
    page.get_by_text("s6_publish").last.wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type(SHOWN)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.mouse.click(1200, 1400)
    page.wait_for_timeout(3000)
    page.keyboard.press("Alt+KeyE")
    page.get_by_text("int_person_record").first.wait_for()
    page.wait_for_timeout(8000)  # the layout is animated, states come in after it
    page.screenshot(path=IMAGES / "graph.png")


def picture_of_mail(browser: Browser, home: Path) -> None:
    """A real mail's HTML part, 720 px wide."""
    for path in sorted((home / "mails").glob("*.eml"), reverse=True):
        message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        if "未通过" in message["Subject"]:
            break
    else:
        raise click.ClickException(f"{home / 'mails'} 里没有发布被拒的邮件")
    body = message.get_body(("html",))
    assert body is not None
    page = browser.new_page(viewport={"width": 720, "height": 400}, locale="zh-CN")
    page.set_content(body.get_content())
    page.screenshot(path=IMAGES / "alert-mail.png", full_page=True)


if __name__ == "__main__":
    main()
