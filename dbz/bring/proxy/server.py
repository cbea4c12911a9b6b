"""The proxy: requests and sockets pass to the server as they come, and a tape keeps what passed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from urllib.parse import urlsplit

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from dbz.bring.proxy.rewriting import Fields, to_client, to_server
from dbz.bring.proxy.tape import KeptBody, Tape, TapeEntry
from dbz.errors import DependencyError

HOST = "127.0.0.1"
_CONNECT_S = 10.0
_PART_BYTES = 65_536
_CLOSING_S = 1.0
_LONGEST_HEAD = 65_536
_OWN_FIELDS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What aiohttp would add to a request that does not have it."""
_BODILESS = (204, 304)


class RecordingProxy:
    """Passes what arrives at a port of this machine on to one server, for one user."""

    def __init__(self, target: str, port: int = 0, host: str = HOST) -> None:
        self.tape = Tape()
        self.host = host
        self.port = port
        """Where it listens; known when it has started."""
        parts = urlsplit(target)
        self._target = f"{parts.scheme}://{parts.netloc}"
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; `DependencyError` when the port is taken."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_CLOSING_S,
            max_line_size=_LONGEST_HEAD,
            max_field_size=_LONGEST_HEAD,
        )
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self.host, self.port)
            await site.start()
        except OSError as error:
            await self.stop()
            raise DependencyError(
                f"cannot listen on port {self.port}: {error.strerror or error}", code="E017"
            ) from error
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            skip_auto_headers=_OWN_FIELDS,
            max_line_size=_LONGEST_HEAD,
            max_field_size=_LONGEST_HEAD,
        )

    async def stop(self) -> None:
        """Close all connections; what was under way is kept as far as it came."""
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        own = f"http://{request.headers.get('Host') or f'{self.host}:{self.port}'}"
        fields = to_server(request.headers.items(), own, self._target)
        path = request.raw_path if request.raw_path.startswith("/") else urlsplit(request.raw_path).path or "/"
        socket = request.headers.get("Upgrade", "").lower() == "websocket"
        entry = self.tape.begin(request.method, self._target + path, fields, socket=socket)
        if socket:
            entry.url = "ws" + entry.url.removeprefix("http")
        try:
            return await (
                self._socket(request, entry, fields, own) if socket else self._pass(request, entry, fields, own)
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if entry.headed_s:  # the answer had begun: all that is left is to end it as the server did
                raise
            self.tape.failed += 1
            entry.status = 0
            return web.Response(status=502, text=f"dbz record: {self._target} did not answer: {error}\n")
        finally:
            entry.ended_s = time.time()

    async def _pass(self, request: web.Request, entry: TapeEntry, fields: Fields, own: str) -> web.StreamResponse:
        """Pass on a request and its answer, each part as soon as it is there."""
        assert self._session is not None
        url = URL(entry.url, encoded=True)
        body = _noted(request.content.iter_chunked(_PART_BYTES), entry.body) if request.body_exists else None
        async with self._session.request(
            request.method, url, headers=fields, data=body, allow_redirects=False
        ) as upstream:
            self._head(entry, upstream)
            answer = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for name, value in to_client(upstream.headers.items(), own, self._target):
                answer.headers.add(name, value)
            bodiless = request.method == "HEAD" or upstream.status in _BODILESS
            if not bodiless and "Content-Length" not in answer.headers:
                answer.enable_chunked_encoding()
            await answer.prepare(request)
            async for part in upstream.content.iter_any():
                entry.answer.add(part)
                if not bodiless:
                    await answer.write(part)
            with contextlib.suppress(ConnectionError):
                await answer.write_eof()
            return answer

    @staticmethod
    def _head(entry: TapeEntry, upstream: aiohttp.ClientResponse) -> None:
        entry.headed_s, entry.status = time.time(), upstream.status
        entry.answer_headers = list(upstream.headers.items())

    async def _socket(self, request: web.Request, entry: TapeEntry, fields: Fields, own: str) -> web.StreamResponse:
        """Pass on a WebSocket, and what the server says to its handshake first."""
        assert self._session is not None
        offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        url = URL("http" + entry.url.removeprefix("ws"), encoded=True)
        try:
            upstream = await self._session.ws_connect(
                url, headers=fields, protocols=offered, autoping=False, autoclose=False, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as refusal:
            entry.headed_s, entry.status = time.time(), refusal.status
            entry.messages = None
            answer = web.Response(status=refusal.status)
            for name, value in to_client((refusal.headers or {}).items(), own, self._target):
                if name.lower() not in ("content-length", "content-encoding"):
                    answer.headers.add(name, value)
            return answer
        async with upstream:
            self._head(entry, upstream._response)
            chosen = [upstream.protocol] if upstream.protocol else []
            client = web.WebSocketResponse(protocols=chosen, autoping=False, autoclose=False, max_msg_size=0)
            for name, value in to_client(upstream._response.headers.items(), own, self._target):
                if name.lower() == "set-cookie":
                    client.headers.add(name, value)
            await client.prepare(request)
            await _until_first(_relay(client, upstream, entry, sent=True), _relay(upstream, client, entry, sent=False))
            return client


async def _noted(parts: AsyncIterator[bytes], kept: KeptBody) -> AsyncIterator[bytes]:
    async for part in parts:
        kept.add(part)
        yield part


Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _relay(source: Side, sink: Side, entry: TapeEntry, *, sent: bool) -> None:
    """Pass on the messages of one side until it closes, and then close the other one in the same way."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            entry.message(sent=sent, data=message.data)
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            entry.message(sent=sent, data=bytes(message.data))
            await sink.send_bytes(message.data)
        elif message.type is WSMsgType.PING:
            await sink.ping(message.data)
        elif message.type is WSMsgType.PONG:
            await sink.pong(message.data)
    code = source.close_code
    await sink.close(code=code if code and code not in (1005, 1006) else 1000)


async def _until_first(*relays: Coroutine[None, None, None]) -> None:
    """Let both directions run until one of them has ended; the other one has nothing more to pass on."""
    tasks = [asyncio.ensure_future(relay) for relay in relays]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def record_until_cancelled(proxies: Sequence[RecordingProxy], started: Callable[[], None]) -> None:
    """Let the proxies pass on what comes until this is cancelled; `started()` is called when all of them listen."""
    try:
        for proxy in proxies:
            await proxy.start()
        started()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    finally:
        await asyncio.gather(*(proxy.stop() for proxy in proxies), return_exceptions=True)
