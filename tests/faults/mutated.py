"""Mutated files through the real entry of ingest: a named outcome each, in time, and no row lost.

Belongs here: the closed set of outcomes and the judgement of each file. Most files go the way of `ingest.deliveries` up to
the COPY (`way="memory"`: folder scan, fingerprint, parser process, judging, sealing); `way="database"` goes all the way.
"""

import marshal
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from infra.protection import FieldProtector
from ingest.batch_sealing import Delivery
from ingest.batches import unpacked
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.landing import opened, scan
from ingest.parser_client import Parser
from ingest.readers.sheet import UnreadableFile
from ingest.sealing_pool import SealingFault, SealingPool
from tests.faults.mutations import Mutated, mutated
from tests.faults.plain_reader import HOUSEHOLD, SPACES, count_members, count_rows, households
from tests.faults.victim import ARRIVED

CONTRACTS: Final = load_contracts()
LIST: Final = "household_register"
PLACE: Final = Path("community/household_register")
SECONDS: Final = 30.0
ARRIVAL: Final = date(2026, 11, 24)
# Every outcome a file may have; a fault of our program, a lost parser and a parser out of time or memory are none.
REFUSALS: Final = frozenset({
    "active_content", "binary_workbook", "cards_differ", "broken_quoting", "cells_too_far", "damaged_workbook", "doubled_header",
    "dtd_not_allowed", "empty_file", "encrypted_archive", "encryption_unknown", "garbled_text", "needs_password", "no_header",
    "no_rows", "no_sheet", "no_table", "not_a_table", "not_a_workbook", "not_decodable", "opendocument", "pdf", "too_large_unpacked",
    "too_many_rows", "too_many_tables", "web_archive", "wrong_list", "xml_not_a_workbook",
})  # fmt: skip
HOLDS: Final = frozenset({
    "required_column_missing", "too_many_quarantined", "older_snapshot", "count_far_off", "community_unknown",
    "columns_look_swapped",
})  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What came of a mutated file; `problem` is empty when that is right.

    Attributes:
        outcome: `rows`, or the code of a refusal.
        counted: Data rows by the independent reader; None when it could not read the file, or the file was refused.
    """

    file: Mutated
    outcome: str
    rows: int
    counted: int | None
    seconds: float
    problem: str


class Memory:
    """Takes files as ingest does, without the database. To be closed."""

    def __init__(self, folder: Path) -> None:
        self._landing = folder / "landing"
        (self._landing / PLACE).mkdir(parents=True)
        self._protector = FieldProtector(folder / "keys" / "field-keys.json")
        self._parser, self._pool = Parser(CONTRACTS), SealingPool(self._protector)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self._parser.close()
        self._pool.close()

    def take(self, file: Mutated) -> tuple[str, int]:
        """Outcome and number of rows, accepted and quarantined; `households` says whose they were."""
        self.households: Counter[str] = Counter()
        path = self._landing / PLACE / file.name
        path.write_bytes(file.content)
        (landed,) = scan(self._landing)
        try:
            with opened(landed) as content:
                snapshot = self._parser.look(content, ARRIVAL, None)
                rows = self._parser.rows(content)
                delivery = Delivery(
                    1, CONTRACTS[LIST], content.sha256, ARRIVAL, snapshot.value, tuple(rows.missing), rows.seem_rounded
                )  # fmt: skip
                sealed = list(self._pool.sealed(self._seen(rows.batches), delivery))
                assert rows.sha256 == content.sha256
        except UnreadableFile as refusal:
            return refusal.code, 0
        except SealingFault as fault:
            return f"program_fault {fault}", 0
        finally:
            path.unlink()
        accepted = sum(batch.accepted_count for batch in sealed)
        quarantined = sum(batch.quarantined_count for batch in sealed)
        for block, count in (("raw", accepted), ("quarantined", quarantined)):
            lines = b"".join(getattr(batch, block) for batch in sealed).count(b"\n")
            if lines != count:
                return f"{count} rows of {block} are counted, {lines} lines are there", accepted + quarantined
        return "rows", accepted + quarantined

    def _seen(self, batches: Iterator[bytes]) -> Iterator[bytes]:
        for batch in batches:
            for row in unpacked(marshal.loads(batch)):
                cells = (*row.delivered.values(), *row.surplus.values())
                texts = {cell.strip(SPACES) for cell in cells if isinstance(cell, str)}
                self.households.update(filter(HOUSEHOLD.fullmatch, texts))
            yield batch


class Database:
    """Takes files all the way into a database of its own."""

    def __init__(self, engine: object, folder: Path) -> None:
        self._engine = engine
        self._landing = folder / "landing"
        (folder / "keys").mkdir(parents=True, exist_ok=True)
        self._protector = FieldProtector(folder / "keys" / "field-keys.json")

    def take_all(self, files: list[Mutated]) -> list[tuple[str, int]]:
        """Outcomes of files that come at once."""
        if self._landing.exists():
            shutil.rmtree(self._landing)
        (self._landing / PLACE).mkdir(parents=True)
        for file in files:
            stem, _, suffix = file.name.rpartition(".")
            (self._landing / PLACE / f"{stem}{file.number}.{suffix}").write_bytes(file.content)
        outcomes = {
            outcome.file_name: outcome
            for outcome in ingest_landing(self._engine, self._protector, self._landing, ARRIVED)  # type: ignore[arg-type]
        }
        found = []
        for file in files:
            stem, _, suffix = file.name.rpartition(".")
            outcome = outcomes[f"{stem}{file.number}.{suffix}"]
            if outcome.status == "duplicate":
                found.append(("duplicate", 0))
            elif outcome.row_count:
                is_named = outcome.status == "loaded" or outcome.reason_code in HOLDS
                found.append(("rows" if is_named else str(outcome.reason_code), outcome.row_count))
            else:
                found.append((str(outcome.reason_code), 0))
        return found


def judged(
    file: Mutated, outcome: str, rows: int, seconds: float, found: Counter[str] | None = None
) -> Result:
    """Whether an outcome is right; `found`: in how many rows each household's number was found, where that is known."""
    problem, counted = "", None
    if seconds > SECONDS:
        problem = f"took {seconds:.0f} s"
    elif outcome == "rows":
        counted = count_members(file.content) if file.format == "cards" else count_rows(file.content)
        if counted is not None and rows < counted:
            problem = f"{counted - rows} rows are lost"
        elif found is not None and file.format != "cards" and (lost := households(file.content) - found):
            problem = f"rows of {', '.join(sorted(lost))} are lost, and others are too many"
    elif outcome not in REFUSALS and outcome != "duplicate":
        problem = f"no named outcome: {outcome}"
    return Result(file, outcome, rows, counted, seconds, problem)


def through_memory(folder: Path, numbers: range, seed: int) -> Iterator[Result]:
    """The files of these numbers, one after the other."""
    with Memory(folder) as memory:
        for number in numbers:
            file = mutated(number, seed)
            began = time.monotonic()
            outcome, rows = memory.take(file)
            yield judged(file, outcome, rows, time.monotonic() - began, memory.households)


def through_database(engine: object, folder: Path, numbers: range, seed: int) -> Iterator[Result]:
    """The same, all the way; they come in one folder."""
    files = [mutated(number, seed) for number in numbers]
    began = time.monotonic()
    outcomes = Database(engine, folder).take_all(files)
    seconds = (time.monotonic() - began) / len(files)
    for file, (outcome, rows) in zip(files, outcomes, strict=True):
        yield judged(file, outcome, rows, seconds)


def tally(results: list[Result]) -> Counter[str]:
    """How often each outcome came."""
    return Counter(result.outcome for result in results)
