"""Texts about the current release: a summary for the terminal and a static page for leaders.

The summary is for data staff and gives exact counts. The page holds aggregates only, small numbers hidden
(`disclosure`), and needs no network. Neither shows a person. Not here: how a release comes about (`releases`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from infra.clock import BUSINESS_ZONE
from infra.errors import PermanentError
from publish.disclosure import SMALLEST_CELL, ProtectedColumn, protect_column, protect_count
from publish.stamping import Differences

_TABLE_NAMES: Final = {
    "person": "人员",
    "household": "家庭",
    "household_member": "居住关系",
    "source_record": "来源记录",
    "id_history": "编号沿革",
}
_STATUS_NAMES: Final = {"passed": "通过", "failed": "未通过", "insufficient": "证据不足"}
_DIFFERENCE_NAMES: Final = {
    "人员": {
        "新增": "persons_new",
        "离册": "persons_gone",
        "并入他人": "persons_merged",
        "换了家庭": "persons_moved",
        "信息有变": "persons_changed",
    },
    "家庭": {
        "新增": "households_new",
        "离册": "households_gone",
        "并入他户": "households_merged",
        "信息有变": "households_changed",
    },
}


def render_release_summary(engine: Engine) -> str:
    """The current release and the newest verdict in a few Chinese lines, with exact counts."""
    with _one_snapshot(engine) as connection:
        release = _current_release(connection)
        verdict = connection.execute(
            text("select * from quality.verdict order by judged_at desc, verdict_id desc limit 1")
        ).one_or_none()
    lines = ["当前发布：尚无发布。"] if release is None else _release_lines(release)
    if verdict is None:
        lines.append("最近判定：尚无判定。")
    else:
        lines.append(
            f"最近判定：{_STATUS_NAMES[verdict.status]}（数据日期 {verdict.as_of}，{_local(verdict.judged_at)}）"
            f"：{'；'.join(verdict.reasons) or '未说明理由'}"
        )
    return "\n".join(lines)


def percent(ratio: float | Decimal | None) -> str:
    """A ratio with two decimals of a percent, rounded down: 0.94999 is 94.99%, never the 95% it does not reach."""
    if ratio is None:
        return "—"
    return f"{(Decimal(str(ratio)) * 100).quantize(Decimal('0.01'), rounding=ROUND_FLOOR)}%"


def describe_accuracy(figures: Row[Any]) -> str:
    """Estimate, bound, target, interval and evidence of a release in one Chinese phrase."""
    evidence = (
        f"抽查 {figures.audited_household_count:,} 户 {figures.audited_field_count:,} 项，"
        f"正确 {figures.correct_field_count:,} 项"
    )
    if figures.accuracy_ratio is None or figures.lower_bound_ratio is None:
        return f"准确率无法估计（{evidence}），要求不低于 {percent(figures.target_ratio)}"
    return (
        f"准确率 {percent(figures.accuracy_ratio)}，置信下限 {percent(figures.lower_bound_ratio)}"
        f"（要求不低于 {percent(figures.target_ratio)}），"
        f"置信区间 {percent(figures.interval_lower_ratio)}–{percent(figures.upper_bound_ratio)}；{evidence}"
    )


def _release_lines(release: Row[Any]) -> list[str]:
    summary = release.summary
    counts = "，".join(f"{name} {summary['counts'][table]:,}" for table, name in _TABLE_NAMES.items())
    lines = [
        f"当前发布：第 {release.release_no} 期（数据日期 {release.as_of}，{_local(release.published_at)} 发布，"
        f"内容指纹 {release.content_hash[:12]}）",
        f"　　内容：{counts}",
        f"　　质量：{describe_accuracy(release)}",
    ]
    previous = summary["previous_release_no"]
    if previous is None:
        lines.append("　　变化：首次发布")
    else:
        differences = Differences.from_summary(summary).as_dict()
        for subject, names in _DIFFERENCE_NAMES.items():
            changes = "，".join(f"{name} {differences[key]:,}" for name, key in names.items())
            lines.append(f"　　与第 {previous} 期相比，{subject}：{changes}")
    return lines


# The page


@dataclass(frozen=True)
class CommunityColumn:
    """One column of the table of communities, as it may be shown; `widths` are bar lengths from 0 to 1."""

    title: str
    column: ProtectedColumn
    widths: tuple[float, ...]


_COMMUNITY_QUERY: Final = text(
    """
    with
    homes as (
        select
            coalesce(community_name, '未归社区') as community,
            count(*) as households,
            count(*) filter (where is_low_income) as low_income_households
        from published.household
        where valid_to is null
        group by 1
    ),
    people as (
        select
            coalesce(household.community_name, '未归社区') as community,
            count(*) as persons,
            count(*) filter (where person.is_disabled) as disabled_persons
        from published.person
        left join published.household on person.household_id = household.household_id
        where person.valid_to is null
        group by 1
    )
    select
        community,
        coalesce(households, 0) as households,
        coalesce(persons, 0) as persons,
        coalesce(low_income_households, 0) as low_income_households,
        coalesce(disabled_persons, 0) as disabled_persons
    from homes
    full join people using (community)
    order by community = '未归社区', persons desc, community
    """
)


def write_release_page(engine: Engine, folder: Path) -> Path:
    """Write the page of the current release as `release-<number>.html`; an older copy of it is replaced.

    Args:
        engine: Engine of the warehouse.
        folder: Where to write; made when missing.

    Raises:
        PermanentError: There is no release yet, or the folder cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    with _one_snapshot(engine) as connection:
        release = _current_release(connection)
        if release is None:
            raise PermanentError("生成发布页面", came="尚无发布", next_step="先完成一次通过判定的刷新")
        communities = connection.execute(_COMMUNITY_QUERY).all()
        earlier = connection.execute(
            text(
                "select release_no, as_of, published_at, accuracy_ratio, lower_bound_ratio, summary"
                " from release.release where published_at is not null and release_no <= :release_no"
                " order by release_no desc limit 8"
            ),
            {"release_no": release.release_no},
        ).all()
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda count: "—" if count is None else f"{count:,}"
    environment.filters["percent"] = percent
    environment.filters["local"] = _local
    columns = _community_columns(communities)
    page = environment.get_template("release.html").render(
        release=release,
        communities=[row.community for row in communities],
        columns=columns,
        accuracy=describe_accuracy(release),
        gauge=gauge(release),
        differences=_shown_differences(release),
        earlier=earlier,
        totals_shown=all(shown.column.total is not None for shown in columns[:2]),
        smallest=SMALLEST_CELL,
    )
    path = folder / f"release-{release.release_no}.html"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise PermanentError(
            "生成发布页面", came=f"{folder} 写不了（{error.strerror}）", next_step="检查该文件夹的权限"
        ) from None
    return path


def _community_columns(communities: Any) -> list[CommunityColumn]:
    columns = []
    for title, name in (
        ("家庭", "households"),
        ("人员", "persons"),
        ("低保家庭", "low_income_households"),
        ("持证残疾人", "disabled_persons"),
    ):
        column = protect_column([getattr(row, name) for row in communities])
        longest = max((cell or 0 for cell in column.cells), default=0) or 1
        # A hidden cell has no bar: its length would tell the number.
        columns.append(CommunityColumn(title, column, tuple((cell or 0) / longest for cell in column.cells)))
    return columns


def _shown_differences(release: Row[Any]) -> dict[str, dict[str, int | None]] | None:
    if release.summary["previous_release_no"] is None:
        return None
    differences = Differences.from_summary(release.summary).as_dict()
    shown: dict[str, dict[str, int | None]] = {}
    for subject, names in _DIFFERENCE_NAMES.items():
        counts = {name: differences[key] for name, key in names.items()}
        # These three add up to the change of the total, which the page shows.
        balance = [name for name in counts if name in ("新增", "离册", "并入他人", "并入他户")]
        protected = protect_column([counts[name] for name in balance]).cells
        shown[subject] = {name: protect_count(count) for name, count in counts.items()}
        shown[subject].update(zip(balance, protected, strict=True))
    return shown


def gauge(figures: Row[Any]) -> dict[str, float] | None:
    """Positions from 0 to 1 of the figures on a scale from `start` to 100 %; None where one is missing."""
    ratios = {
        "target": figures.target_ratio,
        "bound": figures.lower_bound_ratio,
        "lower": figures.interval_lower_ratio,
        "estimate": figures.accuracy_ratio,
        "upper": figures.upper_bound_ratio,
    }
    if None in ratios.values():
        return None
    shown = {name: min(1.0, float(ratio)) for name, ratio in ratios.items()}
    # The scale starts at the next full 5 % below everything shown on it, with room to the left.
    start = max(0.0, (min(shown.values()) * 100 - 1) // 5 * 5 / 100)
    return {"start": start, **{name: (ratio - start) / (1 - start) for name, ratio in shown.items()}}


# Reading


@contextmanager
def _one_snapshot(engine: Engine) -> Iterator[Connection]:
    """One release whole, whatever is published meanwhile."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("set transaction read only"))
        yield connection


def _current_release(connection: Connection) -> Row[Any] | None:
    return connection.execute(text("select * from published.release")).one_or_none()


def _local(moment: datetime) -> str:
    return moment.astimezone(BUSINESS_ZONE).strftime("%Y-%m-%d %H:%M")
