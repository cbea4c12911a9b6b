"""How tests see whether a process is still there."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

DEADLINE_S = 60.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes to hold within a generous deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A process that has ended after the block, whatever happens in it: `Popen` alone would wait for it for ever."""
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def gone(pid: int) -> bool:
    """Whether no such process runs; one that only waits to be reaped by somebody else counts as gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def title(module: str) -> str:
    """The name of a process that runs this module and was forked: as much of it as the kernel keeps."""
    return module.removeprefix("dbz.")[-15:]


def runs(process: psutil.Process, module: str) -> bool:
    """Whether a process is `python -m MODULE`, or its guard, started anew or forked; no if it has ended."""
    try:
        return process.name() == title(module) or any(module in word for word in process.cmdline())
    except psutil.Error:
        return False


def carrying(name: str, value: str) -> list[int]:
    """Ids of all processes that were started with the environment variable `name=value`, descendants included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(name) == value:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
