"""How much moves when shards are added or evened out, against usual formulas; and how long planning takes."""

from __future__ import annotations

import random
import resource
import statistics
import time
import timeit
from collections.abc import Callable

from dbz.shards.legacy import legacy_hash
from dbz.shards.map import ShardMap, legacy_map
from dbz.shards.plan.document import MovePlan, Request, Weight
from dbz.shards.plan.planner import make_plan

CLUBS = 3000
ZIPF_CLUBS = 2000
LARGE_CLUBS, LARGE_SHARDS = 1_000_000, 100


def names(count: int) -> list[str]:
    return [f"shard_{number}" for number in range(count)]


def modulo(club_id: str, shards: int) -> int:
    return legacy_hash(club_id) % shards


def jump(club_id: str, shards: int) -> int:
    """Jump consistent hash (Lamping and Veach, 2014)."""
    key, bucket, following = random.Random(club_id).getrandbits(64), -1, 0
    while following < shards:
        bucket = following
        key = (key * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
        following = int((bucket + 1) * (1 << 31) / ((key >> 33) + 1))
    return bucket


def by_formula(place: Callable[[str, int], int], sizes: dict[str, Weight], shards: int) -> float:
    """The heaviest shard over the mean."""
    loads = [0.0] * shards
    for club_id, size in sizes.items():
        loads[place(club_id, shards)] += size.bytes
    return max(loads) * shards / sum(loads)


def moved_by_formula(place: Callable[[str, int], int], sizes: dict[str, Weight], before: int, after: int) -> float:
    return sum(place(club_id, before) != place(club_id, after) for club_id in sizes) / len(sizes)


def a_new_shard() -> None:
    """From 2 to 3 shards with equal clubs."""
    sizes = {f"club-{number}": Weight(10, 10_000) for number in range(CLUBS)}
    plan = make_plan(legacy_map(names(2)), sizes, Request(add=("shard_2",)))
    share = len(plan.moves) / CLUBS
    print(f"{CLUBS:,} equal clubs, from 2 to 3 shards      clubs moved   of the ideal third")
    rows = {
        "dbz": share,
        "hash % N, as the app does": moved_by_formula(modulo, sizes, 2, 3),
        "jump consistent hash": moved_by_formula(jump, sizes, 2, 3),
    }
    for name, moved in rows.items():
        print(f"  {name:40}{moved:13.3f}{moved * 3:20.2f}")


def skewed_clubs() -> None:
    """Zipf sizes on four shards, several seeds."""
    plans: list[MovePlan] = []
    formulas: dict[str, list[float]] = {"hash % N, as the app does": [], "jump consistent hash": []}
    for seed in range(20):
        rng = random.Random(seed)
        bytes_ = [int(1e8 / rank) for rank in range(1, ZIPF_CLUBS + 1)]
        rng.shuffle(bytes_)
        sizes = {f"club-{seed}-{number}": Weight(1, size) for number, size in enumerate(bytes_)}
        formulas["hash % N, as the app does"].append(by_formula(modulo, sizes, 4))
        formulas["jump consistent hash"].append(by_formula(jump, sizes, 4))
        plans.append(make_plan(legacy_map(names(4)), sizes, Request()))
    print(f"\n{ZIPF_CLUBS:,} clubs of Zipf sizes on 4 shards, 20 draws    median      worst")
    for name, found in formulas.items():
        print(f"  {'max/mean, ' + name:42}{statistics.median(found):11.3f}{max(found):11.3f}")
    after = [plan.imbalance_after for plan in plans]
    moved = [plan.moved_share for plan in plans]
    print(f"  {'max/mean, dbz':42}{statistics.median(after):11.3f}{max(after):11.3f}")
    print(f"  {'share of the bytes moved for it':42}{statistics.median(moved):11.3f}{max(moved):11.3f}")
    least = [plan.least_share for plan in plans]
    print(f"  {'the least that any plan must move':42}{statistics.median(least):11.3f}{max(least):11.3f}")
    excess = [plan.moved_share / plan.least_share for plan in plans if plan.least_share]
    print(f"  {'moved / the least':42}{statistics.median(excess):11.2f}{max(excess):11.2f}")
    exact = [plan.moved_share / plan.ideal_share for plan in plans]
    print(f"  {'moved / the least to even out exactly':42}{statistics.median(exact):11.2f}{max(exact):11.2f}")
    print(f"  {'clubs moved':42}{statistics.median(len(plan.moves) for plan in plans):11.0f}")


def a_million_clubs() -> None:
    """Planning time and memory."""
    rng = random.Random(1)
    sizes = {f"club-{number}": Weight(10, int(1000 * rng.lognormvariate(0, 1.5))) for number in range(LARGE_CLUBS)}
    shard_map = legacy_map(names(LARGE_SHARDS))
    begin = time.perf_counter()
    plan = make_plan(shard_map, sizes, Request(add=("new",)))
    seconds = time.perf_counter() - begin
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"\n{LARGE_CLUBS:,} clubs on {LARGE_SHARDS} shards, one more: {len(plan.moves):,} moves")
    print(f"  planned in {seconds:.1f} s, {memory_mb:.0f} MB at most, with the clubs")


def a_lookup() -> None:
    """What a request pays for the router."""
    shard_map: ShardMap = legacy_map(names(3)).placing({f"club-{number}": "shard_1" for number in range(500)})
    clubs = [f"club-{number}" for number in range(1000)]
    known = timeit.timeit(lambda: [shard_map.shard_of(club_id) for club_id in clubs], number=200) / 200_000
    fresh = timeit.timeit(lambda: [legacy_hash(club_id) for club_id in clubs], number=50) / 50_000
    print(f"\na lookup of the router: {known * 1e9:.0f} ns; the first one of a club: {(known + fresh) * 1e9:.0f} ns")


def main() -> None:
    """All of it."""
    a_new_shard()
    skewed_clubs()
    a_million_clubs()
    a_lookup()


if __name__ == "__main__":
    main()
