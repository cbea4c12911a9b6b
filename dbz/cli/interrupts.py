"""Ctrl-C, SIGTERM, a terminal that goes away: stop at once while nothing is measured, else wind down in good order.

However long the winding down takes: the second one ends it where it stands, and the third one ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from dbz.errors import ExitCode, InterruptedRunError

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
        self._requests = 0
        self._raised = until_then
        self._deferring = False
        self._error: InterruptedRunError | None = None
        """What was raised last."""

    @contextmanager
    def watch(self) -> Iterator[Interrupts]:
        """Handle the signals within this block."""
        before = [(each, signal.signal(each, self._handle)) for each in _watched()]
        try:
            yield self
        except Exception as error:
            # Whoever reads a file or asks a library takes any error there for one of the file's or the library's.
            if self._error is not None and self._error in _led_to(error):
                raise self._error from None
            raise
        finally:
            for each, handler in before:
                signal.signal(each, handler)

    def defer(self, the_second: str = "again; the work was left where it stood") -> None:
        """From now on only note the request: the work in hand looks at `requested` and ends by itself.

        A second request ends the work where it stands; `the_second` words that error.
        """
        self._deferring = True
        self._raised = the_second

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        self.requested = True
        self._requests += 1
        if self._requests > 1 + self._deferring:
            _end_now()  # something swallowed the error, or takes too long to clean up after it
        if self._requests > self._deferring:
            self._error = InterruptedRunError(f"interrupted {self._raised}")
            raise self._error


def _led_to(error: BaseException) -> Iterator[BaseException]:
    """The errors during whose handling one was raised."""
    seen: set[int] = set()
    before = error.__cause__ or error.__context__
    while before is not None and id(before) not in seen:
        seen.add(id(before))
        yield before
        before = before.__cause__ or before.__context__


def _end_now() -> None:
    """End the process without asking anything in it. Child processes notice, and end too."""
    os.write(sys.stderr.fileno(), b"dbz: ended at once, without cleaning up\n")
    os._exit(ExitCode.INTERRUPTED)


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop; the first Ctrl-C or SIGTERM cancels it, and `InterruptedRunError` says so.

    A second one ends it where it stands.

    Work that has something to tell after an interrupt catches the cancellation and raises an error of its own.
    """

    import asyncio  # its import takes a tenth of the start of every command

    from dbz.background import run_to_end

    try:
        return run_to_end(work)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise InterruptedRunError("interrupted; nothing is left running") from None
