"""Who this process is, so that others on this machine or another can tell whether it is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil


def myself() -> dict[str, Any]:
    """This process as JSON: `machine`, `host`, `pid`, `started`."""
    return {"machine": _machine(), "host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def same_machine(who: Mapping[str, Any]) -> bool:
    """Whether a process of `myself` is where process ids mean the same as here."""
    return bool(who["machine"] == _machine())


def is_gone(who: Mapping[str, Any]) -> bool:
    """Whether a process of `myself` has surely ended; of one on another machine nothing is sure."""
    if not same_machine(who):
        return False
    try:
        process = psutil.Process(who["pid"])
        return process.status() == psutil.STATUS_ZOMBIE or abs(_started(who["pid"]) - who["started"]) > 1
    except psutil.NoSuchProcess:
        return True


def _machine() -> str:
    """Where process ids mean the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> float:
    return round(psutil.Process(pid).create_time(), 1)
