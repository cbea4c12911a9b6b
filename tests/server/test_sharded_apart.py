"""Services apart on shards: each follows the map by itself, and none loses a write while a club moves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.server.test_sharded import sharded_server, signed_in, write

GAME = {"title": "On the way", "game_date": "2027-01-01T10:00:00Z"}


@pytest.mark.anyio
async def test_a_club_moves_while_its_members_use_several_services(shard_uris: list[str], tmp_path: Path) -> None:
    with sharded_server(shard_uris, tmp_path, "--services", "apart") as sharded:
        async with httpx.AsyncClient(base_url=sharded.url, timeout=20) as http:
            await signed_in(http, "user0000")
            moved = asyncio.Event()
            posts: list[str] = []
            games: list[str] = []

            async def member() -> None:
                while not moved.is_set() or len(posts) < 5 or len(games) < 5:
                    post, game = await asyncio.gather(write(http, "here"), http.post("/api/games", json=GAME))
                    for made, written in ((post, posts), (game, games)):
                        # A store on a busy machine may want another try; what it has taken must stay.
                        assert made.status_code == 201 or made.headers["retry-after"], made.text
                        written += [made.json()["id"]] if made.status_code == 201 else []
                    await asyncio.sleep(0.05)

            async def mover() -> None:
                for source, target in (("shard_0", "shard_2"), ("shard_2", "shard_0"), ("shard_0", "shard_1")):
                    await asyncio.to_thread(sharded.move, "club00", source, target)
                moved.set()

            async with asyncio.timeout(120):
                await asyncio.gather(member(), mover())
            where = sharded.deployment.shard("shard_1")
            for collection, written in (("posts", posts), ("games", games)):
                rows = where[collection].find({"_id": {"$in": written}})
                assert sorted(row["_id"] for row in rows) == sorted(written), collection
            shown = await http.get(f"/api/posts/{posts[-1]}")
            assert shown.status_code == 200 and shown.json()["author"]["name"] == "Member 0"
