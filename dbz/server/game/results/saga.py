"""What the steps of the saga *game result* do."""

from __future__ import annotations

from collections.abc import Mapping

from dbz.server.core import Core
from dbz.server.game.games import Games
from dbz.server.game.results.counting import RECORDED, Event, sides
from dbz.server.game.results.log import ResultLog
from dbz.server.game.results.projections import Projections
from dbz.server.sagas.definition import Action, SagaData, StepRefusedError
from dbz.server.seams import Announcer
from dbz.server.values.clock import now_ms


class ResultSteps:
    """Closes a game, records its result, counts it, and has it told. Data: {saga_id, club_id, game_id, score, by}."""

    def __init__(self, core: Core, games: Games, announcer: Announcer) -> None:
        self._games = games
        self._log = ResultLog(core)
        self.projections = Projections(core)
        self._announcer = announcer

    @property
    def actions(self) -> Mapping[str, Action]:
        """The actions by their names."""
        return {
            "close": self.close,
            "reopen": self.reopen,
            "record": self.record,
            "withdraw": self.withdraw,
            "statistics": self.statistics,
            "notify": self.notify,
        }

    async def close(self, data: SagaData) -> SagaData:
        """The game is over; refused when it was over before. Who played is settled here."""
        game = await self._games.finish(data["club_id"], data["game_id"], data["score"], data["by"], data["saga_id"])
        if game is None:
            raise StepRefusedError("the game is over already")
        home, away = sides(game["participants"])
        return {"title": game["title"], "home": home, "away": away, "at_ms": now_ms()}

    async def reopen(self, data: SagaData) -> None:
        """The game goes on, and its players hear that the score does not count."""
        await self._games.reopen(data["club_id"], data["game_id"], data["saga_id"])
        closed = data.get("close") or {}
        if "title" not in closed:
            return
        told = {"event_id": f"{data['saga_id']}:withdrawn", "user_ids": [*closed["home"], *closed["away"]]}
        about = {"game_id": data["game_id"], "game_title": closed["title"]}
        await self._announcer.tell("game.result_withdrawn", data["club_id"], {**told, **about}, _aggregate(data))

    async def record(self, data: SagaData) -> None:
        """The result is in the log."""
        await self._log.add(_event(data))

    async def withdraw(self, data: SagaData) -> None:
        """The log says that the result does not count; whatever was counted before, both together count nothing."""
        events = await self._log.withdraw(data["club_id"], data["saga_id"])
        for event in events or ():
            await self.projections.apply(event)

    async def statistics(self, data: SagaData) -> None:
        """The result counts for its players."""
        await self.projections.apply(_event(data))

    async def notify(self, data: SagaData) -> None:
        """The players hear of it."""
        closed = data["close"]
        told = {"event_id": f"{data['saga_id']}:result", "user_ids": [*closed["home"], *closed["away"]]}
        about = {"game_id": data["game_id"], "game_title": closed["title"], **data["score"]}
        await self._announcer.tell("game.finished", data["club_id"], {**told, **about}, _aggregate(data))


def _event(data: SagaData) -> Event:
    who = {side: data["close"][side] for side in ("home", "away")}
    what = {name: data[name] for name in ("club_id", "game_id", "score", "by")}
    return {"_id": data["saga_id"], "type": RECORDED, **what, **who, "at_ms": data["close"]["at_ms"]}


def _aggregate(data: SagaData) -> str:
    return f"game:{data['game_id']}"
