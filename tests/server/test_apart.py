"""Services apart: real processes behind a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from dbz.config.load.services import BAND_SYNC, GATEWAY, SERVICES
from dbz.server.auth import service as auth
from dbz.server.band_sync import service as band_sync
from dbz.server.chat import service as chat
from dbz.server.content import service as content
from dbz.server.data.ownership import OWNED, CollectionGuard
from dbz.server.data.stores import open_mongo
from dbz.server.game import service as game
from dbz.server.media import service as media
from dbz.server.notification import service as notification
from dbz.server.observe.metrics import Figures
from dbz.server.settings import StoreSettings
from tests.server.backend import Backend, start_server
from tests.server.clients import User, eventually, login
from tests.server.pictures import photo
from tests.server.test_auth import EVENTS_OF_CLUB_1, OF_CLUB_1

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def apart(folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """Every service in a process of its own, chat in two; tests ask again and again until something is back."""
    settings = folder / "apart.yaml"
    settings.write_text("mesh: {client_rate: {limit: 100000, window_s: 10}}\n")
    child, where = start_server(folder, *stores, ["--services", "chat=2", "--faults", "--config", str(settings)])
    with child:
        yield where


@pytest.fixture
async def people(apart: Backend) -> AsyncIterator[list[User]]:
    """Three members of club 0, and one of club 1."""
    async with AsyncExitStack() as stack:
        users = []
        for user_id in ("user0000", "user0001", "user0002", "user0200"):
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=apart.url, timeout=60))
            tokens = await login(http, user_id)
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            users.append(User(http, user_id, tokens, stack))
        yield users


def processes_of(backend: Backend, service: str) -> list[psutil.Process]:
    """The programs of a service, without their workers."""
    named = [
        process
        for process in psutil.Process(backend.pid).children(recursive=True)
        if name_of(process) == f"dbz-{service}"[:15]
    ]
    return [process for process in named if process.ppid() not in {each.pid for each in named}]


def name_of(process: psutil.Process) -> str:
    """As the kernel has it."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


PATHS = {
    "auth": "/api/me",
    "content": "/api/posts",
    "game": "/api/games",
    "chat": "/api/rooms",
    "notification": "/api/notifications",
    "media": "/media/photo1",
}
"""A path of each service."""


async def test_each_route_is_answered_by_its_service(people: list[User]) -> None:
    """The answer says which."""
    for service, path in PATHS.items():
        response = await people[0].get(path)
        assert (response.status_code, response.headers["x-service"]) == (200, service), path
    assert (await people[0].get("/api/nowhere")).status_code == 404
    refused = await people[0].http.put("/api/posts")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")


async def test_services_ask_each_other(people: list[User]) -> None:
    """A post shows its author (of auth) and a picture (of media); a notification reaches a socket of the gateway."""
    post = (await people[0].post("/api/posts", {"title": "Nets", "content": "are up"})).json()
    assert post["author"]["name"] == "Member 0"
    picture = (await people[0].http.post("/api/media", content=photo(300, 200))).json()
    for image, status in ((picture["id"], 201), ("club00.nothing", 422)):
        shown = await people[0].post("/api/posts", {"title": "Nets", "content": "see", "image": image})
        assert shown.status_code == status, shown.text
    listener = await people[1].socket()
    sent = await people[0].post("/api/notifications", {"user_id": people[1].id, "type": "x", "title": "Hello"})
    assert sent.status_code == 202
    assert (await listener.until("notification:new"))[0]["title"] == "Hello"


async def test_one_socket_carries_events_of_several_services(people: list[User]) -> None:
    """Chat and scores over the same connection; refusals come back as they do from one process."""
    sender, reader = await people[0].socket(), await people[1].socket("polling")
    for socket in (sender, reader):
        assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]
        assert (await socket.call("game:join", {"gameId": "club00-g00"}))["ok"]
    mark = uuid.uuid4().hex
    ack = await sender.call("message:send", {"roomId": "room:club00", "content": mark, "tempId": "t1"})
    assert ack["ok"] and ack["tempId"] == "t1" and ack["id"]
    assert (await sender.until("message:sent"))[0]["tempId"] == "t1"
    await eventually(lambda: mark in [message["content"] for message in reader.messages()])
    stored = (await people[1].get("/api/rooms/room:club00/messages")).json()["items"]
    assert ack["id"] in [message["id"] for message in stored]
    score = {"gameId": "club00-g00", "score": {"home": 3, "away": 1}}
    assert (await sender.call("game:score_update", score))["ok"]
    assert (await reader.until("game:score_updated"))[0]["score"] == {"home": 3, "away": 1}
    missed = await reader.call("room:join", {"roomId": "room:club00", "since": ack["id"]})
    assert missed["ok"] and missed["missed"] == []
    assert (await sender.call("room:join", {"roomId": "room:club01"}))["code"] == "not_found"
    assert (await sender.call("message:send", {"roomId": "room:club00"}))["code"] == "invalid"
    assert (await sender.call("room:leave", {"roomId": "room:club00"}))["ok"]
    assert (await sender.call("message:send", {"roomId": "room:club00", "content": "x"}))["code"] == "forbidden"


async def test_nobody_outside_speaks_for_somebody_else(apart: Backend, people: list[User]) -> None:
    """Internal headers of clients go no further, services answer nobody but the gateway, clubs stay apart."""
    forged = {"x-dbz-identity": "e30.00", "x-dbz-caller": "e30.00"}
    assert (await people[0].get("/api/me", headers=forged)).json()["id"] == people[0].id
    async with httpx.AsyncClient(base_url=apart.url, timeout=60) as nobody:
        assert (await nobody.get("/api/me", headers=forged)).status_code == 401
        assert (await nobody.post("/internal/profiles", json={"user_ids": ["user0001"]})).status_code == 404
    stranger = people[3]
    assert (await stranger.get("/api/posts/club00-p00")).status_code == 404
    assert (await stranger.get("/api/clubs/club00")).status_code == 403
    health = (await people[0].get("/healthz")).json()
    game = health["services"]["game"]["instances"][0]["name"]
    async with httpx.AsyncClient(base_url=f"http://{game}", headers=dict(people[0].http.headers), timeout=60) as direct:
        assert (await direct.get("/api/games")).status_code == 401
        assert (await direct.post("/internal/audience", json={}, headers=forged)).status_code == 401


async def test_a_stolen_token_does_nothing_in_another_club(people: list[User]) -> None:
    """No service takes it for its own club's, whatever the thief says of himself; the other club stays as it is."""
    thief, member = people[0], people[3]
    seen = [path for method, path, _ in OF_CLUB_1 if method == "GET"]
    before = [(await member.get(path)).json() for path in seen]
    claims = {"x-dbz-identity": "e30.00", "x-club-id": "club01", "x-forwarded-for": "127.0.0.1"}
    for method, path, body in OF_CLUB_1:
        answer = await thief.http.request(method, path, json=body, headers=claims)
        assert answer.status_code == 404 and answer.headers["x-service"] in PATHS, (method, path)
    for path in ("/api/clubs/club01", "/api/clubs/club01/members", "/api/clubs/club01/rankings"):
        assert (await thief.get(path, params={"club_id": "club01"}, headers=claims)).status_code in (403, 422), path
    socket, listener = await thief.socket(), await member.socket()
    assert (await listener.call("room:join", {"roomId": "room:club01"}))["ok"]
    assert (await listener.call("game:join", {"gameId": "club01-g00"}))["ok"]
    for event, data in EVENTS_OF_CLUB_1:
        answered = await socket.call(event, data)
        assert not answered["ok"] and answered["code"] in ("not_found", "forbidden"), event
    assert [(await member.get(path)).json() for path in seen] == before
    assert (await listener.call("room:leave", {"roomId": "room:club01"}))["ok"]
    heard = {event for event, _ in listener.events}
    assert not heard & {"message:batch", "typing", "game:score_updated", "notification:new"}, heard


async def test_a_session_that_ended_is_over_at_the_gateway(people: list[User]) -> None:
    """Requests and sockets of it, at once."""
    socket = await people[2].socket()
    assert (await people[2].post("/api/auth/logout", {})).status_code == 200
    await eventually(lambda: not socket.client.connected)
    assert (await people[2].get("/api/me")).status_code == 401


async def test_killed_services_come_back_and_the_others_do_not_notice(apart: Backend, people: list[User]) -> None:
    """Each of them, one three times in a row. Its own calls are refused meanwhile, with the time to wait."""
    for service in ("auth", "content", "game", "game", "game", "notification", "media"):
        (before,) = processes_of(apart, service)
        await others_answer(people[0], "")  # so that they know the profiles that auth has
        with nobody_starts_again(apart):
            await kill(before)
            refused = await people[0].get(PATHS[service])
            assert refused.status_code == 503 and refused.headers["retry-after"]
            assert refused.json()["error"]["service"] == refused.headers["x-service"] == service
            await others_answer(people[0], service)
        while (await people[0].get(PATHS[service])).status_code != 200:
            await asyncio.sleep(0.1)  # a member may ask 60 times a second
            await others_answer(people[0], service)
        (after,) = processes_of(apart, service)
        assert after.pid != before.pid


@contextmanager
def nobody_starts_again(backend: Backend) -> Iterator[None]:
    """Nothing that ends meanwhile is started again before the end of this."""
    os.kill(backend.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend.pid, signal.SIGCONT)


async def kill(process: psutil.Process) -> None:
    """With SIGKILL, and until nothing is left of it."""
    family = [process, *process.children(recursive=True)]
    process.send_signal(signal.SIGKILL)
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=60)
    assert not alive


async def others_answer(user: User, service: str) -> None:
    """All services but this one."""
    for other, path in PATHS.items():
        if other != service:
            assert (await user.get(path)).status_code == 200, f"{other} while {service} is away"


async def test_a_fault_of_a_service_strikes_its_processes_and_no_others(apart: Backend, people: list[User]) -> None:
    """Slow, failing and killed, as an admin asks for at the gateway; both processes of chat are struck."""
    async with httpx.AsyncClient(base_url=apart.url, timeout=60) as http:
        http.headers["authorization"] = f"Bearer {(await login(http, 'user0199'))['access_token']}"

        async def asks(**faults: object) -> httpx.Response:
            return await http.put("/api/admin/faults", json=faults)

        assert (await people[0].http.put("/api/admin/faults", json={})).status_code == 403
        unknown = await asks(service="chta", slow_ms=1)
        assert unknown.status_code == 422 and "did you mean 'chat'" in unknown.text, unknown.text
        assert (await asks(kill=True)).status_code == 422
        now = (await asks(service="chat", error_rate=1)).json()
        assert {name: one["error_rate"] for name, one in now.items() if one["error_rate"]} == {"chat": 1}
        for _ in range(6):  # whichever of the two answers
            assert (await people[0].get("/api/rooms")).status_code == 500
        assert (await people[0].get("/api/posts")).status_code == 200
        await asks(service="chat")
        assert (await people[0].get("/api/rooms")).status_code == 200
        await asks(service="content", slow_ms=700)
        start = time.perf_counter()
        assert (await people[0].get("/api/posts")).status_code == 200
        assert time.perf_counter() - start >= 0.7
        before = {process.pid for service in ("chat", "game") for process in processes_of(apart, service)}
        (game,) = processes_of(apart, "game")
        assert (await asks(service="game", kill=True)).status_code == 200
        await eventually(lambda: not game.is_running() and len(processes_of(apart, "game")) == 1, within_s=60)
        assert before - {process.pid for process in processes_of(apart, "chat")} == {game.pid}
        await asks()
        again = (await http.get("/api/admin/faults")).json()
        assert all(value == 0 for one in again.values() for value in one.values())
        await eventually(lambda: answers_well(people[0], "/api/games"), within_s=60)
        (game,) = processes_of(apart, "game")
        await asyncio.sleep(1)
        assert game.is_running()  # killed once, and not by the same order again


async def answers_well(user: User, path: str) -> bool:
    """Whether a GET gets a 200."""
    return (await user.get(path)).status_code == 200


async def test_of_two_instances_one_may_end_unnoticed(apart: Backend, people: list[User]) -> None:
    """What can be asked twice is asked of the other one."""
    victims = processes_of(apart, "chat")
    assert len(victims) == 2
    victims[0].send_signal(signal.SIGKILL)
    for _ in range(50):
        assert (await people[0].get("/api/rooms")).status_code == 200
    await eventually(lambda: len(processes_of(apart, "chat")) == 2)


async def test_no_service_has_touched_a_collection_of_another(people: list[User]) -> None:
    """In all that the tests above did; the gateway has touched none at all."""
    await people[0].post("/api/games", {"title": "Late", "game_date": "2030-01-01T10:00:00Z"})
    await people[0].get(f"/api/posts?search={uuid.uuid4().hex}")  # which no cache has
    await asyncio.sleep(1.5)  # figures of other processes are at most a second old
    metrics = (await people[0].get("/metrics")).text
    assert 'dbz_query_duration_seconds_count{name="posts.list"}' in metrics
    cores = next(line for line in metrics.splitlines() if line.startswith("dbz_server_cores "))
    assert 1 <= float(cores.split()[1]) <= (os.cpu_count() or 1), "not one for each process"
    assert [line for line in metrics.splitlines() if line.startswith("dbz_foreign_collections_total")] == []


async def test_a_service_that_touches_a_collection_of_another_is_noticed(stores: tuple[str, str]) -> None:
    """Also inside an aggregation, and when the cursor goes on."""
    figures = Figures()
    settings = StoreSettings(mongo_uri=stores[0])
    client = open_mongo(settings, [CollectionGuard("content", settings.database, figures)])
    database = client[settings.database]
    await database["posts"].find_one({})
    assert figures.foreign_collections.values == {}
    await database["games"].find({}).batch_size(2).to_list()
    lookup = {"from": "users", "localField": "author_id", "foreignField": "_id", "as": "author"}
    await (await database["posts"].aggregate([{"$limit": 1}, {"$lookup": lookup}])).to_list()
    await client.close()
    assert figures.foreign_collections.values.keys() == {("content", "games"), ("content", "users")}
    assert figures.foreign_collections.values["content", "games"] > 1


def test_each_collection_has_one_owner() -> None:
    """And no service wants an index on one that is not its own."""
    owned = [name for names in OWNED.values() for name in names]
    assert len(owned) == len(set(owned)) and set(OWNED) == {*SERVICES, BAND_SYNC, GATEWAY}
    wanted = {"auth": auth.INDEXES, "chat": chat.INDEXES, "content": content.INDEXES, "game": game.INDEXES}
    wanted |= {"media": media.INDEXES, "notification": notification.INDEXES, BAND_SYNC: band_sync.INDEXES}
    for service, indexes in wanted.items():
        assert {each.collection for each in indexes} <= OWNED[service]


@pytest.mark.parametrize("victim", ["gateway", "forkserver"])
async def test_what_all_depend_on_comes_back_too(apart: Backend, people: list[User], victim: str) -> None:
    """The gateway; and the process that all are forked from, with which they end."""
    family = psutil.Process(apart.pid).children(recursive=True)
    of_it = [each for each in family if each.cmdline()[3:4] == ["dbz.server.apart.forkserver"]]
    forkserver = next(each for each in of_it if each.parent() not in of_it)
    (killed,) = processes_of(apart, victim) if victim == "gateway" else [forkserver]
    await kill(killed)
    for path in PATHS.values():

        async def answers(path: str = path) -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await people[0].get(path)).status_code == 200
            return False

        await eventually(answers, within_s=90)


async def test_everything_ends_with_the_parent(folder: Path, stores: tuple[str, str]) -> None:
    """Also when that is killed."""
    child, where = start_server(folder, *stores, ["--services", "apart"])
    with child:
        family = psutil.Process(where.pid).children(recursive=True)
        assert len(family) > len(SERVICES)
        os.kill(where.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive
