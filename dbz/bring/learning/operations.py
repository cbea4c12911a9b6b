"""Which operations a log has, and which of its lines count: a first look, before visitors are followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dbz.bring import names
from dbz.bring.choosing import Choice, is_candidate, is_static, main_origin
from dbz.bring.files.logs.line import LogLine
from dbz.bring.recording import Exchange
from dbz.errors import UsageError
from dbz.measure.behaviour.visits import by_count
from dbz.units import counted

MOST_OPERATIONS = 100
"""The others, which are rare, are left out."""
_PATHS = 50_000
"""So many different paths, with their ids left out, are told apart; scanners ask for any number."""
_UPGRADED = 101
_HOUR_S = 3600


@dataclass
class LogSurvey:
    """What is in a log."""

    first_s: float = 0.0
    """When its first request began, in seconds since 1970."""
    last_s: float = 0.0
    origins: Counter[str] = field(default_factory=Counter)
    """Requests by the server that was asked, where lines name one."""
    paths: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requests by method and path with its ids left out."""
    statics: int = 0
    others: int = 0
    """Requests of Socket.IO connections and WebSockets, preflights, and what names no path."""
    hours: Counter[int] = field(default_factory=Counter)
    """Requests by the hour since 1970."""
    whole_seconds: bool = True
    """Whether all its times are whole seconds."""

    @property
    def length_s(self) -> float:
        """From the first request to the last."""
        return self.last_s - self.first_s


def survey(lines: Iterable[LogLine], choice: Choice) -> LogSurvey:
    """Look at all lines of a log; `UsageError` when nothing is left to be learnt."""
    found = LogSurvey()
    for line in lines:
        exchange = line.exchange
        found.first_s = min(found.first_s or exchange.started_s, exchange.started_s)
        found.last_s = max(found.last_s, exchange.started_s)
        found.whole_seconds = found.whole_seconds and exchange.started_s.is_integer()
        if not _counts(exchange):
            found.others += 1
        elif not choice.statics and is_static(exchange):
            found.statics += 1
        else:
            found.hours[int(exchange.started_s // _HOUR_S)] += 1
            if not exchange.url.startswith("/"):
                found.origins[exchange.origin] += 1
            key = exchange.method, _without_ids(exchange.path)
            if key in found.paths or len(found.paths) < _PATHS:
                found.paths[key] += 1
    if not found.paths:
        raise UsageError(
            "nothing of the log is left: all of it is static, or belongs to sockets", hint="--statics", code="B004"
        )
    return found


def _counts(exchange: Exchange) -> bool:
    return exchange.status != _UPGRADED and is_candidate(exchange)


_without_ids = lru_cache(_PATHS)(names.without_ids)


class LogOperations:
    """The operations of a log by the templates of their paths: the most frequent ones."""

    def __init__(self, found: LogSurvey, choice: Choice) -> None:
        self._templates = names.PathTemplates(path for _, path in found.paths)
        self._choice = choice
        self.origin = main_origin(found.origins, choice)
        """The server that is meant; empty when the log names none."""
        counts: Counter[str] = Counter()
        for (method, path), count in found.paths.items():
            counts[f"{method} {self._templates.of(path)}"] += count
        self.names = [name for name, _ in by_count(counts)[:MOST_OPERATIONS]]
        """The most frequent first."""
        self._known = frozenset(self.names)
        self.of_path = lru_cache(_PATHS)(self._of_path)
        self.left_out = 0
        """Requests of rare operations, and to other servers, since the first look."""

    def _of_path(self, method: str, path: str) -> str:
        """The operation; empty when it is one of those that are left out."""
        name = f"{method} {self._templates.of(path)}"
        return name if name in self._known else ""

    def of(self, exchange: Exchange) -> str:
        """The operation of a request; empty for one that is left out."""
        if not _counts(exchange) or (not self._choice.statics and is_static(exchange)):
            return ""
        known = exchange.url.startswith("/") or exchange.origin == self.origin
        operation = self.of_path(exchange.method, exchange.path) if known else ""
        self.left_out += not operation
        return operation


def left_out_notes(found: LogSurvey, operations: LogOperations) -> list[str]:
    """What of a log is not learnt, in words."""
    notes = []
    if found.statics:
        notes.append(f"{counted(found.statics, 'request')} for pictures, scripts and styles are left out (--statics)")
    if found.others:
        notes.append(f"{counted(found.others, 'request')} of sockets, or without a path, are left out")
    if operations.left_out:
        notes.append(
            f"{counted(operations.left_out, 'request')} to other servers, or of operations beyond the "
            f"{MOST_OPERATIONS} most frequent, are left out"
        )
    if found.whole_seconds:
        notes.append("the log has whole seconds: its pauses are only known to the second")
    return notes


def sampled(exchange: Exchange, operation: str, url: str) -> Exchange:
    """A request as one of the paths of its operation."""
    template = operation.partition(" ")[2]
    return replace(exchange, url=url, template=template, source="", started_s=0.0, duration_s=0.0)
