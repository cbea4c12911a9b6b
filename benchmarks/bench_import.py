"""How long `dbz import` takes for a large recording, and how much memory: at most 10 s and 500 MB for 50 MB.

python benchmarks/bench_import.py [MEGABYTES]
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT_S, LIMIT_MB = 10.0, 500.0
ORIGIN = "http://127.0.0.1:3000"
START_MS = 1_790_000_000_000


def entries(source: random.Random) -> Iterator[dict[str, Any]]:
    """A session without end: logins, lists of things with ids, requests that use these, pages, pictures."""
    at_ms, token, number = START_MS, "", 0
    while True:
        number += 1
        at_ms += source.randrange(20, 2000)
        if number % 200 == 1:
            token = f"tok-{source.getrandbits(96):024x}"
            yield entry(
                at_ms,
                "POST",
                "/login",
                {"access_token": token, "user": {"id": number}},
                {"name": "ann", "password": "pw-1"},
            )
        elif number % 10 == 0:
            yield entry(at_ms, "GET", f"/pictures/{number}.png", "x" * 20_000, kind="image/png", token=token)
        else:
            ids = [f"{source.getrandbits(64):016x}" for _ in range(40)]
            items = [
                {"id": one, "title": f"words of {one}", "text": "lorem ipsum " * 10, "likes": source.randrange(9)}
                for one in ids
            ]
            kind = source.choice(["posts", "games", "rooms"])
            yield entry(
                at_ms, "GET", f"/api/{kind}?page={number}", {"items": items, "next_cursor": ids[-1] + "-c"}, token=token
            )
            at_ms += 300
            yield entry(at_ms, "GET", f"/api/{kind}/{ids[3]}", items[3], token=token)


def entry(
    at_ms: int, method: str, path: str, answer: Any, sent: Any = None, kind: str = "application/json", token: str = ""
) -> dict[str, Any]:
    """One entry as Chrome writes it."""
    headers = [{"name": "User-Agent", "value": "Mozilla/5.0"}, {"name": "Accept", "value": "*/*"}]
    headers += [{"name": "Authorization", "value": f"Bearer {token}"}] if token else []
    text = answer if isinstance(answer, str) else json.dumps(answer)
    request: dict[str, Any] = {"method": method, "url": ORIGIN + path, "httpVersion": "http/1.1", "headers": headers}
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(sent)}
    content = {"mimeType": kind, "size": len(text), "text": text}
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000))
    return {
        "startedDateTime": f"{seconds}.{at_ms % 1000:03}Z",
        "time": 12.5,
        "request": request,
        "response": {"status": 200, "headers": [{"name": "Content-Type", "value": kind}], "content": content},
        "_initiator": {
            "type": "script",
            "stack": {"callFrames": [{"functionName": "f", "url": ORIGIN + "/app.js"}] * 4},
        },
    }


def socket_entry(count: int) -> dict[str, Any]:
    """A Socket.IO connection with many events in both directions."""
    messages = []
    for number in range(count):
        data = (
            '42["message:batch",'
            + json.dumps({"messages": [{"id": number, "roomId": "r1", "content": "words " * 10}]})
            + "]"
        )
        messages.append(
            {"type": ("receive", "send")[number % 20 == 0], "time": START_MS / 1000 + number, "opcode": 1, "data": data}
        )
    request = {"method": "GET", "url": "ws://127.0.0.1:3000/socket.io/?EIO=4&transport=websocket", "headers": []}
    response = {"status": 101, "headers": [], "content": {}}
    return {
        "startedDateTime": "2026-09-21T14:13:20.000Z",
        "time": 1,
        "request": request,
        "response": response,
        "_webSocketMessages": messages,
    }


def write_har(path: Path, megabytes: float) -> int:
    """Write a HAR of about this size; returns its number of entries."""
    made, size = [socket_entry(20_000)], 0
    size = len(json.dumps(made[0]))
    for one in entries(random.Random(1)):
        made.append(one)
        size += len(json.dumps(one)) + 2
        if size > megabytes * 1e6:
            break
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "entries": made}}))
    return len(made)


def main() -> int:
    """Measure, and print how it went; 1 when a limit is broken."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 50.0
    with tempfile.TemporaryDirectory() as folder:
        har = Path(folder) / "large.har"
        count = write_har(har, megabytes)
        size_mb = har.stat().st_size / 1e6
        command = [sys.executable, "-m", "dbz.cli.main", "import", str(har), "-o", str(Path(folder) / "scenario.py")]
        began_s = time.monotonic()
        done = subprocess.run(command, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=300)
        took_s = time.monotonic() - began_s
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        cpu_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        print(done.stdout.strip() or done.stderr.strip())
        print(f"{size_mb:.1f} MB, {count:,} entries: {took_s:.1f} s ({cpu_s:.1f} s of CPU), at most {peak_mb:.0f} MB")
    return int(done.returncode != 0 or took_s > LIMIT_S or peak_mb > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
