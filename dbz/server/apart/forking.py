"""Processes of services that a fork server makes, as the process that asked for them sees them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbz.children import Child, python_module
from dbz.errors import DependencyError

_LOG = Path("/dev/stderr")
_MARGIN_S = 5.0
_TRIES = 2


class ForkedProcess:
    """A process that the fork server has made. It ends when that does, or when this process does."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self._told = told
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """Its exit code (128 + signal when killed), or None while it runs."""
        return self.wait(0)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once it has ended, or None when `timeout_s` passed first."""
        if self._code is None and select.select([self._told], [], [], timeout_s)[0]:
            with self._told:
                # Nothing: the fork server was killed, and all that it had forked with it.
                code = int(self._told.recv(100) or -signal.SIGKILL)
            self._code = code if code >= 0 else 128 - code
        return self._code

    def release(self) -> None:
        """Ask it to end, without waiting for it."""
        self._send(signal.SIGTERM)

    def stop(self, grace_s: float) -> None:
        """End it, by force after `grace_s` seconds, and wait until it has ended."""
        self.release()
        if self.wait(grace_s) is None:
            self._send(signal.SIGKILL)
            self.wait(_MARGIN_S)

    def _send(self, signum: signal.Signals) -> None:
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)


class Forks:
    """Has processes forked that run `main` of `module`; the fork server is started anew when it has ended."""

    def __init__(self, module: str, unknown: Sequence[str], grace_s: float) -> None:
        """`unknown` are variables that the fork server, and what it forks, must not have from this process."""
        self._module = module
        self._unknown = dict.fromkeys(unknown, "")
        self._grace_s = grace_s
        self._server: Child | None = None
        self._channel: socket.socket | None = None

    def begin(self) -> None:
        """Start the fork server, and do not wait until it is ready."""
        self._channel, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            self._server = Child(
                "the fork server",
                python_module("dbz.server.apart.forkserver", self._module),
                log=_LOG,
                env=self._unknown,
                grace_s=self._grace_s,
                descriptors=[its_end.fileno()],
            )

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess:
        """A process of this name; `environment` is known to it alone. `DependencyError` when there can be none."""
        job = json.dumps({"name": name, "arguments": list(arguments), "environment": dict(environment)}).encode()
        for _ in range(_TRIES):
            if self._channel is None:
                self.begin()
            process = self._fork(job)
            if process is not None:
                return process
            self.close()
        raise DependencyError(f"{name} could not be started", hint="the log above says why", code="E015")

    def _fork(self, job: bytes) -> ForkedProcess | None:
        """None when the fork server has ended."""
        assert self._channel is not None
        told_to = os.memfd_create("job")
        os.write(told_to, job)
        os.lseek(told_to, 0, os.SEEK_SET)
        told, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = b""
        with its_end, contextlib.suppress(OSError):
            socket.send_fds(self._channel, [b"1"], [told_to, its_end.fileno()])
            its_end.close()
            pid = told.recv(100)
        os.close(told_to)
        if not pid:
            told.close()
            return None
        return ForkedProcess(int(pid), told)

    def close(self) -> None:
        """End the fork server, and with it what it has forked."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._server is not None:
            self._server.stop()
            self._server = None
