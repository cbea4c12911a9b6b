"""Measuring coverage in programs that are forked by the hundred and end with `os._exit`, as those of the tests do.

As it comes, coverage.py saves in a fork also what each process that it comes from had measured before, and every
collector notes the stack of its caller, which looks through all modules: half a second for each of them.
"""

from __future__ import annotations

import contextlib
import os
import posix
import sys
from typing import NoReturn


def install() -> None:
    """Save only what a fork has measured itself, in this process and in those that it forks; nothing if none does."""
    if "coverage" not in sys.modules:
        return
    from coverage import collector, patch

    patch._patch__exit = lambda *_: None  # type: ignore[assignment]
    collector.short_stack = str  # type: ignore[assignment]
    os._exit = _save_and_exit


def _save_and_exit(status: int) -> NoReturn:
    from coverage import Coverage

    measuring = Coverage.current()
    if measuring is not None:
        with contextlib.suppress(Exception):
            measuring.save()
    posix._exit(status)
