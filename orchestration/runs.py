"""Small queries the wrappers share: the refresh log, and counts to show in the UI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import dagster as dg
from sqlalchemy import Engine, Row, text

from infra.clock import utc_now
from infra.errors import PermanentError
from quality.validation import CheckResult

# What users read for the codes of ops.delivery and of check results.
STATUS_NAMES: Final = {"loaded": "接收", "held": "扣留", "refused": "拒收", "duplicate": "重复"}
_SEVERITY_NAMES: Final = {"error": "错误", "warn": "提示"}


def open_refresh(engine: Engine, as_of: date, run_id: str) -> int:
    """Log a refresh and make its business date the one every model runs as of.

    Idempotent for one run: a step tried again finds its row.
    """
    with engine.begin() as connection:
        known = connection.execute(
            text("select refresh_id from ops.refresh where run_id = :run_id"), {"run_id": run_id}
        ).scalar()
        if known is not None:
            return int(known)
        return int(
            connection.execute(
                # The clock that stamps deliveries: theirs are told from earlier ones by it.
                text(
                    "insert into ops.refresh (as_of, run_id, started_at) values (:as_of, :run_id, :started_at)"
                    " returning refresh_id"
                ),
                {"as_of": as_of, "run_id": run_id, "started_at": utc_now()},
            ).scalar_one()
        )


def close_interrupted(engine: Engine, instance: dg.DagsterInstance, run_id: str) -> None:
    """Write how earlier refreshes ended that could not say so themselves.

    To be called by the run `run_id` while it holds the refresh lock: whoever opened a refresh and no longer holds the
    lock has ended. A run that was killed stays "started" in Dagster, and would for hours (reliability.md D8); it is
    failed there and here. A run that only took deliveries in ends as `ingested`: a sensor writes it, and here is
    written what the sensor did not get to.
    """
    with engine.connect() as connection:
        ended: list[str] = list(
            connection.execute(
                text("select run_id from ops.refresh where outcome is null and run_id <> :run_id"),
                {"run_id": run_id},
            ).scalars()
        )
    for other in ended:
        run = instance.get_run_by_id(other)
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run, "运行中断：进程已不在。下一次刷新从头计算，已登记的来件不会重复接入。"
            )
        is_done = run is not None and run.status == dg.DagsterRunStatus.SUCCESS
        close_refresh(engine, other, "ingested" if is_done else "failed")


def close_refresh(engine: Engine, run_id: str, outcome: str) -> None:
    """Write how the refresh of this run ended, if it has not been written yet."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "update ops.refresh set finished_at = now(), outcome = :outcome "
                "where run_id = :run_id and outcome is null"
            ),
            {"run_id": run_id, "outcome": outcome},
        )


def outcome_of(engine: Engine, run_id: str) -> str | None:
    """How the refresh of this run ended; None while it has not."""
    with engine.connect() as connection:
        return connection.execute(
            text("select outcome from ops.refresh where run_id = :run_id"), {"run_id": run_id}
        ).scalar()


def current_refresh_id(engine: Engine) -> int:
    """The refresh whose business date is in force. Raises PermanentError before the first one."""
    return int(_current_refresh(engine).refresh_id)


def current_as_of(engine: Engine) -> date:
    """The business date in force. Raises PermanentError before the first refresh."""
    as_of: date = _current_refresh(engine).as_of
    return as_of


def newest_as_of(engine: Engine) -> date | None:
    """The business date in force; None before the first refresh."""
    with engine.connect() as connection:
        as_of: date | None = connection.scalar(text("select as_of from ops.current_refresh"))
    return as_of


def _current_refresh(engine: Engine) -> Row[Any]:
    with engine.connect() as connection:
        current = connection.execute(text("select refresh_id, as_of from ops.current_refresh")).one_or_none()
    if current is None:
        raise PermanentError("读取业务日期", came="还没有任何一次刷新", next_step="先运行 yihu refresh")
    return current


@dataclass(frozen=True)
class ListTotal:
    """Rows of one list over all its loaded and held deliveries."""

    accepted: int
    quarantined: int


def delivery_totals(engine: Engine) -> dict[str, ListTotal]:
    """Accepted and quarantined rows by list."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "select list_code, sum(accepted_count), sum(quarantined_count) from ops.delivery "
                "where status in ('loaded', 'held') group by list_code"
            )
        )
        return {row[0]: ListTotal(int(row[1]), int(row[2])) for row in rows}


def deliveries_that_lost_rows(engine: Engine, list_codes: Sequence[str]) -> list[int]:
    """Deliveries whose rows in raw and quarantine are not the ledger's counts."""
    broken: list[int] = []
    with engine.connect() as connection:
        for code in list_codes:
            broken += connection.execute(
                text(
                    "select d.delivery_id from ops.delivery d "
                    f'where d.list_code = :code and ((select count(*) from raw."{code}" r '
                    "where r.delivery_id = d.delivery_id) <> d.accepted_count or (select count(*) "
                    "from ops.quarantined_row q where q.delivery_id = d.delivery_id) <> d.quarantined_count) "
                    "order by 1"
                ),
                {"code": code},
            ).scalars()
    return broken


def late_and_missing(engine: Engine) -> list[Row[Any]]:
    """Periods to be asked about: missing while nothing newer came, late while they are under way.

    Of a list that communities deliver each for itself, `communities` names those that are to be asked.
    """
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "select due.*, contract.title, coalesce(missing.names, late.names, '') as communities "
                    "from ops.delivery_due as due join ops.contract using (list_code) "
                    "left join lateral (select count(*) as count, "
                    "string_agg(community_name || '（' || days_late || ' 天）', '、' order by community_name) "
                    "filter (where status = 'late') as names from ops.delivery_due_community as community "
                    "where community.list_code = due.list_code and community.period_start = due.period_start"
                    ") as late on true "
                    "left join lateral (select string_agg(community_name, '、' order by community_name) as names "
                    "from ops.missing_community as community "
                    "where community.list_code = due.list_code and community.period_start = due.period_start"
                    ") as missing on true "
                    "where (due.status = 'missing' and (missing.names is not null or (late.count = 0 "
                    "and not exists (select from ops.delivery_due as newer "
                    "where newer.list_code = due.list_code and newer.period_start > due.period_start "
                    "and newer.first_delivery_id is not null)))) "
                    "or (due.status = 'late' and due.period_end >= due.as_of) "
                    "order by due.days_late desc, due.list_code, due.period_start"
                )
            )
        )


def row_count(engine: Engine, relation: str) -> int:
    """Rows of a table; `relation` comes from this package, never from outside."""
    with engine.connect() as connection:
        return int(connection.execute(text(f"select count(*) from {relation}")).scalar_one())


def check_result(results: Sequence[CheckResult], check_name: str | None = None) -> dg.AssetCheckResult:
    """One asset check out of the results of a suite: red when a check of severity error failed."""
    failed = [result for result in results if not result.is_passed]
    errors = [result for result in failed if result.severity == "error"]
    table = "\n".join(
        f"| {r.table_name} | {r.title} | {_SEVERITY_NAMES[r.severity]} | {r.checked_count} | {r.failed_count} |"
        for r in failed
    )
    return dg.AssetCheckResult(
        check_name=check_name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
        metadata={
            "期望数": len(results),
            "未通过": len(failed),
            "明细": dg.MetadataValue.md(
                f"| 表 | 期望 | 级别 | 检查行数 | 不符行数 |\n|---|---|---|---|---|\n{table}"
                if failed
                else "全部通过"
            ),
        },
    )


def describe_deliveries(engine: Engine, run_id: str) -> list[str]:
    """What a refresh took in, in a few Chinese lines; none for a run that opened no refresh.

    Counts by status, what waits for a person and why, and how many speak of a later day than the business date.
    """
    with engine.connect() as connection:
        taken = connection.execute(
            text(
                "select d.delivery_id, coalesce(c.title, d.list_code) as title, d.status, d.reason, d.row_count,"
                " d.accepted_count, d.quarantined_count from ops.delivery as d left join ops.contract as c using (list_code)"
                " where d.received_at >= (select started_at from ops.refresh where run_id = :run_id)"
                " order by d.delivery_id"
            ),
            {"run_id": run_id},
        ).all()
        as_of, early_count = connection.execute(
            text(
                "select r.as_of, (select count(*) from ops.delivery as d where d.status = 'loaded'"
                " and d.snapshot_date > r.as_of) from ops.refresh as r where r.run_id = :run_id"
            ),
            {"run_id": run_id},
        ).one_or_none() or (None, 0)
    if as_of is None:
        return []
    if taken:
        counts = "，".join(
            f"{name} {count}"
            for status, name in STATUS_NAMES.items()
            if (count := sum(row.status == status for row in taken))
        )
        lines = [
            f"本次来件 {len(taken)} 件（{counts}）：{sum(row.row_count for row in taken):,} 行，"
            f"接收 {sum(row.accepted_count for row in taken):,}，隔离 {sum(row.quarantined_count for row in taken):,}"
        ]
    else:
        lines = ["本次没有新来件。"]
    lines += [
        f"  来件 {row.delivery_id}《{row.title}》{STATUS_NAMES[row.status]}：{row.reason}"
        for row in taken
        if row.status in ("held", "refused")
    ]
    if early_count:
        lines.append(f"有 {early_count} 件来件的清单日期晚于业务日期 {as_of}，本次没有使用。")
    return lines


def newest_deliveries(engine: Engine, limit: int) -> list[str]:
    """One line a delivery, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "select delivery_id, list_code, coalesce(snapshot_date::text, '') as snapshot, status, row_count, "
                "accepted_count, quarantined_count, coalesce(reason, '') as reason "
                "from ops.delivery order by delivery_id desc limit :limit"
            ),
            {"limit": limit},
        ).all()
    return [
        f"{row.delivery_id:>5}  {row.list_code:<20} {row.snapshot:<12} {STATUS_NAMES[row.status]}  "
        f"行 {row.row_count} = 接收 {row.accepted_count} + 隔离 {row.quarantined_count}  {row.reason}"
        for row in rows
    ]


def resolve_id(engine: Engine, entity_id: str) -> str | None:
    """The id that `entity_id` points to now; None when unknown or retired."""
    with engine.connect() as connection:
        return connection.execute(
            text("select linkage.resolve(:entity_id)"), {"entity_id": entity_id}
        ).scalar()
