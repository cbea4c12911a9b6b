"""A bad way to a cloud: a proxy that throttles, fails, garbles, delays or loses calls by a seed, and counts them."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("throttle", "fail", "html", "late", "lost before", "lost after")
_LATE_S = 0.4
_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_JSON = "application/x-amz-json-1.1"
_REFUSALS = {
    "throttle": (400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', _JSON),
    "fail": (500, b'{"__type": "InternalFailure", "message": "the service failed"}', _JSON),
    "html": (502, _HTML, "text/html"),
}
_LOOKING = ("Describe", "List", "Get")


@dataclass(frozen=True)
class Carried:
    """A changing call that the cloud has carried out."""

    action: str
    body: bytes


class BadWay:
    """Forwards calls to a cloud; while `share` is above 0 that share of them meets a fault.

    The ledger is outside of what is tried: `carried_out` are the changing calls that the cloud has answered with 200.
    """

    def __init__(self, target: str, seed: int) -> None:
        self.share = 0.0
        self.carried_out: list[Carried] = []
        self.lose = 0
        """So many of the next calls, or the answers to them, do not come through."""
        self.met: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self.before_change: Callable[[int], None] = lambda _number: None
        """Called before and after each changing call, with how many moments of that kind there were before."""
        self._moments = 0
        self._host = target.removeprefix("http://")
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """One call."""
                way.handle(self)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a killed dbz hangs up
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one call, or do not."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        action = _action(request, body)
        changes = not action.startswith(_LOOKING)
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < self.share else ""
            self.met.update({fault: self.met[fault] + 1} if fault else {})
        if changes:
            self._moment()
        if fault in _REFUSALS:
            return _say(request, *_REFUSALS[fault])
        if fault == "lost before" or self._is_lost():
            return _hang_up(request)
        if fault == "late":
            time.sleep(_LATE_S)
        status, headers, answer = self._forward(request, body)
        if changes:
            if status == 200:
                self.carried_out.append(Carried(action, body))
            self._moment()
        if fault == "lost after" or self._is_lost():
            return _hang_up(request)
        return _say(request, status, answer, headers.get("Content-Type", "application/json"), headers)

    def _is_lost(self) -> bool:
        with self._lock:
            self.lose, is_lost = max(self.lose - 1, 0), self.lose > 0
        return is_lost

    def _moment(self) -> None:
        with self._lock:
            number, self._moments = self._moments, self._moments + 1
        self.before_change(number)

    def begin(self, share: float, before_change: Callable[[int], None] = lambda _number: None) -> None:
        """From now on so many calls meet a fault; moments are counted anew."""
        self.share, self.before_change, self._moments, self.lose = share, before_change, 0, 0

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "expect")}
        connection.request(request.command, request.path, body, {**headers, "Host": self._host})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content


def _say(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str,
    more: Any = None,
) -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    for name in ("smithy-protocol", "x-amzn-errortype"):
        if more is not None and name in more:
            request.send_header(name, more[name])
    request.end_headers()
    request.wfile.write(body)


def _hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(2)


def _action(request: BaseHTTPRequestHandler, body: bytes) -> str:
    """The API call: of the target header, of the path (CBOR), or of the form."""
    target = request.headers.get("X-Amz-Target", "")
    if target:
        return str(target).rsplit(".", 1)[-1]
    if "/operation/" in request.path:
        return request.path.rsplit("/", 1)[-1]
    pairs = dict(pair.split("=", 1) for pair in body.decode(errors="replace").split("&") if "=" in pair)
    return pairs.get("Action", "")
