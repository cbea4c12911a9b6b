"""Faults of single services while a load runs: asked for at the gateway of the embedded stack, each at its time."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from dbz.config.faults import KILL, FaultOrder
from dbz.runs.schema import InjectedFault

_ADMIN = {"username": "user0199", "password": "demo"}
"""The admin of the first demo club."""
_LOGIN, _FAULTS = "/api/auth/login", "/api/admin/faults"
_DEADLINE_S = 10.0
_LOOK_S = 0.02


class FaultInjector:
    """Has faults strike and end at their seconds of the judged part; a thread of its own asks for them.

    Used as a context. One that is not asked for in the end, because the run was over, leaves nothing behind in the
    stack that is stopped anyway.
    """

    def __init__(self, orders: Sequence[FaultOrder], url: str, started_s: float) -> None:
        self._url = url.rstrip("/")
        self._started_s = started_s
        actions = [(one.at_s, number, one, True) for number, one in enumerate(orders)]
        actions += [
            (one.at_s + one.length_s, number, one, False)
            for number, one in enumerate(orders)
            if one.length_s is not None
        ]
        self._actions = sorted(actions, key=lambda action: action[:2])
        self._judged_from_s: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._strike_all, daemon=True)
        self.struck: dict[int, InjectedFault] = {}
        """By the number of its order, in seconds since the start of the run."""
        self.trouble = ""
        """Why a fault could not be asked for."""

    def __enter__(self) -> FaultInjector:
        if self._actions:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._actions:
            self._thread.join(2 * _DEADLINE_S)

    def judged_from(self, second: float | None) -> None:
        """The judged part begins, or began, in this second of the run; None: not yet."""
        if self._judged_from_s is None:
            self._judged_from_s = second

    def _strike_all(self) -> None:
        try:
            token = self._asked("POST", _LOGIN, _ADMIN, "")["access_token"]
            for at_s, number, order, begins in self._actions:
                if not self._wait_until(at_s):
                    return
                body = order.body if begins else {"service": order.service}
                now_s = round(time.monotonic() - self._started_s, 2)
                if begins:
                    fault = InjectedFault(service=order.service, kind=order.kind, what=order.what, start_s=now_s)
                    self.struck[number] = fault
                self._asked("PUT", _FAULTS, body, token)
                if not begins or order.kind == KILL:
                    self.struck[number] = self.struck[number].model_copy(update={"end_s": now_s})
        except (OSError, ValueError, KeyError) as error:
            self.trouble = f"a fault could not be asked for, so later ones were not either: {error}"

    def _wait_until(self, at_s: float) -> bool:
        """Whether that second of the judged part came before the run was over."""
        while not self._over.wait(_LOOK_S):
            begun_s = self._judged_from_s
            if begun_s is not None and time.monotonic() - self._started_s >= begun_s + at_s:
                return True
        return False

    def _asked(self, method: str, path: str, body: object, token: str) -> Any:
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        url = self._url + path  # of the stack, on loopback
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)  # noqa: S310
        # A proxy of the environment is for other hosts than the stack's.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_DEADLINE_S) as response:
            return json.loads(response.read())
