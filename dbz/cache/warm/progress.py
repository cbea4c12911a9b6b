"""What a warm-up has done so far, warmer by warmer."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bson import json_util

from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis
from dbz.config.warmup import Warmer

SCHEMA = "dbz.warm/1"

LEFT_OUT = "left out"
"""The state of a warmer whose documents name no club, when only some clubs are warmed."""
PRESENT = "present"
CHANGED = "changed"
UNUSABLE = "unusable"
SKIPPED = {
    PRESENT: "there already",
    CHANGED: "changed all the time",
    UNUSABLE: "without a key or a JSON form",
}
"""Why a value was not written."""


@dataclass
class Tally:
    """One warmer's figures; `expected` is the number of keys that it will try to write, as far as it is known."""

    name: str
    expected: int = 0
    documents: int = 0
    keys: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why documents could not be used, with the field."""
    state: str = "waiting"
    began_s: float = 0.0
    seconds: float = 0.0

    @property
    def handled(self) -> int:
        """Keys that were written or skipped."""
        return self.keys + self.skipped.total()

    @property
    def in_vain(self) -> str:
        """Why it ended without any key in the cache; empty when it has not, or left nothing there to do."""
        if self.state != "done" or self.handled - self.skipped[UNUSABLE]:
            return ""
        if self.documents:
            why, count = next(iter(self.reasons.most_common(1)), ("they cannot be used", self.documents))
            return f"{count:,} of {self.documents:,} documents: {why}"
        return "no document matches"

    @property
    def keys_per_s(self) -> float:
        """Keys written a second."""
        return self.keys / self.seconds if self.seconds > 0 else 0.0

    def begin(self) -> None:
        """The warmer's work begins."""
        self.state, self.began_s = "running", time.monotonic()

    def end(self, state: str) -> None:
        """The warmer's work has ended: `done`, or `stopped` before its end."""
        self.state, self.seconds = state, time.monotonic() - self.began_s

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "state": self.state,
            "documents": self.documents,
            "keys": self.keys,
            "bytes": self.bytes,
            "skipped": {why: self.skipped[why] for why in SKIPPED},
            "reasons": dict(self.reasons),
            "seconds": round(self.seconds, 3),
            "keys_per_s": round(self.keys_per_s, 1),
        }


@dataclass
class WarmReport:
    """The figures of all warmers. `stopped` says why the warm-up ended early, empty when it is complete.

    `resumed` is how many warmers had been finished, or begun, by an earlier warm-up that was interrupted.
    """

    tallies: list[Tally]
    seconds: float = 0.0
    stopped: str = ""
    resumed: int = 0

    @property
    def keys(self) -> int:
        """Keys written by all warmers."""
        return sum(tally.keys for tally in self.tallies)

    @property
    def in_vain(self) -> list[str]:
        """Warmers none of whose documents could be used; all that wrote nothing, when nothing at all is there now."""
        idle = [tally for tally in self.tallies if tally.in_vain]
        worked = any(tally.handled - tally.skipped[UNUSABLE] for tally in self.tallies) or self.resumed or self.stopped
        return [f"{tally.name}: {tally.in_vain}" for tally in idle if tally.documents or not worked]

    @property
    def bytes(self) -> int:
        """Bytes written by all warmers, keys and values."""
        return sum(tally.bytes for tally in self.tallies)

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": SCHEMA,
            "complete": not self.stopped,
            "stopped": self.stopped,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "keys": self.keys,
            "bytes": self.bytes,
            "warmers": [tally.document() for tally in self.tallies],
            "next_steps": ["dbz cache warm"] if self.stopped else ["dbz cache stats", "dbz cache check"],
        }


DONE = "done"
_KEPT_S = 600.0
_PURGES = ""
"""The field beside those of the warmers: how many purges there had been when the warm-up began."""
_SAVE_EVERY_S = 0.25


class Checkpoint:
    """Positions of the warmers of one kind of warm-up. It is gone before the first of its keys can expire, and holds no
    longer when somebody has made keys stale meanwhile.

    `places` says what the positions refer to: when clubs lie elsewhere, there are none.
    """

    def __init__(self, redis: AnyRedis, prefix: str, warmers: list[Warmer], clubs: Iterable[str], places: str) -> None:
        text = repr([one.model_dump() for one in warmers]) + repr(sorted(clubs)) + places
        self._redis: Any = redis
        self._names = Names(prefix)
        self._key = self._names.checkpoint(hashlib.sha256(text.encode()).hexdigest()[:16])
        self._purges = b"0"
        self._keep_ms = int(min(_KEPT_S, *(one.ttl / 2 for one in warmers)) * 1000)
        self._save_at: dict[str, float] = {}

    async def load(self) -> dict[str, Any]:
        """{warmer: its position, or `DONE`}."""
        self._purges = await self._redis.get(self._names.purges) or b"0"
        stored = await self._redis.hgetall(self._key)
        if stored.pop(_PURGES.encode(), b"0") != self._purges:
            await self.remove()
            return {}
        try:
            return {name.decode(): json_util.loads(text) for name, text in stored.items()}
        except Exception:  # the codec raises whatever it meets; a damaged checkpoint is none
            return {}

    async def save(self, warmer: str, position: Any) -> None:
        """Remember a position; most calls do nothing, because a position that is a little old is as good."""
        now = time.monotonic()
        if position != DONE and now < self._save_at.get(warmer, 0.0):
            return
        self._save_at[warmer] = now + _SAVE_EVERY_S
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(self._key, mapping={warmer: json_util.dumps(position), _PURGES: self._purges})
        pipe.pexpire(self._key, self._keep_ms)
        await pipe.execute()

    async def remove(self) -> None:
        """The warm-up is complete, or is to begin anew."""
        await self._redis.unlink(self._key)
