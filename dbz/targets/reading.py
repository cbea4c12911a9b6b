"""From the exposition of one instance to its figures: what they are at a moment, and what happened since another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbz.config.load.metrics import TargetMetrics
from dbz.targets.breakers import BreakerReader, Breakers
from dbz.targets.counters import Key, added, counts_since
from dbz.targets.exposition import Exposition, ExpositionSample, read_page
from dbz.targets.services import ServiceCounts, ServiceSecond, add_up, read_services
from dbz.targets.services import wants as wants_of_services
from dbz.targets.standard import (
    CORES,
    MODE_LABELS,
    NOT_USED,
    ONE_CORE_MARKS,
    RULES,
    STARTED,
    Figure,
    FigureRule,
    Form,
    rule_of,
)

_PREFIXABLE = tuple(
    f"_{name}" for name in (*(rule.samples_of for rule in RULES if rule.prefixed), *ONE_CORE_MARKS, STARTED)
)
_STANDARD = frozenset(
    [*CORES, *ONE_CORE_MARKS, STARTED, *(rule.samples_of for rule in RULES)]
    + [f"{rule.name}_sum" for rule in RULES if rule.form is Form.HISTOGRAM]
)
_MAX_NAMES = 500
"""So many queries are told apart; what is named after its parameters would fill the disk."""

_BEYOND = 1e17
"""Nothing that is counted or measured of a server is as large; a value that says so is nonsense."""


@dataclass
class Reading:
    """The figures of one instance at one moment; None where it does not tell them."""

    at_s: float
    """On the monotonic clock."""
    gone: list[str] = field(default_factory=list)
    """Metrics that it told before, and does not any more."""
    started_s: float | None = None
    """When the process that answered began, as it says."""
    cpu_s: dict[Key, float] = field(default_factory=dict)
    """CPU time of each process, and of each mode, so far."""
    cpu_share: float | None = None
    """CPU of all cores, where that is what it tells."""
    cpu_cores: float | None = None
    """Cores in use, where that is what it tells."""
    cores: float | None = None
    """How many it may use."""
    processes: int = 1
    """How many it says that it has."""
    one_core_each: bool = False
    """Whether its runtime runs code on one core of each process."""
    memory_bytes: float | None = None
    connections: float | None = None
    event_loop_lag_ms: float | None = None
    active_requests: float | None = None
    breakers: Breakers | None = None
    """None where it tells of none."""
    services: ServiceCounts | None = None
    """None where it tells of none."""
    buckets: dict[str, dict[float, float]] = field(default_factory=dict)
    """By query: cumulative counts by upper bound in seconds."""
    sums_s: dict[str, float] = field(default_factory=dict)


@dataclass
class Second:
    """What one instance was like since it was asked before; None where that is not known."""

    used_cores: float | None = None
    cores: float | None = None
    memory_bytes: float | None = None
    connections: float | None = None
    event_loop_lag_ms: float | None = None
    active_requests: float | None = None
    queries: dict[str, dict[str, Any]] | None = None
    breakers: list[list[str]] | None = None
    """Service, instance and state of those that were not closed."""
    services: dict[str, ServiceSecond] | None = None


class PageReader:
    """Reads the expositions of one instance, one after the other, always the same metrics of them."""

    def __init__(self, metrics: TargetMetrics) -> None:
        self._breakers = BreakerReader(metrics.breakers)
        self._named = {Figure(key): named for key, named in metrics.named().items()}
        bare = [rule_of(figure, named) for figure, named in self._named.items()]
        self._own = frozenset(name for rule in bare for name in (rule.samples_of, rule.name, f"{rule.name}_sum"))
        self.chosen: dict[Figure, FigureRule] = {}
        """The rule for each figure that there is, its metric named as it is on the page."""
        self.missing: dict[Figure, str] = {}
        """Metrics that the profile names and the page does not have, or not with these labels."""

    def read(self, body: bytes, at_s: float) -> Reading | None:
        """The figures of a page; None when it has none that we know, or that somebody named."""
        page = read_page(body, self._wanted)
        before = [rule.samples_of for rule in self.chosen.values()]
        self._choose(page)
        samples = {figure: _matching(page, rule) for figure, rule in self.chosen.items()}
        breakers = self._breakers.read(page)
        if breakers is None and not any(rule.samples_of in page.samples for rule in self.chosen.values()):
            return None
        reading = Reading(at_s, gone=[name for name in before if name not in page.samples], breakers=breakers)
        reading.services = read_services(page)
        starts = [sample.value for name, of in page.samples.items() if name.endswith(STARTED) for sample in of]
        reading.started_s = starts[0] if len(starts) == 1 else None
        if rule := self.chosen.get(Figure.CPU):
            _read_cpu(reading, rule, samples[Figure.CPU])
        reading.cores = next((_total(page.samples[name]) for name in CORES if page.samples.get(name)), None) or None
        marks = [name for name in page.samples if name.endswith(ONE_CORE_MARKS)]
        reading.one_core_each = bool(marks) and reading.cores is None
        reading.memory_bytes = self._gauge(Figure.MEMORY, samples)
        reading.connections = self._gauge(Figure.CONNECTIONS, samples)
        reading.event_loop_lag_ms = self._gauge(Figure.EVENT_LOOP_LAG, samples)
        reading.active_requests = self._gauge(Figure.ACTIVE_REQUESTS, samples)
        if rule := self.chosen.get(Figure.QUERIES):
            _read_queries(reading, rule, samples[Figure.QUERIES], page.samples.get(f"{rule.name}_sum", ()))
        return reading

    def _wanted(self, name: str) -> bool:
        ours = name in _STANDARD or name in self._own or name.endswith(_PREFIXABLE)
        return ours or self._breakers.wants(name) or wants_of_services(name)

    def _choose(self, page: Exposition) -> None:
        """Choose a metric for each figure that has none yet: one that was chosen stays, lest a gap changes what is
        measured."""
        self.missing = {}
        for figure in Figure:
            named = self._named.get(figure)
            if figure in self.chosen:
                continue
            if named is None:
                if rule := _standard_rule(figure, page):
                    self.chosen[figure] = rule
                continue
            rule = rule_of(figure, named)
            rule = rule_of(
                figure, named, page.types.get(rule.name, page.types.get(rule.name.removesuffix("_total"), ""))
            )
            if _matching(page, rule):
                self.chosen[figure] = rule
            else:
                self.missing[figure] = named.name

    def _gauge(self, figure: Figure, samples: Mapping[Figure, Sequence[ExpositionSample]]) -> float | None:
        rule, values = self.chosen.get(figure), [sample.value for sample in samples.get(figure, ())]
        if rule is None or not values:
            return None
        return rule.factor * (max(values) if figure is Figure.EVENT_LOOP_LAG else sum(values))


def _standard_rule(figure: Figure, page: Exposition) -> FigureRule | None:
    """The best standard metric of a page; with a prefix only where no other prefix could be meant."""
    rules = [rule for rule in RULES if rule.figure is figure]
    for rule in rules:
        if rule.samples_of in page.samples:
            return rule
    for rule in rules:
        names = [name for name in page.samples if rule.prefixed and name.endswith(f"_{rule.samples_of}")]
        if len(names) == 1:
            return FigureRule(rule.figure, names[0], rule.form, rule.factor, rule.where, rule.labels, rule.note)
    return None


def _matching(page: Exposition, rule: FigureRule) -> list[ExpositionSample]:
    return [
        sample
        for sample in page.samples.get(rule.samples_of, ())
        if all(sample.labels.get(key) == value for key, value in rule.where)
    ]


def _total(samples: Iterable[ExpositionSample]) -> float:
    return sum(sample.value for sample in samples)


def _read_cpu(reading: Reading, rule: FigureRule, samples: Sequence[ExpositionSample]) -> None:
    used = [sample for sample in samples if not NOT_USED & set(sample.labels.values()) and sample.value >= 0]
    if rule.form is Form.COUNTER:
        reading.cpu_s = {_key(sample): sample.value * rule.factor for sample in used}
        whose = {tuple(pair for pair in key if pair[0] not in MODE_LABELS) for key in reading.cpu_s}
        reading.processes = max(len(whose), 1)
    elif used and rule.in_cores:
        reading.cpu_cores = _total(used) * rule.factor
    elif used:
        reading.cpu_share = _total(used) * rule.factor


def _key(sample: ExpositionSample) -> Key:
    return tuple(sorted(sample.labels.items()))


def _read_queries(
    reading: Reading, rule: FigureRule, samples: Iterable[ExpositionSample], sums: Iterable[ExpositionSample]
) -> None:
    buckets: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
    for sample in samples:
        try:
            bound = float(sample.labels["le"]) * rule.factor
        except (KeyError, ValueError):
            continue  # no bucket, whatever its name says
        name = _query_name(rule, sample)
        if bound >= 0 and sample.value >= 0 and (name in buckets or len(buckets) < _MAX_NAMES):
            buckets[name][bound] += sample.value
    reading.buckets = {name: dict(counts) for name, counts in buckets.items()}
    for sample in sums:
        name = _query_name(rule, sample)
        if name in buckets:
            reading.sums_s[name] = reading.sums_s.get(name, 0.0) + sample.value * rule.factor


def _query_name(rule: FigureRule, sample: ExpositionSample) -> str:
    keys = rule.labels or tuple(sorted(key for key in sample.labels if key != "le" and not key.startswith("otel_")))
    return " ".join(value for key in keys if (value := sample.labels.get(key, ""))) or rule.name


def since(now: Reading, before: Reading) -> Second:
    """What happened between two readings of one instance."""
    second = Second(
        cores=now.cores,
        memory_bytes=now.memory_bytes,
        connections=now.connections,
        event_loop_lag_ms=now.event_loop_lag_ms,
        active_requests=now.active_requests,
        breakers=now.breakers.since(before.breakers or now.breakers) if now.breakers else None,
    )
    passed_s = now.at_s - before.at_s
    if now.cpu_s and before.cpu_s and passed_s > 0 and now.started_s == before.started_s:
        used_s = sum(added(value, before.cpu_s.get(key, 0.0)) for key, value in now.cpu_s.items())
        second.used_cores = used_s / passed_s
    elif now.cpu_share is not None:
        second.cores = now.cores or 1.0  # a share is one of whatever there is
        second.used_cores = now.cpu_share * second.cores
    elif now.cpu_cores is not None:
        second.used_cores = now.cpu_cores
    if now.services and before.services:
        second.services = now.services.since(before.services, passed_s)
    if now.buckets or before.buckets:
        second.queries = {
            name: {
                "counts": _by_text(counts),
                "sum_s": round(added(now.sums_s.get(name, 0.0), before.sums_s.get(name, 0.0)), 6),
            }
            for name, of_query in now.buckets.items()
            if (counts := counts_since(of_query, before.buckets.get(name, {})))
        }
    return second


def _by_text(counts: Mapping[float, float]) -> dict[str, float]:
    """Counts by upper bound as a record has them: the keys of JSON are texts."""
    return {str(bound): count for bound, count in counts.items()}


def is_another(now: Reading, before: Reading) -> bool:
    """Whether it must have been another process that answered: one that did not begin again counts no less than
    before."""
    again = now.started_s is not None and now.started_s == before.started_s
    return again and any(value < before.cpu_s.get(key, 0.0) for key, value in now.cpu_s.items())


def together(seconds: Sequence[Second]) -> dict[str, Any]:
    """The line of a record for all instances: sums, of lag the worst, and CPU as a share of all their cores.

    A figure that one instance does not tell is not known of all: None, or not there.
    """
    line: dict[str, Any] = {"memory_bytes": _sum(seconds, "memory_bytes"), "connections": _sum(seconds, "connections")}
    active, lag_ms = _sum(seconds, "active_requests"), _worst(seconds, "event_loop_lag_ms")
    line |= {} if active is None else {"active_requests": active}
    line |= {} if lag_ms is None else {"event_loop_lag_ms": round(lag_ms, 4)}
    used, cores = _sum(seconds, "used_cores"), _sum(seconds, "cores")
    if used is not None and cores and _is_sound(used / cores):
        line["cpu_share"] = round(used / cores, 4)
    queries: dict[str, dict[str, Any]] = {}
    for second in seconds:
        for name, query in (second.queries or {}).items():
            of_all = queries.setdefault(name, {"counts": {}, "sum_s": 0.0})
            of_all["sum_s"] = round(of_all["sum_s"] + query["sum_s"], 6)
            for bound, count in query["counts"].items():
                of_all["counts"][bound] = of_all["counts"].get(bound, 0.0) + count
    if told := [second.breakers for second in seconds if second.breakers is not None]:
        line["breakers"] = [row for rows in told for row in rows]
    if services := add_up(second.services for second in seconds if second.services):
        line["services"] = services
    if any(second.queries is not None for second in seconds):
        line["queries"] = {name: _sparse(query) for name, query in queries.items() if _is_sound_query(query)}
    return line


def _sparse(query: Mapping[str, Any]) -> dict[str, Any]:
    """Without the buckets that say nothing, most of all in each second.

    The one below a bucket that counted something stays: it says where that one begins.
    """
    counts, kept, below = query["counts"], {}, ""
    for bound in sorted(counts, key=float):
        if counts[bound] and below:
            kept[below] = counts[below]
        if counts[bound]:
            kept[bound] = counts[bound]
        below = bound
    return {**query, "counts": kept}


def _is_sound(value: float) -> bool:
    return 0 <= value < _BEYOND


def _is_sound_query(query: Mapping[str, Any]) -> bool:
    return all(map(_is_sound, [query["sum_s"], *query["counts"].values()]))


def _values(seconds: Sequence[Second], key: str) -> list[float] | None:
    values = [getattr(second, key) for second in seconds]
    return None if None in values or not values else values


def _sum(seconds: Sequence[Second], key: str) -> float | None:
    values = _values(seconds, key)
    return sum(values) if values and _is_sound(sum(values)) else None


def _worst(seconds: Sequence[Second], key: str) -> float | None:
    values = _values(seconds, key)
    return max(values) if values and _is_sound(max(values)) else None
