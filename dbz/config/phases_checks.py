"""What contradicts itself in a scaling plan that is well-formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbz.config.source import YamlSource
from dbz.errors import Problem

if TYPE_CHECKING:
    from dbz.config.phases import Phases


def contradictions(plan: Phases, source: YamlSource) -> list[Problem]:
    """Phases beyond the bounds, conditions that would fight, and target tracking beside what it cannot be with."""
    return _beyond_bounds(plan, source) + _no_room(plan, source) + _tracking(plan, source)


def _beyond_bounds(plan: Phases, source: YamlSource) -> list[Problem]:
    bounds = plan.scaling.bounds
    return [
        Problem(
            source.where(("phases", at, "api_servers")),
            f"{phase.name} wants {servers} API servers, beyond scaling.bounds ({bounds.min} to {bounds.max})",
        )
        for at, phase in enumerate(plan.phases)
        for servers in ([phase.api_servers.min, phase.api_servers.max] if phase.api_servers else [])
        if not bounds.min <= servers <= bounds.max
    ][:1]


def _no_room(plan: Phases, source: YamlSource) -> list[Problem]:
    """Conditions that would hold in both directions at once: the servers would go up and down for ever."""
    return [
        Problem(
            source.where(("scale_in_when_all", at)),
            f"'{inwards}' and '{outwards}' leave no room between scaling in and scaling out",
        )
        for at, inwards in enumerate(plan.scale_in_when_all)
        for outwards in plan.scale_out_when_any
        if (inwards.metric, inwards.of_capacity) == (outwards.metric, outwards.of_capacity)
        and inwards.op.startswith("<")
        and outwards.op.startswith(">")
        and inwards.limit >= outwards.limit
    ]


def _tracking(plan: Phases, source: YamlSource) -> list[Problem]:
    """What target tracking cannot be together with: it scales in by itself, and only AWS does it."""
    metrics = [one.metric for one in plan.target_tracking]
    problems = [
        Problem(source.where(("target_tracking", at)), f"{metric.value} is to be kept in two places")
        for at, metric in enumerate(metrics)
        if metric in metrics[:at]
    ]
    if metrics and plan.scale_in_when_all:
        what = "target_tracking scales in by itself, and scale_in_when_all would fight it: leave one of them out"
        problems.append(Problem(source.where(("scale_in_when_all",)), what))
    if metrics and plan.scaling.autoscaler == "dbz":
        problems.append(Problem(source.where(("target_tracking",)), "needs scaling.autoscaler: native: AWS does it"))
    return problems
