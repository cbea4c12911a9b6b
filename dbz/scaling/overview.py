"""All that `dbz scale status` shows, read and put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dbz.config.phases.plan import Phase, Phases
from dbz.errors import UsageError
from dbz.scaling.change.health import GroupHealth, read_health
from dbz.scaling.change.live import find_services, list_service_names, read_activities, read_live
from dbz.scaling.change.state import EcsService, Live, ScalingActivity
from dbz.scaling.exclusive.roles import Presence, who_is_there
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.size.measured import newest_capacity, read_measured


@dataclass(frozen=True)
class Overview:
    """What `dbz scale status` shows."""

    where: str
    """Region, and endpoint when it is not Amazon's."""
    live: Live
    services: Sequence[EcsService]
    """All active services of the cluster."""
    nearest: str
    """The phase whose planned tasks are nearest, in words."""
    headroom: dict[str, float]
    """How many times a phase's targets the running tasks carry, by phase; empty without a capacity."""
    measured: str
    """The id of that capacity."""
    present: Sequence[Presence]
    """Who follows or changes the service now."""
    targets: Sequence[GroupHealth]
    activities: Sequence[ScalingActivity] = ()
    """What AWS did by its policies lately, and why it did not."""

    def headroom_texts(self) -> list[str]:
        """A sentence for each phase, or why there is none."""
        if not self.headroom:
            return ["not known: dbz capacity measures what a task carries"]
        tasks = self.live.service.running
        return [
            f"{tasks} tasks carry {ratio:.2g} times {phase}" + ("" if ratio >= 1 else ": not enough")
            for phase, ratio in self.headroom.items()
        ]


def look(handle: ServiceHandle, plan: Phases, cache_group: str, reports: Path) -> Overview:
    """Read everything; an empty `cache_group` is none."""
    aws, live = handle.aws, read_live(handle, cache_group)
    known = find_services(aws, handle.cluster, sorted(list_service_names(aws, handle.cluster)))
    services = [one for one in known if one.status == "ACTIVE"]
    file = newest_capacity(reports)
    headroom: dict[str, float] = {}
    measured = ""
    if file is not None:
        try:
            found = read_measured(str(file), reports, None)
        except UsageError:  # a capacity of somebody else's servers says nothing about these
            found = None
        if found is not None:
            measured = found.source
            for phase in plan.phases:
                targets = {"users": phase.users, "connections": phase.connections, "requests": phase.requests}
                ratios = [
                    each * live.service.running / targets[name]
                    for name, each in found.per_task().items()
                    if targets[name]
                ]
                headroom[phase.name] = min(ratios)
    activities = read_activities(handle) if live.policies else []
    present = who_is_there(aws, plan.scaling, live.place)
    health = read_health(aws, live.service.target_groups)
    nearest = nearest_phase(plan, live)
    return Overview(aws.where, live, services, nearest, headroom, measured, present, health, activities)


def nearest_phase(plan: Phases, live: Live) -> str:
    """The phase whose planned tasks are nearest to the desired ones, and how they differ; empty without any."""
    desired = live.service.desired
    planned = [one for one in plan.phases if one.api_servers is not None]
    if not planned:
        return ""

    def away(phase: Phase) -> tuple[int, int]:
        assert phase.api_servers is not None
        low, high = phase.api_servers.min, phase.api_servers.max
        ranged = live.target is not None and (live.target["MinCapacity"], live.target["MaxCapacity"]) == (low, high)
        return max(low - desired, desired - high, 0), 0 if ranged else 1 if phase.api_servers.fixed else 2

    nearest = min(planned, key=away)
    assert nearest.api_servers is not None
    low, high = nearest.api_servers.min, nearest.api_servers.max
    wanted = str(low) if low == high else f"{low} to {high}"
    return f"{nearest.name} ({wanted} tasks planned, {desired} desired)"
