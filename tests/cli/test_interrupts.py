"""Ctrl-C always ends a command: the first in good order, the second where it stands, the third at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dbz.cli.interrupts import Interrupts
from dbz.errors import ExitCode, InterruptedRunError
from tests.children.processes import ended

DEFERRING = """\
import time
from dbz.cli.interrupts import Interrupts
from dbz.errors import InterruptedRunError
with Interrupts("before anything").watch() as interrupts:
    interrupts.defer()
    print("up", flush=True)
    while True:
        try:
            time.sleep(60)
        except {caught}:
            print("swallowed", flush=True)
"""
DEAF = """\
import asyncio
from dbz.cli.interrupts import run_interruptibly
async def deaf():
    print("up", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("swallowed", flush=True)
run_interruptibly(deaf())
"""
BUSY = """\
from dbz.cli.interrupts import run_interruptibly
async def busy():
    print("up", flush=True)
    while True:
        pass
run_interruptibly(busy())
"""


def test_an_interrupt_that_a_library_takes_for_an_error_of_its_own_is_one_all_the_same() -> None:
    """Reading a file turns whatever goes wrong into a fault of the file; an error of somebody else stays one."""

    def read() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Exception as error:
            raise ValueError(f"malformed: {error}") from error

    with pytest.raises(InterruptedRunError, match="before anything was written"), watching():
        read()
    with pytest.raises(ZeroDivisionError), watching():
        raise ZeroDivisionError


def watching() -> AbstractContextManager[Interrupts]:
    return Interrupts("before anything was written").watch()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("program", "presses"),
    [
        (DEFERRING.format(caught="ZeroDivisionError"), 2),
        (DEFERRING.format(caught="InterruptedRunError"), 3),
        (DEAF, 2),
        (BUSY, 2),
    ],
    ids=["waits", "swallows", "deaf task", "busy task"],
)
def test_enough_interrupts_end_any_work(program: str, presses: int, stop: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", program]
    with ended(
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "up\n"
        for press in range(presses):
            assert child.poll() is None, f"ended after {press} of {presses}"
            child.send_signal(stop)
            time.sleep(0.4)
        assert child.wait(timeout=30) in (ExitCode.INTERRUPTED, 1)
