"""Games in the document store, behind the cache."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from pydantic import Field
from pymongo import ReturnDocument

from dbz.cache.glob import escape
from dbz.server.core import Core
from dbz.server.data.stores import Database
from dbz.server.http.errors import conflict, not_found
from dbz.server.http.pages import Page
from dbz.server.seams import Profiles
from dbz.server.values.clock import iso, utc_now
from dbz.server.values.ids import new_id

Status = Literal["scheduled", "ongoing", "completed", "cancelled"]
Skill = Literal["beginner", "intermediate", "advanced"]

_DUE_BATCH = 100
_NIL = {"home": 0, "away": 0}
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)


class GamesQuery(Page):
    """What a list of games may be narrowed by; both dates are included."""

    status: Status | None = None
    date_from: date | None = Field(default=None, ge=_EARLIEST, le=_LATEST)
    date_to: date | None = Field(default=None, ge=_EARLIEST, le=_LATEST)
    skill_level: Skill | None = None


class Games:
    """Owner of the collection `games`."""

    def __init__(self, core: Core, profiles: Profiles) -> None:
        self._core = core
        self._profiles = profiles
        self._ttl = core.settings.cache

    async def page(self, club_id: str, query: GamesQuery) -> tuple[list[dict[str, Any]], int]:
        """A page of games by date, then the newest, and the number of all."""
        parts = (query.status, query.date_from, query.date_to, query.skill_level, query.page, query.limit)
        key = f"query:games:{club_id}:" + ":".join("" if part is None else str(part) for part in parts)
        listed = await self._core.cache.get(key, lambda: self._load_page(club_id, query), self._ttl.games_ttl_s)
        return await self._rows(club_id, listed["ids"]), listed["total"]

    async def game(self, club_id: str, game_id: str) -> dict[str, Any]:
        """One game of the club; refuses with 404."""
        games = await self._rows(club_id, [game_id])
        if not games or games[0]["club_id"] != club_id:
            raise not_found("game")
        return games[0]

    async def players(self, club_id: str, game_id: str) -> dict[str, Any]:
        """{club_id, host, participants, status} of a game, which a new score does not make stale; refuses with 404."""
        cached: dict[str, Any] | None = await self._core.cache.get(
            f"players:{club_id}:{game_id}", lambda: self._load_players(club_id, game_id), self._ttl.game_ttl_s
        )
        if cached is None or cached["club_id"] != club_id:
            raise not_found("game")
        return cached

    async def create(self, club_id: str, host_id: str, fields: dict[str, Any]) -> str:
        """Store a new game with its host as the first participant; returns its id."""
        game = {
            "_id": new_id(),
            "club_id": club_id,
            **fields,
            "status": "scheduled",
            "planned": True,
            "created_by": host_id,
            "participants": [host_id],
            "waiting": [],
            "score": None,
            "created_at": utc_now(),
        }
        with self._core.queries.timed("games.create"):
            await self._games(club_id).insert_one(game)
        await self._list_changed(club_id)
        return str(game["_id"])

    async def join(self, club_id: str, game_id: str, user_id: str) -> dict[str, Any]:
        """Take a place, or one on the waiting list when the game is full; doing it twice changes nothing.

        The conditions are part of each update, so that two members never get the same last place.
        """
        game = await self.game(club_id, game_id)
        if game["status"] not in ("scheduled", "ongoing"):
            raise conflict("game_closed", f"the game is {game['status']}")
        last_place = f"participants.{game['max_participants'] - 1}"
        outside = {"_id": game_id, "participants": {"$ne": user_id}, "waiting": {"$ne": user_id}}
        with self._core.queries.timed("games.join"):
            placed = await self._games(club_id).update_one(
                {**outside, last_place: {"$exists": False}}, {"$addToSet": {"participants": user_id}}
            )
            if not placed.modified_count:
                await self._games(club_id).update_one(outside, {"$addToSet": {"waiting": user_id}})
        return await self._changed(club_id, game_id)

    async def leave(self, club_id: str, game_id: str, user_id: str) -> dict[str, Any]:
        """Give up a place; the first on the waiting list moves up."""
        await self.game(club_id, game_id)
        games = self._games(club_id)
        with self._core.queries.timed("games.leave"):
            before = await games.find_one_and_update(
                {"_id": game_id}, {"$pull": {"participants": user_id, "waiting": user_id}}
            )
            if user_id in before["participants"] and before["waiting"]:
                await self._move_up(game_id, before["max_participants"], games)
        return await self._changed(club_id, game_id)

    async def start(self, club_id: str, game_id: str) -> dict[str, Any]:
        """A scheduled game is on; doing it twice changes nothing. Refuses with 409 when it is over."""
        return await self._become(club_id, game_id, "ongoing", ("scheduled", "ongoing"))

    async def cancel(self, club_id: str, game_id: str) -> dict[str, Any]:
        """A game that is not over does not take place; doing it twice changes nothing. Refuses with 409."""
        return await self._become(club_id, game_id, "cancelled", ("scheduled", "ongoing", "cancelled"))

    async def start_due(self) -> int:
        """Have the planned games whose time has come begin; returns how many. Demo games stay as they were made."""
        started = 0
        due = {"status": "scheduled", "planned": True, "game_date": {"$lte": utc_now()}}

        async def found(database: Database) -> list[dict[str, Any]]:
            with self._core.queries.timed("games.due"):
                return await database["games"].find(due, {"club_id": 1}).limit(_DUE_BATCH).to_list()

        for rows in await self._core.router.on_every_shard(found):
            for row in rows:
                # Where its club lies now: the copy that a move keeps on another shard is no game.
                changed = await self._games(row["club_id"]).update_one(
                    {"_id": row["_id"], "status": "scheduled"}, {"$set": {"status": "ongoing", "score": _NIL}}
                )
                if changed.modified_count:
                    started += 1
                    await self._list_changed(row["club_id"])
                    await self._forget(row["club_id"], row["_id"])
        return started

    async def set_score(self, club_id: str, game_id: str, score: dict[str, int], at_ms: int) -> None:
        """Store a score of a game that is not over, unless a newer one is stored; a scheduled game begins with it."""
        begins = (await self.players(club_id, game_id))["status"] == "scheduled"
        with self._core.queries.timed("games.score"):
            await self._games(club_id).update_one(
                {"_id": game_id, "status": {"$in": ["scheduled", "ongoing"]}, "score_at_ms": {"$not": {"$gt": at_ms}}},
                # Whoever counts points has begun to play.
                {"$set": {"score": score, "score_at_ms": at_ms, "status": "ongoing"}},
            )
        await self._core.cache.invalidate(f"game:{escape(game_id)}")
        if begins:
            await self._list_changed(club_id)
            await self._forget(club_id, game_id)

    async def finish(
        self, club_id: str, game_id: str, score: dict[str, int], by: str, result_id: str
    ) -> dict[str, Any] | None:
        """Close a game with its final score; {title, participants}, or None when it is over already.

        Doing it again under the same `result_id` changes nothing; one that was taken back closes nothing any more.
        """
        may_be_closed = [{"status": {"$in": ["scheduled", "ongoing"]}}, {"result_id": result_id}]
        with self._core.queries.timed("games.finish"):
            closed = await self._games(club_id).find_one_and_update(
                {"_id": game_id, "club_id": club_id, "withdrawn": {"$ne": result_id}, "$or": may_be_closed},
                {
                    "$set": {
                        "status": "completed",
                        "score": score,
                        "finished_at": utc_now(),
                        "result_by": by,
                        "result_id": result_id,
                    }
                },
                return_document=ReturnDocument.AFTER,
            )
        if closed is None:
            return None
        await self._list_changed(club_id)
        await self._forget(club_id, game_id)
        return {"title": closed["title"], "participants": closed["participants"]}

    async def reopen(self, club_id: str, game_id: str, result_id: str) -> None:
        """A game goes on whose result under this id is taken back; doing it twice changes nothing."""
        games = self._games(club_id)
        with self._core.queries.timed("games.reopen"):
            await games.update_one({"_id": game_id}, {"$addToSet": {"withdrawn": result_id}})
            await games.update_one(
                {"_id": game_id, "result_id": result_id},
                {"$set": {"status": "ongoing"}, "$unset": {"result_id": "", "finished_at": "", "result_by": ""}},
            )
        await self._list_changed(club_id)
        await self._forget(club_id, game_id)

    async def _move_up(self, game_id: str, places: int, games: Any) -> None:
        waiting = await games.find_one({"_id": game_id}, {"waiting": 1})
        if waiting and waiting["waiting"]:
            first = waiting["waiting"][0]
            await games.update_one(
                {"_id": game_id, "waiting": first, f"participants.{places - 1}": {"$exists": False}},
                {"$pull": {"waiting": first}, "$addToSet": {"participants": first}},
            )

    async def _load_players(self, club_id: str, game_id: str) -> dict[str, Any] | None:
        fields = {"club_id": 1, "created_by": 1, "participants": 1, "status": 1}
        with self._core.queries.timed("games.players"):
            row = await self._games(club_id).find_one({"_id": game_id, "club_id": club_id}, fields)
        if row is None:
            return None
        return {
            "club_id": row["club_id"],
            "host": row["created_by"],
            "participants": dict.fromkeys(row["participants"], 1),
            "status": row["status"],
        }

    async def _become(self, club_id: str, game_id: str, status: Status, before: tuple[Status, ...]) -> dict[str, Any]:
        change = {"status": status, **({"score": _NIL} if status == "ongoing" else {})}
        with self._core.queries.timed(f"games.{status}"):
            await self._games(club_id).update_one(
                {"_id": game_id, "club_id": club_id, "status": {"$in": before, "$ne": status}}, {"$set": change}
            )
        await self._list_changed(club_id)
        game = await self._changed(club_id, game_id)
        if game["status"] != status:
            raise conflict("game_closed", f"the game is {game['status']}")
        return game

    async def _forget(self, club_id: str, game_id: str) -> None:
        await self._core.cache.invalidate(f"game:{escape(game_id)}", f"players:{escape(club_id)}:{escape(game_id)}")

    async def _changed(self, club_id: str, game_id: str) -> dict[str, Any]:
        await self._forget(club_id, game_id)
        return await self.game(club_id, game_id)

    async def _list_changed(self, club_id: str) -> None:
        await self._core.cache.invalidate(f"query:games:{escape(club_id)}:*")

    async def _rows(self, club_id: str, ids: list[str]) -> list[dict[str, Any]]:
        """Those of the games that exist, in the order of `ids`."""

        async def load(keys: list[str]) -> dict[str, Any]:
            return await self._load_rows(club_id, [key.removeprefix("game:") for key in keys])

        keys = [f"game:{game_id}" for game_id in ids]
        cached = await self._core.cache.get_many(keys, load, self._ttl.game_ttl_s)
        return [cached[key] for key in keys if key in cached]

    async def _load_page(self, club_id: str, query: GamesQuery) -> dict[str, Any]:
        criteria: dict[str, Any] = {"club_id": club_id}
        for name in ("status", "skill_level"):
            if getattr(query, name):
                criteria[name] = getattr(query, name)
        if query.date_from:
            criteria["game_date"] = {"$gte": _midnight(query.date_from)}
        if query.date_to:
            criteria.setdefault("game_date", {})["$lt"] = _midnight(query.date_to) + timedelta(days=1)
        games = self._games(club_id)
        order = [("game_date", 1), ("created_at", -1)]
        with self._core.queries.timed("games.list"):
            rows = await games.find(criteria, {"_id": 1}).sort(order).skip(query.skip).limit(query.limit).to_list()
        with self._core.queries.timed("games.count"):
            total = await games.count_documents(criteria)
        return {"ids": [row["_id"] for row in rows], "total": total}

    async def _load_rows(self, club_id: str, ids: list[str]) -> dict[str, Any]:
        with self._core.queries.timed("games.rows"):
            rows = await self._games(club_id).find({"_id": {"$in": ids}, "club_id": club_id}).to_list()
        people = await self._profiles.profiles(
            user_id for row in rows for user_id in (*row["participants"], *row["waiting"])
        )
        return {f"game:{row['_id']}": _shown(row, people) for row in rows}

    def _games(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["games"]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _player(user_id: str, profile: dict[str, Any] | None) -> dict[str, Any]:
    known = profile or {}
    return {"id": user_id, **{key: known.get(key) for key in ("name", "profile_image", "skill_level")}}


def _shown(row: dict[str, Any], people: dict[str, dict[str, Any]]) -> dict[str, Any]:
    places = row["max_participants"]
    return {
        "id": row["_id"],
        "club_id": row["club_id"],
        "title": row["title"],
        "status": row["status"],
        "game_date": iso(row["game_date"]),
        "skill_level": row["skill_level"],
        "location": row["location"],
        "created_by": row["created_by"],
        "participants": [_player(user_id, people.get(user_id)) for user_id in row["participants"]],
        "waiting": [_player(user_id, people.get(user_id)) for user_id in row["waiting"]],
        "participant_count": len(row["participants"]),
        "waiting_count": len(row["waiting"]),
        "max_participants": places,
        "is_full": len(row["participants"]) >= places,
        "score": row["score"],
    }
