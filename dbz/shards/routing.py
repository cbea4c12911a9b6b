"""Why a club lies where it lies, in words and as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from dbz.shards.club_id import club_hash
from dbz.shards.map import ShardMap

SCHEMA = "dbz.shard-route/1"


@dataclass(frozen=True)
class ClubRoute:
    """A club's way to its shard."""

    club: str
    shard: str
    by: str
    """What decided: `slot`, `own entry`, `pin`, or `formula` before adoption."""
    hash: int
    slot: int
    slots: int
    epoch: int
    fenced: bool

    def document(self) -> dict[str, object]:
        """The route as JSON, with its schema."""
        return {"schema": SCHEMA, **asdict(self)}

    def sentence(self) -> str:
        """The route in a line."""
        reasons = {
            "slot": f"slot {self.slot} of {self.slots}, the hash is {self.hash}",
            "own entry": f"an entry of its own; its slot {self.slot} belongs to another shard",
            "pin": "pinned there",
            "formula": f"by the app's own formula, the hash is {self.hash}; not adopted yet",
        }
        held = "; its writes are held at the moment" if self.fenced else ""
        epoch = f", epoch {self.epoch}" if self.by != "formula" else ""
        return f"{self.shard}  ({reasons[self.by]}{epoch}{held})"


def explain(shard_map: ShardMap, adopted: bool, club_id: str) -> ClubRoute:
    """The route of a club, which need not exist."""
    by = "slot" if adopted else "formula"
    if club_id in shard_map.clubs:
        by = "own entry"
    if club_id in shard_map.pinned:
        by = "pin"
    return ClubRoute(
        club=club_id,
        shard=shard_map.shard_of(club_id),
        by=by,
        hash=club_hash(club_id),
        slot=shard_map.slot_of(club_id),
        slots=len(shard_map.slots),
        epoch=shard_map.epoch,
        fenced=shard_map.fence_of(club_id) is not None,
    )
