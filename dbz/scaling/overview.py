"""All that `dbz scale status` shows, read and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbz.config.phases.plan import ApiServers, Phase, Phases
from dbz.errors import UsageError
from dbz.scaling.change.health import GroupHealth, read_health
from dbz.scaling.change.live import find_services, list_service_names, read_activities, read_live
from dbz.scaling.change.state import EcsService, Live, ScalingActivity
from dbz.scaling.exclusive.roles import Presence, who_is_there
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.size.apart import carried_apart
from dbz.scaling.size.measured import newest_capacity, read_measured
from dbz.scaling.size.sizing import not_shown, times_carried


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
    planned: Mapping[str, ApiServers]
    """What that phase plans for each of its services."""
    headroom: dict[str, float]
    """How many times a phase's targets the running tasks carry, by phase; empty without a capacity."""
    measured: str
    """The id of that capacity."""
    present: Sequence[Presence]
    """Who follows or changes the service now."""
    targets: Sequence[GroupHealth]
    limited_by: Mapping[str, str] = field(default_factory=dict)
    """By phase: of services apart the one that limits how much of it is carried."""
    activities: Sequence[ScalingActivity] = ()
    """What AWS did by its policies lately, and why it did not."""
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Phases of which the headroom is not known, each with what the measured load had none of."""

    def drift(self, service: str) -> int:
        """How many tasks more than the nearest phase plans a service is to have; below 0: fewer."""
        desired = next((one.desired for one in self.services if one.name == service), 0)
        return _away(desired, self.planned[service]) if service in self.planned else 0

    @property
    def missing(self) -> list[str]:
        """Services of the nearest phase that are not in the cluster."""
        return sorted(self.planned.keys() - {one.name for one in self.services})

    def headroom_texts(self) -> list[str]:
        """A sentence for each phase, or why there is none."""
        if not (self.headroom or self.unknown):
            return ["not known: dbz capacity measures what a task carries"]
        tasks = self.live.service.running
        return [
            (
                f"the tasks of all services carry {ratio:.2g} times {phase}"
                if phase in self.limited_by
                else f"{tasks} tasks carry {ratio:.2g} times {phase}"
            )
            + ("" if ratio >= 1 else ": not enough")
            + (f" ({self.limited_by[phase]} carries least)" if phase in self.limited_by else "")
            for phase, ratio in self.headroom.items()
        ] + [
            f"{phase}: not known, its {' and '.join(blind)} were not measured" for phase, blind in self.unknown.items()
        ]


def look(handle: ServiceHandle, plan: Phases, cache_group: str, reports: Path) -> Overview:
    """Read everything; an empty `cache_group` is none."""
    aws, live = handle.aws, read_live(handle, cache_group)
    known = find_services(aws, handle.cluster, sorted(list_service_names(aws, handle.cluster)))
    services = [one for one in known if one.status == "ACTIVE"]
    carried = _carried(plan, {one.name: one.running for one in services}, live.service.running, reports)
    activities = read_activities(handle) if live.policies else []
    present = who_is_there(aws, plan.scaling, live.place)
    health = read_health(aws, live.service)
    near = nearest_phase(plan, live, services)
    nearest = _in_words(near, live) if near else ""
    planned = _planned(near, live) if near else {}
    return Overview(
        aws.where, live, services, nearest, planned, carried.headroom, carried.measured, present, health,
        carried.limited_by, activities, carried.unknown,
    )  # fmt: skip


@dataclass(frozen=True)
class _Carried:
    """What the running tasks carry, by the newest capacity that was measured; fields as in `Overview`."""

    measured: str = ""
    headroom: dict[str, float] = field(default_factory=dict)
    limited_by: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)


def _carried(plan: Phases, running: Mapping[str, int], tasks: int, reports: Path) -> _Carried:
    file = newest_capacity(reports)
    if file is None:
        return _Carried()
    try:
        found = read_measured(str(file), reports, None)
    except UsageError:  # a capacity of somebody else's servers says nothing about these
        return _Carried()
    known = _Carried(found.source)
    for phase in plan.phases:
        apart = carried_apart(plan, phase, found, running)
        ratio = apart[0] if apart else times_carried(phase, found, tasks)
        blind = not_shown(phase, found)
        # Too few for one thing are too few, whatever the others need.
        if ratio is None or (blind and ratio >= 1):
            known.unknown[phase.name] = blind
            continue
        known.headroom[phase.name] = ratio
        if apart:
            known.limited_by[phase.name] = apart[1]
    return known


def nearest_phase(plan: Phases, live: Live, services: Sequence[EcsService]) -> Phase | None:
    """The phase whose planned tasks are nearest to the desired ones, over all its services; None without any."""
    desired = {live.service.name: live.service.desired} | {one.name: one.desired for one in services}
    planned = [one for one in map(plan.whole_phase, plan.names) if _planned(one, live)]

    def away(phase: Phase) -> tuple[int, int]:
        wanted = _planned(phase, live)
        mine = wanted.get(live.service.name)
        far = sum(abs(_away(desired.get(name, 0), servers)) for name, servers in wanted.items())
        bounds = (mine.min, mine.max) if mine else None
        ranged = live.target is not None and (live.target["MinCapacity"], live.target["MaxCapacity"]) == bounds
        return far, 0 if ranged else 1 if mine is None or mine.fixed else 2

    return min(planned, key=away, default=None)


def _planned(phase: Phase, live: Live) -> dict[str, ApiServers]:
    """What a phase plans for each of its services, and for the one in question."""
    own = {live.service.name: phase.api_servers} if phase.api_servers else {}
    return {**own, **phase.services}


def _away(desired: int, planned: ApiServers) -> int:
    return desired - min(max(desired, planned.min), planned.max)


def _in_words(phase: Phase, live: Live) -> str:
    servers = _planned(phase, live).get(live.service.name)
    if servers is None:
        return f"{phase.name} (nothing planned for {live.service.name})"
    wanted = str(servers.min) if servers.fixed else f"{servers.min} to {servers.max}"
    return f"{phase.name} ({wanted} tasks planned, {live.service.desired} desired)"
