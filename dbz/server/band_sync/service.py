"""When clubs are synchronised, by which process, and what people see of it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.band_api import BandApi
from dbz.server.band_sync.cached import BandCache
from dbz.server.band_sync.lists import MEMBERS, PHOTOS, BandList
from dbz.server.band_sync.logbook import Logbook, Run
from dbz.server.band_sync.runner import SyncRunner
from dbz.server.band_sync.steps import SyncSteps
from dbz.server.core import Core
from dbz.server.http import Body, Call, Reply, Route
from dbz.server.http.errors import conflict, forbidden
from dbz.server.http.pages import Page, page_block
from dbz.server.http.schemas import BOOLEAN, INTEGER, MOMENT, STRING, TEXT_OR_NULL, listed, record
from dbz.server.sagas import SagaRunner
from dbz.server.sagas.catalogue import BAND_SYNC
from dbz.server.seams import BandAccess, BandClub, EventHandler, Indexes
from dbz.server.values.clock import iso

_log = logging.getLogger(__name__)
_SHOWN_RUNS = 10
_RUN = record(number=INTEGER, status=STRING, full=BOOLEAN, started_at=MOMENT, finished_at=MOMENT)
_STATE = record(
    band=TEXT_OR_NULL, members=INTEGER, photos=INTEGER, synced_at=MOMENT, runs={"type": "array", "items": _RUN}
)
_ITEM = record(key=STRING, name=TEXT_OR_NULL, url=TEXT_OR_NULL)

CACHE_INDEXES = Indexes("band_cache", (IndexModel([("club_id", ASCENDING), ("kind", ASCENDING), ("key", ASCENDING)]),))
INDEXES = (
    CACHE_INDEXES,
    Indexes("sync_logs", (IndexModel([("club_id", ASCENDING), ("number", DESCENDING)], unique=True),)),
)


class SyncWanted(Body):
    """Body that asks for a synchronisation: of what changed, or `full` of everything."""

    full: bool = False


class BandSyncService:
    """Synchronises linked clubs one after another; of all processes one at a time has a club."""

    name = "band_sync"
    indexes = INDEXES

    def __init__(self, core: Core, access: BandAccess, api: BandApi, sagas: SagaRunner) -> None:
        self._access = access
        self._settings = core.settings.band
        self._logbook, self._cached = Logbook(core), BandCache(core)
        self._steps = SyncSteps(core, access, api, self._logbook, self._cached)
        sagas.define(BAND_SYNC, self._steps.actions)
        self._runner = SyncRunner(sagas)
        self._tasks: list[asyncio.Task[None]] = []
        self.events: Mapping[str, EventHandler] = {}
        self.routes = (
            Route("GET", "/api/band/sync", self.show, "How the club's data came from Band", cacheable=False,
                  answers={200: _STATE}, refusals=(403,)),
            Route("POST", "/api/band/sync", self.ask, "Synchronise with Band soon", body=SyncWanted,
                  answers={202: _STATE}, refusals=(409,)),
            Route("GET", "/api/band/members", self.members, "Members at Band", query=Page,
                  answers={200: listed(_ITEM)}),
            Route("GET", "/api/band/photos", self.photos, "Photos at Band", query=Page,
                  answers={200: listed(_ITEM)}),
        )  # fmt: skip

    async def start(self) -> None:
        """Begin to look for clubs whose turn it is."""
        self._tasks = [asyncio.create_task(self._work())]

    async def stop(self) -> None:
        """Stop in the middle, if need be: whoever comes next goes on from there."""
        await end(self._tasks)

    async def _work(self) -> None:
        while True:
            try:
                async for club in self._access.clubs():
                    await self._serve(club)
            except (PyMongoError, RedisError, OSError, TimeoutError) as error:
                _log.warning("Band is not synchronised for now: %s", error)
            except Exception:
                _log.exception("synchronising with Band failed; it goes on")
            await asyncio.sleep(self._settings.poll_s * random.uniform(0.5, 1.0))

    async def _serve(self, club: BandClub) -> None:
        if not self._steps.is_due(club, await self._logbook.newest(club.club_id)):
            return
        outcome = await self._runner.run(club.club_id)
        if outcome != "elsewhere":
            _log.info("synchronised with Band: %s", outcome, extra={"club": club.club_id})

    async def show(self, call: Call) -> Reply:
        """GET /api/band/sync."""
        return Reply(await self._shown(call))

    async def ask(self, call: Call) -> Reply:
        """POST /api/band/sync {full}: the next run begins soon; 409 while one is under way, or without a band."""
        wanted: SyncWanted = await call.body()
        _need_admin(call)
        if await self._access.club(call.reader.club_id) is None:
            raise conflict("no_band", "the club is not linked with Band")
        newest = await self._logbook.newest(call.reader.club_id)
        if newest is not None and not await self._logbook.want(newest, wanted.full):
            raise conflict("under_way", "a synchronisation is under way")
        return Reply(await self._shown(call), 202)

    async def members(self, call: Call) -> Reply:
        """GET /api/band/members."""
        return await self._listed(call, MEMBERS)

    async def photos(self, call: Call) -> Reply:
        """GET /api/band/photos."""
        return await self._listed(call, PHOTOS)

    async def _listed(self, call: Call, of: BandList) -> Reply:
        page: Page = call.query
        rows = await self._cached.page(call.reader.club_id, of, page.skip, page.limit)
        return Reply({"items": rows, "pagination": page_block(page, await self._cached.count(call.reader.club_id, of))})

    async def _shown(self, call: Call) -> dict[str, Any]:
        _need_admin(call)
        club_id = call.reader.club_id
        club = await self._access.club(club_id)
        done = await self._logbook.newest(club_id, status="done")
        return {
            "band": club.band_key if club else None,
            "members": await self._cached.count(club_id, MEMBERS),
            "photos": await self._cached.count(club_id, PHOTOS),
            "synced_at": iso(done["finished_at"]) if done else None,
            "runs": [_told(run) for run in await self._logbook.recent(club_id, _SHOWN_RUNS)],
        }


def _told(run: Run) -> dict[str, Any]:
    kept = ("number", "status", "full", "counts", "swept", "waits", "waited_s")
    moments = ("started_at", "touched_at", "finished_at", "wait_until")
    errors = [{"at": iso(error["at"]), "what": error["what"]} for error in run["errors"]]
    taken_up = {"taken_up": run["fence"]}
    return {key: run[key] for key in kept} | {key: iso(run.get(key)) for key in moments} | taken_up | {"errors": errors}


def _need_admin(call: Call) -> None:
    if not call.reader.is_admin:
        raise forbidden("only an admin may see or ask for synchronisations")
