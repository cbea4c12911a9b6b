"""`dbz load` on a terminal, and what CPU the process that shows takes beside the generators that it started."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

_PATIENCE_S = 60
_ROWS, _COLUMNS = 40, 120


class Shown(NamedTuple):
    """CPU of the process that shows: as a share of one core, and of the CPU of all that it started."""

    of_core: float
    of_started: float


def shown(arguments: list[str], seconds: float, settle_s: float) -> Shown:
    """Run `dbz load` with arguments on a terminal of its own; measure for so long once it has settled."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("dbz")), "load", *arguments, "--out", folder]
        process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment)
        os.close(end)
        threading.Thread(target=_drain, args=(terminal,), daemon=True).start()
        one = psutil.Process(process.pid)
        time.sleep(settle_s)
        before, began_s = _cpu_s(one), time.monotonic()
        time.sleep(seconds)
        after, took_s = _cpu_s(one), time.monotonic() - began_s
        process.wait(_PATIENCE_S)
    own_s = after[0] - before[0]
    return Shown(own_s / took_s, own_s / max(after[1] - before[1], 1e-9))


def _cpu_s(process: psutil.Process) -> tuple[float, float]:
    """CPU seconds so far of a process, and of those that it started."""
    return sum(process.cpu_times()[:2]), sum(sum(one.cpu_times()[:2]) for one in process.children(recursive=True))


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        os.close(terminal)
