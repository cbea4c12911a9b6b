"""A stand-in of Band and a reference server that uses it, with stores of their own."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import redis
from pymongo import MongoClient

from dbz.children import Child
from tests.band.standin import CLIENT, LEADER, StandIn
from tests.server.backend import Backend, start_server
from tests.server.clients import User

CALLBACK = "/api/auth/band/callback"
KEYS = {
    name: f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate(("k1", "k2"), 1)
}
ADMIN = "user0199"


@dataclass
class Stage:
    """What the tests of Band play on."""

    band: StandIn
    mongo_uri: str
    redis_url: str
    folder: Path
    mongo: MongoClient[dict[str, Any]]
    redis: redis.Redis

    def environment(self, keys: str = KEYS["k1"]) -> dict[str, str]:
        """What a server needs to use this Band."""
        return {
            "BAND_URL": self.band.url,
            "BAND_CLIENT_ID": CLIENT[0],
            "BAND_CLIENT_SECRET": CLIENT[1],
            "BAND_REDIRECT_URI": f"http://127.0.0.1:1{CALLBACK}",
            "BAND_TOKEN_KEYS": keys,
        }

    def server(self, options: Sequence[str] = (), keys: str = KEYS["k1"]) -> tuple[Child, Backend]:
        """A server that uses it."""
        return start_server(self.folder, self.mongo_uri, self.redis_url, options, self.environment(keys))

    @property
    def store(self) -> Any:
        """The database of the server."""
        return self.mongo["dbz"]

    def everything_stored(self) -> str:
        """All that document store and Redis hold, as text."""
        rows = [str(row) for name in self.store.list_collection_names() for row in self.store[name].find()]
        cache = self.redis
        read = {b"string": cache.get, b"hash": cache.hgetall, b"stream": cache.xrange, b"set": cache.smembers}
        read |= {b"zset": lambda key: cache.zrange(key, 0, -1), b"list": lambda key: cache.lrange(key, 0, -1)}
        for key in cache.scan_iter(count=1000):
            rows += [str(key), str(read[cache.type(key)](key))]
        return "\n".join(rows)


async def begin(user: User) -> tuple[str, str]:
    """A user begins a link: the URL at Band, and the cookie that his browser gets."""
    answer = await user.get("/api/auth/band/start")
    assert answer.status_code == 302, answer.text
    assert answer.json()["url"] == answer.headers["location"]
    return answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]


async def band_code(http: httpx.AsyncClient, user_key: str) -> str:
    """What a browser gets whose user signs up and agrees at Band: the sign-up hands it in."""
    sent = await http.get("/api/auth/band/sign-up")
    assert sent.status_code == 302, sent.text
    cookie = sent.headers["set-cookie"].partition(";")[0]
    back = await agreed(sent.headers["location"], user_key)
    answer = await http.get(CALLBACK, params=back, headers={"cookie": cookie})
    assert answer.status_code == 200, answer.text
    code: str = answer.json()["band_code"]
    return code


async def agreed(url: str, user_key: str = LEADER) -> dict[str, str]:
    """Somebody agrees at Band: what Band sends the browser back with."""
    async with httpx.AsyncClient(timeout=60) as browser:
        back = await browser.get(f"{url}&user_key={user_key}")
    assert back.status_code == 302, back.text
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}


async def link(user: User, user_key: str = LEADER) -> httpx.Response:
    """A user links Band, in an app that has his access token."""
    url, _ = await begin(user)
    return await user.get(CALLBACK, params=await agreed(url, user_key))
