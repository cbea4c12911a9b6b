"""One dbz at a time: of a state folder always, of all machines when the plan names a table for leases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from dbz.children.identity import is_gone
from dbz.config.phases.plan import Scaling
from dbz.errors import UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.state import Place
from dbz.scaling.exclusive.lease import Lease, read_record
from dbz.scaling.exclusive.lock import LockRole, present, sole
from dbz.units import format_duration

Say = Callable[[str], None]
Wait = Callable[[float], bool]


def lease_of(aws: Aws, scaling: Scaling, place: Place, role: LockRole, what: str) -> Lease | None:
    """The lease of a role about a service, not taken yet; None when the plan names no table."""
    if not scaling.lease_table:
        return None
    return Lease(aws, scaling.lease_table, place.key(role.name), what, scaling.lease_time)


@contextmanager
def only_one(
    aws: Aws, scaling: Scaling, place: Place, role: LockRole, what: str, say: Say, wait: Wait
) -> Iterator[None]:
    """Be the only dbz that has a role; `UsageError` names the one that has it.

    `wait` sleeps so many seconds and says whether the user asked to stop: `KeyboardInterrupt`.
    """
    with sole(place, role, what):
        lease = lease_of(aws, scaling, place, role, what)
        if lease is None:
            yield
            return
        lease.take(say, wait)
        with lease.kept():
            yield


@contextmanager
def leading(aws: Aws, scaling: Scaling, place: Place, say: Say, wait: Wait, *, standby: bool) -> Iterator[Lease | None]:
    """Be the one `dbz scale auto` of a service, and have the lease that says so if there is one.

    While another one leads: `UsageError`, or with `standby` wait until it does not.
    """
    what = "dbz scale auto"
    with sole(place, LockRole.FOLLOW, what, wait=wait if standby else None):
        lease = lease_of(aws, scaling, place, LockRole.FOLLOW, what)
        if lease is None:
            yield None
            return
        (lease.stand_by if standby else lease.take)(say, wait)
        with lease.kept():
            yield lease


@contextmanager
def one_step(lease: Lease | None, place: Place, what: str) -> Iterator[None]:
    """Be the only dbz that changes a service, for one step and without waiting; `UsageError` names another one."""
    with sole(place, LockRole.CHANGE, what):
        if lease is None:
            yield
            return
        if not lease.try_take():
            who = lease.other.who if lease.other else "another dbz"
            raise UsageError(f"{place.service} in {place.cluster} {LockRole.CHANGE} already by {who}", code="S017")
        with lease.kept():
            yield


@dataclass(frozen=True)
class Presence:
    """Who has a role about a service; `lease` is the number of its lease, None where there is only this state folder.

    `silent_s` is how long ago it last beat, as far as the two clocks agree.
    """

    role: LockRole
    who: str
    lease: int | None = None
    silent_s: float = 0.0
    gone: bool = False

    def __str__(self) -> str:
        if self.lease is None:
            return f"{self.who} of this state folder"
        heard = format_duration(round(self.silent_s)) if self.silent_s >= 1 else "a moment"
        state = "gone, so free for the next one" if self.gone else "kept alive"
        return f"{self.who}, lease {self.lease}, heard from {heard} ago: {state}"


def who_is_there(aws: Aws, scaling: Scaling, place: Place) -> list[Presence]:
    """Who has which role about a service now."""
    found = []
    for role in LockRole:
        if scaling.lease_table:
            record = read_record(aws, scaling.lease_table, place.key(role.name))
            if record and record.holder:
                silent_s = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(record.at)).total_seconds())
                gone = is_gone(record.holder) or silent_s > record.for_s
                found.append(Presence(role, record.who, record.number, silent_s, gone))
        else:
            who = present(place, role)
            found += [Presence(role, who)] if who else []
    return found
