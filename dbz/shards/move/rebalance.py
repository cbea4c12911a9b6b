"""Carrying out a plan, or what is left of one: slots first, then club by club, each resumable at any point."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from pymongo.errors import PyMongoError

from dbz.errors import DbzError, DependencyError, UsageError
from dbz.shards.control import Control
from dbz.shards.copies.removal import remove_club
from dbz.shards.deployment import Deployment, Document, mark_shard, unreachable
from dbz.shards.errors import FenceOverrunError, MoveFailedError, PausedError, RehearsedError
from dbz.shards.journal import UNFINISHED, Move, MoveJournal, State
from dbz.shards.map import ShardMap
from dbz.shards.move.gang import MoveGang
from dbz.shards.move.mover import MoveOptions, Mover
from dbz.shards.move.reslot import reslot
from dbz.shards.plan.cost import CopyCost
from dbz.shards.plan.document import MovePlan, PlannedMove
from dbz.shards.plan.estimate import mixes_of, remember_costs

Result = TypeVar("Result")

_CURRENT = "current"
_REHEARSED = "rehearsed: it was copied and verified, and was not to switch over"
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass
class MoveOutcome:
    """What became of the moves of a run: done ones, and failed ones with their reasons."""

    done: list[Move] = field(default_factory=list)
    failed: list[Move] = field(default_factory=list)
    rehearsed: list[Move] = field(default_factory=list)
    """Copied, verified, and removed again."""
    paused: bool = False


class Rebalance:
    """Carries out plans under a lease; what it needs to go on after any end lies in the control store."""

    def __init__(self, deployment: Deployment, control: Control, journal: MoveJournal, options: MoveOptions) -> None:
        self._deployment = deployment
        self._control = control
        self._journal = journal
        self._options = options
        self._plans = control.database["plans"]
        self._halt = threading.Event()
        self._mover = Mover(deployment, control, journal, replace(options, stop=self._is_stopping))

    def _is_stopping(self) -> bool:
        return self._options.stop() or self._halt.is_set()

    def unfinished(self) -> list[Move]:
        """Moves that an earlier run left."""
        return self._journal.in_states(*UNFINISHED)

    def current(self) -> Document | None:
        """The plan that is being carried out, None when there is none."""
        found = self._plans.find_one({"_id": _CURRENT})
        return found if found and found["state"] == "applying" else None

    def begin(self, plan: MovePlan) -> None:
        """Take on a plan; taking it on again goes on with it.

        `UsageError`, before anything was touched, when it was made for another deployment, or for what is not any more.
        """
        digest = hashlib.blake2b(plan.to_json().encode(), digest_size=16).hexdigest()
        current = self.current()
        if current and current["digest"] == digest:
            return
        shard_map = self._control.map()
        check_plan(plan, shard_map)
        if current or self.unfinished():
            raise UsageError(
                "an earlier rebalance is not finished", hint="dbz shard rebalance --yes goes on with it", code="H011"
            )
        for name in plan.add:
            mark_shard(self._deployment, name, shard_map.deployment)
        fields = {"digest": digest, "owners": list(plan.owners), "add": list(plan.add), "drain": list(plan.drain)}
        fields["owners_before"] = shard_map.owners()
        pins = [[club, shard] for club, shard in plan.pin.items()]
        document = {"_id": _CURRENT, "state": "preparing", **fields, "pin": pins}
        self._plans.replace_one({"_id": _CURRENT}, document, upsert=True)
        self._journal.drop_planned()
        self._journal.add(plan.moves)
        self._plans.update_one({"_id": _CURRENT}, {"$set": {"state": "applying"}})

    def undo(self, move: Move) -> None:
        """Plan the way back of a move, which begins with the changes since its flip."""
        back = PlannedMove(move.club, move.target, move.source, move.docs, move.bytes)
        self._journal.add([back], undoes=move)

    def give_up(self) -> bool:
        """Nothing more of the current plan is to be done; whether slots went back to the shards that had them.

        Clubs that have moved stay where they are. A shard that was added, and holds none of them, leaves the map.
        """
        current = self.current()
        returned = bool(current and current.get("owners_before") and (current["add"] or current["drain"]))
        if current and returned:
            self._retrying(lambda: self._take_slots(self._control.map().shards, current["owners_before"]))
            self._control.change(lambda before: _without_unused(before, current["add"]))
        self.settle()
        return returned

    def settle(self) -> bool:
        """Nothing of the current plan is left to do; False, for no slot changes by it."""
        self._plans.update_one({"_id": _CURRENT}, {"$set": {"state": "done"}})
        return False

    def run(self) -> MoveOutcome:
        """Carry out what is to be done, and tell the tracker. Network failures are retried, then raised."""
        outcome = MoveOutcome()
        self._halt.clear()
        try:
            left, current = self._retrying(lambda: (self.unfinished(), self.current()))
            self._options.tracker.begin(
                left,
                self._options.parallel,
                CopyCost(limit_bytes_per_s=self._options.rate_bytes_per_s),
                self._retrying(lambda: mixes_of(self._deployment, [move.source for move in left])),
            )
            if current and not self._options.rehearse:
                self._retrying(lambda: self._give_slots(current))
            gang = MoveGang(self._patiently, self._options.parallel, self._halt)
            for result in gang.run(left):
                ended = outcome.rehearsed if result.reason == _REHEARSED else outcome.failed
                (outcome.done if result.state == State.REVERSING else ended).append(result)
                self._options.tracker.ended(result)
            if current and self._options.rehearse:
                self.settle()
            elif current:
                self._retrying(lambda: self._finish(current))
        except PausedError:
            outcome.paused = True
        costs = self._options.tracker.costs()
        with contextlib.suppress(PyMongoError):  # the next plan then reads a sample
            remember_costs(self._control.database, costs, sum(move.copied_bytes for move in outcome.done))
        return outcome

    def _give_slots(self, current: Document) -> None:
        if current["add"] or current["drain"]:
            shards = tuple(dict.fromkeys((*self._control.map().shards, *current["add"])))
            self._take_slots(shards, current["owners"])

    def _take_slots(self, shards: tuple[str, ...], owners: Sequence[str]) -> None:
        try:
            reslot(self._deployment, self._control, shards, owners, self._options.max_fence_s)
        except FenceOverrunError as overrun:
            raise DependencyError(f"the slots could not change hands: {overrun}", code="H015") from overrun

    def _patiently(self, move: Move) -> Move:
        return self._retrying(partial(self._one, move), move)

    def _one(self, move: Move) -> Move:
        move = self._journal.get(move.id)
        if move.state not in UNFINISHED:
            return move
        if self._is_stopping():
            raise PausedError
        try:
            done = self._mover.run(move)
        except RehearsedError:
            return abort(self._deployment, self._control, self._journal, self._journal.get(move.id), _REHEARSED)
        except MoveFailedError as failed:
            return abort(self._deployment, self._control, self._journal, self._journal.get(move.id), str(failed))
        if move.undoes:
            undone = self._journal.get(move.undoes)
            if undone.state == State.REVERSING:
                self._journal.advance(undone, State.ROLLED_BACK)
        return done

    def _retrying(self, work: Callable[[], Result], move: Move | None = None) -> Result:
        """What `work` gives; it is repeated while a store is away. Fences of `move`, or all, are lifted meanwhile."""
        for pause_s in (*_PAUSES_S, None):
            try:
                return work()
            except PyMongoError as error:
                failed = unreachable(self._deployment.blamed(error), error)
                if pause_s is None:
                    raise failed from error
                self._options.tracker.remark(f"{failed.message}; trying again in {pause_s:g} s", move)
                self._pause(pause_s, move)
            except BaseException:
                self._lift(move)
                raise
        raise AssertionError

    def _pause(self, seconds: float, move: Move | None) -> None:
        self._lift(move)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._is_stopping():
            time.sleep(0.05)

    def _lift(self, move: Move | None) -> None:
        """Hold no writes longer than needed; where that fails the servers do it themselves."""
        with contextlib.suppress(PyMongoError, DbzError):
            for held in self._journal.in_states(State.FENCED, State.DRAINED, State.FLIPPED):
                if move is None or held.id == move.id:
                    self._control.lift(held.id)

    def _finish(self, current: Document) -> None:
        pins = dict(current["pin"])

        def settled(before: ShardMap) -> ShardMap:
            after = _without_unused(before, current["drain"])
            placed = {club for club, shard in pins.items() if before.shard_of(club) == shard}
            if placed <= before.pinned:
                return after
            return (before.next() if after is before else after).pinning(placed)

        self._control.change(settled)
        self.settle()


def _without_unused(before: ShardMap, names: Collection[str]) -> ShardMap:
    """The next map without those of the shards that hold neither slots nor clubs; the same when there are none."""
    held = {before.shard_of(club) for club in before.clubs} | set(before.owners())
    left = tuple(name for name in before.shards if name in held or name not in names)
    return before if left == before.shards else before.reslotted(left, before.owners(), ())


def check_plan(plan: MovePlan, shard_map: ShardMap) -> None:
    """`UsageError` when a plan is not for this deployment as it is now."""
    if plan.deployment != shard_map.deployment:
        raise UsageError(
            "the plan was made for another deployment", hint="make one here: dbz shard plan --out FILE", code="H012"
        )
    if plan.epoch != shard_map.epoch:
        raise UsageError(
            f"the plan is out of date: the map was at epoch {plan.epoch} and is at {shard_map.epoch} now",
            hint="make a new one: dbz shard plan",
            code="H012",
        )


def abort(deployment: Deployment, control: Control, journal: MoveJournal, move: Move, reason: str) -> Move:
    """Give a move up before its flip: no fence, no copy on the target, and the club stays where it is.

    A move that would have undone another leaves its target alone, which is the old copy.
    """
    shard_map = control.lift(move.id)
    if shard_map.shard_of(move.club) == move.target:
        return journal.advance(move, State.REVERSING)
    if not move.undoes and move.state != State.PLANNED:
        remove_club(deployment, move.club, move.target)
    return journal.advance(move, State.ABORTED, reason=reason)
