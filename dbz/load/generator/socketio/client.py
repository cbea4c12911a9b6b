"""A Socket.IO client (protocol 5 over Engine.IO 4) for thousands of members in one process.

Three series are kept apart: `connect` (until the namespace is usable), `ack` (emit until its acknowledgement) and
`delivery` (see `dbz.load.generator.deliveries.ledger`). Nothing is ever recorded as 0 ms because it was not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.record.recorder import Samples
from dbz.load.generator.socketio.endpoint import Endpoint, SocketOptions
from dbz.load.generator.socketio.link import Link
from dbz.load.generator.socketio.namespace import ACK_TIMEOUT_S, Auth, Handler, Namespace
from dbz.protocols.socketio import DEFAULT

__all__ = ["Namespace", "SocketClient", "SocketOptions"]

_DEFAULT_OPTIONS = SocketOptions()


class SocketClient:
    """The Socket.IO side of one virtual user.

    Its own methods are those of the default namespace; `namespace("/admin")` gives another one on the same connection.
    How to reach the server is in `options`, which may be replaced before the first `connect`. `cookies` gives the jar
    whose cookies go along and which learns those that the server sets; without it the client has one of its own.
    `access` is the network that it goes over; None for this machine's.
    """

    __slots__ = ("_default", "_link", "_recorder")

    def __init__(
        self,
        base_url: str,
        recorder: Samples,
        options: SocketOptions = _DEFAULT_OPTIONS,
        cookies: Callable[[], CookieJar] | None = None,
        access: UserAccess | None = None,
    ) -> None:
        self._recorder = recorder
        self._link = Link(Endpoint(base_url, options, cookies, access), recorder)
        self._default = self.namespace(DEFAULT)

    @property
    def options(self) -> SocketOptions:
        """How the server is reached."""
        return self._link.endpoint.options

    @options.setter
    def options(self, options: SocketOptions) -> None:
        self._link.endpoint.options = options

    @property
    def connected(self) -> bool:
        """Whether events can be sent now."""
        return self._default.connected

    @property
    def on_connected(self) -> Callable[[], None]:
        """What is called, in a greenlet, after each connect and reconnect."""
        return self._default.on_connected

    @on_connected.setter
    def on_connected(self, call: Callable[[], None]) -> None:
        self._default.on_connected = call

    def namespace(self, name: str) -> Namespace:
        """A namespace, such as `/admin`: connect to it, then use it as this client."""
        known = self._link.namespaces.get(name)
        if known is None:
            timeout_s = self._link.endpoint.options.connect_timeout_s
            known = self._link.namespaces[name] = Namespace(name, self._link, self._recorder, timeout_s)
        return known

    @property
    def recovered(self) -> bool:
        """Whether the server gave what was missed when it was connected to last; see `Namespace.recovered`."""
        return self._default.recovered

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for each `event`; see `Namespace.on`."""
        self._default.on(event, handler)

    def on_any(self, handler: Handler) -> None:
        """Call `handler(event, *arguments)` for every event; see `Namespace.on_any`."""
        self._default.on_any(handler)

    def connect(self, auth: Auth = None, *, attempts: int = 20) -> None:
        """Connect, trying again with growing pauses; see `Namespace.connect`."""
        self._default.connect(auth, attempts=attempts)

    def emit(self, event: str, *arguments: Any) -> bool:
        """Send an event; returns whether that was possible. See `Namespace.emit`."""
        return self._default.emit(event, *arguments)

    def emit_volatile(self, event: str, *arguments: Any) -> bool:
        """Send an event, or drop it when it would have to wait; see `Namespace.emit_volatile`."""
        return self._default.emit_volatile(event, *arguments)

    def call(self, event: str, *arguments: Any, timeout_s: float = ACK_TIMEOUT_S) -> list[Any] | None:
        """Send an event and wait for its acknowledgement; see `Namespace.call`."""
        return self._default.call(event, *arguments, timeout_s=timeout_s)

    def disconnect(self) -> None:
        """Leave all namespaces and close the connection for good."""
        for namespace in self._link.namespaces.values():
            namespace.disconnect()
