"""The metrics that ECS writes to CloudWatch, and the connections that the app's own servers write."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from dbz.cloud.reconciler import Fleet

KEPT = timedelta(hours=6)
APP_NAMESPACE = "dbz"
"""Where the servers of the app publish what ECS does not know: `ActiveConnections`, one value a task."""


class MetricWriter:
    """Once a `period_s` a value for each running task: CPU and memory in percent of what the task was given."""

    def __init__(self, cloudwatch: Any, period_s: float) -> None:
        self._cloudwatch = cloudwatch
        self._period_s = period_s
        self._next_s = time.monotonic() + period_s

    @property
    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() >= self._next_s

    def write(self, fleets: dict[str, Fleet], connections: float | None) -> None:
        """Write for all services; `connections` are those of all their tasks together."""
        self._next_s = max(self._next_s + self._period_s, time.monotonic())
        running = sum(len(fleet.ready()) for fleet in fleets.values())
        share = None if connections is None or not running else connections / running
        for key, fleet in fleets.items():
            cluster, service = key.split(":")
            self._write(cluster, service, fleet, share)
        horizon = datetime.now(UTC).replace(tzinfo=None) - KEPT
        data = self._cloudwatch.metric_data
        data[:] = [one for one in data if one.timestamp.replace(tzinfo=None) > horizon]

    def _write(self, cluster: str, service: str, fleet: Fleet, share: float | None) -> None:
        dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}]
        usages = [usage for usage in (one.task.usage() for one in fleet.ready()) if usage is not None]
        series = {
            ("AWS/ECS", "CPUUtilization", "Percent"): [100 * one.cpu for one in usages],
            ("AWS/ECS", "MemoryUtilization", "Percent"): [100 * one.memory for one in usages],
            (APP_NAMESPACE, "ActiveConnections", "Count"): [] if share is None else [share] * len(usages),
        }
        for (namespace, name, unit), values in series.items():
            if values:
                datum = {"MetricName": name, "Dimensions": dimensions, "Unit": unit, "Values": values}
                self._cloudwatch.put_metric_data(namespace, [datum])
