"""The words about the services behind a gateway: which one is the slowest, and which one fails."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dbz.measure.latency.series import HTTP
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES
from dbz.runs.schema import BreakerOpening, InjectedFault, Operation, Run, ServiceProcesses
from dbz.units import counted, format_duration, format_ms, format_number, format_percent

SERVICES_TITLE = "By service"
_CLEARLY = 1.1
"""So many times as slow as the next one a service is the slowest; with less, several are."""


def services_text(run: Run) -> str:
    """Which service is the slowest, and which fails how often; empty for a load of one service, or of none by name."""
    ranked = sorted((one for one in run.services if one.name != OTHER_SERVICES), key=_p95_ms, reverse=True)
    if len(ranked) < 2:
        return ""
    return ". ".join(part for part in (_slowest(ranked), _failing(ranked), _unnamed(run), _beyond(run)) if part) + "."


def said_of_services(run: Run) -> list[str]:
    """Whole sentences: which service is the slowest and which fails, the faults that were asked for, the breakers."""
    return [text for text in (services_text(run), *map(sentence, (*fault_texts(run), *breaker_texts(run)))) if text]


def fault_texts(run: Run) -> list[str]:
    """What the load let go wrong in which service, and when."""
    return [f"on purpose {one.service} {one.what} {_when(one)}" for one in run.faults]


def _when(fault: InjectedFault) -> str:
    start = format_duration(fault.start_s)
    if fault.end_s is None:
        return f"from {start} on"
    return f"at {start}" if fault.end_s == fault.start_s else f"from {start} to {format_duration(fault.end_s)}"


PROCESS_COLUMNS = ("Service", "Processes", "CPU", "Of a core each", "Calls /s")


def process_rows(run: Run) -> list[tuple[str, ...]]:
    """The processes of each service, in the order of `PROCESS_COLUMNS`, the busiest first; CPU in cores."""
    return [
        (
            one.name,
            "–" if one.processes is None else f"{one.processes:,}",
            "–" if one.cpu_cores is None else format_number(one.cpu_cores),
            "–" if one.cpu_cores is None or not one.processes else format_percent(one.cpu_cores / one.processes),
            "–" if one.calls_per_s is None else format_number(one.calls_per_s),
        )
        for one in sorted(run.service_processes, key=_busy, reverse=True)
    ]


def _busy(one: ServiceProcesses) -> float:
    return (one.cpu_cores or 0.0) / (one.processes or 1)


def breaker_texts(run: Run) -> list[str]:
    """Which circuit breakers opened, when, and for how long: a sentence for each service, the first to open first.

    Breakers of instances are told of where the one of their service stayed closed.
    """
    whole = {one.service for one in run.breakers if not one.instance}
    shown: dict[tuple[str, str], list[BreakerOpening]] = {}
    for one in run.breakers:
        if not one.instance or one.service not in whole:
            shown.setdefault((one.service, one.instance), []).append(one)
    return [_breaker_text(*breaker, openings) for breaker, openings in shown.items()]


def _breaker_text(service: str, instance: str, openings: Sequence[BreakerOpening]) -> str:
    first, known = openings[0], [one.seconds for one in openings if one.seconds is not None]
    of = f"the circuit breaker of {service}" + (f" for {instance}" if instance else "")
    times = "" if len(openings) == 1 else f" {len(openings)} times, first"
    ended = f"{', ' if times else ' for '}{format_duration(sum(known))}{' in all' if times else ''}" if known else ""
    still = ""
    if len(known) < len(openings):
        still = " and was not closed again" if not known else ", and was not closed again at the end"
    return f"{of} opened{times} at {format_duration(first.opened_s)}{ended}{still}"


def sentence(text: str) -> str:
    """With a capital at the beginning and a full stop at the end."""
    return f"{text[:1].upper()}{text[1:]}."


def _p95_ms(one: Operation) -> float:
    p95 = one.latency_ms.p95
    return math.inf if p95 is None else p95


def _slowest(ranked: list[Operation]) -> str:
    first, second = ranked[0], ranked[1]
    slow_ms, next_ms = _p95_ms(first), _p95_ms(second)
    if math.isinf(next_ms):
        names = [one.name for one in ranked if math.isinf(_p95_ms(one))]
        return f"no one is the slowest: p95 of {', '.join(names[:-1])} and {names[-1]} falls on failed requests"
    if math.isinf(slow_ms):
        return f"{first.name} is the slowest: its p95 falls on failed requests"
    if slow_ms < _CLEARLY * next_ms:
        return f"{first.name} and {second.name} are about as slow: p95 {format_ms(slow_ms)} and {format_ms(next_ms)}"
    times = f", {format_number(slow_ms / next_ms)} times that of {second.name}" if next_ms else ""
    return f"{first.name} is the slowest: p95 {format_ms(slow_ms)}{times}"


def _failing(ranked: list[Operation]) -> str:
    failing = sorted((one for one in ranked if one.errors), key=lambda one: one.errors / one.count, reverse=True)
    return ", ".join(f"{one.name} failed {format_percent(one.errors / one.count)} of its requests" for one in failing)


def _unnamed(run: Run) -> str:
    every = sum(one.count for one in run.operations if one.kind == HTTP)
    unnamed = every - sum(one.count for one in run.services if one.kind == HTTP)
    return f"Of {counted(unnamed, 'request')} nothing says which service answered" if unnamed > 0 else ""


def _beyond(run: Run) -> str:
    if not any(one.name == OTHER_SERVICES for one in run.services):
        return ""
    return f"More than {MOST_SERVICES} services were named: the rest is {OTHER_SERVICES}"
