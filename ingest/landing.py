"""The landing folder: which files lie there, and their bytes, read once from one descriptor.

The folder belongs to others: links, pipes, devices and growing files are told apart before anything is opened
for long (reliability.md F35, F36, B73 to B79). What the bytes mean is not said here.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.sheet import UnreadableFile

MAX_FILE_BYTES: Final = 200_000_000
_IGNORED: Final = re.compile(
    r"^(\.|~\$|~)|\.(tmp|part|partial|crdownload|swp|lock|bak)$|^(Thumbs\.db|desktop\.ini)$", re.IGNORECASE
)
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """A directory entry under ``<landing>/<department>/<list>/``.

    Attributes:
        department, list_code, file_name: As they may be shown and stored (`shown`).
        is_name_sound: Whether the file name could be decoded.
    """

    path: Path
    department: str
    list_code: str
    file_name: str
    modified_ns: int
    size: int
    is_regular: bool
    is_name_sound: bool

    @property
    def source_path(self) -> str:
        """Absolute path as text that any database takes."""
        return shown(str(self.path))


@dataclass(frozen=True)
class FileBytes:
    """The content of a landed file and its fingerprint (64 hex digits)."""

    content: bytes
    sha256: str


class StillChanging(Exception):
    """The file changed while it was read, or is gone: left for the next time."""


def scan(landing: Path) -> list[LandedFile]:
    """Everything that lies where deliveries lie, by path; hidden, temporary and lock files are not seen."""
    files = []
    for department in _folders(landing):
        for folder in _folders(department):
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _IGNORED.search(entry.name) or entry.is_dir(follow_symlinks=False):
                        continue
                    landed = _landed(Path(entry.path), department.name, folder.name)
                    if landed is not None:
                        files.append(landed)
    return sorted(files, key=lambda file: os.fsencode(file.path))


def read(file: LandedFile) -> FileBytes:
    """Read a landed file through one descriptor.

    Raises:
        UnreadableFile: Not a plain file, its name is undecodable, or it is too large or not permitted.
        StillChanging: Size or time changed meanwhile, or it is gone.
    """
    if not file.is_regular:
        raise UnreadableFile(
            "not_a_plain_file", "这不是普通文件（可能是快捷方式、链接或管道）。请放入文件本身。"
        )
    if not file.is_name_sound:
        raise UnreadableFile("undecodable_name", "文件名无法识别。请改用中文或英文文件名重新报送。")
    if file.size > MAX_FILE_BYTES:
        raise UnreadableFile("file_too_large", f"文件超过 {MAX_FILE_BYTES // 1_000_000} MB。请分批报送。")
    try:
        # O_NONBLOCK: a pipe put in the file's place meanwhile must not hang us.
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise StillChanging from None
    except OSError as error:
        raise UnreadableFile("not_permitted", f"文件打不开（{error.strerror}）。请检查文件权限。") from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableFile("not_a_plain_file", "这不是普通文件。请放入文件本身。")
        blocks, total = [], 0
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
            total += len(block)
            if total > file.size:  # growing as fast as we read
                raise StillChanging
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    expected = (file.modified_ns, file.size)
    if any((seen.st_mtime_ns, seen.st_size) != expected for seen in (before, after)) or total != file.size:
        raise StillChanging
    content = b"".join(blocks)
    return FileBytes(content, hashlib.sha256(content).hexdigest())


def shown(text: str) -> str:
    """A file name fit to show and store: undecodable bytes and control characters replaced, ids and phones masked."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else "\ufffd" for character in decoded)
    return with_numbers_hidden(printable)


def _folders(parent: Path) -> Iterator[Path]:
    try:
        with os.scandir(parent) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except FileNotFoundError:
        return
    for name in names:
        yield parent / name


def _landed(path: Path, department: str, list_code: str) -> LandedFile | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    try:
        path.name.encode("utf-8")
        is_name_sound = True
    except UnicodeEncodeError:
        is_name_sound = False
    return LandedFile(
        path=path.absolute(),
        department=shown(department),
        list_code=shown(list_code),
        file_name=shown(path.name),
        modified_ns=status.st_mtime_ns,
        size=status.st_size,
        is_regular=stat.S_ISREG(status.st_mode),
        is_name_sound=is_name_sound,
    )
