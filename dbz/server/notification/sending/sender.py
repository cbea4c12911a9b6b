"""Carries out the jobs that send: to each device or address of a member once, through the provider that reaches it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dbz.server.core import Core
from dbz.server.events.queue import Job, JobLaterError
from dbz.server.notification.devices import Device, Devices
from dbz.server.notification.preferences import ALL_KINDS, EMAIL, PUSH, Preferences, PreferenceStore
from dbz.server.notification.sending.ledger import SendLedger
from dbz.server.pacing.pace import CallPace
from dbz.server.push.opening import SMTP
from dbz.server.push.provider import (
    DeadAddressError,
    MessageRefusedError,
    ProviderAwayError,
    ProviderBusyError,
    PushMessage,
    PushProvider,
)
from dbz.server.seams import Members
from dbz.server.values.clock import utc_now

_log = logging.getLogger(__name__)
_PATIENCE_S = 1.0
_MARGIN_S = 5.0
Word = Callable[[PushMessage, Job, Preferences], PushMessage]
"""Adds to a message what its way needs."""


@dataclass(frozen=True)
class _Goal:
    """Where a job sends to."""

    provider: str
    address: str
    id: str
    """Names the address in the ledger."""
    device: Device | None = None


class Sender:
    """Sends. `words` adds to mails what they need beside title and body."""

    def __init__(
        self,
        core: Core,
        providers: Mapping[str, PushProvider],
        members: Members,
        preferences: PreferenceStore,
        devices: Devices,
        words: Word,
    ) -> None:
        self._settings = core.settings.push
        self._figures = core.figures
        self._providers = providers
        self._members, self._preferences, self._devices = members, preferences, devices
        self._words = words
        self._ledger = SendLedger(core)
        self._paces = {name: CallPace(core.redis, f"push:{name}", self._settings.pace_s) for name in providers}
        self._under_way = 0

    async def perform(self, job: Job) -> None:
        """Send what a job says to all that its member has; `JobLaterError` while something of it is left."""
        if self._under_way >= self._settings.concurrency:
            raise JobLaterError("enough is being sent", random.uniform(0.1, 0.3))
        self._under_way += 1
        try:
            await self._perform(job)
        finally:
            self._under_way -= 1

    async def _perform(self, job: Job) -> None:
        item, channel = job["item"], job["channel"]
        wishes = await self._preferences.of(job["club_id"], job["user_id"])
        # Of what was put together out of several kinds each was asked for when that was done.
        if item["type"] != ALL_KINDS and not wishes.wants(item["type"], channel):
            self._figures.push_outcomes.add((channel, "unwanted"))
            return
        if self._ends_in_quiet_hours(item, channel, wishes):
            return
        goals = await self._goals(job, wishes)
        results = await asyncio.gather(*(self._reach(job, goal, wishes) for goal in goals), return_exceptions=True)
        later = [each for each in results if isinstance(each, JobLaterError)]
        failures = [each for each in results if isinstance(each, BaseException) and each not in later]
        if failures:
            raise failures[0]
        if later:
            raise max(later, key=lambda each: each.pause_s)

    def _ends_in_quiet_hours(self, item: dict[str, Any], channel: str, wishes: Preferences) -> bool:
        """Whether it expires in quiet hours that have begun since it was due; `JobLaterError` when it outlives them.

        It was due before them when a provider, the queue or this service was away, or the member has changed them.
        """
        now = utc_now()
        until = None if item["urgent"] else wishes.quiet_until(now)
        if until is None or until.timestamp() <= item["wanted_s"]:  # it has waited for the end of these already
            return False
        if until.timestamp() >= item["expires_s"]:
            self._figures.push_outcomes.add((channel, "expired"))
            return True
        after = {**item, "wanted_s": until.timestamp()}
        raise JobLaterError("its member's quiet hours have begun", (until - now).total_seconds(), item=after)

    async def _goals(self, job: Job, wishes: Preferences) -> list[_Goal]:
        if job["channel"] == PUSH:
            platforms = [name for name in self._providers if name != SMTP]
            found = await self._devices.reachable(job["user_id"], platforms)
            return [_Goal(each["platform"], each["token"], each["_id"], each) for each in found]
        assert job["channel"] == EMAIL
        address = await self._members.address_of(job["user_id"])
        if SMTP not in self._providers or not address or address == wishes.row.get("bounced"):
            return []
        return [_Goal(SMTP, address, EMAIL)]

    async def _reach(self, job: Job, goal: _Goal, wishes: Preferences) -> None:
        send_id = f"{job['id']}:{goal.id}"
        if job["item"]["expires_s"] <= time.time():
            self._count(goal, "expired")
            return
        await self._wait_for_turn(job, goal)
        claim = await self._ledger.claim(job["club_id"], send_id, self._settings.timeout_s * 2 + _MARGIN_S)
        if claim == "busy":
            raise JobLaterError("another process is sending this", self._settings.timeout_s)
        if claim == "ended":
            return
        try:
            await self._providers[goal.provider].send(self._words(_message(job, goal), job, wishes))
        except DeadAddressError as error:
            await self._forget(job, goal, error)
            await self._end(job, goal, send_id, "dead" if error.certain else "unknown")
        except (ProviderBusyError, ProviderAwayError) as error:
            await self._ledger.let_go(job["club_id"], send_id)
            raise await self._again(job, goal, error) from None
        except MessageRefusedError:
            self._count(goal, "refused")
            await self._ledger.let_go(job["club_id"], send_id)
            raise
        else:
            await self._end(job, goal, send_id, "sent")
            self._figures.push_delays.observe((job["channel"],), max(0.0, time.time() - job["item"]["wanted_s"]))

    async def _wait_for_turn(self, job: Job, goal: _Goal) -> None:
        pace = self._paces[goal.provider]
        if await pace.turn(_PATIENCE_S) < 0:
            left_s = max(await pace.paused_s(), _PATIENCE_S)
            raise JobLaterError(
                f"{goal.provider} is left alone", left_s + random.uniform(0.0, self._backoff_s(job) / 2)
            )

    async def _again(self, job: Job, goal: _Goal, error: ProviderBusyError | ProviderAwayError) -> JobLaterError:
        self._count(goal, "busy" if isinstance(error, ProviderBusyError) else "away")
        pause_s = self._backoff_s(job) * random.uniform(0.5, 1.0)
        if isinstance(error, ProviderBusyError):
            if error.everybody:
                await self._paces[goal.provider].pause(error.retry_after_s)
            pause_s += error.retry_after_s
        _log.warning("a notification is sent later: %s", error, extra={"provider": goal.provider, "job": job["id"]})
        return JobLaterError(str(error), pause_s, tries=int(job.get("tries", 0)) + 1)

    def _backoff_s(self, job: Job) -> float:
        doublings = min(int(job.get("tries", 0)), 30)
        return min(self._settings.retry_base_s * 2.0**doublings, self._settings.retry_max_s)

    async def _forget(self, job: Job, goal: _Goal, error: DeadAddressError) -> None:
        """Nothing goes there any more."""
        if goal.device is None:
            await self._preferences.bounced(job["club_id"], job["user_id"], goal.address)
        elif error.certain:
            await self._devices.bury(goal.device, error.since_ms)
        else:
            await self._devices.refuse(goal.device, str(error))

    async def _end(self, job: Job, goal: _Goal, send_id: str, outcome: str) -> None:
        await self._ledger.end(job["club_id"], send_id, outcome)
        self._count(goal, outcome)

    def _count(self, goal: _Goal, outcome: str) -> None:
        self._figures.push_outcomes.add((goal.provider, outcome))


def _message(job: Job, goal: _Goal) -> PushMessage:
    item: dict[str, Any] = job["item"]
    told = (item["type"], item["title"], item["body"], float(item["expires_s"]))
    return PushMessage(job["id"], goal.address, *told, urgent=bool(item["urgent"]))
