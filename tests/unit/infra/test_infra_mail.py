"""Mails over real SMTP on loopback: arriving, refused for now, refused for good, unreachable, unverified."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.errors import PermanentError, TransientError
from infra.mail import MailTransport
from infra.mail_sink import MailSink
from infra.settings import load_settings

RECIPIENT = "data@example.gov.cn"


def transport(url: str) -> MailTransport:
    transport = MailTransport.from_settings(
        load_settings(
            {
                "YIHU_SMTP_URL": url,
                "YIHU_MAIL_FROM": "yihu@example.gov.cn",
                "YIHU_ALERT_RECIPIENTS": RECIPIENT,
            }
        )
    )
    assert transport is not None
    return transport


def message(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "质量告警：本次送达被拒收"
    message["To"] = ", ".join(recipients or (RECIPIENT,))
    message.set_content("低保名单缺少必填列。\n.\n以点开头的行也要完整。\n")
    message.add_alternative("<p>低保名单缺少必填列。</p>", subtype="html")
    return message


class Answers:
    """A handler for aiosmtpd that gives fixed answers."""

    def __init__(self, recipient: Callable[[str], str] = lambda _: "250 OK", data: str = "250 OK") -> None:
        self._recipient = recipient
        self._data = data

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self._recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return self._data


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    running: list[Controller] = []

    def serve(handler: object, **options: Any) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        running.append(Controller(handler, hostname="127.0.0.1", port=port, **options))
        running[-1].start()
        return port

    yield serve
    for controller in running:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def test_no_server_set_is_no_transport() -> None:
    assert MailTransport.from_settings(load_settings({})) is None


def test_mail_arrives_whole_with_sender_date_and_id(tmp_path: Path) -> None:
    with MailSink(tmp_path / "mails") as sink:
        assert transport(sink.url).send(message()) == 0
        second = message()
        second["Message-ID"] = "<alert-1@example.gov.cn>"
        transport(sink.url).send(second)
    first_file, second_file = sink.mails()
    received = email.message_from_bytes(first_file.read_bytes(), policy=email.policy.default)
    assert received["Subject"] == "质量告警：本次送达被拒收"
    assert received["From"] == "yihu@example.gov.cn"
    assert received["Date"].datetime.utcoffset() == timedelta(0)
    assert received["Message-ID"].endswith("@example.gov.cn>")
    body, html = received.get_body(("plain",)), received.get_body(("html",))
    assert body is not None
    assert html is not None
    assert body.get_content().splitlines() == ["低保名单缺少必填列。", ".", "以点开头的行也要完整。"]
    assert "低保名单缺少必填列" in html.get_content()
    assert second_file.name == "0002-alert-1@example.gov.cn.eml"
    assert second_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("handler", "kind", "said"),
    [
        (Answers(data="451 4.3.0 try later"), TransientError, "451 4.3.0"),
        (Answers(data="554 5.6.0 no"), PermanentError, "554 5.6.0"),
        (Answers(lambda to: f"450 4.2.1 <{to}> busy"), TransientError, "450 4.2.1"),
        (Answers(lambda to: f"550 5.1.1 <{to}> unknown"), PermanentError, "550 5.1.1"),
    ],
)
def test_refusals_are_told_apart_and_name_nobody(
    serve: Callable[..., int], handler: Answers, kind: type[PermanentError | TransientError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        transport(f"smtp://127.0.0.1:{serve(handler)}").send(message())
    assert RECIPIENT not in str(caught.value)


def test_refused_recipients_among_others_are_counted(serve: Callable[..., int]) -> None:
    handler = Answers(lambda to: "550 5.1.1 unknown" if to.startswith("gone") else "250 OK")
    url = f"smtp://127.0.0.1:{serve(handler)}"
    assert transport(url).send(message(RECIPIENT, "gone@example.gov.cn")) == 1


def test_one_recipient_who_may_take_it_later_makes_it_worth_trying_again(serve: Callable[..., int]) -> None:
    handler = Answers(lambda to: "550 5.1.1 unknown" if to.startswith("gone") else "450 4.2.1 busy")
    with pytest.raises(TransientError):
        transport(f"smtp://127.0.0.1:{serve(handler)}").send(message("gone@example.gov.cn", RECIPIENT))


def test_server_that_is_not_there_is_transient() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(TransientError, match=f"127.0.0.1:{port}"):
        transport(f"smtp://127.0.0.1:{port}").send(message())


def test_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = transport(f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TransientError, match="连接失败或中断"):
            MailTransport(slow.server, slow.sender, timeout_seconds=0.3).send(message())


def test_certificates_are_verified(
    serve: Callable[..., int], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls = serve(Answers(), ssl_context=context)
    starttls = serve(Answers(), tls_context=context, require_starttls=True)
    urls = [f"smtps://localhost:{tls}", f"smtp+starttls://localhost:{starttls}"]
    for url in urls:
        with pytest.raises(PermanentError, match="证书无效"):
            transport(url).send(message())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # now it is a trusted one
    for url in urls:
        assert transport(url).send(message()) == 0
    with pytest.raises(PermanentError, match="证书无效"):
        transport(f"smtps://127.0.0.1:{tls}").send(message())  # not the name in the certificate


def test_starttls_that_the_server_lacks_is_never_skipped(serve: Callable[..., int]) -> None:
    with pytest.raises(PermanentError, match="STARTTLS"):
        transport(f"smtp+starttls://127.0.0.1:{serve(Answers())}").send(message())


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
def test_wrong_login_is_permanent_and_shows_no_password(serve: Callable[..., int]) -> None:
    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"right", handled=False)

    port = serve(Answers(), authenticator=authenticate, auth_require_tls=False, auth_required=True)
    assert transport(f"smtp://alarm:right@127.0.0.1:{port}").send(message()) == 0
    with pytest.raises(PermanentError, match="535") as caught:
        transport(f"smtp://alarm:wr0ng-one@127.0.0.1:{port}").send(message())
    assert "wr0ng-one" not in str(caught.value)
