"""Counters of one process's cache, by layer, outcome and key family, and which keys are asked for most."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from dbz.cache.names import Names, family
from dbz.cache.nodes import AnyRedis

LAYERS = ("local", "remote")
OUTCOMES = ("hit", "miss", "error")
_SAMPLE_EVERY = 16
_MAX_SAMPLED = 2000
_HOTTEST = 20


class CacheStats:
    """Hits, misses and failures of the layers `local` and `remote`, and the loads behind them."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._sampled: Counter[str] = Counter()
        self._until_sample = _SAMPLE_EVERY
        self.loads = 0
        self.load_errors = 0
        self.load_s = 0.0

    def hit(self, layer: str, keys: Collection[str]) -> None:
        """Count keys that `layer` had."""
        self._count(layer, "hit", keys)

    def miss(self, layer: str, keys: Collection[str]) -> None:
        """Count keys that `layer` did not have."""
        self._count(layer, "miss", keys)

    def failed(self, layer: str, keys: Collection[str]) -> None:
        """Count keys that `layer` could not be asked for."""
        self._count(layer, "error", keys)

    def _count(self, layer: str, outcome: str, keys: Collection[str]) -> None:
        names = {*map(family, keys)}
        if len(names) == 1:  # as always but for callers of our own
            self._requests[layer, outcome, names.pop()] += len(keys)
        elif names:
            self._requests.update((layer, outcome, family(key)) for key in keys)
        if layer == "local":
            self._sample(keys)

    def _sample(self, keys: Collection[str]) -> None:
        """Remember one key of 16, at random. When there are too many, old ones fade, so that what is hot now stays."""
        number = len(keys)
        if number < self._until_sample:
            self._until_sample -= number
            return
        in_order, position = tuple(keys), self._until_sample - 1
        while position < number:
            self._sampled[in_order[position]] += _SAMPLE_EVERY
            # Uneven steps, 16 in the mean: lists are read in equal ones.
            position += 1 + int(random.random() * (2 * _SAMPLE_EVERY - 1))
        self._until_sample = position - number + 1
        if len(self._sampled) > _MAX_SAMPLED:
            self._sampled = Counter({key: count // 2 for key, count in self._sampled.most_common(_MAX_SAMPLED // 2)})

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Count and time one run of a loader."""
        start = time.perf_counter()
        self.loads += 1
        try:
            yield
        except BaseException:
            self.load_errors += 1
            raise
        finally:
            self.load_s += time.perf_counter() - start

    def snapshot(self) -> dict[str, dict[str, int]]:
        """{layer: {outcome: count}} of every layer and outcome, zeros included."""
        found = {layer: dict.fromkeys(OUTCOMES, 0) for layer in LAYERS}
        for (layer, outcome, _), count in self._requests.items():
            found[layer][outcome] += count
        return found

    def document(self) -> dict[str, Any]:
        """All figures as plain data: `families` is {family: {layer: {outcome: count}}}, `hottest` (key, requests)."""
        families: dict[str, dict[str, dict[str, int]]] = {}
        for (layer, outcome, name), count in self._requests.items():
            families.setdefault(name, {}).setdefault(layer, {})[outcome] = count
        return {
            "families": families,
            "hottest": self._sampled.most_common(_HOTTEST),
            "loads": self.loads,
            "load_errors": self.load_errors,
            "load_s": self.load_s,
        }


PUBLISH_S = 1.0
_FRESH_S = 5.0
KEPT_S = 60

Counts = dict[str, dict[str, dict[str, int]]]
"""{family: {layer: {outcome: number of keys}}}"""


@dataclass(frozen=True)
class ProcessFigures:
    """One process: its local layer's entries and bytes, what it was asked for, and what it is asked for most."""

    name: str
    at_s: float
    entries: int
    size_bytes: int
    max_bytes: int
    families: Counts
    hottest: list[tuple[str, int]]
    loads: int
    load_errors: int = 0
    load_s: float = 0.0


async def processes(redis: AnyRedis, names: Names) -> list[ProcessFigures]:
    """The figures of all processes that have published some in the last seconds; forgets those that are long gone."""
    client: Any = redis
    found = []
    for name, text in (await client.hgetall(names.statistics)).items():
        try:
            figures = orjson.loads(text)
            age_s = time.time() - figures["at_s"]
            figures["hottest"] = [(key, count) for key, count in figures["hottest"]]
            published = ProcessFigures(name=name.decode(), **figures)
        except (ValueError, TypeError, KeyError):
            continue  # of another version, or of somebody else
        if age_s > KEPT_S:
            await client.hdel(names.statistics, name)
        if abs(age_s) <= _FRESH_S:
            found.append(published)
    return sorted(found, key=lambda process: process.name)


def added_up(each: list[ProcessFigures]) -> Counts:
    """The counts of all processes together."""
    total: Counts = {}
    for process in each:
        for name, layers in process.families.items():
            for layer, outcomes in layers.items():
                into = total.setdefault(name, {}).setdefault(layer, {})
                for outcome, count in outcomes.items():
                    into[outcome] = into.get(outcome, 0) + count
    return total
