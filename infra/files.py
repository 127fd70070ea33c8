"""Private files and folders: secrets that only their owner may read, written whole or not at all.

What is in them is the business of the caller.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from infra.errors import PermanentError, TransientError


def make_private_folder(folder: Path) -> Path:
    """Make a folder with mode 0700 when it is missing; an existing folder is left as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return folder


def read_private_file(path: Path, what: str) -> bytes:
    """Read a secret file that group and others cannot read.

    Args:
        path: The file.
        what: Its name for the reader of the message, e.g. ``字段密钥文件``.

    Raises:
        FileNotFoundError: There is no such file.
        PermanentError: Group or others have any right on it, or it cannot be read; names the file, never
            the value.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PermanentError(
            f"读取{what}",
            came=f"{path} 读不了（{error.strerror}）",
            expected="运行平台的用户可读的普通文件",
            next_step="检查文件的属主和权限",
        ) from None
    if mode & 0o077:
        raise PermanentError(
            f"读取{what}",
            came=f"{path} 的权限是 {mode:04o}，同组或其他用户也能访问",
            expected="只有属主可读写（0600）",
            next_step=f"执行 chmod 600 {path}；如可能已被他人读取，请更换其中的密钥",
        )
    return content


def write_private_file(path: Path, content: bytes, *, replace: bool) -> bool:
    """Write a file with mode 0600 atomically and durably.

    Args:
        path: The file; its folder exists.
        content: All of it.
        replace: Whether an existing file is replaced. With False the first of two writers wins.

    Returns:
        Whether the file was written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def file_lock(path: Path, doing: str, timeout_seconds: float) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system frees it when the process ends.

    Raises:
        TransientError: Another process still holds it after the timeout.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TransientError(
                        doing,
                        came=f"另一个进程持有 {path} 已超过 {timeout_seconds:.0f} 秒",
                        next_step="等它结束后再试",
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
