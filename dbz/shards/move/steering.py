"""What can be said to moves while they run: pause, go on, another rate, switch now; and what outside holds them back.

A socket of the user's own in the state folder takes the orders, one a line, and answers each with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from dbz.errors import UsageError

_WAIT_S = 0.5
_EVERY_S = 1.0
_LONGEST = 4096
_LONGEST_ANSWER = 1_000_000
ORDERS = "status, pause, resume, rate RATE, switch, switch all"

Parse = Callable[[str], float | None]


class MoveSteering:
    """Orders that are in force; written by one thread, read by the one that moves."""

    def __init__(self, rate_bytes_per_s: float | None, *, postpone: bool = False) -> None:
        self.rate_bytes_per_s = rate_bytes_per_s
        """Bytes copied a second at most; None without a limit."""
        self.paused = False
        self.held = ""
        """Why something outside asks to wait; empty when nothing does."""
        self._postpone = postpone
        self._lock = threading.Lock()
        self._orders = 0
        self._claimed: set[str] = set()

    @property
    def is_going(self) -> bool:
        """Whether work may go on."""
        return not self.paused and not self.held

    def may_switch(self) -> bool:
        """Whether the next club that is ready may switch over."""
        return not self._postpone or self._orders > 0

    def claim_switch(self, move_id: str) -> bool:
        """Whether this move may switch over now; an order to switch is for one of those that wait and stays its own."""
        with self._lock:
            if self._postpone and move_id not in self._claimed:
                if not self._orders:
                    return False
                self._orders -= 1
            self._claimed.add(move_id)
            return True

    def obey(self, order: str, parse_rate: Parse) -> None:
        """Carry out an order; `ValueError` says what is wrong with it."""
        match order.split():
            case ["status"]:
                pass
            case ["pause"]:
                self.paused = True
            case ["resume"]:
                self.paused = False
            case ["rate", text]:
                self.rate_bytes_per_s = parse_rate(text)
            case ["switch"]:
                with self._lock:
                    self._orders += 1
            case ["switch", "all"]:
                self._postpone = False
            case _:
                raise ValueError(f"'{order[:40]}' is not an order; there are: {ORDERS}")

    def document(self) -> dict[str, Any]:
        """What is in force, as plain data."""
        return {
            "paused": self.paused,
            "held": self.held,
            "rate_bytes_per_s": self.rate_bytes_per_s,
            "switches_wait": not self.may_switch(),
        }


class ControlSocket:
    """Takes orders for as long as its block lasts. Another dbz that moves clubs here already keeps its socket."""

    def __init__(
        self, path: Path, steering: MoveSteering, standing: Callable[[], Mapping[str, Any]], parse_rate: Parse
    ) -> None:
        self._path = path
        self._steering = steering
        self._standing = standing
        self._parse_rate = parse_rate
        self._server: socket.socket | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ControlSocket:
        if _answers(self._path):
            return self
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.bind(str(self._path))
        except OSError:  # too long a path, or a file system without sockets: moves go on without orders
            server.close()
            return self
        self._path.chmod(0o600)
        server.listen()
        server.settimeout(_WAIT_S)
        self._server = server
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        if self._server is not None:
            self._thread.join()
            self._server.close()
            self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        assert self._server is not None
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._server.accept()
                with connection:
                    connection.settimeout(_WAIT_S)
                    order = connection.recv(_LONGEST).decode(errors="replace").strip()
                    connection.sendall(json.dumps(self._answer(order)).encode() + b"\n")

    def _answer(self, order: str) -> dict[str, Any]:
        try:
            self._steering.obey(order, self._parse_rate)
        except ValueError as error:
            return {"ok": False, "problem": str(error)}
        return {"ok": True, **self._steering.document(), "standing": self._standing()}


def send_order(path: Path, order: str) -> dict[str, Any]:
    """The answer to an order; `UsageError` when nobody moves clubs here, or the order is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10 * _WAIT_S)
            connection.connect(str(path))
            connection.sendall(order.encode(errors="replace") + b"\n")
            connection.shutdown(socket.SHUT_WR)
            answer = _whole(connection)
        found = json.loads(answer)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            "no rebalance runs here that could be told something",
            hint="it takes orders on the machine it runs on",
            code="H016",
        ) from error
    if not found["ok"]:
        raise UsageError(found["problem"], code="H016")
    return dict(found)


def _whole(connection: socket.socket) -> bytes:
    """All that the other side says; `ValueError` when it does not come to an end."""
    answer = b""
    while part := connection.recv(_LONGEST):
        answer += part
        if len(answer) > _LONGEST_ANSWER:
            raise ValueError("the answer has no end")
    return answer


def _answers(path: Path) -> bool:
    try:
        send_order(path, "status")
    except UsageError:
        return False
    return True


class Throttle:
    """Asks something outside, once a second, whether to hold back, and tells `steering`; a context manager.

    `look` gives the reason to hold back, empty for none; what fails is a reason.
    """

    def __init__(self, steering: MoveSteering, look: Callable[[], str]) -> None:
        self._steering = steering
        self._look = look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Throttle:
        self._steering.held = self._reason()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(_EVERY_S)
        self._steering.held = ""

    def _ask(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._steering.held = self._reason()

    def _reason(self) -> str:
        try:
            return self._look()
        except Exception as error:  # whatever it is: who cannot be asked does not say yes
            return f"the throttle cannot be asked: {str(error)[:120]}"
