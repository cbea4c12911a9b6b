"""Watching: ask everything once a period, follow the rules, keep all of it, and bring messages to people."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import httpx

from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.sending.channels import DEADLINE_S, Way, way_of
from dbz.monitor.sending.outbox import deliver_due
from dbz.monitor.sources.all import sources_of
from dbz.monitor.sources.reading import Source, SourceReading
from dbz.monitor.store.objectives import ObjectiveBook
from dbz.monitor.store.silences import SilenceBook
from dbz.monitor.store.store import MonitorStore, Notice, Round
from dbz.targets.moments import one_moment

_DELIVER_EVERY_S = 1.0
_LAST_DELIVERY_S = 12.0
_FORGET_EVERY_S = 3600.0


@dataclass(frozen=True)
class Said:
    """Something to show: a reading, a notice, or a note."""

    at_s: float
    """In seconds since the epoch."""
    target: str
    reading: SourceReading | None = None
    notice: Notice | None = None
    note: str = ""
    """What else is to be said; with a notice, why nobody but the log is told, or that they are told only now."""

    def to_row(self) -> dict[str, Any]:
        """As plain data, for a line of JSON."""
        row: dict[str, Any] = {"t": round(self.at_s, 3), "target": self.target}
        if self.reading is not None:
            return {**row, "reading": self.reading.to_row()}
        if self.notice is not None:
            return {**row, "alert": asdict(self.notice), **({"remark": self.note} if self.note else {})}
        return {**row, "note": self.note}


class MonitorClock:
    """Seconds since the epoch that never jump: the clock of the machine at the start, and from there its own."""

    def __init__(self) -> None:
        self._epoch_s, self._start_s = time.time(), time.monotonic()

    def now_s(self) -> float:
        """Now."""
        return self._epoch_s + time.monotonic() - self._start_s


class Monitor:
    """Watches until it is cancelled, or for a while."""

    def __init__(
        self, config: MonitorFile, store: MonitorStore, say: Callable[[Said], None], given: Sequence[Source] = ()
    ) -> None:
        """`given` are sources of things that this room cannot ask itself: probes that play a scenario."""
        self._config, self._store, self._say = config, store, say
        self._clock = MonitorClock()
        self._silences, self._objectives = SilenceBook(store), ObjectiveBook(store)
        self._sources: list[Source] = [*sources_of(config), *given]
        self._rules = AlertEngine(config, store.standings(), self._objectives.load())
        self._forgot_s = 0.0
        self._beats = True

    async def run(self, for_s: float | None = None) -> None:
        """Watch; the messages of the last round get a last chance at the end."""
        async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
            ways = {name: way_of(channel, client) for name, channel in self._config.channels.items()}
            delivering = asyncio.create_task(self._deliver(ways))
            try:
                await self._watch(client, for_s)
            finally:
                delivering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await delivering
                await asyncio.gather(*(source.close() for source in self._sources))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_DELIVERY_S):
                        await deliver_due(self._store, ways, self._clock.now_s())

    async def _watch(self, client: httpx.AsyncClient, for_s: float | None) -> None:
        began_s = time.monotonic()
        rounds = 0
        while for_s is None or time.monotonic() - began_s < for_s:
            await self.round()
            await self._beat(client)
            # What a round took too long is left out, so that periods stay periods.
            rounds = max(rounds + 1, int((time.monotonic() - began_s) / self._config.interval))
            next_s = began_s + rounds * self._config.interval
            left_s = math.inf if for_s is None else began_s + for_s - time.monotonic()
            await asyncio.sleep(max(min(next_s - time.monotonic(), left_s), 0.0))

    async def round(self) -> None:
        """Ask every watched thing once, and keep what came of it."""
        with one_moment():
            readings = await asyncio.gather(*(source.look() for source in self._sources))
        now_s, local = self._clock.now_s(), datetime.now().astimezone()
        by_name = {source.name: reading for source, reading in zip(self._sources, readings, strict=True)}
        outcome = self._rules.step(now_s, local, by_name, self._silences.since(now_s))
        done = Round(
            now_s, {name: reading.to_row() for name, reading in by_name.items()}, period_s=self._config.interval
        )
        outcome.add_to(done)
        said = [Said(now_s, name, reading=reading) for name, reading in by_name.items()]
        said += [Said(now_s, notice.target, notice=notice, note=why) for notice, why in outcome.log(now_s)]
        said += [Said(now_s, name, note=_unjudged(name, rule)) for name, rule in outcome.unjudged]
        self._store.keep(done)
        self._objectives.keep(outcome.minutes)
        self._store.tidy(now_s)
        if now_s - self._forgot_s > _FORGET_EVERY_S:
            self._forgot_s = now_s
            self._store.forget(now_s)
            self._objectives.forget(now_s)
        for one in said:
            self._say(one)

    async def _deliver(self, ways: Mapping[str, Way]) -> None:
        while True:
            await deliver_due(self._store, ways, self._clock.now_s())
            await asyncio.sleep(_DELIVER_EVERY_S)

    async def _beat(self, client: httpx.AsyncClient) -> None:
        """Tell the dead man's switch that the monitor lives; that it cannot be reached is said once."""
        if not self._config.heartbeat:
            return
        try:
            async with client.stream("GET", self._config.heartbeat, timeout=5.0) as answer:
                answer.raise_for_status()
            self._beats = True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self._beats:
                self._say(Said(self._clock.now_s(), "", note=f"the heartbeat does not arrive: {type(error).__name__}"))
            self._beats = False


def _unjudged(target: str, rule: AlertRule) -> str:
    return f"{rule.type} cannot be judged: {target} does not tell its {rule.when.metric.value}"
