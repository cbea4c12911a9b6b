"""Services behind a gateway, as a run saw them: what a reader must know of their figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES, SERVICE_LABEL, values_of
from dbz.runs.schema import BreakerOpening


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
