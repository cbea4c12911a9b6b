"""Rates and faults: calls that come too often, and calls that go wrong because somebody asked for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from starlette.responses import Response

from dbz.band.answers import COOL_DOWN, SERVER, UNAUTHORIZED, RefusalError

KINDS = ("fail", "malformed", "shapeless", "slow", "throttle", "unauthorized")


@dataclass
class CallRate:
    """At most `limit` calls with one access token in any `window_s` seconds."""

    limit: int
    window_s: float
    _times: dict[str, deque[float]] = field(default_factory=dict)

    def count(self, access: str) -> None:
        """Count a call; `RefusalError` with the seconds to wait when it is one too many."""
        now, times = time.monotonic(), self._times.setdefault(access, deque())
        while times and now - times[0] >= self.window_s:
            times.popleft()
        if len(times) >= self.limit:
            raise RefusalError(COOL_DOWN, max(1, math.ceil(self.window_s - (now - times[0]))))
        times.append(now)


@dataclass
class Fault:
    """What shall go wrong."""

    path: str
    """Of the calls that it strikes, `*` for all."""
    kind: str
    """One of `KINDS`."""
    times: int
    """How many calls it still strikes."""
    seconds: float = 1.0
    """How long `slow` waits, and what `throttle` asks the caller to wait."""


@dataclass
class StandInFaults:
    """The faults that were asked for, and what was answered."""

    delay_s: float = 0.0
    """What every call waits before it is answered."""
    wanted: list[Fault] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    """Number of answers by `path status`."""

    async def strike(self, path: str) -> Response | None:
        """The wrong answer to a call, or None when it shall be answered well; `RefusalError` for some."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        fault = next((each for each in self.wanted if each.path in (path, "*") and each.times > 0), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "malformed":
            return Response(b'{"result_code": 1, "result_data": {"items": [{"na', media_type="application/json")
        elif fault.kind == "shapeless":
            return Response(b'{"result_code": 1, "result_data": {"items": [7], "paging": 7}}')
        elif fault.kind == "throttle":
            raise RefusalError(COOL_DOWN, math.ceil(fault.seconds))
        else:
            raise RefusalError(UNAUTHORIZED if fault.kind == "unauthorized" else SERVER)
        return None
