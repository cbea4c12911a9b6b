"""The life of a game: scheduled, ongoing, completed; or cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.server.clients import SignIn, User, eventually

pytestmark = pytest.mark.anyio


async def plan(host: User, in_s: float = 3600.0) -> dict[str, Any]:
    """A game of the host."""
    when = (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()
    answer = await host.post("/api/games", {"title": "A life", "game_date": when, "max_participants": 4})
    assert answer.status_code == 201 and answer.json()["status"] == "scheduled"
    game: dict[str, Any] = answer.json()
    return game


async def status_of(user: User, game_id: str) -> str:
    """As a member sees it, alone and in the lists."""
    status = str((await user.get(f"/api/games/{game_id}")).json()["status"])
    listed = (await user.get(f"/api/games?status={status}&limit=100")).json()
    assert listed["pagination"]["has_more"] or game_id in [game["id"] for game in listed["items"]]
    return status


async def test_a_game_begins_is_counted_and_ends(sign_in: SignIn) -> None:
    """By those who play it; what is over stays over."""
    host, other = await sign_in("user0340"), await sign_in("user0341")
    path = f"/api/games/{(await plan(host))['id']}"
    assert (await other.post(f"{path}/start")).status_code == 403
    started = await host.post(f"{path}/start")
    assert (started.status_code, started.json()["status"]) == (200, "ongoing")
    assert started.json()["score"] == {"home": 0, "away": 0}
    assert (await host.post(f"{path}/start")).status_code == 200
    assert await status_of(other, path.rsplit("/", 1)[1]) == "ongoing"
    done = await host.post(f"{path}/result", {"score": {"home": 21, "away": 19}})
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    for change in ("start", "cancel", "join"):
        assert (await host.post(f"{path}/{change}")).status_code == 409, change
    assert await status_of(other, path.rsplit("/", 1)[1]) == "completed"


async def test_the_first_point_begins_a_game(sign_in: SignIn) -> None:
    """Whoever counts has begun to play."""
    host = await sign_in("user0342")
    game = await plan(host)
    socket = await host.socket()
    ack = await socket.call("game:score_update", {"gameId": game["id"], "score": {"home": 1, "away": 0}})
    assert ack["ok"]
    shown = (await host.get(f"/api/games/{game['id']}")).json()
    assert (shown["status"], shown["score"]) == ("ongoing", {"home": 1, "away": 0})
    assert await status_of(await sign_in("user0343"), game["id"]) == "ongoing"


async def test_a_game_begins_when_its_time_has_come(sign_in: SignIn) -> None:
    """By itself, within seconds."""
    host = await sign_in("user0344")
    game = await plan(host, in_s=1.0)

    async def has_begun() -> bool:
        return bool((await host.get(f"/api/games/{game['id']}")).json()["status"] == "ongoing")

    await eventually(has_begun)
    assert await status_of(host, game["id"]) == "ongoing"


async def test_a_game_is_called_off(sign_in: SignIn) -> None:
    """By its host or an admin; its players hear of it, nobody joins or counts any more."""
    host, player, admin = await sign_in("user0345"), await sign_in("user0346"), await sign_in("user0399")
    game = await plan(host)
    path = f"/api/games/{game['id']}"
    assert (await player.post(f"{path}/join")).status_code == 200
    assert (await player.post(f"{path}/cancel")).status_code == 403
    answer = await admin.post(f"{path}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await host.post(f"{path}/cancel")).json()["status"] == "cancelled"
    for change, body in (("start", None), ("join", None), ("result", {"score": {"home": 1, "away": 0}})):
        assert (await host.post(f"{path}/{change}", body)).status_code == 409, change
    ack = await (await host.socket()).call("game:score_update", {"gameId": game["id"], "score": {"home": 1, "away": 0}})
    assert ack["code"] == "game_closed"
    assert await status_of(player, game["id"]) == "cancelled"

    async def told() -> bool:
        items = (await player.get("/api/notifications")).json()["items"]
        return "game.cancelled" in [item["type"] for item in items]

    await eventually(told)


async def test_games_of_other_clubs_are_nobodys_business(sign_in: SignIn) -> None:
    """As if they were not there."""
    host, stranger = await sign_in("user0347"), await sign_in("user0001")
    game = await plan(host)
    for change in ("start", "cancel"):
        assert (await stranger.post(f"/api/games/{game['id']}/{change}")).status_code == 404
