"""A monitor that is killed again and again: `python -m tests.monitor.killed FOLDER URL KILLS SEED`.

Rounds follow each other at once on a virtual clock; engine, store, outbox and channels are the real ones. This process
forks
each monitor and kills it with SIGKILL after a random time; the last one goes on until everything is delivered.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.sending.channels import way_of
from dbz.monitor.sending.outbox import deliver_due
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import MonitorStore, OutboxRow, Round

START_S = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
PERIOD_S = 10.0
ROUNDS = 400


def monitor(url: str) -> MonitorFile:
    alerts = [
        {"type": "SLOW", "when": "response time > 1s", "keep_firing_for": "30s"},
        {"type": "FAILING", "when": "error rate > 1%", "keep_firing_for": "0s", "severity": "critical"},
    ]
    file = {"schema": "dbz.monitor/1", "targets": [{"name": "api", "url": "http://api"}], "alerts": alerts}
    routes = [
        {"severity": ["critical"], "to": ["hook"], "repeat": "100s"},
        {"to": ["hook"], "group_by": ["target"], "group_wait": "20s", "group_interval": "40s"},
    ]
    return MonitorFile.model_validate({**file, "channels": {"hook": {"webhook": url}}, "routes": routes})


def readings() -> list[SourceReading]:
    """The same in every process."""
    chance = random.Random(20261129)
    slow = failing = False
    made = []
    for _ in range(ROUNDS):
        slow ^= chance.random() < 0.15
        failing ^= chance.random() < 0.1
        figures = {Watched.RESPONSE_TIME: 2000.0 if slow else 10.0, Watched.ERROR_RATE: 0.5 if failing else 0.0}
        made.append(SourceReading(True, "HTTP 200", figures))
    return made


def rounds(config: MonitorFile, store: MonitorStore | None) -> Iterator[tuple[float, Round]]:
    """From where the store is, or all of them."""
    engine = AlertEngine(config, {} if store is None else store.standings())
    last_s = 0.0 if store is None else max((t.t for t in store.series("api", 0, 1e12).get("up", [])), default=0.0)
    for number, reading in enumerate(readings()):
        now_s = START_S + number * PERIOD_S
        if now_s <= last_s:
            continue
        outcome = engine.step(now_s, datetime.fromtimestamp(now_s, UTC), {"api": reading})
        done = Round(now_s, {"api": reading.to_row()}, period_s=PERIOD_S)
        outcome.add_to(done)
        yield now_s, done


def expected(url: str) -> list[OutboxRow]:
    """What an undisturbed monitor tells, in order."""
    return [row for _, done in rounds(monitor(url), None) for row in done.outbox]


async def watch(folder: Path, url: str) -> None:
    config = monitor(url)
    async with httpx.AsyncClient() as client:
        with MonitorStore(folder / "m.db") as store, store.watching():
            ways = {name: way_of(channel, client) for name, channel in config.channels.items()}
            now_s = START_S
            for now_s, done in rounds(config, store):
                store.keep(done)
                await deliver_due(store, ways, now_s)
            while store.waiting():
                now_s += 60.0
                await deliver_due(store, ways, now_s)


def main(folder: str, url: str, kills: str, seed: str) -> None:
    chance = random.Random(int(seed))
    for number in range(int(kills) + 1):
        child = os.fork()
        if child == 0:
            asyncio.run(watch(Path(folder), url))
            os._exit(0)
        if number < int(kills):
            time.sleep(chance.uniform(0.02, 0.25))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status not in (0, signal.SIGKILL):
            sys.exit(f"a monitor ended with {status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
