"""Moving one club while the app writes: copy, follow, verify, fence, drain, flip.

The order is what makes it safe. The change stream is opened before the copy begins, so no change falls between; the
copy and the changes only ever make the target what the source is; the writes of the club are held, by every server
that follows the map, before the last changes are fetched; and only the compare-and-set of the map, from the very
epoch that the fence made, moves the club. Whoever takes the fence away raises the epoch, and the flip cannot happen.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dbz.shards.changes import ChangeTail
from dbz.shards.control import Control
from dbz.shards.copies.compare import compare_club, compare_keys
from dbz.shards.copies.store_guard import guard_copies
from dbz.shards.deployment import Deployment, Document
from dbz.shards.errors import FenceOverrunError, HistoryLostError, MoveFailedError, PausedError, RehearsedError
from dbz.shards.journal import Move, MoveJournal, State
from dbz.shards.move.copy import Copier
from dbz.shards.move.pace import Pace, PaceOnShards
from dbz.shards.move.preflight import check_move
from dbz.shards.move.progress import MovePhase, MoveTracker
from dbz.shards.move.schedule import Parallelism
from dbz.shards.move.steering import MoveSteering
from dbz.shards.shapes import make_alike

_KEEP_TOKEN_EVERY_S = 1.0
_FENCE_TRIES = 8
_FENCE_PAUSE_S = 0.5
_VERIFY_ROUNDS = 6
_SETTLED = 200  # changes in one look at the stream: fewer are no backlog, and the writes may be held
_GLANCE_S = 0.02
_POSTPONED_EVERY_S = 0.1


@dataclass(frozen=True)
class MoveOptions:
    """How to move."""

    rate_bytes_per_s: float | None = 20e6
    """Bytes copied a second at most; None as fast as the stores can."""
    max_latency_s: float | None = None
    """How late a shard may answer (p95) before copying gives way; None for twice as late as before."""
    max_fence_s: float = 0.5
    """How long the writes of a club may be held at most."""
    rehearse: bool = False
    """Copy and verify, but never switch over."""
    steering: MoveSteering | None = None
    """Orders that come while moves run."""
    hook: Callable[[str, Move], str] = lambda _when, _move: ""
    """Called with `before-move`, `before-switch` and `after-switch`; a reason that it gives before is a veto."""
    stop: Callable[[], bool] = lambda: False
    """Whether the user asked for a pause."""
    may_work: Callable[[], bool] = lambda: True
    """Whether the hours allow moving."""
    told: Callable[[Move, str], None] = field(default=lambda _move, _what: None)
    """Hears of what did not go as planned."""
    tracker: MoveTracker = field(default_factory=MoveTracker)
    """Hears of everything."""
    parallel: Parallelism = field(default_factory=Parallelism)
    """How many moves run at the same time."""


class Mover:
    """Carries out moves from wherever the journal says they are; several at the same time, each in a thread of its own.

    What concerns more than the club in hand is done by one of them at a time: giving a shard its collections and
    guards, and switching over, for each flip needs the very epoch of its own fence.
    """

    def __init__(self, deployment: Deployment, control: Control, journal: MoveJournal, options: MoveOptions) -> None:
        self._deployment = deployment
        self._control = control
        self._journal = journal
        self._options = options
        self._tracker = options.tracker
        self._pace = Pace(options.rate_bytes_per_s, options.max_latency_s, options.stop)
        self._steering = options.steering or MoveSteering(options.rate_bytes_per_s)
        self._shaping = threading.Lock()
        self._switching = threading.Lock()
        self._arriving: set[tuple[str, str]] = set()
        # Over everything that makes a move begin anew: else a store that fails now and then lets it try for ever.
        self._tries: Counter[str] = Counter()

    def run(self, move: Move) -> Move:
        """Take a move to `reversing`. `MoveFailedError` when it cannot be; the club then stays where it is."""
        with self._shaping:
            self._arriving.add((move.target, move.club))
        try:
            return self._to_the_end(move)
        finally:
            with self._shaping:
                self._arriving.discard((move.target, move.club))

    def _to_the_end(self, move: Move) -> Move:
        move = self.recover(move)
        while move.state != State.REVERSING:
            try:
                move = self._run(move)
            except HistoryLostError as lost:
                # Never skip: what the stream no longer knows only a new copy can bring.
                self._tell(move, f"the store lost the history of changes ({lost}); copying again")
                move = self.recover(self._journal.get(move.id))
                if move.state != State.REVERSING:
                    move = self._journal.advance(move, State.COPYING, token=None, copied=(), copied_bytes=0)
        self._guard(move, move.source)
        return move

    def _guard(self, move: Move, shard: str) -> None:
        with self._shaping:
            arriving = [club for target, club in self._arriving if target == shard]
            problems = guard_copies(self._deployment, self._journal, self._control.map(), shard, arriving)
        for problem in problems:
            self._options.told(move, problem)

    def recover(self, move: Move) -> Move:
        """Find out what became of a move that was interrupted when it was about to flip."""
        if move.state not in (State.FENCED, State.DRAINED, State.FLIPPED):
            return move
        shard_map = self._control.lift(move.id)
        if shard_map.shard_of(move.club) == move.target:
            return self._journal.advance(move, State.REVERSING)
        return self._journal.advance(move, State.TAILING)

    def _tell(self, move: Move, what: str) -> None:
        self._tracker.remark(what, move)
        self._options.told(move, what)

    def _run(self, move: Move) -> Move:
        self._tracker.enter(move, MovePhase.CHECKING)
        if move.state == State.PLANNED:
            self._ask_hook("before-move", move)
        if move.state == State.PLANNED and move.token is None:
            check_move(self._deployment, move.club, move.source, move.target, move.bytes)
        with self._shaping:
            make_alike(self._deployment, move.source, move.target)
        self._guard(move, move.target)
        with (
            self._pace.watching(self._deployment, move.source, move.target) as pace,
            ChangeTail(self._deployment, move.source, move.club, move.token) as tail,
        ):
            copier = Copier(self._deployment, move.club, move.source, move.target, pace)
            if move.token is None:
                move = self._journal.advance(move, State.COPYING, token=tail.token)
            elif move.state == State.PLANNED:
                move = self._journal.advance(move, State.TAILING)
            if move.state == State.COPYING:
                move = self._copy(move, copier, tail)
            move = self._catch_up(move, copier, tail)
            move = self._verify(move, copier, tail, pace)
            if self._options.rehearse:
                raise RehearsedError
            move = self._postpone(move, copier, tail)
            self._ask_hook("before-switch", move)
            switched = self._switch(move, copier, tail)
        self._options.hook("after-switch", switched)
        return switched

    def _ask_hook(self, when: str, move: Move) -> None:
        if veto := self._options.hook(when, move):
            raise MoveFailedError(f"vetoed {when.replace('-', ' the ')}: {veto}")

    def _postpone(self, move: Move, copier: Copier, tail: ChangeTail) -> Move:
        """Follow the club until it may switch over."""
        while not self._steering.claim_switch(move.id):
            self._pause_if_asked(move)
            move = self._catch_up(move, copier, tail, MovePhase.POSTPONED)
            time.sleep(_POSTPONED_EVERY_S)
        return move

    def _copy(self, move: Move, copier: Copier, tail: ChangeTail) -> Move:
        self._tracker.enter(move, MovePhase.COPYING)
        copied = move.copied_bytes

        def batch(docs: int, size_bytes: int) -> None:
            nonlocal copied
            copied += size_bytes
            self._moved(move, tail, collection, docs, size_bytes)

        for collection in self._deployment.file.collections:
            if collection not in move.copied:
                copier.copy(collection, batch)
                done = (*move.copied, collection)
                move = self._journal.advance(move, copied=done, copied_bytes=copied)
        return self._journal.advance(move, State.TAILING)

    def _moved(self, move: Move, tail: ChangeTail, collection: str, docs: int, size_bytes: int) -> None:
        """After each batch that was copied or compared: look at the stream, tell, and pause if that is asked."""
        tail.glance()
        self._tracker.moved(move, collection, docs, size_bytes)
        self._tracker.lagging(move, len(tail.dirty), tail.complete_until)
        self._tracker.throttled(self._pace.slowed)
        self._pace.allow(self._steering.rate_bytes_per_s)
        self._pause_if_asked(move)

    def _catch_up(self, move: Move, copier: Copier, tail: ChangeTail, phase: MovePhase = MovePhase.FOLLOWING) -> Move:
        """Apply changes until hardly any are left."""
        self._tracker.enter(move, phase)
        kept = time.monotonic()
        while True:
            self._pause_if_asked(move)
            few = tail.collect() < _SETTLED
            self._tracker.lagging(move, len(tail.dirty), tail.complete_until)
            move_token = self._flush(copier, tail)
            self._tracker.lagging(move, len(tail.dirty), tail.complete_until)
            if few:
                return self._journal.advance(move, token=move_token)
            if time.monotonic() - kept > _KEEP_TOKEN_EVERY_S:
                move, kept = self._journal.advance(move, token=move_token), time.monotonic()

    def _flush(self, copier: Copier, tail: ChangeTail) -> Document:
        """Bring the target up to date with all that was collected; the position from which to go on."""
        token, keys = tail.token, list(tail.dirty)
        copier.refresh(keys)
        for key in keys:
            del tail.dirty[key]
        return token

    def _verify(self, move: Move, copier: Copier, tail: ChangeTail, pace: PaceOnShards) -> Move:
        """Compare all documents; what differs, because it is being written or was there before, is brought up to date.

        Only what still differs after several rounds is a failure.
        """
        self._tracker.enter(move, MovePhase.VERIFYING)
        where = (move.club, move.source, move.target)

        def read(cursor: Any) -> Iterator[Any]:
            name = cursor.collection.name
            return pace.reading(cursor, lambda docs, size_bytes: self._moved(move, tail, name, docs, size_bytes))

        keys = compare_club(self._deployment, *where, read).keys()
        for _ in range(_VERIFY_ROUNDS):
            self._pause_if_asked(move)
            if not keys:
                return self._journal.advance(move, State.VERIFIED)
            tail.collect()
            copier.refresh(keys)
            self._flush(copier, tail)
            keys = compare_keys(self._deployment, *where, keys).keys()
            # A document that is written all the time differs at every look; the drain brings its last state.
            keys = [key for key in keys if key not in tail.dirty and not self._is_changing(tail, key)]
        raise MoveFailedError(f"{len(keys)} documents of the copy stay different, the first in '{keys[0][0]}'")

    def _is_changing(self, tail: ChangeTail, key: Any) -> bool:
        tail.collect(_GLANCE_S)
        return key in tail.dirty

    def _switch(self, move: Move, copier: Copier, tail: ChangeTail) -> Move:
        """Hold the writes, fetch the last changes, and flip; after an overrun let go, wait, and try again."""
        while self._tries[move.id] < _FENCE_TRIES:
            self._tries[move.id] += 1
            move = self._try_to_flip(move, copier, tail)
            if move.state == State.REVERSING:
                return move
            self._tell(move, f"held the writes too long ({move.reason}); trying again")
            time.sleep(_FENCE_PAUSE_S * self._tries[move.id])
        raise MoveFailedError(f"the writes could not be held short enough {_FENCE_TRIES} times: {move.reason}")

    def _try_to_flip(self, move: Move, copier: Copier, tail: ChangeTail) -> Move:
        with ChangeTail(self._deployment, move.target, move.club, None) as reverse, self._switching:
            self._pause_if_asked(move)
            move = self._catch_up(move, copier, tail)
            self._tracker.enter(move, MovePhase.SWITCHING)
            try:
                return self._flip(move, copier, tail, reverse)
            except FenceOverrunError as overrun:
                return self._let_go(move, f"{overrun}")

    def _let_go(self, move: Move, reason: str) -> Move:
        move = self.recover(self._journal.get(move.id))
        return self._journal.advance(move, reason=reason, retries=move.retries + 1)

    def _flip(self, move: Move, copier: Copier, tail: ChangeTail, reverse: ChangeTail) -> Move:
        # The journal first, always: whoever finds this move after a crash then knows that a fence may stand.
        move = self._journal.advance(move, State.FENCED)
        begin = time.monotonic()
        deadline = begin + self._options.max_fence_s
        fenced = self._control.fence(move.id, move.club, self._options.max_fence_s)
        # A server reports the epoch of the fence only when none of its writes of the club is under way any more, so
        # from here on the marker that `collect_all` writes comes after every acknowledged write.
        self._control.wait_for_routers(fenced.epoch, deadline)
        tail.collect_all(deadline)
        token = self._flush(copier, tail)
        move = self._journal.advance(move, State.DRAINED, token=token)
        # No server writes the club anywhere now: what the target's stream brings from here on is new to the source.
        move = self._journal.advance(move, State.FLIPPED, reverse_token=reverse.token)
        # Servers let go of a fence that stands too long, and raise the epoch with that. The clock is asked as well:
        # between their look and ours a write might already have gone to the source.
        if time.monotonic() > deadline:
            raise FenceOverrunError("the last changes took too long")
        # Only from the very epoch of the fence: any other map in between means that writes may have been let through.
        if not self._control.replace(fenced.placing({move.club: move.target})):
            raise FenceOverrunError("the fence was taken away")
        block_ms = (time.monotonic() - begin) * 1000
        return self._journal.advance(move, State.REVERSING, block_ms=round(block_ms, 1), reason="")

    def _is_allowed(self) -> bool:
        return self._options.may_work() and self._steering.is_going

    def _pause_if_asked(self, move: Move) -> None:
        if self._options.stop():
            raise PausedError
        if not self._is_allowed():
            with self._tracker.waiting(move):
                while not self._is_allowed():
                    self._tracker.remark(self._steering.held)
                    time.sleep(0.2)
                    if self._options.stop():
                        raise PausedError
