"""Connections to other processes of the server, kept for the next request."""

from __future__ import annotations

import asyncio

from dbz.server.mesh.wire import Fields, Incoming, UnreachableError, UpstreamConnection

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class Connections:
    """Connections by host and port, each kept for `idle_s` seconds after its last use."""

    def __init__(self, connect_within_s: float, idle_s: float) -> None:
        self._connect_within_s = connect_within_s
        self._idle_s = idle_s
        self._kept: dict[str, list[UpstreamConnection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, name: str, method: str, request: bytes, within_s: float) -> Incoming:
        """Write a request to host and port `name`; `UnreachableError` when there is no connection."""
        return (self._take(name) or await self._connect(name)).send(request, method == "HEAD", within_s)

    def keep(self, name: str, connection: UpstreamConnection) -> None:
        """Have a connection wait for its next use."""
        connection.idle_since_s = connection.loop.time()
        self._kept.setdefault(name, []).append(connection)
        if self._sweep is None:
            self._sweep = connection.loop.call_later(self._idle_s, self._close_idle)

    def forget(self, name: str, connection: UpstreamConnection) -> None:
        """A connection that may have waited has ended."""
        kept = self._kept.get(name, [])
        if connection in kept:
            kept.remove(connection)

    def forget_all(self, name: str) -> None:
        """Close those to a host and port that wait: nobody is there any more, or somebody else."""
        for connection in self._kept.pop(name, []):
            connection.transport.abort()

    def close(self) -> None:
        """Close all that wait; those in use end with their answers."""
        if self._sweep is not None:
            self._sweep.cancel()
        self._idle_s = 0.0
        for name in list(self._kept):
            self.forget_all(name)

    def _take(self, name: str) -> UpstreamConnection | None:
        kept = self._kept.get(name)
        while kept:
            connection = kept.pop()  # the one used last: the others may become idle
            if connection.is_usable():
                return connection
            connection.transport.abort()
        return None

    async def _connect(self, name: str) -> UpstreamConnection:
        host, _, port = name.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_within_s):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(self, name), host.strip("[]"), int(port)
                )
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{name} cannot be reached: {error}") from error
        return connection

    def _close_idle(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        until_s = loop.time() - self._idle_s
        for name, kept in list(self._kept.items()):
            for connection in [each for each in kept if each.idle_since_s <= until_s]:
                kept.remove(connection)
                connection.transport.close()
            if not kept:
                del self._kept[name]
        if self._kept:
            self._sweep = loop.call_later(self._idle_s / 2, self._close_idle)


def request_of(method: str, target: str, host: str, headers: Fields, body: bytes | None) -> bytes:
    """The bytes of a request; `ValueError` where a line break would make two of it."""
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n".encode("latin-1")]
    lines += [b"%b: %b\r\n" % field for field in headers]
    if body is not None or method not in _WITHOUT_BODY:
        lines.append(b"content-length: %d\r\n" % len(body or b""))
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise ValueError("a line break in a header of a request")
    return head + b"\r\n" + body if body else head + b"\r\n"
