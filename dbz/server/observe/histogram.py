"""Counters and histograms that are cheap to update, add up over processes, and are shown as Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import add
from typing import Any

from dbz.server.observe.exposition import family_head, label_block, sample_line

# About ten a decade from 0.1 ms to 10 s, with exact bounds where the budgets are.
FINE_BOUNDS_S = (
    *(
        round(mantissa * 10.0**power, 7)
        for power in range(-4, 1)
        for mantissa in (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
    ),
    10.0,
)

DELAY_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0)
"""Of what may wait for another try for hours."""


class Counters:
    """Numbers by label values, that only grow."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        """Add `amount` to the number with these label values."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def dump(self) -> list[Any]:
        """The state as JSON-able rows."""
        return [[list(labels), value] for labels, value in self.values.items()]

    def merge(self, rows: Iterable[Any]) -> None:
        """Add the rows that another process dumped."""
        for labels, value in rows:
            self.add(tuple(labels), value)

    def lines(self) -> Iterator[str]:
        """The metric as Prometheus text."""
        name = f"{self.name}_total"
        yield family_head(name, "counter", self.text)
        for labels, value in self.values.items():
            yield sample_line(name, label_block(self.labels, labels), value)


class Levels(Counters):
    """Numbers by label values, that rise and fall; of several processes the highest counts."""

    def merge(self, rows: Iterable[Any]) -> None:
        """Take what another process dumped where it is higher."""
        for labels, value in rows:
            self.values[tuple(labels)] = max(value, self.values.get(tuple(labels), value))

    def lines(self) -> Iterator[str]:
        """The metric as Prometheus text."""
        yield family_head(self.name, "gauge", self.text)
        for labels, value in self.values.items():
            yield sample_line(self.name, label_block(self.labels, labels), value)


class Histograms:
    """Durations in seconds by label values, counted in buckets."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], bounds: tuple[float, ...] = FINE_BOUNDS_S
    ) -> None:
        self.name, self.text, self.labels, self.bounds = name, text, labels, bounds
        self.counts: dict[tuple[str, ...], list[int]] = {}
        self.sums: dict[tuple[str, ...], float] = {}
        self._bounds = (*map(str, bounds), "+Inf")

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        """Count one duration."""
        counts = self.counts.get(labels)
        if counts is None:
            counts = self.counts[labels] = [0] * (len(self.bounds) + 1)
            self.sums[labels] = 0.0
        counts[bisect_left(self.bounds, seconds)] += 1
        self.sums[labels] += seconds

    def total(self, labels: tuple[str, ...]) -> tuple[int, float]:
        """How many durations were counted with these label values, and their sum in seconds."""
        return sum(self.counts.get(labels, ())), self.sums.get(labels, 0.0)

    def dump(self) -> list[Any]:
        """The state as JSON-able rows."""
        return [[list(labels), self.sums[labels], counts] for labels, counts in self.counts.items()]

    def merge(self, rows: Iterable[Any]) -> None:
        """Add the rows that another process dumped."""
        for labels, total_s, counts in rows:
            key = tuple(labels)
            mine = self.counts.get(key)
            self.counts[key] = list(counts) if mine is None else list(map(add, mine, counts))
            self.sums[key] = self.sums.get(key, 0.0) + total_s

    def lines(self) -> Iterator[str]:
        """The metric as Prometheus text."""
        yield family_head(self.name, "histogram", self.text)
        for labels, counts in self.counts.items():
            block = label_block(self.labels, labels)
            # Some thousand lines: this is most of what a page costs.
            head, rest = f'{self.name}_bucket{{le="', f'",{block[1:]} '
            buckets = zip(self._bounds, accumulate(counts), strict=True)
            yield "".join([f"{head}{bound}{rest}{running}.0\n" for bound, running in buckets])
            yield sample_line(f"{self.name}_count", block, sum(counts))
            yield sample_line(f"{self.name}_sum", block, self.sums[labels])
