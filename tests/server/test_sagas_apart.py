"""Services apart of which each is killed in each step of sagas: nothing is lost, doubled or half done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from pymongo import AsyncMongoClient

from dbz.config.services import GATEWAY
from tests.server.backend import Backend, start_server
from tests.server.clients import eventually
from tests.server.test_sagas import MOMENTS, STEPS, Stage, a_game, judge, post_result, signed_in
from tests.server.victim import POINTS, VICTIM

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("DBZ_SAGA_ROUNDS", "2"))
SEED = int(os.environ.get("DBZ_TORTURE_SEED", "20"))
SERVICES = ("auth", "content", "game", "notification", GATEWAY)


@pytest.fixture
def victim(folder: Path, stores: tuple[str, str]) -> Iterator[tuple[Backend, Path]]:
    points = folder / "points-apart"
    points.mkdir()
    settings = folder / "sagas-apart.yaml"
    settings.write_text("mesh:\n  client_rate: {limit: 100000, window_s: 10}\n")
    options = ("--access-ttl", "3600", "--services", "apart", "--config", str(settings))
    child, where = start_server(folder, *stores, options, {POINTS: str(points)}, VICTIM)
    with child:
        yield where, points


@pytest.mark.timeout(180 + 60 * ROUNDS)
async def test_nothing_is_lost_whichever_service_is_killed_in_whichever_step(victim: tuple[Backend, Path]) -> None:
    """DBZ_SAGA_ROUNDS kills, each of a random service at a random point of a result or a sign-up. `make torture`: 100.

    The ledger is what clients were told. What they were not told they ask for again, and no more than that.
    """
    where, points = victim
    cells = [
        (saga, step, moment, service)
        for saga in ("game_result", "sign_up")
        for step in STEPS[saga]
        for moment in MOMENTS
        for service in SERVICES
    ]
    dice = random.Random(SEED)
    users = [f"user0{number}" for number in (188, 189)]
    made: dict[str, bool] = {}
    async with AsyncMongoClient(where.mongo_uri, tz_aware=True) as client, AsyncExitStack() as stack:
        stage = Stage(where, points, client["dbz"])
        players = [await signed_in(stack, where, user) for user in users]
        for number in range(ROUNDS):
            saga, step, moment, service = dice.choice(cells)
            print(f"round {number}: {service} is killed {moment} {step} of {saga}", flush=True)
            await stage.up()
            armed = points / f"{saga}.{step}:{moment}"
            if saga == "game_result":
                game_id = await a_game_among_ruins(players)
                armed.write_text(service)
                await post_result(stage, players[0], game_id, {"home": 21, "away": number % 20})
            else:
                armed.write_text(service)
                username = f"apart-{number}"
                made[username] = await signed_up(players[0], username) in (201, 202)
            await eventually(lambda armed=armed: not armed.exists(), within_s=90)
        await stage.up()
        await stage.quiet("game_result")
        await judge(stage, users)
        for game_id, entry in stage.results.items():
            again = await players[0].post(f"/api/games/{game_id}/result", json={"score": entry["score"]})
            assert again.status_code in ((409,) if entry["acknowledged"] else (200, 409)), again.text
        for username, acknowledged in made.items():
            assert await signed_up(players[0], username) in ((409,) if acknowledged else (201, 409))
        await stage.quiet("sign_up")
        await stage.quiet("game_result")
        await judge(stage, users, all_done=True)
        rows = await stage.database["users"].find({"username": {"$in": list(made)}}).to_list()
        assert sorted(row["username"] for row in rows) == sorted(made)
        assert all(row["club_id"] == "club01" and not row.get("pending") for row in rows)

        async def welcomed() -> bool:
            of_them = {"type": "member.joined", "user_id": {"$in": [row["_id"] for row in rows]}}
            return bool(await stage.database["notifications"].count_documents(of_them) == len(rows))

        await eventually(welcomed, within_s=90)


async def a_game_among_ruins(players: list[httpx.AsyncClient]) -> str:
    """Begun anew when a service that was just killed is missed."""
    for _ in range(60):
        with contextlib.suppress(AssertionError, KeyError, httpx.TransportError):
            return await a_game(players)
        await asyncio.sleep(0.5)
    raise AssertionError("the services do not come back")


async def signed_up(http: httpx.AsyncClient, username: str) -> int:
    """The status of a sign-up; 0 when nobody answered. A club takes so many a minute: it waits for its turn."""
    body = {"password": "long enough", "name": "New", "club_id": "club01", "username": username}
    try:
        while (answer := await http.post("/api/auth/sign-up", json=body)).status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
        return answer.status_code
    except httpx.TransportError:
        return 0
