"""A server that is bad in one way: `python -m tests.verdicts.bad_server KIND`; prints its port when it is there.

It speaks just enough HTTP and Socket.IO to be loaded: a login, a list, WebSockets that take events and send them on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
import time

HEALTH = b"/healthz"
_LOGIN, _LIST = b"/login", b"/items"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(status: int, body: bytes, kind: str = "application/json") -> bytes:
    """One HTTP answer."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class BadServer:
    """Behaves well but for one thing; times count from the first request that is no health probe."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.began_s: float | None = None
        self.requests = 0
        self.sockets: set[asyncio.StreamWriter] = set()

    @property
    def age_s(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self.began_s if self.began_s is not None else 0.0

    async def respond(self, target: bytes) -> bytes | None:
        """The answer to a request; None to hang up without one."""
        kind, path = self.kind, target.partition(b"?")[0]
        if path == b"/metrics":
            return answer(500 if kind == "metrics broken" else 404, b"")
        if path == HEALTH and kind not in ("dies at the start", "dies at the end", "hangs", "hangs for 5 s"):
            return answer(404, b"")
        if path != HEALTH:
            self.began_s = self.began_s or time.monotonic()
            self.requests += 1
        if kind == "hangs" or (kind == "hangs for 5 s" and 3 <= self.age_s < 8):
            await asyncio.sleep(3600 if kind == "hangs" else max(8 - self.age_s, 0))
        if (kind == "dies at the start" and self.age_s > 0.5) or (kind == "dies at the end" and self.age_s > 3.2):
            os._exit(1)
        if kind in ("404", "503"):
            return answer(int(kind), b"{}")
        if kind == "refuses half" and self.requests % 2:
            return None
        if kind == "one of two is dead" and self.requests % 2:
            return answer(502, b"")
        return self._content(path)

    def _content(self, path: bytes) -> bytes | None:
        kind = self.kind
        if path == _LOGIN and kind == "login fails":
            return answer(401, b'{"error": "wrong password"}')
        if kind == "an error inside" and path != _LOGIN:
            return answer(200, b'{"ok": false, "error": {"code": "db_down"}}')
        if kind == "a page":
            return answer(200, b"<html>Please sign in</html>", "text/html")
        if kind == "empty":
            return answer(200, b"")
        return answer(200, b'{"ok": true, "token": "t-123456", "items": [{"id": 1}]}')

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client or the server's kind ends it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, target, *_ = head.split(b" ")
                lines = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
                fields = {name.strip().lower(): value.strip() for name, _, value in lines}
                if fields.get(b"upgrade", b"").lower() == b"websocket":
                    await self._socket(reader, writer, fields[b"sec-websocket-key"])
                    return
                await reader.readexactly(int(fields.get(b"content-length", 0)))
                response = await self.respond(target)
                if response is None:
                    return
                writer.write(response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.sockets.discard(writer)
            writer.close()

    async def _socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> None:
        """A Socket.IO connection: what one client says, all others hear; unless the server is silent."""
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        upgrade = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        writer.write(f"{upgrade}{accept}\r\n\r\n".encode())
        times = {"sid": accept[:10], "upgrades": [], "pingInterval": 25000, "pingTimeout": 60000, "maxPayload": 1000000}
        self._say(writer, "0" + json.dumps(times))
        self.sockets.add(writer)
        while True:
            message = await self._message(reader)
            if message.startswith("40"):
                self._say(writer, '40{"sid":"s"}')
            elif message.startswith("42") and self.kind != "sockets stay silent":
                for other in self.sockets - {writer}:
                    self._say(other, message)
                if self.kind == "cuts sockets" and self.age_s >= 0:
                    writer.close()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, text: str) -> None:
        data = text.encode()
        head = bytes([0x81, len(data)]) if len(data) < 126 else bytes([0x81, 126]) + len(data).to_bytes(2, "big")
        writer.write(head + data)

    @staticmethod
    async def _message(reader: asyncio.StreamReader) -> str:
        _, length = await reader.readexactly(2)
        size = length & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        data = await reader.readexactly(size)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data)).decode("utf-8", "replace")


async def main(kind: str) -> None:
    """Serve until killed."""
    bad = BadServer(kind)
    server = await asyncio.start_server(bad.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
