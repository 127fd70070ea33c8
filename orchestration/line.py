"""Run the job `refresh_master` in this process: what `yihu refresh`, the demo and the tests call."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from pathlib import Path

import dagster as dg

from infra.mail import MailTransport
from infra.warehouse import refresh_lock
from orchestration import runs
from orchestration.platform import Platform, dagster_home, open_platform
from quality.alerts import deliver_alerts, queue_alerts


class ExitCode(IntEnum):
    """Exit codes of `yihu refresh` (deliveries.md)."""

    RELEASED = 0
    FAILED = 1
    REFUSED = 3
    BUSY = 4


@dataclass(frozen=True)
class LineOutcome:
    """How one refresh ended; `deliveries` and `failures` are lines for the person at the terminal."""

    outcome: str
    run_id: str
    deliveries: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 released or unchanged, 3 refused by the gate, 1 failed."""
        return {
            "released": ExitCode.RELEASED,
            "unchanged": ExitCode.RELEASED,
            "gate_refused": ExitCode.REFUSED,
        }.get(self.outcome, ExitCode.FAILED)


def refresh_line(
    landing: Path | None = None, as_of: date | None = None, *, platform: Platform | None = None
) -> LineOutcome:
    """Take everything new through the whole line once, as of a business date.

    The run is the job `refresh_master` of the UI and is seen there. Raises TransientError when another run holds the
    line.
    """
    platform = platform or open_platform()
    dagster_home(platform)
    from orchestration.definitions import defs

    with refresh_lock(platform.engine):
        pass  # says at once who is busy; the run itself takes the lock again as its resource
    run_config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "ops": {
            "ops__refresh": {"config": {"as_of": as_of.isoformat() if as_of else ""}},
            "deliveries": {"config": {"landing": str(landing.resolve()) if landing else ""}},
        },
    }
    with dg.DagsterInstance.get() as instance:
        # Dagster opens a connection for every event (over a thousand in a run, 8 s of it); what its web server uses
        # keeps them open. One process, so the reason against a pool, forked workers, does not hold here.
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=4)
        result = defs.resolve_job_def("refresh_master").execute_in_process(
            run_config=run_config, instance=instance, raise_on_error=False
        )
    run_id = result.run_id
    ended = runs.outcome_of(platform.engine, run_id)
    if ended is None:
        runs.close_refresh(platform.engine, run_id, "failed")
        queue_alerts(platform.engine, None)
        deliver_alerts(platform.engine, MailTransport.from_settings(platform.settings), platform.settings)
        ended = "failed"
    failures = tuple(
        f"{event.step_key}: {event.step_failure_data.user_failure_data.description}"
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    )
    return LineOutcome(ended, run_id, tuple(runs.describe_deliveries(platform.engine, run_id)), failures)
