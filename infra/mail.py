"""Handing mails to the SMTP server named in settings. What is written in them belongs to the senders.

No message of an error contains an address or a mail's text.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Final

from infra.clock import utc_now
from infra.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from infra.settings import Settings, SmtpServer

_TIMEOUT_SECONDS: Final = 30.0
_ENHANCED_CODE: Final = re.compile(rb"\b[245]\.\d{1,3}\.\d{1,3}\b")


@dataclass(frozen=True)
class MailTransport:
    """One SMTP server and the address our mails come from. Every mail is one connection."""

    server: SmtpServer
    sender: str
    timeout_seconds: float = field(default=_TIMEOUT_SECONDS)

    @classmethod
    def from_settings(cls, settings: Settings) -> MailTransport | None:
        """The transport of these settings, or None when no ``YIHU_SMTP_URL`` is set."""
        if settings.smtp_url is None or settings.mail_from is None:
            return None
        return cls(server=settings.smtp_url, sender=settings.mail_from)

    def send(self, message: EmailMessage) -> int:
        """Hand over one mail to all its recipients.

        Missing ``From``, ``Date`` and ``Message-ID`` are set. A sender who may have to try again sets the
        Message-ID itself, so that a mail that arrives twice can be recognised.

        Returns:
            How many of several recipients the server refused for good or for now; the others have got the mail.

        Raises:
            TransientError: No connection, or the server said "later" (4xx); trying again may help.
            PermanentError: The server said "never" (5xx), its certificate is not valid, or it lacks STARTTLS.
        """
        for name, value in (
            ("From", self.sender),
            ("Date", format_datetime(utc_now())),
            ("Message-ID", make_msgid(domain=self.sender.rpartition("@")[2])),
        ):
            if name not in message:
                message[name] = value
        try:
            with self._connect() as connection:
                return len(connection.send_message(message))
        except smtplib.SMTPRecipientsRefused as error:
            replies = list(error.recipients.values())
            raise self._refusal(*max(replies, key=lambda reply: 400 <= reply[0] < 500)) from None
        except smtplib.SMTPResponseException as error:
            raise self._refusal(error.smtp_code, error.smtp_error) from None
        except ssl.SSLCertVerificationError as error:
            raise PermanentError(
                self._doing,
                came=f"服务器证书无效（{error.verify_message}）",
                expected="受信任的证书，且与主机名一致",
                next_step="更正 YIHU_SMTP_URL 的主机名，或安装签发该证书的根证书",
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise PermanentError(
                self._doing,
                came="服务器不支持所要求的功能（STARTTLS、登录或 SMTPUTF8）",
                next_step="核对 YIHU_SMTP_URL 的协议（smtp、smtps、smtp+starttls）",
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise TransientError(
                self._doing, came=f"连接失败或中断（{type(error).__name__}）", next_step="稍后重试"
            ) from None

    @property
    def _doing(self) -> str:
        return f"向邮件服务器 {self.server.host}:{self.server.port} 发送邮件"

    def _connect(self) -> smtplib.SMTP:
        server = self.server
        context = ssl.create_default_context()
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self.timeout_seconds, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=self.timeout_seconds)
        try:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.username is not None and server.password is not None:
                connection.login(server.username, server.password.get_secret_value())
        except BaseException:
            connection.close()
            raise
        return connection

    def _refusal(self, code: int, reply: bytes | str) -> PermanentError | TransientError:
        """The error for an SMTP reply: its numbers only, because servers repeat addresses in their texts."""
        text = reply if isinstance(reply, bytes) else reply.encode()
        enhanced = _ENHANCED_CODE.search(text)
        came = f"服务器答复 {code}{f' {enhanced[0].decode()}' if enhanced else ''}"
        if 400 <= code < 500:
            return TransientError(self._doing, came=came, expected="2xx 答复", next_step="稍后重试")
        return PermanentError(
            self._doing, came=came, expected="2xx 答复", next_step="核对收发地址、账号和服务器的发信规则"
        )
