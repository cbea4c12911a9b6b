"""Routes of what is counted from results: the ranking of a club, and the statistics of a member."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dbz.server.game.results.projections import Projections
from dbz.server.http import Call, Fields, Reply, Route
from dbz.server.http.errors import forbidden
from dbz.server.http.pages import DEFAULT_LIMIT, Limit
from dbz.server.http.schemas import INTEGER, PERSON, STRING, items, record
from dbz.server.seams import Profiles
from dbz.server.values.clock import utc_now

_COUNTS = ("played", "won", "drawn", "lost", "scored", "against")
_STATISTICS = record(user_id=STRING, **dict.fromkeys(_COUNTS, INTEGER))
_RANK = record(rank=INTEGER, player=PERSON, played=INTEGER, points=INTEGER, balance=INTEGER)


class RankingQuery(Fields):
    """Which month, and how many players."""

    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None
    limit: Limit = DEFAULT_LIMIT


def tables(projections: Projections, profiles: Profiles) -> tuple[Route, ...]:
    """The routes."""

    async def ranking(call: Call) -> Reply:
        """GET /api/clubs/{club_id}/rankings: this month's, or that of another month."""
        query: RankingQuery = call.query
        month = query.month or f"{utc_now():%Y-%m}"
        rows = await projections.ranking(_own_club(call), month, query.limit)
        people = await profiles.profiles(row["user_id"] for row in rows)
        found = [
            {
                "rank": number + 1,
                "player": {key: people.get(row["user_id"], {}).get(key) for key in ("id", "name", "profile_image")},
                **{name: row[name] for name in ("played", "points", "balance")},
            }
            for number, row in enumerate(rows)
        ]
        return Reply({"month": month, "items": found})

    async def statistics(call: Call) -> Reply:
        """GET /api/clubs/{club_id}/members/{user_id}/statistics: all 0 before the first game."""
        user_id = call.path["user_id"]
        row = await projections.statistics(_own_club(call), user_id) or {}
        return Reply({"user_id": user_id, **{name: row.get(name, 0) for name in _COUNTS}})

    club = "/api/clubs/{club_id}"
    player = f"{club}/members/{{user_id}}/statistics"
    return (
        Route("GET", f"{club}/rankings", ranking, "Ranking", query=RankingQuery, answers={200: items(_RANK)}),
        Route("GET", player, statistics, "A player's record", query=Fields, answers={200: _STATISTICS}),
    )


def _own_club(call: Call) -> str:
    if call.path["club_id"] != call.reader.club_id:
        raise forbidden("only members may see a club's results")
    return call.reader.club_id
