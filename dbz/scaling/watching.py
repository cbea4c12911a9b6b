"""How an ECS service is now: its tasks, and its newest CPU and memory from CloudWatch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.phases.plan import Scaling
from dbz.scaling.decide.sources import CloudWatchSource
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.refusals import NotThereError

_METRICS = (Watched.CPU, Watched.MEMORY)


@dataclass
class ServiceState:
    """A service at one moment."""

    status: str
    """`ACTIVE`, and what becomes of its newest deployment."""
    active: bool = True
    """Whether it is there: one that was deleted is still described for a while, with no tasks wanted."""
    figures: dict[Watched, float] = field(default_factory=dict)
    """In the units of conditions; CPU and memory only where there is a datapoint that is young enough."""
    details: dict[str, float | str | bool] = field(default_factory=dict)
    """Tasks that are wanted, running and pending, and how old the newest datapoint of each metric is."""


class ServiceWatch:
    """Asks for one service again and again; CloudWatch only once a period, because it charges for each question."""

    def __init__(self, handle: ServiceHandle, scaling: Scaling) -> None:
        """`scaling` names the service as `handle` does, and says the period and how old a datapoint may be."""
        self._handle = handle
        self._scaling = scaling
        self._cloudwatch = CloudWatchSource(handle.aws, scaling, [Condition(metric, ">", 0.0) for metric in _METRICS])
        self._newest: dict[Watched, tuple[float, float]] = {}
        self._asked = -1

    def look(self) -> ServiceState:
        """How it is; `DependencyError` or `UsageError` when AWS does not say."""
        handle = self._handle
        answer = handle.aws.call("ecs", "describe_services", cluster=handle.cluster, services=[handle.name])
        if not answer["services"]:
            raise NotThereError(f"there is no service {handle.name} in cluster {handle.cluster}", code="S007")
        service = answer["services"][0]
        running, wanted = float(service["runningCount"]), float(service["desiredCount"])
        rollout = next((str(one.get("rolloutState", "")) for one in service.get("deployments", ())), "")
        status = str(service["status"])
        state = ServiceState(", ".join(filter(None, (status, rollout))), status == "ACTIVE")
        state.figures = {Watched.RUNNING_TASKS: running, Watched.MISSING_TASKS: max(wanted - running, 0.0)}
        state.details = {"wanted_tasks": wanted, "pending_tasks": float(service["pendingCount"])}
        self._add_metrics(state, time.time())
        return state

    def _add_metrics(self, state: ServiceState, now_s: float) -> None:
        """The newest datapoint of each metric: what comes late is taken when it has come."""
        period, data_age_s = int(now_s // self._scaling.period), self._scaling.data_age
        if period != self._asked:
            for sample in self._cloudwatch.since(now_s - data_age_s - self._scaling.period, now_s, lambda _: 1):
                values = {metric: sample.values.get(metric) for metric in _METRICS}
                self._newest |= {metric: (sample.at_s, value) for metric, value in values.items() if value is not None}
            self._asked = period
        for metric, (end_s, value) in self._newest.items():
            if now_s - end_s <= data_age_s:
                state.figures[metric] = value
                state.details[f"{metric.value}_age_s"] = round(now_s - end_s, 1)
