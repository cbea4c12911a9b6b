"""A Redis in trouble: killed, stopped for a while, full, evicting, a read-only replica, or breaking answers off."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from dbz.children import Child, free_port
from tests.server.backend import start_redis

FAULTS = ("kill", "stop", "full", "evict", "replica", "truncate")
_STOPPED_S = 1.5


class BadRedis:
    """A Redis behind a relay, and what may happen to it; `client` looks past the relay."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._child: Child = start_redis(folder, self._port)
        self.client = redis.Redis(port=self._port)
        self._relay = _Relay(self._port)
        self.url = f"redis://127.0.0.1:{self._relay.port}"

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._relay.close()
        self._child.stop()

    def strike(self, fault: str) -> None:
        """Let one thing happen; it lasts until `mend`."""
        used = self.client.info("memory")["used_memory"]
        match fault:
            case "kill":
                os.kill(self._child.pid, signal.SIGKILL)
            case "stop":
                os.kill(self._child.pid, signal.SIGSTOP)
                time.sleep(_STOPPED_S)
                os.kill(self._child.pid, signal.SIGCONT)
            case "full":
                self.client.config_set("maxmemory", used)
            case "evict":
                self.client.config_set("maxmemory-policy", "allkeys-random")
                self.client.config_set("maxmemory", used + 20_000)
            case "replica":
                self.client.replicaof("127.0.0.1", 1)
            case "truncate":
                self._relay.left = 300

    def mend(self) -> None:
        """Everything is well again; what a killed one held is gone."""
        self._relay.left = None
        if self._child.exit_code is not None:
            self._child.stop()
            self._child = start_redis(self._folder, self._port)
        with suppress(redis.RedisError):  # the first call after a kill meets the connection of before
            self.client.ping()
        self.client.replicaof("NO", "ONE")
        self.client.config_set("maxmemory", 0)
        self.client.config_set("maxmemory-policy", "noeviction")


class _Relay:
    """Passes bytes on; once `left` is set, so many of Redis's come through, and then every connection breaks off."""

    def __init__(self, target: int) -> None:
        self.left: int | None = None
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self._target), 5)
                    there.settimeout(None)
                except OSError:
                    client.close()
                    continue
                for one, other, part in ((client, there, _whole), (there, client, self._part)):
                    threading.Thread(target=_pass_on, args=(one, other, part), daemon=True).start()

    def _part(self, data: bytes) -> bytes:
        if self.left is None:
            return data
        kept, self.left = data[: self.left], max(self.left - len(data), 0)
        return kept


def _whole(data: bytes) -> bytes:
    return data


def _pass_on(one: socket.socket, other: socket.socket, part: Callable[[bytes], bytes]) -> Any:
    with suppress(OSError), one, other:
        while data := one.recv(65536):
            kept = part(data)
            other.sendall(kept)
            if len(kept) < len(data):
                break
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
