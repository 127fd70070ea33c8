"""The parent's side of the parsing process: one for a refresh, one file at a time, replaced when it is lost or bloated.

A process that dies, hangs or grows beyond its limits makes a refused file with its own reason, never a stop and never a
lost file. What is done in the process is said in ``parser``.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from multiprocessing.connection import Connection
from typing import Any, Final

from ingest.batches import RowStream
from ingest.contract import Contract
from ingest.landing import OpenFile
from ingest.parser import ANSWER, BATCH, FAULT, NO_MEMORY, REFUSED, Limits, Look, Rows
from ingest.readers.sheet import UnreadableFile
from ingest.snapshot_dates import SnapshotDate

# Rust and C say so before they give up; the only words of the process that are ever looked for.
_OUT_OF_MEMORY: Final = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Cannot allocate memory")
_FILES_IN_A_ROW: Final = 500
# So many times as long is waited where the machine is to blame for the silence.
_PATIENCE: Final = 4
# The file may not be to blame: the system or a person may have ended the process. It is read a second time, no more.
DIED: Final = "parser_died"

_REASONS: Final = {
    "parser_memory": "读取这个文件需要的内存超过上限，未接入。请删去空白行列和多余的格式，或分成几个文件，另存为 xlsx 或 CSV UTF-8 后重新报送。",
    "parser_time": "读取这个文件用时过长，未接入。请另存为 xlsx 或 CSV UTF-8 后重新报送；仍读不了的，请数据人员把文件交给开发人员。",
    DIED: "读取这个文件时程序意外中止，未接入。请用 Excel 或 WPS 打开检查，另存为 xlsx 或 CSV UTF-8 后重新报送；仍读不了的，请数据人员把文件交给开发人员。",
}


def program_fault(name: str) -> UnreadableFile:
    """Refusal of a file on which the program itself fails; `name` is the type of the error, nothing else of it."""
    return UnreadableFile(
        "program_fault",
        f"程序读不了这个文件（{name}）。请数据人员把文件交给开发人员；报送单位可先另存为 xlsx 或 CSV UTF-8 重新报送。",
    )


class Parser:
    """Reads files in another process. To be closed.

    Args:
        contracts: All contracts.
        limits: What the process may use.
        module: Whose `main` is run in it.
    """

    def __init__(
        self, contracts: Mapping[str, Contract], limits: Limits | None = None, module: str = "ingest.parser"
    ) -> None:
        self._contracts = contracts
        self._limits = limits or Limits()
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection
        self._descriptors: socket.socket
        self._words: int
        self._served = 0
        self._is_sending = False  # rows of which nobody has taken the last

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._connection.close()
            self._descriptors.close()
            self._process.kill()
            self._process.wait()
            os.close(self._words)
            self._process = None
        self._is_sending = False

    def look(
        self, file: OpenFile, arrival_day: date, as_of: date | None, password: str | None = None
    ) -> SnapshotDate:
        """Of which day a file speaks; the password opens an encrypted workbook.

        Raises:
            UnreadableFile: Why the file is refused, also when the process was lost over it.
        """
        is_fresh = self._process is None
        request = Look(file.file, arrival_day, as_of, password)
        try:
            value, source = self._ask(file, request)
        except UnreadableFile as refusal:
            # What earlier files left behind may have been to blame, or whoever ended the process; but see `DIED`.
            if refusal.code not in _REASONS or (is_fresh and refusal.code != DIED):
                raise
            value, source = self._ask(file, request)
        return SnapshotDate(date.fromisoformat(value), source)

    def rows(self, file: OpenFile, password: str | None = None) -> RowStream:
        """All rows of a file.

        Raises:
            UnreadableFile: As for `look`; also while the batches are taken.
        """
        if file.file.size > _BIG_FILE:
            self.close()
        layout, missing, seem_rounded = self._ask(file, Rows(file.file, password))
        self._is_sending = True
        parsed = RowStream(layout, missing, iter(()), [], seem_rounded)
        parsed.batches = self._batches(parsed)
        return parsed

    def _batches(self, parsed: RowStream) -> Iterator[bytes]:
        is_complete = False
        try:
            while True:
                kind, data = self._receive()
                if kind == BATCH:
                    yield data
                    continue
                is_complete, self._is_sending = True, False
                parsed.notes, parsed.sha256 = self._opened(kind, data)
                return
        finally:
            if not is_complete:
                self.close()  # it is still sending

    def _ask(self, file: OpenFile, request: Look | Rows) -> Any:
        self._start()
        try:
            self._connection.send(request)
            socket.send_fds(self._descriptors, [b"f"], [file.descriptor])
        except OSError:
            raise self._lost() from None
        return self._opened(*self._receive())

    def _receive(self) -> tuple[bytes, bytes]:
        """Kind and body of the next message."""
        try:
            self._wait()
            message = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise self._lost() from None
        return message[:1], message[1:]

    def _wait(self) -> None:
        """Wait for the next message; UnreadableFile when the process is silent for too long."""
        assert self._process is not None
        seconds = self._limits.silent_seconds
        for _ in range(_PATIENCE):
            _, used_before = _standing(self._process.pid)
            if self._connection.poll(seconds):
                return
            state, used = _standing(self._process.pid)
            # It would go on, were there a processor or a disk for it: a busy machine says nothing of the file.
            if state not in "RD" or (used - used_before) * 2 > seconds:
                break
        was_stopped = self._is_stopped()
        self.close()
        raise _refusal(DIED if was_stopped else "parser_time")

    def _opened(self, kind: bytes, data: bytes) -> Any:
        message = marshal.loads(data)
        if kind == ANSWER:
            return message
        if kind == REFUSED:
            raise UnreadableFile(*message)
        if kind == FAULT:
            raise program_fault(message)
        assert kind == NO_MEMORY
        self.close()
        raise _refusal("parser_memory")

    def _start(self) -> None:
        # Rows that were asked for and never begun are still on their way, and would be taken for the answer.
        if self._process is not None and self._served < _FILES_IN_A_ROW and not self._is_sending:
            self._served += 1
            return
        self.close()
        ours, theirs = socket.socketpair()
        self._descriptors, their_descriptors = socket.socketpair()
        self._words = (
            os.memfd_create("words") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_RDWR)
        )
        with theirs, their_descriptors:
            inherited = (theirs.fileno(), their_descriptors.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {self._module} import main; main()", *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=inherited,
                # Nothing of ours: neither the address of the database nor where the keys lie.
                env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LC_ALL": "C.UTF-8"},
            )
        self._connection = Connection(ours.detach())
        self._served = 1
        with contextlib.suppress(OSError):  # a process that is gone already shows when it is asked
            self._connection.send((self._contracts, self._limits))

    def _is_stopped(self) -> bool:
        """Whether somebody has stopped the process (SIGSTOP), so that its silence says nothing of the file."""
        assert self._process is not None
        options = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        result = os.waitid(os.P_PID, self._process.pid, options)
        return result is not None and result.si_code in (os.CLD_STOPPED, os.CLD_TRAPPED)

    def _lost(self) -> UnreadableFile:
        """The refusal of the file over which the process was lost."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        status = self._process.returncode
        words = os.pread(self._words, 1 << 16, 0)
        self.close()
        if status == -signal.SIGXCPU:
            return _refusal("parser_time")
        return _refusal("parser_memory" if any(word in words for word in _OUT_OF_MEMORY) else DIED)


_BIG_FILE: Final = 20_000_000


def _standing(pid: int) -> tuple[str, float]:
    """What a process is at (R: runs or waits for a processor, D: for a disk, …) and the seconds of processor it has used.

    Where the system does not tell (no /proc), it is at `?`.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return "?", 0.0
    return fields[0].decode(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _refusal(code: str) -> UnreadableFile:
    return UnreadableFile(code, _REASONS[code])
