"""How far a rebalance is: written by the one who moves, read by those who show it, from other threads too."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from dbz.shards.journal import Move, State
from dbz.shards.move.throttle import Slowed
from dbz.shards.plan.estimate import MoveSpeeds

_BOTH_SIDES = 2


class MovePhase(StrEnum):
    """What is done with the move in hand."""

    CHECKING = "checking"
    COPYING = "copying"
    FOLLOWING = "following"
    VERIFYING = "verifying"
    POSTPONED = "postponed"
    SWITCHING = "switching"
    WAITING = "waiting"


@dataclass(frozen=True)
class Current:
    """The move in hand. `bytes_total` is about what the phase has to do, 0 when that is not known.

    `lag_s` is how long ago the target last had everything the source has; `lag_changes` are the documents that are
    known to have changed since.
    """

    move: Move
    phase: MovePhase
    bytes_done: int
    bytes_total: int
    lag_changes: int
    lag_s: float
    left_s: float | None


@dataclass(frozen=True)
class Ended:
    """A move that has ended, how long it took, and how far it lagged behind at most."""

    move: Move
    seconds: float
    copied_bytes: int
    max_lag_s: float


@dataclass(frozen=True)
class MoveStanding:
    """A rebalance at a moment. `left_s` is None as long as it cannot be told."""

    elapsed_s: float
    moves: int
    ended: tuple[Ended, ...]
    bytes_done: int
    bytes_total: int
    copy_bytes_per_s: float | None
    left_s: float | None
    slowed: Slowed | None
    slowed_s: float
    current: Current | None
    remark: str

    @property
    def done(self) -> int:
        """Moves that have switched over."""
        return sum(one.move.state == State.REVERSING for one in self.ended)


class MoveTracker:
    """Takes in what happens, and says where things stand."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._forecast = MoveForecast()
        self._planned: dict[str, int] = {}
        self._ended: list[Ended] = []
        self._before_bytes = 0
        self._slowed: Slowed | None = None
        self._slowed_since: float | None = None
        self._slowed_s = 0.0
        self._remark = ""
        self._leave()

    def _leave(self) -> None:
        self._move: Move | None = None
        self._phase = MovePhase.CHECKING
        self._waits = False
        self._marked = self._move_began = self._clock()
        self._counted_s = 0.0
        self._copied = self._compared = 0
        self._lag: tuple[int, float] = (0, self._clock())
        self._max_lag_s = 0.0

    def begin(self, moves: Sequence[Move]) -> None:
        """These moves are to be done."""
        with self._lock:
            self._began = self._clock()
            self._planned = {move.id: move.bytes for move in moves}

    def enter(self, move: Move, phase: MovePhase) -> None:
        """A phase of a move begins."""
        with self._lock:
            if self._move is None or self._move.id != move.id:
                self._leave()
            if phase in (MovePhase.CHECKING, MovePhase.COPYING):
                self._copied, self._compared = move.copied_bytes, 0
            self._move, self._phase, self._marked = move, phase, self._clock()

    def moved(self, size_bytes: int) -> None:
        """So many bytes were copied or compared, whatever the phase is."""
        with self._lock:
            now = self._clock()
            took_s, self._marked = now - self._marked, now
            self._counted_s += took_s
            if self._phase == MovePhase.COPYING:
                self._copied += size_bytes
                self._forecast.copying.add(size_bytes, took_s)
            else:
                self._compared += size_bytes
                self._forecast.comparing.add(size_bytes, took_s)

    def lagging(self, changes: int, since: float) -> None:
        """So many changes are known that the target lacks; up to `since` (monotonic seconds) it has everything."""
        with self._lock:
            self._lag = (changes, since)
            self._max_lag_s = max(self._max_lag_s, self._clock() - since)

    def throttled(self, slowed: Slowed | None) -> None:
        """Copying is slowed down, or not any more."""
        with self._lock:
            now = self._clock()
            if self._slowed_since is not None:
                self._slowed_s += now - self._slowed_since
            self._slowed, self._slowed_since = slowed, now if slowed else None

    def remark(self, text: str) -> None:
        """Something worth telling, shown until the next of its kind, or until the move ends."""
        with self._lock:
            self._remark = text

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Nothing is done within this block, and the time does not count for how fast things go."""
        with self._lock:
            self._waits = True
            began = self._clock()
        try:
            yield
        finally:
            with self._lock:
                waited_s = self._clock() - began
                self._waits = False
                self._marked += waited_s
                self._move_began += waited_s

    def ended(self, move: Move) -> None:
        """A move has ended, one way or the other."""
        with self._lock:
            mine = self._move is not None and self._move.id == move.id
            seconds = self._clock() - self._move_began if mine else 0.0
            if mine and move.state == State.REVERSING:
                self._forecast.finished(max(0.0, seconds - self._counted_s))
            copied = self._copied if mine else move.copied_bytes
            self._ended.append(Ended(move, seconds, copied, self._max_lag_s if mine else 0.0))
            self._before_bytes += self._planned.pop(move.id, 0)
            self._remark = ""
            self._leave()

    def speeds(self, limit_bytes_per_s: float | None) -> MoveSpeeds | None:
        """How fast moves went below this rate; None before one has ended."""
        with self._lock:
            return self._forecast.speeds(limit_bytes_per_s)

    def standing(self) -> MoveStanding:
        """Where things stand now."""
        with self._lock:
            now = self._clock()
            current = self._current(now)
            slowed_s = self._slowed_s + (now - self._slowed_since if self._slowed_since is not None else 0.0)
            mine = min(self._copied, self._planned.get(self._move.id, 0)) if self._move else 0
            return MoveStanding(
                elapsed_s=now - self._began,
                moves=len(self._ended) + len(self._planned),
                ended=tuple(self._ended),
                bytes_done=self._before_bytes + mine,
                bytes_total=self._before_bytes + sum(self._planned.values()),
                copy_bytes_per_s=self._forecast.copying.bytes_per_s,
                left_s=self._left_in_all(current),
                slowed=self._slowed,
                slowed_s=slowed_s,
                current=current,
                remark=self._remark,
            )

    def _current(self, now: float) -> Current | None:
        if self._move is None:
            return None
        to_copy, to_compare = self._left_of_move(self._move)
        size = max(self._move.bytes, self._copied)
        comparing = self._phase == MovePhase.VERIFYING
        return Current(
            move=self._move,
            phase=MovePhase.WAITING if self._waits else self._phase,
            bytes_done=self._compared if comparing else self._copied,
            bytes_total=_BOTH_SIDES * size if comparing else size,
            lag_changes=self._lag[0],
            lag_s=max(0.0, now - self._lag[1]),
            left_s=self._forecast.left_s(to_copy, to_compare, 1) if size else None,
        )

    def _left_of_move(self, move: Move) -> tuple[float, float]:
        """Bytes to copy and to compare."""
        size = max(move.bytes, self._copied)
        to_copy = (
            size - self._copied if self._phase in (MovePhase.CHECKING, MovePhase.COPYING) and not move.undoes else 0
        )
        done = self._phase in (MovePhase.SWITCHING, MovePhase.POSTPONED)
        to_compare = 0 if done else max(0, _BOTH_SIDES * size - self._compared)
        return to_copy, to_compare

    def _left_in_all(self, current: Current | None) -> float | None:
        later = {name: size for name, size in self._planned.items() if not current or name != current.move.id}
        size = sum(later.values())
        after_s = self._forecast.left_s(size, _BOTH_SIDES * size, len(later)) if later else 0.0
        if after_s is None or (current and current.left_s is None):
            return None
        return after_s + (current.left_s or 0.0 if current else 0.0)


_MEMORY_S = 15.0
_REST_S = 0.5


class Meter:
    """A speed that forgets: bytes over seconds, each weighing less the longer ago it was (e-fold in 15 s)."""

    def __init__(self) -> None:
        self._bytes = 0.0
        self._seconds = 0.0

    def add(self, size_bytes: int, seconds: float) -> None:
        """So many bytes took so long."""
        kept = math.exp(-seconds / _MEMORY_S)
        self._bytes = self._bytes * kept + size_bytes
        self._seconds = self._seconds * kept + seconds

    @property
    def bytes_per_s(self) -> float | None:
        """The speed; None before anything was measured."""
        return self._bytes / self._seconds if self._seconds > 0 and self._bytes > 0 else None


class MoveForecast:
    """Seconds left, from the speeds of copying and of comparing, and from what a move takes beside these."""

    def __init__(self) -> None:
        self.copying = Meter()
        self.comparing = Meter()
        self._rest_s = 0.0
        self._moves = 0

    def finished(self, rest_s: float) -> None:
        """A move took so long beside copying and comparing."""
        self._rest_s += rest_s
        self._moves += 1

    def speeds(self, limit_bytes_per_s: float | None) -> MoveSpeeds | None:
        """How fast moves went; None before one has ended."""
        copying, comparing = self.copying.bytes_per_s, self.comparing.bytes_per_s
        if not (copying and comparing and self._moves):
            return None
        return MoveSpeeds(copying, comparing, self._rest_s / self._moves, limit_bytes_per_s, measured=True)

    def left_s(self, to_copy_bytes: float, to_compare_bytes: float, moves: float) -> float | None:
        """Seconds for what is left; None as long as nothing is known of a speed that is needed."""
        copying = self.copying.bytes_per_s
        comparing = self.comparing.bytes_per_s or copying
        if (to_copy_bytes and not copying) or (to_compare_bytes and not comparing):
            return None
        rest_s = self._rest_s / self._moves if self._moves else _REST_S
        return moves * rest_s + to_copy_bytes / (copying or 1) + to_compare_bytes / (comparing or 1)
