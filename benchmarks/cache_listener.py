"""Another process: keeps a key in its local layer when told to, and says when it has forgotten it."""

from __future__ import annotations

import asyncio
import sys
import time

from redis.asyncio import Redis

from dbz.cache import CacheSync, TwoLayerCache


async def main() -> None:
    """Keys come on standard input, one a line."""
    loop = asyncio.get_running_loop()
    async with Redis.from_url(sys.argv[1]) as client:
        cache = TwoLayerCache(client)
        sync = CacheSync(cache, client, poll_s=60)
        sync.start()
        while not (await client.pubsub_numsub(cache.remote.names.channel))[0][1]:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        while key := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            cache.offer(key, 1, 600, cache.mark())
            print("kept", flush=True)
            while len(cache.local):
                await asyncio.sleep(0)
            print(time.monotonic(), flush=True)
        await sync.stop()


asyncio.run(main())
