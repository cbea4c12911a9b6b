"""The sentences of target tracking, where servers are kept: `CPU at 60%`.

    target = "CPU" "at" percent
           | "memory" "at" percent
           | [ "active" ] "connections" "at" percent [ "of" ] "capacity"
           | "requests" "at" rate "per" ( "task" | "server" )

Only what grows when there are fewer servers can be kept: a load by server.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbz.config.grammar.conditions import SentenceReader, Watched, shortest

_KEPT = (Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS)


@dataclass(frozen=True)
class Target:
    """Where a metric is kept: a fraction of one for CPU and memory, of a server's capacity for connections; requests a
    second of one server."""

    metric: Watched
    value: float

    def __str__(self) -> str:
        name = self.metric.value[0].upper() + self.metric.value[1:]
        if self.metric is Watched.REQUESTS:
            return f"{name} at {shortest(self.value, 60)}/min per task"
        return f"{name} at {shortest(self.value, 100)}%{' capacity' * (self.metric is Watched.CONNECTIONS)}"


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
    reader.end()
    if value <= 0:
        raise ValueError(f"'{text.strip()}': nothing can be kept at zero")
    return Target(metric, value)
