"""A small SMTP server on loopback that keeps what it gets as ``.eml`` files: for the demo and for tests.

It asks for no login and delivers nothing; it is never the transport of a real platform.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from infra.files import make_private_folder, write_private_file

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

_HOST: Final = "127.0.0.1"
_UNFIT_FOR_NAMES: Final = re.compile(r"[^0-9A-Za-z.@_-]+")


_ATTEMPTS: Final = 5


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


class MailSink:
    """Receives mails while its ``with`` block runs.

    Attributes:
        folder: Where the mails are, one file each, ``0001-<message id>.eml`` and so on in the order of arrival.
        port: Port it listens on, set on entering.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Name the folder (made when missing) and the port (default: a free one)."""
        self.folder = folder
        self.port = port or 0

    @property
    def url(self) -> str:
        """What ``YIHU_SMTP_URL`` has to be for mails to come here."""
        return f"smtp://{_HOST}:{self.port}"

    def mails(self) -> list[Path]:
        """The files received so far, in the order of arrival."""
        return sorted(self.folder.glob("*.eml"))

    def __enter__(self) -> MailSink:
        from aiosmtpd.controller import Controller

        make_private_folder(self.folder)
        for attempts_left in reversed(range(_ATTEMPTS)):
            port = self.port or _free_port()
            self._controller = Controller(self, hostname=_HOST, port=port)
            try:
                self._controller.start()
            except OSError:
                # Between finding a free port and listening on it somebody else may take it.
                if self.port or not attempts_left:
                    raise
            else:
                break
        self.port = port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one mail; called by aiosmtpd, one mail at a time."""
        content = envelope.original_content or b""
        message_id = re.search(rb"(?im)^message-id:\s*<?([^>\r\n]+)", content)
        name = _UNFIT_FOR_NAMES.sub("_", message_id[1].decode("ascii", "replace")) if message_id else "mail"
        write_private_file(
            self.folder / f"{len(self.mails()) + 1:04d}-{name[:80]}.eml", content, replace=False
        )
        return "250 OK"
