"""What is sent again to a service: what surely never reached it, and nothing else that changes something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from dbz.children import free_port
from dbz.server.mesh.client import Asked, MeshClient, ServiceAwayError
from dbz.server.mesh.leases import Directory
from dbz.server.mesh.signing import Signer
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Settings

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
POST = Asked("POST", "/api/games", [("content-type", "application/json")], b'{"a":1}')


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


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a request is written before its connection can be lost")
async def test_a_post_on_a_connection_that_was_lost_before_it_was_written_is_sent_again(
    stores: tuple[str, str],
) -> None:
    async with mesh_of(stores) as (client, service):
        assert (await client.call("game", POST)).status == 200
        assert client._session is not None and client._session.connector is not None
        ((kept,),) = client._session.connector._conns.values()
        calling = asyncio.ensure_future(client.call("game", POST))
        asyncio.get_running_loop().call_soon(kept[0].transport.abort)  # after it was chosen, before it is written to
        assert (await calling).status == 200
        assert len(service.bodies) == 2 and len(service.writers) == 2


async def test_a_post_that_may_have_been_applied_is_not_sent_again(stores: tuple[str, str]) -> None:
    async with mesh_of(stores) as (client, service):
        service.dies = True
        with pytest.raises(ServiceAwayError) as refused:
            await client.call("game", POST)
        assert refused.value.status == 502
        assert len(service.bodies) == 1
