"""Small warm-ups for tests."""

from __future__ import annotations

from typing import Any

import yaml

from dbz.cache.warm import OneDatabase, WarmOrder, WarmReport, WarmRun
from dbz.cache.warm.databases import Database
from dbz.config.source.source import parse_yaml
from dbz.config.warmup import build_warmup

DOCS = {"name": "docs", "collection": "docs", "key": "doc:{_id}", "ttl": "1h", "projection": ["_id", "n", "text"]}


def order(*warmers: dict[str, Any], only: tuple[str, ...] = (), clubs: tuple[str, ...] = (), **top: Any) -> WarmOrder:
    """An order for these warmers, written as the file has them."""
    text = yaml.safe_dump({"schema": "dbz.warmup/1", **top, "warmers": list(warmers or [DOCS])})
    return WarmOrder(build_warmup(parse_yaml(text, "w.yaml")), only, clubs)


async def fill(database: Database, count: int, text: str = "x" * 100) -> None:
    """`count` documents in `docs`, n equal to their place."""
    for begin in range(0, count, 5000):
        rows = [{"_id": f"d{n:07d}", "n": n, "text": text} for n in range(begin, min(count, begin + 5000))]
        await database["docs"].insert_many(rows)


async def warm(database: Database, redis: Any, what: WarmOrder | None = None, **options: Any) -> WarmReport:
    """Warm without a rate unless one is given as `rate_per_s`."""
    rate_per_s = options.pop("rate_per_s", None)
    return await WarmRun(what or order(), OneDatabase(database), redis, rate_per_s).run(**options)
