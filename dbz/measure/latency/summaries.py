"""Finished figures of other tools: percentiles without the samples behind them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dbz.measure.budget.measured import Measured
from dbz.measure.budget.metrics import SHARE, Selector, percent_of
from dbz.measure.confidence import share_interval
from dbz.measure.latency import series
from dbz.measure.latency.series import Series


def _exact(_value_ms: float) -> float:
    return 0.0


@dataclass(frozen=True)
class Summary:
    """What a tool says of one series."""

    count: int
    """All attempts; 0 where the tool does not say it."""
    errors: int
    rate_per_s: float | None
    """Attempts a second."""
    latencies_ms: Mapping[str, float]
    """Latencies by statistic."""
    rounding: Callable[[float], float] = _exact
    """By how many milliseconds a percentile may be rounded."""


@dataclass
class Summaries:
    """Figures by series; one with an empty name is of all series of its kind, as the tool added them up itself."""

    by_series: dict[Series, Summary] = field(default_factory=dict)

    def measure(self, selector: Selector, stat: str, confidence: float) -> Measured | None:
        """The value of a statistic, or None when the tool did not say it (see `missing`)."""
        chosen = self._chosen(selector)
        count, errors = sum(one.count for one in chosen), sum(one.errors for one in chosen)
        if not chosen or (not count and stat in ("error_rate", "count", "rate")):
            return None
        if stat == "error_rate":
            return Measured(errors / count, count, *share_interval(errors, count, confidence))
        if stat == "count":
            return Measured(float(count - errors), count)
        if stat == "rate":
            rates = [
                one.rate_per_s * (1 - one.errors / one.count)
                for one in chosen
                if one.rate_per_s is not None and one.count
            ]
            return Measured(sum(rates), count) if len(rates) == len(chosen) else None
        return self._latency(chosen, stat, count, errors)

    def _latency(self, chosen: Sequence[Summary], stat: str, count: int, errors: int) -> Measured | None:
        percent = percent_of(stat)
        if percent is not None and errors > count * (1 - percent / 100):
            return Measured(math.inf, count, math.inf, math.inf)
        if any(stat not in one.latencies_ms for one in chosen):
            return None
        if stat == "mean" and len(chosen) > 1 and count:
            return Measured(sum(one.latencies_ms[stat] * one.count for one in chosen) / count, count, blind=True)
        if len(chosen) > 1 and stat != "max":
            return None
        worst = max(chosen, key=lambda one: one.latencies_ms[stat])
        value = worst.latencies_ms[stat]
        error = worst.rounding(value) if percent is not None else 0.0
        return (
            Measured(value, count, value - error, value + error, error) if error else Measured(value, count, blind=True)
        )

    def missing(self, selector: Selector, stat: str) -> str:
        """Why a statistic cannot be told although the tool says something of the metric; empty when it says nothing."""
        chosen = self._chosen(selector)
        known = sorted({name for one in chosen for name in one.latencies_ms})
        if not chosen or not known:
            return ""
        if len(chosen) > 1 and all(stat in one.latencies_ms for one in chosen):
            return (
                f"the file has {stat} of {len(chosen)} parts of {selector}, which cannot be added up; name one of them"
            )
        return f"the file has only {', '.join(known)} of {selector}"

    def _chosen(self, selector: Selector) -> list[Summary]:
        kinds = series.REQUEST_KINDS if selector.metric.unit == SHARE else (selector.metric.name,)
        totals = {of.kind for of in self.by_series if not of.name}
        return [
            one
            for of, one in self.by_series.items()
            if of.kind in kinds
            and (
                (not of.name) == (of.kind in totals) if not selector.filters else of.name and selector.matches(of.name)
            )
        ]
