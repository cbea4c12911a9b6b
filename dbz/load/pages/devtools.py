"""The DevTools protocol of Chromium over two pipes: JSON messages that end with a zero byte.

A port would let every user of the machine steer the browser; a pipe is nobody else's.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any

import orjson

from dbz.errors import DependencyError

Event = dict[str, Any]
"""A message that nobody asked for: `method`, `params`, and the `sessionId` of the page that it is about."""

_STEP_S = 0.1
"""How long one wait for a message lasts before the caller is asked whether it should go on."""
_READ_BYTES = 1 << 18


class BrowserLostError(DependencyError):
    """The browser has ended."""

    def __init__(self) -> None:
        super().__init__("the browser has ended", code="L022")


class RefusedError(Exception):
    """The browser answered a command with an error."""


class DevTools:
    """Commands and their answers, one at a time; events in between go to `listener`."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        """Takes both descriptors over."""
        self._read_fd, self._write_fd = read_fd, write_fd
        self._ready = select.poll()
        self._ready.register(read_fd, select.POLLIN | select.POLLHUP)
        self._last_id = 0
        self._rest = b""
        self._messages: list[Event] = []
        self.listener: Callable[[Event], None] = lambda _event: None
        self.cancelled: Callable[[], bool] = lambda: False
        """Asked while waiting: once it holds, waiting ends with `TimeoutError`."""

    def close(self) -> None:
        """Close both pipes, which ends the browser."""
        os.close(self._write_fd)
        os.close(self._read_fd)

    def call(self, method: str, params: Event | None = None, session: str = "", *, timeout_s: float = 10.0) -> Event:
        """The result of a command; `RefusedError` when the browser refuses it, `BrowserLostError` when it is gone,
        `TimeoutError` when it does not answer in time."""
        self._last_id += 1
        number = self._last_id
        message = {
            "id": number,
            "method": method,
            "params": params or {},
            **({"sessionId": session} if session else {}),
        }
        self._write(orjson.dumps(message) + b"\0")
        deadline_s = time.monotonic() + timeout_s
        while True:
            answer = self._next(deadline_s)
            if answer is None:
                raise TimeoutError(f"no answer to {method}")
            if answer.get("id") == number:
                if "error" in answer:
                    raise RefusedError(str(answer["error"].get("message", answer["error"])))
                result: Event = answer.get("result", {})
                return result
            self.listener(answer)

    def wait(self, done: Callable[[], bool], deadline_s: float) -> bool:
        """Take in events until `done` holds; False when the monotonic time `deadline_s` came first."""
        while not done():
            message = self._next(deadline_s)
            if message is None:
                return done()
            self.listener(message)
        return True

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._write_fd, data) :]
        except OSError as error:
            raise BrowserLostError from error

    def _next(self, deadline_s: float) -> Event | None:
        """The next message; None when there is none until the deadline, or when waiting was cancelled."""
        while not self._messages:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or self.cancelled():
                return None
            if self._ready.poll(min(left_s, _STEP_S) * 1000):
                self._read()
        return self._messages.pop(0)

    def _read(self) -> None:
        data = os.read(self._read_fd, _READ_BYTES)
        if not data:
            raise BrowserLostError
        *whole, self._rest = (self._rest + data).split(b"\0")
        self._messages += [orjson.loads(text) for text in whole]
