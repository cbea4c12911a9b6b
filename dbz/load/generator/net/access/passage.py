"""The bytes that are under way in one direction of a connection: a queue that says when they arrive, without a clock.

Nobody is woken for every piece. Whoever waits asks for the moment at which what he needs will have arrived, and comes
back then: once for the beginning of an answer and once for its end, however long it takes.
"""

from __future__ import annotations

import math
from collections import deque

from dbz.load.generator.net.access.schedule import SEGMENT_BYTES, AccessLink, ConnectionFlow, Span

_GRAIN_S = 0.002
"""Two arrivals so close together are one."""
_PACE_S = 0.02
"""How often one is woken who takes what there is, while more of what was sent at once arrives."""
_ROUNDING_BYTES = 0.01
_LEAST_ROOM_BYTES = 65_536
MOST_ROOM_BYTES = 4 * 2**20
_ROOM_S = 0.1


class Passage:
    """One direction of one connection. All moments are of the same clock, in seconds, and never go back."""

    __slots__ = ("_data", "_end_s", "_even", "_flow", "_paced_s", "_spans", "ended", "last_s", "room", "size")

    def __init__(self, link: AccessLink) -> None:
        self._flow = ConnectionFlow(link)
        self._even = link.steady
        self._data: deque[bytes | memoryview] = deque()
        self._spans: deque[Span] = deque()
        self._paced_s = 0.0
        self._end_s = math.inf
        self.last_s = 0.0
        """When the last byte that was put in arrives, or has arrived."""
        self.room = room_bytes(link)
        """How many bytes may be under way: those who send more wait, as for a receiver's window."""
        self.size = 0
        """Bytes that were put in and not taken out."""
        self.ended = False
        """Whether nothing more will be put in."""

    def put(self, now_s: float, data: bytes) -> None:
        """Send bytes, at least one."""
        self._plan(now_s, len(data))
        self._data.append(data)
        self.size += len(data)

    def put_or_pass(self, now_s: float, data: bytes, until_s: float) -> bool:
        """As `put`, but bytes that arrive until then, with none before them, are not kept: whether that is so."""
        self._plan(now_s, len(data))
        if not self.size and self.last_s <= until_s:
            self._spans.clear()
            return True
        self._data.append(data)
        self.size += len(data)
        return False

    def _plan(self, now_s: float, size: int) -> None:
        if self._even:
            span = self._flow.even_span(now_s, size)
            self._spans.append(span)
            self.last_s = span[1]
        else:
            self._spans += self._flow.plan(now_s, size)
            self.last_s = self._spans[-1][1]

    def end(self, now_s: float) -> None:
        """Send word that nothing more comes."""
        if not self.ended:
            self.ended, self._end_s = True, self._flow.end(now_s)

    def full(self, now_s: float) -> bool:
        """Whether as much is under way as has room."""
        return self.size >= self.room and self._down_to(self.room) > now_s

    def half_empty(self) -> float:
        """When no more than half of what has room is under way."""
        return self._down_to(self.room // 2)

    def _down_to(self, count: int) -> float:
        for begin_s, end_s, size in reversed(self._spans):
            if count < size:
                return end_s - (end_s - begin_s) * count / size
            count -= size
        return 0.0

    def when(self, count: int) -> float:
        """When so many of the bytes that were not taken have arrived; without so many, the end, or never."""
        for begin_s, end_s, size in self._spans:
            if count < size:
                return begin_s + (end_s - begin_s) * count / size
            if count == size:
                return end_s
            count -= size
        return self._end_s

    @property
    def first(self) -> bytes:
        """What was put in first of what was not taken; there must be something."""
        return bytes(self._data[0])

    @property
    def first_s(self) -> float:
        """When the first segment arrives of what was put in first."""
        return self.when(min(len(self._data[0]), SEGMENT_BYTES))

    def soon(self) -> float:
        """When to wake somebody who takes what there is. Never, when nothing is under way.

        What was sent at once is one thing: it is worth waking him when all of it has arrived and, when it is more than
        a segment, when its first segment has, and now and then while more of it comes.
        """
        if not self.size:
            return self._end_s
        size = len(self._data[0])
        due_s = whole_s = self.last_s if size == self.size else self.when(size)
        if size > SEGMENT_BYTES:
            first_s = self.when(SEGMENT_BYTES)
            if whole_s > first_s + _GRAIN_S:  # else it is not torn apart
                due_s = min(whole_s, max(first_s, self._paced_s))
        return self.last_s if self.last_s <= due_s + _GRAIN_S else due_s

    def take(self, now_s: float) -> bytes | None:
        """Take out what has arrived; None when nothing has, empty at the end."""
        if self.last_s <= now_s and self.size:
            self._paced_s = 0.0
            data = b"".join(self._data)
            self._data.clear()
            self._spans.clear()
            self.size = 0
            return data
        if not self.size or self._spans[0][0] > now_s:
            return b"" if not self.size and self._end_s <= now_s else None
        if self._spans[0][1] <= now_s < self._spans[1][0] and self._spans[0][2] == len(self._data[0]):
            self._paced_s = 0.0  # one event, and the next is still under way: by far the most often
            self.size -= self._spans.popleft()[2]
            return bytes(self._data.popleft())
        count = self._arrived(now_s)
        if not count:
            return None
        torn = count < len(self._data[0])
        self._paced_s = now_s + _PACE_S if torn else 0.0
        return self._cut_off(count)

    def clear(self) -> None:
        """Forget all bytes: nobody will take them."""
        self._data.clear()
        self._spans.clear()
        self.size = 0

    def _arrived(self, now_s: float) -> int:
        count = 0
        for begin_s, end_s, size in self._spans:
            if end_s > now_s:
                return count + int(max(now_s - begin_s, 0.0) / (end_s - begin_s) * size + _ROUNDING_BYTES)
            count += size
        return count

    def _cut_off(self, count: int) -> bytes:
        """At most so many bytes: what was put in as one is torn only when there is nothing before it."""
        data, pieces, taken = self._data, [], 0
        while taken + len(data[0]) <= count:
            pieces.append(data.popleft())
            taken += len(pieces[-1])
        if not pieces:
            whole, taken = memoryview(data[0]), count
            pieces.append(whole[:count])
            data[0] = whole[count:]
        self.size -= taken
        spans = self._spans
        while taken:
            begin_s, end_s, size = spans.popleft()
            if size > taken:
                spans.appendleft((begin_s + (end_s - begin_s) * taken / size, end_s, size - taken))
                break
            taken -= size
        return b"".join(pieces)


def room_bytes(link: AccessLink) -> int:
    """How many bytes may be under way in a direction: twice what the link holds, or what it passes on in 0.1 s."""
    if math.isinf(link.byte_per_s):
        return MOST_ROOM_BYTES
    wanted = link.byte_per_s * max(2 * (link.network.latency_s + link.network.jitter_s), _ROOM_S)
    return int(min(max(wanted, _LEAST_ROOM_BYTES), MOST_ROOM_BYTES))
