"""JSON documents that commands print, where no model of their own has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dbz.measure.budget.metrics import CATALOGUE
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder

if TYPE_CHECKING:
    from dbz.config.phases.plan import ApiServers
    from dbz.report.words.simulations import PlayedService
    from dbz.scaling.overview import Overview
    from dbz.scaling.simulate.simulator import Price, Simulation
    from dbz.scaling.simulate.traces import Trace
    from dbz.scaling.size.apart import ServiceSize
    from dbz.scaling.size.sizing import MeasuredTask, PhaseSize

SCHEMA = "dbz.runs/1"
METRICS_SCHEMA = "dbz.metrics/1"


def list_json(runs: Iterable[tuple[RunFolder, Run]]) -> str:
    """One object a run, in the order given: what it was, its verdict, and the folder that holds the rest."""
    rows = [_row(folder, run) for folder, run in runs]
    return json.dumps({"schema": SCHEMA, "runs": rows}, indent=1)


def metrics_json() -> str:
    """What a budget can be about, schema `dbz.metrics/1`."""
    rows = [
        {"name": one.name, "label": one.label, "unit": one.unit, "statistics": list(one.stats), "about": one.about}
        for one in CATALOGUE.values()
    ]
    return json.dumps({"schema": METRICS_SCHEMA, "metrics": rows}, indent=1, ensure_ascii=False)


def _row(folder: RunFolder, run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "started": run.started,
        "profile": run.profile.get("name"),
        "target": run.target,
        "verdict": run.verdict.value,
        "duration_s": run.duration_s,
        "users_held": run.users_held,
        "folder": str(folder.path),
    }


def scale_status(found: Overview) -> dict[str, Any]:
    """What runs of a service, schema `dbz.scale-status/1`."""
    from dbz.scaling.change.journal import unfinished

    live = found.live
    return {
        "schema": "dbz.scale-status/1",
        "account": live.account,
        "region": live.region,
        "service": asdict(live.service),
        "services": [
            {**asdict(one), "planned": _servers(found.planned.get(one.name)), "drift": found.drift(one.name)}
            for one in found.services
        ],
        "services_missing": found.missing,
        "target": live.target,
        "policies": live.policies,
        "schedules": live.schedules,
        "alarms": [asdict(one) for one in live.alarms.values()],
        "cache": asdict(live.cache) if live.cache else None,
        "nearest_phase": found.nearest,
        "headroom": found.headroom,
        "headroom_unknown": found.unknown,
        "per_task_from": found.measured,
        "targets": [{"name": one.name, **asdict(one)} for one in found.targets],
        "suspended": list(live.suspended),
        "idle": live.idle,
        "activities": [asdict(one) for one in found.activities],
        "present": [asdict(one) for one in found.present],
        "unfinished": [one.id for one in unfinished(live.place)],
    }


def _servers(planned: ApiServers | None) -> dict[str, int] | None:
    return None if planned is None else {"min": planned.min, "max": planned.max}


def size_json(measured: MeasuredTask, sizes: list[PhaseSize], headroom: float) -> str:
    """How many tasks each phase needs, schema `dbz.size/1`."""
    rows = [
        {
            "phase": one.phase,
            "planned": _servers(one.planned),
            "tasks": one.tasks,
            "tasks_at_best": one.at_best,
            "by": one.by,
            "needs": one.needs,
            "not_measured": list(one.not_measured),
            "verdict": one.verdict.value,
            "advice": one.advice,
        }
        for one in sizes
    ]
    document = {
        "schema": "dbz.size/1",
        "from": measured.source,
        "measured_tasks": measured.servers,
        "per_task": measured.per_task(),
        "headroom": headroom,
        "phases": rows,
    }
    return json.dumps(document, indent=1)


def service_sizes_json(measured: MeasuredTask, sizes: list[ServiceSize], headroom: float) -> str:
    """How many tasks each service of each phase needs, schema `dbz.size/1` with `services` in place of `phases`."""
    from dbz.scaling.size.apart import busiest

    rows = [
        {
            "phase": one.phase,
            "service": one.service,
            "priority": one.priority,
            "planned": _servers(one.planned),
            "tasks": one.tasks,
            "tasks_at_best": one.at_best,
            "verdict": one.verdict.value,
            "advice": one.advice,
        }
        for one in sizes
    ]
    top = busiest(measured.services)
    document = {
        "schema": "dbz.size/1",
        "from": measured.source,
        "carried": measured.whole,
        "measured_services": [vars(one) for one in measured.services],
        "busiest": {"service": top[0], "cores_per_task": top[1]} if top else None,
        "headroom": headroom,
        "services": rows,
    }
    return json.dumps(document, indent=1)


def services_simulation_json(phase: str, played: Mapping[str, Sequence[PlayedService]], room: int | None) -> str:
    """What each policy would have done with the load of each service, schema `dbz.simulation/1` with `services` in each
    policy."""
    from dbz.report.words.simulations import total_cost

    first = next(iter(played.values()))[0]
    rows = [
        {
            "policy": policy,
            "task_hours": sum(one.result.task_hours for one in services),
            "cost": total_cost(services),
            "services": [
                {
                    "service": one.result.policy,
                    "priority": one.priority,
                    "bounds": [one.servers.min, one.servers.max],
                    **_simulated(one.result, one.cost),
                    "no_place_s": one.result.waited_s,
                    "censored_s": one.result.censored_s,
                }
                for one in services
            ],
        }
        for policy, services in played.items()
    ]
    document = {
        "schema": "dbz.simulation/1",
        "trace": first.result.trace,
        "seconds": first.result.seconds,
        "phase": phase,
        "room": room,
        "currency": first.price.currency if first.price else None,
        "policies": rows,
    }
    return json.dumps(document, indent=1)


def _simulated(one: Simulation, cost: float | None) -> dict[str, Any]:
    return {
        "under_capacity_s": one.under_s,
        "lost_share": one.lost,
        "at_least": bool(one.censored_s),
        "task_hours": one.task_hours,
        "cost": cost,
        "most_tasks": one.highest,
        "flaps": one.flaps,
        "steps": [vars(change) for change in one.changes],
    }


def simulation_json(load: Trace, per_task_per_s: float, found: list[Simulation], price: Price | None = None) -> str:
    """What each policy would have done with a load, schema `dbz.simulation/1`."""
    rows = [
        {
            "policy": one.policy,
            **_simulated(one, None if price is None else one.task_hours * price.an_hour),
        }
        for one in found
    ]
    document = {
        "schema": "dbz.simulation/1",
        "trace": load.name,
        "seconds": len(load),
        "censored_s": load.censored_s,
        "requests_per_s_per_task": per_task_per_s,
        "currency": price.currency if price else None,
        "policies": rows,
    }
    return json.dumps(document, indent=1)
