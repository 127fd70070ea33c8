"""Ingest of large files: against COPY of the same bytes, in memory, and what reading a workbook costs."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from ingest.readers.files import read_file
from tests.bench import floors
from tests.bench.platform import Bench
from tests.bench.report import Finding, Goal, Report

SIZES: Final = (100_000, 1_000_000)
WORKBOOK_ROWS: Final = 50_000
MEBIBYTE: Final = 1 << 20


class PeakMemory:
    """Largest resident memory of this process and those it started, sampled; in bytes.

    What the bench itself holds when it begins is in it.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.2):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)


def large_register(content: bytes, rows: int) -> Iterator[bytes]:
    """Lines of a register of so many rows in GB18030: the given one again and again, with other household numbers.

    One by one: what the bench holds in memory itself would be counted as ingest's.
    """
    header, *lines = content.decode("utf-8-sig").splitlines(keepends=True)
    yield header.encode("gb18030")
    for row in range(rows):
        round_no, place = divmod(row, len(lines))
        line = lines[place]
        yield (f"WJ{10 + round_no:02d}{line[4:]}" if line.startswith("WJ") else line).encode("gb18030")


def measure_large_files(
    bench: Bench,
    report: Report,
    register: bytes,
    scratch: Path,
    ingest: Callable[[Path], None],
    forget: Callable[[], None],
) -> None:
    """Files of two sizes in turns with their floor, and the memory of all processes but the server's."""
    folder = scratch / "large" / "community" / "household_register"
    folder.mkdir(parents=True)
    for rows in SIZES:
        path = folder / f"家庭信息登记表{rows}_202608.csv"
        with path.open("wb") as file:
            file.writelines(large_register(register, rows))
        with PeakMemory() as memory:
            ours, least = bench.meter.in_turns(
                1,
                lambda: ingest(scratch / "large"),
                partial(floors.copy_text, bench.platform.engine, path, "gb18030"),
                before_ours=forget,
            )
        path.unlink()
        report.findings.append(
            Finding(
                "ingest", f"{rows:,} rows of GB18030 csv to raw", rows, ours, least, "COPY of the same bytes",
                goal=Goal.at_most("G10", ours.wall / least.wall, 6),
            )
        )  # fmt: skip
        report.findings.append(
            Finding(
                "ingest", f"… memory of all its processes, MiB ({rows:,} rows)", rows,
                figure=memory.peak / MEBIBYTE, goal=Goal.at_most("G10", memory.peak / MEBIBYTE, 1536),
            )
        )  # fmt: skip
    forget()


def measure_workbook(bench: Bench, report: Report, register: bytes, scratch: Path) -> None:
    """Our rows of a workbook, in turns with fastexcel's bare reading of it."""
    import fastexcel

    path = scratch / "register.xlsx"
    path.write_bytes(_workbook(register))
    content = path.read_bytes()

    def bare() -> Any:
        return fastexcel.read_excel(str(path)).load_sheet(0, header_row=None, dtypes="string").to_arrow()

    ours, least = bench.meter.in_turns(2, lambda: read_file(content, path.name), bare)
    speed = least.wall / ours.wall
    report.findings.append(
        Finding(
            "ingest", "xlsx read into rows; its speed as a share of fastexcel's", WORKBOOK_ROWS, ours, least,
            "fastexcel to Arrow", figure=speed, goal=Goal.at_least("G10", speed, 0.5),
        )
    )  # fmt: skip


def _workbook(register: bytes) -> bytes:
    import csv

    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("登记表")
    lines = csv.reader(
        io.StringIO(b"".join(large_register(register, WORKBOOK_ROWS)).decode("gb18030"), newline="")
    )
    for line in lines:
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
