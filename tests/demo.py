"""`make demo`: a synthetic sub-district through the whole line, month by month, with a summary a person can read.

Real parts all the way: embedded PostgreSQL, the Dagster job of the UI, dbt, Splink, Great Expectations, mail over SMTP
to a server on loopback. Synthetic are the people, the lists (tests/synthetic) and the inspectors, who compare the work
sheets with the truth the generator knows.

Each month: the departments deliver and the line runs; the audit is drawn from what was built; the inspectors return
their sheets; the line runs again, and what is judged right is published.
"""

import os
import shutil
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from sqlalchemy import Engine, text

from infra.mail_sink import MailSink
from infra.settings import load_settings, project_folder
from tests.synthetic.deliveries import Rounds
from tests.synthetic.dirt import Dirt
from tests.synthetic.evaluate import Evaluation, evaluate
from tests.synthetic.every_list import EveryListRounds
from tests.synthetic.inspectors import inspect
from tests.synthetic.population import World

MARK = ".made-by-demo"


@click.command()
@click.option("--households", default=3000, show_default=True)
@click.option("--months", default=3, show_default=True)
@click.option("--seed", default=7, show_default=True)
@click.option("--first-month", default="2026-08", show_default=True, help="YYYY-MM")
def main(households: int, months: int, seed: int, first_month: str) -> None:
    """Run the demo in YIHU_HOME (default .yihu-demo)."""
    begun = time.monotonic()
    console = Console(highlight=False)
    os.environ.setdefault("YIHU_HOME", str(project_folder() / ".yihu-demo"))
    home = load_settings().home
    _clear(home)
    landing = home / "landing"
    landing.mkdir(parents=True)
    (home / MARK).touch()

    with MailSink(home / "mails") as sink:
        os.environ |= {
            "YIHU_SMTP_URL": sink.url,
            "YIHU_MAIL_FROM": "yihu@street.example",
            "YIHU_ALERT_RECIPIENTS": "data@street.example",
        }
        console.print(
            f"[bold]一户[/bold] 演示：{households} 户，{months} 个月，随机种子 {seed}，状态在 {home}\n"
        )
        rounds = EveryListRounds(
            World.create(seed, households, date.fromisoformat(f"{first_month}-01"), None),
            Dirt.default(),
            home / "synthetic",
        )
        exit_code = 1
        for number in range(months):
            exit_code = _month(console, rounds, _month_after(first_month, number), landing)
        _summary(
            console, home, evaluate(home / "crosswalk.csv", home / "synthetic" / "truth_rows.csv"), begun
        )
    sys.exit(exit_code)


def _clear(home: Path) -> None:
    """Remove what an earlier demo left; never a folder that no demo made."""
    from infra.postgres import EmbeddedServer

    if not home.exists():
        return
    if any(home.iterdir()) and not (home / MARK).exists():
        raise click.ClickException(f"{home} 不是演示留下的文件夹，不敢删除；请用 YIHU_HOME 指定另一个。")
    EmbeddedServer(home).remove()
    shutil.rmtree(home)


def _month_after(first_month: str, number: int) -> date:
    year, month = map(int, first_month.split("-"))
    years, index = divmod(month - 1 + number, 12)
    return date(year + years, index + 1, 1)


def _month(console: Console, rounds: Rounds, month: date, landing: Path) -> int:
    """One month of the street's life; returns the exit code of the last run of the line."""
    from orchestration import progress
    from orchestration.line import refresh_line
    from orchestration.platform import open_platform
    from publish.crosswalk import write_crosswalk
    from quality.audit import draw_audit

    as_of = (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    console.rule(f"[bold]{month:%Y年%m月}[/bold]  业务日期 {as_of}", align="left")
    shutil.copytree(rounds.deliver(month), landing, dirs_exist_ok=True)
    platform = open_platform()
    with progress.shown(progress.Display(console, f"{month:%m月} 来件")):
        outcome = refresh_line(landing, as_of, platform=platform)
    _say(console, platform.engine, outcome.outcome, outcome.failures)

    home = platform.settings.home
    write_crosswalk(platform.engine, home / "crosswalk.csv")
    drawn = draw_audit(platform.engine, month, as_of, home / "audits" / f"{month:%Y-%m}")
    inspection = inspect(
        drawn.sheets, home / "crosswalk.csv", home / "synthetic" / "truth", month, landing, seed=month.month
    )
    console.print(
        f"  抽查 {drawn.sample_count} 户（总体 {drawn.frame_count} 户），核查员交回 {len(inspection.returned)} 份核查表"
    )
    with progress.shown(progress.Display(console, f"{month:%m月} 核查表")):
        outcome = refresh_line(landing, as_of, platform=platform)
    _say(console, platform.engine, outcome.outcome, outcome.failures)
    write_crosswalk(platform.engine, home / "crosswalk.csv")
    return int(outcome.exit_code)


def _say(console: Console, engine: Engine, outcome: str, failures: tuple[str, ...]) -> None:
    words = {
        "released": "[green]判定通过，已发布[/green]",
        "unchanged": "[green]内容没有变化，沿用当前发布版[/green]",
        "gate_refused": "[yellow]判定不通过，未发布[/yellow]",
        "failed": "[red]运行失败[/red]",
    }
    console.print(f"  {words[outcome]}")
    if outcome == "gate_refused":
        with engine.connect() as connection:
            reasons = connection.execute(
                text("select reasons from quality.verdict order by verdict_id desc limit 1")
            ).scalar_one()
        for reason in reasons:
            console.print(f"    · {reason}", markup=False, soft_wrap=True)
    for failure in failures:
        console.print(f"    · {failure}", markup=False)
    if outcome == "failed":
        sys.exit(1)


def _summary(console: Console, home: Path, evaluation: Evaluation, begun: float) -> None:
    """What came of it all, and where to look next."""
    from orchestration.platform import open_platform
    from publish.report import render_release_summary

    platform = open_platform()
    console.rule("[bold]结果[/bold]", align="left")
    table = Table(title="来件", title_justify="left")
    for column in ("清单", "来件", "行数", "接收", "隔离", "提示"):
        table.add_column(column, justify="left" if column == "清单" else "right")
    with platform.engine.connect() as connection:
        for row in connection.execute(
            text(
                "select coalesce(c.title, d.list_code), count(*), sum(row_count), sum(accepted_count),"
                " sum(quarantined_count), sum(warning_count) from ops.delivery as d"
                " left join ops.contract as c using (list_code) group by 1 order by 1"
            )
        ):
            table.add_row(str(row[0]), *(f"{value:,}" for value in row[1:]))
        persons, households, records = connection.execute(
            text(
                "select (select count(*) from master.person), (select count(*) from master.household),"
                " (select count(*) from linkage.record_link where person_id is not null)"
            )
        ).one()
    console.print(table)
    console.print(
        f"人员 {persons:,}，居住家庭 {households:,}；{records:,} 条人员记录中归并重复 {records - persons:,} 条\n"
    )
    console.print(render_release_summary(platform.engine), markup=False)
    console.print(Panel(evaluation.table(), title="与合成真值对照（真实街道没有这一项）", title_align="left"))
    console.rule("[bold]接下来[/bold]", align="left")
    for what, how in (
        ("网页界面", f"YIHU_HOME={home} make ui"),
        (
            "查询",
            f'psql "$(YIHU_HOME={home} .venv/bin/yihu url --plain)" -c "select * from published.release"',
        ),
        ("告警邮件", home / "mails"),
        ("来件回执", home / "outbox"),
        ("发布页面", home / "releases"),
        ("停止数据库", f"YIHU_HOME={home} .venv/bin/yihu stop"),
    ):
        console.print(f"{what}：{how}", markup=False, soft_wrap=True)
    console.print(f"共用时 {time.monotonic() - begun:.0f} 秒")


if __name__ == "__main__":
    main()
