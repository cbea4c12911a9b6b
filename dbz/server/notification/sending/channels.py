"""By which ways a notification leaves the app: at once, at the end of quiet hours, or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.events import EventHub
from dbz.server.events.queue import Job
from dbz.server.notification.mine import MyNotifications
from dbz.server.notification.preferences import ALL_KINDS, EMAIL, PUSH, Preferences
from dbz.server.notification.sending.held import HeldBundle, HeldNotifications
from dbz.server.notification.templates import digest
from dbz.server.values.clock import utc_now

_log = logging.getLogger(__name__)
_COUNT_EVERY = 5


@dataclass(frozen=True)
class ToldNotification:
    """A notification that its member may also get outside of the app."""

    club_id: str
    user_id: str
    event: Mapping[str, Any]
    """{id, type, title, body, timestamp}."""
    urgent: bool
    """Whether it passes quiet hours."""


class OutsideChannels:
    """Hands notifications on to `channels`, those of push and e-mail that are configured, through the queue."""

    def __init__(self, core: Core, hub: EventHub, mine: MyNotifications, channels: frozenset[str]) -> None:
        self._figures = core.figures
        self._hub = hub
        self._preferences, self._devices = mine.preferences, mine.devices
        self._channels = channels
        self._held = HeldNotifications(core)
        self._settings = core.settings.notifications
        self._tasks: list[asyncio.Task[None]] = []

    async def hand_on(self, told: ToldNotification, wishes: Preferences) -> None:
        """Promise what has to leave; repeating it changes nothing."""
        kind = told.event["type"]
        made_at = datetime.fromtimestamp(told.event["timestamp"] / 1000, UTC)
        expires_s = made_at.timestamp() + wishes.kind(kind).expires_s
        quiet_until = None if told.urgent else wishes.quiet_until(made_at)
        item = {key: told.event[key] for key in ("id", "type", "title", "body")}
        item |= {"expires_s": expires_s, "wanted_s": made_at.timestamp(), "urgent": told.urgent}
        for channel in (PUSH, EMAIL):
            if channel not in self._channels or not wishes.wants(kind, channel):
                continue
            if channel == PUSH and not await self._devices.of(told.user_id):
                continue
            if quiet_until is not None and quiet_until.timestamp() >= expires_s:
                self._figures.push_outcomes.add((channel, "expired"))
            elif quiet_until is None or not await self._keep(told, channel, quiet_until, item):
                await self._send(f"{told.event['id']}:{channel}", told, channel, item)

    async def _keep(self, told: ToldNotification, channel: str, until: datetime, item: dict[str, Any]) -> bool:
        return await self._held.add(told.club_id, told.user_id, channel, until, item)

    async def _send(
        self, job_id: str, whose: ToldNotification | HeldBundle, channel: str, item: dict[str, Any]
    ) -> None:
        job: Job = {"id": job_id, "kind": "send", "club_id": whose.club_id, "user_id": whose.user_id}
        await self._hub.promise({**job, "channel": channel, "item": item}, utc_now())

    def start(self) -> None:
        """Begin to look for quiet hours that have ended."""
        if self._channels:
            self._tasks = [asyncio.create_task(self._work())]

    async def stop(self) -> None:
        """Others go on."""
        await end(self._tasks)

    async def _work(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(self._settings.poll_s)
            try:
                for bundle in await self._held.take_due(self._settings.lease_s):
                    await self._release(bundle)
                if rounds % _COUNT_EVERY == 0:
                    waiting = await self._held.waiting()
                    self._figures.push_waiting.values = {(each,): waiting.get(each, 0) for each in self._channels}
                rounds += 1
            except (PyMongoError, RedisError, OSError, TimeoutError) as error:
                _log.warning("what waited for its time waits on: %s", error)
            except Exception:
                _log.exception("what waited for its time failed; it is tried again")

    async def _release(self, bundle: HeldBundle) -> None:
        """One message for all that is still of use. Its id is the bundle's, so that a crash does not double it."""
        now_s = utc_now().timestamp()
        alive = [item for item in bundle.items if item["expires_s"] > now_s]
        self._figures.push_outcomes.add((bundle.channel, "expired"), bundle.count - len(alive))
        wishes = await self._preferences.of(bundle.club_id, bundle.user_id)
        wanted = [item for item in alive if wishes.wants(item["type"], bundle.channel)]
        self._figures.push_outcomes.add((bundle.channel, "unwanted"), len(alive) - len(wanted))
        if wanted:
            item = {**_together(wanted, wishes.language), "wanted_s": bundle.due_at.timestamp()}
            await self._send(bundle.id, bundle, bundle.channel, item)
        await self._held.remove(bundle)


def _together(items: list[dict[str, Any]], language: str) -> dict[str, Any]:
    """The items as one; a single one as it is."""
    if len(items) == 1:
        return items[0]
    title, body = digest([item["title"] for item in items], language)
    kinds = {item["type"] for item in items}
    expires_s = max(item["expires_s"] for item in items)
    kind = kinds.pop() if len(kinds) == 1 else ALL_KINDS
    told = {"id": items[-1]["id"], "type": kind, "title": title, "body": body}
    return {**told, "expires_s": expires_s, "urgent": False}
