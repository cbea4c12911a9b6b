"""A reference server that sends pushes and mails, with what receives them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import redis

from dbz.server.values.ids import new_id
from tests.push.standin import PushStandIn
from tests.server.backend import Backend
from tests.server.clients import User, eventually
from tests.server.push.postbox import Postbox

MAIL = {"MAIL_FROM": "Club <club@example.com>", "MAIL_LINK_SECRET": "s" * 32, "PUBLIC_URL": "https://club.example"}
SETTINGS = """
notifications: {poll_s: 0.1, lease_s: 3, game_eve_at: "23:59"}
push: {retry_base_s: 0.1, retry_max_s: 1.0, timeout_s: 1.0}
queue: {retry_base_s: 0.05, claim_after_s: 1.0}
"""


@dataclass
class PushStage:
    """What the tests of pushes and mails play on."""

    where: Backend
    stand_in: PushStandIn
    postbox: Postbox
    store: Any
    """The database of the server."""
    redis: redis.Redis
    folder: Path

    def clean(self) -> None:
        """Nothing was sent, and nothing goes wrong."""
        self.stand_in.control(forget=True)
        self.postbox.mails.clear()
        self.postbox.refusals.clear()
        self.redis.delete("push:apns:pause", "push:fcm:pause", "push:smtp:pause", "queue:dead")

    def happens(self, kind: str, user_ids: list[str], club_id: str = "club00", **data: Any) -> str:
        """An event of which these members hear; returns its id."""
        event_id = new_id()
        told = {"event_id": event_id, "user_ids": user_ids, **data}
        job = {"id": event_id, "kind": "event", "event": kind, "club_id": club_id, "data": told}
        self.redis.xadd("queue:jobs", {"job": orjson.dumps(job)})
        return event_id

    def time_passes(self) -> None:
        """All quiet hours end now."""
        self.store["held_notifications"].update_many({"done_at": None}, {"$set": {"due_at": _long_ago()}})

    def held(self, user_id: str, channel: str = "push") -> int:
        """How many notifications wait for a member's quiet hours on one way."""
        rows = self.store["held_notifications"].find({"user_id": user_id, "channel": channel})
        return sum(row["count"] for row in rows)

    def metrics(self) -> dict[str, float]:
        """Figures of the server by name and labels."""
        import httpx

        lines = httpx.get(f"{self.where.url}/metrics").text.splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


def _long_ago() -> Any:
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC) - timedelta(seconds=1)


def token_of(user: str, number: int = 0) -> str:
    """A token of APNs that no other user has."""
    return f"{user}{number}".encode().hex().ljust(64, "0")


def android_of(user: str, number: int = 0) -> str:
    """A token of FCM that no other user has."""
    return f"{user}-{number}:".ljust(40, "x")


async def register(user: User, token: str, **more: Any) -> dict[str, Any]:
    """A device of a user."""
    platform = "apns" if ":" not in token else "fcm"
    answer = await user.post("/api/me/devices", {"platform": platform, "token": token, **more})
    assert answer.status_code == 201, answer.text
    device: dict[str, Any] = answer.json()
    return device


async def prefers(user: User, **said: Any) -> dict[str, Any]:
    """What a user says he wants."""
    answer = await user.http.put("/api/me/notification-preferences", json=said)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def quiet_now() -> dict[str, str]:
    """Quiet hours around the clock of UTC, but for a minute that is hours away."""
    hour = time.gmtime().tm_hour
    return {"start": f"{(hour + 20) % 24:02d}:00", "end": f"{(hour + 2) % 24:02d}:00"}


async def until(what: Callable[[], Any], within_s: float = 60.0) -> Any:
    """Wait until something of another thread or process is there; what it is."""
    return await eventually(lambda: asyncio.to_thread(what), within_s=within_s)
