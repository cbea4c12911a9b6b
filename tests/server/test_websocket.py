"""WebSockets of the server: frames against another implementation, the handshake, order, limits, memory."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from dbz.server.realtime.descriptors import Descriptors, is_connection
from dbz.server.realtime.handshake import acceptance
from dbz.server.realtime.websocket import ServerWebSocket, binary_frame, text_frame
from tests.server.backend import Backend
from tests.server.clients import SignIn, eventually

pytestmark = pytest.mark.anyio

EDGES = st.sampled_from([0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 200_000])
MOST = 1000


@given(EDGES, st.text(min_size=1, max_size=40))
def test_frames_are_those_that_another_implementation_reads(length: int, some: str) -> None:
    """Of every length at which the form of the head changes, text and bytes."""
    text = (some * (length // len(some) + 1))[:length]
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(text_frame(text) + binary_frame(text.encode()) + text_frame(text))
    events: list[Any] = list(client.events())
    parts = {kind: [e.data for e in events if isinstance(e, kind)] for kind in (TextMessage, BytesMessage)}
    assert "".join(parts[TextMessage]) == text * 2
    assert b"".join(parts[BytesMessage]) == text.encode()


def test_the_key_of_the_rfc_gets_its_answer() -> None:
    """The example of RFC 6455, section 1.3."""
    assert dict(acceptance(b"dGhlIHNhbXBsZSBub25jZQ=="))[b"sec-websocket-accept"] == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Client:
    """The other end of a WebSocket: what it wants to send as bytes, and what it got."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.protocol = Connection(ConnectionType.CLIENT)
        self.events: list[Any] = []

    async def say(self, *events: Any) -> None:
        """Send events."""
        for event in events:
            await self.write(self.protocol.send(event))

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        await asyncio.get_running_loop().sock_sendall(self.end, data)

    async def until(self, kind: type[Any]) -> Any:
        """The first event of a kind from here on."""
        while True:
            for event in self.protocol.events():
                self.events.append(event)
                if isinstance(event, kind):
                    return event
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.end, 65_536), 20)
            self.protocol.receive_data(data or None)


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[ServerWebSocket, Client]]:
    """A WebSocket and its client."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 8192)
    transport, websocket = await asyncio.get_running_loop().connect_accepted_socket(
        lambda: ServerWebSocket(MOST, lambda: None), ours
    )
    try:
        yield websocket, Client(theirs)
    finally:
        transport.abort()
        theirs.close()


async def test_messages_in_parts_pings_between_them_and_a_close() -> None:
    """What came in three frames is one message; a ping is answered; a close is answered with its code."""
    async with pair() as (websocket, client):
        await client.say(TextMessage("a", message_finished=False), TextMessage("ü", message_finished=False))
        await client.say(Ping(b"still there?"), TextMessage("c"), BytesMessage(b"\x00"))
        assert await websocket.receive() == {"type": "websocket.receive", "text": "aüc"}
        assert await websocket.receive() == {"type": "websocket.receive", "bytes": b"\x00"}
        assert (await client.until(Pong)).payload == b"still there?"
        await client.say(CloseConnection(4000, "enough"))
        assert await websocket.receive() == {"type": "websocket.disconnect", "code": 4000}
        assert (await client.until(CloseConnection)).code == 4000


async def test_frames_without_anything_in_them_take_no_memory() -> None:
    async with pair() as (websocket, client):
        await client.say(TextMessage("a", message_finished=False))
        for _ in range(500):
            await client.say(TextMessage("", message_finished=False))
        await client.say(Ping(b"all read?"))
        await client.until(Pong)
        assert websocket._parts == ["a"]
        await client.say(TextMessage("", message_finished=True))
        assert await websocket.receive() == {"type": "websocket.receive", "text": "a"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x85\0\0\0\0" + b"\xff" * 5, 1007),  # no UTF-8
        (b"\x81\x05hello", 1002),  # a client's frame must be masked
        (b"\x83\x80\0\0\0\0", 1002),  # a reserved opcode
        (b"\x89\xfe\x00\x7e\0\0\0\0", 1002),  # a ping of 126 bytes
        (b"\x81\xfe" + (MOST + 1).to_bytes(2) + b"\0\0\0\0" + b"x" * (MOST + 1), 1009),
    ],
)
async def test_what_must_not_be_sent_ends_it(sent: bytes, code: int) -> None:
    """With the code of RFC 6455, section 7.4.1."""
    async with pair() as (websocket, client):
        await client.write(sent)
        assert (await websocket.receive())["type"] == "websocket.disconnect"
        assert (await client.until(CloseConnection)).code == code


async def write_all(websocket: ServerWebSocket, waiting: asyncio.Queue[int]) -> None:
    """The writer of a connection: takes what waits, and sends it."""
    while True:
        numbers = [await waiting.get()]
        while not waiting.empty():
            numbers.append(waiting.get_nowait())
        for number in numbers:
            await websocket.send({"type": "websocket.send", "text": f"{number:>500}"})


async def read_all(client: Client, total: int) -> list[int]:
    """The numbers that a client gets, now and then with a pause."""
    numbers: list[int] = []
    text = ""
    while len(numbers) < total:
        part = await client.until(TextMessage)
        text += part.data
        if part.message_finished:
            numbers.append(int(text))
            text = ""
            if len(numbers) % 50 == 0:
                await asyncio.sleep(0.001)
    return numbers


async def test_who_does_not_read_makes_the_sender_wait_and_loses_no_order() -> None:
    """Whether a frame is written at once or by the one who waits for room: all arrive, in their order."""
    async with pair() as (websocket, client):
        waiting: asyncio.Queue[int] = asyncio.Queue()
        total, at_once = 6000, 0
        writer = asyncio.create_task(write_all(websocket, waiting))
        reading = asyncio.create_task(read_all(client, total))
        for number in range(total):
            if waiting.empty() and websocket.write_at_once(text_frame(f"{number:>500}")):
                at_once += 1
            else:
                waiting.put_nowait(number)
            if number % 40 == 0:
                await asyncio.sleep(0)
        assert await reading == list(range(total))
        assert 0 < at_once < total, "both ways were taken"
        writer.cancel()


async def test_nobody_passes_who_waits_for_room() -> None:
    """Not even in the moment between there being room again and the one who waited going on."""
    async with pair() as (websocket, client):
        total = 1000
        waiting: asyncio.Queue[int] = asyncio.Queue()
        for number in range(total):
            waiting.put_nowait(number)
        writer = asyncio.create_task(write_all(websocket, waiting))
        await asyncio.sleep(0)
        assert waiting.empty(), "it has them in its hand"
        reading = asyncio.create_task(read_all(client, total + 1))
        while not websocket.write_at_once(text_frame(str(total))):
            await asyncio.sleep(0)
        assert await reading == list(range(total + 1))
        writer.cancel()


async def test_a_flood_is_read_no_faster_than_it_is_taken() -> None:
    """Messages that nobody takes stay with the client."""
    async with pair() as (websocket, client):
        flood = asyncio.create_task(client.say(*(TextMessage(f"{number:>900}") for number in range(2000))))
        await asyncio.sleep(0.2)
        assert not flood.done()
        assert [int((await websocket.receive())["text"]) for _ in range(2000)] == list(range(2000))
        await flood


async def test_a_client_that_does_not_answer_a_close_is_cut_off() -> None:
    """After a moment, whoever reads having learnt of the end at once."""
    async with pair() as (websocket, client):
        reading = asyncio.create_task(websocket.receive())
        await asyncio.sleep(0)
        websocket.close(1001)
        assert await reading == {"type": "websocket.disconnect", "code": 1001}
        assert (await client.until(CloseConnection)).code == 1001
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(client.end, 100), 20) == b""


def test_a_connection_is_found_among_others_by_its_two_ends() -> None:
    """Also far from where the last one was; one that is not there is not found, and nothing is left open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        pairs = [(socket.create_connection(("127.0.0.1", port)), listener.accept()[0]) for _ in range(350)]
        clients, accepted = [one for one, _ in pairs], [one for _, one in pairs]
        descriptors, before = Descriptors(4096), psutil.Process().num_fds()
        for client in (clients[0], clients[-1], clients[7]):
            found = descriptors.duplicate(client.getsockname(), port)
            assert found is not None
            copy, number = found
            assert copy.getpeername() == client.getsockname()
            assert copy.fileno() >= 2048 > number
            [whole] = [one for one in accepted if one.fileno() == number]
            assert is_connection(number, client.getsockname(), port)
            whole.close()
            assert not is_connection(number, client.getsockname(), port)
            copy.sendall(b"still open")
            assert client.recv(100) == b"still open"
            copy.close()
        assert descriptors.duplicate(("127.0.0.1", 1), port) is None
        assert descriptors.duplicate(clients[1].getsockname(), port + 1) is None
        assert psutil.Process().num_fds() == before - 3
        for one in (*clients, *accepted):
            one.close()


KEY = base64.b64encode(bytes(16)).decode()
GOOD = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": KEY}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"sec-websocket-version": "8"}, 426),
        ({"sec-websocket-key": "short"}, 400),
        ({"sec-websocket-key": base64.b64encode(bytes(15)).decode()}, 400),
        ({"connection": "keep-alive"}, 400),
        ({}, 101),
    ],
)
async def test_handshakes(backend: Backend, changed: dict[str, str], status: int) -> None:
    """What is wrong with one is said, and its connection serves on; a good one goes on as a WebSocket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(backend.url.rsplit(":", 1)[1]))
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**GOOD, **changed}.items())
    request = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n{fields}\r\n".encode()
    for _ in range(2 if status != 101 else 1):
        writer.write(request)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode().lower()
        assert head.startswith(f"http/1.1 {status} ")
        if status == 101:
            assert (
                f"sec-websocket-accept: {dict(acceptance(KEY.encode()))[b'sec-websocket-accept'].decode()}".lower()
                in head
            )
            assert (await asyncio.wait_for(reader.readexactly(3), 20))[2:] == b"0", "the first packet of Engine.IO"
        else:
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            assert await reader.readexactly(length)
    writer.close()


async def test_a_websocket_elsewhere_is_no_resource(backend: Backend) -> None:
    """There are none but those of Socket.IO."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(f"{backend.url}/chat")
        assert refusal.value.status == 404


async def test_many_sockets_take_little_memory_and_leave_no_descriptors(backend: Backend, sign_in: SignIn) -> None:
    """Far below the 150 KB that the ASGI server would keep for each."""
    token = (await sign_in("user0150")).tokens["access_token"]
    server = max(psutil.Process(backend.pid).children(recursive=True), key=lambda one: one.memory_info().rss)
    url = f"{backend.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def member() -> aiohttp.ClientWebSocketResponse:
            websocket = await session.ws_connect(url)
            await websocket.receive_str()
            await websocket.send_str("40" + json.dumps({"token": token}))
            assert (await websocket.receive_str()).startswith("40{")
            return websocket

        members = [await member() for _ in range(20)]
        before_bytes, files = server.memory_info().rss, server.num_fds()
        members += [await member() for _ in range(400)]
        taken_bytes = server.memory_info().rss - before_bytes
        assert server.num_fds() >= files + 400
        assert taken_bytes / 400 < 80_000
        for websocket in members:
            await websocket.close()
        await eventually(lambda: server.num_fds() < files)
