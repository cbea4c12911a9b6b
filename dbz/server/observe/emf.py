"""The task's open connections, as CloudWatch takes them from a log: lines in the embedded metric format.

    {"_aws": {"Timestamp": …, "CloudWatchMetrics": […]}, "ClusterName": …, "ServiceName": …, "ActiveConnections": 42}

On ECS the log driver carries standard output to CloudWatch Logs, which makes the metric of it: that needs no agent, and
no permission of the task. One process of a task writes, for all of them. (CloudWatch user guide, embedded metric
format.)
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson

from dbz.server.observe.metrics import ServerMetrics
from dbz.server.settings import Emf

NAMESPACE, METRIC = "dbz", "ActiveConnections"
_DIMENSIONS = ("ClusterName", "ServiceName")


def emf_line(settings: Emf, connections: int, at_s: float) -> str:
    """One value of the metric."""
    metrics = [{"Name": METRIC, "Unit": "Count"}]
    about = {"Namespace": NAMESPACE, "Dimensions": [_DIMENSIONS], "Metrics": metrics}
    values = {"ClusterName": settings.cluster, "ServiceName": settings.service, METRIC: connections}
    return orjson.dumps({"_aws": {"Timestamp": round(at_s * 1000), "CloudWatchMetrics": [about]}, **values}).decode()


async def write_forever(metrics: ServerMetrics, settings: Emf) -> None:
    """A line on standard output every period, from one process of the task; nothing when no service is named."""
    while settings.service:
        connections = await metrics.connections_of_task()
        if connections is not None:
            sys.stdout.write(emf_line(settings, connections, time.time()) + "\n")
            sys.stdout.flush()
        await asyncio.sleep(settings.period_s)
