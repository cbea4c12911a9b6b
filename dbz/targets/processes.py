"""The processes behind a port of this machine: which they are, and what they use.

Whoever holds the listening socket serves the port, and so does everything that it started, such as the workers of a
cluster. Processes that only pass packets on, like those in front of containers, are looked through where the way on
can be seen, and named where it cannot.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from dbz.hosts import is_loopback
from dbz.targets.moments import once_a_moment
from dbz.targets.reading import Second

_LINUX = Path("/proc/self/stat").exists()
_LISTEN, _ESTABLISHED = "0A", "01"
"""States in /proc/net/tcp."""
_PASSERS_ON = frozenset(
    ("docker-proxy", "ssh", "sshd", "kubectl", "rootlessport", "slirp4netns", "pasta", "gvproxy", "socat", "conmon")
)
"""Programs whose own use says nothing of the server that they lead to."""
_ONE_CORE = re.compile(r"(node|nodejs|deno|bun|python|pypy|ruby)[\d.]*", re.ASCII)
"""Runtimes of which a process runs its code on one core at a time."""
_RECENT_S = 1.0
_LOOK_AGAIN_S = 10.0
"""Who listens is asked so often: a server may be started again while it is loaded."""


Children = defaultdict[int, list[int]]
"""Numbers of processes by that of their parent."""


class CpuTimes:
    """CPU seconds of some processes at one moment."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self.at_s, self._at_epoch_s = time.monotonic(), time.time()
        self._used_s = {one: _cpu_s(one) for one in processes}

    def used_s_since(self, then: CpuTimes) -> float:
        """What the processes have used since an earlier moment.

        The time of one that ended is its parent's from then on; one that is older and was only found out to belong
        here counts from now.
        """
        counted = (
            used_s
            for one, used_s in self._used_s.items()
            if one in then._used_s or one.create_time() > then._at_epoch_s - _RECENT_S
        )
        return max(sum(counted) - sum(then._used_s.values()), 0.0)


def _cpu_s(process: psutil.Process) -> float:
    """What a process and the children that it waited for have used; nothing when it has ended."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def with_descendants(roots: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Some processes and everything below them, each once; one pass over the processes of the machine."""
    return _below(roots, _children())


@once_a_moment
def _children() -> Children:
    """Who was started by whom. On Linux straight from /proc, a tenth of what psutil takes: this is done each second."""
    children: Children = defaultdict(list)
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            children[_parent(pid)].append(pid)
    return children


def _parent(pid: int) -> int:
    if not _LINUX:
        return psutil.Process(pid).ppid()
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split(None, 2)[1])  # the program's name before it may hold anything


def _below(roots: Iterable[psutil.Process], children: Children) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        if process.pid not in found:
            found[process.pid] = process
            waiting += _processes(children.get(process.pid, ()))
    return list(found.values())


def usable_cpus() -> list[int]:
    """The processors that this process may use, by number."""
    every = range(len(psutil.cpu_times(percpu=True)))
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(every)
    return [at for at in every if at in usable] or list(every)


@dataclass(frozen=True)
class Behind:
    """Who serves a port."""

    listeners: Sequence[psutil.Process]
    """Whoever holds the listening socket, without those that belong to dbz."""
    port: int
    """As those processes know it: in a container it may be another one."""
    why_not: str = ""
    """Why there are none."""


class ProcessesBehind:
    """Looks at the processes that serve a URL, if that is on this machine and they can be seen.

    So many others share the machine as `sharing` says; its cores are divided among them.
    """

    def __init__(self, url: str, *, sharing: int = 1) -> None:
        self._share = (os.cpu_count() or 1) / sharing
        parts = urlsplit(url)
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._local = is_loopback(parts.hostname or "")
        self._behind = Behind((), self._port)
        self._looked_s = float("-inf")
        self._then: CpuTimes | None = None
        self._members: list[psutil.Process] = []
        self.why_not = "" if self._local else "it is not on this machine"
        """Why nothing is known of them; empty when something is."""

    @property
    def named(self) -> str:
        """Who they are, for people: `process 4711 (node) on port 3000`, or how many."""
        listeners = self._behind.listeners
        names = "/".join(dict.fromkeys(filter(None, map(_name, listeners))))
        if len(self._members) > 1:
            return f"{len(self._members)} processes ({names}) on port {self._port}"
        return f"process {listeners[0].pid} ({names}) on port {self._port}" if listeners else f"port {self._port}"

    def second(self) -> Second | None:
        """What they used since the last call, and use now; None when they cannot be seen."""
        if not (self._local and _LINUX):
            self.why_not = self.why_not or "processes can only be seen on Linux"
            return None
        self._look()
        if not self._behind.listeners:
            self._then = None
            return None
        children = _children()
        own = {one.pid for one in _below([psutil.Process()], children)}
        self._members = [one for one in _below(self._behind.listeners, children) if one.pid not in own]
        now, then = CpuTimes(self._members), self._then
        self._then = now
        second = Second(cores=self.cores(), memory_bytes=sum(map(_resident_bytes, self._members)) or None)
        second.connections = _open_connections(self._behind.listeners[0].pid, self._behind.port)
        if then is not None and now.at_s > then.at_s:
            second.used_cores = now.used_s_since(then) / (now.at_s - then.at_s)
        return second

    def cores(self, *, one_core_each: bool | None = None) -> float | None:
        """How many cores they may use; `one_core_each` says what is known of their runtime, else its program does."""
        if not self._members:
            return None
        usable = min(_usable_cores(self._members[0]), self._share)
        single = all(map(_runs_on_one_core, self._behind.listeners)) if one_core_each is None else one_core_each
        return min(usable, float(len(self._members))) if single else usable

    def _look(self) -> None:
        """Find out who listens, now and then."""
        gone = not self._behind.listeners or not all(map(_alive, self._behind.listeners))
        if time.monotonic() - self._looked_s < (_RECENT_S if gone else _LOOK_AGAIN_S):
            return
        self._looked_s = time.monotonic()
        behind = serving(self._port)
        if behind.listeners != self._behind.listeners:
            self._behind = behind
            self._then = None
        self.why_not = behind.why_not


def serving(port: int) -> Behind:
    """Who serves a port of this machine."""
    own = {one.pid for one in with_descendants([psutil.Process()])}
    pids = _holders(_sockets("/proc/net", port, _LISTEN))
    listeners = _processes(pid for pid in pids if pid not in own)
    if not listeners:
        why = "it is dbz itself that listens there" if pids else f"no process can be seen that listens on port {port}"
        return Behind((), port, why)
    if all(_name(one) in _PASSERS_ON for one in listeners):
        return _in_container(listeners[0]) or Behind(
            (), port, f"{_name(listeners[0])}, which listens on port {port}, only passes on"
        )
    return Behind(listeners, port)


def _in_container(proxy: psutil.Process) -> Behind | None:
    """Who listens in the container that a proxy leads to, if its network can be seen from here."""
    try:
        words = proxy.cmdline()
        address, port = words[words.index("-container-ip") + 1], int(words[words.index("-container-port") + 1])
    except (psutil.Error, ValueError, IndexError):
        return None
    seen = set[str]()
    for process in psutil.process_iter():
        folder = Path("/proc") / str(process.pid)
        with contextlib.suppress(OSError):
            network = str((folder / "ns/net").readlink())
            if network in seen:
                continue
            seen.add(network)
            if f"-- {address}\n" not in (folder / "net/fib_trie").read_text():
                continue
            if listeners := _processes(_holders(_sockets(f"{folder}/net", port, _LISTEN))):
                return Behind(listeners, port)
    return None


def _sockets(folder: str, port: int, state: str) -> list[str]:
    """The inodes of the TCP sockets of a network that have a local port and a state."""
    return [inode for local, now, inode in _every_socket(folder) if local == port and now == state]


@once_a_moment
def _every_socket(folder: str) -> list[tuple[int, str, str]]:
    """The local port, the state and the inode of every TCP socket of a network."""
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), (Path(folder) / name).open() as file:
            next(file, None)
            for line in file:
                words = line.split(None, 10)
                found.append((int(words[1].rpartition(":")[2], 16), words[3], words[9]))
    return found


def _holders(inodes: Sequence[str]) -> list[int]:
    """The processes that have one of some sockets open: after a fork there are several."""
    by_link = _every_holder() if inodes else {}
    return sorted({pid for inode in inodes for pid in by_link.get(f"socket:[{inode}]", ())})


@once_a_moment
def _every_holder() -> dict[str, list[int]]:
    """By the link to it, the processes that have a socket open."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for pid in psutil.pids():
        for link in _open_links(pid):
            if link.startswith("socket:"):
                found[link].append(pid)
    return found


def _open_links(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208 thousands of them: strings do
    except OSError:
        return
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            yield os.readlink(f"{folder}/{descriptor}")  # noqa: PTH115


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _name(process: psutil.Process) -> str:
    """The program of a process, whatever it calls itself."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process.pid}/exe").readlink().name
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


def _runs_on_one_core(process: psutil.Process) -> bool:
    return bool(_ONE_CORE.fullmatch(_name(process)))


def _resident_bytes(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_info().rss)
    return 0.0


def _open_connections(pid: int, port: int) -> float | None:
    """TCP connections to a port, in the network of a process."""
    if not Path(f"/proc/{pid}/net/tcp").exists():
        return None
    return float(len(_sockets(f"/proc/{pid}/net", port, _ESTABLISHED)))


def _usable_cores(process: psutil.Process) -> float:
    """The processors that a process may run on, or the share of them that its control group leaves it."""
    try:
        allowed = float(len(os.sched_getaffinity(process.pid)))
    except OSError:
        allowed = float(len(usable_cpus()))
    return min([allowed, *_quotas(process.pid)])


def _quotas(pid: int) -> Iterator[float]:
    """Limits on CPU of the control groups that a process is in, in cores."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if not controllers:  # version 2
                group = Path("/sys/fs/cgroup") / path.lstrip("/")
                for folder in [group, *group.parents][: len(group.parts) - 3]:
                    with contextlib.suppress(OSError, ValueError):
                        quota, period = (folder / "cpu.max").read_text().split()
                        yield float(quota) / float(period)
            elif "cpu" in controllers.split(","):
                folder = Path("/sys/fs/cgroup/cpu") / path.lstrip("/")
                with contextlib.suppress(OSError, ValueError):
                    quota_us = int((folder / "cpu.cfs_quota_us").read_text())
                    if quota_us > 0:
                        yield quota_us / int((folder / "cpu.cfs_period_us").read_text())
