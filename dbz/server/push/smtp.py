"""E-mail over SMTP, to the relay that the operator names. It signs (DKIM) what leaves; this program does not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import aiosmtplib

from dbz.hosts import is_loopback
from dbz.server.push.mail import mail_of
from dbz.server.push.provider import (
    DeadAddressError,
    MessageRefusedError,
    ProviderAwayError,
    ProviderBusyError,
    PushMessage,
)
from dbz.server.settings import PushSettings

_BUSY_S = 60.0
_NOBODY = (550, 551, 553)
_TRANSIENT = 500


class Smtp:
    """`PushProvider` over one connection that is kept open, in its turn for each mail; `url` holds user and password.

    `smtps://` is TLS from the start; `smtp://` becomes TLS by STARTTLS, which a relay elsewhere must offer.
    """

    name = "smtp"

    def __init__(self, settings: PushSettings, url: str) -> None:
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        self._sender = settings.mail_from
        self._client = aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port or (465 if tls else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=tls,
            start_tls=None if tls or is_loopback(parts.hostname or "") else True,
            timeout=settings.timeout_s,
        )
        self._turn = asyncio.Lock()

    async def send(self, message: PushMessage) -> None:
        """See `PushProvider`."""
        mail = mail_of(message, self._sender)
        async with self._turn:
            try:
                if not self._client.is_connected:
                    await self._client.connect()
                await self._client.send_message(mail)
            except aiosmtplib.SMTPRecipientsRefused as error:
                refused = error.recipients[0]
                _refuse(refused.code, at_recipient=True)
            except aiosmtplib.SMTPAuthenticationError as error:
                self._client.close()
                raise MessageRefusedError(
                    f"the relay does not take our user and password (SMTP {error.code})"
                ) from None
            except aiosmtplib.SMTPResponseException as error:
                _refuse(error.code, at_recipient=False)
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                self._client.close()
                problem = type(error).__name__
            else:
                return
        raise ProviderAwayError(f"the relay does not answer ({problem})")

    async def close(self) -> None:
        """See `PushProvider`."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit()


def _refuse(code: int, *, at_recipient: bool) -> NoReturn:
    """What a reply of the relay means (RFC 5321 section 4.2); its text may quote an address, and is left out."""
    reason = f"SMTP {code}"
    if code < _TRANSIENT:
        # Grey lists and full boxes are about one recipient, all else is about the relay.
        raise ProviderBusyError(reason, _BUSY_S, everybody=not at_recipient)
    if at_recipient and code in _NOBODY:
        raise DeadAddressError(reason)
    raise MessageRefusedError(reason)
