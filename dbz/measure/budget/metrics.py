"""What a budget can be about: the catalogue of metrics, their labels, units and statistics.

    selector  = metric [ "{" filter { "," filter } "}" ]
    filter    = label ( "=" | "!=" ) glob
    statistic = "mean" | "min" | "max" | "rate" | "error_rate" | "count" | percentile | "apdex(" duration ")"
    percentile = "p" number from 0 to 100

Every sampled metric but `measure` and `page`, and `errors`, has a label `network` beside its own: that of the users, in
a load with several. `http` and `errors` have a label `service` too: who answered, where the answers say so.

Examples: `http`, `http{op="GET /api/*"}`, `http{op="GET *", op!="GET /media/*"}`, `delivery{event=chat}`,
`http{network=3g}`, `errors{service=game}`. Several filters must all agree. A glob may stand in quotes; `*` and `?`
stand for anything and for one character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dbz.measure.latency import series
from dbz.measure.latency.tags import NETWORK, SERVICE_LABEL, Tags
from dbz.suggest import nearest
from dbz.units import parse_duration

LATENCY, SHARE, SIZE, COUNT = "ms", "%", "bytes", ""
"""Units of metrics; the value of a statistic of attempts can have another one (see `unit_of`)."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_APDEX = re.compile(r"apdex\(([^()]+)\)")
_FILTER = re.compile(r"\s*(?P<label>[a-z_]+)\s*(?P<op>!?=)\s*(?P<glob>\"[^\"]*\"|[^\",{}]+?)\s*(?:,|$)")
_SELECTOR = re.compile(r"(?P<metric>[a-z_.]+)\s*(?:\{(?P<filters>.*)\})?", re.DOTALL)
_PERCENTILES, _APDEX_FORM = "p50 … p99.99", "apdex(500ms)"


@dataclass(frozen=True)
class Metric:
    """One entry of the catalogue: its unit, its label (if it has parts) and the statistics that fit it.

    `timed` ones are recorded second by second, so that parts of a run can be judged.
    """

    name: str
    unit: str
    label: str
    stats: tuple[str, ...]
    about: str
    timed: bool = True


_ATTEMPTS = ("mean", _PERCENTILES, "max", "error_rate", "rate", "count", _APDEX_FORM)
_OWN = ("mean", _PERCENTILES, "max", "rate", "count", _APDEX_FORM)
_GAUGE = ("mean", "min", "max", _PERCENTILES)
_LOST = ("error_rate", "count")


def _imported(name: str, unit: str, about: str, label: str = "") -> Metric:
    return Metric(f"import.{name}", unit, label, _GAUGE, about, timed=False)


def _of_pages(name: str, unit: str, about: str) -> Metric:
    return Metric(f"page.{name}", unit, "url", _GAUGE, f"a page in a browser: {about}")


CATALOGUE: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("http", LATENCY, "op", _ATTEMPTS, "every HTTP request, from its intended start"),
        Metric("connect", LATENCY, "name", _ATTEMPTS, "opening a socket until it is usable"),
        Metric("ack", LATENCY, "event", _ATTEMPTS, "a socket event until its acknowledgement"),
        Metric("delivery", LATENCY, "event", _ATTEMPTS, "a sender's emit until another member's receipt"),
        Metric("composite", LATENCY, "name", _ATTEMPTS, "several requests that make one user action"),
        Metric("measure", LATENCY, "name", _OWN, "what the scenario measured itself, with `self.measure`"),
        Metric(
            "counter",
            COUNT,
            "name",
            ("rate", "count"),
            "what the scenario counted, with `self.count`: a second, and in all",
        ),
        Metric(
            "page", LATENCY, "url", _ATTEMPTS, "a page in a browser until it is loaded and its largest content painted"
        ),
        _of_pages("fcp", LATENCY, "first contentful paint"),
        _of_pages("lcp", LATENCY, "largest contentful paint"),
        _of_pages("inp", LATENCY, "from a click to the next frame"),
        _of_pages("cls", COUNT, "how much of the page moved by itself: cumulative layout shift"),
        _of_pages("ttfb", LATENCY, "the first byte of the page's answer"),
        _of_pages("load_event", LATENCY, "the page and all that it names are there"),
        _of_pages("bytes", SIZE, "all that came over the wire"),
        _of_pages("requests", COUNT, "requests that the page made"),
        _of_pages("failed_requests", COUNT, "those without an answer, or with one of 400 or more"),
        _of_pages("script_errors", COUNT, "errors that no script of the page caught"),
        Metric("other", LATENCY, "name", _ATTEMPTS, "what other clients report"),
        Metric("errors", SHARE, "", ("error_rate",), "failed attempts of all kinds, as a share of all"),
        Metric(
            "http.doubtful",
            SHARE,
            "op",
            _LOST,
            "answers of a good status that say an error, or are an error page or a login, of those with a good status",
        ),
        Metric("ack.doubtful", SHARE, "event", _LOST, "acknowledgements that say an error, of those that came"),
        Metric("delivery.lost", SHARE, "event", _LOST, "messages that did not arrive, of those expected"),
        Metric("delivery.duplicated", SHARE, "event", _LOST, "messages that arrived twice, of those expected"),
        Metric("delivery.out_of_order", SHARE, "event", _LOST, "messages that arrived late, of those expected"),
        Metric(
            "delivery.astray",
            SHARE,
            "event",
            _LOST,
            "messages that reached somebody not in their room, of those expected",
        ),
        Metric("users.held", COUNT, "", _GAUGE, "virtual users running at the same time"),
        Metric(
            "uptime",
            SHARE,
            "",
            ("rate",),
            "share of seconds in which the target answered its health probe, and was not silent",
        ),
        Metric("server.cpu", SHARE, "", _GAUGE, "CPU of all server processes, of the cores given to them"),
        Metric("server.memory", SIZE, "", _GAUGE, "resident memory of all server processes"),
        Metric("server.connections", COUNT, "", _GAUGE, "sockets open at the server, as it counts them"),
        Metric("server.event_loop_lag", LATENCY, "", _GAUGE, "how late the server's event loop ran what was due"),
        Metric("server.active_requests", COUNT, "", _GAUGE, "requests that the server was answering"),
        Metric("server.query", LATENCY, "name", ("mean", _PERCENTILES), "the server's own query timings"),
        _imported("app_launch", LATENCY, "a device trace: the time of an iteration that starts the app"),
        _imported("test_time", LATENCY, "a device trace: the time of an iteration that does anything else"),
        _imported("page_load", LATENCY, "a browser trace: until the page can be used", "page"),
        _imported("fcp", LATENCY, "a browser trace: first contentful paint", "page"),
        _imported("lcp", LATENCY, "a browser trace: largest contentful paint", "page"),
        _imported("tti", LATENCY, "a browser trace: time to interactive", "page"),
        _imported("performance", SHARE, "a browser or device trace: its performance score", "page"),
        _imported("mobile_memory", SIZE, "a device trace: memory of the app"),
        _imported("mobile_cpu", SHARE, "a device trace: CPU of the app, of one core"),
        _imported("mobile_thread_cpu", SHARE, "a device trace: CPU of one thread, of one core", "thread"),
        _imported("mobile_fps", COUNT, "a device trace: frames a second"),
    )
}
SAMPLED_KINDS = frozenset(
    (
        *(series.HTTP, series.CONNECT, series.ACK, series.DELIVERY, series.COMPOSITE, series.MEASURE, series.OTHER),
        series.PAGE,
    )
)
"""Metrics with a histogram of samples; those that are attempts can fail."""

_TAGGED: Mapping[str, frozenset[str]] = {
    NETWORK: (SAMPLED_KINDS - {series.MEASURE, series.PAGE}) | {"errors"},
    SERVICE_LABEL: frozenset((series.HTTP, "errors")),
}
"""Labels that samples of several metrics have, and which metrics these are."""


@dataclass(frozen=True)
class Filter:
    """A glob that the label of a part must match, or must not."""

    glob: str
    negated: bool = False
    exact: bool = False
    """Whether it is a name as it stands, in which `*` and `?` mean themselves."""

    def takes(self, name: str) -> bool:
        """Whether a part of this name is meant; a name with brackets in it is also meant by itself."""
        return (name == self.glob or (not self.exact and fnmatchcase(name, self.glob))) is not self.negated


@dataclass(frozen=True)
class Selector:
    """A metric of the catalogue and filters on its label; without any it takes all of it."""

    metric: Metric
    filters: tuple[Filter, ...] = ()
    tags: tuple[tuple[str, Filter], ...] = ()
    """Labels of the samples, each with a filter on it; without any it takes all samples together."""

    def __str__(self) -> str:
        labelled = [*((self.metric.label, one) for one in self.filters), *self.tags]
        filters = ", ".join(f'{label}{"!=" if one.negated else "="}"{one.glob}"' for label, one in labelled)
        return f"{self.metric.name}{{{filters}}}" if filters else self.metric.name

    def matches(self, name: str) -> bool:
        """Whether the part called `name` is meant."""
        return all(one.takes(name) for one in self.filters)

    @property
    def only_name(self) -> str | None:
        """The one part that can be meant, where a filter gives its name as it stands."""
        exact = (one.glob for one in self.filters if one.exact and not one.negated)
        return next(exact, None) if len(self.filters) == 1 else None

    def takes_tags(self, tags: Tags) -> bool:
        """Whether samples with these tags are meant. One without a label is none of those that a filter names."""
        return all(one.takes(value) if (value := getattr(tags, label)) else one.negated for label, one in self.tags)


def parse_selector(text: str) -> Selector:
    """Read a selector; `ValueError` names what is allowed, and the nearest name for a misspelt one."""
    match = _SELECTOR.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a metric; write for example http or http{{op=\"GET /api/posts\"}}")
    metric = CATALOGUE.get(match["metric"])
    if metric is None:
        near = nearest(match["metric"], CATALOGUE, 0.6)
        suggestion = f"; did you mean {near}?" if near else ""
        raise ValueError(f"unknown metric '{match['metric']}'{suggestion} (known: {', '.join(CATALOGUE)})")
    return Selector(metric) if match["filters"] is None else _filtered(metric, match["filters"])


def _filtered(metric: Metric, text: str) -> Selector:
    labels = [metric.label] if metric.label else []
    labels += [label for label, metrics in _TAGGED.items() if metric.name in metrics]
    filters: list[Filter] = []
    tags: list[tuple[str, Filter]] = []
    at = 0
    while at < len(text) or not at:
        match = _FILTER.match(text, at)
        if not match:
            example = f'{metric.name}{{{labels[0] if labels else "op"}="…"}}'
            raise ValueError(f"'{{{text}}}' is not a list of filters; write for example {example}")
        if match["label"] not in labels:
            raise ValueError(f"'{metric.name}' has no label '{match['label']}': {_allowed(labels)}")
        one = Filter(match["glob"].strip('"'), match["op"] == "!=")
        if match["label"] == metric.label:
            filters.append(one)
        else:
            tags.append((match["label"], one))
        at = match.end()
    return Selector(metric, tuple(filters), tuple(tags))


def _allowed(labels: Sequence[str]) -> str:
    if not labels:
        return "it has no parts"
    quoted = [f"'{label}'" for label in labels]
    return (
        f"its label is {quoted[0]}" if len(quoted) == 1 else f"its labels are {', '.join(quoted[:-1])} and {quoted[-1]}"
    )


def check_stat(metric: Metric, stat: str) -> None:
    """`ValueError` naming the allowed ones when a statistic does not fit a metric."""
    if _PERCENTILE.fullmatch(stat) and _PERCENTILES in metric.stats:
        return
    if _APDEX.fullmatch(stat) and _APDEX_FORM in metric.stats:
        apdex_threshold_ms(stat)
        return
    if stat not in metric.stats or "…" in stat:
        raise ValueError(f"'{stat}' does not fit {metric.name}; allowed: {', '.join(metric.stats)}")


def percent_of(stat: str) -> float | None:
    """The percentage of a percentile such as `p99.9`; None for other statistics."""
    match = _PERCENTILE.fullmatch(stat)
    return float(match[1]) if match else None


def apdex_threshold_ms(stat: str) -> float | None:
    """T of `apdex(T)` in milliseconds; None for other statistics; `ValueError` when T is not a duration above 0."""
    match = _APDEX.fullmatch(stat)
    if not match:
        return None
    threshold_ms = parse_duration(match[1]) * 1000
    if not threshold_ms:
        raise ValueError(f"'{stat}' needs a time above 0, like apdex(500ms)")
    return threshold_ms


def unit_of(metric: Metric, stat: str) -> str:
    """The unit in which a statistic of a metric is given and limited."""
    if stat.startswith("apdex"):
        return COUNT
    units = {"error_rate": SHARE, "rate": SHARE if metric.name == "uptime" else "/s", "count": COUNT}
    return units.get(stat, metric.unit)
