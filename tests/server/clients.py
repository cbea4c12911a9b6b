"""HTTP and Socket.IO clients of a signed-in user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import httpx
import socketio

Event = tuple[str, Any]


class User:
    """One signed-in user: `http` for requests, `socket()` for real time."""

    def __init__(self, http: httpx.AsyncClient, user_id: str, tokens: dict[str, Any], stack: AsyncExitStack) -> None:
        self.http = http
        self.id = user_id
        self.tokens = tokens
        self._stack = stack

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET as this user."""
        return await self.http.get(path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """POST a JSON body as this user."""
        return await self.http.post(path, json=body, **options)

    async def socket(self, *transports: str, url: str | None = None) -> Socket:
        """A connected socket that closes at the end of the test."""
        where = url or str(self.http.base_url)
        return await self._stack.enter_async_context(connected(where, self.tokens["access_token"], transports))


class Socket:
    """A Socket.IO client that remembers the events that it got."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.events: list[Event] = []
        client.on("*", self._on)

    async def _on(self, event: str, data: Any = None) -> None:
        self.events.append((event, data))

    async def call(self, event: str, data: Any) -> dict[str, Any]:
        """Emit, and wait for the ack."""
        answer: dict[str, Any] = await self.client.call(event, data, timeout=30)
        return answer

    async def emit(self, event: str, data: Any) -> None:
        """Emit without waiting."""
        await self.client.emit(event, data)

    def of(self, event: str) -> list[Any]:
        """The payloads of the events with this name, so far."""
        return [data for name, data in self.events if name == event]

    def messages(self) -> list[dict[str, Any]]:
        """All chat messages so far, in order."""
        return [message for batch in self.of("message:batch") for message in batch["messages"]]

    async def until(self, event: str, count: int = 1) -> list[Any]:
        """Wait for `count` events with this name."""
        return await eventually(lambda: self.of(event) if len(self.of(event)) >= count else None)


async def eventually(probe: Any, within_s: float = 60.0) -> Any:
    """The first true value of `probe()`; an AssertionError after `within_s` seconds."""
    end = asyncio.get_running_loop().time() + within_s
    while True:
        value = probe()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(url: str, token: str | None, transports: tuple[str, ...] = ()) -> AsyncIterator[Socket]:
    """A socket with this access token."""
    # A session of our own: the library leaves its own open when it was the server that ended the connection.
    async with aiohttp.ClientSession() as session:
        socket = Socket(socketio.AsyncClient(reconnection=False, http_session=session))
        auth = {"token": token} if token else None
        try:
            await socket.client.connect(url, auth=auth, transports=list(transports) or ["websocket"])
            yield socket
        finally:
            await socket.client.disconnect()
            await asyncio.sleep(0)


async def login(http: httpx.AsyncClient, user_id: str) -> dict[str, Any]:
    """The tokens of a demo user."""
    response = await http.post("/api/auth/login", json={"username": user_id, "password": "demo"})
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


SignIn = Callable[[str], Awaitable[User]]


@asynccontextmanager
async def signing_in(url: str) -> AsyncIterator[SignIn]:
    """Signs users in at a server; their clients close with the block."""
    async with AsyncExitStack() as stack:

        async def sign(user_id: str) -> User:
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
            tokens = await login(http, user_id)
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            return User(http, user_id, tokens, stack)

        yield sign
