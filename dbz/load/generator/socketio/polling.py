"""Engine.IO over HTTP long-polling: one request waits for packets, another sends what has gathered meanwhile."""

from __future__ import annotations

import base64
import binascii
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.hub import get_hub

from dbz.load.generator.http import HttpClient, split_url
from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.http.response import Response
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.faults import ConnectionLost, HandshakeRefused, MalformedPacket, TransportError
from dbz.load.generator.websocket.frames import BINARY, TEXT

_SEPARATOR = b"\x1e"
_POLL_TIMEOUT_S = 120.0
_MAX_BODY_BYTES = 1_000_000
_HEADERS = {"Content-Type": "text/plain;charset=UTF-8"}


class Polling:
    """An open connection by long-polling; packets are handed over on the event loop, as a WebSocket does."""

    def __init__(self, http: HttpClient, target: str, opening: bytes, by_hand: str = "") -> None:
        self._http = http
        self._by_hand = by_hand
        self._target = target
        self._opening = opening
        self._max_body_bytes = _MAX_BODY_BYTES
        self._loop = get_hub().loop
        self._outbox: list[tuple[bytes, int]] = []
        self._paused = False
        self._poller: Any = None
        self._poster: Any = None
        self.closed = False
        self.on_message: Callable[[int, bytes], None] = lambda _opcode, _payload: None
        self.on_close: Callable[[TransportError], None] = lambda _error: None

    def start(self) -> None:
        """Begin to hand over packets, first those of the handshake."""
        self._loop.run_callback(self._take, self._opening)

    def go_on(self, sid: str, max_payload: int) -> None:
        """Begin to poll: the connection is open, its id and the largest body that the server accepts are known."""
        self._target += f"&sid={sid}"
        self._max_body_bytes = max_payload or _MAX_BODY_BYTES
        self.resume()

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a packet with the next request; `ConnectionLost` when closed."""
        if self.closed:
            raise ConnectionLost("the connection is closed")
        self._outbox.append((payload, opcode))
        if self._poster is None and not self._paused:
            self._poster = gevent.spawn(self._post)

    @property
    def writable(self) -> bool:
        """Whether a packet would go out now, and not wait for another request."""
        return not self.closed and not self._paused and self._poster is None

    def size(self, payload: bytes, opcode: int) -> int:
        """Bytes that a packet takes on the wire: binary ones are base64."""
        return len(payload) if opcode == TEXT else 1 + (len(payload) + 2) // 3 * 4

    def pause(self, timeout_s: float) -> list[tuple[bytes, int]]:
        """Stop, and return what was not sent yet; `gevent.Timeout` when the requests on their way do not end."""
        self._paused = True
        with gevent.Timeout(timeout_s):
            gevent.joinall([each for each in (self._poller, self._poster) if each is not None])
        if self.closed:
            raise ConnectionLost("lost while changing the transport")
        self.closed = True
        self._http.close()
        unsent, self._outbox = self._outbox, []
        return unsent

    def resume(self) -> None:
        """Poll, and send what waits."""
        if self.closed:
            return
        self._paused = False
        if self._poller is None or self._poller.dead:
            self._poller = gevent.spawn(self._poll)
        if self._outbox and self._poster is None:
            self._poster = gevent.spawn(self._post)

    def close(self, error: TransportError | None = None) -> None:
        """Close the connection; `on_close` is told when something else than this side wanted it."""
        if self.closed:
            return
        self.closed = True
        unsent, self._outbox = self._outbox, []
        if self._poller is not None:
            self._poller.kill(block=False)
        if error is None:
            gevent.spawn(self._say_goodbye, [*unsent, (b"1", TEXT)])
            return
        if self._poster is not None:
            self._poster.kill(block=False)
        self._http.close()
        self.on_close(error)

    def _say_goodbye(self, packets: list[tuple[bytes, int]]) -> None:
        if self._poster is not None:
            self._poster.join()
        self._request("POST", _payload(packets))
        self._http.close()

    def _request(self, method: str, payload: bytes | None = None) -> Response:
        return ask(
            self._http, method, self._target, self._by_hand, _POLL_TIMEOUT_S if payload is None else None, payload
        )

    def _poll(self) -> None:
        while not self.closed and not self._paused:
            response = self._request("GET")
            error = _failure(response)
            if error is not None:
                self._loop.run_callback(self.close, error)
                return
            self._loop.run_callback(self._take, response.content)
            gevent.sleep(0)  # what came may end the connection: it is looked at before the next request

    def _post(self) -> None:
        try:
            while self._outbox and not self.closed and not self._paused:
                packets = self._next_packets()
                error = _failure(self._request("POST", _payload(packets)))
                if error is not None:
                    self._loop.run_callback(self.close, error)
                    return
        finally:
            self._poster = None

    def _next_packets(self) -> list[tuple[bytes, int]]:
        """As many waiting packets as one request may carry, at least one."""
        size = count = 0
        for payload, opcode in self._outbox:
            size += 1 + self.size(payload, opcode)
            if count and size > self._max_body_bytes:
                break
            count += 1
        packets, self._outbox = self._outbox[:count], self._outbox[count:]
        return packets

    def _take(self, body: bytes) -> None:
        try:
            for packet in body.split(_SEPARATOR):
                if self.closed:
                    return
                if packet.startswith(b"b"):
                    self.on_message(BINARY, base64.b64decode(packet[1:], validate=True))
                else:
                    self.on_message(TEXT, packet)
        except binascii.Error:
            self.close(MalformedPacket("a binary packet that is not base64"))
        except TransportError as error:
            self.close(error)


def open_polling(
    base_url: str,
    target: str,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    deadline_s: float,
    cookies: CookieJar,
    access: UserAccess | None = None,
) -> Polling:
    """Ask for the handshake; `HandshakeRefused` when the server answers with something else.

    All requests send `cookies`, which learn what the server sets: a balancer may hold on to its servers by one.
    """
    http = HttpClient(base_url, _not_recorded, access=access)
    http.cookies = cookies
    by_hand = "; ".join(value for name, value in headers.items() if name.lower() == "cookie")
    http.headers = {**http.headers, **{name: value for name, value in headers.items() if name.lower() != "cookie"}}
    http.tls_context = tls
    try:
        response = ask(http, "GET", target, by_hand, max(deadline_s - time.monotonic(), 0.001))
        error = _failure(response)
        if error is not None:
            raise error
    except BaseException:
        http.close()
        raise
    return Polling(http, target, response.content, by_hand)


def ask(
    http: HttpClient, method: str, target: str, by_hand: str, timeout_s: float | None, payload: bytes | None = None
) -> Response:
    """One request of the transport. A Cookie field that the scenario wrote does not keep the jar's cookies away: a
    balancer's among them must reach it.
    """
    headers = dict(_HEADERS) if payload is not None else {}
    if by_hand:
        headers["Cookie"] = http.cookies.header_beside(by_hand, *split_url(http.base_url + target))
    return http.request(method, target, data=payload, headers=headers, timeout=timeout_s)


def _payload(packets: list[tuple[bytes, int]]) -> bytes:
    return _SEPARATOR.join(
        payload if opcode == TEXT else b"b" + base64.b64encode(payload) for payload, opcode in packets
    )


def _failure(response: Response) -> TransportError | None:
    """Why a request failed, as an error of the same name; None when it did not."""
    if response.ok:
        return None
    if response.status_code and response.error.startswith("HTTP "):
        return HandshakeRefused(f"HTTP {response.status_code} {response.text[:120]}".strip())
    name, _, detail = response.error.partition(": ")
    error = TransportError(detail)
    error.name = name
    return error


def _not_recorded(_response: Response, _operation: str, _elapsed_s: float) -> None:
    """Requests of the transport are no operations of the user."""
