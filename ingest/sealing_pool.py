"""Batches sealed in their order: in this process, or for large files in several beside it.

The other processes have the keys (they open the key file themselves) and no database. They are started with the first
large delivery of a run and kept. Not here: what sealing is (``batch_sealing``).
"""

from __future__ import annotations

import gc
import marshal
import os
import queue
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from multiprocessing.connection import Connection
from typing import Final

from infra.errors import TransientError
from infra.protection import FieldProtector
from ingest.batch_sealing import BatchSealer, Delivery, Sealed
from ingest.batches import Batch, unpacked

_MOST_PROCESSES: Final = 4
_WAITING: Final = 2  # batches a process, sealed or on the way
_START_BATCHES: Final = 12
# A batch takes well under a second; a process that says nothing for so long was stopped, and is lost.
_SILENT_SECONDS: Final = 60


class SealingFault(Exception):
    """A batch on which the program itself fails; only the type of the error is told."""


class _Worker:
    """Another process that seals, and the connection to it."""

    def __init__(self, protector: FieldProtector) -> None:
        ours, theirs = socket.socketpair()
        for waiting in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, waiting, struct.pack("@ll", _SILENT_SECONDS, 0))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from ingest.sealing_pool import main; main()", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback may hold values
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LC_ALL": "C.UTF-8"},
            )
        self._connection = Connection(ours.detach())
        self._connection.send(protector)

    def begin(self, delivery: Delivery) -> None:
        """The batches that follow are of this delivery."""
        self._connection.send(delivery)

    def seal(self, batch: Batch | bytes) -> Sealed:
        """One batch.

        Raises:
            SealingFault: The program fails on it.
            EOFError, OSError: The process is gone, or has said nothing for too long.
        """
        self._connection.send(batch)
        answer = self._connection.recv()
        if isinstance(answer, str):
            raise SealingFault(answer)
        assert isinstance(answer, Sealed)
        return answer

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


class SealingPool:
    """Seals the deliveries of a run, one after the other. To be closed."""

    def __init__(self, protector: FieldProtector) -> None:
        self._protector = protector
        self._workers: list[_Worker] = []

    def __enter__(self) -> SealingPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the other processes."""
        while self._workers:
            self._workers.pop().close()

    def sealed(self, batches: Iterator[Batch | bytes], delivery: Delivery) -> Iterator[Sealed]:
        """The batches of a delivery, sealed.

        Args:
            batches: In their order; as they come from the parser (bytes) or as they are.
            delivery: What is the same for all of them.

        Raises:
            SealingFault: The program fails on a batch.
            TransientError: One of the other processes was lost.
        """
        first = list(islice(batches, _START_BATCHES))
        processes = min(_MOST_PROCESSES, os.cpu_count() or 1)
        if len(first) < _START_BATCHES or processes < 2:
            here = BatchSealer(self._protector, delivery)
            for batch in first:
                yield here.seal(_opened(batch))
            for batch in batches:
                yield here.seal(_opened(batch))
            return
        is_complete = False
        try:
            yield from self._sealed_beside(first, batches, delivery, processes)
            is_complete = True
        except (EOFError, OSError):
            raise TransientError(
                "加密来件的各行",
                came="加密进程意外中止（可能内存不足）或不再应答",
                next_step="确认内存充足后重新运行；未登记的来件会再次读取",
            ) from None
        finally:
            if not is_complete:
                self.close()  # batches are on their way

    def _sealed_beside(
        self, first: list[Batch | bytes], batches: Iterator[Batch | bytes], delivery: Delivery, processes: int
    ) -> Iterator[Sealed]:
        while len(self._workers) < processes:
            self._workers.append(_Worker(self._protector))
        free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            worker.begin(delivery)
            free.put(worker)

        def seal(batch: Batch | bytes) -> Sealed:
            worker = free.get()
            try:
                return worker.seal(batch)
            finally:
                free.put(worker)

        # A thread a process: it waits for the answer, so that neither side waits for the other to read.
        with ThreadPoolExecutor(processes) as threads:
            waiting: deque[Future[Sealed]] = deque(threads.submit(seal, batch) for batch in first)
            try:
                for batch in batches:
                    while len(waiting) >= processes * _WAITING:
                        yield waiting.popleft().result()
                    waiting.append(threads.submit(seal, batch))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def main() -> None:
    """Serve the parent, whose connection was inherited, until it is gone."""
    gc.disable()  # known texts by the ten thousand and no cycles: looking for dead ones took a tenth of the time
    connection = Connection(int(sys.argv[1]))
    try:
        protector: FieldProtector = connection.recv()
        sealer: BatchSealer | None = None
        while True:
            message = connection.recv()
            if isinstance(message, Delivery):
                sealer = BatchSealer(protector, message)
                gc.collect()
                continue
            assert sealer is not None
            try:
                answer: Sealed | str = sealer.seal(_opened(message))
            except Exception as error:  # noqa: BLE001 - what it holds stays here
                answer = type(error).__name__
            connection.send(answer)
    except (EOFError, OSError):
        return


def _opened(batch: Batch | bytes) -> Batch:
    return unpacked(marshal.loads(batch)) if isinstance(batch, bytes) else batch
