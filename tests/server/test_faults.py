"""Stores and processes are killed and come back: nothing acknowledged is lost, nothing needs a restart."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dbz.children import Child, free_port
from tests.server.backend import Backend, mongo_uri, seed, start_mongo, start_redis, start_server
from tests.server.clients import Socket, User, eventually, login

pytestmark = pytest.mark.anyio


@dataclass
class Fragile:
    """Servers that a test may kill and start again on the same ports."""

    folder: Path
    mongo_port: int
    redis_port: int
    mongo: Child
    redis: Child
    where: Backend

    def kill(self, child: Child) -> None:
        """As with kill -9."""
        os.kill(child.pid, signal.SIGKILL)
        child.stop()

    def start_mongo(self) -> None:
        """On the data that it had."""
        self.mongo = start_mongo(self.folder, self.mongo_port, "--sync-on-commit")

    def start_redis(self) -> None:
        """Empty."""
        self.redis = start_redis(self.folder, self.redis_port)


@pytest.fixture(scope="module")
def fragile() -> Iterator[Fragile]:
    """Two server processes on stores of their own."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-fault-tests-"))
    mongo_port, redis_port = free_port(), free_port()
    uri = mongo_uri(mongo_port)
    mongo, redis = start_mongo(folder, mongo_port, "--sync-on-commit"), start_redis(folder, redis_port)
    seed(folder, "--mongo-uri", uri, "--clubs", "1")
    server, where = start_server(folder, uri, f"redis://127.0.0.1:{redis_port}", ["--processes", "2"])
    fragile = Fragile(folder, mongo_port, redis_port, mongo, redis, where)
    try:
        yield fragile
    finally:
        for child in (server, fragile.redis, fragile.mongo):
            child.stop()
        shutil.rmtree(folder)


@pytest.fixture
async def users(fragile: Fragile) -> AsyncIterator[list[User]]:
    """Two members; every request is made on a connection of its own, so that both processes get some."""
    async with AsyncExitStack() as stack:
        found = []
        for user_id in ("user0001", "user0002"):
            limits = httpx.Limits(max_keepalive_connections=0)
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=fragile.where.url, limits=limits, timeout=20)
            )
            tokens = await login(http, user_id)
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            found.append(User(http, user_id, tokens, stack))
        yield found


def workers(fragile: Fragile) -> list[psutil.Process]:
    """The server processes."""
    return psutil.Process(fragile.where.pid).children()


async def sockets_on_both(fragile: Fragile, user: User) -> list[Socket]:
    """Sockets of one member, at least one on each process."""
    sockets: list[Socket] = []
    held: set[int] = set()
    before = _local_ports()  # of requests, whose connections are kept
    while len(held) < 2:
        sockets.append(await user.socket())
        assert len(sockets) < 40
        for worker in workers(fragile):
            ports = {
                one.raddr.port for one in worker.net_connections("tcp") if one.raddr and one.status == "ESTABLISHED"
            }
            if ports & (_local_ports() - before):
                held.add(worker.pid)
    for socket in sockets:
        assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]
    return sockets


def _local_ports() -> set[int]:
    mine = psutil.Process().net_connections("tcp")
    return {one.laddr.port for one in mine if one.raddr}


async def test_several_processes_form_one_room(fragile: Fragile, users: list[User]) -> None:
    """Whatever process a socket is on, it gets each message and score once, and rate limits are shared."""
    first, *_, last = await sockets_on_both(fragile, users[1])
    receivers = [first, last]  # of each process one: more than ten game actions in ten seconds would be refused
    sender = await users[0].socket()
    await sender.call("room:join", {"roomId": "room:club00"})
    for receiver in receivers:
        await receiver.call("game:join", {"gameId": "club00-g01"})
    ack = await sender.call("message:send", {"roomId": "room:club00", "content": "to all"})
    await sender.call("game:score_update", {"gameId": "club00-g01", "score": {"home": 4, "away": 2}})
    for receiver in receivers:
        await receiver.until("game:score_updated")
        await receiver.until("message:batch")
    await asyncio.sleep(0.2)
    for receiver in receivers:
        assert [message["id"] for message in receiver.messages()] == [ack["id"]]
        assert len(receiver.of("game:score_updated")) == 1


async def test_scores_of_two_processes_coalesce_and_never_go_back(fragile: Fragile, users: list[User]) -> None:
    """Updates through both processes: the last one wins everywhere, and no older one comes after a newer one."""
    writers = await sockets_on_both(fragile, users[0])
    watchers = await sockets_on_both(fragile, users[1])
    host = {"gameId": "club00-g01"}
    for watcher in (watchers[0], watchers[-1]):
        await watcher.call("game:join", host)
    final = {"home": 7, "away": 7}
    for point in range(8):
        writer = writers[0] if point % 2 else writers[-1]
        await writer.emit("game:score_update", {**host, "score": {"home": point, "away": point}})
        await asyncio.sleep(0.03)
    for watcher in (watchers[0], watchers[-1]):
        await eventually(lambda w=watcher: [event["score"] for event in w.of("game:score_updated")][-1:] == [final])
        times = [event["timestamp"] for event in watcher.of("game:score_updated")]
        assert times == sorted(times)
        assert len(times) < 8

    async def is_stored() -> bool:
        return bool((await users[0].get("/api/games/club00-g01")).json()["score"] == final)

    await eventually(is_stored)


@pytest.mark.parametrize("transports", [("polling",), ("polling", "websocket")])
async def test_polling_works_whatever_process_a_request_reaches(users: list[User], transports: tuple[str, ...]) -> None:
    """Each request of these sockets may reach another process than the one that holds them; so may the upgrade."""
    for _ in range(6):
        socket = await users[0].socket(*transports)
        assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]
        assert (await socket.call("room:leave", {"roomId": "room:club00"}))["ok"]
        assert socket.client.transport() == transports[-1]


async def test_any_process_answers_metrics_for_all(fragile: Fragile, users: list[User]) -> None:
    """Two workers and their supervisor; connections and requests of both."""
    sockets = await sockets_on_both(fragile, users[0])

    async def whole() -> bool:
        text = (await users[0].get("/metrics")).text
        pids = {line.split('"')[1] for line in text.splitlines() if line.startswith("dbz_process_cpu_seconds_total{")}
        counted = f"dbz_socket_connections {float(len(sockets))}" in text
        return counted and pids == {str(fragile.where.pid), *(str(worker.pid) for worker in workers(fragile))}

    await eventually(whole)


async def test_a_write_in_one_process_shows_in_the_other(fragile: Fragile, users: list[User]) -> None:
    """Caches of all processes are cleared."""
    for number in range(10):
        before = (await users[0].get("/api/posts/club00-p00")).json()
        comment = await users[0].post("/api/posts/club00-p00/comments", {"content": f"c{number}"})
        assert comment.status_code == 201

        async def seen(want: int = before["comment_count"] + 1) -> bool:
            answers = [await users[1].get("/api/posts/club00-p00") for _ in range(6)]
            return all(answer.json()["comment_count"] == want for answer in answers)

        await eventually(seen, within_s=3)


async def send(socket: Socket, acknowledged: list[str], stop: asyncio.Event) -> None:
    """Write messages until told to stop; remembers those that were acknowledged."""
    number = 0
    while not stop.is_set():
        number += 1
        try:
            data = {"roomId": "room:club00", "tempId": f"{number}", "content": "x"}
            ack = await asyncio.wait_for(socket.call("message:send", data), 12)
            if ack["ok"]:
                acknowledged.append(ack["id"])
        except Exception:
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.15)


async def comment(user: User, acknowledged: list[str], refused: list[int], stop: asyncio.Event) -> None:
    """Write comments until told to stop; remembers those that were acknowledged."""
    while not stop.is_set():
        try:
            answer = await user.post("/api/posts/club00-p01/comments", {"content": "x"})
            acknowledged.append(answer.json()["id"]) if answer.status_code == 201 else refused.append(
                answer.status_code
            )
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)


async def stored(user: User, message_ids: list[str]) -> bool:
    """Whether the history of the room has all these messages."""
    found: set[str] = set()
    since = "0"
    while True:
        page = (await user.get(f"/api/rooms/room:club00/messages?limit=100&since={since}")).json()
        found |= {message["id"] for message in page["items"]}
        if not page["has_more"]:
            return set(message_ids) <= found
        since = page["items"][-1]["id"]


async def lives(user: User) -> bool:
    """Whether reads and writes work."""
    try:
        answers = [
            await user.get("/api/posts"),
            await user.get("/readyz"),
            await user.post("/api/posts/club00-p02/comments", {"content": "alive"}),
        ]
    except httpx.HTTPError:
        return False
    return [answer.status_code for answer in answers] == [200, 200, 201]


async def run_through(fragile: Fragile, users: list[User], fault: Any) -> tuple[list[str], list[int]]:
    """Messages and comments are written while `fault` runs; all that was acknowledged is there in the end."""
    messages: list[str] = []
    comments: list[str] = []
    refused: list[int] = []
    stop = asyncio.Event()
    sockets = await sockets_on_both(fragile, users[0])
    writers = [asyncio.create_task(send(sockets[0], messages, stop))]
    writers.append(asyncio.create_task(comment(users[1], comments, refused, stop)))
    await eventually(lambda: messages and comments)
    await fault()
    await eventually(lambda: lives(users[1]), within_s=40)
    before = len(comments)
    await eventually(lambda: len(comments) > before, within_s=30)
    stop.set()
    await asyncio.gather(*writers)
    await eventually(lambda: stored(users[1], messages), within_s=20)
    shown = {row["id"] for row in (await users[1].get("/api/posts/club00-p01/comments")).json()["items"]}
    assert set(comments) <= shown or len(shown) == 200
    return messages, refused


async def test_redis_killed_and_back(fragile: Fragile, users: list[User]) -> None:
    """Requests go on without Redis, writes are kept, and afterwards processes form one room again."""
    statuses: list[int] = []

    async def fault() -> None:
        fragile.kill(fragile.redis)
        for _ in range(10):
            answers = [await users[1].get(path) for path in ("/api/posts", "/api/games", "/api/me", "/healthz")]
            statuses.extend(answer.status_code for answer in answers)
        statuses.append((await users[1].get("/readyz")).status_code)
        fragile.start_redis()

    _, refused = await run_through(fragile, users, fault)
    assert set(statuses[:-1]) == {200} and statuses[-1] == 503 and refused == []
    first, *_, last = await sockets_on_both(fragile, users[1])
    receivers = [first, last]  # of each process one: more than ten game actions in ten seconds would be refused
    sender = await users[0].socket()
    await sender.call("room:join", {"roomId": "room:club00"})

    async def one_room() -> bool:
        await sender.call("message:send", {"roomId": "room:club00", "content": "back?"})
        return all(receiver.messages() for receiver in receivers)

    await eventually(one_room)


async def test_a_notification_survives_redis(fragile: Fragile, users: list[User]) -> None:
    """Accepted while the queue was away: told when it is back."""
    fragile.kill(fragile.redis)
    body = {"user_id": "user0002", "type": "t", "title": "kept"}
    answer = await users[0].post("/api/notifications", body)
    assert answer.status_code == 202
    fragile.start_redis()

    async def told() -> bool:
        items = (await users[1].get("/api/notifications")).json()["items"]
        return answer.json()["id"] in [item["id"] for item in items]

    await eventually(told, within_s=30)


async def test_document_store_killed_and_back(fragile: Fragile, users: list[User]) -> None:
    """Cached lists are still served, other requests say 503, messages wait for the store."""
    served: list[int] = []

    async def fault() -> None:
        await users[1].get("/api/posts")
        fragile.kill(fragile.mongo)
        served.append((await users[1].get("/healthz")).status_code)
        served.append((await users[1].get("/readyz")).status_code)
        fragile.start_mongo()

    _, refused = await run_through(fragile, users, fault)
    assert served == [200, 503] and set(refused) <= {503}


async def test_one_server_process_killed(fragile: Fragile, users: list[User]) -> None:
    """The others go on, and it is replaced; so is the one in its place when that is killed at once."""
    victims: list[psutil.Process] = []

    async def kill_the_newest() -> None:
        before = workers(fragile)
        victims.append(max(before, key=psutil.Process.create_time))
        victims[-1].kill()
        await eventually(lambda: victims[-1] not in workers(fragile) and len(workers(fragile)) == len(before))

    async def fault() -> None:
        await kill_the_newest()
        await kill_the_newest()

    await run_through(fragile, users, fault)
    assert len(set(victims)) == 2 and not set(victims) & set(workers(fragile))
