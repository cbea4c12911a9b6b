"""The worker processes of this server."""

from __future__ import annotations

import os

import psutil


class OwnWorkers:
    """Finds them among all processes of the machine when one has come or gone, and not each time that somebody asks.

    That search reads a file of every process that runs, in which the event loop stands still.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._known: list[psutil.Process] = []

    def now(self) -> list[psutil.Process]:
        """Those that run, this one among them; just this one where nobody can say."""
        if self._count == 1:
            return [psutil.Process()]
        if len(self._known) < self._count or not all(worker.is_running() for worker in self._known):
            try:
                self._known = psutil.Process(os.getppid()).children()
            except psutil.Error:
                return [psutil.Process()]
        return list(self._known)
