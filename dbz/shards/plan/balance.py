"""Choosing which clubs move, purely: each move improves the balance, so that stopping midway is safe.

Greedy on the heaviest and the lightest shard. A move of at most what the source has too much and the target too
little never overshoots, so the weight moved stays below the sum of what is above the mean. The largest such club is
taken, so the moves are few; but the smallest that is enough where one brings both shards within the tolerance, so
that no more is moved than is asked for. When only larger clubs are left, one moves if the improvement is at least
half of its size (the rule that Citus calls improvement_threshold).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_WORTH = 0.5


class Club(NamedTuple):  # a million of them are made in a second
    """A club to place: `shard` and `home` are indexes, of where it lies and of where its slot will belong."""

    club_id: str
    shard: int
    weight: float
    home: int
    fixed: bool = False


@dataclass(frozen=True)
class ClubMove:
    """One club from `source` to `target`."""

    club: Club
    source: int
    target: int


class _Pool:
    """Clubs by weight, from which the largest up to a limit can be taken."""

    def __init__(self, clubs: Sequence[Club]) -> None:
        self._clubs = list(clubs)
        self._weights = [club.weight for club in clubs]

    def __len__(self) -> int:
        return len(self._clubs)

    def take(self, limit: float) -> Club | None:
        """The largest up to `limit`."""
        return self._take(bisect_right(self._weights, limit) - 1)

    def take_least(self, enough: float, limit: float) -> Club | None:
        """The smallest that is enough, if it is not above `limit`."""
        at = bisect_left(self._weights, enough)
        return self._take(at) if at < len(self._weights) and self._weights[at] <= limit else None

    def _take(self, at: int) -> Club | None:
        if at < 0:
            return None
        del self._weights[at]
        return self._clubs.pop(at)


def balance(
    clubs: Sequence[Club], shards: int, closed: Collection[int] = (), tolerance: float = 0.05
) -> list[ClubMove]:
    """The steps, in order, that bring every shard within `tolerance` of the mean, or as near as whole clubs allow.

    `shards` is their number; those in `closed` are emptied and take nothing. Fixed clubs do not move.
    """
    return _Balancing(clubs, shards, closed, tolerance).run()


class _Balancing:
    def __init__(self, clubs: Sequence[Club], shards: int, closed: Collection[int], tolerance: float) -> None:
        self._closed = frozenset(closed)
        self._open = [at for at in range(shards) if at not in self._closed]
        self._loads = [0.0] * shards
        for club in clubs:
            self._loads[club.shard] += club.weight
        self._mean = sum(self._loads) / len(self._open)
        self._slack = self._mean * tolerance
        self._ordered = sorted(clubs, key=lambda club: (club.weight, club.club_id))
        self._steps: list[ClubMove] = []
        self._moved: set[str] = set()

    def run(self) -> list[ClubMove]:
        self._empty_closed()
        if not self._is_even():
            self._send_home()
            self._even_out()
        return self._steps

    def _empty_closed(self) -> None:
        """The largest first, each to its home when that is then not above the mean, else to the lightest."""
        for club in reversed(self._ordered):
            if club.shard in self._closed:
                roomy = club.home not in self._closed and self._loads[club.home] + club.weight <= self._mean
                self._step(club, club.shard, club.home if roomy else self._lightest())

    def _send_home(self) -> None:
        """Clubs that their new slot leads to another shard anyway: moving them spares the map an entry."""
        pairs: dict[tuple[int, int], list[Club]] = {}
        for club in self._movable():
            if club.home != club.shard and club.home not in self._closed:
                pairs.setdefault((club.home, club.shard), []).append(club)
        pools = {pair: _Pool(found) for pair, found in pairs.items()}
        while pools:
            target, source = min(pools, key=lambda pair: (self._loads[pair[0]], -self._loads[pair[1]]))
            fitting = pools[target, source].take(self._gap(source, target))
            if fitting is None:
                del pools[target, source]
            else:
                self._step(fitting, source, target)

    def _even_out(self) -> None:
        by_shard: list[list[Club]] = [[] for _ in self._loads]
        for club in self._movable():
            by_shard[club.shard].append(club)
        pools = [_Pool(found) for found in by_shard]
        givers, takers = set(self._open), set(self._open)
        while givers and takers and not self._is_even(givers, takers):
            source = max(givers, key=lambda at: self._loads[at])
            target = min(takers, key=lambda at: self._loads[at])
            if chosen := self._choose(pools[source], source, target):
                self._step(chosen, source, target)
            elif self._loads[source] - self._mean > self._mean - self._loads[target]:
                givers.discard(source)
            else:
                takers.discard(target)

    def _choose(self, pool: _Pool, source: int, target: int) -> Club | None:
        """The smallest club that brings both shards within the tolerance; else the largest that does not overshoot."""
        gap = self._gap(source, target)
        enough = max(self._loads[source] - self._mean, self._mean - self._loads[target]) - self._slack
        # The gain of a move that overshoots is what is left of the difference, worth it from half the size on.
        difference = self._loads[source] - self._loads[target]
        return pool.take_least(enough, gap) or pool.take(gap) or pool.take(difference / (1 + _WORTH))

    def _gap(self, source: int, target: int) -> float:
        return min(self._loads[source] - self._mean, self._mean - self._loads[target])

    def _is_even(self, givers: Collection[int] | None = None, takers: Collection[int] | None = None) -> bool:
        heaviest = max(self._loads[at] for at in (self._open if givers is None else givers))
        lightest = min(self._loads[at] for at in (self._open if takers is None else takers))
        return heaviest <= self._mean + self._slack and lightest >= self._mean - self._slack

    def _movable(self) -> list[Club]:
        return [
            club
            for club in self._ordered
            if club.weight > 0 and not club.fixed and club.shard not in self._closed and club.club_id not in self._moved
        ]

    def _lightest(self) -> int:
        return min(self._open, key=lambda at: self._loads[at])

    def _step(self, club: Club, source: int, target: int) -> None:
        self._loads[source] -= club.weight
        self._loads[target] += club.weight
        self._moved.add(club.club_id)
        self._steps.append(ClubMove(club, source, target))


def spread_slots(owners: Sequence[int], shards: int, closed: Collection[int] = ()) -> list[int]:
    """Owners of the slots such that open shards have equally many, give or take one, changing the fewest."""
    open_ = [at for at in range(shards) if at not in closed]
    share, more = divmod(len(owners), len(open_))
    held = dict.fromkeys(range(shards), 0)
    for owner in owners:
        held[owner] += 1
    # The shards that hold most already get the slots that do not divide evenly.
    wanted = dict.fromkeys(range(shards), 0)
    for rank, at in enumerate(sorted(open_, key=lambda at: (-held[at], at))):
        wanted[at] = share + (rank < more)
    spread = list(owners)
    takers = [at for at in open_ if held[at] < wanted[at]]
    for slot, owner in enumerate(owners):
        if held[owner] > wanted[owner] and takers:
            taker = takers[slot % len(takers)]
            spread[slot] = taker
            held[owner] -= 1
            held[taker] += 1
            takers = [at for at in takers if held[at] < wanted[at]]
    return spread


def imbalance(loads: Sequence[float]) -> float:
    """The heaviest load over the mean; 1 when nothing lies anywhere."""
    total = sum(loads)
    return max(loads) * len(loads) / total if total else 1.0


def least_share(loads: Sequence[float], closed: Collection[int] = (), tolerance: float = 0.0) -> float:
    """The least share of the whole that any plan must move to bring the open shards within `tolerance` of the mean.

    All of the closed shards and what others have above it must leave, and what is lacking below it must arrive.
    """
    total = sum(loads)
    if not total:
        return 0.0
    mean = total / (len(loads) - len(closed))
    high, low = mean * (1 + tolerance), mean * (1 - tolerance)
    leave = sum(load if at in closed else max(0.0, load - high) for at, load in enumerate(loads))
    arrive = sum(max(0.0, low - load) for at, load in enumerate(loads) if at not in closed)
    return max(leave, arrive) / total
