"""Ctrl-C and SIGTERM: stop at once while nothing is measured, wind down in good order while something is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dbz.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether the user asked to stop; before `defer` a request raises `InterruptedRunError` where it arrives."""

    def __init__(self) -> None:
        self.requested = False
        self._deferring = False

    @contextmanager
    def watch(self) -> Iterator[Interrupts]:
        """Handle the signals within this block."""
        before = [(each, signal.signal(each, self._handle)) for each in _SIGNALS]
        try:
            yield self
        finally:
            for each, handler in before:
                signal.signal(each, handler)

    def defer(self) -> None:
        """From now on only note the request: the work in hand looks at `requested` and ends by itself."""
        self._deferring = True

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        first, self.requested = not self.requested, True
        if first and not self._deferring:
            raise InterruptedRunError("interrupted before anything was measured; nothing is left running")
