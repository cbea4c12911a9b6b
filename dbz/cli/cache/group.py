"""`dbz cache`: warm the cache, look into it, make parts of it stale."""

from __future__ import annotations

from dbz.cli.cache.bench import bench
from dbz.cli.cache.check import check
from dbz.cli.cache.get import get
from dbz.cli.cache.invalidate import invalidate
from dbz.cli.cache.stats import stats
from dbz.cli.cache.ttl import ttl
from dbz.cli.cache.warm import warm
from dbz.cli.options import command_group

app = command_group(
    "Warm the cache, look into it, make parts of it stale.",
    warm=warm, check=check, stats=stats, invalidate=invalidate, get=get, ttl=ttl, bench=bench,
)  # fmt: skip
