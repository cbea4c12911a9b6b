"""Watching: ask every service once a period, follow the rules, keep all of it, and bring messages to people."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import httpx

from dbz.config.grammar.conditions import Watched
from dbz.config.monitor import BUILT_IN, AlertRule, MonitorFile, WatchedTarget
from dbz.monitor.alerts import AlertEvent, AlertStanding, AlertTracker, OutageTracker
from dbz.monitor.channels import DEADLINE_S, Way, way_of
from dbz.monitor.notices import STILL_FIRING, is_due_again, outage_notice, rule_notice, to_outbox
from dbz.monitor.outbox import deliver_due
from dbz.monitor.sources import ServiceReading, TargetSource
from dbz.monitor.store import KEPT_S, MonitorStore, Notice, Round

_DELIVER_EVERY_S = 1.0
_LAST_DELIVERY_S = 12.0
_FORGET_EVERY_S = 3600.0
_SPEAKS_WITHIN_ROUNDS = 3
"""A figure that has not been told by then is missed aloud: the first round has no rates yet."""


@dataclass(frozen=True)
class Said:
    """Something to show: a reading, a notice, or a note."""

    at_s: float
    """In seconds since the epoch."""
    target: str
    reading: ServiceReading | None = None
    notice: Notice | None = None
    note: str = ""

    def to_row(self) -> dict[str, Any]:
        """As plain data, for a line of JSON."""
        row: dict[str, Any] = {"t": round(self.at_s, 3), "target": self.target}
        if self.reading is not None:
            return {**row, "reading": self.reading.to_row()}
        return {**row, "alert": asdict(self.notice)} if self.notice is not None else {**row, "note": self.note}


class MonitorClock:
    """Seconds since the epoch that never jump: the clock of the machine at the start, and from there its own."""

    def __init__(self) -> None:
        self._epoch_s, self._start_s = time.time(), time.monotonic()

    def now_s(self) -> float:
        """Now."""
        return self._epoch_s + time.monotonic() - self._start_s


class TargetRules:
    """All that is followed of one target."""

    def __init__(
        self, config: MonitorFile, target: WatchedTarget, standings: Mapping[tuple[str, str], AlertStanding]
    ) -> None:
        self.target = target
        self._config = config
        self._rules = config.rules_of(target.name)
        kept = {type_: standing for (name, type_), standing in standings.items() if name == target.name}
        self._trackers = {
            rule.type: AlertTracker(
                rule.when,
                config.interval,
                resolve=rule.resolve,
                keep_firing_s=rule.keep_firing_for,
                standing=kept.get(rule.type),
            )
            for rule in self._rules
        }
        self._down = OutageTracker(config.down_after, kept.get("TARGET_DOWN"))
        self._silent = OutageTracker(config.no_data_after, kept.get("NO_DATA"))
        self._rounds = 0
        self._told_what_is_missing = False
        self._told: set[Watched] = set()

    def update(self, now_s: float, reading: ServiceReading, done: Round, local: datetime) -> list[Notice]:
        """Take a reading in, add to the round what must be kept of it, and give what is to be shown."""
        self._rounds += reading.up is not False  # one that is down tells nothing, and will when it is up
        self._told |= reading.figures.keys()
        notices = []
        for rule in self._rules:
            tracker = self._trackers[rule.type]
            event: str | None = tracker.update(now_s, reading.figures.get(rule.when.metric))
            about = (rule.type, rule.severity, self.target.name)
            if event is None and is_due_again(self._config, *about, tracker.standing, now_s, local):
                event = self._again(tracker.standing)
            if event:
                notice = rule_notice(rule, self.target.name, event, tracker.standing, now_s)
                notices += self._keep(notice, tracker.standing, now_s, done, local)
            done.standings[self.target.name, rule.type] = tracker.standing
        notices += self._outage("TARGET_DOWN", self._down, self._is_down(reading), reading.health, now_s, done, local)
        why = reading.trouble or "its metrics are gone"
        notices += self._outage("NO_DATA", self._silent, self._is_silent(reading), why, now_s, done, local)
        return notices

    def not_told(self) -> list[AlertRule]:
        """Once, when it can be known: the rules about figures that the target does not tell."""
        if self._told_what_is_missing or self._rounds < _SPEAKS_WITHIN_ROUNDS:
            return []
        self._told_what_is_missing = True
        return [rule for rule in self._rules if rule.when.metric not in self._told]

    @staticmethod
    def _is_down(reading: ServiceReading) -> bool | None:
        return None if reading.up is None else not reading.up

    def _is_silent(self, reading: ServiceReading) -> bool | None:
        """Not while it is down, which is told already, nor when it never told anything."""
        return None if reading.up is False or not self._told else not reading.figures

    @staticmethod
    def _again(standing: AlertStanding) -> str:
        return STILL_FIRING if standing.told_s else AlertEvent.FIRING

    def _outage(
        self, type_: str, tracker: OutageTracker, is_out: bool | None, why: str, now_s: float, done: Round,
        local: datetime,
    ) -> list[Notice]:  # fmt: skip
        severity, standing = BUILT_IN[type_], tracker.standing
        event: str | None = tracker.update(now_s, is_out)
        done.standings[self.target.name, type_] = standing
        if event is None and is_due_again(self._config, type_, severity, self.target.name, standing, now_s, local):
            event = self._again(standing)
        if event is None:
            return []
        notice = outage_notice(type_, severity, self.target.name, event, standing, why, now_s)
        return self._keep(notice, standing, now_s, done, local)

    def _keep(
        self, notice: Notice, standing: AlertStanding, now_s: float, done: Round, local: datetime
    ) -> list[Notice]:
        rows = list(to_outbox(self._config, notice, standing, now_s, local))
        done.outbox += rows
        return [notice]


class Monitor:
    """Watches until it is cancelled, or for a while."""

    def __init__(self, config: MonitorFile, store: MonitorStore, say: Callable[[Said], None]) -> None:
        self._config, self._store, self._say = config, store, say
        self._clock = MonitorClock()
        standings = store.standings()
        self._sources = [TargetSource(target) for target in config.targets]
        self._rules = [TargetRules(config, target, standings) for target in config.targets]
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
        """Ask every target once, and keep what came of it."""
        readings = await asyncio.gather(*(source.look() for source in self._sources))
        now_s, local = self._clock.now_s(), datetime.now().astimezone()
        done = Round(now_s)
        said = []
        for rules, reading in zip(self._rules, readings, strict=True):
            name = rules.target.name
            done.readings[name] = reading.to_row()
            said.append(Said(now_s, name, reading=reading))
            said += [Said(now_s, name, notice=notice) for notice in rules.update(now_s, reading, done, local)]
            said += [Said(now_s, name, note=_unjudged(name, rule)) for rule in rules.not_told()]
        self._store.keep(done)
        if now_s - self._forgot_s > _FORGET_EVERY_S:
            self._forgot_s = now_s
            self._store.forget(now_s - KEPT_S)
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
            (await client.get(self._config.heartbeat, timeout=5.0)).raise_for_status()
            self._beats = True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self._beats:
                self._say(Said(self._clock.now_s(), "", note=f"the heartbeat does not arrive: {type(error).__name__}"))
            self._beats = False


def _unjudged(target: str, rule: AlertRule) -> str:
    return f"{rule.type} cannot be judged: {target} does not tell its {rule.when.metric.value}"
