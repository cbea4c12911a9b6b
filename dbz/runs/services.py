"""Services behind a gateway, as a run saw them: what a reader must know of their figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, mode
from typing import Any

from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.series import HTTP
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES, SERVICE_LABEL, values_of
from dbz.runs.schema import BreakerOpening, Operation, ServiceProcesses


def breaker_openings(lines: Iterable[Mapping[str, Any]]) -> list[BreakerOpening]:
    """When which circuit breaker was not closed, by the lines that asking the target has left; in order of time.

    One that is half open lets a call through to try, and is not closed yet.
    """
    found: list[BreakerOpening] = []
    now: dict[tuple[str, str], BreakerOpening] = {}
    for line in lines:
        if "breakers" not in line:
            continue  # of other things, or of a second in which nobody answered
        told = {(service, instance) for service, instance, _ in line["breakers"]}
        for breaker in sorted(told - now.keys()):
            now[breaker] = BreakerOpening(service=breaker[0], instance=breaker[1], opened_s=line["t"])
        closed = [now.pop(breaker) for breaker in now.keys() - told]
        found += [one.model_copy(update={"closed_s": line["t"]}) for one in closed]
    return sorted([*found, *now.values()], key=lambda one: (one.opened_s, one.service, one.instance))


def service_processes(lines: Iterable[Mapping[str, Any]], answered: Iterable[Operation] = ()) -> list[ServiceProcesses]:
    """What the processes of each service were like, by lines of the target's figures, and how many requests it
    `answered`; in order of their names."""
    told: defaultdict[str, list[Mapping[str, float | None]]] = defaultdict(list)
    for line in lines:
        for name, second in line.get("services", {}).items():
            told[name].append(second)
    requests = {one.name: one.rate_per_s for one in answered if one.kind == HTTP}
    return [
        ServiceProcesses(
            name=name,
            processes=_usual([second.get("processes") for second in seconds]),
            cpu_cores=_mean([second.get("cores") for second in seconds]),
            calls_per_s=_mean([second.get("calls") for second in seconds]),
            requests_per_s=requests.get(name),
        )
        for name, seconds in sorted(told.items())
    ]


def mean_processes(looks: Iterable[Iterable[ServiceProcesses]]) -> list[ServiceProcesses]:
    """Several looks at one load together: of each service the mean."""
    told: defaultdict[str, list[ServiceProcesses]] = defaultdict(list)
    for look in looks:
        for one in look:
            told[one.name].append(one)
    return [
        ServiceProcesses(
            name=name,
            processes=_usual([one.processes for one in looked]),
            cpu_cores=_mean([one.cpu_cores for one in looked]),
            calls_per_s=_mean([one.calls_per_s for one in looked]),
            requests_per_s=_mean([one.requests_per_s for one in looked]),
        )
        for name, looked in sorted(told.items())
    ]


def _usual(counts: Sequence[float | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return round(mode(known)) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def service_notes(found: Measurements, header: str) -> list[str]:
    """That the header gave more names than are told apart; empty when it did not."""
    if OTHER_SERVICES not in values_of(SERVICE_LABEL, found.tagged):
        return []
    text = (
        f"the header {header} named more than {MOST_SERVICES} services: the rest is {OTHER_SERVICES}, and budgets of "
        "one service may miss some of its requests; a value that differs from answer to answer names no service "
        "(service_header: in the profile, or --service-header, names another header)"
    )
    return [text]
