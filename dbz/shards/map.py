"""The shard map: slots of the app's hash, each with a shard, and the clubs that lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dbz.shards.club_id import club_hash

HASH = "legacy"
_SLOTS_ABOUT = 1024
_REMEMBERED = 200_000


@dataclass(frozen=True)
class Fence:
    """Writes of a club are held while it stands: for which move, and for how long at most."""

    move: str
    max_s: float


@dataclass(frozen=True)
class ShardMap:
    """Where each club lies, as of one epoch; it never changes, a change makes the map of the next epoch.

    `slots` has the index into `shards` for each slot, `clubs` the index for each club that does not lie where its
    slot says. `pinned` clubs stay where they are. Writes wait for `fenced` clubs, and for clubs that have no entry of
    their own in `closed` slots, which are about to get another shard.
    """

    deployment: str
    epoch: int
    shards: tuple[str, ...]
    slots: tuple[int, ...]
    clubs: Mapping[str, int] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()
    fenced: Mapping[str, Fence] = field(default_factory=dict)
    closed: Mapping[int, Fence] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def shard_of(self, club_id: str) -> str:
        """The shard of a club, known or new. Remembers what it found, so that a lookup takes no hashing."""
        known = self._known.get(club_id)
        if known is not None:
            return known
        index = self.clubs.get(club_id)
        found = self.shards[self.slots[self.slot_of(club_id)] if index is None else index]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[club_id] = found
        return found

    def slot_of(self, club_id: str) -> int:
        """The slot of a club."""
        return club_hash(club_id) % len(self.slots)

    def fence_of(self, club_id: str) -> Fence | None:
        """What holds the writes of a club, if anything does."""
        if not self.fenced and not self.closed:
            return None
        fence = self.fenced.get(club_id)
        if fence is None and self.closed and club_id not in self.clubs:
            return self.closed.get(self.slot_of(club_id))
        return fence

    def placing(self, places: Mapping[str, str]) -> ShardMap:
        """The next map, with clubs at other shards and no fence on them.

        An entry that says what the slot says is left out. A shard that is new to the map gets no slots.
        """
        clubs, shards = dict(self.clubs), tuple(dict.fromkeys((*self.shards, *places.values())))
        for club_id, shard in places.items():
            index = shards.index(shard)
            if index == self.slots[self.slot_of(club_id)]:
                clubs.pop(club_id, None)
            else:
                clubs[club_id] = index
        fenced = {club_id: fence for club_id, fence in self.fenced.items() if club_id not in places}
        return self.next(shards=shards, clubs=clubs, fenced=fenced)

    def reslotted(self, shards: tuple[str, ...], owners: Iterable[str], clubs: Iterable[str]) -> ShardMap:
        """The next map, with `owners` of the slots in their order, in which every one of `clubs` stays where it is.

        No slot is closed in it.
        """
        names = {name: at for at, name in enumerate(shards)}
        slots = tuple(names[owner] for owner in owners)
        own: dict[str, int] = {}
        for club_id in {*clubs, *self.clubs}:
            index = names[self.shard_of(club_id)]
            if index != slots[self.slot_of(club_id)]:
                own[club_id] = index
        return self.next(shards=shards, slots=slots, clubs=own, closed={})

    def pinning(self, clubs: Iterable[str]) -> ShardMap:
        """The same epoch, with more pinned clubs."""
        return replace(self, pinned=self.pinned | frozenset(clubs), _known={})

    def owners(self) -> list[str]:
        """The shard's name of each slot."""
        return [self.shards[index] for index in self.slots]

    def next(self, **fields: Any) -> ShardMap:
        """The map of the next epoch, with other fields."""
        return replace(self, epoch=self.epoch + 1, _known={}, **fields)

    def document(self) -> dict[str, Any]:
        """The map as it is stored; `ShardMap.from_document` reads it."""
        return {
            "deployment": self.deployment,
            "epoch": self.epoch,
            "hash": HASH,
            "shards": list(self.shards),
            "slots": list(self.slots),
            # Pairs, not a mapping: a club's id may hold what a field's name must not.
            "clubs": [[club_id, index] for club_id, index in self.clubs.items()],
            "pinned": sorted(self.pinned),
            "fenced": [[club_id, fence.move, fence.max_s] for club_id, fence in self.fenced.items()],
            "closed": [[slot, fence.move, fence.max_s] for slot, fence in self.closed.items()],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ShardMap:
        """The map in a stored document; `ValueError` when it was written by something newer."""
        if document["hash"] != HASH:
            raise ValueError(f"the map uses the hash '{document['hash']}', which this version of dbz does not know")
        return cls(
            deployment=document["deployment"],
            epoch=document["epoch"],
            shards=tuple(document["shards"]),
            slots=tuple(document["slots"]),
            clubs=dict(document["clubs"]),
            pinned=frozenset(document["pinned"]),
            fenced={club_id: Fence(move, max_s) for club_id, move, max_s in document["fenced"]},
            closed={slot: Fence(move, max_s) for slot, move, max_s in document["closed"]},
        )


def legacy_map(shards: Iterable[str], deployment: str = "", epoch: int = 0) -> ShardMap:
    """The map that says what the app's `hash modulo count` says, for every club.

    That holds because the number of slots is a multiple of the number of shards: (h % S) % N = h % N.
    """
    names = tuple(shards)
    count = -(-_SLOTS_ABOUT // len(names)) * len(names)
    return ShardMap(deployment, epoch, names, tuple(slot % len(names) for slot in range(count)))
