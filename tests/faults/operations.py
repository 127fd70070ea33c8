"""Counts the SQL and file operations of this process, and lets one of them go wrong.

Belongs here: hooks on psycopg, `open` and `os`, installed in a throw-away process only. Not here: which operation goes
wrong (`sweep`), what is then done (`victim`). Reading in the parser's own process is not counted; it is killed from outside.
"""

import builtins
import errno
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

# What can happen around an operation. `deadlock`: the server refuses a statement and wants it tried again (F42).
FAULTS: Final = ("kill_before", "kill_after", "error_before", "answer_lost")
_RETRYABLE: Final = {
    "deadlock": psycopg.errors.DeadlockDetected,
    "serialization": psycopg.errors.SerializationFailure,
    "lock_timeout": psycopg.errors.LockNotAvailable,
}
# The disk is full for whoever writes, and broken for whoever reads.
_WRITES: Final = ("write", "create", "replace", "mkdir", "fsync", "link")


class Operations:
    """Counts from 1; at number `at` the fault happens.

    Args:
        trace: Gets a line an operation: number, kind, what it works on, and the clock when it began.
        watched: Files below these folders count.
        at: Number of the operation, 0 for none.
        fault: One of `FAULTS`, or the name of an error after which a server wants to be asked again.
        again_from: From that operation on every one goes wrong in the same way, not only this one.
    """

    def __init__(
        self, trace: Path, watched: list[str], at: int, fault: str, *, is_lasting: bool = False
    ) -> None:
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._write = os.write
        self._watched = tuple(watched)
        self._at = at
        self._fault = fault
        self._is_lasting = is_lasting
        self._is_inside = False
        self._descriptors: dict[int, str] = {}  # that are open, of watched files and folders
        self.count = 0

    def step(
        self, kind: str, detail: str, run: Callable[[], Any], connection: psycopg.Connection | None = None
    ) -> Any:
        """Do one operation, or what is to happen instead."""
        if self._is_inside:
            return run()
        self.count += 1
        line = f"{self.count}\t{kind}\t{detail}\t{time.monotonic()}\n"
        self._write(self._trace, line.encode("utf-8", "replace"))
        self._is_inside = True
        try:
            if not (self.count == self._at or (self._is_lasting and 0 < self._at <= self.count)):
                return run()
            if self._fault == "kill_before":
                os.kill(os.getpid(), signal.SIGKILL)
            if self._fault in _RETRYABLE:
                raise _RETRYABLE[self._fault]("injected")
            if self._fault == "error_before":
                raise _error(kind, connection)
            try:
                result = run()
            except Exception:
                if self._fault == "kill_after":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise
            if self._fault == "kill_after":
                os.kill(os.getpid(), signal.SIGKILL)
            if isinstance(result, io.IOBase):
                result.close()
            raise _error(kind, connection)
        finally:
            self._is_inside = False

    def is_watched(self, path: Any, folder: int | None = None) -> bool:
        """Whether operations on this path, or descriptor, count; a path may begin at the descriptor of a folder."""
        if isinstance(path, int):
            return path in self._descriptors
        if folder is not None:
            return folder in self._descriptors
        try:
            return os.path.abspath(os.fsdecode(path)).startswith(self._watched)
        except TypeError:
            return False

    def install(self) -> None:
        """Put the hooks in; they stay for the life of the process."""
        self._hook_sql()
        self._hook_open()
        self._hook_os()

    def _hook_sql(self) -> None:
        execute, executemany = psycopg.Cursor.execute, psycopg.Cursor.executemany
        copy, write, finish = psycopg.Cursor.copy, psycopg.Copy.write, psycopg.Copy.finish
        commit, rollback, connect = psycopg.Connection.commit, psycopg.Connection.rollback, psycopg.connect
        step = self.step

        def hooked_execute(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
            return step(
                "execute", _words(query), lambda: execute(cursor, query, *args, **options), cursor.connection
            )

        def hooked_executemany(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
            return step(
                "execute",
                _words(query),
                lambda: executemany(cursor, query, *args, **options),
                cursor.connection,
            )

        @contextmanager
        def hooked_copy(cursor: Any, statement: Any, *args: Any, **options: Any) -> Iterator[Any]:
            step("copy", _words(statement), lambda: None, cursor.connection)
            with copy(cursor, statement, *args, **options) as running:
                yield running

        def hooked_write(running: Any, data: Any) -> Any:
            return step("copy write", "", lambda: write(running, data), running.cursor.connection)

        def hooked_finish(running: Any, error: Any) -> Any:
            if error is not None:
                return finish(running, error)
            return step("copy end", "", lambda: finish(running, error), running.cursor.connection)

        psycopg.Cursor.execute = hooked_execute
        psycopg.Cursor.executemany = hooked_executemany
        psycopg.Cursor.copy = hooked_copy
        psycopg.Copy.write = hooked_write
        psycopg.Copy.finish = hooked_finish
        psycopg.Connection.commit = lambda self: step("commit", "", lambda: commit(self), self)
        psycopg.Connection.rollback = lambda self: step("rollback", "", lambda: rollback(self), self)
        psycopg.connect = lambda *args, **options: step(
            "connect", "", lambda: connect(*args, **options), None
        )

    def _hook_open(self) -> None:
        plain_open = io.open

        def hooked_open(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not self.is_watched(file):
                return plain_open(file, mode, *args, **options)
            is_written = bool(set(mode) & set("wxa+"))
            opened = self.step(
                "create" if is_written else "open",
                _name(file),
                lambda: plain_open(file, mode, *args, **options),
            )
            return _WrittenFile(self, opened, _name(file)) if is_written else opened

        io.open = builtins.open = hooked_open

    def _hook_os(self) -> None:
        plain_open, plain_read, plain_close = os.open, os.read, os.close
        descriptors = self._descriptors

        def hooked_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            def run() -> int:
                return plain_open(path, flags, mode, dir_fd=dir_fd)

            if not self.is_watched(path, dir_fd):
                return run()
            kind = "create" if flags & os.O_CREAT else "open"
            descriptor: int = self.step(kind, _name(path), run)
            descriptors[descriptor] = _name(path)
            return descriptor

        def hooked_read(descriptor: int, size: int) -> bytes:
            if descriptor not in descriptors:
                return plain_read(descriptor, size)
            data: bytes = self.step("read", descriptors[descriptor], lambda: plain_read(descriptor, size))
            return data

        def hooked_close(descriptor: int) -> None:
            descriptors.pop(descriptor, None)
            plain_close(descriptor)

        os.open, os.read, os.close = hooked_open, hooked_read, hooked_close
        for name, kind in (
            ("replace", "replace"), ("rename", "replace"), ("unlink", "unlink"), ("remove", "unlink"),
            ("mkdir", "mkdir"), ("rmdir", "unlink"), ("link", "link"), ("scandir", "scandir"),
        ):  # fmt: skip
            setattr(os, name, self._hooked(getattr(os, name), kind))
        plain_fsync = os.fsync
        os.fsync = lambda descriptor: self.step("fsync", "", lambda: plain_fsync(descriptor))

    def _hooked(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def hooked(path: Any = ".", *args: Any, **options: Any) -> Any:
            if not self.is_watched(path, options.get("dir_fd")):
                return function(path, *args, **options)
            name = self._descriptors[path] if isinstance(path, int) else _name(path)
            return self.step(kind, name, lambda: function(path, *args, **options))

        return hooked


class _WrittenFile:
    """A file whose writing counts; everything else is the file's own."""

    def __init__(self, operations: Operations, file: Any, name: str) -> None:
        self._operations = operations
        self._file = file
        self._name = name

    def write(self, data: Any) -> Any:
        return self._operations.step("write", self._name, lambda: self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def __enter__(self) -> "_WrittenFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _error(kind: str, connection: psycopg.Connection | None) -> Exception:
    if kind in ("open", "read", "scandir", "unlink"):
        return OSError(errno.EIO, os.strerror(errno.EIO))
    if kind in _WRITES:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if connection is not None:
        connection.close()  # as it is when the server is gone
    return psycopg.OperationalError("injected: the server closed the connection unexpectedly")


def _words(query: Any) -> str:
    return " ".join((query if isinstance(query, str) else repr(query)).split())[:90]


def _name(path: Any) -> str:
    return os.path.basename(os.fsdecode(path))
