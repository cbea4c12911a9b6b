"""What a scenario does, step by step: the form between a recording and its Python text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dbz.bring.messages import MessageKind
from dbz.bring.recording import Exchange, MessageBody
from dbz.bring.sockets import SocketEvent
from dbz.bring.values import Formatted, Location


@dataclass(frozen=True)
class Keep:
    """A value of an answer that a later step needs."""

    attribute: str
    """The attribute of the user that holds it."""
    code: str
    """How it is taken from `answer`, or from the argument of a handler."""
    otherwise: str | None = None
    """What it is where nobody asks; None where nothing else would do."""


@dataclass
class HttpStep:
    """One HTTP request."""

    method: str
    path: str | Formatted
    """The path of the URL, without the query."""
    name: str
    """What the operation is called in reports, without the method: the path with its ids left out."""
    at_s: float
    query: list[tuple[str, Any]] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    body: MessageBody = field(default_factory=MessageBody)
    status: int = 0
    """The status that was recorded; 0 where none is known."""
    keeps: list[Keep] = field(default_factory=list)
    follows: bool = True
    """Whether the client follows a redirect by itself: of a log it must not, which has the next request as well."""
    title: str = ""
    before: HttpStep | None = None
    """What the same task asks right before it."""
    recorded: Exchange | None = field(default=None, repr=False)
    """What it was made from."""

    @property
    def operation(self) -> str:
        """What reports call it, with the method."""
        return f"{self.method} {self.name}"


@dataclass
class Connect:
    """The connection of a socket is made."""

    path: str | Formatted
    at_s: float
    auth: Any = None
    """The authentication payload of Socket.IO."""
    query: dict[str, Any] = field(default_factory=dict)
    protocols: Sequence[Any] = ()
    """The subprotocols that are offered."""
    raw: bool = False
    """Whether the server has a protocol of its own, and not Socket.IO."""


@dataclass
class Emit:
    """One Socket.IO event that the user sends, or one message of a protocol of the server's own."""

    event: str
    arguments: Sequence[Any]
    namespace: str
    at_s: float
    asks_answer: bool
    keeps: list[Keep] = field(default_factory=list)
    delivery: Delivery | None = None
    joins: Joined | None = None
    raw: bool = False
    """Whether it is a message, the only one of its arguments."""
    answer: dict[str, Any] | None = None
    """By JSONPath, what the message that answers it has; None when none is awaited."""
    answer_kind: str = ""
    """What kind of message that is."""
    recorded: SocketEvent | None = field(default=None, repr=False)
    """What it was made from."""


Step = HttpStep | Connect | Emit


@dataclass
class Handler:
    """What a user does when an event, or a message of a kind, arrives."""

    event: str
    namespace: str
    kind: MessageKind | None = None
    """How the message is told from others; None for events of Socket.IO."""
    keeps: list[Keep] = field(default_factory=list)
    delivery: Delivery | None = None


@dataclass(frozen=True)
class Delivery:
    """Messages that one user sends and others receive, found in the recording."""

    sent_event: str
    received_event: str
    key_sent: Location
    """Where the arguments of the sent event hold what tells one message from another."""
    key_received: Location
    """Where the arguments of the received event hold the same; "*" stands for every index of a list."""
    room_sent: Location | None
    room_received: Location | None
    """Where both hold the room; None when the message names none."""


@dataclass(frozen=True)
class Joined:
    """An emitted event that brings its sender into the room of a delivery."""

    event: str
    """The event that is received in the room, which names the delivery."""
    room: Location
    """Where the arguments hold the room."""


@dataclass
class Flow:
    """What one recorded user does."""

    source: str
    steps: list[Step]
    start: list[HttpStep] = field(default_factory=list)
    """Where order does not matter: what the user asks once, before its tasks."""
    handlers: list[Handler] = field(default_factory=list)
    received: list[SocketEvent] = field(default_factory=list)
    """The events that arrived."""

    @property
    def connects(self) -> bool:
        """Whether the user holds the connection of a socket."""
        return any(isinstance(step, Connect) for step in self.steps)

    @property
    def raw(self) -> bool:
        """Whether that is a WebSocket with a protocol of the server's own."""
        return any(isinstance(step, Connect) and step.raw for step in self.steps)


@dataclass
class Script:
    """Everything that the text of a scenario is made from."""

    flows: list[Flow]
    origin: str
    recorded: bool
    """Whether the steps were recorded in an order that matters; otherwise each is a task of its own."""
    weights: dict[str, int] = field(default_factory=dict)
    """How often each operation was seen, by method and name, where order does not matter."""
    paths: dict[str, list[str]] = field(default_factory=dict)
    """Where order does not matter: the paths, with their queries, of each operation that was seen with several."""
    secrets: list[str] = field(default_factory=list)
    """The environment variables that hold what was too secret to be written down."""
    secret_values: dict[str, str] = field(default_factory=dict, repr=False)
    """What these variables were in the material; placeholders are not in it. Never written down."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Where order does not matter: operations that users do not make, each with the reason in words."""
    notes: list[str] = field(default_factory=list)
