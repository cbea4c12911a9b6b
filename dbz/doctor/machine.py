"""Whether this machine can hold the connections of a load, and tell its time from the work of others."""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from dbz.children import raise_open_files
from dbz.doctor.findings import Diagnosis, Fitness
from dbz.targets.processes import usable_cpus
from dbz.units import format_bytes, format_percent

_AREA = "machine"
_FILES_A_USER = 5
"""Connections that a phone keeps; each is a file."""
_FEW_FILES, _TOO_FEW_FILES = 8_192, 1_024
_NOISE_S = 1.5
_LOOP_ADDITIONS = 100_000
"""A few milliseconds of work: long beside a clock reading, short beside a time slice."""
_SLIGHT_NOISE, _STRONG_NOISE = 0.10, 0.50
_BUSY = 0.2
_LITTLE_MEMORY, _LITTLE_DISK = 1 << 30, 1 << 30
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FEW_PORTS = 10_000


def look_at_machine(reports: Path) -> Iterator[Diagnosis]:
    """Python, processors, noise, open files, ports, memory and disks of this machine; takes about two seconds."""
    yield _python()
    yield _processors()
    yield noise_of(_loop_times_s(_NOISE_S))
    yield _others()
    yield _open_files()
    if _PORT_RANGE.exists():
        yield _ports(_PORT_RANGE.read_text())
    yield _memory()
    for name, folder in (("reports", reports), ("temporary files", Path(tempfile.gettempdir()))):
        yield disk_at(name, folder)


def _python() -> Diagnosis:
    return Diagnosis(_AREA, "Python", Fitness.GOOD, f"{sys.version.split()[0]} in {sys.prefix}")


def _processors() -> Diagnosis:
    count = len(usable_cpus())
    if count < 2:
        cure = "use a machine with two or more cores, or load a target on another machine"
        return Diagnosis(_AREA, "cores", Fitness.POOR, "1 may be used: generator and server would share it", cure)
    return Diagnosis(_AREA, "cores", Fitness.GOOD, f"{count} may be used")


def _loop_times_s(for_s: float) -> list[float]:
    """How long a fixed piece of work takes, again and again."""
    times = []
    end_s = time.perf_counter() + for_s
    while (begin_s := time.perf_counter()) < end_s:
        total = 0
        for number in range(_LOOP_ADDITIONS):
            total += number
        times.append(time.perf_counter() - begin_s)
    return times


def noise_of(times_s: list[float]) -> Diagnosis:
    """How much the times of a fixed loop vary: what its slowest twentieth takes beyond the median."""
    middle_s = statistics.median(times_s)
    beyond = statistics.quantiles(times_s, n=20, method="inclusive")[-1] / middle_s - 1
    worst = max(times_s) / middle_s
    text = (
        f"a loop of {middle_s * 1000:.1f} ms takes {format_percent(round(beyond, 3))} longer in one of twenty cases, "
        f"{worst:.1f} times as long at worst"
    )
    if beyond < _SLIGHT_NOISE:
        return Diagnosis(_AREA, "noise", Fitness.GOOD, text)
    cure = "stop what else runs here, or measure with `dbz load --repeat 5`, which leaves disturbed runs out"
    return Diagnosis(_AREA, "noise", Fitness.POOR if beyond < _STRONG_NOISE else Fitness.BAD, text, cure)


def _others() -> Diagnosis:
    """What the rest of the machine uses, without this process, which only sleeps meanwhile."""
    before = psutil.cpu_times()
    time.sleep(0.5)
    now = psutil.cpu_times()
    passed_s = sum(now) - sum(before)
    idle_s = now.idle - before.idle + getattr(now, "iowait", 0.0) - getattr(before, "iowait", 0.0)
    used = max(1 - idle_s / passed_s, 0.0) if passed_s > 0 else 0.0
    text = f"{format_percent(round(used, 2))} of {psutil.cpu_count()} cores"
    if used < _BUSY:
        return Diagnosis(_AREA, "other processes", Fitness.GOOD, text)
    return Diagnosis(
        _AREA, "other processes", Fitness.POOR, text, "what they use is missing to the load and its target"
    )


def _open_files() -> Diagnosis:
    most = raise_open_files()
    text = f"{most:,}, enough for about {most // _FILES_A_USER:,} phones in each process"
    if most >= _FEW_FILES:
        return Diagnosis(_AREA, "open files", Fitness.GOOD, text)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    cure = f"raise the hard limit (now {hard:,}): `ulimit -Hn 65536` as root, or LimitNOFILE= of the service"
    return Diagnosis(_AREA, "open files", Fitness.POOR if most > _TOO_FEW_FILES else Fitness.BAD, text, cure)


def _ports(text: str) -> Diagnosis:
    low, high = (int(number) for number in text.split())
    count = high - low + 1
    said = f"{count:,} for outgoing connections ({low} to {high})"
    if count >= _FEW_PORTS:
        return Diagnosis(_AREA, "ports", Fitness.GOOD, said)
    return Diagnosis(_AREA, "ports", Fitness.POOR, said, "sysctl -w net.ipv4.ip_local_port_range='10240 65535'")


def _memory() -> Diagnosis:
    memory = psutil.virtual_memory()
    text = f"{format_bytes(memory.available)} of {format_bytes(memory.total)} are free"
    if memory.available >= _LITTLE_MEMORY:
        return Diagnosis(_AREA, "memory", Fitness.GOOD, text)
    return Diagnosis(_AREA, "memory", Fitness.POOR, text, "the embedded stack alone needs about half a gigabyte")


def disk_at(name: str, folder: Path) -> Diagnosis:
    """Whether a folder, or the nearest above it that exists, takes files, and how many."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Diagnosis(_AREA, name, Fitness.BAD, f"{there} cannot be written to: {error.strerror}", "choose another")
    text = f"{format_bytes(free)} are free at {there}"
    if free >= _LITTLE_DISK:
        return Diagnosis(_AREA, name, Fitness.GOOD, text)
    return Diagnosis(_AREA, name, Fitness.POOR, text, "a long run writes tens of megabytes; make room")
