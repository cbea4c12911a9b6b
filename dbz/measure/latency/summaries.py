"""Finished figures of other tools: percentiles without the samples behind them.

Most tools put the times of failed attempts among those of the others, where fast ones improve every figure. Here a
failed attempt ranks above every success. So with e failures among n attempts a figure is only known to lie between two
of the tool's own: at best the failed ones were the slowest, at worst the fastest. The worse end is the value. Where the
tool tells the times of the successes by themselves, these decide; and so few failures that chance moves the figure more
leave it as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dbz.measure.budget.measured import Measured
from dbz.measure.budget.metrics import Selector, percent_of
from dbz.measure.confidence import CONFIDENCE, rank_interval, share_interval
from dbz.measure.latency import series
from dbz.measure.latency.histogram import rank_of
from dbz.measure.latency.series import Series

_FEW = 0.01
"""More than this share of failed attempts are never few: of ten attempts chance would excuse four."""
_HAIR = 1e-9
"""By how much the product of two floating numbers may be off."""
_EVERY = "errors"
"""The metric of attempts of all kinds."""
FAILURES_UNKNOWN = "the file does not say how many of them failed"


def _exact(_value_ms: float) -> float:
    return 0.0


@dataclass(frozen=True)
class Summary:
    """What a tool says of one series."""

    count: int
    """All attempts; 0 where the tool does not say it."""
    errors: int
    """The attempts of which it is known that they failed."""
    rate_per_s: float | None = None
    """Attempts a second."""
    latencies_ms: Mapping[str, float] = field(default_factory=dict)
    """By statistic (`mean`, `min`, `max`, `p95`), over all attempts that have a time, failed ones included."""
    rounding: Callable[[float], float] = _exact
    """By how many milliseconds a percentile may be rounded."""
    rounding_of_mean_ms: float = 0.0
    """By how many the mean may be, where its tool writes few digits of it."""
    success_ms: Mapping[str, float] = field(default_factory=dict)
    """The same over the successful attempts alone, where the tool tells them apart."""
    untimed: int = 0
    """Failed attempts that none of the times belong to, such as those that were never answered."""
    errors_known: bool = True
    """Whether `errors` are all that failed; otherwise there may be more."""
    told_elsewhere: bool = False
    """Whether the failures that are not known here are counted in another series, so that all together are known."""
    fallible: bool = True
    """Whether it is an attempt that can fail; not so a duration or a number that a script kept."""
    in_total: bool = True
    """Whether it is part of the error rate of everything."""
    overlapping: bool = False
    """Whether it is one of several views of the same attempts, which cannot be added up and may leave out some."""
    successes_per_s: float | None = None
    """Successes a second, where the tool says it."""

    @property
    def stats(self) -> set[str]:
        """The statistics of latency that the tool has in some form."""
        return set(self.latencies_ms) | set(self.success_ms)

    def rate_of_successes(self) -> float | None:
        """Successes a second; None where it is not said."""
        if self.successes_per_s is not None:
            return self.successes_per_s
        return None if self.rate_per_s is None or not self.count else self.rate_per_s * (1 - self.errors / self.count)

    def mean(self) -> Measured | None:
        """The mean, to which a failed attempt adds its own time or the mean, whichever is longer."""
        every, successes = self.latencies_ms.get("mean"), self.success_ms.get("mean")
        if self.count and self.errors >= self.count:
            return Measured(math.inf, self.count, math.inf, math.inf)
        if successes is not None:
            # Failed attempts can only have raised the mean of all if they took longer.
            return self._between(max(successes, every or 0.0), max(successes, every or 0.0), self._mean_rounding)
        if every is None:
            return None
        timed, failed = self.count - self.untimed, self.errors - self.untimed
        if failed <= 0 or timed <= failed:
            return self._between(every, every, self._mean_rounding)
        fastest = min(self.latencies_ms.get("min", 0.0), every)
        return self._between(every, (every * timed - fastest * failed) / (timed - failed), self._mean_rounding)

    def _mean_rounding(self, _value_ms: float) -> float:
        return self.rounding_of_mean_ms

    def percentile(self, percent: float) -> Measured | None:
        """A percentile over all attempts, failed ones ranked above every success."""
        own = [one[stat] for one in (self.latencies_ms, self.success_ms) if (stat := f"p{percent:g}") in one]
        if not self.count:
            return self._between(max(own), max(own), self.rounding) if own else None
        successes = self.count - self.errors
        if rank_of(percent, self.count) > successes:
            return Measured(math.inf, self.count, math.inf, math.inf)
        if own and self._few_for(percent):
            return self._between(max(own), max(own), self.rounding)
        # The tool's own definition of a percentile is between two ranks somewhere, so the place is not rounded to one.
        place, timed, failed = percent * self.count, self.count - self.untimed, self.errors - self.untimed
        by_all = _around(self.latencies_ms, place / timed, (place + 100 * failed) / timed)
        by_success = _around(self.success_ms, place / successes, place / successes)
        known = [ends for ends in (by_success, by_all) if ends]
        if not known:
            return None
        low, high = max(low for low, _ in known), min(high for _, high in known)
        return self._between(low, max(low, high), self.rounding)

    def _few_for(self, percent: float) -> bool:
        """Whether the failed attempts are so few that they move a percentile by fewer ranks than chance does anyway."""
        moved = self.errors - self.untimed + percent / 100 * self.untimed
        by_chance = rank_interval(self.count, percent, CONFIDENCE)[1]
        return self.errors <= _FEW * self.count and rank_of(percent, self.count) + moved <= by_chance

    def _between(self, low: float, high: float, rounding: Callable[[float], float] = _exact) -> Measured:
        """What is known of a value that lies between two of the tool's figures."""
        low_error, error = (0.0 if math.isinf(end) else rounding(end) for end in (low, high))
        if not self.errors_known or math.isinf(high):
            why = FAILURES_UNKNOWN if not self.errors_known else "the file has no figure that lies above it"
            return Measured(low, self.count, max(low - low_error, 0.0), math.inf, low_error, only_known=why)
        if low == high and not error:
            return Measured(high, self.count, blind=True)
        return Measured(high, self.count, max(low - low_error, 0.0), high + error, error)


def _around(figures: Mapping[str, float], least: float, most: float) -> tuple[float, float] | None:
    """Between which figures a percentile lies that is at least that of `least` and at most that of `most` per cent;
    None without any percentile."""
    points = {p: value for stat, value in figures.items() if (p := percent_of(stat)) is not None}
    if not points:
        return None
    if "max" in figures:
        points.setdefault(100.0, figures["max"])
    below = [value for p, value in points.items() if p <= least + _HAIR]
    above = [value for p, value in points.items() if p >= min(most, 100.0) - _HAIR]
    return max(below, default=figures.get("min", 0.0)), min(above, default=math.inf)


@dataclass
class Summaries:
    """Figures by series; one with an empty name is of all series of its kind, as the tool added them up itself."""

    by_series: dict[Series, Summary] = field(default_factory=dict)

    def measure(self, selector: Selector, stat: str, confidence: float) -> Measured | None:
        """The value of a statistic, or None when the tool did not say it (see `missing`)."""
        chosen = self._chosen(selector)
        if not chosen or _overlap(selector, chosen):
            return None
        if stat == "error_rate":
            return _error_rate(selector, [one for one in chosen if one.fallible and one.count], confidence)
        if stat == "count":
            return _count([one for one in chosen if one.count])
        if stat == "rate":
            return _rate(chosen)
        return _latency(chosen, stat)

    def attempts(self, selector: Selector) -> int:
        """How many attempts are known of what a selector takes."""
        return sum(one.count for one in self._chosen(selector))

    def missing(self, selector: Selector, stat: str) -> str:
        """Why a statistic cannot be told although the tool says something of the metric; empty when it says nothing."""
        chosen = self._chosen(selector)
        known = sorted({name for one in chosen for name in one.stats})
        if chosen and _overlap(selector, chosen):
            return f"what the file has of {selector} are views that overlap or leave something out; name one of them"
        if not known:
            return f"the file has no times of {selector}" if chosen and percent_of(stat) is not None else ""
        if len(chosen) > 1 and all(stat in one.stats for one in chosen):
            return (
                f"the file has {stat} of {len(chosen)} parts of {selector}, which cannot be added up; name one of them"
            )
        return f"the file has only {', '.join(known)} of {selector}"

    def _chosen(self, selector: Selector) -> list[Summary]:
        if selector.metric.name == _EVERY:
            kinds: Sequence[str] = series.REQUEST_KINDS
            named = {of: one for of, one in self.by_series.items() if one.in_total and not one.overlapping}
        else:
            kinds, named = (selector.metric.name,), self.by_series
        totals = {of.kind for of in named if not of.name}
        return [
            one
            for of, one in named.items()
            if of.kind in kinds
            and (
                (not of.name) == (of.kind in totals) if not selector.filters else of.name and selector.matches(of.name)
            )
        ]


def _overlap(selector: Selector, chosen: Sequence[Summary]) -> bool:
    """Whether views that overlap are taken for a whole: several of them, or what is left when others are taken away."""
    asked = any(not one.negated for one in selector.filters)
    return any(one.overlapping for one in chosen) and (len(chosen) > 1 or not asked)


def _error_rate(selector: Selector, chosen: Sequence[Summary], confidence: float) -> Measured | None:
    count, errors = sum(one.count for one in chosen), sum(one.errors for one in chosen)
    if not count:
        return None
    low, high = share_interval(errors, count, confidence)
    every = selector.metric.name == _EVERY
    unknown = [one for one in chosen if not one.errors_known and not (every and one.told_elsewhere)]
    if not unknown:
        return Measured(errors / count, count, low, high)
    most = errors + sum(one.count - one.errors for one in unknown)
    return Measured(errors / count, count, errors / count, most / count, only_known=FAILURES_UNKNOWN)


def _count(chosen: Sequence[Summary]) -> Measured | None:
    count, successes = sum(one.count for one in chosen), sum(one.count - one.errors for one in chosen)
    if not count:
        return None
    if all(one.errors_known for one in chosen):
        return Measured(float(successes), count)
    least = sum(one.count - one.errors for one in chosen if one.errors_known)
    return Measured(float(successes), count, float(least), float(successes), only_known=FAILURES_UNKNOWN)


def _rate(chosen: Sequence[Summary]) -> Measured | None:
    rates = [one.rate_of_successes() for one in chosen]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    count, whole = sum(one.count for one in chosen), sum(known)
    if all(one.errors_known for one in chosen):
        return Measured(whole, count)
    return Measured(whole, count, 0.0, whole, only_known=FAILURES_UNKNOWN)


def _latency(chosen: Sequence[Summary], stat: str) -> Measured | None:
    count, errors, percent = sum(one.count for one in chosen), sum(one.errors for one in chosen), percent_of(stat)
    if percent is not None and count and rank_of(percent, count) > count - errors:
        return Measured(math.inf, count, math.inf, math.inf)
    if stat == "mean" and count and errors >= count:
        return Measured(math.inf, count, math.inf, math.inf)
    if any(stat not in one.stats for one in chosen):
        return None
    if stat == "max":
        values = [one.latencies_ms.get(stat, one.success_ms.get(stat, 0.0)) for one in chosen]
        return Measured(max(values), count, blind=True)
    if stat == "mean":
        return _mean(chosen, count)
    if percent is None or len(chosen) > 1:
        return None
    return chosen[0].percentile(percent)


def _mean(chosen: Sequence[Summary], count: int) -> Measured | None:
    means = [one.mean() for one in chosen]
    known = [(mean, one.count) for mean, one in zip(means, chosen, strict=True) if mean is not None]
    if len(known) == 1:
        return known[0][0]
    if len(known) < len(means) or not all(times for _, times in known):
        return None
    low, value, high = (
        sum(times * (end if (end := getattr(mean, part)) is not None else mean.value) for mean, times in known) / count
        for part in ("low", "value", "high")
    )
    why = next((mean.only_known for mean, _ in known if mean.only_known), "")
    return Measured(value, count, low, high, only_known=why) if low != high else Measured(value, count, blind=True)
