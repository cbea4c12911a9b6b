"""What a result counts for: rows of player statistics and of club rankings, as pure functions of the events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]
"""{_id, type, club_id, game_id, home, away (ids of players), score: {home, away}, by, at_ms}"""
Counts = dict[str, int]

RECORDED, WITHDRAWN = "result_recorded", "result_withdrawn"
STATISTICS, RANKINGS = "player_statistics", "club_rankings"
PROJECTIONS = (STATISTICS, RANKINGS)
_POINTS = {"won": 3, "drawn": 1, "lost": 0}


def sides(players: list[str]) -> tuple[list[str], list[str]]:
    """Home and away: the first half of the players in the order of their places, one more at home, and the others."""
    middle = (len(players) + 1) // 2
    return players[:middle], players[middle:]


def changes(event: Event) -> dict[str, dict[str, tuple[dict[str, Any], Counts]]]:
    """{projection: {row id: (what the row is of, what is added to its counts)}} of an event."""
    sign = {RECORDED: 1, WITHDRAWN: -1}[event["type"]]
    month = f"{datetime.fromtimestamp(event['at_ms'] / 1000, UTC):%Y-%m}"
    club_id, score = event["club_id"], event["score"]
    rows: dict[str, dict[str, tuple[dict[str, Any], Counts]]] = {projection: {} for projection in PROJECTIONS}
    for side, other in (("home", "away"), ("away", "home")):
        scored, against = score[side], score[other]
        outcome = "won" if scored > against else "lost" if scored < against else "drawn"
        for user_id in event[side]:
            counts = {"played": 1, "won": 0, "drawn": 0, "lost": 0, outcome: 1, "scored": scored, "against": against}
            rank = {"played": 1, "points": _POINTS[outcome], "balance": scored - against}
            of = {"club_id": club_id, "user_id": user_id}
            rows[STATISTICS][f"{club_id}:{user_id}"] = of, _times(sign, counts)
            rows[RANKINGS][f"{club_id}:{month}:{user_id}"] = {**of, "month": month}, _times(sign, rank)
    return rows


def folded(events: Iterable[Event]) -> dict[str, dict[str, tuple[dict[str, Any], Counts]]]:
    """The rows of all projections after these events, in any order, each event once."""
    rows: dict[str, dict[str, tuple[dict[str, Any], Counts]]] = {projection: {} for projection in PROJECTIONS}
    for event in events:
        for projection, changed in changes(event).items():
            for row_id, (of, counts) in changed.items():
                _, sums = rows[projection].setdefault(row_id, (of, dict.fromkeys(counts, 0)))
                for name, count in counts.items():
                    sums[name] += count
    return rows


def _times(sign: int, counts: Counts) -> Counts:
    return {name: sign * count for name, count in counts.items()}
