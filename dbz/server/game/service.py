"""Routes and real-time events of games."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import PyMongoError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.events import EventHub
from dbz.server.game.games import Games, GamesQuery, Skill
from dbz.server.game.results.log import INDEXES as RESULT_INDEXES
from dbz.server.game.results.projections import INDEXES as PROJECTION_INDEXES
from dbz.server.game.results.saga import ResultSteps
from dbz.server.game.results.tables import tables
from dbz.server.game.scores import ScoreBoard, Update
from dbz.server.game.turns import Turns
from dbz.server.http import ApiError, Body, Call, Fields, Moment, Repeated, Reply, Route
from dbz.server.http.errors import conflict, forbidden
from dbz.server.http.pages import page_block
from dbz.server.http.schemas import GAME, listed
from dbz.server.sagas import SagaRunner, StepRefusedError
from dbz.server.sagas.catalogue import GAME_RESULT
from dbz.server.seams import Emitter, EventHandler, Indexes, MemberConnection, Profiles
from dbz.server.values.identity import Identity
from dbz.server.values.ids import new_id

Points = Annotated[int, Field(ge=0, le=999)]
GameId = Annotated[str, Field(min_length=1, max_length=100)]
_LOOK_S = 5.0
_log = logging.getLogger(__name__)
_OPEN = ("scheduled", "ongoing")


class NewGame(Body):
    """Body of a new game."""

    model_config = ConfigDict(strict=False)

    title: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    game_date: Moment
    location: Annotated[str, Field(strict=True, max_length=200)] = ""
    skill_level: Skill | None = None
    max_participants: Annotated[int, Field(strict=True, ge=2, le=64)] = 4


class Score(Body):
    """Points of both sides."""

    home: Points
    away: Points


class Result(Body):
    """Body of a result: the final score."""

    score: Score


class GameRef(Body):
    """Payload of game:join and game:leave."""

    gameId: GameId  # noqa: N815 the wire name


class ScoreUpdate(GameRef):
    """Payload of game:score_update."""

    score: Score


INDEXES = (
    *RESULT_INDEXES,
    *PROJECTION_INDEXES,
    Indexes(
        "games",
        (
            IndexModel([("club_id", ASCENDING), ("game_date", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("planned", ASCENDING), ("status", ASCENDING), ("game_date", ASCENDING)]),
            IndexModel([("club_id", ASCENDING), ("status", ASCENDING), ("game_date", ASCENDING)]),
        ),
    ),
)


class GameService:
    """Games as members see and play them."""

    name = "game"
    indexes = INDEXES

    def __init__(
        self, core: Core, profiles: Profiles, emitter: Emitter, happenings: EventHub, sagas: SagaRunner
    ) -> None:
        self._games = Games(core, profiles)
        self._sagas = sagas
        steps = ResultSteps(core, self._games, happenings)
        sagas.define(GAME_RESULT, steps.actions)
        self._emitter = emitter
        self._tasks: list[asyncio.Task[None]] = []
        self._happenings = happenings
        window_ms = core.settings.realtime.score_window_ms
        turns = Turns(core.redis, window_ms)
        self._board = ScoreBoard(window_ms / 1000, turns.take, self._send_score, self._store_score)
        self.events: dict[str, EventHandler] = {
            "game:join": self.watch,
            "game:leave": self.unwatch,
            "game:score_update": self.update_score,
        }
        path = "/api/games/{game_id}"
        self.routes = (
            Route("GET", "/api/games", self.list_games, "Games", query=GamesQuery, answers={200: listed(GAME)}),
            Route("POST", "/api/games", self.create, "Plan a game", body=NewGame, answers={201: GAME}),
            Route("GET", path, self.detail, "A game", query=Fields, answers={200: GAME}),
            Route("POST", f"{path}/join", self.join, "Take part", answers={200: GAME}, refusals=(409,)),
            Route("POST", f"{path}/leave", self.leave, "Give up a place", answers={200: GAME}),
            Route("POST", f"{path}/start", self.begin, "Begin", answers={200: GAME}, refusals=(409,)),
            Route("POST", f"{path}/cancel", self.cancel, "Call off", answers={200: GAME}, refusals=(409,)),
            Route("POST", f"{path}/result", self.result, "Close", body=Result, answers={200: GAME}, refusals=(409,)),
            *tables(steps.projections, profiles),
        )

    async def start(self) -> None:
        """Have games begin when their time has come."""
        self._tasks = [asyncio.create_task(self._start_due_games())]

    async def stop(self) -> None:
        """Send and store the scores that wait."""
        await end(self._tasks)
        await self._board.drain()

    async def _start_due_games(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._games.start_due()
            except (PyMongoError, OSError, TimeoutError) as error:
                _log.warning("games whose time has come wait: %s", error)

    async def list_games(self, call: Call) -> Repeated:
        """GET /api/games."""
        rows, total = await self._games.page(call.reader.club_id, call.query)
        make = lambda: {"items": rows, "pagination": page_block(call.query, total)}  # noqa: E731
        return Repeated(call.reader.club_id, (rows, total), make)

    async def detail(self, call: Call) -> Reply:
        """GET /api/games/{game_id}."""
        return Reply(await self._games.game(call.reader.club_id, call.path["game_id"]))

    async def create(self, call: Call) -> Reply:
        """POST /api/games."""
        body: NewGame = await call.body()
        reader = call.reader
        game_id = await self._games.create(reader.club_id, reader.user_id, body.model_dump())
        game = await self._games.game(reader.club_id, game_id)
        await self._happenings.happened("game.planned", reader.club_id, _planned(game, body.game_date))
        return Reply(game, 201)

    async def join(self, call: Call) -> Reply:
        """POST /api/games/{game_id}/join."""
        return Reply(await self._games.join(call.reader.club_id, call.path["game_id"], call.reader.user_id))

    async def leave(self, call: Call) -> Reply:
        """POST /api/games/{game_id}/leave."""
        return Reply(await self._games.leave(call.reader.club_id, call.path["game_id"], call.reader.user_id))

    async def begin(self, call: Call) -> Reply:
        """POST /api/games/{game_id}/start: players, the host and admins."""
        game_id, reader = call.path["game_id"], call.reader
        _may_score(await self._games.players(reader.club_id, game_id), reader)
        return Reply(await self._games.start(reader.club_id, game_id))

    async def cancel(self, call: Call) -> Reply:
        """POST /api/games/{game_id}/cancel: the host and admins; the players hear of it."""
        game_id, reader = call.path["game_id"], call.reader
        players = await self._games.players(reader.club_id, game_id)
        if reader.user_id != players["host"] and not reader.is_admin:
            raise forbidden("only the host and admins may call a game off")
        if players["status"] == "cancelled":
            return Reply(await self._games.game(reader.club_id, game_id))
        game = await self._games.cancel(reader.club_id, game_id)
        await self._happenings.happened("game.cancelled", reader.club_id, _cancelled(game))
        return Reply(game)

    async def result(self, call: Call) -> Reply:
        """POST /api/games/{game_id}/result."""
        body: Result = await call.body()
        game_id, reader = call.path["game_id"], call.reader
        _may_score(await self._games.players(reader.club_id, game_id), reader)
        score = body.score.model_dump()
        data = {"game_id": game_id, "score": score, "by": reader.user_id}
        saga = await self._sagas.begin(GAME_RESULT, new_id(), reader.club_id, data)
        try:
            await self._sagas.first_step(saga)
        except StepRefusedError as error:
            raise conflict("game_closed", str(error)) from None
        game = await self._games.game(reader.club_id, game_id)
        self._board.submit(Update(reader.club_id, game_id, score, reader.user_id))
        return Reply(game)

    async def watch(self, connection: MemberConnection, data: Any) -> dict[str, Any]:
        """game:join: any member of the club may watch."""
        game_id = GameRef.model_validate(data).gameId
        await self._games.players(connection.identity.club_id, game_id)
        await connection.join(f"game:{game_id}")
        return {"gameId": game_id}

    async def unwatch(self, connection: MemberConnection, data: Any) -> dict[str, Any]:
        """game:leave."""
        game_id = GameRef.model_validate(data).gameId
        await connection.leave(f"game:{game_id}")
        return {"gameId": game_id}

    async def update_score(self, connection: MemberConnection, data: Any) -> Any:
        """game:score_update: players, the host and admins; answers when the score, or a newer one, is stored."""
        update = ScoreUpdate.model_validate(data)
        identity = connection.identity
        players = await self._games.players(identity.club_id, update.gameId)
        _may_score(players, identity)
        if players["status"] not in _OPEN:
            raise conflict("game_closed", f"the game is {players['status']}")
        score = update.score.model_dump()
        stored = self._board.submit(Update(identity.club_id, update.gameId, score, identity.user_id, connection.sid))

        async def answer() -> dict[str, Any]:
            await stored
            return {"gameId": update.gameId}

        return answer()

    async def audience(self, club_id: str, data: dict[str, Any]) -> list[str]:
        """Who hears that a game is about to start: its players, if it still takes place."""
        try:
            players = await self._games.players(club_id, data["game_id"])
        except ApiError:
            return []
        return list(players["participants"]) if players["status"] in _OPEN else []

    def _send_score(self, update: Update) -> None:
        self._emitter.emit("game:score_updated", update.event(), f"game:{update.game_id}", but=update.sid)

    async def _store_score(self, update: Update) -> None:
        await self._games.set_score(update.club_id, update.game_id, update.score, update.at_ms)


def _may_score(players: dict[str, Any], identity: Identity) -> None:
    """Refuse with 403 unless this is a player, the host, or an admin."""
    takes_part = identity.user_id == players["host"] or identity.user_id in players["participants"]
    if not (takes_part or identity.is_admin):
        raise forbidden("only players, the host and admins may change the score")


def _cancelled(game: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_ids": [player["id"] for player in game["participants"]],
        "event_id": f"{game['id']}:cancelled",
        "game_title": game["title"],
    }


def _planned(game: dict[str, Any], starts: datetime) -> dict[str, Any]:
    return {
        "event_id": f"{game['id']}:planned",
        "game_id": game["id"],
        "game_title": game["title"],
        "starts_at_s": starts.timestamp(),
    }
