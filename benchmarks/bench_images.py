"""Pictures: how many are resized in a second of one core, and how many come out of the cache.

The limit, in the same run and in turns, is the plain call of the library; its peer is libvips, when `pyvips` and
`pyvips-binary` are installed. Resizing is measured in CPU time, so that what else runs counts little.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import statistics
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from bench_server import ROUNDS, SECONDS, Served, plain, rate, reference, token
from PIL import Image

from dbz.load.spec import AdHocRequest
from dbz.server.media.demo import demo_picture
from dbz.server.media.imaging import render
from dbz.server.media.variants import QUALITIES, WIDTH_STEP_PX, Format, Variant

os.environ.setdefault("VIPS_CONCURRENCY", "1")
try:
    import pyvips
except ImportError:
    pyvips = None

MASTER = demo_picture(0).body
WIDTHS = (320, 640, 768, 1024)
"""Of a list's small pictures, and of phones' screens as the server rounds them."""
QUALITY = 85
BATCH = 5
ASKED = "?w=750&q=85"


def ours(width: int, kind: Format) -> None:
    """What the server does for one variant."""
    render(MASTER, Variant(width, QUALITY, kind))


def pillow(width: int, kind: Format) -> None:
    """The least that the library needs for it: open, resize, save, with its defaults."""
    with Image.open(io.BytesIO(MASTER)) as image:
        image.thumbnail((width, 4 * width))
        image.save(io.BytesIO(), kind.name, quality=QUALITY)


def vips(width: int, kind: Format) -> None:
    """libvips, which shrinks while it decodes, on one thread."""
    picture = pyvips.Image.thumbnail_buffer(MASTER, width, size="down")
    save = {
        Format.JPEG: picture.jpegsave_buffer,
        Format.WEBP: picture.webpsave_buffer,
        Format.AVIF: picture.heifsave_buffer,
    }
    save[kind](Q=QUALITY, **({"compression": "av1", "effort": 0} if kind is Format.AVIF else {}))


def resizing() -> None:
    """Pictures of a CPU second: each library in turn, for each width and format."""
    libraries: dict[str, Callable[[int, Format], None]] = {"dbz": ours, "Pillow alone": pillow}
    if pyvips is not None:
        libraries["libvips"] = vips
    print(f"\nA JPEG of 1,024 x 768 pixels and {len(MASTER):,} bytes, resized: pictures a second of one core")
    print(f"  {'':18}" + "".join(f"{name:>14}" for name in libraries))
    found: dict[str, dict[tuple[Format, int], float]] = {name: {} for name in libraries}
    for kind in (Format.JPEG, Format.WEBP, Format.AVIF):
        for width in WIDTHS:
            taken: dict[str, list[float]] = {name: [] for name in libraries}
            for _ in range(ROUNDS):
                for name, resize in libraries.items():
                    taken[name].append(cpu_s(resize, width, kind))
            for name in libraries:
                found[name][kind, width] = 1 / statistics.median(taken[name])
            row = "".join(f"{found[name][kind, width]:>14,.0f}" for name in libraries)
            print(f"  {kind.value:6}{width:>9} px {row}", flush=True)
    jpegs = {name: statistics.harmonic_mean([of[Format.JPEG, width] for width in WIDTHS]) for name, of in found.items()}
    print(f"  {'JPEG, mixed':18}" + "".join(f"{of:>14,.0f}" for of in jpegs.values()))


def cpu_s(resize: Callable[[int, Format], None], width: int, kind: Format) -> float:
    """CPU seconds of one picture."""
    start = time.process_time()
    for _ in range(BATCH):
        resize(width, kind)
    return (time.process_time() - start) / BATCH


async def held_up(pool: Executor) -> tuple[float, float]:
    """(pictures a second, p95 of how late the event loop is in ms) while four are always being made."""
    loop, late_ms = asyncio.get_running_loop(), []

    async def make() -> int:
        made, end_s = 0, loop.time() + SECONDS
        while loop.time() < end_s:
            await loop.run_in_executor(pool, ours, 768, Format.JPEG)
            made += 1
        return made

    async def tick() -> None:
        while True:
            due_s = loop.time() + 0.002
            await asyncio.sleep(0.002)
            late_ms.append((loop.time() - due_s) * 1000)

    await loop.run_in_executor(pool, ours, 768, Format.JPEG)
    ticking = asyncio.create_task(tick())
    made = sum(await asyncio.gather(*(make() for _ in range(4))))
    ticking.cancel()
    return made / SECONDS, statistics.quantiles(late_ms, n=20)[-1]


def beside_the_loop() -> None:
    """Two threads, as the server has them, against two processes."""
    print("\nTwo at a time beside an event loop: pictures a second, and p95 of how late the loop is")
    for name, make in (("threads", ThreadPoolExecutor), ("processes", ProcessPoolExecutor)):
        with make(2) as pool:
            per_s, late_ms = asyncio.run(held_up(pool))
        print(f"  {name:12}{per_s:>8,.0f}/s{late_ms:>9.1f} ms")


def over_http() -> None:
    """Through the server: variants that nobody has asked for before, and one that is cached."""
    with reference(clubs=1) as served:
        path = upload(served)
        asked = [f"{path}?w={width}&q={quality}" for width in range(256, 1025, WIDTH_STEP_PX) for quality in QUALITIES]
        before_s = cpu_of(served)
        for url in asked:
            fetched(served.url + url)
        each_s = (cpu_of(served) - before_s) / len(asked)
        body = fetched(f"{served.url}{path}{ASKED}")
        print(f"\n{len(asked)} variants over HTTP, each for the first time: {1 / each_s:,.0f}/s of one core")
        with plain(body) as peer:
            cached, constant = AdHocRequest(f"{served.url}{path}{ASKED}"), AdHocRequest(f"{peer.url}/")
            pairs = [(rate(cached), rate(constant)) for _ in range(ROUNDS)]
        print(f"Cached, {len(body):,} bytes, {ROUNDS} rounds of {SECONDS} s on one core")
        print(f"  dbz serve        {statistics.median(one for one, _ in pairs):>9,.0f} requests/s")
        print(f"  constant answer  {statistics.median(other for _, other in pairs):>9,.0f} requests/s")
        print(f"  dbz / it         {statistics.median(one / other for one, other in pairs):>9.2f}")


def upload(served: Served) -> str:
    """The path of a picture of a demo user."""
    headers = {"authorization": f"Bearer {token(served.url)}", "content-type": "image/jpeg"}
    return str(json.loads(fetched(urllib.request.Request(f"{served.url}/api/media", MASTER, headers)))["url"])


def fetched(request: Any) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def cpu_of(served: Served) -> float:
    """CPU seconds of the server's worker so far."""
    return float(sum(served.worker.cpu_times()[:2]))


if __name__ == "__main__":
    resizing()
    beside_the_loop()
    over_http()
