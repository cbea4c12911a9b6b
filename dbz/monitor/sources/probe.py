"""Probes over HTTP: a URL is asked, and its answer judged, as a user would."""

from __future__ import annotations

import time

from dbz.config.grammar.watched import Watched
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.sources.service import DEADLINE_S
from dbz.targets.probing import ask_url


class ProbeSource:
    """Asks one URL again and again."""

    def __init__(self, name: str, url: str, status: int = 200, contains: str = "") -> None:
        self.name = name
        self._url, self._status, self._contains = url, status, contains

    async def look(self) -> SourceReading:
        """How its answer is; how long that took is told of every answer, good or not."""
        began_s = time.monotonic()
        answer = await ask_url(self._url, deadline_s=DEADLINE_S)
        took_ms = (time.monotonic() - began_s) * 1000
        if not answer.status:
            return SourceReading(up=False, health=answer.trouble)
        reading = SourceReading(up=True, health=f"HTTP {answer.status}", figures={Watched.PROBE_TIME: took_ms})
        if answer.status != self._status:
            reading.up, reading.health = False, f"HTTP {answer.status}, and {self._status} is wanted"
        elif self._contains.encode() not in answer.body:
            reading.up, reading.health = False, f"HTTP {answer.status}, without '{self._contains}'"
        return reading

    async def close(self) -> None:
        """Nothing is kept open."""
