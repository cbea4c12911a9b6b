"""One synchronisation of one club, page by page, from wherever it was left."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from dbz.server.band_api import (
    BandApi,
    BandError,
    BandLinkError,
    BandPage,
    BandRefusedError,
    BandThrottledError,
    BandUnauthorizedError,
    BandUnavailableError,
)
from dbz.server.band_api.asking import ask_as
from dbz.server.band_sync.cached import BandCache
from dbz.server.band_sync.lists import LISTS, BandList
from dbz.server.band_sync.logbook import Logbook, Run
from dbz.server.core import Core
from dbz.server.pace import CallPace
from dbz.server.seams import BandAccess, BandClub

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class PutOffError(Exception):
    """The run cannot go on now; `retry_s` says when it may."""

    def __init__(self, what: str, retry_s: float) -> None:
        super().__init__(what)
        self.retry_s = retry_s


class SyncRunner:
    """Carries runs out. Never more than one page is in memory."""

    def __init__(self, core: Core, api: BandApi, access: BandAccess, logbook: Logbook, cached: BandCache) -> None:
        self._settings = core.settings.band
        self._figures = core.figures
        self._api, self._access, self._logbook, self._cached = api, access, logbook, cached
        self._pace = CallPace(core.redis, "band", self._settings.pace_s)

    async def run(self, club: BandClub, run: Run) -> str:
        """Take the run up and bring it to its end; how it ended: `done`, `failed` or `put off`.

        `RunTakenError` when another process has it now; errors of the stores pass through, and leave it where it is.
        """
        run = await self._logbook.take_up(run)
        try:
            for listed in LISTS:
                await self._list(club, run, listed)
            swept = await self._cached.sweep(club.club_id, run["number"]) if run["full"] else 0
            await self._cached.tell_club(club.club_id, await self._band(club, run))
            await self._logbook.finish(run, "done", swept)
            self._figures.band_items.add(("any", "swept"), swept)
            return "done"
        except PutOffError as error:
            await self._logbook.put_off(run, str(error), error.retry_s)
            return "put off"
        except BandError as error:
            await self._logbook.finish(run, "failed", 0, str(error))
            return "failed"

    async def _list(self, club: BandClub, run: Run, listed: BandList) -> None:
        place = dict(run["places"][listed.name])
        while not place["done"]:
            page = await self._page(club, run, listed, place)
            rows = [listed.document(club.club_id, row) for row in page.items]
            documents = [row for row in rows if row is not None]
            await self._logbook.check(run)
            await self._cached.write(club.club_id, documents, run["number"])
            until = max([place["until"], *(row["updated_at"] for row in documents)])
            place = {"following": page.following, "done": page.following is None, "until": until}
            removed = sum("removed" in row for row in documents)
            refused = len(rows) - len(documents)
            counted = {"seen": len(documents), "removed": removed, "refused": refused}
            await self._logbook.turn_page(run, listed, place, counted)
            self._figures.band_items.add((listed.kind, "written"), len(documents) - removed)
            self._figures.band_items.add((listed.kind, "removed"), removed)

    async def _page(self, club: BandClub, run: Run, listed: BandList, place: dict[str, Any]) -> BandPage:
        query = place["following"] or self._first(club, run, listed)

        async def ask(access: str) -> BandPage:
            return await self._api.page(listed.name, listed.path, access, query)

        try:
            page: BandPage = await self._ask(club, run, ask)
        except (BandUnauthorizedError, BandLinkError):
            raise
        except BandRefusedError as error:
            if place["following"] is None:
                raise
            await self._logbook.trouble(run, f"{error}; {listed.name} are read from their beginning")
            place["following"] = None
            return await self._page(club, run, listed, place)
        if page.following is not None and page.following == place["following"]:
            raise PutOffError(f"Band leads from a page of {listed.name} to the same page", self._settings.retry_s)
        return page

    def _first(self, club: BandClub, run: Run, listed: BandList) -> dict[str, str]:
        """What begins a list. Changes are asked for in a full pass too, from the first on: only among them are removals
        that happen while it runs, and so only then may the next run go on from the newest change that this one met.
        """
        since_ms = run["since"].get(listed.name, 0)
        return {"band_key": club.band_key, "limit": str(self._settings.page_limit), "updated_since": str(since_ms)}

    async def _band(self, club: BandClub, run: Run) -> dict[str, Any]:
        bands = await self._ask(club, run, self._api.bands)
        return next((row for row in bands if row["band_key"] == club.band_key), {})

    async def _ask(self, club: BandClub, run: Run, ask: Any) -> Any:
        """What Band answers: at the pace of all processes, and again after failures and the pauses that it wants."""
        failures, patience_s = 0, self._settings.max_wait_s
        while True:
            waited_s = await self._pace.turn(patience_s)
            if waited_s < 0:
                raise PutOffError("it is not our turn to call Band for a while", self._settings.retry_s)
            patience_s -= waited_s
            try:
                return await ask_as(self._access, club.user_id, ask)
            except BandThrottledError as error:
                await self._pace.pause(error.retry_after_s)
                await self._logbook.waited(run, error.retry_after_s)
                if error.retry_after_s > patience_s:
                    raise PutOffError(str(error), error.retry_after_s) from None
            except BandUnavailableError as error:
                failures += 1
                if failures >= self._settings.attempts:
                    raise PutOffError(str(error), self._settings.retry_s) from None
                await self._logbook.trouble(run, str(error))
                pause_s = min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
