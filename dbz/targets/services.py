"""What the page of a gateway tells of the services behind it: their processes, the CPU of these, and calls to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbz.targets.counters import Key, added
from dbz.targets.exposition import Exposition, ExpositionSample

PROCESSES = "dbz_service_processes"
_CPU = "dbz_process_cpu_seconds_total"
_CALLS = "dbz_upstream_calls_total"
_SERVICE = "service"
MOST_SERVICES = 200
"""So many are told apart; what is named after its requests would fill the disk."""

ServiceSecond = dict[str, float | None]
"""`processes`, `cores` in use and `calls` a second of a service; null where that is not told."""


@dataclass(frozen=True)
class ServiceCounts:
    """What a page says at one moment."""

    processes: Mapping[str, float]
    """By service: how many run."""
    cpu_s: Mapping[Key, float]
    """By process: CPU time so far. The labels say whose it is."""
    calls: Mapping[Key, float]
    """By service, instance and outcome: calls so far."""

    def since(self, before: ServiceCounts, passed_s: float) -> dict[str, ServiceSecond]:
        """What each service did in the meantime; the gateway, which nobody calls, has no calls."""
        cores = _rates(self.cpu_s, before.cpu_s, passed_s)
        calls = _rates(self.calls, before.calls, passed_s)
        return {
            name: {"processes": count, "cores": cores.get(name), "calls": calls.get(name)}
            for name, count in self.processes.items()
        }


def wants(name: str) -> bool:
    """Whether the samples of a name are needed."""
    return name in (PROCESSES, _CPU, _CALLS)


def read_services(page: Exposition) -> ServiceCounts | None:
    """What a page tells of services; None when it tells of none."""
    processes = {
        sample.labels[_SERVICE]: sample.value
        for sample in page.samples.get(PROCESSES, ())[:MOST_SERVICES]
        if sample.labels.get(_SERVICE) and sample.value >= 0
    }
    if not processes:
        return None
    return ServiceCounts(
        processes, _of_services(page.samples.get(_CPU, ())), _of_services(page.samples.get(_CALLS, ()))
    )


def add_up(pages: Iterable[Mapping[str, ServiceSecond]]) -> dict[str, ServiceSecond]:
    """Several pages of one target together; what one of them does not tell of a service is not known of it."""
    whole: dict[str, ServiceSecond] = {}
    for page in pages:
        for name, second in page.items():
            so_far = whole.get(name)
            whole[name] = dict(second) if so_far is None else {key: _sum(so_far[key], second[key]) for key in second}
    return whole


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _of_services(samples: Iterable[ExpositionSample]) -> dict[Key, float]:
    return {tuple(sorted(one.labels.items())): one.value for one in samples if one.labels.get(_SERVICE)}


def _rates(now: Mapping[Key, float], before: Mapping[Key, float], passed_s: float) -> dict[str, float]:
    """What was counted in a second, by service; a series that was not there before has only begun to count."""
    rates: defaultdict[str, float] = defaultdict(float)
    if passed_s > 0:
        for key, value in now.items():
            rates[dict(key)[_SERVICE]] += added(value, before.get(key, 0.0)) / passed_s
    return {name: round(rate, 6) for name, rate in rates.items()}
