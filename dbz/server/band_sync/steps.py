"""What the steps of the saga *Band synchronisation* do."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import timedelta

from dbz.background import end
from dbz.server.band_api import BandApi, BandError
from dbz.server.band_sync.cached import BandCache
from dbz.server.band_sync.lists import LISTS, MEMBERS, PHOTOS, BandList
from dbz.server.band_sync.logbook import Logbook, Run, RunTakenError
from dbz.server.band_sync.reader import BandReader, PutOffError
from dbz.server.core import Core
from dbz.server.http import ApiError
from dbz.server.pacing.lease import RedisLease
from dbz.server.sagas import StepRefusedError
from dbz.server.sagas.definition import Action, SagaData
from dbz.server.seams import BandAccess, BandClub
from dbz.server.values.clock import utc_now


class NotOurTurnError(StepRefusedError):
    """Another process has this club, or it is not its turn: there is nothing to do here, and nothing failed."""


class SyncSteps:
    """Data: {saga_id, club_id, wanted}; `wanted` is `changes` or `full`, and may be absent: then only a club whose turn
    it is, is synchronised.

    The holder of the club's lease is the saga, whichever process carries a step out. What was taken over stays when a
    saga is taken back: each item is as Band had it, and the next run asks for changes since the last one that was done.
    """

    def __init__(self, core: Core, access: BandAccess, api: BandApi, logbook: Logbook, cached: BandCache) -> None:
        self._core, self._access = core, access
        self._settings, self._figures = core.settings.band, core.figures
        self._logbook, self._cached = logbook, cached
        self._reader = BandReader(core, api, access, logbook, cached)

    @property
    def actions(self) -> Mapping[str, Action]:
        """By their names in the catalogue."""
        under_lease: dict[str, Action] = {
            "lease": self.lease,
            "begin": self.begin,
            "members": self._of_list(MEMBERS),
            "photos": self._of_list(PHOTOS),
            "sweep": self.sweep,
            "club": self.club,
            "finish": self.finish,
        }
        alone = {name: self._alone(action) for name, action in under_lease.items()}
        return {**alone, "fail": self.fail, "drop_lease": self.release, "release": self.release}

    def is_due(self, club: BandClub, newest: Run | None) -> bool:
        """Whether it is the club's turn."""
        now = utc_now()
        if newest is None or newest["band_key"] != club.band_key or newest.get("wanted"):
            return True
        if newest["status"] == "running":
            return bool(newest.get("wait_until", now) <= now)
        return bool(newest["started_at"] + timedelta(seconds=self._settings.sync_period_s) <= now)

    async def lease(self, _: SagaData) -> None:
        """Only that: every step takes the lease, or goes on holding it."""

    async def release(self, data: SagaData) -> None:
        """Let others have the club."""
        await self._lease(data).release()

    async def begin(self, data: SagaData) -> SagaData:
        """Take up the run that is under way, or begin one: {run_id, fence, number, full, user_id, band_key}."""
        club_id = data["club_id"]
        try:
            club = await self._access.club(club_id)
        except ApiError as error:
            raise ConnectionError(error.message) from error
        if club is None:
            raise StepRefusedError("the club is not linked with Band")
        newest = await self._logbook.newest(club_id)
        if not data.get("wanted") and not self.is_due(club, newest):
            raise NotOurTurnError("somebody else has done it meanwhile")
        if newest is not None and newest["status"] == "running" and newest["band_key"] != club.band_key:
            newest = await self._logbook.take_up(newest)
            await self._logbook.finish(newest, "failed", 0, "the club has another band now")
        if newest is None or newest["status"] != "running" or newest["band_key"] != club.band_key:
            newest = await self._logbook.follow(newest) if newest else None
            since = await self._since(club, newest, data.get("wanted"))
            newest = await self._logbook.begin(club, newest, since)
        run = await self._logbook.take_up(newest)
        known = {"run_id": run["_id"], **{name: run[name] for name in ("fence", "number", "full")}}
        return {**known, "user_id": club.user_id, "band_key": club.band_key}

    async def fail(self, data: SagaData) -> None:
        """Have the log say that the run failed, and why; one that is another's by now is none of ours."""
        if "run_id" not in data.get("begin", {}):
            return
        try:
            _, run = await self._held(data)
            known = run["errors"][-1]["what"] if run["errors"] else ""
            why = _cause(data) or known or "a step failed for good"
            await self._logbook.finish(run, "failed", 0, "" if known and why.startswith(known) else why)
        except RunTakenError:
            return
        self._figures.band_runs.add(("failed",))

    def _of_list(self, listed: BandList) -> Action:
        async def read(data: SagaData) -> SagaData:
            club, run = await self._held(data)
            try:
                return {"more": await self._reader.read(club, run, listed), "wait_s": 0}
            except (BandError, PutOffError) as error:
                return await self._not_now(run, error)

        return read

    async def sweep(self, data: SagaData) -> SagaData:
        """After a full pass, what no longer came goes."""
        _, run = await self._held(data)
        swept = await self._cached.sweep(run["club_id"], run["number"]) if run["full"] else 0
        self._figures.band_items.add(("any", "swept"), swept)
        return {"swept": swept}

    async def club(self, data: SagaData) -> SagaData:
        """Bring the club's own document up to date."""
        club, run = await self._held(data)
        try:
            await self._cached.tell_club(club.club_id, await self._reader.band(club, run))
            return {"more": False, "wait_s": 0}
        except (BandError, PutOffError) as error:
            return await self._not_now(run, error)

    async def finish(self, data: SagaData) -> None:
        """Have the log say that the run is done."""
        begun = data["begin"]
        run = {"_id": begun["run_id"], "club_id": data["club_id"], **{key: begun[key] for key in ("fence", "number")}}
        try:
            await self._logbook.finish(run, "done", data["sweep"]["swept"])
        except RunTakenError:
            if not await self._logbook.newest(run["club_id"], _id=run["_id"], fence=run["fence"], status="done"):
                raise
            return
        self._figures.band_runs.add(("done",))

    async def _not_now(self, run: Run, error: BandError | PutOffError) -> SagaData:
        """Leave the rest for later; what Band refuses for good, like a link that ended, is not tried again."""
        if isinstance(error, BandError):
            await self._logbook.trouble(run, str(error))
            raise StepRefusedError(str(error)) from error
        await self._logbook.put_off(run, str(error), error.retry_s)
        self._figures.band_runs.add(("put off",))
        return {"more": True, "wait_s": math.ceil(error.retry_s)}

    async def _held(self, data: SagaData) -> tuple[BandClub, Run]:
        begun = data["begin"]
        run = await self._logbook.held(data["club_id"], begun["run_id"], begun["fence"])
        return BandClub(data["club_id"], user_id=begun["user_id"], band_key=begun["band_key"]), run

    async def _since(self, club: BandClub, newest: Run | None, wanted: str | None) -> dict[str, int] | None:
        """From when on changes are asked, for each list; None when it is time for all there is."""
        last = await self._logbook.newest(club.club_id, status="done")
        whole = await self._logbook.newest(club.club_id, status="done", full=True)
        if last is None or whole is None or last["band_key"] != club.band_key:
            return None
        if "full" in (wanted, (newest or {}).get("wanted")):
            return None
        if whole["started_at"] + timedelta(seconds=self._settings.full_period_s) <= utc_now():
            return None
        return {each.name: max(last["places"][each.name]["until"], last["since"].get(each.name, 0)) for each in LISTS}

    def _alone(self, action: Action) -> Action:
        """The action while the saga has the lease of its club; it ends when that is lost."""

        async def alone(data: SagaData) -> SagaData | None:
            lease = self._lease(data)
            if not (await lease.take() or await lease.renew()):
                raise NotOurTurnError("another process synchronises this club")
            work, keeping = asyncio.ensure_future(action(data)), asyncio.create_task(lease.keep())
            try:
                await asyncio.wait({work, keeping}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    raise RunTakenError("the lease was lost; the run goes on elsewhere")
                answer = await work
            finally:
                await end({work, keeping})
            if answer and answer.get("wait_s"):
                await self._lease(data, answer["wait_s"]).renew()
            return answer

        return alone

    def _lease(self, data: SagaData, longer_s: float = 0.0) -> RedisLease:
        name, ttl_s = f"band:sync:{data['club_id']}", self._settings.lease_s + longer_s
        return RedisLease(self._core.redis, name, ttl_s, holder=data["saga_id"])


def _cause(data: SagaData) -> str:
    """Why the saga is taken back; empty where it is not known, as Step Functions may leave it out."""
    causes = [answer.get("Cause") for answer in data.values() if isinstance(answer, dict)]
    return next((cause for cause in causes if cause), "")
