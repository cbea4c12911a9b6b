"""Services apart of which each is killed in each step of sagas: nothing is lost, doubled or half done."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import redis
from pymongo import AsyncMongoClient, MongoClient

from dbz.config.load.services import APART, instances_of
from dbz.server.sagas.catalogue import CATALOGUE
from tests.band.standin import start_band
from tests.server.backend import start_server
from tests.server.band import stage as band
from tests.server.band.test_sync import BAND, CLUB, SETTINGS, Syncing
from tests.server.clients import User, eventually
from tests.server.test_apart import processes_of
from tests.server.test_sagas import MOMENTS, Stage, a_game, judge, post_result, signed_in
from tests.server.victim import POINTS, SYNC, VICTIM, WITHIN_SYNC

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("DBZ_SAGA_ROUNDS", "3"))
SEED = int(os.environ.get("DBZ_TORTURE_SEED", "20"))
SERVICES = tuple(instances_of(APART, band=True))
STEPS = {name: saga.actions for name, saga in CATALOGUE.items()}
STEPS[SYNC] += tuple(WITHIN_SYNC)
"""Those that take back are among them."""
REFUSED_AT = {"game_result": "statistics", "sign_up": "club", SYNC: "club"}
"""Where a saga is refused that shall take back what was done before."""
TAKE_BACK = {step.undo for saga in CATALOGUE.values() for step in saga.steps if step.undo}
USERS = [f"user0{number}" for number in (188, 189)]


@dataclass
class Torture:
    """Services that are killed, and what clients, and Band, know: the ledger."""

    stage: Stage
    players: list[httpx.AsyncClient]
    admin: httpx.AsyncClient
    syncing: Syncing
    made: dict[str, bool] = field(default_factory=dict)
    """{user name: acknowledged} of every sign-up."""
    codes: dict[str, str] = field(default_factory=dict)
    """{user name: what Band gave for the link}."""
    withdrawn: list[str] = field(default_factory=list)
    """Games whose result could not be counted."""
    failed: list[int] = field(default_factory=list)
    """Numbers of synchronisations that were refused."""

    async def arm(self, saga: str, step: str, moment: str, service: str) -> Path:
        """Kill the service there, once; a step that takes back is made necessary, for nobody else's saga."""
        if step in TAKE_BACK:
            await self.stage.quiet(saga)
            self.refusal(saga).touch()
        armed = self.stage.points / f"{saga}.{step}:{moment}"
        draft = self.stage.points / "draft"
        draft.write_text(service)
        draft.rename(armed)
        return armed

    def refusal(self, saga: str) -> Path:
        """The file that has this saga taken back."""
        return self.stage.points / f"{saga}.{REFUSED_AT[saga]}:refused"

    async def struck(self, saga: str, armed: Path, ended: Callable[[], Awaitable[None]] | None = None) -> None:
        """Wait for the kill, and for the saga that met it to end."""
        await eventually(lambda: not armed.exists(), within_s=90)
        if saga in REFUSED_AT and self.refusal(saga).exists():
            await (ended() if ended else self.stage.quiet(saga))
            self.refusal(saga).unlink()
            await self.stage.up()

    async def game_result(self, number: int, arm: Callable[[], Awaitable[Path]]) -> None:
        """A result is posted; one that is taken back is no result, and can be posted anew."""
        game_id = await a_game_among_ruins(self.players)
        armed = await arm()
        back = self.refusal("game_result").exists()
        score = {"home": 21, "away": number % 20}
        await post_result(self.stage, self.players[0], game_id, score)
        await self.struck("game_result", armed)
        if back:
            self.withdrawn.append(game_id)
            del self.stage.results[game_id]

    async def sign_up(self, number: int, arm: Callable[[], Awaitable[Path]]) -> None:
        """Somebody signs up; whose sign-up is taken back finds the name free again."""
        username = f"apart-{number}"
        self.codes[username] = code = await self._band_code(number)
        armed = await arm()
        back = self.refusal("sign_up").exists()
        status = await signed_up(self.players[0], username, code)
        await self.struck("sign_up", armed)
        if back:
            assert status != 201, "a member whose sign-up was refused"
            assert not await self.stage.database["users"].find_one({"username": username}), "half taken back"
            status = await signed_up(self.players[0], username)
        self.made[username] = status in (201, 202)

    async def _band_code(self, number: int) -> str:
        """Of somebody who is at Band now; begun anew when a service that was just killed is missed."""
        there = sorted(self.syncing.stage.band.ledger(BAND)["members"])
        for _ in range(60):
            with contextlib.suppress(AssertionError, KeyError, httpx.TransportError):
                return await band.band_code(self.players[0], there[number % len(there)])
            await asyncio.sleep(0.5)
        raise AssertionError("the services do not come back")

    async def band_sync(self, _: int, arm: Callable[[], Awaitable[Path]]) -> None:
        """The club's admin asks for a synchronisation with a band that changed; it comes, and all is as at Band."""
        change = {"band_key": BAND, "join": 7, "leave": 5, "rename": 9, "add_photos": 6, "remove_photos": 3}
        self.syncing.stage.band.control(changes=[change])
        before = self.syncing.newest()
        ghost = {"_id": f"{CLUB}:member:ghost", "club_id": CLUB, "kind": "member", "key": "ghost", "name": "G"}
        self.syncing.stage.store["band_cache"].insert_one({**ghost, "updated_at": 1, "pass": 0})
        await self.ended(before - 1)  # a run that is under way still would be struck in this one's place
        armed = await arm()
        back = self.refusal(SYNC).exists()
        await self.asked_for(before)
        await self.struck(SYNC, armed, lambda: self.ended(before))
        if back:
            before += 1
            self.failed.append(before)
            await self.asked_for(before)
        await self.syncing.is_right(60)
        await self.syncing.done(before)

    async def asked_for(self, before: int) -> None:
        """Have the run after number `before` begin."""

        async def taken() -> bool:
            with contextlib.suppress(httpx.TransportError):
                asked = await self.admin.post("/api/band/sync", json={"full": True})
                assert asked.status_code in (202, 409, 502, 503, 504), asked.text
                return asked.status_code == 202 or self.syncing.newest() > before
            return False

        await eventually(taken, within_s=60)

    async def ended(self, before: int) -> None:
        """Wait until the log says how the synchronisation after number `before` ended."""

        async def said() -> bool:
            return bool(self.syncing.newest() > before and self.syncing.logs()[-1]["status"] != "running")

        await eventually(said, within_s=60)


@pytest.fixture
def victim(folder: Path, stores: tuple[str, str]) -> Iterator[tuple[Syncing, Path]]:
    points = folder / "points-apart"
    points.mkdir()
    settings = folder / "sagas-apart.yaml"
    light = "mesh:\n  client_rate: {limit: 100000, window_s: 10}\nauth: {password_rounds: 1000}\n"
    settings.write_text(SETTINGS.replace("sync_period_s: 0.3", "sync_period_s: 36000") + light)
    options = ("--access-ttl", "3600", "--services", APART, "--config", str(settings))
    mongo_uri, redis_url = stores
    with (
        start_band(folder, "--bands", "1", "--members", "60", "--photos", "20") as there,
        MongoClient(mongo_uri) as mongo,
        redis.Redis.from_url(redis_url) as cache,
    ):
        stage = band.Stage(there, mongo_uri, redis_url, folder, mongo, cache)
        environment = {**stage.environment(), POINTS: str(points)}
        child, where = start_server(folder, *stores, options, environment, VICTIM)
        with child:
            yield Syncing(stage, child, where), points
        stage.store["clubs"].update_many({}, {"$unset": {"band": ""}})


def plan(rounds: int, dice: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """(saga, step, moment, service) of each round: the sagas in turn, of each all its points before one comes again."""
    points = {saga: [(step, moment) for step in STEPS[saga] for moment in MOMENTS] for saga in STEPS}
    services: list[str] = []
    for number in range(rounds):
        saga = list(STEPS)[number % len(STEPS)]
        if number < len(STEPS) or not points[saga]:
            points[saga] = [(step, moment) for step in STEPS[saga] for moment in MOMENTS]
            dice.shuffle(points[saga])
        services = services or dice.sample(SERVICES, len(SERVICES))
        yield (saga, *points[saga].pop(), services.pop())


@pytest.mark.timeout(180 + 60 * ROUNDS)
async def test_nothing_is_lost_whichever_service_is_killed_in_whichever_step(victim: tuple[Syncing, Path]) -> None:
    """DBZ_SAGA_ROUNDS kills, each of a service at a point of a result, a sign-up or a synchronisation.

    `make torture` has 100 of them, which reach every point. The ledger is what clients were told, and what Band
    has. What clients were not told they ask for again, and no more than that.
    """
    syncing, points = victim
    where = syncing.backend
    async with AsyncMongoClient(where.mongo_uri, tz_aware=True) as client, AsyncExitStack() as stack:
        stage = Stage(where, points, client["dbz"])
        players = [await signed_in(stack, where, user) for user in USERS]
        admin = await signed_in(stack, where, band.ADMIN)
        linked = await band.link(User(admin, band.ADMIN, {}, stack))
        assert linked.status_code == 200, linked.text
        await syncing.is_right()
        torture = Torture(stage, players, admin, syncing)
        for number, (saga, step, moment, service) in enumerate(plan(ROUNDS, random.Random(SEED))):
            print(f"round {number}: {service} is killed {moment} {step} of {saga}", flush=True)
            await stage.up()
            await getattr(torture, saga)(number, lambda cell=(saga, step, moment, service): torture.arm(*cell))
        await stage.up()
        for saga in CATALOGUE:
            await stage.quiet(saga)
        taken_back = await stage.database["sagas"].find({"data.game_id": {"$in": [*stage.results]}}).to_list()
        assert not taken_back, [(saga["data"]["game_id"], saga["reason"]) for saga in taken_back]
        await judge(stage, USERS)
        await _ask_again_for_what_was_not_told(torture)
        for saga in CATALOGUE:
            await stage.quiet(saga)
        await judge(stage, USERS, all_done=True)
        await _judge_withdrawn(torture)
        await _judge_members(torture)
        _judge_runs(syncing, torture.failed)
        for service in SERVICES:
            assert processes_of(where, service), f"{service} does not run any more"


async def _ask_again_for_what_was_not_told(torture: Torture) -> None:
    """Results that were taken back are posted anew too."""
    for game_id, entry in torture.stage.results.items():
        again = await torture.players[0].post(f"/api/games/{game_id}/result", json={"score": entry["score"]})
        assert again.status_code in ((409,) if entry["acknowledged"] else (200, 409)), again.text
    for username, acknowledged in torture.made.items():
        assert await signed_up(torture.players[0], username) in ((409,) if acknowledged else (201, 409))


async def _judge_withdrawn(torture: Torture) -> None:
    """Of a result that was taken back there is nothing that counts, and its game goes on, from that score."""
    found = await torture.stage.database["game_results"].find({"game_id": {"$in": torture.withdrawn}}).to_list()
    kinds = Counter((event["game_id"], event["type"]) for event in found)
    for game_id in torture.withdrawn:
        assert kinds[game_id, "result_recorded"] == kinds[game_id, "result_withdrawn"] <= 1
        game = await torture.stage.database["games"].find_one({"_id": game_id})
        assert game["status"] == "ongoing" and not {"result_id", "result_by", "finished_at"} & game.keys(), game


async def _judge_members(torture: Torture) -> None:
    """Every name is a member's, once, of the right club, and was welcomed."""
    rows = await torture.stage.database["users"].find({"username": {"$in": list(torture.made)}}).to_list()
    assert sorted(row["username"] for row in rows) == sorted(torture.made)
    assert all(row["club_id"] == "club01" and not row.get("pending") for row in rows)

    async def welcomed() -> bool:
        of_them = {"type": "member.joined", "user_id": {"$in": [row["_id"] for row in rows]}}
        return bool(await torture.stage.database["notifications"].count_documents(of_them) == len(rows))

    await eventually(welcomed, within_s=90)
    links = await torture.stage.database["tokens"].find().to_list()
    known = {row["_id"] for row in await torture.stage.database["users"].find({}, {"_id": 1}).to_list()}
    assert {link["_id"] for link in links} <= known, "a link of somebody whose sign-up was taken back"
    assert all(link["access"] and link["refresh"] and not link["ended"] for link in links)


def _judge_runs(syncing: Syncing, failed: list[int]) -> None:
    """Runs follow each other without a gap, each was done that was not refused, and the cache is as Band is."""
    logs = syncing.logs()
    assert all(later["number"] == run["number"] + 1 for run, later in itertools.pairwise(logs))
    assert {run["status"] for run in logs} <= {"done", "failed"}, logs
    ended = [(run["number"], run["errors"][-1:]) for run in logs if run["status"] == "failed"]
    assert [number for number, _ in ended] == failed, ended
    assert all(run["errors"][-1]["what"] == "this is not wanted" for run in logs if run["number"] in failed), logs
    assert not syncing.stage.redis.exists(f"band:sync:{CLUB}"), "a lease that nobody gave back"
    assert syncing.differs() == {}


async def a_game_among_ruins(players: list[httpx.AsyncClient]) -> str:
    """Begun anew when a service that was just killed is missed."""
    for _ in range(60):
        with contextlib.suppress(AssertionError, KeyError, httpx.TransportError):
            return await a_game(players)
        await asyncio.sleep(0.5)
    raise AssertionError("the services do not come back")


async def signed_up(http: httpx.AsyncClient, username: str, code: str = "") -> int:
    """The status of a sign-up; 0 when nobody answered. A club takes so many a minute: it waits for its turn."""
    body = {"password": "long enough", "name": "New", "club_id": "club01", "username": username, "band_code": code}
    try:
        while (answer := await http.post("/api/auth/sign-up", json=body)).status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
        return answer.status_code
    except httpx.TransportError:
        return 0
