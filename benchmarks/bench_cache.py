"""Warming against the loop that was planned and against bare pipelining; invalidation as another process sees it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import redis
from cache_stack import fill, running_stores
from network import Network
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from dbz.cache.admin.bench import Payload, one_by_one_rate, percentile, pipelined_rate, warm_rate
from dbz.cache.warm import OneDatabase, WarmOrder, WarmRun
from dbz.cache.warm.shape import encode
from dbz.config.warmup import load_warmup

DOCUMENTS = int(os.environ.get("BENCH_DOCUMENTS", "40000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
INVALIDATIONS = 500
ROUND_TRIP_S = 0.001


async def planned_loop(mongo: AsyncMongoClient, client: Redis) -> float:
    """Keys a second of the plan's loop: one document, one SETEX, await."""
    begin = time.perf_counter()
    async for row in mongo["dbz"]["docs"].find({}):
        await client.set(f"loop:doc:{row['_id']}", encode(row), ex=3600)
    return DOCUMENTS / (time.perf_counter() - begin)


async def bare_reading(mongo: AsyncMongoClient) -> float:
    """Documents a second that the store gives at all, to somebody who only counts them."""
    fields = dict.fromkeys(("club_id", "title", "text"), 1)
    count, begin = 0, time.perf_counter()
    async for batch in mongo["dbz"]["docs"].find_raw_batches({}, fields, batch_size=4000):
        count += batch.count(b"club_id")
    return count / (time.perf_counter() - begin)


def packed(arguments: tuple[str | bytes, ...]) -> bytes:
    """A command as it goes over the wire."""
    texts = [one if isinstance(one, bytes) else one.encode() for one in arguments]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(text), text) for text in texts)


def redis_itself(redis_url: str, items: list) -> float:
    """Keys a second that Redis takes at all: commands that were encoded beforehand, sent as fast as it reads them."""
    where = urlsplit(redis_url)
    commands = [packed(("SET", "r:" + item.key, item.value, "EX", "600")) for item in items]
    parts = [b"".join(commands[at : at + 1000]) for at in range(0, len(commands), 1000)]
    with socket.create_connection((where.hostname, where.port)) as connection:
        begin = time.perf_counter()
        sender = threading.Thread(target=lambda: [connection.sendall(part) for part in parts])
        sender.start()
        left = len(items) * len(b"+OK\r\n")
        while left:
            left -= len(connection.recv(65536))
        sender.join()
        return len(items) / (time.perf_counter() - begin)


async def whole_warm_up(mongo: AsyncMongoClient, client: Redis, folder: Path) -> float:
    """Keys a second of a warm-up from the document store."""
    order = WarmOrder(load_warmup(folder / "w.yaml"))
    report = await WarmRun(order, OneDatabase(mongo["dbz"]), client, None).run()
    assert not report.stopped and report.keys == DOCUMENTS, report
    return report.keys / report.seconds


async def writing(mongo_uri: str, redis_url: str, folder: Path) -> None:
    """Print the rates, the best of several rounds each."""
    payload = Payload(DOCUMENTS)
    items = await payload.items()
    best: dict[str, float] = {}

    def keep(name: str, rate: float) -> None:
        best[name] = max(best.get(name, 0.0), rate)

    mongo: AsyncMongoClient = AsyncMongoClient(mongo_uri)
    async with Redis.from_url(redis_url) as client:
        for _ in range(ROUNDS):
            await client.flushall()
            keep("loop", await planned_loop(mongo, client))
            keep("read", await bare_reading(mongo))
            keep("whole", await whole_warm_up(mongo, client, folder))
            await client.flushall()
            keep("warm", await warm_rate(client, "w:", payload))
            await client.flushall()
            keep("async", await pipelined_rate(client, "p:", items))
            await client.flushall()
            keep("sync", bare_pipeline(redis_url, items))
            await client.flushall()
            keep("redis", redis_itself(redis_url, items))
            keep("setex", await one_by_one_rate(client, "o:", items[: DOCUMENTS // 10]))
    await mongo.close()
    print(f"writing {DOCUMENTS:,} values of {len(items[0].value)} bytes, keys/s, best of {ROUNDS}")
    print(f"  warm-up, document store to Redis       {best['whole']:10,.0f}")
    for name, what in (
        ("loop", "the planned loop, the same way"),
        ("read", "the limit: the store being read, alone"),
        ("redis", "the limit: Redis being written, alone"),
    ):
        print(f"  {what:38} {best[name]:10,.0f}   dbz / it {best['whole'] / best[name]:.2f}")
    print(f"  warm-up, documents in memory to Redis  {best['warm']:10,.0f}")
    for name, what in (
        ("sync", "redis-py pipeline"),
        ("async", "redis-py pipeline, asyncio"),
        ("setex", "one SETEX after the other"),
    ):
        print(f"  {what:38} {best[name]:10,.0f}   dbz / it {best['warm'] / best[name]:.2f}")


async def a_network_away(mongo_uri: str, redis_url: str, folder: Path) -> None:
    """Print the rates where store and Redis are on other machines, as they are in production."""
    with ExitStack() as networks:
        far = []
        for url in (mongo_uri, redis_url):
            port = urlsplit(url).port
            network = networks.enter_context(Network(port, ROUND_TRIP_S))
            far.append(url.replace(f":{port}", f":{network.port}"))
        mongo: AsyncMongoClient = AsyncMongoClient(far[0])
        async with Redis.from_url(far[1]) as client:
            begin = time.perf_counter()
            for _ in range(200):
                await client.ping()
            trip_ms = (time.perf_counter() - begin) / 200 * 1000
            await client.flushall()
            loop = await planned_loop(mongo, client)
            whole = await whole_warm_up(mongo, client, folder)
        await mongo.close()
    print(f"store and Redis {trip_ms:.1f} ms away, keys/s, one round")
    print(f"  warm-up                                {whole:10,.0f}")
    print(f"  the planned loop                       {loop:10,.0f}   dbz / it {whole / loop:.1f}")


def bare_pipeline(redis_url: str, items: list) -> float:
    """Keys a second of redis-py's pipeline without asyncio, encoded beforehand."""
    with redis.Redis.from_url(redis_url) as client:
        begin = time.perf_counter()
        for at in range(0, len(items), 1000):
            with client.pipeline(transaction=False) as pipe:
                for item in items[at : at + 1000]:
                    pipe.set("s:" + item.key, item.value, ex=600)
                pipe.execute()
        return len(items) / (time.perf_counter() - begin)


async def invalidating(redis_url: str) -> None:
    """Print how long another process goes on serving what was invalidated here."""
    command = [sys.executable, str(Path(__file__).with_name("cache_listener.py")), redis_url]
    listener = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert listener.stdin is not None
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    times = []
    async with Redis.from_url(redis_url) as client:
        cache = TwoLayerCache(client)
        for n in range(INVALIDATIONS):
            listener.stdin.write(f"key:{n}\n")
            listener.stdin.flush()
            assert listener.stdout.readline() == "kept\n"
            begin = time.monotonic()
            await cache.invalidate(f"key:{n}")
            times.append((json.loads(listener.stdout.readline()) - begin) * 1000)
    listener.stdin.close()
    listener.wait(10)
    shown = "  ".join(f"p{round(share * 1000) / 10:g} {percentile(times, share):.2f}" for share in (0.5, 0.99, 0.999))
    print(f"invalidation until another process has forgotten, {INVALIDATIONS} times, ms:  {shown}")


def main() -> None:
    """Run both."""
    with running_stores() as (mongo_uri, redis_url, folder):
        fill(mongo_uri, DOCUMENTS)
        asyncio.run(writing(mongo_uri, redis_url, folder))
        asyncio.run(a_network_away(mongo_uri, redis_url, folder))
        asyncio.run(invalidating(redis_url))


if __name__ == "__main__":
    main()
