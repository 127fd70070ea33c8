"""The landing folder: which files lie there, and their bytes, read once from one descriptor.

The folder belongs to others: links, pipes, devices and growing files are told apart before anything is opened
for long (reliability.md F35, F36, B73 to B79). What the bytes mean is not said here.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from infra.errors import PermanentError
from ingest.normalise.numbers import with_numbers_hidden
from ingest.readers.sheet import UnreadableFile

MAX_FILE_BYTES: Final = 200_000_000
# A supplier may sort his files into folders of his own below the list folder: year, month, community.
MAX_SUB_FOLDERS: Final = 3
# Stand in the ledger where a file lies in no department's or no list's folder.
NO_DEPARTMENT: Final = "未归入部门"
NO_LIST: Final = "未归入清单"
# Department, list and what is below; what lies deeper is not looked for (reliability.md B76: forty levels).
_DEEPEST: Final = 16
_IGNORED: Final = re.compile(
    r"^(\.|~\$|~)|\.(tmp|part|partial|crdownload|swp|lock|bak)$|^(Thumbs\.db|desktop\.ini)$", re.IGNORECASE
)
# Beside a file, what `sha256sum` says of it: checked, never taken for a delivery (reliability.md B56).
_CHECKSUM: Final = ".sha256"
_LONGEST_CHECKSUM: Final = 65_536  # bytes; the fingerprints of a few hundred files
_CHECKSUM_LINE: Final = re.compile(rb"\\?([0-9A-Fa-f]{64})(?:[ \t]+\*?(.*))?")
_BLOCK: Final = 1 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What was a file or folder when the landing folder was looked through is a link, or another thing, by now.
_REPLACED: Final = frozenset({errno.ELOOP, errno.ENOTDIR})
_T = TypeVar("_T")


@dataclass(frozen=True)
class LandedFile:
    """A directory entry of the landing folder, usually a file under ``<landing>/<department>/<list>/``.

    Attributes:
        department, list_code, file_name: As they may be shown and stored (`shown`); `NO_DEPARTMENT` and `NO_LIST` where
            there is no such folder.
        sub_folder: Folders between the list folder and the file, joined by ``/``; empty when there are none.
        is_misplaced: It lies in no list folder, or more than `MAX_SUB_FOLDERS` below one.
        is_name_sound: Whether the file name could be decoded.
        is_folder: A folder that cannot be opened; it stands for all that is in it.
        depth: How many folders lie between the landing folder and it.
    """

    path: Path
    department: str
    list_code: str
    sub_folder: str
    file_name: str
    modified_ns: int
    size: int
    is_regular: bool
    is_misplaced: bool
    is_name_sound: bool
    is_folder: bool = False
    depth: int = 0

    @property
    def source_path(self) -> str:
        """Absolute path as text that any database takes."""
        return shown(str(self.path))


@dataclass(frozen=True)
class OpenFile:
    """A landed file that is open: its descriptor, and the SHA-256 of its content (64 hex digits)."""

    descriptor: int
    file: LandedFile
    sha256: str

    def has_changed(self) -> bool:
        """Whether size or time are no longer what they were when the folder was looked through."""
        now = os.fstat(self.descriptor)
        return (now.st_mtime_ns, now.st_size) != (self.file.modified_ns, self.file.size)


class StillChanging(Exception):
    """The file changed while it was read, or is gone: left for the next time."""


def scan(landing: Path) -> list[LandedFile]:
    """Everything that lies in the landing folder, by path, also in the wrong places; links are not followed.

    Hidden, temporary and lock files, and folders of such names, are not seen; nor is anything while there is no
    landing folder yet.

    Raises:
        PermanentError: The landing folder itself cannot be opened.
    """
    try:
        files = _twice(lambda: _scan_folder(landing.absolute(), ()))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PermanentError(
            "查看来件文件夹",
            came=f"文件夹打不开（{error.strerror}）",
            expected="可以读取的文件夹",
            next_step="检查 YIHU_LANDING 或 --landing 所指的文件夹及其权限",
        ) from None
    return sorted(files, key=lambda file: os.fsencode(file.path))


def is_readable(file: LandedFile) -> bool:
    """Whether the file opens now; nothing is read."""
    try:
        os.close(_open(file))
    except OSError:
        return False
    return True


@contextmanager
def opened(file: LandedFile) -> Iterator[OpenFile]:
    """A landed file, open and with its fingerprint; whoever reads it goes by positions.

    Raises:
        UnreadableFile: Not a plain file, its name is undecodable, or it (or its folder) is too large or not permitted.
        StillChanging: Size or time changed meanwhile, or it is gone.
    """
    if file.is_folder:
        raise UnreadableFile("not_permitted", "文件夹打不开，里面的文件都没有接入。请检查文件夹权限。")
    if not file.is_regular:
        raise UnreadableFile(
            "not_a_plain_file", "这不是普通文件（可能是快捷方式、链接或管道）。请放入文件本身。"
        )
    if not file.is_name_sound:
        raise UnreadableFile("undecodable_name", "文件名无法识别。请改用中文或英文文件名重新报送。")
    if file.size > MAX_FILE_BYTES:
        raise UnreadableFile("file_too_large", f"文件超过 {MAX_FILE_BYTES // 1_000_000} MB。请分批报送。")
    try:
        descriptor = _twice(lambda: _open(file))
    except FileNotFoundError:
        raise StillChanging from None
    except OSError as error:
        if error.errno in _REPLACED:
            raise StillChanging from None  # the next look at the folder tells what it is now
        raise UnreadableFile("not_permitted", f"文件打不开（{error.strerror}）。请检查文件权限。") from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableFile("not_a_plain_file", "这不是普通文件。请放入文件本身。")
        if before.st_nlink > 1:
            # A hard link may be a second name of a file elsewhere that whoever made it must not read (F36). Once the other
            # name is gone the file is taken.
            raise UnreadableFile(
                "not_a_plain_file", "这个文件在别处还有一个名字（硬链接）。请放入单独的一份文件。"
            )
        try:
            sha256 = _twice(lambda: _fingerprint(descriptor, file.size))
        except OSError as error:
            raise UnreadableFile(
                "not_permitted", f"文件读不出来（{error.strerror}）。请检查磁盘和文件权限。"
            ) from None
        open_file = OpenFile(descriptor, file, sha256)
        if open_file.has_changed():
            raise StillChanging
        yield open_file
    finally:
        os.close(descriptor)


def stated_sha256(file: LandedFile) -> str | None:
    """The fingerprint that ``<file name>.sha256`` beside a file states, in the format of ``sha256sum``; None without one.

    Of several lines that of the file's name counts; empty when it cannot be read or does not state one.
    """
    beside = replace(file, path=file.path.with_name(file.path.name + _CHECKSUM))
    try:
        descriptor = _twice(lambda: _open(beside))
    except OSError as error:
        # No file can lie there whose name would be too long.
        return None if error.errno in (errno.ENOENT, errno.ENAMETOOLONG) else ""
    try:
        is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        written = os.pread(descriptor, _LONGEST_CHECKSUM, 0) if is_plain else b""
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    lines = [line.strip() for line in written.removeprefix(b"\xef\xbb\xbf").splitlines()]
    stated = [(found[1], found[2]) for line in lines if (found := _CHECKSUM_LINE.fullmatch(line))]
    name = os.fsencode(file.path.name)
    own = [digest for digest, of in stated if of and re.split(rb"[/\\]", of)[-1] == name]
    if not own and len(stated) == 1:
        own = [stated[0][0]]  # the name may be in another encoding, or not be there
    return own[0].decode("ascii").lower() if own else ""


def shown(text: str) -> str:
    """A file name fit to show and store: undecodable bytes and control characters replaced, ids and phones masked."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else "\ufffd" for character in decoded)
    return with_numbers_hidden(printable)


def _twice(action: Callable[[], _T]) -> _T:
    """What a disk or a network folder refuses once is asked for again; what is not permitted or not there stays so."""
    try:
        return action()
    except (PermissionError, FileNotFoundError):
        raise
    except OSError:
        return action()


def _fingerprint(descriptor: int, size: int) -> str:
    """SHA-256 of the content; StillChanging when it is not as long as it was."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest, total = hashlib.sha256(), 0
    while block := os.read(descriptor, _BLOCK):
        digest.update(block)
        total += len(block)
        if total > size:  # growing as fast as we read
            raise StillChanging
    if total != size:
        raise StillChanging
    return digest.hexdigest()


def _open(file: LandedFile) -> int:
    """A descriptor of the file, gone to from the landing folder step by step: no folder on the way may be a link by now."""
    with _folder(file.path.parents[file.depth], None) as landing:
        return _open_below(landing, file.path.parts[-file.depth - 1 :])


def _open_below(folder: int, names: Sequence[str]) -> int:
    name, *rest = names
    if rest:
        with _folder(name, folder) as below:
            return _open_below(below, rest)
    # O_NONBLOCK: a pipe put in the file's place meanwhile must not hang us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=folder)


@contextmanager
def _folder(path: Path | str, parent: int | None) -> Iterator[int]:
    """A descriptor of a folder; below the landing folder (`parent`) links are not followed, though they look like folders."""
    flags = _FOLDER if parent is None else _FOLDER | os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _scan_folder(path: Path, names: tuple[str, ...], parent: int | None = None) -> list[LandedFile]:
    """What lies in a folder and below; `names` are the folders from the landing folder down to it."""
    files: list[LandedFile] = []
    with _folder(names[-1] if names else path, parent) as folder, os.scandir(folder) as entries:
        for entry in entries:
            if _IGNORED.search(entry.name):
                continue
            inside = (*names, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                if entry.name.lower().endswith(_CHECKSUM):
                    continue
                files.extend(_landed(path, entry.name, names, folder))
            elif len(names) < _DEEPEST:
                try:
                    files.extend(_twice(functools.partial(_scan_folder, path / entry.name, inside, folder)))
                except FileNotFoundError:
                    continue  # gone meanwhile
                except OSError as error:
                    # One closed folder stops nobody; what is in it must not be lost without a word.
                    if error.errno not in _REPLACED:
                        files.extend(_landed(path, entry.name, inside, folder, is_folder=True))
    return files


def _landed(
    parent: Path, name: str, folders: tuple[str, ...], descriptor: int, *, is_folder: bool = False
) -> list[LandedFile]:
    """The entry of an open folder; nothing when it is gone meanwhile."""
    try:
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return []
    try:
        name.encode("utf-8")
        is_name_sound = True
    except UnicodeEncodeError:
        is_name_sound = False
    department, list_code, *below = (*folders, *("", "")[len(folders) :])
    return [
        LandedFile(
            path=parent / name,
            department=shown(department) or NO_DEPARTMENT,
            list_code=shown(list_code) or NO_LIST,
            sub_folder=shown("/".join(below)),
            file_name=shown(name),
            modified_ns=status.st_mtime_ns,
            size=status.st_size,
            is_regular=stat.S_ISREG(status.st_mode),
            is_misplaced=not list_code or len(below) > MAX_SUB_FOLDERS,
            is_name_sound=is_name_sound,
            is_folder=is_folder,
            depth=len(folders) - is_folder,
        )
    ]
