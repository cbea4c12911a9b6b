"""Mail through a real SMTP server: taken, refused, away; with TLS from an authority that only the test trusts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import httpx
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from dbz.children import free_port
from dbz.config.monitor.channels import AlertChannel
from dbz.monitor.sending.channels import SendOutcome, way_of
from dbz.monitor.store.store import Notice, OutboxRow


class Mailbox:
    """Takes every mail but those to nobody@, which it refuses."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(cast("EmailMessage", message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = data == LoginPassword(b"dbz", b"secret")
    return AuthResult(success=right, handled=right)  # what is not handled gets the usual refusal


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox, authority: trustme.CA) -> Iterator[Controller]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        authenticator=authenticate,
        auth_required=True,
    )
    controller.start()
    yield controller
    with contextlib.suppress(AssertionError):  # a test has stopped it
        controller.stop()


def send(controller: Controller, count: int = 1, **options: Any) -> SendOutcome:
    given = {"host": "127.0.0.1", "port": controller.port, "from": "dbz@example.org"}
    channel = AlertChannel.model_validate({"mail": {"to": ["oncall@example.org"], **given, **options}})
    notices = [Notice("SLOW", "api", "critical", "firing", f"SLOW firing: {number} ✓") for number in range(count)]
    rows = [OutboxRow(f"key-{number}", "mail", notice, 1.0, 1.0) for number, notice in enumerate(notices)]

    async def deliver() -> SendOutcome:
        async with httpx.AsyncClient() as client:
            return await way_of(channel, client).deliver(rows)

    return asyncio.run(deliver())


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def test_a_mail_arrives_over_tls_with_what_it_is_about(smtp: Controller, mailbox: Mailbox) -> None:
    assert send(smtp, user="dbz", password="secret") == SendOutcome(True, "taken for 1 of 1")
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "[dbz] FIRING SLOW api",
        "dbz@example.org",
        "oncall@example.org",
    )
    assert mail["Message-ID"] == "<key-0@dbz>" and mail.get_content().strip() == "SLOW firing: 0 ✓"


def test_several_notices_are_one_mail(smtp: Controller, mailbox: Mailbox) -> None:
    assert send(smtp, 7, user="dbz", password="secret").taken
    assert mailbox.mails[0]["Subject"] == "[dbz] 7 alerts" and mailbox.mails[0].get_content().count("SLOW firing") == 7


def test_what_goes_wrong_is_said_without_secrets(smtp: Controller, mailbox: Mailbox) -> None:
    assert send(smtp, user="dbz", password="wrong secret") == SendOutcome(False, "SMTP 535")
    assert send(smtp, user="dbz", password="secret", to=["nobody@example.org"]).answer == "SMTPRecipientsRefused"
    both = send(smtp, user="dbz", password="secret", to=["nobody@example.org", "oncall@example.org"])
    assert both == SendOutcome(True, "refused for nobody@example.org") and len(mailbox.mails) == 1
    smtp.stop()
    assert send_to_nobody() == SendOutcome(False, "ConnectionRefusedError")


def send_to_nobody() -> SendOutcome:
    channel = AlertChannel.model_validate({"mail": {"host": "127.0.0.1", "port": 1, "from": "a@b", "to": ["c@d"]}})
    row = OutboxRow("key", "mail", Notice("A", "b", "info", "firing", "text"), 1.0, 1.0)

    async def deliver() -> SendOutcome:
        async with httpx.AsyncClient() as client:
            return await way_of(channel, client).deliver([row])

    return asyncio.run(deliver())


def test_a_server_that_nobody_vouches_for_gets_no_password(
    smtp: Controller, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert send(smtp, user="dbz", password="secret") == SendOutcome(False, "SSLCertVerificationError")
    assert not mailbox.mails
