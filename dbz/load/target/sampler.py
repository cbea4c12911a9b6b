"""Asking the target how it is, once a second: a health probe, and its own metrics where it has some."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dbz.config.load.metrics import TargetMetrics
from dbz.masking import masked_url
from dbz.runs.storage.record import LineFile
from dbz.targets.places import HEALTH
from dbz.targets.probing import address_of, ask_url
from dbz.targets.watch import TargetWatch

PERIOD_S = 1.0
_AFTER_THE_SECOND_S = 0.05
"""When in each second of the run it is asked: with the deadline of an answer after it, all of it is in one second."""
_NOT_FOUND = 404


class Sampler:
    """Samples a target in a thread until it is stopped; a context manager.

    Whatever the target sends, and whatever becomes of the disk, it goes on asking: a second without a line means that
    dbz itself stood still or could not write. A target that takes connections, but answers the health probe with 404
    or not at all, has none, unless the user named its path or it answered before; one that neither has metrics nor
    processes that can be seen has no server figures. Both are then not measured, which is not the same as good.
    """

    def __init__(
        self, url: str, path: Path, started_s: float, metrics: TargetMetrics | None = None, health: str = ""
    ) -> None:
        self._url = url
        self._named_health = health
        self._watch = TargetWatch(url, metrics or TargetMetrics())
        self._file = LineFile(path)
        self._started_s = started_s
        self._has_health = False
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._sample())
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self.unwritten = 0
        """Lines that could not be written."""

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(2 * PERIOD_S)
        self._file.close()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _sample(self) -> None:
        if not self._url.startswith(("http://", "https://")):
            return  # whatever speaks at a `tcp://` host of a scenario would not understand the question
        await asyncio.gather(self._each_second(self._health), self._each_second(self._watch.look))

    async def _each_second(self, look: Callable[[], Awaitable[dict[str, Any] | None]]) -> None:
        """Look once in each second of the run, until a look gives None; write what it gives."""
        second = int(self._now_s) + 1
        while True:
            due_s = second + _AFTER_THE_SECOND_S
            await asyncio.sleep(max(due_s - self._now_s, 0.0))
            try:
                line = await look()
            except Exception as error:  # nothing that a target brings about may end the looking
                line = {"trouble": f"{type(error).__name__}: {error}"}
            if line is None:
                return
            if line:
                self._write({"t": due_s, **line})
            # Seconds that have passed meanwhile are left out: what is asked now says nothing of them.
            second = max(second + 1, int(self._now_s))

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._started_s

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(line)
        except (OSError, ValueError):  # the disk is full, or the run has ended
            self.unwritten += 1

    async def _health(self) -> dict[str, Any]:
        answer = await ask_url(address_of(self._url, self._named_health or HEALTH))
        self._has_health |= answer.status not in (0, _NOT_FOUND)
        line: dict[str, Any] = {"health": answer.status or answer.trouble}
        if self._named_health:
            line["probe"] = masked_url(self._named_health)
        elif not self._has_health and answer.reached:
            return {**line, "asked": HEALTH}
        line["up"] = 0 < answer.status < 500 and answer.status != _NOT_FOUND
        return line if answer.reached else {**line, "unreachable": True}
