"""From a map and what lies where to a plan, purely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from dbz.errors import UsageError
from dbz.shards.club_id import club_hash
from dbz.shards.map import ShardMap
from dbz.shards.plan.balance import Club, ClubMove, balance, imbalance, least_share, spread_slots
from dbz.shards.plan.document import MovePlan, PlannedMove, Request, ShardLoad, Weight

MAX_ENTRIES = 200_000
"""Clubs that the map can hold apart from their slots: it is one document of at most 16 MB."""


def make_plan(shard_map: ShardMap, sizes: Mapping[str, Weight], request: Request) -> MovePlan:
    """The plan for a request; `sizes` has every club.

    `UsageError` for a request that contradicts the map or itself.
    """
    _check_shards(shard_map, request)
    _check_pins(shard_map, sizes, request)
    _check_moves(shard_map, sizes, request)
    shards = (*shard_map.shards, *request.add)
    index = {name: at for at, name in enumerate(shards)}
    closed = frozenset(index[name] for name in request.drain)
    owners = spread_slots(shard_map.slots, len(shards), closed) if request.add or request.drain else shard_map.slots
    clubs = _clubs(shard_map, sizes, request, owners)
    steps = _put(clubs, {**request.pin, **request.move}, index)
    if not request.move:
        steps += balance(_after(clubs, steps), len(shards), closed, request.tolerance)
    after = _after(clubs, steps)
    entries = sum(club.shard != club.home for club in after)
    _refuse_too_many(max(entries, sum(club.shard != club.home for club in clubs)))
    before_w, after_w = (_weights(one, len(shards)) for one in (clubs, after))
    open_ = [at for at in range(len(shards)) if at not in closed]
    total = sum(before_w)
    return MovePlan(
        deployment=shard_map.deployment,
        epoch=shard_map.epoch,
        by=request.by,
        add=request.add,
        drain=request.drain,
        pin=dict(request.pin),
        shards=tuple(shards[at] for at in open_),
        owners=tuple(shards[at] for at in owners),
        moves=tuple(_move(step, shards, sizes[step.club.club_id]) for step in steps),
        loads=_loads(shards, clubs, after, sizes),
        imbalance_before=imbalance(before_w),
        imbalance_after=imbalance([after_w[at] for at in open_]),
        moved_share=sum(step.club.weight for step in steps) / total if total else 0.0,
        ideal_share=least_share(before_w, closed),
        least_share=least_share(before_w, closed, request.tolerance),
        modulo_share=_modulo_share(len(shard_map.shards), len(open_), clubs),
        entries=entries,
        tolerance=request.tolerance,
        shortfall=_shortfall(shards, after, open_, request.tolerance),
    )


def _move(step: ClubMove, shards: Sequence[str], size: Weight) -> PlannedMove:
    return PlannedMove(step.club.club_id, shards[step.source], shards[step.target], size.docs, size.bytes)


def _shortfall(shards: Sequence[str], after: Sequence[Club], open_: Sequence[int], tolerance: float) -> str:
    """Why a plan does not bring every shard within the tolerance; empty when it does."""
    loads = _weights(after, len(shards))
    mean = sum(loads) / len(open_)
    heaviest, lightest = max(open_, key=loads.__getitem__), min(open_, key=loads.__getitem__)
    high, low = mean * (1 + tolerance), mean * (1 - tolerance)
    if not mean or (loads[heaviest] <= high and loads[lightest] >= low):
        return ""
    there = [club for club in after if club.shard == heaviest]
    largest = max(there, key=attrgetter("weight"))
    if largest.weight > high:
        times = f"{largest.weight / mean:.2f}"
        return f"club '{largest.club_id}' alone is {times} times what a shard would hold if all were even"
    fixed = sum(club.weight for club in there if club.fixed)
    if fixed > high:
        return f"the clubs pinned to '{shards[heaviest]}' are {fixed / mean:.2f} times what it would hold"
    return (
        f"clubs move as a whole, and none on '{shards[heaviest]}' fits into what '{shards[lightest]}' lacks without "
        "making it worse"
    )


def _weights(clubs: Sequence[Club], shards: int) -> list[float]:
    weights = [0.0] * shards
    for club in clubs:
        weights[club.shard] += club.weight
    return weights


def _refuse_too_many(entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise UsageError(
            f"{entries:,} clubs would lie apart from their slots; the map holds at most {MAX_ENTRIES:,}",
            hint="add fewer shards at a time",
            code="H018",
        )


def _check_shards(shard_map: ShardMap, request: Request) -> None:
    for name in request.add:
        if name in shard_map.shards:
            raise UsageError(f"--add: shard '{name}' holds clubs already", code="H018")
    for name in request.drain:
        if name not in shard_map.shards:
            raise UsageError(f"--drain: shard '{name}' holds no clubs", code="H018")
    if not {*shard_map.shards, *request.add} - {*request.drain}:
        raise UsageError("--drain: no shard would be left to hold the clubs", code="H018")


def _check_moves(shard_map: ShardMap, sizes: Mapping[str, Weight], request: Request) -> None:
    if request.move and (request.add or request.drain or request.pin):
        raise UsageError(
            "--move moves exactly the clubs that it names; it goes without --add, --drain and --pin", code="H018"
        )
    for club_id, name in request.move.items():
        if club_id not in sizes:
            raise UsageError(f"--move: there is no club '{club_id}'", code="H018")
        if name not in shard_map.shards:
            raise UsageError(
                f"--move {club_id}={name}: the shard holds no clubs yet", hint=f"--add {name} first", code="H018"
            )
        if club_id in shard_map.pinned:
            raise UsageError(
                f"--move: club '{club_id}' is pinned", hint=f"pin it elsewhere: --pin {club_id}={name}", code="H018"
            )


def _check_pins(shard_map: ShardMap, sizes: Mapping[str, Weight], request: Request) -> None:
    for club_id, name in request.pin.items():
        if club_id not in sizes:
            raise UsageError(f"--pin: there is no club '{club_id}'", code="H018")
        if name in request.drain:
            raise UsageError(f"club '{club_id}' is pinned to '{name}', which is being drained", code="H018")
        if name not in (*shard_map.shards, *request.add):
            raise UsageError(
                f"--pin {club_id}={name}: the shard holds no clubs yet", hint=f"give --add {name} too", code="H018"
            )
    for club_id in sorted(shard_map.pinned - set(request.pin)):
        where = shard_map.shard_of(club_id)
        if where in request.drain:
            raise UsageError(
                f"club '{club_id}' is pinned to '{where}', which is being drained",
                hint=f"pin it elsewhere in the same plan: --pin {club_id}=SHARD",
                code="H018",
            )


def _clubs(shard_map: ShardMap, sizes: Mapping[str, Weight], request: Request, owners: Sequence[int]) -> list[Club]:
    pinned = shard_map.pinned | set(request.pin)
    weigh = attrgetter(request.by)
    elsewhere, slots, count = shard_map.clubs, shard_map.slots, len(shard_map.slots)
    found = []
    for club_id, size in sizes.items():
        slot = club_hash(club_id) % count
        shard = elsewhere.get(club_id, slots[slot])
        found.append(Club(club_id, shard, weigh(size), owners[slot], club_id in pinned))
    return found


def _put(clubs: Sequence[Club], places: Mapping[str, str], index: dict[str, int]) -> list[ClubMove]:
    """The moves that bring clubs to the shards that were asked for."""
    wanted = {club_id: index[shard] for club_id, shard in places.items()}
    pinned = [club for club in clubs if club.club_id in wanted]
    return [ClubMove(club, club.shard, target) for club in pinned if (target := wanted[club.club_id]) != club.shard]


def _after(clubs: Sequence[Club], steps: Sequence[ClubMove]) -> list[Club]:
    if not steps:
        return list(clubs)
    targets = {step.club.club_id: step.target for step in steps}
    return [club._replace(shard=targets[club.club_id]) if club.club_id in targets else club for club in clubs]


def _loads(
    shards: tuple[str, ...], clubs: Sequence[Club], after: Sequence[Club], sizes: Mapping[str, Weight]
) -> tuple[ShardLoad, ...]:
    table = [[0, 0, 0, 0, 0, 0] for _ in shards]
    for first, placed in ((0, clubs), (3, after)):
        for club in placed:
            size, row = sizes[club.club_id], table[club.shard]
            row[first] += 1
            row[first + 1] += size.docs
            row[first + 2] += size.bytes
    return tuple(ShardLoad(name, *row) for name, row in zip(shards, table, strict=True))


def _modulo_share(before: int, after: int, clubs: Sequence[Club]) -> float | None:
    """What the app's own formula would move, by number of clubs; None when the number of shards stays."""
    if not clubs or before == after:
        return None
    hashes = [club_hash(club.club_id) for club in clubs]
    return sum(value % before != value % after for value in hashes) / len(hashes)
