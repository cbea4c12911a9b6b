"""How much of this machine the load and its target use while it runs, and how much others do.

What others take from the processors is missing to the server and to the generator, and makes latencies that no code
explains. Counted are the processors that this process may use. The load's own are this process, everything below it,
and, where the target is on this machine, the process that listens there with its relatives, and what these are
connected to on this machine (a server behind a proxy, a store).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from dbz.hosts import is_loopback
from dbz.runs.storage.record import LineFile
from dbz.targets.processes import CpuTimes, usable_cpus, with_descendants

PERIOD_S = 1.0
_ASK_AGAIN = (2, 5)
"""After so many seconds the target's relatives are looked for again: some connections are made under load only."""
_MOST_HOPS = 4
"""From the target over its store to that one's own, and so on."""


class MachineWatch:
    """Writes a line of `machine.jsonl` each second that `update` is called in; a context manager."""

    def __init__(self, url: str, path: Path, started_s: float) -> None:
        self._file = LineFile(path)
        self._url = url
        self._started_s = started_s
        self._relatives = _relatives_of_target(url)
        self._cpus = usable_cpus()
        self._lines = 0
        self._then = self._look()

    def __enter__(self) -> MachineWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def update(self) -> None:
        """Write what the last second was like, if it has passed. Shares are of the processors that can be used."""
        if time.monotonic() - self._then.at_s < PERIOD_S:
            return
        self._lines += 1
        if self._relatives and self._lines in _ASK_AGAIN:
            self._relatives = _relatives_of_target(self._url)
        then, now = self._then, self._look()
        self._then = now
        passed_s = (now.at_s - then.at_s) * len(self._cpus)
        own = now.own.used_s_since(then.own) / passed_s
        line = {
            "t": round(now.at_s - self._started_s, 3),
            "dt": round(now.at_s - then.at_s, 3),
            "cores": len(self._cpus),
            "own": round(min(own, 1.0), 4),
            "steal": round((now.steal_s - then.steal_s) / passed_s, 4),
        }
        if self._relatives is not None:
            line["others"] = round(min(max((now.busy_s - then.busy_s) / passed_s - own, 0.0), 1.0), 4)
        with contextlib.suppress(OSError):  # a full disk: what is known of the machine is no part of the verdict
            self._file.write(line)

    def _look(self) -> _Look:
        return _Look(with_descendants([psutil.Process(), *(self._relatives or ())]), self._cpus)


class _Look:
    """Counters of the processors and of some processes at one moment, in seconds of CPU."""

    def __init__(self, family: Iterable[psutil.Process], cpus: Sequence[int]) -> None:
        times = [one for at, one in enumerate(psutil.cpu_times(percpu=True)) if at in cpus]
        # Interrupts are left out: those of the load's own packets cannot be told from those of others.
        self.busy_s = sum(one.user + one.nice + one.system for one in times)
        self.steal_s = sum(getattr(one, "steal", 0.0) for one in times)
        self.own = CpuTimes(family)
        self.at_s = self.own.at_s


def _relatives_of_target(url: str) -> list[psutil.Process] | None:
    """The processes whose descendants are the target, where it is on this machine; None when it cannot be told."""
    parts = urlsplit(url)
    if not is_loopback(parts.hostname or ""):
        return []
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.Error:
        return None
    listeners = {one.laddr.port: one.pid for one in sockets if one.laddr and one.status == psutil.CONN_LISTEN}
    ports, seen = {parts.port or (443 if parts.scheme == "https" else 80)}, set[int]()
    roots: dict[int, psutil.Process] = {}
    for _ in range(_MOST_HOPS):
        pids = {listeners[port] for port in ports if port in listeners}
        if None in pids or not (pids or seen):
            return None  # of another user, or behind a container's own network
        roots |= {root.pid: root for pid in pids if pid for root in _first_relative(pid)}
        seen |= ports
        members = {one.pid for one in with_descendants(roots.values())}
        ports = {
            one.raddr.port for one in sockets if one.pid in members and one.raddr and _is_local(one.raddr.ip)
        } - seen
    return list(roots.values())


def _is_local(address: str) -> bool:
    return is_loopback(address.removeprefix("::ffff:"))


def _first_relative(pid: int) -> list[psutil.Process]:
    """The highest ancestor of a process that is not one of ours too: what was started to make the target run."""
    try:
        ours = {one.pid for one in (psutil.Process(), *psutil.Process().parents())}
        line = [psutil.Process(pid), *psutil.Process(pid).parents()]
        return [one for one in line if one.pid not in ours and one.pid != 1][-1:] or line[:1]
    except psutil.Error:
        return []
