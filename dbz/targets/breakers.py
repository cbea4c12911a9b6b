"""Circuit breakers, as gateways and services tell of them: which are not closed, and which were open for a moment.

Names are those of dbz's gateway, of Envoy's statistics (`/stats/prometheus`; Istio's sidecars have the same), and of
resilience4j as micrometer publishes it. A profile names others below `metrics`: any value above 0 is then open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbz.config.load.metrics import NamedBreakers, parse_metric_name
from dbz.targets.exposition import Exposition, ExpositionSample, plain_name

OPEN, HALF_OPEN = "open", "half-open"
MOST_BREAKERS = 200
"""So many are told apart; what is named after its requests would fill the disk."""

Breaker = tuple[str, str]
"""A service, and its instance; an empty one for all of them together."""
_ENVOY_CLUSTER = ("envoy_cluster_name", "cluster_name")


@dataclass(frozen=True)
class BreakerRule:
    """A gauge that tells of breakers."""

    name: re.Pattern[str]
    services: tuple[str, ...]
    """Labels that name the service; the first one that a sample has."""
    instance: str = ""
    """The label that names the instance; empty for none."""
    where: tuple[tuple[str, str], ...] = ()
    """Labels that a sample must have."""
    half_open: float | None = None
    """The value of one that lets a call through to try; None where there is none such."""
    of_instances: str = ""
    """What stands in place of an instance where the gauge counts instances that are sent away."""


_EJECTED = "instances that it sent away"
RULES: Sequence[BreakerRule] = (
    BreakerRule(re.compile(r"dbz_breaker_state"), ("service",), "instance", half_open=1.0),
    BreakerRule(re.compile(r"envoy_cluster_circuit_breakers_(?:default|high)_\w+_open"), _ENVOY_CLUSTER),
    BreakerRule(re.compile(r"envoy_cluster_outlier_detection_ejections_active"), _ENVOY_CLUSTER, of_instances=_EJECTED),
    BreakerRule(re.compile(r"resilience4j_circuitbreaker_state"), ("name",), where=(("state", "open"),)),
    BreakerRule(re.compile(r"resilience4j_circuitbreaker_state"), ("name",), where=(("state", "forced_open"),)),
)
_OPENINGS = "dbz_breaker_opened_total"
"""A counter by service and instance: an opening that ended between two looks is seen by it."""


@dataclass(frozen=True)
class Breakers:
    """What a page says of breakers."""

    states: Mapping[Breaker, str]
    """Those that are not closed."""
    openings: Mapping[Breaker, float]
    """How often each has opened so far, where the page tells."""

    def since(self, before: Breakers) -> list[list[str]]:
        """Service, instance and state of those that were not closed at some time since."""
        states = dict(self.states)
        for breaker, count in self.openings.items():
            if count > before.openings.get(breaker, 0.0):
                states.setdefault(breaker, OPEN)
        return [[service, instance, state] for (service, instance), state in sorted(states.items())]


class BreakerReader:
    """Reads breakers from pages: by the standard rules, or by the one that a profile names."""

    def __init__(self, named: NamedBreakers | None) -> None:
        self._rules = [_rule_of(named)] if named else RULES

    def wants(self, name: str) -> bool:
        """Whether the samples of a name are needed."""
        return name == _OPENINGS or any(rule.name.fullmatch(name) for rule in self._rules)

    def read(self, page: Exposition) -> Breakers | None:
        """What a page tells; None when it tells of no breaker."""
        states: dict[Breaker, str] = {}
        told = False
        for rule in self._rules:
            for sample in _samples(page, rule):
                told = True
                if sample.value > 0 and len(states) < MOST_BREAKERS:
                    state = HALF_OPEN if sample.value == rule.half_open else OPEN
                    states.setdefault(_breaker(sample, rule), state)
        if not told:
            return None
        opened = {
            (sample.labels.get("service", ""), sample.labels.get("instance", "")): sample.value
            for sample in page.samples.get(_OPENINGS, ())
        }
        return Breakers(states, opened)


def _rule_of(named: NamedBreakers) -> BreakerRule:
    name, where = parse_metric_name(named.name)
    conditions = tuple((plain_name(key), value) for key, value in where.items())
    instance = plain_name(named.instance) if named.instance else ""
    return BreakerRule(re.compile(re.escape(plain_name(name))), (plain_name(named.service),), instance, conditions)


def _samples(page: Exposition, rule: BreakerRule) -> Iterator[ExpositionSample]:
    for name, samples in page.samples.items():
        if rule.name.fullmatch(name):
            yield from (one for one in samples if all(one.labels.get(key) == value for key, value in rule.where))


def _breaker(sample: ExpositionSample, rule: BreakerRule) -> Breaker:
    service = next((sample.labels[label] for label in rule.services if label in sample.labels), sample.name)
    return service, rule.of_instances or sample.labels.get(rule.instance, "")
