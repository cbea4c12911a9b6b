"""The gateway by itself, in front of a service that does everything wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import redis
import redis.asyncio

from dbz.children import free_port, wait_until
from dbz.server.auth.revocation import Revocations
from dbz.server.auth.tokens import Tokens
from dbz.server.edge.traffic import ClientLimits
from dbz.server.settings import Mesh, Rate
from tests.children.forked import start_module
from tests.server.backend import SECRET, answers
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio

MESH = "test-edge"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SETTINGS = """
http: {body_timeout_s: 1.0}
mesh:
  request_timeout_s: 1.0
  breaker_failures: 100000
  client_rate: {limit: 40, window_s: 30}
"""
WRONG = {
    "garbage": b"\x00\x01\x02 this is no HTTP\r\n\r\n",
    "silent_end": b"",
    "half_head": OK,
    "dies_in_body": OK + b"Content-Length: 1000\r\n\r\n{",
    "dies_in_chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "bad_chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "long_header": OK + b"X-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "many_headers": OK
    + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 100) for n in range(10_000))
    + b"Content-Length: 2\r\n\r\n{}",
    "two_lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "bad_status": b"HTTP/1.1 wrong OK\r\nContent-Length: 2\r\n\r\n{}",
    "bad_header": OK + b"X Y: 1\r\n: 2\r\nContent-Length: 2\r\n\r\n{}",
}


class Wrong:
    """A service that answers as the query string says; `heads` are those of the requests that it got."""

    def __init__(self) -> None:
        self.heads: list[list[str]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.heads.append(head)
            _, _, mode = head[0].split()[1].partition("?")
            if mode == "hangs":
                await asyncio.sleep(30)
            elif mode == "drips":
                writer.write(OK + b"Content-Length: 1000\r\n\r\n")
                for _ in range(300):
                    writer.write(b"x")
                    await asyncio.sleep(0.1)
            elif mode == "large_dies":
                writer.write(OK + b"Content-Length: 5000000\r\n\r\n" + b"x" * 3_000_000)
            elif mode in WRONG:
                writer.write(WRONG[mode])
            else:
                writer.write(OK + b"X-Dbz-Caller: me\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def gateway(folder: Path, stores: tuple[str, str]) -> Iterator[str]:
    """The gateway's URL."""
    port, settings = free_port(), folder / "edge.yaml"
    settings.write_text(SETTINGS)
    options = ["--config", str(settings), "--service", "gateway", "--group", MESH, "--port", str(port)]
    options += ["--mongo-uri", "mongodb://127.0.0.1:1", "--redis-url", stores[1]]
    env = {"JWT_SECRET": SECRET, "MESH_SECRET": "m" * 32}
    with start_module("gateway", "dbz.server.__main__", options, log=folder / "edge.log", environment=env) as child:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/healthz"), child, deadline_s=30, what="the gateway")
        yield url


@pytest.fixture
async def wrong(stores: tuple[str, str], gateway: str) -> AsyncIterator[Wrong]:
    """The service, known to the gateway as game."""
    service = Wrong()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    leases = redis.Redis.from_url(stores[1])
    member, key = f"game http://127.0.0.1:{service.port}", f"mesh:{MESH}:leases"
    leases.zadd(key, {member: 9e15})
    name = f"127.0.0.1:{service.port}"

    async def is_known() -> bool:
        async with httpx.AsyncClient(base_url=gateway, timeout=60) as http:
            game = (await http.get("/healthz")).json()["services"]["game"]
        return [each["name"] for each in game["instances"]] == [name]

    await eventually(is_known)
    yield service
    leases.zrem(key, member)
    leases.close()
    server.close()


def client_of(gateway: str, user_id: str) -> httpx.AsyncClient:
    """A client with a token of club 0."""
    token = Tokens(SECRET, 600, 600, Revocations(600)).access(user_id, "club00", "member", f"session of {user_id}")
    return httpx.AsyncClient(base_url=gateway, headers={"authorization": f"Bearer {token}"}, timeout=20)


async def test_whatever_a_service_answers_the_client_gets_an_answer(gateway: str, wrong: Wrong) -> None:
    """502 in JSON with the request's id; nothing of it reaches the client, and the gateway lives."""
    async with client_of(gateway, "user-wrong") as http:
        for mode in WRONG:
            response = await http.get(f"/api/games?{mode}")
            assert (mode, response.status_code) == (mode, 502)
            assert response.json()["error"]["code"] == "bad_gateway" and response.headers["x-request-id"]
        assert (await http.get("/api/games")).status_code == 200


async def test_slow_services_are_not_waited_for(gateway: str, wrong: Wrong) -> None:
    """504: whether they say nothing, or a byte now and then. They are asked once."""
    async with client_of(gateway, "user-slow") as http:
        for mode in ("hangs", "drips"):
            before = len(wrong.heads)
            response = await http.get(f"/api/games?{mode}")
            assert (response.status_code, response.json()["error"]["code"]) == (504, "gateway_timeout")
            assert len(wrong.heads) == before + 1


@pytest.mark.parametrize("count", [1, 1000], ids=["one", "many"])
async def test_a_megabyte_of_headers_gets_no_further(gateway: str, wrong: Wrong, count: int) -> None:
    """Whether it is one or many: the connection ends, no service hears of it, and other clients are served."""
    reader, writer = await asyncio.open_connection(*_address_of(gateway))
    async with client_of(gateway, "user-headers") as http:
        with contextlib.suppress(OSError):  # ended while it still comes
            writer.write(
                f"GET /api/games HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\n".encode()
            )
            for number in range(count):
                writer.write(f"X-{number}: {'x' * (1_000_000 // count)}\r\n".encode())
            writer.write(b"\r\n")
            await asyncio.wait_for(writer.drain(), 20)
        answer = b""
        with contextlib.suppress(OSError):
            answer = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        assert answer == b"" or answer.split()[1] in (b"400", b"431"), answer
        assert wrong.heads == []
        assert (await http.get("/api/games")).status_code == 200


async def test_a_body_that_drips_keeps_no_service_waiting(gateway: str, wrong: Wrong) -> None:
    """408 from the gateway; the service is asked only when all of a body is there."""
    reader, writer = await asyncio.open_connection(*_address_of(gateway))
    async with client_of(gateway, "user-drips") as http:
        head = f"POST /api/games HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode())

        async def drip() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        try:
            status = await asyncio.wait_for(reader.readline(), 40)
            assert (await http.get("/api/games")).status_code == 200
        finally:
            dripping.cancel()
            writer.close()
    assert b" 408 " in status and [head[0].split()[0] for head in wrong.heads] == ["GET"]


def _address_of(gateway: str) -> tuple[str, int]:
    host, port = gateway.removeprefix("http://").split(":")
    return host, int(port)


async def test_a_large_answer_that_breaks_off_is_not_taken_for_whole(gateway: str, wrong: Wrong) -> None:
    """It has begun, so only the connection can say it."""
    async with client_of(gateway, "user-large") as http:
        with pytest.raises(httpx.HTTPError):
            await http.get("/api/games?large_dies")
        assert (await http.get("/api/games")).status_code == 200


async def test_what_breaks_off_is_repeated_only_when_that_is_safe(gateway: str, wrong: Wrong) -> None:
    async with client_of(gateway, "user-repeat") as http:
        before = len(wrong.heads)
        assert (await http.post("/api/games?silent_end", json={})).status_code == 502
        assert len(wrong.heads) == before + 1
        assert (await http.get("/api/games?silent_end")).status_code == 502
        assert len(wrong.heads) > before + 2


async def test_what_a_service_hears_of_a_client(gateway: str, wrong: Wrong) -> None:
    """Who it is, signed by the gateway; the trace and the id; not the token, nor what a client says for the gateway."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent = {"x-dbz-identity": "forged", "x-forwarded-for": "9.9.9.9", "traceparent": trace, "x-request-id": "mine"}
    async with client_of(gateway, "user-told") as http:
        response = await http.get("/api/games?ok", headers=sent)
    assert response.headers["x-service"] == "game"
    assert "keep-alive" not in response.headers and "x-dbz-caller" not in response.headers
    fields = dict(line.split(": ", 1) for line in wrong.heads[-1][1:] if line)
    heard = {name.lower(): value for name, value in fields.items()}
    assert heard["x-dbz-identity"] != "forged" and "authorization" not in heard
    assert (heard["x-forwarded-for"], heard["x-request-id"]) == ("127.0.0.1", "mine")
    assert heard["traceparent"].split("-")[1] == trace.split("-")[1] and heard["traceparent"] != trace


async def test_a_client_that_asks_too_much_is_refused(gateway: str, wrong: Wrong) -> None:
    """By its user: another one is answered."""
    async with client_of(gateway, "user-greedy") as http, client_of(gateway, "user-modest") as other:
        statuses = [(await http.get("/api/games")).status_code for _ in range(45)]
        refused = await http.get("/api/games")
        assert statuses[:40] == [200] * 40 and statuses[40:] == [429] * 5
        assert refused.json()["error"]["code"] == "rate_limited" and int(refused.headers["retry-after"]) > 0
        assert refused.headers["x-service"] == "gateway", "no service was asked"
        assert (await other.get("/api/games")).status_code == 200


async def test_requests_that_come_at_the_same_time_are_within_the_rate(gateway: str, wrong: Wrong) -> None:
    """A rate is handed out in parts: who begins with many requests takes one of them, not one for each."""
    async with client_of(gateway, "user-eager") as http:
        answers = await asyncio.gather(*(http.get("/api/games") for _ in range(40)))
        assert [answer.status_code for answer in answers] == [200] * 40
        assert (await http.get("/api/games")).status_code == 429


async def test_a_client_that_asks_again_and_again_stops_nobody(stores: tuple[str, str]) -> None:
    """Requests that begin in the very moment in which a part of the rate has come, more than that part has."""
    async with redis.asyncio.Redis.from_url(stores[1]) as store:
        limits = ClientLimits(store, Mesh(client_rate=Rate(limit=10, window_s=60)))
        asking = []
        for _ in range(400):
            asking += [asyncio.create_task(limits.allows("client", "user-restless")) for _ in range(3)]
            await asyncio.sleep(0)
        allowed = await asyncio.gather(*asking)
    assert sum(allowed) == 10 and not limits._asking


async def test_a_service_without_instances_is_refused_at_once(gateway: str) -> None:
    async with client_of(gateway, "user-none") as http:
        refused = await http.get("/api/posts")
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert refused.headers["x-service"] == "content", "whose fault it is"
        assert (await http.get("/readyz")).status_code == 503
        metrics = (await http.get("/metrics")).text
    assert 'dbz_upstream_calls_total{instance="",outcome="no_instance",service="content"}' in metrics
    assert json.dumps({"code": "service_unavailable"})[1:-1].replace(" ", "") in refused.text
