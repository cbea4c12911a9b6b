"""The journal of moves: every transition is written down, majority and journalled, before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pymongo.database import Database

from dbz.errors import UsageError
from dbz.shards.deployment import Document
from dbz.shards.errors import MoveLeaseLostError
from dbz.shards.plan.document import PlannedMove


class State(StrEnum):
    """Where a move stands."""

    PLANNED = "planned"
    COPYING = "copying"
    TAILING = "tailing"
    VERIFIED = "verified"
    FENCED = "fenced"
    DRAINED = "drained"
    FLIPPED = "flipped"
    REVERSING = "reversing"
    CLEANING = "cleaning"
    CLEANED = "cleaned"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled back"


UNFINISHED = (State.PLANNED, State.COPYING, State.TAILING, State.VERIFIED, State.FENCED, State.DRAINED, State.FLIPPED)
"""What a rebalance goes on with. From `reversing` on the club lies on the target, with an old copy on the source."""

KEPT = (State.REVERSING, State.CLEANING)
"""The old copy is there, or some of it."""
SWITCHED = (*KEPT, State.CLEANED, State.ROLLED_BACK)
"""The club has lain on the target."""


@dataclass(frozen=True)
class Move:
    """One club on its way from `source` to `target`, which are shards' names."""

    id: str
    club: str
    source: str
    target: str
    docs: int = 0
    """Documents of the club when the move was planned."""
    bytes: int = 0
    """Their size as BSON."""
    state: State = State.PLANNED
    lease: int = 0
    """The number of the lease under which the move may be advanced."""
    token: Document | None = None
    """The position in the source's change stream up to which the target has everything."""
    reverse_token: Document | None = None
    """The position in the target's change stream from which on the old copy lacks something."""
    copied: tuple[str, ...] = ()
    """The collections whose copy is complete."""
    copied_bytes: int = 0
    undoes: str | None = None
    """The id of the move that this one rolls back."""
    block_ms: float | None = None
    """How long writes of the club were held; None before it switched over."""
    retries: int = 0
    """How often the writes had to be held again, because the servers did not follow in time."""
    reason: str = ""
    """Why the move was given up, or tried again; for the user."""
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the state was last written down."""

    def document(self) -> Document:
        """As it is stored."""
        fields = asdict(self)
        return {"_id": fields.pop("id"), **fields, "state": str(self.state), "copied": list(self.copied)}

    @classmethod
    def from_document(cls, document: Document) -> Move:
        """A stored move."""
        fields = {key: value for key, value in document.items() if key not in ("_id", "order")}
        fields["state"], fields["copied"] = State(fields["state"]), tuple(fields["copied"])
        return cls(id=document["_id"], **fields)


class MoveJournal:
    """All moves of a deployment. Writing takes the lease, by its number; without one the journal can only be read."""

    def __init__(self, control: Database[Document], lease: int | None = None) -> None:
        self._moves = control["moves"]
        self._lease = lease
        if lease is not None:
            # From here on an earlier holder that wakes up again cannot advance any move.
            self._moves.update_many({"lease": {"$lt": lease}}, {"$set": {"lease": lease}})

    def all(self) -> list[Move]:
        """Every move, in the order in which they were planned."""
        return [Move.from_document(row) for row in self._moves.find().sort("order", 1)]

    def in_states(self, *states: State) -> list[Move]:
        """The moves in some states, in order."""
        found = self._moves.find({"state": {"$in": [str(state) for state in states]}})
        return [Move.from_document(row) for row in found.sort("order", 1)]

    def get(self, move_id: str) -> Move:
        """A move; `UsageError` when there is none of that name."""
        row = self._moves.find_one({"_id": move_id})
        if row is None:
            raise UsageError(f"there is no move '{move_id}'", hint="dbz shard status lists them", code="H013")
        return Move.from_document(row)

    def add(self, moves: Iterable[PlannedMove], undoes: Move | None = None) -> list[Move]:
        """Plan moves."""
        order = self._moves.count_documents({})
        made = [
            Move(f"m{order + at:04d}", one.club, one.source, one.target, one.docs, one.bytes, lease=self._number)
            for at, one in enumerate(moves, 1)
        ]
        if undoes is not None:
            made = [replace(one, undoes=undoes.id, token=undoes.reverse_token) for one in made]
        if made:
            self._moves.insert_many([{**one.document(), "order": order + at} for at, one in enumerate(made, 1)])
        return made

    def drop_planned(self) -> None:
        """Forget moves that were planned and never begun."""
        self._moves.delete_many({"state": str(State.PLANNED), "lease": self._number})

    def advance(self, move: Move, state: State | None = None, **fields: Any) -> Move:
        """Write down a transition, or only what is known now; `MoveLeaseLostError` when another took over."""
        following = replace(move, state=state or move.state, changed_at=datetime.now(UTC), **fields)
        document = following.document()
        changed = {"state", "changed_at", *fields}
        done = self._moves.update_one(
            {"_id": move.id, "lease": self._number, "state": str(move.state)},
            {"$set": {key: document[key] for key in changed}},
        )
        if not done.matched_count:
            now = self._moves.find_one({"_id": move.id})
            # The answer to an earlier attempt may have been lost on its way.
            if now is None or now["lease"] != self._number or now["state"] != str(following.state):
                raise MoveLeaseLostError(
                    f"move {move.id} was taken over by another process; this one stops", code="H010"
                )
        return following

    @property
    def _number(self) -> int:
        assert self._lease is not None, "the journal was opened for reading"
        return self._lease


def last_moves(moves: Sequence[Move]) -> dict[str, Move]:
    """{club: move} of the last move of each club that switched over; only that one can be rolled back.

    What an earlier move left behind is nobody's old copy any more, however often the club came back.
    """
    return {move.club: move for move in moves if move.state in SWITCHED}


def old_copies(moves: Sequence[Move]) -> dict[tuple[str, str], Move]:
    """{(club, shard): move} of copies that may lie where the map does not lead: old ones, and ones being made."""
    found: dict[tuple[str, str], Move] = {}
    for move in moves:
        if move.state in KEPT:
            found[move.club, move.source] = move
        elif move.state in UNFINISHED and move.state != State.PLANNED:
            found[move.club, move.target] = move
    return found
