"""What ECS does after it was told something: starts and stops tasks until what runs is what is wanted.

The stable interface is `Reconciler.tick()`; everything about how a task runs is in its `Runner`. Of one service:

* tasks are started and stopped one by one until they are as many as desired, a new revision before the old one goes;
  one that is protected from scale-in stays;
* running and pending counts, deployments with their rollout state, and events follow;
* a task that ends by itself is replaced and counted as failed; when `breaker` failures come in a row without a task
  becoming ready, the rollout state is FAILED (the deployment circuit breaker, without its own rollback).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.ecs.models import Task as MotoTask

from dbz.cloud.ecs.protection import is_protected
from dbz.cloud.ecs.tasks import Runner, Task

MOST_EVENTS = 100
_KEPT_STOPPED = 20


class ListedTask(MotoTask):
    """A task as the API lists it; its state is ours to set."""

    state = "PENDING"
    created_at: datetime
    started_at: datetime
    stopped_at: datetime

    @property
    def status(self) -> str:
        """PENDING, RUNNING or STOPPED."""
        return self.state

    @status.setter
    def status(self, value: str) -> None:
        self.state = value

    def advance(self) -> None:
        """States change when they change, not when somebody looks."""


@dataclass
class Running:
    """One task, its entry in the API, the revision that it belongs to, its number, and whether it was ever ready."""

    task: Task
    listed: Any
    revision: int
    number: int
    ready: bool = False


@dataclass
class Fleet:
    """The tasks of one service. `revision` is that of the newest deployment."""

    tasks: list[Running] = field(default_factory=list)
    stopping: list[Running] = field(default_factory=list)
    revision: int = 0
    started: int = 0
    failed: int = 0
    failures_in_a_row: int = 0
    settled: bool = False
    rolled_out: bool = False
    asked: int | None = None
    kept: int = 0
    """How many tasks more than wanted run because they are protected."""

    def ready(self) -> list[Running]:
        """The tasks that answer."""
        return [one for one in self.tasks if one.ready]


class Reconciler:
    """Brings the services of one ECS backend to where they are wanted.

    `breaker` consecutive failed tasks end a rollout as FAILED; 0 never does. `never_settles` keeps every rollout in
    progress, for rehearsing that.
    """

    def __init__(self, backend: Any, runner: Runner, *, breaker: int = 3) -> None:
        self.fleets: dict[str, Fleet] = {}
        self.breaker = breaker
        self.never_settles = False
        self._backend = backend
        self._runner = runner

    def tick(self) -> None:
        """Look at every service once."""
        for key, service in list(self._backend.services.items()):
            if not service.deployments:  # CodeDeploy or somebody else deploys it, by task sets: it only is there
                service.running_count, service.pending_count = service.desired_count, 0
                continue
            fleet = self.fleets.setdefault(key, Fleet(revision=getattr(service, "wanted_revision", 0)))
            self._reconcile(service, fleet)

    def fleet(self, cluster: str, service: str) -> Fleet:
        """The tasks of a service."""
        return self.fleets.setdefault(f"{cluster}:{service}", Fleet())

    def _reconcile(self, service: Any, fleet: Fleet) -> None:
        desired = service.desired_count if service.status == "ACTIVE" else 0
        if getattr(service, "wanted_revision", 0) != fleet.revision:
            self._new_deployment(service, fleet)
        if fleet.asked not in (None, desired):
            fleet.settled, fleet.failures_in_a_row = False, 0
        fleet.asked = desired
        self._look(service, fleet)
        self._start_missing(service, fleet, desired)
        self._stop_surplus(service, fleet, desired)
        self._publish(service, fleet, desired)

    def _new_deployment(self, service: Any, fleet: Fleet) -> None:
        fleet.revision = service.wanted_revision
        fleet.settled = fleet.rolled_out = False
        fleet.failed = fleet.failures_in_a_row = 0
        now = utcnow()
        old = {**service.deployments[0], "status": "ACTIVE", "updatedAt": now}
        new = {**service.deployments[0], "id": f"ecs-svc/{uuid.uuid4().int % 10**19:019}", "createdAt": now}
        new |= {"status": "PRIMARY", "updatedAt": now, "failedTasks": 0, "taskDefinition": service.task_definition}
        service.deployments[:] = [new, old]

    def _look(self, service: Any, fleet: Fleet) -> None:
        for one in list(fleet.tasks):
            reason = one.task.ended()
            if reason:
                fleet.tasks.remove(one)
                fleet.failed += 1
                fleet.failures_in_a_row += 1
                self._stopped(service, one, reason)
                self._event(service, f"has stopped 1 tasks: (task {one.listed.id}): {reason}.")
            elif one.ready:
                one.ready = one.task.ready()
            elif one.task.ready():
                one.ready, one.listed.state = True, "RUNNING"
                one.listed.started_at = utcnow()
                fleet.failures_in_a_row = 0
        fleet.stopping = [one for one in fleet.stopping if not one.task.gone()]

    def _start_missing(self, service: Any, fleet: Fleet, desired: int) -> None:
        current = [one for one in fleet.tasks if one.revision == fleet.revision]
        missing = desired - len(current)
        if missing <= 0 or self._broken(fleet):
            return
        for _ in range(missing):
            fleet.started += 1
            listed = self._list(service)
            named = {"ClusterName": service.cluster_name, "ServiceName": service.name}
            task = self._runner.start(fleet.started, named)
            fleet.tasks.append(Running(task, listed, fleet.revision, fleet.started))
        self._event(service, f"has started {missing} tasks.")

    def _stop_surplus(self, service: Any, fleet: Fleet, desired: int) -> None:
        fresh = [one for one in fleet.tasks if one.revision == fleet.revision]
        free = [one for one in fresh if not is_protected(one.listed)]
        too_many = max(0, len(fresh) - desired)
        surplus = free[max(0, len(free) - too_many) :]  # the newest
        kept = too_many - len(surplus)
        if sum(one.ready for one in fresh) >= desired:
            old = [one for one in fleet.tasks if one.revision != fleet.revision]
            surplus += [one for one in old if not is_protected(one.listed)]
        if kept != fleet.kept:
            fleet.kept = kept
            if kept:
                self._event(service, f"was unable to scale in {kept} tasks due to task scale-in protection.")
        for one in surplus:
            one.task.stop()
            fleet.tasks.remove(one)
            fleet.stopping.append(one)
            self._stopped(service, one, "Scaling activity initiated by deployment")
        if surplus:
            self._event(service, f"has stopped {len(surplus)} running tasks.")

    def _broken(self, fleet: Fleet) -> bool:
        return bool(self.breaker) and fleet.failures_in_a_row >= self.breaker

    def _publish(self, service: Any, fleet: Fleet, desired: int) -> None:
        ready = fleet.ready()
        service.running_count, service.pending_count = len(ready), len(fleet.tasks) - len(ready)
        fresh = [one for one in ready if one.revision == fleet.revision]
        steady = len(fresh) == desired == len(fleet.tasks) and not self.never_settles
        if steady:
            del service.deployments[1:]
            fleet.rolled_out = True
        if steady and not fleet.settled:
            fleet.settled = True
            self._event(service, "has reached a steady state.")
        # As on AWS, another number of tasks is no new rollout.
        state, reason = ("COMPLETED", "completed") if fleet.rolled_out else ("IN_PROGRESS", "in progress")
        if self._broken(fleet):
            state, reason = "FAILED", "failed: tasks failed to start"
        primary = service.deployments[0]
        primary |= {
            "desiredCount": desired,
            "runningCount": len(fresh),
            "pendingCount": len([one for one in fleet.tasks if one.revision == fleet.revision]) - len(fresh),
            "failedTasks": fleet.failed,
            "rolloutState": state,
            "rolloutStateReason": f"ECS deployment {primary['id']} {reason}.",
        }
        for old in service.deployments[1:]:
            old["runningCount"] = len(ready) - len(fresh)
        cluster = self._backend.clusters[service.cluster_name]
        cluster.running_tasks_count = sum(
            one.running_count for one in self._backend.services.values() if one.cluster_name == service.cluster_name
        )

    def _list(self, service: Any) -> Any:
        definition = self._backend.describe_task_definition(service.task_definition)
        cluster = self._backend.clusters[service.cluster_name]
        listed = ListedTask(
            cluster, definition, None, {}, self._backend, f"service:{service.name}", service.launch_type or "FARGATE",
            None, service.deployments[0]["id"],
        )  # fmt: skip
        listed.created_at = utcnow()
        self._backend.tasks.setdefault(cluster.name, {})[listed.task_arn] = listed
        return listed

    def _stopped(self, service: Any, one: Running, reason: str) -> None:
        one.listed.state, one.listed.desired_status, one.listed.stopped_reason = "STOPPED", "STOPPED", reason
        one.listed.stopped_at = utcnow()
        tasks = self._backend.tasks[service.cluster_name]
        old = [arn for arn, task in tasks.items() if task.desired_status == "STOPPED"]
        for arn in old[:-_KEPT_STOPPED]:
            del tasks[arn]

    @staticmethod
    def _event(service: Any, text: str) -> None:
        event = {"id": str(uuid.uuid4()), "createdAt": utcnow(), "message": f"(service {service.name}) {text}"}
        service.events[:] = [event, *service.events[: MOST_EVENTS - 1]]
