"""The sentences of target tracking, where servers are kept: `CPU at 60%`.

    target = ( "CPU" | "memory" ) "at" percent [ "every" "20" "seconds" ]
           | [ "active" ] "connections" "at" percent [ "of" ] "capacity"
           | "requests" "at" rate "per" ( "task" | "server" )

Only what grows when there are fewer servers can be kept: a load by server. `every 20 seconds` takes the metrics that
ECS writes three times a minute, where that is switched on for the service; else a metric is looked at once a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbz.config.grammar.conditions import SentenceReader, shortest
from dbz.config.grammar.watched import Watched

COARSE_S, FINE_S = 60, 20
"""The periods of the metrics that ECS writes of a service."""
FINE = (Watched.CPU, Watched.MEMORY)
"""The metrics that it can write every 20 seconds."""
_KEPT = (Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS)


@dataclass(frozen=True)
class Target:
    """Where a metric is kept."""

    metric: Watched
    value: float
    """A fraction of one for CPU and memory, of a server's capacity for connections; requests a second of one server."""
    every_s: int = COARSE_S
    """How often the metric is looked at, in seconds."""

    def __str__(self) -> str:
        name = self.metric.value[0].upper() + self.metric.value[1:]
        if self.metric is Watched.REQUESTS:
            return f"{name} at {shortest(self.value, 60)}/min per task"
        often = f" every {self.every_s} seconds" if self.every_s != COARSE_S else ""
        return f"{name} at {shortest(self.value, 100)}%{' capacity' * (self.metric is Watched.CONNECTIONS)}{often}"


def parse_target(text: str) -> Target:
    """Read a sentence; `ValueError` says what is wrong and marks the word."""
    if not text.strip():
        raise ValueError("is empty")
    reader = SentenceReader(text)
    metric = reader.metric()
    if metric not in _KEPT:
        back = len(metric.value.split())
        raise reader.error(f"one of {', '.join(_KEPT)}: only a load by server can be kept", back=back)
    reader.word("at", "'at' and where it is to be kept")
    if metric is Watched.REQUESTS:
        value = reader.rate(reader.number())
        reader.word("per", "'per task'")
        if not reader.skip("server"):
            reader.word("task", "'task'")
    else:
        value = reader.share(metric)
        if metric is Watched.CONNECTIONS:
            reader.skip("of")
            reader.word("capacity")
    every_s = _every(reader, metric) if reader.skip("every") else COARSE_S
    reader.end("'every 20 seconds', or nothing more" if metric in FINE and every_s == COARSE_S else "nothing more")
    if value <= 0:
        raise ValueError(f"'{text.strip()}': nothing can be kept at zero")
    return Target(metric, value, every_s)


def _every(reader: SentenceReader, metric: Watched) -> int:
    """What follows `every`."""
    if metric not in FINE:
        raise reader.error(f"nothing more: only {' and '.join(FINE)} are written so often", back=1)
    reader.take(lambda word: word == str(FINE_S), f"'{FINE_S} seconds': ECS writes no metric at another rate")
    reader.take(lambda word: word.lower() in ("s", "second", "seconds"), "'seconds'")
    return FINE_S
