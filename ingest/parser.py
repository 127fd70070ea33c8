"""What is done with a file before its rows are judged, in a process of its own (`main`).

Here bytes of unknown origin meet parsers. The process has no keys and no database, and limits on memory and time; what
goes wrong in it is told by name only, never with a value. Its parent is ``parser_client``. Not here: what cells mean.
"""

from __future__ import annotations

import gc
import hashlib
import io
import marshal
import os
import re
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from typing import Any, BinaryIO, Final

from ingest.batches import batches_of, packed
from ingest.contract import Contract
from ingest.headers import missing_columns, normalise_header
from ingest.landing import LandedFile
from ingest.layout import Layout
from ingest.normalise.ids import parse_id
from ingest.normalise.numbers import with_numbers_hidden
from ingest.placing import contract_of, lay_out
from ingest.readers.delimited import stream_delimited
from ingest.readers.files import read_file
from ingest.readers.sheet import Content, UnreadableFile
from ingest.rows import ROUNDED_IDS_ENOUGH
from ingest.snapshot_dates import SnapshotDate, find_snapshot_date

# First byte of a message to the parent; the rest is marshalled.
BATCH, ANSWER, REFUSED, FAULT, NO_MEMORY = b"B", b"A", b"R", b"F", b"M"
STREAMED_BYTES: Final = 4_000_000  # text files above this are not held in memory
_HEAD_BYTES: Final = 65536
_BUFFER: Final = 1 << 20
_ROUNDED: Final = re.compile(rb"(?<![0-9])(?:[0-9]{15}000(?![0-9])|[0-9](?:\.[0-9]+)?[Ee]\+?1[0-9])")
_LONGEST_NUMBER: Final = 32


@dataclass(frozen=True)
class Limits:
    """What the process may use.

    Attributes:
        memory_bytes: Of address space.
        cpu_seconds: For one request.
        silent_seconds: Without a sign of progress.
    """

    memory_bytes: int = 1_200_000_000
    cpu_seconds: int = 300
    silent_seconds: float = 30


@dataclass(frozen=True)
class Look:
    """Request: does the file belong where it lies, and of which day does it speak?"""

    file: LandedFile
    arrival_day: date
    as_of: date | None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Rows:
    """Request: all rows of the file, as a delivery of the list of its folder."""

    file: LandedFile
    password: str | None = field(default=None, repr=False)


class _PositionedFile(io.RawIOBase):
    """The file behind a descriptor from its beginning, whatever others have read of it.

    Read to its end without a jump, it leaves its SHA-256 in `digests`.
    """

    def __init__(self, descriptor: int, digests: list[str]) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._digests = digests
        self._digest = hashlib.sha256()
        self._is_whole = True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        target = max(0, (os.fstat(self._descriptor).st_size if base is None else base) + offset)
        self._is_whole = self._is_whole and target == self._position
        self._position = target
        return target

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        if self._is_whole and count:
            self._digest.update(memoryview(buffer)[:count])
        elif self._is_whole:
            self._digests.append(self._digest.hexdigest())
        return count


class _File:
    """A file to be read: its sheets, and the fingerprint of the bytes its rows came from."""

    def __init__(self, descriptor: int, file: LandedFile, password: str | None) -> None:
        self._descriptor = descriptor
        self._file = file
        self._password = password
        self.digests: list[str] = []

    def content(self) -> Content:
        """Its sheets.

        Raises:
            UnreadableFile: With the reason for the supplier.
        """
        if self._file.size > STREAMED_BYTES and self._begins_as_text():
            return stream_delimited(self._open, self._file.size)
        with self._open() as file:
            return read_file(file.read(), self._file.file_name, self._password)

    def seem_rounded(self) -> bool:
        """Whether a text file has several ids that look as if a spreadsheet had rounded them and fail their check."""
        found, end = 0, b""
        with self._open() as file:
            while found < ROUNDED_IDS_ENOUGH and (block := file.read(_BUFFER)):
                for number in _ROUNDED.findall(end + block):
                    found += parse_id(number.decode("ascii")).finding == "id_rounded"
                end = block[-_LONGEST_NUMBER:]
        return found >= ROUNDED_IDS_ENOUGH

    def _begins_as_text(self) -> bool:
        with self._open() as file:
            head = file.read(_HEAD_BYTES)
        whole_lines = head[: head.rfind(b"\n") + 1]
        try:
            return read_file(whole_lines, self._file.file_name).how.get("格式") == "文本"
        except UnreadableFile:
            return False

    def _open(self) -> BinaryIO:
        return io.BufferedReader(_PositionedFile(self._descriptor, self.digests), _BUFFER)


def look(request: Look, descriptor: int, contracts: Mapping[str, Contract]) -> SnapshotDate:
    """The day a file speaks of.

    Raises:
        UnreadableFile: It is not in its place, or cannot be read as what it should be.
    """
    source = _File(descriptor, request.file, request.password)
    contract = contract_of(contracts, request.file, source.content)
    layout = lay_out(contracts, contract, source.content())
    return find_snapshot_date(
        layout.tables, request.file.file_name, request.arrival_day, request.as_of, request.file.sub_folder
    )


def serve(connection: Connection, descriptors: socket.socket) -> None:
    """Answer requests until the parent is gone."""
    contracts, limits = connection.recv()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what is in memory here is nobody's to keep
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    gc.set_threshold(50_000, 20, 50)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        _, received, _, _ = socket.recv_fds(descriptors, 1, 1)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(usage.ru_utime + usage.ru_stime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent + limits.cpu_seconds, resource.RLIM_INFINITY))
        try:
            _answer(connection, request, received[0], contracts)
        except UnreadableFile as refusal:
            _send(connection, REFUSED, (refusal.code, refusal.reason))
        except (BrokenPipeError, ConnectionResetError):
            return
        except MemoryError:
            _send(connection, NO_MEMORY, None)
            return
        except Exception as error:  # noqa: BLE001 - one bad file never stops the others; what it holds stays here
            _send(connection, FAULT, type(error).__name__)
        finally:
            os.close(received[0])


def _answer(
    connection: Connection, request: Look | Rows, descriptor: int, contracts: Mapping[str, Contract]
) -> None:
    if isinstance(request, Look):
        snapshot = look(request, descriptor, contracts)
        _send(connection, ANSWER, (snapshot.value.isoformat(), snapshot.source))
        return
    source = _File(descriptor, request.file, request.password)
    contract = contracts[request.file.list_code]
    content = source.content()
    layout = lay_out(contracts, contract, content)
    missing = sorted({name for _, header in layout.tables for name in missing_columns(header, contract)})
    _send(connection, ANSWER, (described(layout, content, contract), missing, source.seem_rounded()))
    for batch in batches_of(layout, contract):
        _send(connection, BATCH, packed(batch))
    _send(connection, ANSWER, (layout.notes, source.digests[-1]))


def described(layout: Layout, content: Content, contract: Contract) -> dict[str, Any]:
    """How the delivery was laid out, for data staff and receipts; headers only, no values."""
    columns = {column.name: column for column in contract.columns}
    tables = []
    for sheet, header in layout.tables:
        headers = {name: with_numbers_hidden(written) for name, written in header.match.headers.items()}
        tables.append(
            {
                "sheet": sheet.title,
                "header_row": sheet.rows[header.first].number,
                "columns": headers,
                "unknown": [
                    text
                    for text in header.match.unknown
                    if len(text) <= 20 and not any(c.isdigit() for c in text)
                ],
                "renamed": {
                    columns[name].header: written
                    for name, written in headers.items()
                    if normalise_header(written) != normalise_header(columns[name].header)
                },
            }
        )
    return {"read_as": content.how, "tables": tables}


def _send(connection: Connection, kind: bytes, message: Any) -> None:
    connection.send_bytes(kind + marshal.dumps(message, 2))


def main() -> None:
    """Serve the parent, whose connection and socket for descriptors were inherited."""
    connection = Connection(int(sys.argv[1]))
    with socket.socket(fileno=int(sys.argv[2])) as descriptors:
        serve(connection, descriptors)
    os._exit(0)  # nothing to tidy up; and a parser's own thread must not hold the process
