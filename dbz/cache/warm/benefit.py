"""What a warm-up is worth: a short load on a cold cache, and the same on a warmed one."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbz.bounded import DOCUMENT, parse_json, read_within
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import EVERYTHING, Selection
from dbz.cache.layers.stats import PUBLISH_S, Counts, added_up, processes
from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis
from dbz.children import Child, python_module
from dbz.errors import DependencyError
from dbz.measure.confidence import normal_quantile, share_interval

SCHEMA = "dbz.warm-comparison/1"
_DEADLINE_S = 120.0
_CONFIDENCE = 0.95
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}


@dataclass(frozen=True)
class ShortLoad:
    """Which load: users of the bundled profile `api`, all at once, for `duration_s`."""

    target: str
    users: int = 100
    duration_s: float = 10.0
    allowed: Sequence[str] = ()


@dataclass(frozen=True)
class CacheState:
    """One load's figures, by operation and by layer."""

    p95_ms: dict[str, float]
    requests: dict[str, int]
    hits: dict[str, tuple[int, int]]
    """Hits and misses of each layer."""
    p95_interval_ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Where the 95th percentile lies with 95 % confidence, taking requests for independent."""

    def hit_ratio_interval(self, layer: str) -> tuple[float, float] | None:
        """Where the share of hits lies with 95 % confidence, None when the layer was not asked for anything."""
        hits, misses = self.hits.get(layer, (0, 0))
        return share_interval(hits, hits + misses, _CONFIDENCE) if hits + misses else None

    def hit_ratio(self, layer: str) -> float | None:
        """The share of hits of a layer, None when it was not asked for anything."""
        hits, misses = self.hits.get(layer, (0, 0))
        return hits / (hits + misses) if hits + misses else None


@dataclass(frozen=True)
class WarmUpBenefit:
    """Both loads; `operations` are those that the warmers serve."""

    cold: CacheState
    warm: CacheState
    operations: list[str]

    def told_apart(self, name: str) -> bool:
        """Whether an operation's p95 differ by more than chance explains: their intervals do not overlap."""
        cold, warm = self.cold.p95_interval_ms.get(name), self.warm.p95_interval_ms.get(name)
        return cold is not None and warm is not None and (cold[0] > warm[1] or warm[0] > cold[1])

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        rows = [
            {
                "name": name,
                "cold_p95_ms": self.cold.p95_ms.get(name),
                "warm_p95_ms": self.warm.p95_ms.get(name),
                "cold_p95_interval_ms": _open_ended(self.cold.p95_interval_ms.get(name)),
                "warm_p95_interval_ms": _open_ended(self.warm.p95_interval_ms.get(name)),
                "told_apart": self.told_apart(name),
            }
            for name in self.operations
        ]
        ratios = {
            layer: {
                "cold": self.cold.hit_ratio(layer),
                "warm": self.warm.hit_ratio(layer),
                "cold_interval": self.cold.hit_ratio_interval(layer),
                "warm_interval": self.warm.hit_ratio_interval(layer),
            }
            for layer in ("local", "remote")
        }
        return {
            "schema": SCHEMA,
            "operations": rows,
            "hit_ratio": ratios,
            "next_steps": ["dbz cache stats", "dbz cache check"],
        }


async def compare(
    redis: AnyRedis,
    prefix: str,
    load: ShortLoad,
    operations: Sequence[str],
    warm: Callable[[], Awaitable[None]],
    say: Callable[[str], None],
) -> WarmUpBenefit:
    """Make all stale, load; make all stale, call `warm`, load again.

    Raises `DependencyError` when a load cannot be carried out, and redis-py's errors.
    """
    names = Names(prefix)
    everything = Selection((EVERYTHING,))
    await purge(redis, names, everything, Purge())
    say(f"cold: {load.users} users for {load.duration_s:g} s …")
    cold = await _side(redis, names, load)
    await purge(redis, names, everything, Purge())
    await warm()
    say(f"warm: {load.users} users for {load.duration_s:g} s …")
    after = await _side(redis, names, load)
    known = [name for name in dict.fromkeys(operations) if name in cold.p95_ms and name in after.p95_ms]
    return WarmUpBenefit(cold, after, known)


async def _side(redis: AnyRedis, names: Names, load: ShortLoad) -> CacheState:
    before = added_up(await processes(redis, names))
    run = await asyncio.to_thread(_run, load)
    await asyncio.sleep(2 * PUBLISH_S)  # so that the processes have published what the load did
    hits = _difference(before, added_up(await processes(redis, names)))
    operations = {one["name"]: one for one in run["operations"] if one["kind"] == "http"}
    p95_ms = {name: one["latency_ms"]["p95"] for name, one in operations.items()}
    counts = {name: one["count"] for name, one in operations.items()}
    intervals = {name: p95_interval_ms(one["latency_ms"], counts[name]) for name, one in operations.items()}
    return CacheState(p95_ms, counts, hits, intervals)


def _open_ended(interval: tuple[float, float] | None) -> list[float | None] | None:
    """An interval for JSON; null stands for an end that is open."""
    return None if interval is None else [end if math.isfinite(end) else None for end in interval]


def p95_interval_ms(latency_ms: Mapping[str, float | None], count: int) -> tuple[float, float]:
    """The interval of the 95th percentile of `count` requests, by the percentiles that are known of them.

    By ranks, as for order statistics: of how many requests more or fewer it may be. Between two known percentiles the
    farther one is taken, so that the interval is rather too wide.
    """
    known = [(share, value) for name, share in _SHARES.items() if (value := latency_ms.get(name)) is not None]
    off = normal_quantile(_CONFIDENCE) * math.sqrt(0.05 * 0.95 / max(1, count))
    below = [value for share, value in known if share <= 0.95 - off]
    above = [value for share, value in known if share >= 0.95 + off]
    return (below[-1] if below else 0.0), (above[0] if above else math.inf)


def _difference(before: Counts, after: Counts) -> dict[str, tuple[int, int]]:
    found = {}
    for layer in ("local", "remote"):
        hits, misses = (
            sum(layers.get(layer, {}).get(outcome, 0) for layers in after.values())
            - sum(layers.get(layer, {}).get(outcome, 0) for layers in before.values())
            for outcome in ("hit", "miss")
        )
        found[layer] = (hits, misses)
    return found


def _run(load: ShortLoad) -> dict[str, Any]:
    """The `run.json` of `dbz load`, run as a program of its own."""
    with tempfile.TemporaryDirectory(prefix="dbz-measure-") as name:
        folder = Path(name)
        what = ["load", "api", "--target", load.target, "--users", str(load.users), "--out", str(folder / "reports")]
        how = ["--duration", f"{load.duration_s:g}s", "--warmup", "0s", "--budgets", "none", "--no-live"]
        allowed = [part for host in load.allowed for part in ("--allow-target", host)]
        argv = python_module("dbz.cli.main", *what, *how, *allowed)
        with Child("dbz load", argv, log=folder / "load.log") as child:
            child.wait(load.duration_s + _DEADLINE_S)
            runs = list((folder / "reports").glob("*/run.json"))
            if not runs:
                raise DependencyError(f"the load could not be carried out:\n{child.log_tail()}", code="C007")
        document: dict[str, Any] = parse_json(read_within(runs[0], DOCUMENT), str(runs[0]))
        if not any(one["kind"] == "http" for one in document["operations"]):
            raise DependencyError(
                "the load made no request that could be measured", hint="is the target's API up?", code="C007"
            )
        return document
