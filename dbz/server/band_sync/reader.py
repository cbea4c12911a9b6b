"""Reading a club's band, page by page, from wherever a run was left."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from dbz.server.band_api import (
    BandApi,
    BandLinkError,
    BandPage,
    BandRefusedError,
    BandThrottledError,
    BandUnauthorizedError,
    BandUnavailableError,
)
from dbz.server.band_api.asking import ask_as
from dbz.server.band_sync.cached import BandCache
from dbz.server.band_sync.lists import BandList
from dbz.server.band_sync.logbook import Logbook, Run
from dbz.server.core import Core
from dbz.server.pacing.pace import CallPace
from dbz.server.seams import BandAccess, BandClub

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_BIT_S = 4.0  # of work between two looks at whose run it is; shorter than a service waits for another


class PutOffError(Exception):
    """The run cannot go on now; `retry_s` says when it may."""

    def __init__(self, what: str, retry_s: float) -> None:
        super().__init__(what)
        self.retry_s = retry_s


class BandReader:
    """Carries the long work of a run out, a bit at a time. Never more than one page is in memory."""

    def __init__(self, core: Core, api: BandApi, access: BandAccess, logbook: Logbook, cached: BandCache) -> None:
        self._settings = core.settings.band
        self._figures = core.figures
        self._api, self._access, self._logbook, self._cached = api, access, logbook, cached
        self._pace = CallPace(core.redis, "band", self._settings.pace_s)

    async def read(self, club: BandClub, run: Run, listed: BandList) -> bool:
        """Take over pages of a list for some seconds, from where the run is; whether there are more.

        `RunTakenError` when another process has the run now, `PutOffError` when it cannot go on for a while; other
        errors of Band, and those of the stores, pass through. All leave the run where it is.
        """
        place = dict(run["places"][listed.name])
        until = time.monotonic() + _BIT_S
        while not place["done"] and time.monotonic() < until:
            place = await self._turn(club, run, listed, place)
        return not place["done"]

    async def band(self, club: BandClub, run: Run) -> dict[str, Any]:
        """What Band says of the band itself; errors as with `read`."""
        bands = await self._ask(club, run, self._api.bands)
        return next((row for row in bands if row["band_key"] == club.band_key), {})

    async def _turn(self, club: BandClub, run: Run, listed: BandList, place: dict[str, Any]) -> dict[str, Any]:
        """Take one page over; where the list goes on."""
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
        return place

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
