"""The `yihu` command line: the jobs of the UI for people who have a terminal, and small looks into the platform.

No logic of its own: every command calls one entry point and prints what came of it.
"""

import sys
import traceback
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from infra.errors import PermanentError, TransientError, safe_message
from infra.settings import SettingsError, describe_settings, load_settings
from orchestration.gazetteer_cli import gazetteer


class _House(click.Group):
    """Shows the platform's own errors as one readable message instead of a stack."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except (PermanentError, TransientError, SettingsError) as error:
            click.secho(str(error), fg="red", err=True)
            sys.exit(4 if isinstance(error, TransientError) else 1)
        except click.ClickException:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: a stack without the values in its message
            click.echo("".join(traceback.format_tb(error.__traceback__)), err=True)
            click.secho(f"程序故障：{safe_message(error)}。请把以上内容交给开发人员。", fg="red", err=True)
            sys.exit(1)


@click.group(cls=_House, help="一户：一户一档登记平台。")
@click.version_option(package_name="yihu", message="yihu %(version)s")
def main() -> None:
    """Entry point of the `yihu` command."""


main.add_command(gazetteer)


def _as_date(_context: click.Context, _parameter: click.Parameter, value: datetime | None) -> date | None:
    return value.date() if value else None


DATE = click.DateTime(formats=["%Y-%m-%d"])


@main.command(
    help="把来件文件夹中的新文件走完整条线一遍。0 已发布（或内容无变化），3 判定不通过，其他为失败。"
)
@click.option("--landing", type=click.Path(exists=True, file_okay=False, path_type=Path), help="来件文件夹")
@click.option("--as-of", type=DATE, callback=_as_date, help="业务日期，默认今天（北京时间）")
def refresh(landing: Path | None, as_of: date | None) -> None:
    """Run the job refresh_master once, in this process."""
    from rich.console import Console

    from orchestration import progress
    from orchestration.line import refresh_line
    from orchestration.platform import open_platform
    from publish.report import render_release_summary

    console = Console()
    platform = open_platform()
    with progress.shown(progress.Display(console, "刷新户档")):
        outcome = refresh_line(landing, as_of, platform=platform)
    ending = {
        "released": "已发布新版。",
        "unchanged": "内容没有变化，沿用当前发布版。",
        "gate_refused": "判定不通过，本次未发布；当前发布版（如有）不变。",
        "failed": f"运行失败，当前发布版（如有）不变。运行编号 {outcome.run_id}，详情见 Dagster 界面。",
    }[outcome.outcome]
    lines = [*outcome.deliveries, ending, *(f"  {failure}" for failure in outcome.failures)]
    if outcome.outcome != "failed":
        lines.append(render_release_summary(platform.engine))
    click.echo("\n".join(lines))
    sys.exit(int(outcome.exit_code))


@main.command(help="从走访应用的数据库取数（YIHU_APP_URL）：只取新的和改过的行；不写清单代码就是全部清单。")
@click.argument("list_code", metavar="[LIST]", required=False)
@click.option("--whole", is_flag=True, help="不看水位，整张表读一遍；已取的行不会重复")
def pull(list_code: str | None, whole: bool) -> None:
    """Pull the lists of the visit app once, outside a refresh."""
    from infra.clock import utc_now
    from infra.warehouse import refresh_lock
    from ingest.app_source import pull_app
    from orchestration.platform import open_platform
    from orchestration.receipts import answer_suppliers
    from quality.alerts import queue_alerts

    platform = open_platform()
    if platform.settings.app_url is None:
        raise click.ClickException("没有设 YIHU_APP_URL（走访应用数据库的地址），见 docs/app_source.md。")
    with refresh_lock(platform.engine):
        pulls = pull_app(
            platform.engine, platform.protector, platform.settings, utc_now(), only=list_code, is_whole=whole
        )
    queue_alerts(platform.engine)
    answer_suppliers(platform)
    click.echo("\n".join(f"{pull.list_code}：{pull.said}" for pull in pulls))
    if any(pull.is_unreachable for pull in pulls):
        sys.exit(4)


@main.command(help="把最近一次构建（无论是否发布）的来源记录对照写成 CSV。")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def crosswalk(file: Path) -> None:
    """Write candidate.source_record as CSV."""
    from orchestration.platform import open_platform
    from publish.crosswalk import write_crosswalk

    click.echo(f"已写入 {write_crosswalk(open_platform().engine, file)} 行：{file}")


@main.command(help="打印正在运行的数据库的 SQLAlchemy 地址（管理员用，含密码）。")
@click.option("--plain", is_flag=True, help="psql 能用的写法")
def url(plain: bool) -> None:
    """Print the administrator's URL of the warehouse."""
    from orchestration.platform import open_platform

    click.echo(open_platform().warehouse.url("" if plain else "psycopg"))


@main.command(help="当前发布版与最近一次判定。")
def status() -> None:
    """Print the summary of the current release."""
    from orchestration.platform import open_platform
    from publish.report import render_release_summary

    click.echo(render_release_summary(open_platform().engine))


@main.command(help="打印全部设置项、当前值与含义（密码不显示）。")
def settings() -> None:
    """Print every variable of the environment that the platform reads."""
    values = load_settings()
    for variable in describe_settings():
        click.echo(f"{variable.name}  {variable.meaning}（默认：{variable.default}）")
        value = getattr(values, variable.name.removeprefix("YIHU_").lower())
        click.echo(f"    现在：{value if value not in (None, (), '') else '未设置'}")


@main.group(help="来件：查看、放行、拒收、提供密码、确认社区。")
def delivery() -> None:
    """Look at deliveries and decide about those that wait."""


@delivery.command("list", help="最近的来件。")
@click.option("--limit", default=30, show_default=True)
@click.option("--waiting", is_flag=True, help="只看等待处理的：为什么、怎样处理")
def delivery_list(limit: int, waiting: bool) -> None:
    """Print the newest ledger rows, or what waits for a person."""
    from orchestration.platform import open_platform
    from orchestration.runs import newest_deliveries
    from orchestration.waiting import waiting_lines

    engine = open_platform().engine
    if waiting:
        click.echo("\n".join(waiting_lines(engine)) or "没有等待处理的来件。")
    else:
        click.echo("\n".join(newest_deliveries(engine, limit)) or "还没有来件。")


@delivery.command("show", help="一次来件的全部：状态、改动、待确认的社区、谁作过什么决定。")
@click.argument("delivery_id", type=int)
def delivery_show(delivery_id: int) -> None:
    """Print what the ledger knows of one delivery."""
    from orchestration.platform import open_platform
    from orchestration.waiting import delivery_lines

    click.echo("\n".join(delivery_lines(open_platform().engine, delivery_id)))


@delivery.command("release", help="放行一次被扣留的来件（下次刷新起生效）。")
@click.argument("delivery_id", type=int)
@click.option("--by", required=True, help="放行人")
@click.option("--why", default="", help="依据；不要写个人信息")
def delivery_release(delivery_id: int, by: str, why: str) -> None:
    """Release a held delivery."""
    from ingest.holds import release_held
    from orchestration.decisions import tell_ui
    from orchestration.platform import open_platform
    from orchestration.receipts import answer_suppliers

    platform = open_platform()
    release_held(platform.engine, delivery_id, by, why)
    answer_suppliers(platform)
    tell_ui(platform, f"来件 {delivery_id}：放行")
    click.echo(f"来件 {delivery_id} 已由 {by} 放行，回执已更新；下次刷新起使用。")


@delivery.command("refuse", help="拒收一次被扣留的来件（不能撤销；更正后的文件重新放入即可）。")
@click.argument("delivery_id", type=int)
@click.option("--by", required=True, help="拒收人")
@click.option("--why", required=True, help="原因，写进回执；不要写个人信息")
def delivery_refuse(delivery_id: int, by: str, why: str) -> None:
    """Refuse a held delivery."""
    from ingest.holds import refuse_held
    from orchestration.decisions import tell_ui
    from orchestration.platform import open_platform
    from orchestration.receipts import answer_suppliers

    platform = open_platform()
    refuse_held(platform.engine, delivery_id, by, why)
    answer_suppliers(platform)
    tell_ui(platform, f"来件 {delivery_id}：拒收")
    click.echo(f"来件 {delivery_id} 已由 {by} 拒收，回执已更新；更正后的文件请重新放入同一文件夹。")


@delivery.command(
    "confirm-gone",
    help="确认社区在一次来件中没有对象（或少了很多）属实，也用于只有表头而被拒收的空表；漏报的不要确认，等补报。",
)
@click.argument("delivery_id", type=int)
@click.option(
    "--community",
    "communities",
    required=True,
    multiple=True,
    help="社区名称，可写多次；全街道一份的清单交来空表的，写 全街道",
)
@click.option("--by", required=True, help="确认人")
@click.option("--why", required=True, help="依据；不要写个人信息")
def delivery_confirm_gone(delivery_id: int, communities: tuple[str, ...], by: str, why: str) -> None:
    """Confirm that a delivery is right about communities it lacks."""
    from ingest.holds import confirm_partition_gone
    from orchestration.decisions import tell_ui
    from orchestration.platform import open_platform
    from orchestration.receipts import answer_suppliers

    platform = open_platform()
    for community in communities:
        confirm_partition_gone(platform.engine, delivery_id, community, by, why)
    answer_suppliers(platform)
    tell_ui(platform, f"来件 {delivery_id}：确认 {'、'.join(communities)}")
    click.echo(f"来件 {delivery_id} 的 {'、'.join(communities)} 已由 {by} 确认；下次刷新起生效。")


@delivery.command("unlock", help="为设有打开密码的来件提供一次密码并接入；密码不保存、不记录。")
@click.argument("delivery_id", type=int)
@click.option("--by", required=True, help="提供人")
@click.option("--landing", type=click.Path(exists=True, file_okay=False, path_type=Path), help="来件文件夹")
@click.option("--password-stdin", is_flag=True, help="从标准输入读密码（一行）；默认在屏幕上询问，不显示")
def delivery_unlock(delivery_id: int, by: str, landing: Path | None, password_stdin: bool) -> None:
    """Take in a delivery with its password."""
    from ingest.holds import unlock_held
    from orchestration.decisions import tell_ui
    from orchestration.platform import open_platform
    from orchestration.receipts import answer_suppliers
    from orchestration.runs import STATUS_NAMES

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("打开密码", hide_input=True)
    platform = open_platform()
    where = landing or platform.settings.landing
    outcome = unlock_held(platform.engine, platform.protector, where, delivery_id, password, by)
    answer_suppliers(platform)
    tell_ui(platform, f"来件 {delivery_id}：提供密码")
    click.echo(
        f"来件 {delivery_id} 已打开：{STATUS_NAMES[outcome.status]}，行 {outcome.row_count} = "
        f"接收 {outcome.accepted_count} + 隔离 {outcome.quarantined_count}。{outcome.reason or ''}"
    )


@main.command(help="生成填报模板（xlsx，带下拉选项和填表说明）；不写清单代码就是全部清单。")
@click.argument("list_codes", metavar="[LIST]...", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="存放处，默认 YIHU_HOME/templates",
)
def template(list_codes: tuple[str, ...], folder: Path | None) -> None:
    """Write the fill-in workbooks of some lists or of all."""
    from ingest.template import write_templates

    where = folder or load_settings().home / "templates"
    click.echo("\n".join(str(path) for path in write_templates(where, list_codes)))


@main.group(help="抽查：抽样、生成核查表。")
def audit() -> None:
    """Sampled re-visits."""


@audit.command("draw", help="按月抽样并生成核查表；同一个月再抽仍是同一批。")
@click.option("--month", required=True, type=click.DateTime(formats=["%Y-%m"]), help="抽查月份，如 2026-08")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="核查表存放处")
def audit_draw(month: datetime, folder: Path | None) -> None:
    """Draw the audit sample of a month from the newest build."""
    from orchestration.platform import open_platform
    from orchestration.runs import current_as_of
    from quality.audit import draw_audit

    platform = open_platform()
    where = folder or platform.settings.home / "audits" / f"{month:%Y-%m}"
    drawn = draw_audit(platform.engine, month.date(), current_as_of(platform.engine), where)
    click.echo(f"抽查 {drawn.sample_count} 户（总体 {drawn.frame_count} 户），核查表在 {where}")


@main.command(help="回退到上一个（或指定的）发布版。")
@click.option("--to", "to_release_no", type=int, help="第几期，默认上一个")
@click.option("--by", required=True, help="操作人")
@click.option("--why", required=True, help="原因")
def rollback(to_release_no: int | None, by: str, why: str) -> None:
    """Move the pointer back to an earlier release."""
    from orchestration.platform import open_platform
    from publish.releases import roll_back

    click.echo(f"当前发布版：第 {roll_back(open_platform().engine, to_release_no, by=by, why=why)} 期")


@main.command(help="恢复一个被撤回的发布版（回退之后，同样的内容不会自动再发布）。")
@click.argument("release_no", type=int)
@click.option("--by", required=True, help="操作人")
@click.option("--why", required=True, help="原因")
def reinstate(release_no: int, by: str, why: str) -> None:
    """Put the pointer forward again on a release that was taken back."""
    from orchestration.platform import open_platform
    from publish import releases

    click.echo(f"当前发布版：第 {releases.reinstate(open_platform().engine, release_no, by=by, why=why)} 期")


@main.command(help="清理旧发布版的行；当前版、可回退的版和季度档案保留。")
@click.option("--keep", default=14, show_default=True, help="可回退的版数")
def prune(keep: int) -> None:
    """Delete the rows of old releases."""
    from orchestration.platform import open_platform
    from publish.releases import prune_releases

    pruned = prune_releases(open_platform().engine, keep)
    click.echo(f"已清理的期：{'、'.join(map(str, pruned)) or '无'}")


@main.command(help="查一个编号现在指向谁（合并后的编号会一直可查）。")
@click.argument("entity_id")
def resolve(entity_id: str) -> None:
    """Follow an id to the one that survives."""
    from orchestration.platform import open_platform
    from orchestration.runs import resolve_id

    found = resolve_id(open_platform().engine, entity_id)
    click.echo(found or "没有这个编号，或它已注销")
    sys.exit(0 if found else 1)


@main.command(help="用现有记录重新训练匹配模型（平时不需要；之后的刷新使用新模型）。")
def train() -> None:
    """Train the linkage model on the records of the newest refresh."""
    from linkage.run import train_model
    from orchestration.platform import open_platform
    from orchestration.runs import current_as_of

    platform = open_platform()
    trained = train_model(platform.engine, platform.protector, current_as_of(platform.engine))
    click.echo(f"已用 {trained['trained_on_count']} 条记录训练，下次刷新起使用。")


@main.command(help="立即发送等待中的告警邮件。")
@click.option("--again", is_flag=True, help="连同已放弃的一起重发（先排除拒收的原因）")
def alerts(again: bool) -> None:
    """Deliver the outbox once."""
    from infra.mail import MailTransport
    from orchestration.platform import open_platform
    from quality.alerts import deliver_alerts, revive_alerts

    platform = open_platform()
    if again:
        revive_alerts(platform.engine)
    report = deliver_alerts(
        platform.engine, MailTransport.from_settings(platform.settings), platform.settings
    )
    click.echo(report.message)


@main.command(help="准备好这台机器：启动数据库、建表、解析 dbt 项目。")
def prepare() -> None:
    """Start and migrate the warehouse and parse the dbt project."""
    from orchestration.dbt_project import manifest_path
    from orchestration.platform import open_platform

    platform = open_platform()
    manifest_path()
    click.echo(f"已就绪。数据与状态在 {platform.settings.home}")


@main.command(help="核对：dbt 项目可解析，Dagster 定义可加载（不需要数据库）。")
def check() -> None:
    """Parse dbt and load the definitions, our own use of deprecated things being an error."""
    import warnings

    warnings.filterwarnings("error", category=DeprecationWarning, module=r"orchestration\.")
    from orchestration.checks import check_definitions

    click.echo(check_definitions())


@main.command(help="打开 Dagster 网页界面与守护进程（只在本机地址）。")
def ui() -> None:
    """Run the web server and the daemon until interrupted."""
    from orchestration.ui import serve

    sys.exit(serve())


@main.command(help="停止这个平台的内嵌数据库。")
@click.option("--and-remove", is_flag=True, help="同时删除它的全部数据（不可恢复）")
def stop(and_remove: bool) -> None:
    """Stop the embedded server, if it is the one configured and it runs."""
    from infra.postgres import EmbeddedServer

    values = load_settings()
    if values.warehouse_url is not None:
        raise click.ClickException("使用的是外部数据库，不由一户停止。")
    server = EmbeddedServer(values.home)
    click.echo("已停止。" if server.stop() else "没有在运行。")
    if and_remove:
        server.remove()
        click.echo("数据已删除。")
