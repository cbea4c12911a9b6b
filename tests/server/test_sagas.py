"""Sagas whose server is killed before and after every step: nothing is lost, doubled or half done."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from dbz.server.game.results.counting import RANKINGS, STATISTICS, folded
from dbz.server.sagas.catalogue import CATALOGUE
from tests.server.backend import Backend, answers, start_server
from tests.server.clients import eventually, login
from tests.server.victim import POINTS, VICTIM
from tests.whole import WHOLE

pytestmark = pytest.mark.anyio
MOMENTS = ("before", "after")
STEPS = {name: [step.name for step in saga.steps] for name, saga in CATALOGUE.items()}


@dataclass
class Stage:
    """A server that ends where a file says so, its database, and what clients know: the ledger."""

    where: Backend
    points: Path
    database: Any
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """{game id: {score, players, acknowledged}} of every result that was sent."""

    def strike(self, point: str) -> Path:
        """End, or fail, at a point from now on."""
        (self.points / point).touch()
        return self.points / point

    async def up(self) -> None:
        """Wait for the server, whose worker may just have been killed."""
        await eventually(lambda: asyncio.to_thread(answers, f"{self.where.url}/readyz"), within_s=40)

    async def quiet(self, saga: str) -> None:
        """Wait until no saga of this kind is under way.

        A reader may miss a row that is being changed, so several looks must see none.
        """

        async def none_left() -> bool:
            for _ in range(10):
                if await self.database["sagas"].find_one({"saga": saga, "ended_at": None}):
                    return False
                await asyncio.sleep(0.1)
            return True

        await eventually(none_left, within_s=90)


@pytest.fixture(scope="module")
def victim(folder: Path, stores: tuple[str, str]) -> Iterator[tuple[Backend, Path]]:
    points = folder / "points"
    points.mkdir()
    config = folder / "light.yaml"
    config.write_text("auth: {password_rounds: 1000}\n")
    options = ("--config", str(config), "--access-ttl", "3600", "--processes", "2")
    child, where = start_server(folder, *stores, options, {POINTS: str(points)}, VICTIM)
    with child:
        yield where, points


@pytest.fixture
async def stage(victim: tuple[Backend, Path]) -> AsyncIterator[Stage]:
    where, points = victim
    async with AsyncMongoClient(where.mongo_uri, tz_aware=True) as client:
        yield Stage(where, points, client["dbz"])
    for file in points.iterdir():
        file.unlink()


async def signed_in(stack: AsyncExitStack, where: Backend, user_id: str) -> httpx.AsyncClient:
    http = await stack.enter_async_context(httpx.AsyncClient(base_url=where.url, timeout=15))
    tokens = await login(http, user_id)
    http.headers["authorization"] = f"Bearer {tokens['access_token']}"
    return http


async def a_game(players: list[httpx.AsyncClient]) -> str:
    """A game that all of them have joined; begun anew when the process that they were connected to is killed."""
    for _ in range(20):
        with contextlib.suppress(httpx.TransportError):
            return await _joined_game(players)
        await asyncio.sleep(0.2)
    raise AssertionError("the server does not come back")


async def _joined_game(players: list[httpx.AsyncClient]) -> str:
    host, *others = players
    body = {"title": "Torture", "game_date": "2027-01-01T10:00:00Z", "max_participants": 4}
    game_id = (await host.post("/api/games", json=body)).json()["id"]
    for other in others:
        assert (await other.post(f"/api/games/{game_id}/join")).status_code == 200
    return str(game_id)


async def post_result(stage: Stage, host: httpx.AsyncClient, game_id: str, score: dict[str, int]) -> None:
    entry = stage.results.setdefault(game_id, {"score": score, "acknowledged": False})
    with contextlib.suppress(httpx.TransportError):  # killed before it answered: done or not, but not by halves
        answer = await host.post(f"/api/games/{game_id}/result", json={"score": score})
        entry["acknowledged"] = answer.status_code == 200


async def test_no_result_is_lost_doubled_or_half_done_wherever_the_server_is_killed(stage: Stage) -> None:
    """A kill before and after each of the four steps, beside results that meet none; `make torture`: twice."""
    users = [f"user0{number}" for number in (180, 181, 182)]
    async with AsyncExitStack() as stack:
        players = [await signed_in(stack, stage.where, user) for user in users]
        points = [f"game_result.{step}:{moment}" for step in STEPS["game_result"] for moment in MOMENTS]
        for number, point in enumerate(points * (2 if WHOLE else 1)):
            await stage.up()
            games = [await a_game(players) for _ in range(2)]
            armed = stage.strike(point)
            score = {"home": 21, "away": number % 22}
            await asyncio.gather(*(post_result(stage, players[0], game_id, score) for game_id in games))
            await eventually(lambda armed=armed: not armed.exists(), within_s=40)
        await stage.up()
        await stage.quiet("game_result")
        await judge(stage, users)
        # What was not acknowledged is asked for again: a client cannot know better.
        for game_id, entry in stage.results.items():
            again = await players[0].post(f"/api/games/{game_id}/result", json={"score": entry["score"]})
            assert again.status_code in ((409,) if entry["acknowledged"] else (200, 409))
        await stage.quiet("game_result")
        await judge(stage, users, all_done=True)
        mine = (await players[0].get(f"/api/clubs/club00/members/{users[0]}/statistics")).json()
        assert mine["played"] == len(stage.results)


async def judge(stage: Stage, users: list[str], *, all_done: bool = False) -> None:
    """Each result is either done in all places, once, or in none; those that were acknowledged are done."""
    ids = list(stage.results)
    games = {row["_id"]: row async for row in stage.database["games"].find({"_id": {"$in": ids}})}
    events = await stage.database["game_results"].find({"game_id": {"$in": ids}}).to_list()
    recorded = Counter(event["game_id"] for event in events)
    for game_id, entry in stage.results.items():
        done = games[game_id]["status"] == "completed"
        assert done or not (entry["acknowledged"] or all_done), "lost"
        assert recorded[game_id] == done, "half done, or doubled"
        if done:
            assert games[game_id]["score"] == entry["score"]
    rows = folded(events)
    for projection in (STATISTICS, RANKINGS):
        for row_id, (_, counts) in rows[projection].items():
            stored = await stage.database[f"{projection}_a"].find_one({"_id": row_id})
            assert {name: stored[name] for name in counts} == counts, (projection, row_id)

    async def told() -> bool:
        found = stage.database["notifications"].find({"type": "game.finished", "user_id": {"$in": users}})
        ours = Counter((row["_id"].split(":")[0], row["user_id"]) for row in await found.to_list())
        return all(ours[event["_id"], user] == 1 for event in events for user in users)

    await eventually(told, within_s=40)


async def test_a_result_that_cannot_be_counted_is_taken_back_as_a_whole(stage: Stage) -> None:
    """Although the server is killed while it takes it back; and then it can be posted anew."""
    users = [f"user0{number}" for number in (184, 185)]
    async with AsyncExitStack() as stack:
        players = [await signed_in(stack, stage.where, user) for user in users]
        game_id = await a_game(players)
        broken = stage.strike("game_result.statistics:fails")
        for point in ("game_result.withdraw:after", "game_result.reopen:before"):
            stage.strike(point)
        assert (
            await players[0].post(f"/api/games/{game_id}/result", json={"score": {"home": 3, "away": 21}})
        ).is_success
        await stage.quiet("game_result")
        broken.unlink()
        await stage.up()

        async def reopened() -> bool:  # in every process: what one of them has cached lives for some milliseconds more
            with contextlib.suppress(httpx.TransportError):
                return bool((await players[0].get(f"/api/games/{game_id}")).json()["status"] == "ongoing")
            return False

        await eventually(reopened)
        types = sorted([row["type"] async for row in stage.database["game_results"].find({"game_id": game_id})])
        assert types == ["result_recorded", "result_withdrawn"]
        kept = await stage.database["sagas"].find_one({"data.game_id": game_id})
        assert kept["undoing"] and kept["reason"] == "ValueError: this never works" and "due_at" not in kept
        statistics = f"/api/clubs/club00/members/{users[1]}/statistics"
        assert set((await players[1].get(statistics)).json().values()) == {users[1], 0}
        assert (
            await players[0].post(f"/api/games/{game_id}/result", json={"score": {"home": 21, "away": 3}})
        ).is_success
        await stage.quiet("game_result")
        assert (await players[1].get(statistics)).json()["lost"] == 1
        ranking = (await players[1].get("/api/clubs/club00/rankings?limit=100")).json()["items"]
        points = {row["player"]["id"]: row["points"] for row in ranking}
        assert points[users[0]] == 3 and points[users[1]] == 0

        async def told() -> bool:
            items = (await players[1].get("/api/notifications")).json()["items"]
            titles = [item["title"] for item in items if item["type"].startswith("game.")]
            return titles == ["Final score of Torture", "The score of Torture does not count"]

        await eventually(told, within_s=30)


async def test_a_sign_up_is_finished_or_leaves_nothing_wherever_the_server_is_killed(stage: Stage) -> None:
    """Each of the four steps, before and after; then one that is refused, and one whose name is taken."""
    made: dict[str, bool] = {}
    async with httpx.AsyncClient(base_url=stage.where.url, timeout=15) as http:
        body = {"password": "long enough", "name": "New", "club_id": "club01"}
        for step in STEPS["sign_up"]:
            for moment in MOMENTS:
                await stage.up()
                armed = stage.strike(f"sign_up.{step}:{moment}")
                username = f"new-{step}-{moment}".replace("_", "-")
                made[username] = False
                try:
                    answer = await http.post("/api/auth/sign-up", json={**body, "username": username})
                    made[username] = answer.status_code in (201, 202)
                except httpx.TransportError:
                    pass
                await eventually(lambda armed=armed: not armed.exists(), within_s=40)
        await stage.up()
        await stage.quiet("sign_up")
        for username in made:
            again = await http.post("/api/auth/sign-up", json={**body, "username": username})
            assert again.status_code in (201, 409), again.text
            login_answer = await http.post("/api/auth/login", json={"username": username, "password": body["password"]})
            assert login_answer.status_code == 200, login_answer.text
        users = await stage.database["users"].find({"username": {"$in": list(made)}}).to_list()
        assert len(users) == len(made) and {(user["club_id"], user.get("pending")) for user in users} == {
            ("club01", None)
        }

        async def welcomed() -> bool:
            of_them = {"type": "member.joined", "user_id": {"$in": [user["_id"] for user in users]}}
            return bool(await stage.database["notifications"].count_documents(of_them) == len(users))

        await eventually(welcomed, within_s=40)
        nowhere = await http.post("/api/auth/sign-up", json={**body, "username": "lost-soul", "club_id": "club77"})
        assert nowhere.status_code == 409 and nowhere.json()["error"]["message"] == "there is no such club"
        broken = stage.strike("sign_up.club:fails")
        pending = await http.post("/api/auth/sign-up", json={**body, "username": "taken-back"})
        assert pending.status_code == 202 and pending.json()["status"] == "pending"
        refused = await http.post("/api/auth/login", json={"username": "taken-back", "password": body["password"]})
        assert refused.status_code == 401 and "not ready" in refused.text
        await stage.quiet("sign_up")
        broken.unlink()
        assert not await stage.database["users"].find_one({"username": {"$in": ["taken-back", "lost-soul"]}})
        kept = await stage.database["sagas"].find_one({"data.username": "taken-back"})
        assert "password_hash" not in kept["data"] and kept["step"] == -1
        assert (await http.post("/api/auth/sign-up", json={**body, "username": "taken-back"})).status_code == 201
