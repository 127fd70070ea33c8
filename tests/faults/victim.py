"""The process that is killed: what the line does with deliveries, in a fork for each attempt.

Belongs here: `main`, which loads everything once and then forks for each request that it reads, and the scenarios' acts.
Not here: when and how it is killed (`harness`). Started with `python -m tests.faults.victim`.
"""

import functools
import json
import os
import sys
import tempfile
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, make_url, text

from infra.errors import PermanentError, TransientError, safe_message
from infra.protection import FieldProtector
from infra.warehouse import make_engine
from ingest import deliveries, receipt_workbook, sealing_pool, storage
from ingest.addresses.learning import propose_entries
from ingest.addresses.rekeying import rekey_addresses
from ingest.arrivals import update_delivery_due
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.holds import confirm_partition_gone, refuse_held, release_held, unlock_held
from ingest.parser import Limits
from ingest.parser_client import Parser
from ingest.readers import files
from ingest.receipts import write_missing_receipts
from quality.alerts import queue_alerts
from quality.scorecard import score_suppliers
from quality.supplier_mails import queue_supplier_mails
from quality.suppliers import Supplier, Suppliers
from tests.faults.operations import Operations

ARRIVED: Final = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
AS_OF: Final = date(2026, 11, 24)
PASSWORD: Final = "甲乙丙123"
CONTRACTS: Final = load_contracts()
SUPPLIERS: Final = Suppliers({"civil_affairs": Supplier("区民政局", ("shuju@example.gov.cn",))}, 3)
_LOADED: Final = (receipt_workbook, files)  # imported before the fork


def take_in(engine: Engine, protector: FieldProtector, folder: Path) -> None:
    """What the assets from `deliveries` to `receipts` do, and the mails that are queued then."""
    ingest_landing(engine, protector, folder / "landing", ARRIVED, as_of=AS_OF)
    rekey_addresses(engine, CONTRACTS)
    propose_entries(engine, CONTRACTS)
    update_delivery_due(engine, AS_OF)
    score_suppliers(engine, AS_OF)
    answer(engine, folder)


def answer(engine: Engine, folder: Path) -> None:
    """Receipts, and the mails about them and about what waits."""
    write_missing_receipts(engine, folder / "outbox", folder / "home" / "receipts")
    queue_supplier_mails(engine, SUPPLIERS, AS_OF, ARRIVED)
    queue_alerts(engine)


def held_delivery(engine: Engine, what: str) -> int | None:
    """The delivery that a person decides on."""
    with engine.connect() as connection:
        number: int | None = connection.scalar(
            text(
                "select max(delivery_id) from ops.delivery where status = 'held' or "
                "(:what = 'confirm' and reason_code = 'community_missing')"
            ),
            {"what": what},
        )
    return number


def decide(
    engine: Engine, protector: FieldProtector, folder: Path, what: str, number: int | None, *, again: bool
) -> None:
    """What a person's decision does. Made again after a fault, it may stand already."""
    try:
        if number is None:
            raise PermanentError("决定", came="没有等待处理的来件")
        if what == "release":
            release_held(engine, number, "数据员甲", "已核对")
        elif what == "refuse":
            refuse_held(engine, number, "数据员甲", "旧表")
        elif what == "confirm":
            confirm_partition_gone(engine, number, "在水社区", "数据员甲", "已撤并")
        else:
            unlock_held(engine, protector, folder / "landing", number, PASSWORD, "数据员甲")
    except PermanentError:
        if not again:
            raise
    answer(engine, folder)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """One attempt; what came of it."""
    folder = Path(request["folder"])
    tempfile.tempdir = str(folder / "spool")
    if request.get("small_pieces"):
        # A small delivery then goes the ways of a large one: rows spill to disk, other processes seal.
        storage._SPOOLED_BYTES = 1
        sealing_pool._START_BATCHES = 1
    if request.get("silent_seconds"):
        limits = Limits(silent_seconds=request["silent_seconds"])
        deliveries.Parser = functools.partial(Parser, limits=limits)
        sealing_pool._SILENT_SECONDS = request["silent_seconds"]
    operations = Operations(
        Path(request["trace"]),
        [str(folder / name) for name in ("landing", "outbox", "spool", "home")],
        request.get("at", 0),
        request.get("fault", ""),
        is_lasting=request.get("is_lasting", False),
    )
    engine = make_engine(make_url(request["url"]))
    is_decision = request["scenario"] in ("release", "refuse", "confirm", "unlock")
    number = held_delivery(engine, request["scenario"]) if is_decision else None
    engine.dispose()  # nothing was counted yet
    if request.get("file_size_limit"):
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = request["file_size_limit"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    else:
        operations.install()
    try:
        protector = FieldProtector(folder / "home" / "field-keys.json")
        if is_decision:
            decide(engine, protector, folder, request["scenario"], number, again=request.get("again", False))
        else:
            take_in(engine, protector, folder)
    except (TransientError, PermanentError) as error:
        return {"outcome": type(error).__name__, "message": str(error)}
    except Exception as error:  # noqa: BLE001 - the harness judges which errors are right
        traceback.print_exc()
        return {"outcome": "other", "message": f"{type(error).__name__}: {safe_message(error)}"}
    return {"outcome": "done", "message": ""}


def main() -> None:
    """Fork for each line of standard input; answer with the child's number, and then with its status."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "w")
    while line := requests.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            result = run(request)
            Path(request["result"]).write_text(json.dumps(result), "utf-8")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        print(child, file=answers, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
