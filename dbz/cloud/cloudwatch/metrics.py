"""The metrics that ECS and load balancers write to CloudWatch, and those that tasks have written to their logs."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from dbz.cloud.cloudwatch.logs import Logged
from dbz.cloud.corrections import fine_metrics
from dbz.cloud.ecs.balancing import Balancing
from dbz.cloud.ecs.reconciler import Fleet
from dbz.cloud.ecs.tasks import TaskTotals

KEPT = timedelta(hours=6)
ALB = "AWS/ApplicationELB"
CPU, MEMORY = "CPUUtilization", "MemoryUtilization"
FINER = 3
"""So many datapoints of 20 s in a minute."""


class MetricWriter:
    """Once a `period_s` a value for each running task: CPU and memory in percent of what the task was given, three
    times as often where the service has metrics of 20 s. For each service with a target group also what its load
    balancer would have seen."""

    def __init__(self, ecs: Any, cloudwatch: Any, balancing: Balancing, period_s: float) -> None:
        self._ecs, self._cloudwatch, self._balancing = ecs, cloudwatch, balancing
        self._period_s = period_s
        self._next_s = time.monotonic() + period_s
        self._next_fine_s = time.monotonic() + period_s / FINER
        self._before: TaskTotals | None = None
        self.late_s = 0.0
        """How long after its time a datapoint comes."""
        self._under_way: list[tuple[float, str, dict[str, Any]]] = []

    @property
    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() >= self._next_s

    @property
    def due_finely(self) -> bool:
        """Whether it is time to write again for services with metrics of 20 s."""
        return time.monotonic() >= self._next_fine_s

    def write_finely(self, fleets: dict[str, Fleet]) -> None:
        """Write what such services have more often."""
        self._next_fine_s = max(self._next_fine_s + self._period_s / FINER, time.monotonic())
        for key, fleet in fleets.items():
            known = self._ecs.services.get(key)
            names = fine_metrics(known) if known is not None else set()
            if names:
                cluster, service = key.split(":")
                self._write_usage(cluster, service, fleet, names)

    def write(self, fleets: dict[str, Fleet], totals: TaskTotals | None) -> None:
        """Write for all services; `totals` are those of all their tasks together."""
        self._next_s = max(self._next_s + self._period_s, time.monotonic())
        before, self._before = self._before, totals
        for key, fleet in fleets.items():
            cluster, service = key.split(":")
            known = self._ecs.services.get(key)
            self._write_tasks(cluster, service, fleet, fine_metrics(known) if known is not None else set())
            if known is not None and totals is not None and before is not None:
                for names in self._balancing.names(known):
                    self._write_requests(names, before, totals, len(fleet.ready()))
        horizon = datetime.now(UTC).replace(tzinfo=None) - KEPT
        data = self._cloudwatch.metric_data
        data[:] = [one for one in data if one.timestamp.replace(tzinfo=None) > horizon]

    def _write_usage(self, cluster: str, service: str, fleet: Fleet, names: Collection[str]) -> None:
        dimensions = {"ClusterName": cluster, "ServiceName": service}
        usages = [usage for usage in (one.task.usage() for one in fleet.ready()) if usage is not None]
        if CPU in names:
            self._put("AWS/ECS", CPU, dimensions, "Percent", [100 * one.cpu for one in usages])
        if MEMORY in names:
            self._put("AWS/ECS", MEMORY, dimensions, "Percent", [100 * one.memory for one in usages])

    def _write_tasks(self, cluster: str, service: str, fleet: Fleet, finely: Collection[str]) -> None:
        self._write_usage(cluster, service, fleet, {CPU, MEMORY} - set(finely))
        for one in fleet.ready():
            for value in one.task.logged():
                self._put_logged(value)

    def _write_requests(self, names: tuple[str, str], before: TaskTotals, now: TaskTotals, running: int) -> None:
        answered = now.answered - before.answered
        if answered < 0:  # servers that began anew count from zero
            return
        balancer, group = {"LoadBalancer": names[0]}, {"LoadBalancer": names[0], "TargetGroup": names[1]}
        failed = now.failed - before.failed
        mean_s = [(now.answer_s - before.answer_s) / answered] if answered else []
        for dimensions in (balancer, group):
            self._put(ALB, "RequestCount", dimensions, "Count", [answered] if answered else [])
            self._put(ALB, "HTTPCode_Target_5XX_Count", dimensions, "Count", [failed] if failed > 0 else [])
            self._put(ALB, "TargetResponseTime", dimensions, "Seconds", mean_s)
        self._put(ALB, "RequestCountPerTarget", group, "Count", [answered / running] if running else [])

    def _put_logged(self, value: Logged) -> None:
        named = [{"Name": key, "Value": one} for key, one in value.dimensions.items()]
        at = datetime.fromtimestamp(value.at_s, UTC).replace(tzinfo=None)  # as moto keeps it
        datum = {
            "MetricName": value.name,
            "Dimensions": named,
            "Unit": value.unit,
            "Timestamp": at,
            "Value": value.value,
        }
        self._send(value.namespace, datum)

    def _send(self, namespace: str, datum: dict[str, Any]) -> None:
        """Let a datapoint arrive, now or when it is late enough."""
        if self.late_s:
            now = datetime.now(UTC).replace(tzinfo=None)
            self._under_way.append((time.monotonic() + self.late_s, namespace, {"Timestamp": now, **datum}))
        else:
            self._cloudwatch.put_metric_data(namespace, [datum])

    def deliver(self) -> None:
        """Let arrive what was under way for long enough."""
        now_s = time.monotonic()
        for due_s, namespace, datum in self._under_way:
            if due_s <= now_s:
                self._cloudwatch.put_metric_data(namespace, [datum])
        self._under_way = [one for one in self._under_way if one[0] > now_s]

    def _put(self, namespace: str, name: str, dimensions: dict[str, str], unit: str, values: list[float]) -> None:
        if values:
            named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
            datum = {"MetricName": name, "Dimensions": named, "Unit": unit, "Values": values}
            self._send(namespace, datum)
