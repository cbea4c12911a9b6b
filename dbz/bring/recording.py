"""What was brought: requests with their answers, and sockets with their messages, whatever file they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from dbz.bring.values import Location

JSON, FORM, MULTIPART, TEXT, NOTHING = "json", "form", "multipart", "text", "nothing"
"""Kinds of bodies."""
NO_SERVER = "names no server"
"""Part of the note on such material, which says nothing new to who names the target."""
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]*)>")


def placeholder(variable: str) -> str:
    """What stands in a request for a value that the material asks for and does not have.

    An answer brings it, by `Exchange.gives`; without one the environment variable of this name does.
    """
    return f"<{variable}>"


def placeholder_variable(value: Any) -> str:
    """The environment variable that a placeholder names; empty for any other value."""
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else ""


def placeholders_in(value: str) -> list[str]:
    """The placeholders that stand in a text, each as a whole."""
    return [match[0] for match in _PLACEHOLDER.finditer(value)]


@dataclass(frozen=True)
class MessageBody:
    """The body of a request or an answer."""

    kind: str = NOTHING
    value: Any = None
    """Parsed JSON; pairs of a form, or of a multipart body (a file's value is its name); or the text itself, which is
    bytes where a request sent some."""
    media_type: str = ""

    def __bool__(self) -> bool:
        return self.kind != NOTHING


@dataclass(frozen=True)
class GivenValue:
    """A value that the answer to one request brings for others, as the material itself says."""

    text: str
    """The placeholder that stands for it in the requests that need it."""
    location: Location
    """Where it stands in the JSON of the answer; "*" is every part of a list, of which each user picks one."""
    name: str
    """What a scenario calls it."""
    otherwise: str | None = None
    """What is sent when the answer holds none; None where nothing else would do."""


def is_refusal(status: int) -> bool:
    """Whether a server in good order would answer with this status of 400 or more again: not found, not allowed.

    Failures of the server (500 and more), what passes (408, 425, 429), and the codes that proxies log for clients that
    went away (444, 460, 499) are nobody's idea of a right answer, however often a recording has them.
    """
    return 400 <= status < 500 and status not in _PASSING


_PASSING = frozenset({408, 425, 429, 444, 460, 463, 499})


@dataclass(frozen=True)
class Exchange:
    """One request and what came back."""

    method: str
    url: str
    """Absolute, or only a path where the material names no host."""
    headers: Sequence[tuple[str, str]] = ()
    """Those of the request, in their order; names in lower case."""
    body: MessageBody = MessageBody()
    status: int = 0
    """0 where the material does not say."""
    answer_headers: Sequence[tuple[str, str]] = ()
    answer: MessageBody = MessageBody()
    started_s: float = 0.0
    """When it began, in seconds since 1970; 0 where the material does not say."""
    duration_s: float = 0.0
    source: str = ""
    """Which browser tab, user or file it belongs to; those of one source are one user's."""
    title: str = ""
    """What the material calls it; empty where it has no name."""
    template: str = ""
    """The path with its parameters by name, like `/rooms/{id}`; empty where the material does not say."""
    gives: Sequence[GivenValue] = ()
    """What its answer brings for other requests."""
    before: Exchange | None = None
    """What must be asked right before it, each time."""

    @property
    def failed(self) -> bool:
        """Whether its status is a failure of the server or of the moment."""
        return self.status >= 400 and not is_refusal(self.status)

    @cached_property
    def path(self) -> str:
        """The path of the URL, without its query."""
        return urlsplit(self.url).path or "/"

    @cached_property
    def origin(self) -> str:
        """Scheme and host, like `http://127.0.0.1:8080`; empty where the material names no host."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The pairs of the query, decoded."""
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """A header of the request; empty when there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def answer_header(self, name: str) -> str:
        """A header of the answer; empty when there is none."""
        return next((value for key, value in self.answer_headers if key == name), "")


@dataclass(frozen=True)
class SocketMessage:
    """One message of a WebSocket, or one packet of a polling connection."""

    at_s: float
    """When it passed, counted like `Exchange.started_s`."""
    sent: bool
    """Whether the client sent it; otherwise it arrived."""
    data: str | bytes


@dataclass(frozen=True)
class RecordedSocket:
    """One connection and everything that passed over it."""

    url: str
    messages: Sequence[SocketMessage]
    started_s: float = 0.0
    source: str = ""
    headers: Sequence[tuple[str, str]] = ()


@dataclass
class Recording:
    """Everything that a file, or several, brought."""

    exchanges: list[Exchange] = field(default_factory=list)
    sockets: list[RecordedSocket] = field(default_factory=list)
    start: list[Exchange] = field(default_factory=list)
    """What each user asks once, before all else: a login, a list out of which it picks. Not of recorded exchanges."""
    origin: str = ""
    """The server that the material names, where exchanges only have paths; empty when it names none."""
    notes: list[str] = field(default_factory=list)
    """What the reader left out or could not read, for people."""
    recorded: bool = True
    """Whether the exchanges took place; a description of an API only says which there could be."""

    def add(self, other: Recording) -> None:
        """Take in what another file brought."""
        self.exchanges += other.exchanges
        self.sockets += other.sockets
        self.start += other.start
        self.origin = self.origin or other.origin
        self.notes += other.notes
        self.recorded = self.recorded and other.recorded


def body_of(text: str | bytes, media_type: str) -> MessageBody:
    """A body by its media type; JSON that does not parse stays text."""
    if not text:
        return MessageBody()
    plain = media_type.partition(";")[0].strip().lower()
    if "json" in plain or (not plain and text[:1] in ("{", "[", b"{", b"[")):
        try:
            return MessageBody(JSON, orjson.loads(text), plain or "application/json")
        except orjson.JSONDecodeError:
            pass
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if plain == "application/x-www-form-urlencoded":
        return MessageBody(FORM, parse_qsl(decoded, keep_blank_values=True), plain)
    return MessageBody(TEXT, decoded, plain)
