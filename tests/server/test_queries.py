"""Posts and games as the lists and details must show them; the tests are named after the rules."""

from __future__ import annotations

import httpx
import pytest
from redis.asyncio import Redis

from dbz.server.seed.data import club_documents
from tests.server.backend import Backend
from tests.server.clients import SignIn, eventually

pytestmark = pytest.mark.anyio

CLUB1 = club_documents(1, 1)


async def test_posts_are_published_ones_pinned_first_then_newest(sign_in: SignIn) -> None:
    """Drafts are left out; order is pinned, then the newest."""
    items = (await (await sign_in("user0210")).get("/api/posts?limit=100&search=badminton-nothing")).json()["items"]
    assert items == []
    items = (await (await sign_in("user0010")).get("/api/posts?limit=100")).json()["items"]
    assert items and all(item["status"] == "published" for item in items)
    keys = [(not item["pinned"], item["created_at"]) for item in items]
    pinned = [key for key in keys if not key[0]]
    rest = keys[len(pinned) :]
    assert all(key[0] for key in rest)
    assert pinned == sorted(pinned, key=lambda key: key[1], reverse=True)
    assert rest == sorted(rest, key=lambda key: key[1], reverse=True)


async def test_each_row_has_author_counts_and_read_mark_and_nothing_private(sign_in: SignIn) -> None:
    """Name, image and role of the author; counts; never the arrays nor the author's access token."""
    response = await (await sign_in("user0210")).get("/api/posts?limit=100&category=market")
    stored = {row["_id"]: row for row in CLUB1["posts"]}
    rows = [row for row in response.json()["items"] if row["id"] in stored]
    assert rows
    for row in rows:
        assert set(row["author"]) == {"id", "name", "profile_image", "role"}
        assert row["category"] == "market" and isinstance(row["is_read"], bool)
        assert row["like_count"] == len(stored[row["id"]]["likes"])
        assert row["comment_count"] == sum(comment["post_id"] == row["id"] for comment in CLUB1["comments"])
    for secret in ('likes"', "read_by", "access_token", "band", "password"):
        assert secret not in response.text


async def test_search_looks_in_title_and_content(sign_in: SignIn) -> None:
    """Ignoring case, and literally: a pattern is only text."""
    user = await sign_in("user0010")
    await user.post("/api/posts", {"title": "Zebra (crossing", "content": "x"})
    await user.post("/api/posts", {"title": "plain", "content": "a zEBRA (crossing) too"})
    found = (await user.get("/api/posts?search=zebra (cross")).json()
    assert found["pagination"]["total_count"] == 2
    assert (await user.get("/api/posts?search=z.bra")).json()["items"] == []


@pytest.mark.parametrize("bomb", ["(a+)+$", "((((((((((a*)*)*)*)*)*)*)*)*)*b", "[", "\\", "(?i)a{999999}", "a" * 100])
async def test_regex_bombs_in_search_are_only_text(sign_in: SignIn, bomb: str) -> None:
    """Answered like any search that finds nothing."""
    response = await (await sign_in("user0010")).get("/api/posts", params={"search": bomb})
    assert response.status_code == 200 and response.json()["items"] == []


async def test_reader_data_never_leaks_across_readers(sign_in: SignIn) -> None:
    """What one reader has read is not read for another, although both share the cached list."""
    one, two = await sign_in("user0020"), await sign_in("user0021")
    created = (await one.post("/api/posts", {"title": "fresh", "content": "x"})).json()

    async def is_read(user: object) -> bool:
        items = (await user.get("/api/posts?search=fresh")).json()["items"]  # type: ignore[attr-defined]
        return bool(next(item["is_read"] for item in items if item["id"] == created["id"]))

    assert not await is_read(one) and not await is_read(two)
    assert (await one.get(f"/api/posts/{created['id']}")).json()["is_read"]
    assert await is_read(one) and not await is_read(two)


async def test_writes_show_at_once(sign_in: SignIn) -> None:
    """A like, a comment and a new post are seen by the next reader, caches or not."""
    one, two = await sign_in("user0030"), await sign_in("user0031")
    assert (await two.get("/api/posts?limit=1&search=instantly")).json()["items"] == []
    post = (await one.post("/api/posts", {"title": "instantly", "content": "x", "category": "gallery"})).json()
    assert (await two.post(f"/api/posts/{post['id']}/like")).json() == {"liked": True, "like_count": 1}
    assert (await two.post(f"/api/posts/{post['id']}/like")).json()["like_count"] == 1
    comment = await two.post(f"/api/posts/{post['id']}/comments", {"content": "me too"})
    assert comment.status_code == 201
    row = (await one.get("/api/posts?limit=1&search=instantly")).json()["items"][0]
    assert (row["like_count"], row["comment_count"]) == (1, 1)
    detail = (await one.get(f"/api/posts/{post['id']}")).json()
    assert [item["content"] for item in detail["comments"]] == ["me too"]
    assert (await two.post(f"/api/posts/{post['id']}/like", {"liked": False})).json()["like_count"] == 0


async def test_query_results_are_kept_as_long_as_the_plan_says(sign_in: SignIn, backend: Backend) -> None:
    """Posts 300 s, games 120 s, jittered downwards by at most a tenth."""
    user = await sign_in("user0220")
    for path in ("/api/posts?limit=77", "/api/games?limit=77"):  # a limit that nobody else asks for
        assert (await user.get(path)).status_code == 200
    kept_s = {"query:posts:club01:1:77:*": 300, "query:games:club01:*:77": 120}
    async with Redis.from_url(backend.redis_url) as redis:
        for pattern, ttl_s in kept_s.items():
            kept = [await redis.ttl(key) async for key in redis.scan_iter(f"cache:{pattern}")]
            assert kept and all(0.85 * ttl_s < left_s <= ttl_s for left_s in kept), (pattern, kept)


async def test_games_are_by_date_with_players_and_counts(sign_in: SignIn) -> None:
    """Order by date; players with name, image and level; counts and is_full agree with them."""
    items = (await (await sign_in("user0201")).get("/api/games?limit=100")).json()["items"]
    dates = [item["game_date"] for item in items]
    of_demo_data = [item for item in items if item["id"].startswith("club01-g")]  # other tests make some of their own
    assert len(of_demo_data) == 60 and dates == sorted(dates)
    for game in items:
        assert all(set(player) == {"id", "name", "profile_image", "skill_level"} for player in game["participants"])
        assert game["participant_count"] == len(game["participants"])
        assert game["waiting_count"] == len(game["waiting"])
        assert game["is_full"] is (game["participant_count"] >= game["max_participants"])


@pytest.mark.parametrize(
    "query", ["status=ongoing", "skill_level=advanced", "date_from=2026-11-25", "date_to=2026-11-10"]
)
async def test_games_are_narrowed_by_each_parameter(sign_in: SignIn, query: str) -> None:
    """Status, level and dates (both included)."""
    games = (await (await sign_in("user0201")).get(f"/api/games?limit=100&{query}")).json()["items"]
    name, value = query.split("=")

    def holds(game: dict[str, str]) -> bool:
        if name == "date_from":
            return game["game_date"][:10] >= value
        return game["game_date"][:10] <= value if name == "date_to" else game[name] == value

    every = (await (await sign_in("user0201")).get("/api/games?limit=100")).json()["items"]
    assert games == [game for game in every if holds(game)] != []


async def test_the_last_place_goes_to_one_member_only(sign_in: SignIn) -> None:
    """Members who join at the same time: the places are filled, the others wait; who leaves makes room."""
    host = await sign_in("user0040")
    body = {"title": "rush", "game_date": "2026-12-24T10:00:00Z", "max_participants": 2}
    game = (await host.post("/api/games", body)).json()
    members = [await sign_in(f"user004{number}") for number in range(1, 4)]
    for member in members:
        await member.post(f"/api/games/{game['id']}/join")
    full = (await host.get(f"/api/games/{game['id']}")).json()
    assert [player["id"] for player in full["participants"]] == ["user0040", "user0041"] and full["is_full"]
    assert [player["id"] for player in full["waiting"]] == ["user0042", "user0043"]
    after = (await members[0].post(f"/api/games/{game['id']}/leave")).json()
    assert [player["id"] for player in after["participants"]] == ["user0040", "user0042"]
    assert [player["id"] for player in after["waiting"]] == ["user0043"]


async def test_a_result_closes_the_game_once(sign_in: SignIn) -> None:
    """Only those who may score; a second result is refused; nobody joins a game that is over."""
    host, other = await sign_in("user0050"), await sign_in("user0051")
    game = (await host.post("/api/games", {"title": "g", "game_date": "2026-12-24T10:00:00Z"})).json()
    path, body = f"/api/games/{game['id']}/result", {"score": {"home": 21, "away": 19}}
    assert (await other.post(path, body)).status_code == 403
    closed = (await host.post(path, body)).json()
    assert (closed["status"], closed["score"]) == ("completed", {"home": 21, "away": 19})
    assert (await host.post(path, body)).status_code == 409
    assert (await other.post(f"/api/games/{game['id']}/join")).status_code == 409
    listed = (await other.get("/api/games?status=completed&limit=100")).json()["items"]
    assert game["id"] in [row["id"] for row in listed]


async def test_every_query_is_timed_by_name(sign_in: SignIn, anyone: httpx.AsyncClient) -> None:
    """Calls and total duration by name."""
    user = await sign_in("user0060")

    async def count() -> float:
        text = (await anyone.get("/metrics")).text
        lines = [
            line for line in text.splitlines() if line.startswith('dbz_query_duration_seconds_count{name="posts.list"}')
        ]
        return float(lines[0].split()[-1]) if lines else 0.0

    before = await count()
    await user.get("/api/posts?search=never-asked-before")
    assert await eventually(lambda: count()) == before + 1
