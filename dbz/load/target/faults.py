"""Faults of single services while a load runs: asked for at the gateway of the embedded stack, each at its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from dbz.config.load.faults import KILL, FaultOrder
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
        import httpx  # a load without faults starts sooner without it

        try:
            # A proxy of the environment is for other hosts than the stack's.
            with httpx.Client(base_url=self._url, timeout=_DEADLINE_S, trust_env=False) as http:
                login = http.post(_LOGIN, json=_ADMIN).raise_for_status()
                http.headers["authorization"] = f"Bearer {login.json()['access_token']}"
                self._strike_in_turn(lambda body: http.put(_FAULTS, json=body).raise_for_status())
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self.trouble = f"a fault could not be asked for, so later ones were not either: {error}"

    def _strike_in_turn(self, ask: Callable[[object], Any]) -> None:
        for at_s, number, order, begins in self._actions:
            if not self._wait_until(at_s):
                return
            now_s = round(time.monotonic() - self._started_s, 2)
            if begins:
                fault = InjectedFault(service=order.service, kind=order.kind, what=order.what, start_s=now_s)
                self.struck[number] = fault
            ask(order.body if begins else {"service": order.service})
            if not begins or order.kind == KILL:
                self.struck[number] = self.struck[number].model_copy(update={"end_s": now_s})

    def _wait_until(self, at_s: float) -> bool:
        """Whether that second of the judged part came before the run was over."""
        while not self._over.wait(_LOOK_S):
            begun_s = self._judged_from_s
            if begun_s is not None and time.monotonic() - self._started_s >= begun_s + at_s:
                return True
        return False
