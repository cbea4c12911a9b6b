"""The clients of web pages, version 4 and version 2 of Socket.IO's own, against the reference server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbz.server.realtime.legacy_polling import join, split
from tests.load.socketio_servers import NODE_FOLDER, node_packages
from tests.server.backend import Backend, start_server
from tests.server.clients import connected, eventually, login
from tests.whole import some

pytestmark = pytest.mark.anyio

POLLING, WEBSOCKET, UPGRADE = ["polling"], ["websocket"], ["polling", "websocket"]
ROOM = "room:club00"
ODD = "Zoë 🏸 \u2028 \U0001f1f0\U0001f1f7 é"


@pytest.fixture(scope="module", params=some([2, 1], 1), ids="{} processes".format)
def server(request: pytest.FixtureRequest, folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """A server whose requests may reach any of its processes."""
    node_packages()
    child, where = start_server(folder, *stores, options=["--processes", str(request.param)])
    with child:
        yield where


@pytest.fixture(scope="module")
def sleepy(folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """A server on which connections are idle after little more than a second."""
    node_packages()
    config = folder / "sleepy.yaml"
    config.write_text(yaml.safe_dump({"realtime": {"idle_s": 1.5, "guard_s": 0.2}}))
    child, where = start_server(folder, *stores, options=["--config", str(config), "--processes", "2"])
    with child:
        yield where


async def token_of(where: Backend, user_id: str) -> str:
    async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
        return str((await login(http, user_id))["access_token"])


async def member(where: Backend, version: int, transports: list[str], **options: Any) -> list[tuple[str, Any]]:
    """What happened to a member with Node's client, in order."""
    given = {"version": version, "transports": transports, "seconds": 3, **options}
    process = await asyncio.create_subprocess_exec(
        "node", str(NODE_FOLDER / "member.mjs"), where.url, json.dumps(given), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), given["seconds"] + 20)
    return [(what, details) for what, details in map(json.loads, out.splitlines())]


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET, UPGRADE], ids="-".join)
async def test_chat_over_every_transport(server: Backend, version: int, transports: list[str]) -> None:
    """Joining, sending with an answer, and receiving what others write, with characters of every width."""
    say = [f"{version}-{transports[0]}-{number} {ODD}" for number in range(3)]
    token = await token_of(
        server, f"user006{version + 2}"
    )  # one user alone would say more than anybody may in a minute
    async with connected(server.url, await token_of(server, "user0061")) as other:
        await other.call("room:join", {"roomId": ROOM})
        stay = {"seconds": 30, "enough": 4}
        going = asyncio.create_task(member(server, version, transports, token=token, room=ROOM, say=say, **stay))
        await eventually(lambda: len(other.messages()) >= len(say), within_s=40)  # a batch may have several
        await other.call("message:send", {"roomId": ROOM, "tempId": "back", "content": f"back {ODD}"})
        happened = await going
        heard = [message["content"] for message in other.messages()]
    assert happened[0][0] == "connect" and happened[-1] == ("end", transports[-1])
    assert [details for what, details in happened if what in ("join", "stored")] == [True] * 4
    assert [text for text in heard if text in say] == say
    written = [details for what, details in happened if what == "message"]
    assert [text for text in written if text in (*say, f"back {ODD}")] == [*say, f"back {ODD}"]
    assert not [happening for happening in happened if happening[0] in ("refused", "disconnect")]


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids="-".join)
async def test_a_wrong_token_is_refused_with_words(server: Backend, version: int, transports: list[str]) -> None:
    """The client is told why, and is not connected."""
    happened = await member(server, version, transports, token="wrong", seconds=1.5)
    assert ("connect", transports[0]) not in happened or happened[-1][0] == "end"
    assert any(what == "refused" and "token is not valid" in details for what, details in happened), happened


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET, UPGRADE], ids="-".join)
async def test_an_idle_member_comes_back(sleepy: Backend, version: int, transports: list[str]) -> None:
    """Its transport is closed, which the client takes as a reason to connect again by itself."""
    token = await token_of(sleepy, "user0062")
    happened = await member(sleepy, version, transports, token=token, seconds=6)
    assert [what for what, _ in happened].count("connect") >= 2, happened
    reasons = {details for what, details in happened if what == "disconnect"}
    assert reasons and reasons <= {"transport close", "transport error"}, happened


async def test_an_old_client_that_stays_quiet_is_kept_alive(folder: Path, stores: tuple[str, str]) -> None:
    """It sends the pings and the server answers them, by polling too, for longer than the timeout of both."""
    node_packages()
    config = folder / "quiet.yaml"
    config.write_text(yaml.safe_dump({"realtime": {"ping_interval_s": 1.0, "ping_timeout_s": 1.0}}))
    child, where = start_server(folder, *stores, options=["--config", str(config)])
    with child:
        token = await token_of(where, "user0063")
        for transports in (POLLING, WEBSOCKET, UPGRADE):
            happened = await member(where, 2, transports, token=token, seconds=6)
            assert [what for what, _ in happened] == ["connect", "end"], happened


async def test_payloads_that_are_none_are_refused(backend: Backend) -> None:
    """And end nobody."""
    async with httpx.AsyncClient(base_url=backend.url, params={"EIO": "3", "transport": "polling"}, timeout=60) as http:
        opened = (await http.get("/socket.io/")).text
        sid = json.loads(split(opened)[0][1:])["sid"]
        for body in (b"x", b"5", b"5:", b"-1:2", b"99999999999:2", b"3:2", b"1:2junk", b"\xff\xfe", "²:2".encode()):
            answer = await http.post("/socket.io/", params={"sid": sid}, content=body)
            assert answer.status_code == 400, body
        assert (await http.post("/socket.io/", params={"sid": sid}, content="1:2")).text == "ok"
        packets: list[str] = []
        while "3" not in packets:  # the answer to the ping, among what else there is to say
            packets += split((await http.get("/socket.io/", params={"sid": sid})).text)
        assert (await http.get("/socket.io/", params={"sid": "0-nobody"})).status_code == 400
        assert (await http.get("/socket.io/", params={"j": "0"})).status_code == 400


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_payloads_of_engine_io_3_are_read_as_they_are_written(packets: list[str]) -> None:
    """Lengths count as JavaScript counts: a shuttlecock is two."""
    assert split(join(packets)) == packets
    assert join(["🏸"]) == "2:🏸"
