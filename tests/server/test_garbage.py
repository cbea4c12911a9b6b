"""What was set aside from the collections of garbage is let go of in the end, and no collection looks at much."""

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

    before, looked_at = gc.get_stats()[2]["collections"], []
    def look(phase, about):
        if phase == "start":
            looked_at.append(sum(len(gc.get_objects(generation)) for generation in range(about["generation"] + 1)))
    gc.callbacks.append(look)
    garbage.collect_if_grown()
    assert seen() is not None, "everything is looked at although nothing has come"
    kept = [[number] for number in range(300_000)]
    assert gc.get_stats()[2]["collections"] == before, "Python collects the oldest by itself"
    assert looked_at and max(looked_at) < 30_000, f"a collection looks at {max(looked_at)} objects"
    garbage.collect_if_grown()
    assert seen() is None, "it is never let go of"
    loop.cancel()

asyncio.run(main())
"""


def test_cycles_that_were_set_aside_go_with_the_next_collection_of_everything() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
