"""`yihu gazetteer`: the gazetteer of compounds for data staff. Every command calls one entry point of ingest.

What changes the gazetteer also has the addresses read again with it; dbt and linkage follow at the next refresh.
"""

from pathlib import Path

import click

BY = click.option("--by", required=True, help="由谁决定（记入决定记录）")
_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(help="小区地名库：查看、核准、否决归纳出的建议，导入公安标准地址。")
def gazetteer() -> None:
    """What is known of compounds, and what waits for a person."""


@gazetteer.command("list", help="待定的建议，门牌多的在前。")
def list_proposals() -> None:
    """Print the open proposals."""
    from ingest.addresses.decisions import open_proposals
    from ingest.addresses.review import KINDS, said
    from orchestration.platform import open_platform

    lines = []
    for each in open_proposals(open_platform().engine):
        shared = (
            f"，共有门牌 {each.shared_door_count}、人 {each.shared_person_count}，相似度 {each.similarity}"
            if each.kind == "alias"
            else ""
        )
        lines.append(
            f"{each.proposal_id}  {KINDS[each.kind]}  {each.compound}  {each.community or '社区不详'}  {said(each)}；"
            f"门牌 {each.door_count}（写单元 {each.with_unit_count}，没写 {each.without_unit_count}）{shared}"
        )
    click.echo("\n".join(lines) or "没有待定的建议。")


@gazetteer.command(help="核准建议并立即用于全部已接入的地址。")
@click.argument("proposal_ids", type=int, nargs=-1, required=True)
@BY
def approve(proposal_ids: tuple[int, ...], by: str) -> None:
    """Approve proposals and read the addresses again."""
    from ingest.addresses import decisions
    from orchestration.platform import open_platform

    engine = open_platform().engine
    longer = decisions.approve(engine, proposal_ids, by)
    click.echo(f"已核准 {len(proposal_ids)} 条。")
    _tell_of_longer_names(longer)
    _rekey()


@gazetteer.command(help="否决建议；以后不再提出。")
@click.argument("proposal_ids", type=int, nargs=-1, required=True)
@BY
def reject(proposal_ids: tuple[int, ...], by: str) -> None:
    """Reject proposals."""
    from ingest.addresses import decisions
    from orchestration.platform import open_platform

    decisions.reject(open_platform().engine, proposal_ids, by)
    click.echo(f"已否决 {len(proposal_ids)} 条。")


@gazetteer.command("import", help="导入标准地址清单（CSV，表头见 export 写出的文件），并立即使用。")
@click.argument("file", type=_EXISTING_FILE)
@BY
def import_list(file: Path, by: str) -> None:
    """Import a partner's list and read the addresses again."""
    from ingest.addresses.entries import import_entries
    from orchestration.platform import open_platform

    click.echo(f"新增或改动 {import_entries(open_platform().engine, file, by)} 条。")
    _rekey()


@gazetteer.command(help="把地名库写成 CSV。")
@click.argument("file", type=_FILE)
def export(file: Path) -> None:
    """Write all entries."""
    from ingest.addresses.entries import export_entries
    from orchestration.platform import open_platform

    click.echo(f"已写入 {export_entries(open_platform().engine, file)} 条：{file}")


@gazetteer.command(help="把待定的建议写成审核表（xlsx）；加 --apply 则读入填好的审核表。")
@click.argument("file", type=_FILE)
@click.option("--apply", "is_filled_in", is_flag=True, help="读入填好的审核表")
@click.option("--by", help="由谁决定（读入时必填，记入决定记录）")
def review(file: Path, is_filled_in: bool, by: str | None) -> None:
    """Write the review sheet, or carry out what a person decided on it."""
    from ingest.addresses.review import apply_review, write_review
    from orchestration.platform import open_platform

    engine = open_platform().engine
    if not is_filled_in:
        click.echo(f"已写入 {write_review(engine, file)} 条建议：{file}")
        return
    if not by:
        raise click.UsageError("读入审核表要用 --by 写明由谁决定。")
    if not file.exists():
        raise click.UsageError(f"没有这个文件：{file}")
    count, longer = apply_review(engine, file, by)
    click.echo(f"已决定 {count} 条。")
    _tell_of_longer_names(longer)
    _rekey()


def _tell_of_longer_names(longer: list[str]) -> None:
    if longer:
        click.echo(
            f"请一并决定：{'、'.join(longer)}。它们以刚核准的小区名结尾，决定之前它们的地址没有门牌键。"
        )


def _rekey() -> None:
    from ingest.addresses.rekeying import rekey_addresses
    from ingest.contract import load_contracts
    from ingest.raw_tables import ensure_raw_tables
    from orchestration.platform import open_platform

    engine, contracts = open_platform().engine, load_contracts()
    ensure_raw_tables(engine, contracts)
    changed = rekey_addresses(engine, contracts)
    click.echo(f"已重新解析地址，改动 {sum(changed.values())} 行；下次刷新起用于户档。")
