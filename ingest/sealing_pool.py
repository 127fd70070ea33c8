"""Batches sealed in their order: in this process, or for large files in several beside it.

The other processes have the keys (they open the key file themselves) and no database. Not here: what sealing is
(``batch_sealing``).
"""

from __future__ import annotations

import marshal
import multiprocessing
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from itertools import islice
from typing import Final

from infra.errors import TransientError
from infra.protection import FieldProtector
from ingest.batch_sealing import BatchSealer, Delivery, Sealed
from ingest.batches import Batch, unpacked

_MOST_PROCESSES: Final = 4
_WAITING: Final = 2  # batches a process, sealed or on the way
_START_BATCHES: Final = 8

_sealer: BatchSealer | None = None


def sealed(
    batches: Iterator[Batch | bytes], protector: FieldProtector, delivery: Delivery
) -> Generator[Sealed]:
    """The batches of a delivery, sealed.

    Args:
        batches: In their order; as they come from the parser (bytes) or as they are.
        protector: Encrypts what the contract protects.
        delivery: What is the same for all of them.

    Raises:
        TransientError: One of the other processes was lost.
    """
    first = list(islice(batches, _START_BATCHES))
    here = BatchSealer(protector, delivery)
    if len(first) < _START_BATCHES or (os.cpu_count() or 1) < 2:
        yield from (here.seal(_opened(batch)) for batch in first)
        yield from (here.seal(_opened(batch)) for batch in batches)
        return
    processes = min(_MOST_PROCESSES, os.cpu_count() or 1)
    # Not forked from here: the run has threads, and what they hold would stay locked in the copy.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.sealing_pool"])
    pool = ProcessPoolExecutor(processes, context, _begin, (protector, delivery))
    waiting: deque[Future[Sealed]] = deque()
    try:
        for batch in first:
            waiting.append(pool.submit(_seal, batch))
        for batch in batches:
            if len(waiting) >= processes * _WAITING:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_seal, batch))
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor:
        raise TransientError(
            "加密来件的各行",
            came="加密进程意外中止（可能内存不足）",
            next_step="确认内存充足后重新运行；未登记的来件会再次读取",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(protector: FieldProtector, delivery: Delivery) -> None:
    global _sealer
    _sealer = BatchSealer(protector, delivery)


def _seal(batch: Batch | bytes) -> Sealed:
    assert _sealer is not None
    return _sealer.seal(_opened(batch))


def _opened(batch: Batch | bytes) -> Batch:
    return unpacked(marshal.loads(batch)) if isinstance(batch, bytes) else batch
