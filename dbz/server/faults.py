"""Faults on purpose: a server that can be made slow, failing or leaking, to see whether anybody notices.

Only where it was started with `--faults`, which only a server on loopback takes, and only for admins.
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

_PATH = "/api/admin/faults"
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
    """What goes wrong now."""

    def __init__(self) -> None:
        self._now = FaultsBody()
        self._random = random.Random()
        self._leaked: list[bytes] = []
        self._leaking: asyncio.Task[None] | None = None

    def routes(self) -> list[Route]:
        """How admins see and change them."""
        show = Route(
            "GET",
            _PATH,
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
        if path == _PATH or not path.startswith("/api"):
            return
        if self._now.slow_ms:
            await asyncio.sleep(self._now.slow_ms / 1000)
        if self._random.random() < self._now.error_rate:
            raise ApiError(500, "fault", "a fault was asked for at /api/admin/faults")

    async def show(self, call: Call) -> Reply:
        """GET /api/admin/faults."""
        _check(call)
        leaked = sum(map(len, self._leaked)) / _MIB
        return Reply({**self._now.model_dump(), "leaked_mb": round(leaked, 1)})

    async def change(self, call: Call) -> Reply:
        """PUT /api/admin/faults."""
        _check(call)
        self._now = await call.body()
        if self._now.leak_mb_per_s and self._leaking is None:
            self._leaking = asyncio.create_task(self._leak())
        elif not self._now.leak_mb_per_s:
            await self.stop()
        return await self.show(call)

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
            self._leaked.append(b"x" * int(self._now.leak_mb_per_s * _MIB * (now_s - before_s)))
            before_s = now_s


def _check(call: Call) -> None:
    if not call.reader.is_admin:
        raise forbidden("only an admin may see and change faults")
