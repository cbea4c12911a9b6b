"""What is sent again to a service: what surely never reached it, and nothing else that changes something."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import redis.asyncio

from dbz.children import free_port
from dbz.server.mesh.client import Asked, MeshClient, ServiceAwayError
from dbz.server.mesh.connections import Connections, request_of
from dbz.server.mesh.leases import Directory, ServiceLease
from dbz.server.mesh.signing import Signer
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Mesh, Settings
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
POST = Asked("POST", "/api/games", [(b"content-type", b"application/json")], b'{"a":1}')


class Kept:
    """A service on a port that keeps connections, and ends one in place of an answer when it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.dies = False
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.bodies.append(await reader.readexactly(len(POST.body or b"")))
                if self.dies:
                    break
                writer.write(ANSWER)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def mesh_of(stores: tuple[str, str], gone: int = 0) -> AsyncIterator[tuple[MeshClient, Kept]]:
    """A client and the service that it calls; `gone` ports, where nobody is, have a lease too."""
    service, mesh = Kept(), f"test-{free_port()}"
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1], *(free_port() for _ in range(gone))]
    async with redis.asyncio.Redis.from_url(stores[1]) as store:
        await store.zadd(f"mesh:{mesh}:leases", {f"game http://127.0.0.1:{port}": 9e15 for port in ports})
        directory = Directory(store, mesh, 3.0)
        await directory.look()
        client = MeshClient(Settings(), directory, Signer("m" * 32), Figures(), "test")
        await client.start()
        try:
            yield client, service
        finally:
            await client.stop()
            server.close()


async def test_a_post_that_one_instance_refuses_is_sent_to_another(stores: tuple[str, str]) -> None:
    async with mesh_of(stores, gone=2) as (client, service):
        answers = [await client.call("game", POST) for _ in range(6)]
        assert [one.status for one in answers] == [200] * 6, "nobody takes connections at two of three ports"
        assert len(service.bodies) == 6


async def test_no_post_is_written_to_a_connection_that_was_lost(stores: tuple[str, str]) -> None:
    """Neither when that is known here, nor when its end has come and nobody has looked yet."""
    async with mesh_of(stores) as (client, service):
        assert (await client.call("game", POST)).status == 200
        ((kept,),) = client._connections._kept.values()
        kept.transport.abort()
        assert (await client.call("game", POST)).status == 200
        service.writers[1].get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # at once, without the event loop
        assert (await client.call("game", POST)).status == 200
        assert len(service.bodies) == 3 and len(service.writers) == 3


async def test_a_post_that_may_have_been_applied_is_not_sent_again(stores: tuple[str, str]) -> None:
    async with mesh_of(stores) as (client, service):
        service.dies = True
        with pytest.raises(ServiceAwayError) as refused:
            await client.call("game", POST)
        assert refused.value.status == 502
        assert len(service.bodies) == 1


async def test_breakers_close_at_the_word_of_a_new_process(stores: tuple[str, str]) -> None:
    """Without a call, and before their rest is over."""
    mesh, url = f"test-{free_port()}", f"http://127.0.0.1:{free_port()}"
    settings = Settings(mesh=Mesh(breaker_rest_s=3600))
    async with redis.asyncio.Redis.from_url(stores[1]) as store:
        await store.zadd(f"mesh:{mesh}:leases", {f"game {url}": 9e15})
        client = MeshClient(settings, Directory(store, mesh, 3600), Signer("m" * 32), Figures(), "test")
        await client.start()
        lease = ServiceLease(store, mesh, "game", url, 30)
        try:
            upstream = client.upstream("game")
            await eventually(lambda: list(upstream.instances), within_s=60)
            while upstream.breaker.state == "closed":
                instance = next(iter(upstream.instances))
                upstream.failed(instance)
            subscribed = partial(store.pubsub_numsub, f"mesh:{mesh}:leases")
            while (await subscribed())[0][1] < 1:
                await asyncio.sleep(0.05)
            lease.start()
            await eventually(lambda: upstream.breaker.state == "closed", within_s=60)
            assert next(iter(upstream.instances)).breaker.state == "closed" and instance.breaker.state == "open"
        finally:
            await lease.give_up()
            await client.stop()


class Scripted(asyncio.Protocol):
    """Answers every request with the bytes of `script`, in pieces of `step` bytes; ends the connection if told to."""

    script, step, ends = b"", 1_000_000, False
    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        Scripted.made += 1

    def data_received(self, data: bytes) -> None:
        for place in range(0, len(self.script), self.step):
            self.transport.write(self.script[place : place + self.step])
        if self.ends:
            self.transport.close()


HEAD_OF_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 5\r\n\r\nhello"
ANSWERS = {
    "length": (WHOLE, False, True),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n", False, True),
    "until the end": (OK + b"\r\nhello", True, False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", True, False),
    "interim first": (b"HTTP/1.1 103 Early\r\nX: 1\r\n\r\n" + WHOLE, False, True),
    "half an answer more": (WHOLE + OK, False, False),
    "more than an answer": (WHOLE + b"\x00 this is no HTTP", False, False),
}


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_answer_is_the_same_however_it_is_framed_and_cut(
    kind: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its connection is used again only where the next answer surely begins after this one."""
    script, ends, kept = ANSWERS[kind]
    monkeypatch.setattr(Scripted, "script", script)
    monkeypatch.setattr(Scripted, "step", step)
    monkeypatch.setattr(Scripted, "ends", ends)
    monkeypatch.setattr(Scripted, "made", 0)
    async with scripted() as (connections, name):
        for _ in range(3):
            incoming = await connections.send(name, "GET", request_of("GET", "/", name, [], None), 20)
            assert await incoming.first(1000) == b"hello"
            assert (incoming.status, incoming.complete) == (200, True)
            assert b"x-t" not in dict(incoming.headers) and b"x" not in dict(incoming.headers)
            await asyncio.sleep(0.05)  # until what is too much has come
        assert kept == (Scripted.made == 1)
        monkeypatch.setattr(Scripted, "script", HEAD_OF_HEAD)
        monkeypatch.setattr(Scripted, "ends", False)
        for _ in range(2):
            incoming = await connections.send(name, "HEAD", request_of("HEAD", "/", name, [], None), 20)
            assert (await incoming.first(1000), incoming.status) == (b"", 200)


async def test_a_large_answer_is_read_as_fast_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody takes stays with who sends it."""
    body = bytes(range(256)) * 65_536
    monkeypatch.setattr(Scripted, "script", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    monkeypatch.setattr(Scripted, "step", 65_536)
    async with scripted() as (connections, name):
        for _ in range(2):
            incoming = await connections.send(name, "GET", request_of("GET", "/", name, [], None), 60)
            parts = [await incoming.first(1_048_576)]
            await asyncio.sleep(0.2)
            assert incoming.size < 3_000_000
            while parts[-1] or not incoming.complete:
                if not parts[-1]:
                    await incoming.more()
                parts.append(incoming.take())
            assert b"".join(parts) == body
        assert Scripted.made


@pytest.mark.parametrize("field", [(b"x", b"1\r\ny: 2"), (b"x\ny", b"1"), (b"x", b"1\r")])
def test_no_header_makes_two(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_of("GET", "/", "h:1", [field], None)


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Connections, str]]:
    """Connections, and the host and port of such a server."""
    server = await asyncio.get_running_loop().create_server(Scripted, "127.0.0.1", 0)
    connections = Connections(5, 15)
    try:
        yield connections, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        connections.close()
        server.close()
