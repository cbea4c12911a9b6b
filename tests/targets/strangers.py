"""Servers that dbz did not start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from dbz.children import free_port
from tests.load.socketio_servers import listens

AS_A_STRANGER = [
    sys.executable,
    "-c",
    "import os, sys; os.fork() and os._exit(0); os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])",
]
"""Starts a program that is no descendant of this process, as a server of the user's own is not."""


@contextmanager
def stranger(*command: str) -> Iterator[str]:
    """A server that listens on the port that is put for PORT, for the length of a block: its base URL."""
    port = free_port()
    words = [word.replace("PORT", str(port)) for word in command]
    subprocess.run([*AS_A_STRANGER, *words], check=True, timeout=10, stdout=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 20
        while not listens(port):
            assert time.monotonic() < end_s, f"{command} does not listen"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        for one in psutil.process_iter(["cmdline"]):
            if one.info["cmdline"] and one.info["cmdline"][-len(words) :] == words:
                one.kill()
