"""Who may come in, and what is not theirs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jwt
import pytest
import socketio

from tests.server.backend import SECRET, Backend
from tests.server.clients import SignIn, connected, eventually

pytestmark = pytest.mark.anyio
OF_CLUB_1: list[tuple[str, str, Any]] = [
    ("GET", "/api/posts/club01-p00", None),
    ("GET", "/api/posts/club01-p00/comments", None),
    ("POST", "/api/posts/club01-p00/comments", {"content": "x"}),
    ("POST", "/api/posts/club01-p00/like", {}),
    ("GET", "/api/games/club01-g00", None),
    ("POST", "/api/games/club01-g00/join", {}),
    ("POST", "/api/games/club01-g00/leave", {}),
    ("POST", "/api/games/club01-g00/result", {"score": {"home": 1, "away": 0}}),
    ("GET", "/api/rooms/room:club01/messages", None),
    ("POST", "/api/notifications", {"user_id": "user0201", "type": "t", "title": "x"}),
]
"""Requests for what belongs to a club: method, path, body."""
EVENTS_OF_CLUB_1: list[tuple[str, Any]] = [
    ("room:join", {"roomId": "room:club01"}),
    ("room:join", {"roomId": "user:user0202"}),
    ("room:join", {"roomId": "game:club01-g00"}),
    ("message:send", {"roomId": "room:club01", "content": "x"}),
    ("message:send", {"roomId": "user:user0001", "content": "x"}),
    ("typing", {"roomId": "room:club01"}),
    ("game:join", {"gameId": "club01-g00"}),
    ("game:score_update", {"gameId": "club01-g00", "score": {"home": 9, "away": 9}}),
]
"""Events about what belongs to it, or to one of its members: name, payload."""


def token(**claims: Any) -> str:
    """An access token of user0001 with other claims."""
    base = {"sub": "user0001", "club": "club00", "role": "member", "sid": "s", "typ": "access", "exp": time.time() + 60}
    return jwt.encode({**base, **claims}, SECRET, "HS256")


async def refused(anyone: httpx.AsyncClient, access: str) -> bool:
    """Whether the API refuses this token, saying how to authenticate."""
    answer = await anyone.get("/api/me", headers={"authorization": f"Bearer {access}".strip()})
    return answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


async def test_login_gives_tokens(anyone: httpx.AsyncClient) -> None:
    """Access token, refresh token, and how long the first is good for."""
    body = (await anyone.post("/api/auth/login", json={"username": "user0001", "password": "demo"})).json()
    assert {"access_token", "refresh_token", "expires_in"} <= set(body) and body["expires_in"] == 900
    claims = jwt.decode(body["access_token"], SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["club"], claims["role"]) == ("user0001", "club00", "member")


@pytest.mark.parametrize("who", [("user0001", "wrong"), ("nobody", "demo"), ("user0001", "demo ")])
async def test_wrong_credentials_are_refused_alike(anyone: httpx.AsyncClient, who: tuple[str, str]) -> None:
    """The answer does not say which half was wrong."""
    answer = await anyone.post("/api/auth/login", json={"username": who[0], "password": who[1]})
    if who[1].strip() == "demo" and who[0] != "nobody":
        assert answer.status_code == 200  # surrounding blanks are taken off every text
        return
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "the user name or the password is wrong"


@pytest.mark.parametrize(
    "access",
    [
        "",
        "nonsense",
        token(exp=time.time() - 1),
        token(typ="refresh"),
        jwt.encode({"sub": "user0001", "typ": "access", "exp": time.time() + 60}, SECRET, "HS256"),
        jwt.encode(
            {"sub": "user0199", "typ": "access", "exp": time.time() + 60}, "another secret of the same length", "HS256"
        ),
        token().rsplit(".", 1)[0] + ".",
    ],
    ids=["none", "nonsense", "expired", "refresh", "incomplete", "forged", "unsigned"],
)
async def test_bad_tokens_are_refused(anyone: httpx.AsyncClient, backend: Backend, access: str) -> None:
    """By the API with 401, by sockets at connect."""
    assert await refused(anyone, access)
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with connected(backend.url, access):
            raise AssertionError("the socket was let in")


async def test_a_token_stops_working_when_it_expires(anyone: httpx.AsyncClient) -> None:
    """Also one that was accepted before."""
    access = token(exp=int(time.time()) + 2)
    assert not await refused(anyone, access)
    await eventually(lambda: refused(anyone, access))


async def test_refresh_gives_new_tokens_once(anyone: httpx.AsyncClient, sign_in: SignIn) -> None:
    """A refresh token works once; used again it ends the session, because somebody stole it."""
    user = await sign_in("user0005")
    old = {"refresh_token": user.tokens["refresh_token"]}
    new = (await anyone.post("/api/auth/refresh", json=old)).json()
    assert not await refused(anyone, new["access_token"])
    assert (await anyone.post("/api/auth/refresh", json=old)).status_code == 401
    assert await refused(anyone, new["access_token"])
    assert (await anyone.post("/api/auth/refresh", json={"refresh_token": new["refresh_token"]})).status_code == 401


async def test_logout_revokes_the_session_and_its_sockets(anyone: httpx.AsyncClient, sign_in: SignIn) -> None:
    """Access token, refresh token and sockets of that session; not those of another."""
    user, other = await sign_in("user0006"), await sign_in("user0006")
    socket, kept = await user.socket(), await other.socket()
    assert (await user.post("/api/auth/logout", {})).json() == {"ended": 1}
    assert await refused(anyone, user.tokens["access_token"])
    refresh = await anyone.post("/api/auth/refresh", json={"refresh_token": user.tokens["refresh_token"]})
    assert refresh.status_code == 401
    await eventually(lambda: not socket.client.connected)
    assert kept.client.connected and (await other.get("/api/me")).status_code == 200
    assert (await other.post("/api/auth/logout", {"everywhere": True})).json()["ended"] >= 1


async def test_cross_club_access_is_refused_for_clubs(sign_in: SignIn) -> None:
    """Neither the club nor its members."""
    user = await sign_in("user0001")
    assert (await user.get("/api/clubs/club01")).status_code == 403
    assert (await user.get("/api/clubs/club01/members")).status_code == 403
    assert (await user.get("/api/clubs/club00/members")).json()["pagination"]["total_count"] == 200


@pytest.mark.parametrize(("method", "path", "body"), OF_CLUB_1)
async def test_cross_club_access_is_refused(sign_in: SignIn, method: str, path: str, body: Any) -> None:
    """What belongs to another club does not exist, not even when its members have just cached it, nor for admins."""
    neighbour = await sign_in("user0201")
    if method == "GET":
        assert (await neighbour.get(path)).status_code == 200
    for user_id in ("user0001", "user0199"):
        user = await sign_in(user_id)
        assert (await user.http.request(method, path, json=body)).status_code == 404
    for listed in ("/api/posts?limit=100", "/api/games?limit=100", "/api/rooms"):
        assert "club01" not in (await user.get(listed)).text


async def test_cross_club_access_is_refused_on_sockets(sign_in: SignIn) -> None:
    """No room, no game, no message, no score, no typing in another club."""
    stranger, member = await (await sign_in("user0001")).socket(), await (await sign_in("user0202")).socket()
    await member.call("room:join", {"roomId": "room:club01"})
    await member.call("game:join", {"gameId": "club01-g00"})
    for event, data in EVENTS_OF_CLUB_1:
        answer = await stranger.call(event, data)
        assert not answer["ok"] and answer["code"] in ("not_found", "forbidden"), event
        assert stranger.of("message:error")[-1]["event"] == event
    await member.call("message:send", {"roomId": "room:club01", "content": "only this one"})
    await member.until("message:batch")
    assert [message["content"] for message in member.messages()] == ["only this one"]
    assert not member.of("typing") and not member.of("game:score_updated")


async def test_drafts_are_for_their_author_and_admins(sign_in: SignIn) -> None:
    """Another member gets a 404."""
    author, other, admin = await sign_in("user0007"), await sign_in("user0008"), await sign_in("user0199")
    draft = (await author.post("/api/posts", {"title": "d", "content": "x", "status": "draft"})).json()
    path = f"/api/posts/{draft['id']}"
    assert [(await user.get(path)).status_code for user in (author, other, admin)] == [200, 404, 200]


async def test_only_admins_pin_posts(sign_in: SignIn) -> None:
    """Roles are in the token."""
    body = {"title": "p", "content": "x", "pinned": True}
    assert (await (await sign_in("user0007")).post("/api/posts", body)).status_code == 403
    assert (await (await sign_in("user0199")).post("/api/posts", body)).status_code == 201


async def test_only_those_who_take_part_change_a_score(sign_in: SignIn) -> None:
    """The host and admins may, a member who only watches may not."""
    data = {"gameId": "club00-g03", "score": {"home": 1, "away": 2}}
    outcomes = []
    for user_id in ("user0003", "user0199", "user0004"):
        socket = await (await sign_in(user_id)).socket()
        await socket.call("game:join", {"gameId": "club00-g03"})
        outcomes.append((await socket.call("game:score_update", data))["ok"])
    assert outcomes == [True, True, False]


async def test_a_crowd_logs_in_at_once(anyone: httpx.AsyncClient) -> None:
    """Fifty logins side by side all work."""
    bodies = [{"username": f"user{number:04d}", "password": "demo"} for number in range(50)]
    answers = await asyncio.gather(*(anyone.post("/api/auth/login", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
