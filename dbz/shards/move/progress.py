"""How far a rebalance is: written by the one who moves, read by those who show it, from other threads too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from dbz.shards.journal import Move, State
from dbz.shards.move.forecast import MoveForecast, Step
from dbz.shards.move.schedule import Parallelism, least_seconds
from dbz.shards.move.throttle import Slowed
from dbz.shards.plan.cost import CopyCost, Load, Mix, in_all, shared_out
from dbz.shards.plan.estimate import MoveCosts

_BOTH_SIDES = 2
_ALONE = Parallelism()
_UNLIMITED = CopyCost()
_NOTICED = 0.1
"""Copying that gave way for less of the time than this hardly matters for how long it takes."""
_LEEWAY = 1.4
"""How far the time left may be beyond what was seen, either way: then nine of ten simulated moves are in the range."""


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
    """A rebalance at a moment. `left_s` is None as long as it cannot be told.

    Where copying gives way, nobody knows how the app will go on: then `left_between_s` is a range around it, else None.
    """

    elapsed_s: float
    moves: int
    ended: tuple[Ended, ...]
    bytes_done: int
    bytes_total: int
    copy_bytes_per_s: float | None
    left_s: float | None
    left_between_s: tuple[float, float] | None
    slowed: Slowed | None
    slowed_s: float
    current: Current | None
    """The move in hand; of several the one that began first."""
    remark: str
    beside: tuple[Current, ...] = ()
    """Those that run beside it."""

    @property
    def in_hand(self) -> tuple[Current, ...]:
        """All moves that run now."""
        return (self.current, *self.beside) if self.current else ()

    @property
    def done(self) -> int:
        """Moves that have switched over."""
        return sum(one.move.state == State.REVERSING for one in self.ended)


@dataclass
class _Hand:
    """A move in hand, as its thread last told of it; moments are monotonic seconds."""

    move: Move
    marked: float
    began: float
    lag_since: float
    phase: MovePhase = MovePhase.CHECKING
    waits: bool = False
    counted_s: float = 0.0
    before_bytes: int = 0
    lag_changes: int = 0
    max_lag_s: float = 0.0
    done: dict[Step, dict[str, Load]] = field(default_factory=lambda: {step: {} for step in Step})

    def restart(self) -> None:
        """The copy begins, or goes on after collections that are complete."""
        self.before_bytes = self.move.copied_bytes
        self.done = {step: {} for step in Step}

    def add(self, step: Step, collection: str, batch: Load) -> None:
        """A batch is done."""
        before = self.done[step].get(collection, Load())
        self.done[step][collection] = before.plus(batch.docs, batch.bytes)

    @property
    def copied(self) -> int:
        """Bytes."""
        return self.before_bytes + int(in_all(self.done[Step.COPY].values()).bytes)

    @property
    def compared(self) -> int:
        """Bytes of both sides."""
        return int(in_all(self.done[Step.COMPARE].values()).bytes)

    @property
    def size(self) -> int:
        """Bytes of the club, as far as they are known."""
        return max(self.move.bytes, self.copied)

    def left(self, mix: Mix) -> tuple[dict[str, Load], dict[str, Load]]:
        """What is to be copied, and to be compared, by collection."""
        whole = Load(max(self.move.docs, in_all(self.done[Step.COPY].values()).docs), self.size)
        before_end = self.phase in (MovePhase.CHECKING, MovePhase.COPYING) and not self.move.undoes
        known = self.before_bytes / whole.bytes if whole.bytes else 0.0
        begun = Load(whole.docs * known, self.before_bytes)
        to_copy = _left(mix, whole.less(begun), self.done[Step.COPY], self.move.copied, 1) if before_end else {}
        compared = self.phase in (MovePhase.SWITCHING, MovePhase.POSTPONED)
        return to_copy, {} if compared else _left(mix, whole, self.done[Step.COMPARE], (), _BOTH_SIDES)


def _left(mix: Mix, whole: Load, done: Mapping[str, Load], complete: Collection[str], times: int) -> dict[str, Load]:
    """What is left of a club that goes through its collections in order, `times` over; given for one time.

    A club need not be like its shard: what collections had more or less than their share, the others have less or more.
    """
    so_far = {name: Load(load.docs / times, load.bytes / times) for name, load in done.items()}
    over = {*complete, *list(done)[:-1]}
    open_ = {
        name: load.less(so_far.get(name, Load()))
        for name, load in shared_out(mix, whole.docs, whole.bytes).items()
        if name not in over
    }
    left = whole.less(in_all(so_far.values()))
    return shared_out(open_, left.docs, left.bytes)


class MoveTracker:
    """Takes in what happens, and says where things stand; moves that run beside each other tell it from threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._forecast = MoveForecast()
        self._mixes: dict[str, Mix] = {}
        self._allowed = Parallelism()
        self._planned: dict[str, Move] = {}
        self._hands: dict[str, _Hand] = {}
        self._ended: list[Ended] = []
        self._before_bytes = 0
        self._slowed: Slowed | None = None
        self._slowed_since: float | None = None
        self._slowed_s = 0.0
        self._remark = ""

    def begin(
        self,
        moves: Sequence[Move],
        allowed: Parallelism = _ALONE,
        cost: CopyCost = _UNLIMITED,
        mixes: Mapping[str, Mix] | None = None,
    ) -> None:
        """These moves are to be done, so many at the same time, of shards whose documents are like that."""
        with self._lock:
            self._forecast = MoveForecast(cost)
            self._mixes = dict(mixes or {})
            self._began = self._clock()
            self._allowed = allowed
            self._planned = {move.id: move for move in moves}

    def enter(self, move: Move, phase: MovePhase) -> None:
        """A phase of a move begins."""
        with self._lock:
            now = self._clock()
            hand = self._hands.setdefault(move.id, _Hand(move, now, now, now))
            hand.move, hand.phase, hand.marked = move, phase, now
            if phase in (MovePhase.CHECKING, MovePhase.COPYING):
                hand.restart()

    def moved(self, move: Move, collection: str, docs: int, size_bytes: int) -> None:
        """A batch of a collection was copied, or compared, whatever the phase is."""
        with self._lock:
            hand, now = self._hands[move.id], self._clock()
            took_s, hand.marked = now - hand.marked, now
            hand.counted_s += took_s
            step = Step.COPY if hand.phase == MovePhase.COPYING else Step.COMPARE
            indexes = self._mixes.get(move.source, {}).get(collection, Load()).indexes
            batch = Load(docs, size_bytes, indexes)
            hand.add(step, collection, batch)
            self._forecast.add(step, collection, batch, took_s)

    def lagging(self, move: Move, changes: int, since: float) -> None:
        """So many changes are known that the target lacks; up to `since` (monotonic seconds) it has everything."""
        with self._lock:
            hand = self._hands[move.id]
            hand.lag_changes, hand.lag_since = changes, since
            hand.max_lag_s = max(hand.max_lag_s, self._clock() - since)

    def throttled(self, slowed: Slowed | None) -> None:
        """Copying is slowed down, or not any more."""
        with self._lock:
            now = self._clock()
            if self._slowed_since is not None:
                self._slowed_s += now - self._slowed_since
            self._slowed, self._slowed_since = slowed, now if slowed else None

    def remark(self, text: str, move: Move | None = None) -> None:
        """Something worth telling, shown until the next of its kind, or until a move ends."""
        with self._lock:
            self._remark = f"{move.club}: {text}" if move and text and len(self._hands) > 1 else text

    @contextmanager
    def waiting(self, move: Move) -> Iterator[None]:
        """Nothing is done with a move within this block, and the time does not count for how fast things go."""
        with self._lock:
            hand, began = self._hands[move.id], self._clock()
            hand.waits = True
        try:
            yield
        finally:
            with self._lock:
                waited_s = self._clock() - began
                hand.waits = False
                hand.marked += waited_s
                hand.began += waited_s

    def ended(self, move: Move) -> None:
        """A move has ended, one way or the other."""
        with self._lock:
            hand = self._hands.pop(move.id, None)
            seconds = self._clock() - hand.began if hand else 0.0
            if hand and move.state == State.REVERSING:
                self._forecast.finished(max(0.0, seconds - hand.counted_s))
            copied = hand.copied if hand else move.copied_bytes
            self._ended.append(Ended(move, seconds, copied, hand.max_lag_s if hand else 0.0))
            planned = self._planned.pop(move.id, None)
            self._before_bytes += planned.bytes if planned else 0
            self._remark = ""

    def costs(self) -> MoveCosts | None:
        """How moves went, for the next plan; None before one has ended."""
        with self._lock:
            return self._forecast.costs()

    def standing(self) -> MoveStanding:
        """Where things stand now."""
        with self._lock:
            now = self._clock()
            in_hand = [self._current(hand, now) for hand in self._hands.values()]
            left_s = self._left_in_all(now)
            slowed_s = self._slowed_s + (now - self._slowed_since if self._slowed_since is not None else 0.0)
            mine = sum(
                min(hand.copied, self._planned[name].bytes)
                for name, hand in self._hands.items()
                if name in self._planned
            )
            return MoveStanding(
                elapsed_s=now - self._began,
                moves=len(self._ended) + len(self._planned),
                ended=tuple(self._ended),
                bytes_done=self._before_bytes + mine,
                bytes_total=self._before_bytes + sum(move.bytes for move in self._planned.values()),
                copy_bytes_per_s=self._forecast.copying.per_s,
                left_s=left_s,
                left_between_s=self._left_between(left_s, slowed_s, now),
                slowed=self._slowed,
                slowed_s=slowed_s,
                current=in_hand[0] if in_hand else None,
                remark=self._remark,
                beside=tuple(in_hand[1:]),
            )

    def _current(self, hand: _Hand, now: float) -> Current:
        comparing = hand.phase == MovePhase.VERIFYING
        return Current(
            move=hand.move,
            phase=MovePhase.WAITING if hand.waits else hand.phase,
            bytes_done=hand.compared if comparing else hand.copied,
            bytes_total=_BOTH_SIDES * hand.size if comparing else hand.size,
            lag_changes=hand.lag_changes,
            lag_s=max(0.0, now - hand.lag_since),
            left_s=self._left_of(hand, now) if hand.size else None,
        )

    def _left_of(self, hand: _Hand, now: float, *, lately: bool = False) -> float | None:
        to_copy, to_compare = hand.left(self._mixes.get(hand.move.source, {}))
        rested_s = max(0.0, now - hand.began - hand.counted_s)
        return self._forecast.left_s(to_copy, to_compare, 1, rested_s, lately=lately)

    def _load(self, move: Move) -> dict[str, Load]:
        return shared_out(self._mixes.get(move.source, {}), move.docs, move.bytes)

    def _left_in_all(self, now: float, *, lately: bool = False) -> float | None:
        left: list[tuple[Move, float | None]] = [
            (hand.move, self._left_of(hand, now, lately=lately) if hand.size else None) for hand in self._hands.values()
        ]
        left += [
            (move, self._forecast.left_s(load := self._load(move), load, 1, lately=lately))
            for name, move in self._planned.items()
            if name not in self._hands
        ]
        known = [(move, left_s) for move, left_s in left if left_s is not None]
        return least_seconds(known, self._allowed) if len(known) == len(left) else None

    def _left_between(self, left_s: float | None, slowed_s: float, now: float) -> tuple[float, float] | None:
        """From what was so far to what was of late, and some more, when copying gave way for a part of the time."""
        if left_s is None or slowed_s <= _NOTICED * (now - self._began):
            return None
        lately_s = self._left_in_all(now, lately=True)
        ends = (left_s, left_s if lately_s is None else lately_s)
        return min(ends) / _LEEWAY, max(ends) * _LEEWAY
