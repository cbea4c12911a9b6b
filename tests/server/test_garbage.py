"""What was set aside from the collections of garbage is let go of in the end."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """\
import asyncio, gc, weakref
from dbz.server.garbage import GarbageCollection

class Node: pass

async def main():
    garbage = GarbageCollection()
    loop = asyncio.create_task(garbage.run())
    node = Node()
    node.itself = node
    seen = weakref.ref(node)
    await asyncio.sleep(0)  # its first collection sets aside what there is
    del node
    gc.collect()
    assert gc.get_freeze_count() > 1000 and seen() is not None, "it was not set aside"
    for _ in range(300_000):
        [[]]
    before = gc.get_stats()[2]["collections"]
    kept = [[number] for number in range(900_000)]
    assert gc.get_stats()[2]["collections"] == before, "Python collects the oldest by itself"
    garbage.collect_all()
    assert seen() is None, "it is never let go of"
    loop.cancel()

asyncio.run(main())
"""


def test_cycles_that_were_set_aside_go_with_the_next_collection_of_everything() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
