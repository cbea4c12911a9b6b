"""What the server bears: floods of logins and joins, strangers who hold connections, slow bodies, tokens that end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import socketio
import yaml

from tests.server.backend import Backend, start_server
from tests.server.clients import SignIn, connected, eventually, login

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def short(folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """A server with small limits and short times."""
    config = folder / "short.yaml"
    settings = {
        "http": {"body_timeout_s": 1.0},
        "auth": {
            "access_ttl_s": 3,
            "failed_login_rate": {"limit": 3, "window_s": 5},
            "login_rate": {"limit": 20, "window_s": 60},
        },
        "realtime": {
            "connect_timeout_s": 1.0,
            "max_unauthenticated": 5,
            "room_join_rate": {"limit": 5, "window_s": 20},
        },
    }
    config.write_text(yaml.safe_dump(settings))
    child, where = start_server(folder, *stores, options=["--config", str(config)])
    with child:
        yield where


async def test_guessing_a_password_ends_soon_and_others_log_in_as_before(short: Backend) -> None:
    """After some failures the name rests for a while, with the right password too; the answer says how long."""
    async with httpx.AsyncClient(base_url=short.url, timeout=60) as http:

        async def attempt(user: str, password: str) -> httpx.Response:
            return await http.post("/api/auth/login", json={"username": user, "password": password})

        statuses = [(await attempt("user0330", f"guess {number}")).status_code for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        refused = await attempt("user0330", "demo")
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) == 5
        assert refused.json()["error"]["code"] == "rate_limited"
        assert (await attempt("user0331", "demo")).status_code == 200
        await asyncio.sleep(5.1)
        assert (await attempt("user0330", "demo")).status_code == 200
        many = [(await attempt("user0332", "demo")).status_code for _ in range(25)]
        assert many[:20] == [200] * 20 and 429 in many


async def test_joining_rooms_has_a_rate(short: Backend) -> None:
    """Of a user, over all sockets."""
    async with httpx.AsyncClient(base_url=short.url, timeout=60) as http:
        token = (await login(http, "user0333"))["access_token"]
    async with connected(short.url, token) as one, connected(short.url, token) as two:
        acks = [await socket.call("room:join", {"roomId": "room:club01"}) for socket in (one, two) for _ in range(4)]
        assert [ack["ok"] for ack in acks[:5]] == [True] * 5
        assert acks[-1]["code"] == "rate_limited" and two.of("message:rate_limited")


async def test_a_socket_ends_with_its_token(short: Backend) -> None:
    """It is told so, and its transport is closed: the client connects again with the token that it has by then."""
    async with httpx.AsyncClient(base_url=short.url, timeout=60) as http:
        token = (await login(http, "user0334"))["access_token"]
        began_s = time.monotonic()
        async with connected(short.url, token) as socket:
            await eventually(lambda: not socket.client.connected, within_s=8)
            assert 1 < time.monotonic() - began_s < 6 and len(socket.of("auth:expired")) == 1
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with connected(short.url, token):
                pass
        fresh = (await login(http, "user0334"))["access_token"]
        async with connected(short.url, fresh) as socket:
            assert (await socket.call("room:join", {"roomId": "room:club01"}))["ok"]


async def test_a_socket_goes_on_with_a_newer_token(short: Backend) -> None:
    """Of the same user, as often as it likes; with another user's token nothing changes."""
    async with httpx.AsyncClient(base_url=short.url, timeout=60) as http:
        tokens = await login(http, "user0336")
        other = (await login(http, "user0337"))["access_token"]
        async with connected(short.url, tokens["access_token"]) as socket:
            for _ in range(4):
                await asyncio.sleep(1)
                answer = await http.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
                tokens = answer.json()
                assert (await socket.call("auth:renew", {"token": tokens["access_token"]}))["ok"]
            assert socket.client.connected
            for data in (None, {}, {"token": 7}, {"token": "x"}, {"token": other}):
                assert not (await socket.call("auth:renew", data))["ok"]
            await eventually(lambda: not socket.client.connected, within_s=8)


async def test_strangers_hold_few_connections_and_not_for_long(short: Backend) -> None:
    """Without a token a connection has a deadline and a limit; both are counted. Members connect beside them."""
    url = f"{short.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, httpx.AsyncClient(base_url=short.url, timeout=60) as http:
        held = [await session.ws_connect(url) for _ in range(5)]
        assert "dbz_socket_unauthenticated 5.0" in (await http.get("/metrics")).text
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
        polled = await http.get("/socket.io/", params={"EIO": "4", "transport": "polling"})
        assert polled.status_code == 401
        began_s = time.monotonic()
        for socket in held:
            while (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.TEXT:
                pass
        assert time.monotonic() - began_s < 20, "long before the server would miss an answer to its ping"
        text = (await http.get("/metrics")).text
        assert 'dbz_socket_refused_total{reason="no_token_in_time"} 5.0' in text
        assert 'dbz_socket_refused_total{reason="too_many_unauthenticated"} 2.0' in text
        token = (await login(http, "user0335"))["access_token"]
        async with connected(short.url, token) as member:
            await asyncio.sleep(1.5)
            assert member.client.connected
            assert "dbz_socket_unauthenticated 0.0" in (await http.get("/metrics")).text


@pytest.mark.parametrize("path", ["/api/auth/login", "/socket.io/?EIO=4&transport=polling&sid=none"])
async def test_a_body_that_drips_is_given_up(short: Backend, path: str) -> None:
    """408 within the time, whatever still comes; others are served meanwhile."""
    host, port = short.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode())
    began_s = time.monotonic()

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    try:
        status = await asyncio.wait_for(reader.readline(), 40)
    finally:
        dripping.cancel()
        writer.close()
    assert b" 408 " in status and 0.8 < time.monotonic() - began_s < 40, "the whole body would come in 100 s"


async def test_members_of_another_club_cannot_make_joins_fail(sign_in: SignIn) -> None:
    """What one club is refused is never what another gets, also when both ask for the same thing at the same moment."""
    strangers = [await (await sign_in(f"user04{number:02d}")).socket() for number in range(3)]
    for number in range(8):
        member = await (await sign_in(f"user01{number + 70}")).socket()
        room, game = {"roomId": "room:club00"}, {"gameId": f"club00-g{10 + number}"}
        calls = [call for s in strangers for call in (s.call("room:join", room), s.call("game:join", game))]
        *refused, joined, watched = await asyncio.gather(
            *calls, member.call("room:join", room), member.call("game:join", game)
        )
        assert joined["ok"] and watched["ok"]
        assert not any(ack["ok"] for ack in refused)


async def test_the_lifetime_of_access_tokens_is_an_option(folder: Path, stores: tuple[str, str]) -> None:
    """For tests of those who refresh them."""
    child, where = start_server(folder, *stores, options=["--access-ttl", "2"])
    with child:
        async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
            tokens = await login(http, "user0100")
            assert tokens["expires_in"] == 2
            mine = {"authorization": f"Bearer {tokens['access_token']}"}
            assert (await http.get("/api/me", headers=mine)).status_code == 200
            await asyncio.sleep(2.1)
            assert (await http.get("/api/me", headers=mine)).status_code == 401
            answer = await http.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            assert answer.status_code == 200, json.dumps(answer.json())
