"""From what was recorded to the value of a statistic, with its interval and the error of its histogram."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from dbz.measure.budget.counted import Counted
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.metrics import SAMPLED_KINDS, SHARE, Selector, apdex_threshold_ms, percent_of
from dbz.measure.confidence import (
    CONFIDENCE,
    Interval,
    effective_count,
    effective_length,
    mean_half_width,
    normal_quantile,
    rank_interval,
    share_interval,
)
from dbz.measure.latency import series
from dbz.measure.latency.answers import AnswerSums
from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram, merged, rank_of
from dbz.measure.latency.series import Series
from dbz.measure.latency.summaries import Summaries
from dbz.measure.latency.tags import Tags
from dbz.measure.student import t_quantile

Kept = Mapping[str, tuple[int, int]]
"""By event: how many messages went wrong, of how many that were expected."""


@dataclass
class Measurements:
    """All that was measured in a part of a run, or imported."""

    seconds: float
    """The length of that part."""
    latencies: dict[Series, Latency] = field(default_factory=dict)
    gauges: dict[str, Sequence[float]] = field(default_factory=dict)
    """Readings by metric: shares as fractions of one, memory in bytes."""
    parts: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    """The same for gauges with a label, by metric and label."""
    queries: dict[str, Buckets] = field(default_factory=dict)
    """The server's own timings by name of the query."""
    probes: tuple[int, int] = (0, 0)
    """How many health probes were answered, of how many that were due."""
    deliveries: Mapping[str, Kept] = field(default_factory=dict)
    """By metric: what went wrong."""
    answers: Mapping[str, AnswerSums] = field(default_factory=dict)
    """By HTTP operation: where the time of answered requests went, and how large the answers were."""
    blocks: Sequence[Mapping[Series, Latency]] = ()
    """The latencies of equal stretches of time, for intervals that know of correlated samples; without them samples
    count as independent."""
    waiting: Mapping[Series, Histogram] = field(default_factory=dict)
    """How long requests had been waiting that had no answer: each is a latency of at least so much."""
    counters: Mapping[str, Counted] = field(default_factory=dict)
    """What the scenario counted, by name."""
    tagged: Mapping[Tags, Measurements] = field(default_factory=dict)
    """The samples with each combination of tags, those without any among them: latencies and blocks only. Empty where
    no sample has tags."""
    summaries: Summaries = field(default_factory=Summaries)
    """The finished figures of other tools."""

    def seen_by(self, selector: Selector) -> Measurements:
        """What there is for a selector: everything, or the samples whose tags it takes."""
        return self.with_tags(selector.takes_tags) if selector.tags else self

    def with_tags(self, takes: Callable[[Tags], bool]) -> Measurements:
        """The samples whose tags are taken: latencies and blocks only."""
        chosen = [found for tags, found in self.tagged.items() if takes(tags)]
        return Measurements(
            seconds=self.seconds,
            latencies=_added(found.latencies for found in chosen),
            blocks=[_added(blocks) for blocks in zip(*(found.blocks for found in chosen), strict=True)],
        )

    def names(self, metric: str) -> list[str]:
        """What the parts of a metric are called that were measured, in order; empty for one without parts."""
        named = {of.name for of in (*self.latencies, *self.summaries.by_series) if of.kind == metric and of.name}
        named |= set(self.parts.get(metric, ())) | set(self.deliveries.get(metric, ()))
        named |= set(self.queries) if metric == "server.query" else set()
        return sorted(named | (set(self.counters) if metric == "counter" else set()))

    def attempts(self, kinds: Iterable[str], selector: Selector | None = None) -> Latency:
        """All attempts of some kinds, or those that a selector takes."""
        return combined(_taking(tuple(kinds), selector)(self.latencies))

    def with_waiting(self, kinds: Iterable[str], selector: Selector | None = None) -> Latency:
        """The same attempts, and those that have no answer yet with the time that they had been waiting at least."""
        attempts = self.attempts(kinds, selector)
        ages = [
            ages
            for of, ages in self.waiting.items()
            if of.kind in kinds and (selector is None or selector.matches(of.name))
        ]
        return replace(attempts, ok=merged([attempts.ok, *ages])) if ages else attempts

    def attempts_by_block(self, kinds: Iterable[str], selector: Selector | None = None) -> list[Latency]:
        """The same for each stretch of time; empty when they are not known."""
        takes = _taking(tuple(kinds), selector)
        return [combined(takes(block)) for block in self.blocks]


def _added(parts: Iterable[Mapping[Series, Latency]]) -> dict[Series, Latency]:
    """Several latencies by series, each added up."""
    by_series: dict[Series, list[Latency]] = {}
    for part in parts:
        for of, latency in part.items():
            by_series.setdefault(of, []).append(latency)
    return {of: combined(latencies) for of, latencies in by_series.items()}


def _taking(
    kinds: tuple[str, ...], selector: Selector | None
) -> Callable[[Mapping[Series, Latency]], Iterable[Latency]]:
    """What picks the latencies that are meant; it looks at each series once, in however many blocks it is."""
    if selector is not None and (name := selector.only_name) is not None:
        wanted = [Series(kind, name) for kind in kinds]
        return lambda latencies: [latencies[of] for of in wanted if of in latencies]

    @cache
    def takes(of: Series) -> bool:
        return of.kind in kinds and (selector is None or selector.matches(of.name))

    return lambda latencies: [one for of, one in latencies.items() if takes(of)]


def measure(selector: Selector, stat: str, found: Measurements, confidence: float = CONFIDENCE) -> Measured | None:
    """The value of `stat` over what the selector takes; None when nothing of it was measured."""
    metric, found = selector.metric, found.seen_by(selector)
    if metric.name == "uptime":
        answered, every = found.probes
        return Measured(answered / every, every) if every else None
    if metric.name == "server.query":
        return _of_buckets([one for name, one in found.queries.items() if selector.matches(name)], stat, confidence)
    if metric.name == "counter":
        return _of_counters(selector, stat, found, confidence)
    if metric.name in found.deliveries:
        return _of_kept(found.deliveries[metric.name], selector, stat, confidence)
    if metric.name == "errors" or metric.name in SAMPLED_KINDS:
        return _of_attempts(selector, stat, found, confidence) or found.summaries.measure(selector, stat, confidence)
    if metric.label:
        parts = found.parts.get(metric.name, {})
        values = [value for name, part in parts.items() if selector.matches(name) for value in part]
        values += found.gauges.get(metric.name, ()) if not selector.filters else ()
        return _of_gauge(values, stat, confidence, share=metric.unit == SHARE)
    return _of_gauge(found.gauges.get(metric.name, ()), stat, confidence, share=metric.unit == SHARE)


_OF_THE_ANSWERED = ("error_rate", "rate", "count")


def _of_attempts(selector: Selector, stat: str, found: Measurements, confidence: float) -> Measured | None:
    """Rates and counts are of successes: a server that refuses everything at once has no throughput.

    A latency is of what was answered and of what was waiting for an answer: a server that falls silent leaves few
    samples, and all of them from before.
    """
    every = selector.metric.unit == SHARE
    kinds, chosen = (series.REQUEST_KINDS, None) if every else ((selector.metric.name,), selector)
    whole = found.attempts(kinds, chosen) if stat in _OF_THE_ANSWERED else found.with_waiting(kinds, chosen)
    if not whole.count:
        return None
    blocks = found.attempts_by_block(kinds, chosen)
    percent, threshold_ms = percent_of(stat), apdex_threshold_ms(stat)
    if percent is not None:
        return _percentile(whole, blocks, percent, confidence)
    if threshold_ms is not None:
        return _apdex(whole, blocks, threshold_ms, confidence)
    if stat == "mean":
        return _mean(whole, blocks, confidence)
    if stat == "error_rate":
        worth = effective_count([(one.count, one.errors) for one in blocks], confidence) if blocks else whole.count
        low, high = share_interval(whole.error_rate * worth, worth, confidence)
        return Measured(whole.error_rate, whole.count, low, high)
    if stat == "rate":
        return _rate(whole, blocks, found.seconds, confidence)
    return Measured({"max": whole.max_ms, "count": float(len(whole.ok))}[stat], whole.count)


def _percentile(whole: Latency, blocks: Sequence[Latency], percent: float, confidence: float) -> Measured:
    low_ms, value_ms = whole.bounds_at_rank_ms(rank_of(percent, whole.count))
    worth = float(whole.count)
    if blocks and not math.isinf(value_ms):
        worth = effective_count([(one.count, one.within(value_ms)) for one in blocks], confidence)
    low, high = rank_interval(whole.count, percent, confidence, worth)
    high_ms = math.inf if high > whole.count else whole.bounds_at_rank_ms(high)[1]
    error_ms = 0.0 if math.isinf(value_ms) else value_ms - low_ms
    return Measured(whole.percentile_ms(percent), whole.count, whole.bounds_at_rank_ms(low)[0], high_ms, error_ms)


def _mean(whole: Latency, blocks: Sequence[Latency], confidence: float) -> Measured:
    mean_ms = whole.mean_ms()
    if math.isinf(mean_ms):
        return Measured(mean_ms, whole.count, mean_ms, mean_ms)
    if len(blocks) > 1:
        half_ms = mean_half_width([(len(one.ok), one.ok.total_us() / 1000) for one in blocks], confidence)
    else:
        half_ms = normal_quantile(confidence) * _deviation_us(whole.ok) / 1000 / math.sqrt(len(whole.ok))
    return Measured(mean_ms, whole.count, max(mean_ms - half_ms, 0.0), mean_ms + half_ms)


def _deviation_us(histogram: Histogram) -> float:
    mean_us, count = histogram.mean_us(), len(histogram)
    if count < 2:
        return math.inf
    squares = sum(((low + high) / 2 - mean_us) ** 2 * times for low, high, times in histogram.buckets())
    return math.sqrt(squares / (count - 1))


def _apdex(whole: Latency, blocks: Sequence[Latency], threshold_ms: float, confidence: float) -> Measured:
    """(satisfied + tolerating / 2) / all: satisfied up to T, tolerating up to 4 T, everything else not at all."""

    def score(one: Latency) -> float:
        return (one.within(threshold_ms) + one.within(4 * threshold_ms)) / 2

    value = score(whole) / whole.count
    scores = [(one.count, score(one)) for one in blocks]
    half = mean_half_width(scores, confidence) if len(scores) > 1 else None
    low, high = share_interval(score(whole), whole.count, confidence)
    # Without a spread between the blocks (all satisfied), the interval of a share still allows for what was not seen.
    return Measured(
        value, whole.count, min(low, max(value - half, 0)) if half else low, max(high, min(value + (half or 0), 1))
    )


def _rate(whole: Latency, blocks: Sequence[Latency], seconds: float, confidence: float) -> Measured:
    count = len(whole.ok)
    value = count / seconds if seconds else 0.0
    if len(blocks) < 2:
        return Measured(value, whole.count)
    mean = sum(len(one.ok) for one in blocks) / len(blocks)  # blocks leave out what is over at the end
    deviation = math.sqrt(sum((len(one.ok) - mean) ** 2 for one in blocks) / (len(blocks) - 1) / len(blocks))
    half = t_quantile(len(blocks) - 1, confidence) * deviation / mean * value if mean else 0.0
    return Measured(value, whole.count, max(value - half, 0.0), value + half)


def _of_kept(kept: Kept, selector: Selector, stat: str, confidence: float) -> Measured | None:
    chosen = [counts for event, counts in kept.items() if selector.matches(event)]
    wrong, expected = sum(one for one, _ in chosen), sum(one for _, one in chosen)
    if not expected:
        return None
    if stat == "count":
        return Measured(float(wrong), expected)
    return Measured(wrong / expected, expected, *share_interval(wrong, expected, confidence))


def _of_counters(selector: Selector, stat: str, found: Measurements, confidence: float) -> Measured | None:
    chosen = [one for name, one in found.counters.items() if selector.matches(name)]
    if not chosen:
        return None
    calls, total = sum(one.calls for one in chosen), math.fsum(one.total for one in chosen)
    if stat == "count":
        return Measured(total, calls)
    rate = total / found.seconds if found.seconds else 0.0
    spread = _of_gauge(
        [math.fsum(second) for second in zip(*(one.by_second for one in chosen), strict=True)], "mean", confidence
    )
    if spread is None or spread.low is None or spread.high is None or math.isinf(spread.high):
        return Measured(rate, calls)
    return Measured(rate, calls, max(rate - (spread.value - spread.low), 0.0), rate + (spread.high - spread.value))


def _of_buckets(parts: Sequence[Buckets], stat: str, confidence: float) -> Measured | None:
    whole = Buckets()
    for part in parts:
        whole.add(part.counts, part.sum_s)
    if not whole.count:
        return None
    percent = percent_of(stat)
    if percent is None:
        return Measured(whole.mean_ms(), whole.count)
    low, high = rank_interval(whole.count, percent, confidence)
    bottom_ms, top_ms = whole.bounds_at_rank_ms(rank_of(percent, whole.count))
    return Measured(
        whole.percentile_ms(percent),
        whole.count,
        whole.bounds_at_rank_ms(max(low, 1))[0],
        whole.bounds_at_rank_ms(min(high, whole.count))[1],
        top_ms - bottom_ms if not math.isinf(top_ms) else math.inf,
    )


def _of_gauge(values: Sequence[float], stat: str, confidence: float, *, share: bool = False) -> Measured | None:
    if not values:
        return None
    count, percent = len(values), percent_of(stat)
    worth = effective_length(values)
    if percent is not None:
        ordered = sorted(values)
        low, high = rank_interval(count, percent, confidence, worth)
        interval: Interval = (ordered[low - 1] if low else -math.inf, ordered[high - 1] if high <= count else math.inf)
        return Measured(ordered[rank_of(percent, count) - 1], count, *interval)
    if stat != "mean":
        return Measured({"min": min(values), "max": max(values)}[stat], count)
    mean = sum(values) / count
    if count < 2:
        return Measured(mean, count, -math.inf, math.inf)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    half = t_quantile(max(worth - 1, 1), confidence) * deviation / math.sqrt(worth)
    # What is never negative, and a share never more than one, is not so in an interval either.
    bottom = mean - half if min(values) < 0 else max(mean - half, 0.0)
    return Measured(mean, count, bottom, min(mean + half, 1.0) if share else mean + half)
