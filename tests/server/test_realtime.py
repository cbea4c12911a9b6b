"""The rules of real time; the tests are named after them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websocket import create_connection

from dbz.server.chat.batches import BatchPolicy, policy_of
from dbz.server.settings import Realtime
from tests.server.backend import Backend, start_server
from tests.server.clients import SignIn, User, eventually, login

pytestmark = pytest.mark.anyio

Enter = Callable[[Backend, str], Awaitable[User]]


@pytest.fixture(scope="module")
def strict(folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """A server with small limits, so that each of them is reached soon."""
    config = folder / "strict.yaml"
    realtime = {
        "policy": "plan",
        "idle_s": 1.5,
        "guard_s": 0.2,
        "max_content_chars": 100,
        "max_message_bytes": 4096,
        "upgrade_timeout_s": 0.5,
        "ping_interval_s": 1.0,
        "plan_max_batch": 2,  # 20 messages a second go out: more come in, however busy this machine is
        "room_queue": 3,
        "message_rate": {"limit": 100, "window_s": 60},
    }
    config.write_text(yaml.safe_dump({"realtime": realtime, "http": {"allowed_origins": ["https://app.example"]}}))
    child, where = start_server(folder, *stores, options=["--config", str(config)])
    with child:
        yield where


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    """Signs a user in at any server."""
    async with AsyncExitStack() as stack:

        async def sign(where: Backend, user_id: str) -> User:
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=where.url, timeout=60))
            tokens = await login(http, user_id)
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            return User(http, user_id, tokens, stack)

        yield sign


async def handshake(url: str, **query: str) -> dict[str, Any]:
    """The Engine.IO handshake by polling."""
    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.get(f"{url}/socket.io/", params={"EIO": "4", "transport": "polling", **query})
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = json.loads(answer.text[1:])
    return opened


async def test_the_handshake_states_ping_and_payload_limits(backend: Backend) -> None:
    """Ping every 25 s, timeout 60 s, at most 1 MB a message, upgrade to WebSocket offered."""
    opened = await handshake(backend.url)
    assert (opened["pingInterval"], opened["pingTimeout"]) == (25_000, 60_000)
    assert opened["maxPayload"] == 1_000_000 and opened["upgrades"] == ["websocket"]


@pytest.mark.parametrize("transports", [("polling",), ("websocket",), ("polling", "websocket")])
async def test_websocket_and_polling_both_work(sign_in: SignIn, transports: tuple[str, ...]) -> None:
    """Either transport, and the upgrade from one to the other."""
    socket = await (await sign_in("user0100")).socket(*transports)
    assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]
    assert socket.client.transport() == transports[-1]


async def test_only_allowed_origins_connect_with_credentials(strict: Backend) -> None:
    """CORS from ALLOWED_ORIGINS."""
    async with httpx.AsyncClient(base_url=strict.url, params={"EIO": "4", "transport": "polling"}, timeout=60) as http:
        allowed = await http.get("/socket.io/", headers={"origin": "https://app.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert allowed.headers["access-control-allow-credentials"] == "true"
        assert (await http.get("/socket.io/", headers={"origin": "https://evil.example"})).status_code == 400


async def test_an_upgrade_that_is_not_completed_is_ended(strict: Backend) -> None:
    """After the upgrade timeout (10 s by default) the WebSocket is closed."""
    opened = await handshake(strict.url)
    url = f"{strict.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid={opened['sid']}"

    def silent() -> Any:
        socket = create_connection(url, timeout=10, suppress_origin=True)
        try:
            return socket.recv()
        finally:
            socket.shutdown()

    assert await asyncio.to_thread(silent) in ("", b"")


async def test_a_message_over_the_limit_ends_the_connection(strict: Backend, enter: Enter) -> None:
    """The sender is cut off, others go on."""
    big, other = await (await enter(strict, "user0101")).socket(), await (await enter(strict, "user0102")).socket()
    await big.emit("message:send", {"roomId": "room:club00", "content": "x" * 5000})
    await eventually(lambda: not big.client.connected)
    assert (await other.call("room:join", {"roomId": "room:club00"}))["ok"]


async def test_message_sent_comes_at_once_and_the_ack_when_stored(sign_in: SignIn) -> None:
    """After the ack the message is in the history; `message:sent` came before."""
    user = await sign_in("user0103")
    socket = await user.socket()
    await socket.call("room:join", {"roomId": "room:club00"})
    ack = await socket.call("message:send", {"roomId": "room:club00", "tempId": "a", "content": "stored"})
    assert socket.of("message:sent")[0]["tempId"] == "a"
    history = (await user.get("/api/rooms/room:club00/messages")).json()["items"]
    assert history[-1]["id"] == ack["id"] and history[-1]["content"] == "stored"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        7,
        {},
        {"roomId": "room:club00"},
        {"roomId": "room:club00", "content": ""},
        {"roomId": "room:club00", "content": "   "},
        {"roomId": "room:club00", "content": {"$gt": ""}},
        {"roomId": {"$ne": None}, "content": "x"},
        {"roomId": "room:club00", "content": "x" * 4001},
        {"roomId": "room:club00", "content": "x", "senderId": "user0000"},
        {"roomId": "room:club00", "content": "x", "tempId": 5},
    ],
)
async def test_invalid_messages_get_an_error_event(sign_in: SignIn, data: Any) -> None:
    """`message:error` to the sender, a refusing ack, and nothing in the room."""
    socket = await (await sign_in("user0104")).socket()
    await socket.call("room:join", {"roomId": "room:club00"})
    ack = await socket.call("message:send", data)
    assert not ack["ok"] and ack["code"] in ("invalid", "too_long")
    (error,) = await socket.until("message:error")
    assert error["event"] == "message:send" and error["error"]
    assert not socket.of("message:batch")


async def test_tuned_batches_flush_at_once_when_idle_and_coalesce_when_busy(sign_in: SignIn) -> None:
    """All messages arrive once and in order, in fewer batches than messages."""
    sender = await (await sign_in("user0105")).socket()
    receiver = await (await sign_in("user0106")).socket()
    for socket in (sender, receiver):
        await socket.call("room:join", {"roomId": "room:club00"})
    for number in range(25):
        await sender.emit("message:send", {"roomId": "room:club00", "tempId": str(number), "content": f"m{number}"})
    await eventually(lambda: len(receiver.messages()) == 25)
    assert [message["tempId"] for message in receiver.messages()] == [str(number) for number in range(25)]
    batches = receiver.of("message:batch")
    assert len(batches[0]["messages"]) == 1 and len(batches) < 25


async def test_plan_batches_have_at_most_ten_messages(strict: Backend, enter: Enter) -> None:
    """The plan as written: 100 ms, ten a room, here two; and its queue is bounded and tells the sender."""
    assert policy_of(Realtime(policy="plan")) == BatchPolicy(tick_s=0.1, window_s=0.1, max_batch=10)
    sender = await (await enter(strict, "user0107")).socket()
    await sender.call("room:join", {"roomId": "room:club00"})
    acks = await asyncio.gather(
        *(sender.call("message:send", {"roomId": "room:club00", "content": f"m{number}"}) for number in range(40))
    )
    stored = [ack for ack in acks if ack["ok"]]
    refused = [ack for ack in acks if not ack["ok"]]
    assert {ack["code"] for ack in refused} == {"room_busy"}
    await eventually(lambda: len(sender.of("message:error")) == len(refused))
    await eventually(lambda: len(sender.messages()) == len(stored))
    assert max(len(batch["messages"]) for batch in sender.of("message:batch")) <= 2
    assert {message["id"] for message in sender.messages()} == {ack["id"] for ack in stored}


async def test_scores_coalesce_and_the_newest_always_arrives(sign_in: SignIn) -> None:
    """At most one in 100 ms; the last point of the rally is never lost, and is what is stored."""
    host = await (await sign_in("user0005")).socket()
    spectator = await (await sign_in("user0151")).socket()
    await spectator.call("game:join", {"gameId": "club00-g05"})
    scores = [{"home": point, "away": 3} for point in range(9)]
    acks = await asyncio.gather(
        *(host.call("game:score_update", {"gameId": "club00-g05", "score": score}) for score in scores)
    )
    assert all(ack["ok"] for ack in acks)
    await eventually(lambda: [event["score"] for event in spectator.of("game:score_updated")][-1:] == [scores[-1]])
    assert len(spectator.of("game:score_updated")) < len(scores)
    game = (await (await sign_in("user0151")).get("/api/games/club00-g05")).json()
    assert game["score"] == scores[-1]


@pytest.mark.parametrize(
    "score",
    [
        {"home": -1, "away": 0},
        {"home": 1000, "away": 0},
        {"home": 1.5, "away": 0},
        {"home": "1", "away": 0},
        {"home": 1},
        5,
    ],
)
async def test_impossible_scores_are_refused(sign_in: SignIn, score: Any) -> None:
    """Whole, not negative, bounded, both sides."""
    host = await (await sign_in("user0006")).socket()
    ack = await host.call("game:score_update", {"gameId": "club00-g06", "score": score})
    assert not ack["ok"] and ack["code"] == "invalid"


async def test_thirty_messages_a_minute(sign_in: SignIn) -> None:
    """The thirty-first is refused with `message:rate_limited`; another member may still write."""
    socket, other = await (await sign_in("user0108")).socket(), await (await sign_in("user0109")).socket()
    for one in (socket, other):
        await one.call("room:join", {"roomId": "room:club00"})
    acks = [await socket.call("message:send", {"roomId": "room:club00", "content": "x"}) for _ in range(31)]
    assert [ack["ok"] for ack in acks] == [True] * 30 + [False]
    assert acks[-1]["code"] == "rate_limited"
    (limited,) = await socket.until("message:rate_limited")
    assert limited["retryAfter"] == 1000 and limited["error"]
    assert (await other.call("message:send", {"roomId": "room:club00", "content": "x"}))["ok"]


async def test_ten_game_actions_in_ten_seconds(sign_in: SignIn) -> None:
    """Joining and scoring count together; on every socket of the user."""
    user = await sign_in("user0009")
    one, two = await user.socket(), await user.socket()
    acks = [await one.call("game:join", {"gameId": "club00-g09"}) for _ in range(5)]
    score = {"gameId": "club00-g09", "score": {"home": 1, "away": 1}}
    acks += [await two.call("game:score_update", score) for _ in range(6)]
    assert [ack["ok"] for ack in acks] == [True] * 10 + [False]


async def test_sixty_typing_events_a_minute(sign_in: SignIn) -> None:
    """And typing tells the room who types."""
    socket, other = await (await sign_in("user0110")).socket(), await (await sign_in("user0111")).socket()
    for one in (socket, other):
        await one.call("room:join", {"roomId": "room:club00"})
    acks = [await socket.call("typing", {"roomId": "room:club00"}) for _ in range(61)]
    assert [ack["ok"] for ack in acks] == [True] * 60 + [False]
    assert (await other.until("typing"))[0] == {"roomId": "room:club00", "userId": "user0110"}


async def test_reconnecting_members_get_what_they_missed(sign_in: SignIn) -> None:
    """By the answer of room:join with `since`, and page by page over HTTP."""
    sender, user = await (await sign_in("user0112")).socket(), await sign_in("user0113")
    await sender.call("room:join", {"roomId": "room:club00"})
    seen = await sender.call("message:send", {"roomId": "room:club00", "content": "seen"})
    missed = [await sender.call("message:send", {"roomId": "room:club00", "content": f"m{n}"}) for n in range(5)]
    back = await user.socket()
    answer = await back.call("room:join", {"roomId": "room:club00", "since": seen["id"]})
    assert [message["id"] for message in answer["missed"]] == [ack["id"] for ack in missed]
    assert answer["has_more"] is False
    path = f"/api/rooms/room:club00/messages?limit=3&since={seen['id']}"
    page = (await user.get(path)).json()
    assert [message["id"] for message in page["items"]] == [ack["id"] for ack in missed[:3]] and page["has_more"]


def legacy_client(url: str, token: str, heard: list[str]) -> None:
    """What a client of Engine.IO 3 does: pings by itself, joins a room, writes a message, reads until it comes back."""
    address = f"{url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket&token={token}"
    socket = create_connection(address, timeout=10, suppress_origin=True)
    try:
        heard += [socket.recv(), socket.recv()]
        if heard[-1] != "40":
            return
        socket.send("2")
        heard.append(socket.recv())
        socket.send('420["room:join",{"roomId":"room:club00"}]')
        heard.append(socket.recv())
        socket.send('42["message:send",{"roomId":"room:club00","tempId":"old","content":"from an old phone"}]')
        while not heard[-1].startswith('42["message:batch"'):
            heard.append(socket.recv())
    finally:
        socket.close()


async def test_eio3_clients_are_allowed(sign_in: SignIn) -> None:
    """Old phones take part like everybody else; a bad token is refused in their protocol."""
    user, other = await sign_in("user0116"), await (await sign_in("user0117")).socket()
    await other.call("room:join", {"roomId": "room:club00"})
    heard: list[str] = []
    await asyncio.to_thread(legacy_client, str(user.http.base_url), user.tokens["access_token"], heard)
    assert heard[0].startswith("0{") and heard[1:3] == ["40", "3"] and heard[3].startswith('430[{"ok":true')
    await other.until("message:batch")
    assert [message["content"] for message in other.messages()] == ["from an old phone"]
    refused: list[str] = []
    await asyncio.to_thread(legacy_client, str(user.http.base_url), "nonsense", refused)
    assert refused[1] == '44"the access token is not valid"'


async def test_memory_pressure_cleans_up(folder: Path, stores: tuple[str, str], enter: Enter) -> None:
    """Past the memory limit (1 GB by default) connections go after a tenth of the usual idle time."""
    config = folder / "pressure.yaml"
    config.write_text(yaml.safe_dump({"realtime": {"heap_limit_bytes": 1, "idle_s": 10, "guard_s": 0.2}}))
    child, where = start_server(folder, *stores, options=["--config", str(config)])
    with child:
        idle, busy = await (await enter(where, "user0124")).socket(), await (await enter(where, "user0125")).socket()

        async def idle_is_gone() -> bool:
            await busy.call("room:leave", {"roomId": "room:club00"})
            return not idle.client.connected

        await eventually(idle_is_gone, within_s=8)
        assert busy.client.connected
    assert "memory is short" in where.log.read_text()


async def test_polling_answers_are_compressed(sign_in: SignIn, backend: Backend) -> None:
    """From 1 KB up, when the client accepts it."""
    user = await sign_in("user0118")
    async with httpx.AsyncClient(base_url=backend.url, params={"EIO": "4", "transport": "polling"}, timeout=60) as http:
        opened = json.loads((await http.get("/socket.io/")).text[1:])
        http.params = http.params.set("sid", opened["sid"])
        await http.post("/socket.io/", content="40" + json.dumps({"token": user.tokens["access_token"]}))
        await http.get("/socket.io/")
        await http.post("/socket.io/", content='420["room:join",{"roomId":"room:club00"}]')
        await http.get("/socket.io/")
        text = json.dumps(["message:send", {"roomId": "room:club00", "content": "long " * 500}])
        await http.post("/socket.io/", content=f"42{text}")
        answer = await http.get("/socket.io/")
        assert answer.headers["content-encoding"] == "gzip" and "long long" in answer.text
        await http.post("/socket.io/", content="1")


async def test_who_leaves_a_room_hears_nothing_more(sign_in: SignIn) -> None:
    """Chat rooms and games alike; and may not write there any more."""
    host, guest = await (await sign_in("user0007")).socket(), await (await sign_in("user0115")).socket()
    third = await (await sign_in("user0116")).socket()
    for one in (host, guest, third):
        await one.call("room:join", {"roomId": "room:club00"})
        await one.call("game:join", {"gameId": "club00-g07"})
    await guest.call("room:leave", {"roomId": "room:club00"})
    await guest.call("game:leave", {"gameId": "club00-g07"})
    await host.call("message:send", {"roomId": "room:club00", "content": "gone?"})
    await host.call("game:score_update", {"gameId": "club00-g07", "score": {"home": 0, "away": 1}})
    await host.until("message:batch")
    await third.until("game:score_updated")
    assert not guest.of("message:batch") and not guest.of("game:score_updated")
    assert (await guest.call("message:send", {"roomId": "room:club00", "content": "x"}))["code"] == "forbidden"


async def test_a_score_does_not_come_back_to_its_sender(sign_in: SignIn) -> None:
    """Its other devices get it, like everybody else who watches."""
    host = await sign_in("user0008")
    phone, tablet = await host.socket(), await host.socket()
    for socket in (phone, tablet):
        await socket.call("game:join", {"gameId": "club00-g08"})
    await phone.call("game:score_update", {"gameId": "club00-g08", "score": {"home": 5, "away": 1}})
    await tablet.until("game:score_updated")
    await tablet.call("game:score_update", {"gameId": "club00-g08", "score": {"home": 5, "away": 2}})
    (seen,) = await phone.until("game:score_updated")
    assert seen["score"] == {"home": 5, "away": 2}
    await asyncio.sleep(0.2)
    assert len(tablet.of("game:score_updated")) == len(phone.of("game:score_updated")) == 1


async def test_who_only_listens_is_not_idle(strict: Backend, enter: Enter) -> None:
    """What is delivered counts as much as what is sent; nothing of both for the idle time does not."""
    talker, listener = (
        await (await enter(strict, "user0124")).socket(),
        await (await enter(strict, "user0125")).socket(),
    )
    for socket in (talker, listener):
        await socket.call("room:join", {"roomId": "room:club00"})
    for number in range(12):
        await talker.call("message:send", {"roomId": "room:club00", "tempId": f"{number}", "content": "still there?"})
        await asyncio.sleep(0.3)
    assert listener.client.connected and len(listener.messages()) == 12
    await eventually(lambda: not listener.client.connected)


async def test_idle_connections_are_dropped(strict: Backend, enter: Enter) -> None:
    """After the idle time (30 minutes by default); pings alone do not count, events do."""
    idle, busy = await (await enter(strict, "user0120")).socket(), await (await enter(strict, "user0121")).socket()

    async def idle_is_gone() -> bool:
        await busy.call("room:leave", {"roomId": "room:club00"})
        return not idle.client.connected

    await eventually(idle_is_gone)
    assert busy.client.connected


async def test_a_flood_of_events_is_answered_with_rate_limits(sign_in: SignIn) -> None:
    """The server goes on for everybody, the flooder included: six times what it handles at once of one socket."""
    flooder, other = await (await sign_in("user0122")).socket(), await (await sign_in("user0123")).socket()
    await asyncio.gather(*(flooder.emit("message:send", {"roomId": "room:club00", "content": "x"}) for _ in range(600)))
    await eventually(lambda: len(flooder.of("message:rate_limited")) + len(flooder.of("message:error")) >= 600)
    assert (await other.call("room:join", {"roomId": "room:club00"}))["ok"]
    assert (await flooder.call("room:join", {"roomId": "room:club00"}))["ok"]
