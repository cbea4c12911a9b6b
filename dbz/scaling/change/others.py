"""Other services of a phase: by which sentences they scale, and which of the plan's are not about them. Pure.

A service with sentences of its own scales by these. Else it takes those of the plan that any ECS service has a metric
for, CPU and memory. The others are about the app of `scaling.service`: another service may hold no connections, and
answer no requests. Scaling in needs all sentences; where one of them is not about a service, it does not scale in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.target_tracking import Target
from dbz.config.phases.plan import OtherService, Phases
from dbz.scaling.native import ECS_METRICS

_Sentence = TypeVar("_Sentence", Condition, Target)


def plan_of_service(plan: Phases, name: str, servers: OtherService) -> Phases:
    """The plan as it is for another service: its sentences, and no load balancer of somebody else."""
    scaling = plan.scaling.model_copy(update={"service": name, "load_balancer": "", "target_group": ""})
    if servers.has_rules:
        out, inwards, targets = servers.scale_out_when_any, servers.scale_in_when_all, servers.target_tracking
    else:
        out, targets = _about_any(plan.scale_out_when_any), _about_any(plan.target_tracking)
        inwards = _about_any(plan.scale_in_when_all)
        if len(inwards) < len(plan.scale_in_when_all):
            inwards = []
    rules = {"scale_out_when_any": out, "scale_in_when_all": inwards, "target_tracking": targets}
    return plan.model_copy(update={**rules, "scaling": scaling})


def _about_any(sentences: Sequence[_Sentence]) -> list[_Sentence]:
    return [one for one in sentences if one.metric in ECS_METRICS]


def notes_on_sentences(plan: Phases, name: str, servers: OtherService) -> tuple[str, ...]:
    """What of the plan's sentences a service does not scale by, and why."""
    if servers.has_rules or servers.fixed:
        return ()
    mine, notes = plan_of_service(plan, name, servers), []
    whole: tuple[Condition | Target, ...] = (*plan.scale_out_when_any, *plan.scale_in_when_all, *plan.target_tracking)
    if foreign := [f"'{one}'" for one in whole if one.metric not in ECS_METRICS]:
        own = f"{name} scales by those on CPU and memory, or by sentences of its own in `services`"
        notes.append(f"no alarm for {', '.join(foreign)}: about the plan's own service; {own}")
    if plan.scale_in_when_all and not mine.scale_in_when_all:
        notes.append(f"nothing scales {name} in: that needs all sentences, and not all are about it")
    if not (mine.scale_out_when_any or mine.target_tracking):
        notes.append(f"nothing scales {name} out by itself: no sentence is about it")
    return tuple(notes)
