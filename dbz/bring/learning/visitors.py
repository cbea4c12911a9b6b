"""Following visitors through a log: what they ask, how long they pause, and where their visits begin and end."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import urlsplit

from dbz.bring.files.logs.line import LogLine
from dbz.bring.learning.operations import LogOperations, sampled
from dbz.bring.recording import Exchange
from dbz.masking import masked_name
from dbz.measure.behaviour.chain import END
from dbz.measure.behaviour.visits import VisitCounts

TIMEOUT_S = 1800.0
"""Whoever asks for nothing for so long has ended a visit, and begins another with the next request."""
_EVERY = 5
"""Every fifth visit is held out, to see how well the others foretell it."""
_PATHS = 50
"""So many different paths of an operation are kept."""
_MOST_OPEN = 500_000
_SHORT_LOG = 4
"""A log that is not so many time-outs long says little of where visits begin: they count as they are."""
_KEY_BYTES = 12


@dataclass(slots=True)
class _Visit:
    """One visit that may go on."""

    counts: VisitCounts
    began: bool
    """Whether its beginning was seen."""
    began_s: float
    seen_s: float = 0.0
    """When the last request began."""
    answered_s: float = 0.0
    operation: str = ""
    before: str = ""
    """The operation before the last."""
    length: int = 0


@dataclass
class SeenVisits:
    """What came of following all visitors of a log."""

    made_from: VisitCounts = field(default_factory=VisitCounts)
    held_out: VisitCounts = field(default_factory=VisitCounts)
    active_s: float = 0.0
    """From the first request of each visit to its last, all together."""
    samples: list[Exchange] = field(default_factory=list)
    """Requests of each operation with different paths, in which secrets are masked."""
    whole: bool = True
    """Whether the log is so short that visits which its ends cut count as they are."""
    cut: int = 0
    """Visits that were taken to have ended since too many were open at once."""


def follow(
    lines: Iterable[LogLine], operations: LogOperations, first_s: float, last_s: float, timeout_s: float = TIMEOUT_S
) -> SeenVisits:
    """Follow all visitors through a log, whose first and last request began then."""
    follower = _Follower(first_s, last_s, timeout_s)
    for line in lines:
        operation = operations.of(line.exchange)
        if operation:
            follower.request(line, operation)
    return follower.end()


class _Follower:
    def __init__(self, first_s: float, last_s: float, timeout_s: float) -> None:
        self._followed = SeenVisits(whole=last_s - first_s < _SHORT_LOG * timeout_s)
        self._timeout_s = timeout_s
        whole = self._followed.whole
        self._begins_from_s = first_s if whole else first_s + timeout_s
        self._ends_until_s = last_s if whole else last_s - timeout_s
        self._open: OrderedDict[bytes, _Visit] = OrderedDict()
        """By visitor; those who were seen last come last."""
        self._samples = _Samples()
        self._visits = 0

    def request(self, line: LogLine, operation: str) -> None:
        """Somebody asked for something, no earlier than whoever came before."""
        exchange = line.exchange
        now_s = exchange.started_s
        while self._open and next(iter(self._open.values())).seen_s < now_s - self._timeout_s:
            self._close(self._open.popitem(last=False)[1])
        key = blake2b(line.visitor.encode("utf-8", "replace"), digest_size=_KEY_BYTES).digest()
        visit = self._open.get(key)
        if visit is None:
            visit = self._open[key] = self._begin(now_s, operation)
        else:
            self._open.move_to_end(key)
            self._go_on(visit, now_s, operation)
        visit.before, visit.operation = visit.operation, operation
        visit.seen_s, visit.answered_s = now_s, max(visit.answered_s, now_s + exchange.duration_s)
        visit.length += 1
        visit.counts.requests[operation] += 1
        self._samples.add(exchange, operation)

    def _go_on(self, visit: _Visit, now_s: float, operation: str) -> None:
        if visit.seen_s > self._ends_until_s:
            return  # of what comes so late only those are seen who go on, never those who leave
        counts = visit.counts
        counts.moves[visit.operation, operation] += 1
        counts.pauses[visit.operation].record(round(max(now_s - visit.answered_s, 0.0) * 1e6))
        if visit.before:
            counts.later[visit.before, operation] += 1

    def _begin(self, now_s: float, operation: str) -> _Visit:
        if len(self._open) >= _MOST_OPEN:
            self._followed.cut += 1
            self._close(self._open.popitem(last=False)[1])
        counts = self._followed.held_out if self._visits % _EVERY == _EVERY - 1 else self._followed.made_from
        self._visits += 1
        counts.visits += 1
        began = now_s >= self._begins_from_s
        if began:
            counts.starts[operation] += 1
        return _Visit(counts, began, now_s, now_s)

    def _close(self, visit: _Visit) -> None:
        self._followed.active_s += visit.seen_s - visit.began_s
        if visit.began and visit.began_s <= self._ends_until_s:
            visit.counts.lengths[visit.length] += 1
        if visit.seen_s > self._ends_until_s:
            return  # it may have gone on after the log
        visit.counts.moves[visit.operation, END] += 1
        if visit.before:
            visit.counts.later[visit.before, END] += 1

    def end(self) -> SeenVisits:
        """The log has ended."""
        while self._open:
            self._close(self._open.popitem(last=False)[1])
        self._followed.samples = self._samples.exchanges()
        return self._followed


def _target(url: str) -> str:
    """Path and query of a URL, without the values of the query whose names say that they are secret."""
    if not url.startswith("/"):
        parts = urlsplit(url)
        url = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return masked_name(url) if "?" in url else url


class _Samples:
    """Different paths of each operation, of the status that it has most often: those with the smallest hashes.

    So each path has the same chance to be kept, whatever its place in the log, and two readings keep the same.
    """

    def __init__(self) -> None:
        self._kept: defaultdict[tuple[str, int], dict[str, tuple[bytes, Exchange]]] = defaultdict(dict)
        """By operation and status, and by URL."""
        self._highest: dict[tuple[str, int], bytes] = {}
        self._statuses: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, exchange: Exchange, operation: str) -> None:
        """Take one more request."""
        self._statuses[operation][exchange.status] += 1
        key = operation, exchange.status
        kept, url = self._kept[key], _target(exchange.url)
        if url in kept:
            return
        mark = blake2b(url.encode("utf-8", "replace"), digest_size=_KEY_BYTES).digest()
        if url in kept or (len(kept) >= _PATHS and mark > self._highest[key]):
            return
        kept[url] = mark, sampled(exchange, operation, url)
        if len(kept) > _PATHS:
            del kept[max(kept, key=lambda one: kept[one][0])]
        self._highest[key] = max(mark for mark, _ in kept.values())

    def exchanges(self) -> list[Exchange]:
        """Those that were kept, by operation."""
        chosen = []
        for operation, statuses in sorted(self._statuses.items()):
            status = max(statuses, key=lambda one: (statuses[one], -one))
            chosen += [exchange for _, (_, exchange) in sorted(self._kept[operation, status].items())]
        return chosen
