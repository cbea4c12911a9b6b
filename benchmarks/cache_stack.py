"""The stores that the cache benchmarks run against, and documents to warm."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo import MongoClient

from dbz.stack import parts
from dbz.stack.parts import store_uri
from dbz.stack.stack import Stack

WARMUP = """
schema: dbz.warmup/1
rate: max
warmers:
  - {name: docs, collection: docs, key: "doc:{_id}", ttl: 1h, projection: [_id, club_id, title, text]}
"""


@contextmanager
def running_stores() -> Iterator[tuple[str, str, Path]]:
    """A document store and a Redis: their URLs, and a folder with a warm-up file `w.yaml`."""
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as name, Stack(Path(name)) as stack:
        store, cache = stack.bring_up(parts.document_store, parts.cache)
        (Path(name) / "w.yaml").write_text(WARMUP)
        yield store_uri(store.port), f"redis://127.0.0.1:{cache.port}/0", Path(name)


def fill(mongo_uri: str, count: int) -> None:
    """`count` documents of about 500 bytes."""
    begin = time.monotonic()
    text = "x" * 400
    with MongoClient(mongo_uri) as client:
        table = client["dbz"]["docs"]
        for start in range(0, count, 5000):
            rows = [{"_id": f"{n:08d}", "club_id": "club00", "title": f"Post {n}"} for n in range(start, start + 5000)]
            table.insert_many([{**row, "text": text} for row in rows])
    print(f"({count:,} documents written in {time.monotonic() - begin:.0f} s)", flush=True)
