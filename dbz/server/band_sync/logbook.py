"""The log of synchronisations, which is their memory too: where a run is, and from where the next one goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from dbz.server.band_sync.lists import LISTS, BandList
from dbz.server.core import Core
from dbz.server.sagas import StepRefusedError
from dbz.server.seams import BandClub
from dbz.server.values.clock import utc_now
from dbz.server.values.ids import new_id

Run = dict[str, Any]

_MOST_ERRORS = 20
_MOST_CHARS = 300


class RunTakenError(StepRefusedError):
    """Somebody else has taken this run over: what this process still does for it must not count."""


class Logbook:
    """Owner of the collection `sync_logs`: a document for each run, which lies with its club.

    `places` says for each list how far the run is ({following, done, until}), and is written after the page that leads
    there. `fence` rises each time that somebody takes the run up; every write names the one that it was given, and
    finds nothing once it is not the newest any more. Unlike a number from Redis it cannot be forgotten.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def newest(self, club_id: str, **query: Any) -> Run | None:
        """The newest run of a club, of those that `query` means."""
        with self._core.queries.timed("sync_logs.newest"):
            found = self._collection(club_id).find({"club_id": club_id, **query})
            rows: list[Run] = await found.sort("number", DESCENDING).limit(1).to_list()
        return rows[0] if rows else None

    async def recent(self, club_id: str, count: int) -> list[Run]:
        """The newest runs of a club, newest first."""
        with self._core.queries.timed("sync_logs.recent"):
            found = self._collection(club_id).find({"club_id": club_id})
            return await found.sort("number", DESCENDING).limit(count).to_list()  # type: ignore[no-any-return]

    async def begin(self, club: BandClub, newest: Run | None, since: dict[str, int] | None) -> Run:
        """Write a new run down; `since` has for each list the moment from which changes are asked, None for all.

        `RunTakenError` when somebody else has begun one.
        """
        now = utc_now()
        run: Run = {
            "_id": new_id(),
            "club_id": club.club_id,
            "band_key": club.band_key,
            "number": newest["number"] + 1 if newest else 1,
            "status": "running",
            "full": since is None,
            "since": since or {},
            "fence": 0,
            "started_at": now,
            "touched_at": now,
            "places": {each.name: {"following": None, "done": False, "until": 0} for each in LISTS},
            "counts": {each.name: {"pages": 0, "seen": 0, "removed": 0, "refused": 0} for each in LISTS},
            "swept": 0,
            "waits": 0,
            "waited_s": 0.0,
            "errors": [],
        }
        try:
            with self._core.queries.timed("sync_logs.begin"):
                await self._collection(club.club_id).insert_one(run)
        except DuplicateKeyError:
            raise RunTakenError("another process has begun this run") from None
        return run

    async def follow(self, run: Run) -> Run:
        """A run that has ended, as it is now that another one follows: nobody can ask for anything in it any more."""
        with self._core.queries.timed("sync_logs.follow"):
            followed: Run | None = await self._collection(run["club_id"]).find_one_and_update(
                {"_id": run["_id"]}, {"$set": {"followed": True}}, return_document=ReturnDocument.AFTER
            )
        return followed or run

    async def take_up(self, run: Run) -> Run:
        """The run with a fence that locks out whoever had it before."""
        with self._core.queries.timed("sync_logs.take_up"):
            taken: Run | None = await self._collection(run["club_id"]).find_one_and_update(
                {"_id": run["_id"], "status": "running"},
                {"$inc": {"fence": 1}, "$set": {"touched_at": utc_now()}, "$unset": {"wait_until": "", "wanted": ""}},
                return_document=ReturnDocument.AFTER,
            )
        if taken is None:
            raise RunTakenError("the run has ended meanwhile")
        return taken

    async def held(self, club_id: str, run_id: str, fence: int) -> Run:
        """The run as it is now; `RunTakenError` when it is not, or not any more, of this fence."""
        run = await self.newest(club_id, _id=run_id, fence=fence, status="running")
        if run is None:
            raise RunTakenError("another process has taken this run over")
        return run

    async def check(self, run: Run) -> None:
        """`RunTakenError` when the run is not ours any more."""
        with self._core.queries.timed("sync_logs.check"):
            found = await self._collection(run["club_id"]).find_one(_ours(run), {"_id": 1})
        if found is None:
            raise RunTakenError("another process has taken this run over")

    async def turn_page(self, run: Run, listed: BandList, place: dict[str, Any], counted: dict[str, int]) -> None:
        """Write down that a page is stored: where the list goes on, and what was on it."""
        counts = {f"counts.{listed.name}.{key}": value for key, value in {"pages": 1, **counted}.items()}
        await self._change(run, {"$set": {f"places.{listed.name}": place}, "$inc": counts})

    async def waited(self, run: Run, seconds: float) -> None:
        """Write down that Band wanted to be left alone."""
        await self._change(run, {"$inc": {"waits": 1, "waited_s": round(seconds, 3)}})

    async def trouble(self, run: Run, what: str) -> None:
        """Write down that something went wrong."""
        await self._change(run, {"$push": {"errors": _error(what)}})

    async def put_off(self, run: Run, what: str, seconds: float) -> None:
        """Leave the run where it is, to be taken up after a while."""
        until = utc_now() + timedelta(seconds=seconds)
        await self._change(run, {"$set": {"wait_until": until}, "$push": {"errors": _error(what)}})

    async def finish(self, run: Run, status: str, swept: int, error: str = "") -> None:
        """The run has ended: `done` or `failed`; the oldest runs go, but never those that the next one goes on from."""
        change: dict[str, Any] = {"$set": {"status": status, "swept": swept, "finished_at": utc_now()}}
        if error:
            change["$push"] = {"errors": _error(error)}
        await self._change(run, change)
        kept = [
            await self.newest(run["club_id"], **query)
            for query in ({"status": "done"}, {"status": "done", "full": True})
        ]
        before = run["number"] - self._core.settings.band.kept_runs
        old = {
            "club_id": run["club_id"],
            "number": {"$lte": before},
            "_id": {"$nin": [row["_id"] for row in kept if row]},
        }
        with self._core.queries.timed("sync_logs.trim"):
            await self._collection(run["club_id"]).delete_many(old)

    async def want(self, run: Run, full: bool) -> bool:
        """Have the next run begin soon after this one; False when it has not ended, or another one follows already."""
        seen = {"_id": run["_id"], "status": {"$ne": "running"}, "followed": {"$ne": True}}
        with self._core.queries.timed("sync_logs.want"):
            done = await self._collection(run["club_id"]).update_one(
                seen, {"$set": {"wanted": "full" if full else "changes"}}
            )
        return bool(done.matched_count)

    async def _change(self, run: Run, change: dict[str, Any]) -> None:
        change.setdefault("$set", {})["touched_at"] = utc_now()
        if "$push" in change:
            change["$push"] = {
                key: {"$each": [value], "$slice": -_MOST_ERRORS} for key, value in change["$push"].items()
            }
        with self._core.queries.timed("sync_logs.change"):
            done = await self._collection(run["club_id"]).update_one(_ours(run), change)
        if not done.matched_count:
            raise RunTakenError("another process has taken this run over")

    def _collection(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["sync_logs"]


def _ours(run: Run) -> dict[str, Any]:
    return {"_id": run["_id"], "fence": run["fence"], "status": "running"}


def _error(what: str) -> dict[str, str | datetime]:
    return {"at": utc_now(), "what": what[:_MOST_CHARS]}
