"""The interface of all providers: what is sent, and what may become of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

_NAMES = uuid.UUID("6f1f7a52-6c0c-4b57-9d5e-7d1d3f0f4c0b")
_MOST_BYTES = 4096


@dataclass(frozen=True)
class PushMessage:
    """Something to tell at one address."""

    key: str
    """Names it for good: each attempt to send it has the same one."""
    address: str = field(repr=False)
    """A device's token, or an e-mail address."""
    kind: str
    title: str
    body: str
    expires_s: float
    """When it is of no use any more, in seconds since 1970."""
    urgent: bool = False
    html: str = ""
    """The body of a mail for readers of HTML."""
    unsubscribe_url: str = ""
    """Ends mails of its kind with one POST (RFC 8058)."""

    @property
    def uuid(self) -> str:
        """A UUID that is the same at each attempt, and another one at another address."""
        return str(uuid.uuid5(_NAMES, f"{self.key}\n{self.address}"))

    @property
    def replaces(self) -> str:
        """At most 64 bytes; a device shows one of all pushes with the same text here."""
        return uuid.uuid5(_NAMES, self.key).hex


class PushProvider(Protocol):
    """Sends messages of one sort."""

    @property
    def name(self) -> str:
        """What metrics and logs call it."""

    async def send(self, message: PushMessage) -> None:
        """Hand a message over; a `PushError` says what became of it otherwise.

        After `ProviderAwayError` nobody knows: it may have been handed over.
        """

    async def close(self) -> None:
        """Let go of connections."""


class PushError(Exception):
    """Base of them. Texts hold no address, token or key, and may be shown and stored."""


class DeadAddressError(PushError):
    """Nobody is there any more; `since_ms` is when that was first seen, in milliseconds since 1970, if it is known.

    One that is not `certain` may be the wrong settings of ours, so its device must not be forgotten.
    """

    def __init__(self, reason: str, since_ms: int | None = None, *, certain: bool = True) -> None:
        super().__init__(reason)
        self.since_ms, self.certain = since_ms, certain


class ProviderBusyError(PushError):
    """Too much: to be sent again after `retry_after_s`; `everybody` must leave the provider alone, or this address."""

    def __init__(self, reason: str, retry_after_s: float, *, everybody: bool) -> None:
        super().__init__(reason)
        self.retry_after_s, self.everybody = retry_after_s, everybody


class ProviderAwayError(PushError):
    """No answer, or one that is none of the provider: later it may work."""


class MessageRefusedError(PushError):
    """The provider understood and will not take it, or does not take our credentials."""


def fitting(make: Any, body: str, most_bytes: int = _MOST_BYTES) -> bytes:
    """`make(body)` as JSON, with as much of the body as fits into what providers take."""
    encoded = orjson.dumps(make(body))
    while len(encoded) > most_bytes and body:
        # A character takes at most 6 bytes of JSON, so this ends after few rounds and cuts hardly more than needed.
        body = body[: max(0, len(body) - 1 - (len(encoded) - most_bytes) // 6 - 1)]
        encoded = orjson.dumps(make(f"{body}…" if body else ""))
    return encoded
