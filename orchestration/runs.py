"""Small queries the wrappers share: the refresh log, and counts to show in the UI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
from sqlalchemy import Engine, text

from quality.validation import CheckResult


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
                text("insert into ops.refresh (as_of, run_id) values (:as_of, :run_id) returning refresh_id"),
                {"as_of": as_of, "run_id": run_id},
            ).scalar_one()
        )


def close_interrupted(engine: Engine, instance: dg.DagsterInstance, run_id: str) -> None:
    """Write how earlier refreshes ended that could not say so themselves.

    To be called by the run `run_id` while it holds the refresh lock: whoever opened a refresh and no longer holds the
    lock has ended. A run that was killed stays "started" in Dagster, and would for hours (reliability.md D8); it is
    failed there and here. A run that only took deliveries in has changed nothing that is published.
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
        close_refresh(engine, other, "unchanged" if is_done else "failed")


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
    """The refresh whose business date is in force."""
    with engine.connect() as connection:
        return int(connection.execute(text("select refresh_id from ops.current_refresh")).scalar_one())


def current_as_of(engine: Engine) -> date:
    """The business date in force."""
    with engine.connect() as connection:
        return connection.execute(text("select as_of from ops.current_refresh")).scalar_one()


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


def row_count(engine: Engine, relation: str) -> int:
    """Rows of a table; `relation` comes from this package, never from outside."""
    with engine.connect() as connection:
        return int(connection.execute(text(f"select count(*) from {relation}")).scalar_one())


def check_result(results: Sequence[CheckResult], check_name: str | None = None) -> dg.AssetCheckResult:
    """One asset check out of the results of a suite: red when a check of severity error failed."""
    failed = [result for result in results if not result.is_passed]
    errors = [result for result in failed if result.severity == "error"]
    table = "\n".join(
        f"| {r.table_name} | {r.check_name} | {r.severity} | {r.checked_count} | {r.failed_count} |"
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


def newest_deliveries(engine: Engine, limit: int) -> list[str]:
    """One line a delivery, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "select delivery_id, list_code, snapshot_date, status, row_count, accepted_count, "
                "quarantined_count, coalesce(reason, '') from ops.delivery order by delivery_id desc limit :limit"
            ),
            {"limit": limit},
        )
        return [
            f"{number:>5}  {code:<20} {snapshot or '':<12} {status:<10} 行 {rows} = 接收 {accepted} + 隔离 {set_aside}  {why}"
            for number, code, snapshot, status, rows, accepted, set_aside, why in rows
        ]


def resolve_id(engine: Engine, entity_id: str) -> str | None:
    """The id that `entity_id` points to now; None when unknown or retired."""
    with engine.connect() as connection:
        return connection.execute(
            text("select linkage.resolve(:entity_id)"), {"entity_id": entity_id}
        ).scalar()
