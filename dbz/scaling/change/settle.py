"""Waiting until a service runs what is wanted and its load balancers find it healthy, saying what ECS and they say
meanwhile, and why it does not get there."""

from __future__ import annotations

import time
from collections.abc import Callable

from dbz.errors import DbzError, VerificationError
from dbz.scaling.change.health import read_health
from dbz.scaling.change.live import protected_until, read_cache, read_service, stopped_reasons
from dbz.scaling.change.state import EcsService
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.refusals import NotThereError
from dbz.units import format_duration

FASTEST_POLL_S, SLOWEST_POLL_S = 0.5, 10.0
QUICK_S = 20.0
"""Polls are close together for so long, then rarer: a task needs a minute on AWS and a second in a rehearsal."""


class NotSettledError(VerificationError):
    """The service did not come to run what was wanted; exit code 1."""


class DriftError(VerificationError):
    """Somebody else changed what dbz was changing; exit code 1."""


class Waiter:
    """Waits for one service; `say` gets a line for each new event, `stop` says whether the user asked to end.

    What it needs to look at is looked at once when it is made, so that a missing permission is known before a change.
    """

    def __init__(self, handle: ServiceHandle, say: Callable[[str], None], stop: Callable[[], bool]) -> None:
        self._handle, self._aws, self._name = handle, handle.aws, handle.name
        self._say, self._stop = say, stop
        now = self._read()
        self._seen = {event.id for event in now.events}
        self._unhealthy = ""
        self._waiting_for(now)

    def _read(self) -> EcsService:
        try:
            return read_service(self._handle)
        except NotThereError as error:
            raise NotSettledError(f"{self._name}: {error.message}", code="S014") from error

    def until_steady(self, wanted: tuple[int, int], timeout_s: float) -> None:
        """Until as many tasks run as are desired, between the two numbers `wanted`, no rollout is going on, and each
        target group has as many healthy targets; or until only protected tasks are more.

        Raises `NotSettledError` with the reasons when a rollout fails or the time is over, `DriftError` when somebody
        asks for another number, `KeyboardInterrupt` when the user asked to stop.
        """
        begin = time.monotonic()
        while True:
            service = self._read()
            self._tell(service)
            lowest, highest = wanted
            if not lowest <= service.desired <= highest:
                expected = str(lowest) if lowest == highest else f"{lowest} to {highest}"
                raise DriftError(
                    f"somebody set {self._name} to {service.desired} tasks while dbz waited for {expected}", code="S013"
                )
            waiting = self._waiting_for(service) if service.steady else ""
            if service.steady and not waiting:
                return
            self._tell_health(waiting)
            if self._all_protected(service):
                return
            if service.failed:
                raise NotSettledError(f"{self._name}: {service.failed}{self._reasons()}", code="S014")
            waited_s = time.monotonic() - begin
            if waited_s > timeout_s:
                raise NotSettledError(self._overdue(service, waiting, timeout_s), code="S014")
            self._pause(waited_s)

    def until_cache(self, group_id: str, replicas: int, timeout_s: float) -> None:
        """Until a cache group has so many replicas and is available."""
        begin = time.monotonic()
        while True:
            group = read_cache(self._aws, group_id)
            if group.status == "available" and group.replicas == replicas:
                return
            waited_s = time.monotonic() - begin
            if waited_s > timeout_s:
                raise NotSettledError(
                    f"the cache {group_id} is {group.status} with {group.replicas} replicas after "
                    f"{format_duration(timeout_s)}, wanted {replicas}",
                    code="S014",
                )
            self._pause(waited_s)

    def _pause(self, waited_s: float) -> None:
        end = time.monotonic() + (FASTEST_POLL_S if waited_s < QUICK_S else SLOWEST_POLL_S)
        while time.monotonic() < end:
            if self._stop():
                raise KeyboardInterrupt
            time.sleep(0.05)

    def _tell(self, service: EcsService) -> None:
        for event in reversed(service.events):
            if event.id not in self._seen:
                self._seen.add(event.id)
                self._say(
                    f"{service.running} of {service.desired} running, {service.pending} starting: {event.message}"
                )

    def _waiting_for(self, service: EcsService) -> str:
        """The target groups that have fewer healthy targets than tasks are desired; empty when all have enough."""
        groups = [one for one in read_health(self._aws, service) if one.healthy < service.desired]
        for one in groups:
            if not one.used and one.arn not in self._seen:
                self._seen.add(one.arn)
                self._say(str(one))
        return ", ".join(str(one) for one in groups if one.used)

    def _all_protected(self, service: EcsService) -> bool:
        """Whether only tasks run that are protected from scale-in, more than are desired: ECS stops them by itself once
        their protection ends, which may take two days."""
        if service.running <= service.desired or service.pending or service.deploying:
            return False
        until = protected_until(self._handle)
        if len(until) < service.running:
            return False
        ends = f", the last until {max(until):%Y-%m-%d %H:%M:%S} UTC" if until else ""
        more = service.running - service.desired
        self._say(f"{self._name}: all {len(until)} tasks are protected from scale-in{ends}; then {more} of them end")
        return True

    def _tell_health(self, waiting: str) -> None:
        if waiting and waiting != self._unhealthy:
            self._say(f"waiting for the load balancer: {waiting}")
        self._unhealthy = waiting

    def _overdue(self, service: EcsService, waiting: str, timeout_s: float) -> str:
        rollout = ", a rollout is still going on" if service.deploying else ""
        rollout += f", but the load balancer finds too few healthy: {waiting}" if waiting else ""
        return (
            f"{self._name} is not steady after {format_duration(timeout_s)}: {service.running} of {service.desired} "
            f"tasks run, {service.pending} are starting{rollout}{self._reasons()}"
        )

    def _reasons(self) -> str:
        try:
            reasons = stopped_reasons(self._handle)
        except DbzError:  # a reason is a courtesy
            return ""
        return f"; tasks stopped: {'; '.join(reasons)}" if reasons else ""
