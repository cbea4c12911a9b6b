"""Ways to reach people and programs. Each is asked once; trying again is the outbox's business."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Protocol

import httpx

from dbz.config.monitor.channels import AlertChannel, Mail
from dbz.monitor.store.store import Notice, OutboxRow

DEADLINE_S = 10.0
"""For one try, connecting included."""
_SIGNS = {"firing": "\N{LARGE RED CIRCLE}", "still firing": "\N{LARGE RED CIRCLE}"}
_LONGEST_ANSWER = 200
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True)
class SendOutcome:
    """What became of one try."""

    taken: bool
    answer: str
    """What the channel said, or why it could not be reached; without secrets."""
    again_after_s: float | None = None
    """What the channel asks to wait before the next try."""


class Way(Protocol):
    """One configured channel."""

    async def deliver(self, rows: Sequence[OutboxRow]) -> SendOutcome:
        """Try once to bring these notices, all of them together."""


def way_of(channel: AlertChannel, client: httpx.AsyncClient) -> Way:
    """How to reach a channel."""
    if channel.mail is not None:
        return _MailWay(channel.mail)
    if channel.slack is not None:
        return _SlackWay(channel.slack, client)
    assert channel.webhook is not None, "the model demands one"
    return _WebhookWay(channel.webhook, client)


def text_of(notice: Notice) -> str:
    """A notice in some lines."""
    lines = [notice.text, notice.message, f"runbook: {notice.runbook}" if notice.runbook else ""]
    return "\n".join(line for line in lines if line)


def key_of(rows: Sequence[OutboxRow]) -> str:
    """The key of a message: the same for the same notices only, so that one that is tried again together with a newer
    notice is not taken for the message that came before."""
    if len(rows) == 1:
        return rows[0].key
    return f"{len(rows)}-alerts-{hashlib.sha256(' '.join(row.key for row in rows).encode()).hexdigest()[:24]}"


class _SlackWay:
    """An incoming webhook of Slack; several notices are one message."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url, self._client = url, client

    async def deliver(self, rows: Sequence[OutboxRow]) -> SendOutcome:
        texts = [f"{_SIGNS.get(row.notice.event, chr(0x2705))} {_plain(text_of(row.notice))}" for row in rows]
        return await _post(self._client, self._url, {"text": "\n".join(texts)}, rows)


class _WebhookWay:
    """A URL that gets JSON: a list of notices, each with its key."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url, self._client = url, client

    async def deliver(self, rows: Sequence[OutboxRow]) -> SendOutcome:
        notices = [{"key": row.key, **asdict(row.notice)} for row in rows]
        body = {"schema": "dbz.alerts/1", "alerts": notices}
        return await _post(self._client, self._url, body, rows)


async def _post(client: httpx.AsyncClient, url: str, body: Mapping[str, Any], rows: Sequence[OutboxRow]) -> SendOutcome:
    try:
        async with asyncio.timeout(DEADLINE_S):
            # Nothing of ours follows a redirect: who may read the alerts was decided in the file.
            # Its body, which nobody reads, may have no end.
            sending = client.stream("POST", url, json=body, headers={"Idempotency-Key": key_of(rows)})
            async with sending as answer:
                pass
    except TimeoutError:
        return SendOutcome(False, f"no answer within {DEADLINE_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return SendOutcome(False, type(error).__name__)  # its text would have the URL, which is a secret of Slack's
    said = f"HTTP {answer.status_code}"
    if answer.is_success:
        return SendOutcome(True, said)
    return SendOutcome(False, said, _wait_s(answer.headers.get("retry-after", "")))


def _wait_s(text: str) -> float | None:
    """The seconds of a Retry-After field, which has a number or a date; None when it is neither."""
    if text.strip().isdigit() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    left_s = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(max(left_s.total_seconds(), 0.0), _LONGEST_WAIT_S)


def _plain(text: str) -> str:
    """Text in which Slack sees no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _MailWay:
    """Mail over SMTP; several notices are one mail."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def deliver(self, rows: Sequence[OutboxRow]) -> SendOutcome:
        try:
            return await asyncio.to_thread(self._send, _mail_of(self._mail, rows))
        except smtplib.SMTPResponseException as error:
            return SendOutcome(False, f"SMTP {error.smtp_code}")  # its text may quote what was sent
        except (smtplib.SMTPException, OSError) as error:
            return SendOutcome(False, type(error).__name__)

    def _send(self, message: EmailMessage) -> SendOutcome:
        mail, context = self._mail, ssl.create_default_context()
        if mail.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=DEADLINE_S, context=context)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=DEADLINE_S)
        with server:
            if mail.tls == "starttls":
                server.starttls(context=context)
            if mail.user:
                server.login(mail.user, mail.password)
            refused = server.send_message(message)
        if refused:
            return SendOutcome(True, f"refused for {', '.join(refused)}"[:_LONGEST_ANSWER])
        return SendOutcome(True, f"taken for {len(mail.to)} of {len(mail.to)}")


def _mail_of(mail: Mail, rows: Sequence[OutboxRow]) -> EmailMessage:
    first = rows[0].notice
    message = EmailMessage()
    about = f"{first.event.upper()} {first.type} {first.target}" if len(rows) == 1 else f"{len(rows)} alerts"
    message["Subject"] = " ".join(f"[dbz] {about}".split())
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Date"] = email.utils.formatdate(rows[0].created_s)
    # The same for every try, so that a mail that was taken without our hearing of it is recognised as the same one.
    message["Message-ID"] = f"<{key_of(rows)}@dbz>"
    message.set_content("\n\n".join(text_of(row.notice) for row in rows))
    return message
