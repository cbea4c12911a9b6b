"""Faults on request: calls that are throttled, fail, hang or are refused, and tasks that never become healthy."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from dbz.cloud.cloudwatch.metrics import MetricWriter
from dbz.cloud.ecs.balancing import Balancing
from dbz.cloud.ecs.reconciler import Reconciler
from dbz.cloud.ecs.tasks import PaperLoad

CONTROL, READY = "/_dbz/control", "/_dbz/ready"
HANG_S = 30.0
_ERRORS = {
    "throttle": ("400 Bad Request", "ThrottlingException", "Rate exceeded"),
    "refuse": ("400 Bad Request", "AccessDeniedException", "is not authorized to perform this action"),
    "fail": ("500 Internal Server Error", "InternalFailure", "the service failed"),
}
KINDS = (*_ERRORS, "hang", "hang-after")


class Gate:
    """A WSGI application before moto's: one request at a time beside the reconciler, and the faults asked for.

    `POST /_dbz/control` takes JSON: `faults`, a list of {action, kind, times}, kinds being `KINDS`; `forget_faults`;
    and the keys of `Controls`. `GET /_dbz/ready` answers 200 when all services are steady. Both are for rehearsals, and
    open to whoever may open a loopback socket, as all of this is.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        controls: Controls,
        lock: threading.RLock,
        ready: Callable[[], bool],
    ) -> None:
        self._app, self._controls, self._lock, self._ready = app, controls, lock, ready
        self._faults: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] == CONTROL:
            return self._control(environ, start_response)
        if environ["PATH_INFO"] == READY:
            start_response("200 OK" if self._ready() else "503 Service Unavailable", [])
            return [b""]
        fault = self._fault(environ)
        if fault in _ERRORS:
            return _error(*_ERRORS[fault], environ, start_response)
        if fault == "hang":
            time.sleep(HANG_S)
            return _error(*_ERRORS["fail"], environ, start_response)
        with self._lock:
            answer = list(self._app(environ, start_response))
        if fault == "hang-after":  # carried out, but nobody hears of it
            time.sleep(HANG_S)
        return answer

    def _control(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        wanted = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        with self._lock:
            if wanted.pop("forget_faults", False):
                self._faults.clear()
            self._faults += wanted.pop("faults", [])
            self._controls.set(wanted)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]

    def _fault(self, environ: dict[str, Any]) -> str:
        if not self._faults:
            return ""
        action = _action(environ)
        with self._lock:
            for fault in self._faults:
                if fault["action"] in (action, "*") and fault["times"] > 0:
                    fault["times"] -= 1
                    return str(fault["kind"])
        return ""


class Controls:
    """What can be changed while the cloud runs."""

    def __init__(
        self, reconciler: Reconciler, balancing: Balancing, metrics: MetricWriter, load: PaperLoad | None
    ) -> None:
        self._reconciler, self._balancing, self._metrics, self._load = reconciler, balancing, metrics, load

    def set(self, wanted: dict[str, Any]) -> None:
        """Take over `never_settles`, `passing` of health checks, and `late`, the seconds after which each datapoint
        comes; for tasks on paper `demand`, `memory`, `connections`, `requests`, `healthy`, `failure`."""
        self._balancing.passing = bool(wanted.get("passing", self._balancing.passing))
        self._metrics.late_s = float(wanted.get("late", self._metrics.late_s))
        if "never_settles" in wanted:
            self._reconciler.never_settles = bool(wanted["never_settles"])
        for key in ("demand", "memory", "connections", "requests", "healthy", "failure"):
            if key in wanted and self._load is not None:
                setattr(self._load, key, wanted[key])


def _action(environ: dict[str, Any]) -> str:
    """The API call that a request makes: from the target header (JSON protocols), or the form (query protocol)."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rsplit(".", 1)[-1]
    path = str(environ["PATH_INFO"])
    if "/operation/" in path:  # CBOR, which newer clients speak to CloudWatch
        return path.rsplit("/", 1)[-1]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    fields: dict[str, str] = dict(
        pair.split("=", 1) for pair in body.decode(errors="replace").split("&") if "=" in pair
    )
    return fields.get("Action", "")


def _error(
    status: str, code: str, message: str, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    if environ.get("HTTP_X_AMZ_TARGET"):
        body = json.dumps({"__type": code, "message": message})
        start_response(status, [("Content-Type", "application/x-amz-json-1.1")])
    else:
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        start_response(status, [("Content-Type", "text/xml"), ("x-amzn-errortype", code)])
    return [body.encode()]
