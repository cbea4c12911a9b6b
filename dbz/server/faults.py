"""Faults on purpose: a server that can be made slow, failing or leaking, to see whether anybody notices.

Only where it was started with `--faults`, which only a server on loopback takes, and only for admins. With services
apart each service has faults of its own (`dbz/server/apart/faults.py`).
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from pydantic import Field

from dbz.background import end
from dbz.server.http.call import Call
from dbz.server.http.errors import ApiError, forbidden
from dbz.server.http.models import Body
from dbz.server.http.reply import Reply
from dbz.server.http.route import Route
from dbz.server.http.schemas import NUMBER, record

FAULTS_PATH = "/api/admin/faults"
_STRUCK = ("/api", "/media", "/internal")
"""What is struck begins so: what clients ask for, and what services ask each other for; never health and metrics."""
_LEAK_EVERY_S = 0.1
_MOST_LEAKED_BYTES = 4_000_000_000
_MIB = 1024 * 1024
_STATE = record(slow_ms=NUMBER, error_rate=NUMBER, leak_mb_per_s=NUMBER, leaked_mb=NUMBER)


class FaultsBody(Body):
    """What goes wrong from now on; what is left out does not."""

    slow_ms: float = Field(default=0.0, ge=0, le=60_000, strict=False)
    """How much longer each answer takes."""
    error_rate: float = Field(default=0.0, ge=0, le=1, strict=False)
    """Which share of the answers is a 500."""
    leak_mb_per_s: float = Field(default=0.0, ge=0, le=1000, strict=False)
    """How many MiB are taken each second and never given back, until this is 0 again."""


class Faults:
    """What goes wrong now in this process."""

    def __init__(self) -> None:
        self.now = FaultsBody()
        self._random = random.Random()
        self._leaked: list[bytes] = []
        self._leaking: asyncio.Task[None] | None = None

    def routes(self) -> list[Route]:
        """How admins see and change them, where one process is all services."""
        show = Route(
            "GET",
            FAULTS_PATH,
            self.show,
            "What goes wrong on purpose",
            cacheable=False,
            answers={200: _STATE},
            refusals=(403,),
        )
        about = "Let something go wrong"
        return [show, replace(show, method="PUT", handler=self.change, summary=about, body=FaultsBody)]

    async def strike(self, path: str) -> None:
        """Do to a request what goes wrong now: wait, or raise a 500; what ends the faults is spared."""
        if path == FAULTS_PATH or not path.startswith(_STRUCK):
            return
        if self.now.slow_ms:
            await asyncio.sleep(self.now.slow_ms / 1000)
        if self._random.random() < self.now.error_rate:
            raise ApiError(500, "fault", f"a fault was asked for at {FAULTS_PATH}")

    async def show(self, call: Call) -> Reply:
        """GET /api/admin/faults."""
        check_admin(call)
        leaked = sum(map(len, self._leaked)) / _MIB
        return Reply({**self.now.model_dump(), "leaked_mb": round(leaked, 1)})

    async def change(self, call: Call) -> Reply:
        """PUT /api/admin/faults."""
        check_admin(call)
        await self.become(await call.body())
        return await self.show(call)

    async def become(self, wanted: FaultsBody) -> None:
        """Let this go wrong from now on, and nothing else."""
        self.now = wanted
        if wanted.leak_mb_per_s and self._leaking is None:
            self._leaking = asyncio.create_task(self._leak())
        elif not wanted.leak_mb_per_s:
            await self.stop()

    async def stop(self) -> None:
        """Give back what has leaked."""
        if self._leaking is not None:
            await end([self._leaking])
        self._leaking = None
        self._leaked.clear()

    async def _leak(self) -> None:
        before_s = time.monotonic()
        while sum(map(len, self._leaked)) < _MOST_LEAKED_BYTES:
            await asyncio.sleep(_LEAK_EVERY_S)
            now_s = time.monotonic()
            # Written to: untouched memory is none that anybody could measure.
            self._leaked.append(b"x" * int(self.now.leak_mb_per_s * _MIB * (now_s - before_s)))
            before_s = now_s


def check_admin(call: Call) -> None:
    """`ApiError` for readers who may not see or change faults."""
    if not call.reader.is_admin:
        raise forbidden("only an admin may see and change faults")
