"""Ctrl-C, SIGTERM, a terminal that goes away: stop at once while nothing is measured, else wind down in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from dbz.background import run_to_end
from dbz.errors import InterruptedRunError

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _watched() -> list[signal.Signals]:
    """The signals that ask to stop; a hangup that is ignored, as below nohup, stays so."""
    return [each for each in _SIGNALS if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN]


class Interrupts:
    """Whether the user asked to stop; before `defer` a request raises `InterruptedRunError` where it arrives.

    `until_then` says for that error what was going on and what is left of it: "interrupted {until_then}".
    """

    def __init__(self, until_then: str) -> None:
        self.requested = False
        self._raised = until_then
        self._deferring = False

    @contextmanager
    def watch(self) -> Iterator[Interrupts]:
        """Handle the signals within this block."""
        before = [(each, signal.signal(each, self._handle)) for each in _watched()]
        try:
            yield self
        finally:
            for each, handler in before:
                signal.signal(each, handler)

    def defer(self, the_second: str = "") -> None:
        """From now on only note the request: the work in hand looks at `requested` and ends by itself.

        With `the_second`, which words the error, a second request ends the work where it stands.
        """
        self._deferring = True
        self._raised = the_second

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        first, self.requested = not self.requested, True
        if self._raised and first != self._deferring:
            raise InterruptedRunError(f"interrupted {self._raised}")


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop; the first Ctrl-C or SIGTERM cancels it, and `InterruptedRunError` says so.

    A second one ends it where it stands.

    Work that has something to tell after an interrupt catches the cancellation and raises an error of its own.
    """

    try:
        return run_to_end(work)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise InterruptedRunError("interrupted; nothing is left running") from None
