"""Where a Socket.IO server is and how to get there: transports, and the change from polling to WebSocket."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import gevent
from gevent.event import AsyncResult

from dbz.load.generator.http import CONNECT_TIMEOUT_S, split_url
from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.faults import MalformedPacket, ReadTimeout, TransportError
from dbz.load.generator.socketio.engineio import EngineConnection, Transport
from dbz.load.generator.socketio.polling import Polling, open_polling
from dbz.load.generator.websocket.client import MAX_MESSAGE_BYTES, WebSocket, open_websocket

POLLING, WEBSOCKET = "polling", "websocket"
_UPGRADE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class SocketOptions:
    """How to reach the server."""

    path: str = "/socket.io/"
    """Where the server listens; a slash is added at its end, as all official clients do."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters that are added to those of the protocol."""
    headers: Mapping[str, str] = field(default_factory=dict)
    transports: tuple[str, ...] = (WEBSOCKET,)
    """What may be used, in this order: ("websocket",), ("polling",), or both to begin with polling and change over."""
    trailing_slash: bool = True
    """Whether to add that slash (`addTrailingSlash` of the official clients)."""
    tls: ssl.SSLContext | None = None
    """Replaces the default verification against the system's certificates."""
    compression: bool = True
    """Whether to offer permessage-deflate."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """The largest message that is accepted from the server."""
    connect_timeout_s: float = CONNECT_TIMEOUT_S

    def __post_init__(self) -> None:
        if not self.transports or set(self.transports) - {POLLING, WEBSOCKET}:
            raise ValueError(f"transports are {POLLING!r} and {WEBSOCKET!r}, not {self.transports!r}")


class Endpoint:
    """Where an Engine.IO server is, and how to reach it by each transport."""

    __slots__ = ("_access", "base_url", "cookies", "options")

    def __init__(
        self,
        base_url: str,
        options: SocketOptions,
        cookies: Callable[[], CookieJar] | None = None,
        access: UserAccess | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.options = options
        self._access = access
        if cookies is None:
            own = CookieJar(split_url(self.base_url)[0])
            self.cookies: Callable[[], CookieJar] = lambda: own
        else:
            self.cookies = cookies

    def open(self, deadline_s: float) -> Transport:
        """Connect by the first transport."""
        if self.options.transports[0] == WEBSOCKET:
            return self.open_websocket("", deadline_s)
        options = self.options
        return open_polling(
            self.base_url, self.target(POLLING), options.headers, options.tls, deadline_s, self.cookies(), self._access
        )

    def open_websocket(self, sid: str, deadline_s: float) -> WebSocket:
        """Connect by WebSocket; with a `sid` to change a polling connection over."""
        origin, prefix = split_url(self.base_url)
        options = self.options
        return open_websocket(
            origin,
            prefix + self.target(WEBSOCKET) + (f"&sid={sid}" if sid else ""),
            options.headers,
            deadline_s=deadline_s,
            timeout_s=options.connect_timeout_s,
            max_bytes=options.max_message_bytes,
            compression=options.compression,
            tls=options.tls,
            cookies=self.cookies(),
            access=self._access,
        )

    def target(self, transport: str) -> str:
        """The path and the query of a request."""
        path = "/" + self.options.path.strip("/") + ("/" if self.options.trailing_slash else "")
        return f"{path}?{urlencode({**self.options.query, 'EIO': '4', 'transport': transport})}"


def upgrade(engine: EngineConnection, polling: Polling, endpoint: Endpoint) -> None:
    """Change an open polling connection over to a WebSocket; raises why not, and polling goes on.

    What is sent meanwhile waits and goes out by the WebSocket: nothing is lost and the order stays.
    """
    deadline_s = time.monotonic() + _UPGRADE_TIMEOUT_S
    websocket = endpoint.open_websocket(engine.handshake.sid, deadline_s)
    probed = AsyncResult()
    websocket.on_message = lambda _opcode, packet: probed.set(packet)
    websocket.on_close = probed.set_exception
    websocket.start()
    try:
        websocket.send(b"2probe")
        if probed.get(timeout=_UPGRADE_TIMEOUT_S) != b"3probe":
            raise MalformedPacket("no answer to the probe of the new transport")
        unsent = polling.pause(max(deadline_s - time.monotonic(), 0.001))
        websocket.send(b"5")
        engine.carry_on(websocket)
        for payload, opcode in unsent:
            websocket.send(payload, opcode)
    except (TransportError, gevent.Timeout) as error:
        websocket.close()
        polling.resume()
        raise error if isinstance(error, TransportError) else ReadTimeout("the upgrade was not finished") from error
