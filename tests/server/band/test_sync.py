"""Members and photos of a club come from Band: all of them, once, whatever fails or is killed on the way."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dbz.children import Child
from tests.server.backend import Backend
from tests.server.band.stage import ADMIN, Stage, link
from tests.server.clients import User, eventually, login

pytestmark = pytest.mark.anyio
SETTINGS = """
band:
  {sync_period_s: 0.3, poll_s: 0.1, pace_s: 0.005, page_limit: 10, lease_s: 1.5, retry_s: 0.3, max_wait_s: 2.0}
"""
CLUB, BAND = "club00", "band00"


class Syncing:
    """A server that synchronises, and can be killed."""

    def __init__(self, stage: Stage, child: Child, backend: Backend) -> None:
        self.stage, self._child, self.backend = stage, child, backend

    def differs(self) -> dict[str, Any]:
        """How the club's cache differs from what Band has: nothing, when it is right."""
        truth, store = self.stage.band.ledger(BAND), self.stage.store["band_cache"]
        wrong: dict[str, Any] = {}
        for kind, told, own in (("member", truth["members"], "name"), ("photo", truth["photos"], "url")):
            rows = list(store.find({"club_id": CLUB, "kind": kind, "removed": {"$exists": False}}))
            there = {row["key"]: (row[own], row["updated_at"]) for row in rows}
            right = {key: (row[own], row["updated_at"]) for key, row in told.items()}
            if there != right or len(rows) != len(there):
                wrong[kind] = {"missing": right.keys() - there.keys(), "extra": there.keys() - right.keys()}
        return wrong

    async def is_right(self, within_s: float = 30.0) -> None:
        """Wait until the cache is what Band has."""

        async def same() -> bool:
            await asyncio.sleep(0.2)
            return not await asyncio.to_thread(self.differs)

        try:
            await eventually(same, within_s)
        except AssertionError:
            raise AssertionError(f"{self.differs()} {self.logs()[-3:]}") from None

    def logs(self) -> list[dict[str, Any]]:
        """The runs of the club, oldest first."""
        return list(self.stage.store["sync_logs"].find({"club_id": CLUB}).sort("number", 1))

    async def done(self, after: int) -> dict[str, Any]:
        """The first run above number `after` that is done."""

        def found() -> Any:
            query = {"club_id": CLUB, "status": "done", "number": {"$gt": after}}
            return self.stage.store["sync_logs"].find_one(query, sort=[("number", 1)])

        run: dict[str, Any] = await eventually(found, 30.0)
        return run

    def newest(self) -> int:
        """The number of the newest run."""
        return self.logs()[-1]["number"] if self.logs() else 0

    def workers(self) -> list[int]:
        """The processes that do the work."""
        return [process.pid for process in psutil.Process(self.backend.pid).children()]


@pytest.fixture(scope="module")
def syncing(stage: Stage) -> Iterator[Syncing]:
    """A server of two processes that looks all the time."""
    path = Path(stage.folder / "syncing.yaml")
    path.write_text(SETTINGS)
    stage.store["clubs"].update_many({}, {"$unset": {"band": ""}})  # whatever other tests have linked
    child, backend = stage.server(["--processes", "2", "--config", str(path)])
    with child:
        yield Syncing(stage, child, backend)


@pytest.fixture
async def admin(syncing: Syncing) -> AsyncIterator[User]:
    """The club's admin, linked; Band is calm before and after."""
    syncing.stage.band.calm()
    async with httpx.AsyncClient(base_url=syncing.backend.url, timeout=60) as http:
        tokens = await login(http, ADMIN)
        http.headers["authorization"] = f"Bearer {tokens['access_token']}"
        user = User(http, ADMIN, tokens, None)  # type: ignore[arg-type]
        assert (await link(user)).status_code == 200
        yield user
    syncing.stage.band.calm()


async def test_all_comes_over_then_what_changes(admin: User, syncing: Syncing) -> None:
    """A full pass first, then only changes; who leaves Band leaves here; what is told of it is right."""
    await syncing.is_right()
    first = syncing.logs()[0]
    assert first["full"] and first["counts"]["members"]["seen"] >= 150
    change = {"band_key": BAND, "join": 3, "leave": 12, "rename": 5, "add_photos": 4, "remove_photos": 6}
    syncing.stage.band.control(changes=[change])
    await syncing.is_right()
    run = await syncing.done(syncing.newest())
    assert not run["full"] and run["counts"]["members"]["seen"] < 30
    shown = (await admin.get("/api/band/sync")).json()
    truth = syncing.stage.band.ledger(BAND)
    assert (shown["band"], shown["members"], shown["photos"]) == (BAND, len(truth["members"]), len(truth["photos"]))
    assert shown["synced_at"] and shown["runs"][0]["number"] >= run["number"]
    page = (await admin.get("/api/band/members?limit=7&page=2")).json()
    assert [row["key"] for row in page["items"]] == sorted(truth["members"])[7:14]
    assert page["pagination"]["total_count"] == len(truth["members"])
    club = syncing.stage.store["band_cache"].find_one({"_id": CLUB})
    assert len(club["photos"]) == 20 and club["name"] == "Badminton band 1" and "access_token" not in club
    figures = (await admin.http.get("/metrics")).text
    assert (
        'dbz_band_runs_total{outcome="done"}' in figures
        and 'dbz_band_requests_total{call="members",outcome="ok"}' in figures
    )
    other = await login(admin.http, "user0001")
    refused = await admin.get("/api/band/sync", headers={"authorization": f"Bearer {other['access_token']}"})
    assert refused.status_code == 403


async def test_what_band_does_not_tell_goes_with_a_full_pass(admin: User, syncing: Syncing) -> None:
    """An item here that Band knows nothing of, as if its removal had been missed; asked for by an admin."""
    await syncing.is_right()
    ghost = {"_id": f"{CLUB}:member:ghost", "club_id": CLUB, "kind": "member", "key": "ghost", "name": "G"}
    syncing.stage.store["band_cache"].insert_one({**ghost, "updated_at": 1, "pass": 0})

    async def asked() -> bool:
        return (await admin.post("/api/band/sync", {"full": True})).status_code == 202

    await eventually(asked)
    await syncing.is_right()


async def test_faults_and_limits_delay_and_lose_nothing(admin: User, syncing: Syncing) -> None:
    """500, nonsense, 401 and 429 in the middle; the pauses that Band asks for are kept, and all of it is in the log."""
    band = syncing.stage.band
    kinds = ("fail", "malformed", "shapeless", "unauthorized", "throttle")
    faults = [{"path": "/v2/band/members", "kind": kind, "times": 1, "seconds": 1} for kind in kinds]
    for _ in range(5):
        before = syncing.newest()
        band.control(faults=faults, changes=[{"band_key": BAND, "join": 25, "leave": 5, "add_photos": 30}])
        await syncing.is_right()
        troubled = [run for run in syncing.logs() if run["number"] >= before and (run["errors"] or run["waits"])]
        if all(run["fence"] == 1 for run in troubled):
            break  # on a busy machine a lease may run out, and what its holder met then counts for nothing
    told = str([run["errors"] for run in troubled])
    assert sum(run["waits"] for run in troubled) == 1 and sum(run["waited_s"] for run in troubled) == 1
    assert "status 500" in told and "no page of members" in told
    throttled = band.ledger(BAND)["answered"].get("/v2/band/members 429", 0)
    band.control(rate=4, window_s=1, changes=[{"band_key": BAND, "join": 60}])
    await syncing.is_right()
    # Each refusal is followed by a pause of all processes: a loop that ignored it would meet hundreds.
    assert band.ledger(BAND)["answered"]["/v2/band/members 429"] - throttled < 30


async def test_a_killed_process_loses_and_doubles_nothing(admin: User, syncing: Syncing) -> None:
    """kill -9 at random points, of all processes, while Band changes: the run goes on where it was."""
    band, rng = syncing.stage.band, random.Random(11)
    for number in range(3):
        band.control(delay_s=0.04, changes=[{"band_key": BAND, "rename": 60, "join": 9, "leave": 9, "add_photos": 40}])
        if number % 2:
            newest = syncing.logs()[-1]
            syncing.stage.store["sync_logs"].update_one({"_id": newest["_id"]}, {"$set": {"wanted": "full"}})
        before = syncing.newest()
        await eventually(lambda before=before: syncing.newest() > before and syncing.logs()[-1]["status"] == "running")
        await asyncio.sleep(rng.uniform(0, 0.5))
        band.control(changes=[{"band_key": BAND, "rename": 3, "leave": 2, "remove_photos": 2}])
        for pid in syncing.workers():
            os.kill(pid, signal.SIGKILL)
        await syncing.is_right(60)
    await syncing.done(syncing.newest())
    logs = syncing.logs()
    assert [run["number"] for run in logs] == list(range(logs[0]["number"], logs[-1]["number"] + 1))
    assert any(run["fence"] > 1 for run in logs), "no run was ever taken up again: nothing was tested"
    assert syncing.differs() == {}


async def test_one_process_has_a_club_at_a_time(admin: User, syncing: Syncing) -> None:
    """A run that somebody else has taken up is let go: what comes late from the first one counts for nothing."""
    band, store = syncing.stage.band, syncing.stage.store["sync_logs"]
    await syncing.is_right()
    band.control(delay_s=0.1, changes=[{"band_key": BAND, "rename": 80}])
    run = await eventually(
        lambda: store.find_one({"club_id": CLUB, "status": "running", "counts.members.pages": {"$gt": 0}})
    )
    stolen = store.find_one_and_update({"_id": run["_id"], "status": "running"}, {"$inc": {"fence": 1}})
    assert stolen is not None
    await syncing.is_right()
    ended = await eventually(lambda: store.find_one({"_id": run["_id"], "status": "done"}))
    assert ended["fence"] >= stolen["fence"] + 2  # taken up again, by one that was told
    assert ended["counts"]["members"]["seen"] <= 100


async def test_a_link_that_ended_stops_and_says_so(admin: User, syncing: Syncing) -> None:
    """The run fails with what to do; after a new link all is well. Without a link nothing is called."""
    band = syncing.stage.band
    await syncing.is_right()
    query = {"club_id": CLUB, "status": "failed", "number": {"$gt": syncing.newest()}}
    syncing.stage.store["tokens"].update_one({"_id": ADMIN}, {"$set": {"ended": True}})
    failed = await eventually(lambda: syncing.stage.store["sync_logs"].find_one(query))
    assert "link Band again" in failed["errors"][-1]["what"]
    await link(admin)
    band.control(changes=[{"band_key": BAND, "join": 1}])
    await syncing.is_right()
    await admin.http.delete("/api/auth/band")
    assert (await admin.post("/api/band/sync", {})).json()["error"]["code"] == "no_band"
    await asyncio.sleep(0.7)
    calls = band.ledger(BAND)["answered"]
    await asyncio.sleep(0.7)
    assert band.ledger(BAND)["answered"] == calls
