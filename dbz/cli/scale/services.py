"""The services of a phase: a look at one, with the plan as it is for it, and plans for those beside the main one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbz.cli.scale.access import Access
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import Phase, Phases
    from dbz.scaling.change.planner import Wanted
    from dbz.scaling.change.state import Live
    from dbz.scaling.change.steps import ChangePlan
    from dbz.scaling.handle import ServiceHandle


def look(handle: ServiceHandle, plan: Phases, cache_group: str = "") -> tuple[Live, Phases]:
    """A service as it runs, and the plan with its load balancer where that names none."""
    from dbz.scaling.change.live import read_fine_metrics, read_live, with_target_groups
    from dbz.scaling.change.planner import fine_metrics
    from dbz.scaling.native import with_balancer

    live = with_target_groups(handle.aws, read_live(handle, cache_group))
    plan = with_balancer(plan, live)
    if fine_metrics(plan):
        live = replace(live, fine_metrics=tuple(read_fine_metrics(handle) or ()))
    return live, plan


def other_services(
    access: Access, phase: Phase, wanted: Wanted, *, only_native: bool = False
) -> tuple[ChangePlan, ...]:
    """Plans for the other services of a phase: tasks or range, policies and alarms; `wanted` is that of the main one.

    With `only_native` those that scale, and only by what AWS does by itself.
    """
    from dbz.scaling.change.others import notes_on_sentences, plan_of_service
    from dbz.scaling.change.planner import plan_native, plan_service
    from dbz.scaling.handle import ServiceHandle

    plans = []
    for name, servers in phase.services.items():
        if name == access.service:
            raise UsageError(
                f"{name} is the service of the plan: {phase.name} says its tasks as `api_servers`", code="S022"
            )
        if only_native and servers.fixed:
            continue
        handle = ServiceHandle(access.aws, access.cluster, name)
        live, plan = look(handle, plan_of_service(access.plan, name, servers))
        if only_native:
            made = plan_native(live, plan, servers)
        else:
            made = plan_service(live, plan, replace(wanted, servers=servers))
        native = only_native or plan.scaling.autoscaler == "native"
        notes = notes_on_sentences(access.plan, name, servers) if native else ()
        plans.append(replace(made, notes=(*notes, *made.notes)))
    return tuple(plans)
