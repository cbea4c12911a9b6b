"""What a budget can be about: the catalogue of metrics, their labels, units and statistics.

A selector names a metric and, optionally, one part of it: `http`, `http{op="GET /api/posts"}`, `delivery{event=chat}`.
Label values are globs (`http{op="GET /api/*"}`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from dbz.measure import series
from dbz.measure.buckets import Buckets
from dbz.measure.histogram import rank_of
from dbz.measure.latency import Latency, combined
from dbz.measure.series import Series

LATENCY, SHARE, SIZE, COUNT = "ms", "%", "bytes", ""
"""Units of metrics; the value of a statistic of attempts can have another one (see `unit_of`)."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_SELECTOR = re.compile(r"(?P<metric>[a-z_.]+)(?:\{(?P<label>[a-z]+)=(?P<value>\"[^\"]*\"|[^\"{}]+)\})?")


@dataclass(frozen=True)
class Metric:
    """One entry of the catalogue: its unit, its label (if it has parts) and the statistics that fit it."""

    name: str
    unit: str
    label: str
    stats: tuple[str, ...]
    about: str


_ATTEMPTS = ("mean", "p50 … p99.99", "max", "error_rate", "rate", "count")
_GAUGE = ("mean", "min", "max", "p50 … p99.99")

CATALOGUE: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("http", LATENCY, "op", _ATTEMPTS, "every HTTP request, from its intended start"),
        Metric("connect", LATENCY, "name", _ATTEMPTS, "opening a socket until it is usable"),
        Metric("ack", LATENCY, "event", _ATTEMPTS, "a socket event until its acknowledgement"),
        Metric("delivery", LATENCY, "event", _ATTEMPTS, "a sender's emit until another member's receipt"),
        Metric("composite", LATENCY, "name", _ATTEMPTS, "several requests that make one user action"),
        Metric("other", LATENCY, "name", _ATTEMPTS, "what other Locust clients report"),
        Metric("errors", SHARE, "", ("error_rate",), "failed attempts of all kinds, as a share of all"),
        Metric("users.held", COUNT, "", _GAUGE, "virtual users running at the same time"),
        Metric("uptime", SHARE, "", ("rate",), "share of one-second health probes that were answered"),
        Metric("server.cpu", SHARE, "", _GAUGE, "CPU of all server processes, of the cores given to them"),
        Metric("server.memory", SIZE, "", _GAUGE, "resident memory of all server processes"),
        Metric("server.query", LATENCY, "name", ("mean", "p50 … p99.99"), "the server's own query timings"),
        Metric("import.app_launch", LATENCY, "", _GAUGE, "from a device trace"),
        Metric("import.page_load", LATENCY, "", _GAUGE, "from a browser or device trace"),
        Metric("import.mobile_memory", SIZE, "", _GAUGE, "from a device trace"),
        Metric("import.mobile_cpu", SHARE, "", _GAUGE, "from a device trace"),
    )
}
_ATTEMPT_KINDS = {series.HTTP, series.CONNECT, series.ACK, series.DELIVERY, series.COMPOSITE, series.OTHER}


@dataclass(frozen=True)
class Selector:
    """A metric of the catalogue and a glob on its label; an empty glob takes all of it."""

    metric: Metric
    glob: str = ""

    def __str__(self) -> str:
        return f'{self.metric.name}{{{self.metric.label}="{self.glob}"}}' if self.glob else self.metric.name

    def matches(self, name: str) -> bool:
        """Whether the part called `name` is meant; a name with brackets in it is also meant by itself."""
        return self.glob in ("", name) or fnmatchcase(name, self.glob)


@dataclass
class Measurements:
    """Everything that was measured in the judged part of a run (no warm-up).

    `latencies` by series (never a failed one: failures are inside), `gauges` one value a second by metric name,
    `queries` the server's own timings by query name, `probes` (answered, all), `seconds` how long it lasted.
    """

    seconds: float
    latencies: dict[Series, Latency] = field(default_factory=dict)
    gauges: dict[str, Sequence[float]] = field(default_factory=dict)
    queries: dict[str, Buckets] = field(default_factory=dict)
    probes: tuple[int, int] = (0, 0)

    def attempts(self, kinds: Sequence[str], selector: Selector | None = None) -> Latency:
        """All attempts of some kinds, or those among them that a selector takes, as one latency."""
        return combined(
            latency
            for one, latency in self.latencies.items()
            if one.kind in kinds and (selector is None or selector.matches(one.name))
        )


def parse_selector(text: str) -> Selector:
    """Read a selector; `ValueError` names what is allowed, and the nearest name for a misspelt one."""
    match = _SELECTOR.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a metric; write for example http or http{{op=\"GET /api/posts\"}}")
    metric = CATALOGUE.get(match["metric"])
    if metric is None:
        near = difflib.get_close_matches(match["metric"], CATALOGUE, 1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown metric '{match['metric']}'{suggestion} (known: {', '.join(CATALOGUE)})")
    if match["label"] and match["label"] != metric.label:
        allowed = f"its label is '{metric.label}'" if metric.label else "it has no parts"
        raise ValueError(f"'{metric.name}' has no label '{match['label']}': {allowed}")
    return Selector(metric, (match["value"] or "").strip('"'))


def check_stat(metric: Metric, stat: str) -> None:
    """`ValueError` naming the allowed ones when a statistic does not fit a metric."""
    percentile = _PERCENTILE.fullmatch(stat) and "p50 … p99.99" in metric.stats
    if not percentile and (stat not in metric.stats or "…" in stat):
        raise ValueError(f"'{stat}' does not fit {metric.name}; allowed: {', '.join(metric.stats)}")


def unit_of(metric: Metric, stat: str) -> str:
    """The unit in which a statistic of a metric is given and limited."""
    return {"error_rate": SHARE, "rate": SHARE if metric.name == "uptime" else "/s", "count": COUNT}.get(
        stat, metric.unit
    )


@dataclass(frozen=True)
class Measured:
    """The value of a statistic, in its unit (a share is a fraction of one), and how many samples it rests on."""

    value: float
    samples: int


def measure(selector: Selector, stat: str, found: Measurements) -> Measured | None:
    """The value of `stat` over what the selector takes; None when nothing of it was measured."""
    metric = selector.metric
    if metric.name == "uptime":
        answered, every = found.probes
        return Measured(answered / every, every) if every else None
    if metric.name == "server.query":
        return _of_buckets([one for name, one in found.queries.items() if selector.matches(name)], stat)
    if metric.name == "errors":
        return _of_attempts(found.attempts(series.REQUEST_KINDS), stat, found.seconds)
    if metric.name in _ATTEMPT_KINDS:
        return _of_attempts(found.attempts([metric.name], selector), stat, found.seconds)
    return _of_gauge(found.gauges.get(metric.name, ()), stat)


def _of_attempts(latency: Latency, stat: str, seconds: float) -> Measured | None:
    """Rates and counts are of successes: a server that refuses everything at once has no throughput."""
    if not latency.count:
        return None
    if stat.startswith("p"):
        return Measured(latency.percentile_ms(float(stat[1:])), latency.count)
    values: dict[str, Callable[[], float]] = {
        "mean": latency.mean_ms,
        "max": lambda: latency.max_ms,
        "error_rate": lambda: latency.error_rate,
        "rate": lambda: len(latency.ok) / seconds if seconds else 0.0,
        "count": lambda: float(len(latency.ok)),
    }
    return Measured(values[stat](), latency.count)


def _of_buckets(parts: Sequence[Buckets], stat: str) -> Measured | None:
    whole = Buckets()
    for part in parts:
        whole.add(part.counts, part.sum_s)
    if not whole.count:
        return None
    value = whole.mean_ms() if stat == "mean" else whole.percentile_ms(float(stat[1:]))
    return Measured(value, whole.count)


def _of_gauge(values: Sequence[float], stat: str) -> Measured | None:
    if not values:
        return None
    if stat.startswith("p"):
        ordered = sorted(values)
        rank = rank_of(float(stat[1:]), len(ordered))
        return Measured(ordered[rank - 1], len(values))
    value = {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}[stat]
    return Measured(value, len(values))
