"""Faults of services apart: what an admin asks for at the gateway strikes the processes of that service, and no others.

They stand in Redis under the group's name, where each process looks four times a second. So one that is started later,
or again, has them too, and it does not matter how many processes a service or the gateway has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import orjson
from pydantic import Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.faults import FAULTS_PATH, Faults, FaultsBody, check_admin
from dbz.server.http.call import Call
from dbz.server.http.errors import ApiError
from dbz.server.http.reply import Reply
from dbz.server.http.route import Route
from dbz.server.http.schemas import NUMBER, record
from dbz.suggest import did_you_mean

LOOK_S = 0.25
_log = logging.getLogger(__name__)


class ServiceFaultsBody(FaultsBody):
    """What goes wrong from now on in a service; what is left out does not."""

    service: str = Field(default="", max_length=50)
    """Empty: in every service, which ends all faults when nothing else is said."""
    kill: bool = False
    """Whether the service's processes end now, as by kill -9; they are started again as any that ends."""


def _keys(group: str) -> tuple[str, str]:
    """Of the faults by service, and of how often each was killed."""
    return f"faults:{group}", f"faults:{group}:kills"


class FollowedFaults:
    """The faults of the service that this process is."""

    def __init__(self, redis: Redis, group: str, service: str, faults: Faults) -> None:
        self._redis = redis
        self._keys = _keys(group)
        self._service = service
        self._faults = faults
        self._said: bytes | None = None
        self._kills: int | None = None
        """How often the service was killed when this process first looked: none of these was meant for it."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop looking, and give back what has leaked."""
        if self._task is not None:
            await end([self._task])
        await self._faults.stop()

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("the faults of this service could not be read: %s", error)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        faults, kills = self._keys
        said: Any = await self._redis.hget(faults, self._service)
        killed = int(await self._redis.hget(kills, self._service) or 0)
        if self._kills is None:
            self._kills = killed
        elif killed > self._kills:
            _end_at_once()
        if said != self._said:
            self._said = said
            await self._faults.become(FaultsBody.model_validate(orjson.loads(said or b"{}")))


class AskedFaults:
    """How admins see and change the faults of all services: at the gateway."""

    def __init__(self, redis: Redis, group: str, services: Collection[str]) -> None:
        self._redis = redis
        self._keys = _keys(group)
        self._services = services

    def routes(self) -> list[Route]:
        """Of one path."""
        state = {name: record(slow_ms=NUMBER, error_rate=NUMBER, leak_mb_per_s=NUMBER) for name in self._services}
        show = Route(
            "GET",
            FAULTS_PATH,
            self.show,
            "What goes wrong on purpose, by service",
            cacheable=False,
            answers={200: record(**state)},
            refusals=(403,),
        )
        about = "Let something go wrong in a service"
        return [show, replace(show, method="PUT", handler=self.change, summary=about, body=ServiceFaultsBody)]

    async def show(self, call: Call) -> Reply:
        """GET /api/admin/faults."""
        check_admin(call)
        said: Any = await self._redis.hgetall(self._keys[0])
        nothing = FaultsBody().model_dump()
        return Reply({name: {**nothing, **orjson.loads(said.get(name.encode(), b"{}"))} for name in self._services})

    async def change(self, call: Call) -> Reply:
        """PUT /api/admin/faults: answered when each process has had the time to look."""
        check_admin(call)
        wanted: ServiceFaultsBody = await call.body()
        if wanted.service and wanted.service not in self._services:
            known = ", ".join(self._services)
            near = did_you_mean(wanted.service, list(self._services))
            raise ApiError(422, "invalid", f"there is no service '{wanted.service}'{near} (known: {known})")
        if wanted.kill and not wanted.service:
            raise ApiError(422, "invalid", "kill needs a service: which one?")
        said = orjson.dumps(wanted.model_dump(exclude={"service", "kill"}))
        names = [wanted.service] if wanted.service else list(self._services)
        faults, kills = self._keys
        await self._redis.hset(faults, mapping=dict.fromkeys(names, said))
        if wanted.kill:
            await self._redis.hincrby(kills, wanted.service, 1)
        await asyncio.sleep(2 * LOOK_S)
        return await self.show(call)


def _end_at_once() -> None:
    """As kill -9 of a process and of the supervisor that would only start a new worker in the same place."""
    supervisor = os.getppid()
    if supervisor > 1:
        os.kill(supervisor, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
