"""The services of a phase: a look at one, with the plan as it is for it, and plans for those beside the main one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dbz.cli.scale.access import Access
from dbz.errors import UsageError
from dbz.suggest import did_you_mean

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
    wanted_names = [name for name, servers in phase.services.items() if not (only_native and servers.fixed)]
    _refuse_unknown(access, phase, wanted_names)
    return tuple(plan_one(access, phase, name, wanted, only_native=only_native) for name in wanted_names)


def plan_one(access: Access, phase: Phase, name: str, wanted: Wanted, *, only_native: bool = False) -> ChangePlan:
    """The plan for one of the other services of a phase, see `other_services`."""
    from dbz.scaling.change.others import notes_on_sentences, plan_of_service
    from dbz.scaling.change.planner import plan_native, plan_service
    from dbz.scaling.handle import ServiceHandle

    servers = phase.services[name]
    handle = ServiceHandle(access.aws, access.cluster, name)
    live, plan = look(handle, plan_of_service(access.plan, name, servers))
    if only_native:
        made = plan_native(live, plan, servers)
    else:
        made = plan_service(live, plan, replace(wanted, servers=servers))
    native = only_native or plan.scaling.autoscaler == "native"
    notes = notes_on_sentences(access.plan, name, servers) if native else ()
    return replace(made, notes=(*notes, *made.notes), priority=access.plan.scaling.priority(name))


def _refuse_unknown(access: Access, phase: Phase, names: Sequence[str]) -> None:
    """`UsageError` that names all services which are not in the cluster, each with the one that may be meant."""
    from dbz.scaling.change.live import list_service_names

    there = list_service_names(access.aws, access.cluster) if names else []
    if missing := [f"'{name}'{did_you_mean(name, there)}" for name in names if name not in there]:
        known = ", ".join(sorted(there)[:12])
        raise UsageError(
            f"{phase.name} has services that are not in cluster {access.cluster}: {', '.join(missing)}",
            hint=f"there: {known}; `services` of the phase names them",
            code="S007",
        )
