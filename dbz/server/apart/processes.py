"""The processes of services apart: forked, forked again when one ends, and stopped with this one."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from types import FrameType

from dbz.children import free_port
from dbz.config.load.services import GATEWAY, instances_of
from dbz.server.apart.forking import ForkedProcess, Forks
from dbz.server.process import check_port
from dbz.server.settings import Settings

_LOOK_S = 0.05
_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.1, 5.0
_SOUND_S = 10.0
"""Who ran for so long did not end because of how it was started: the next pause is a short one again."""
_MARGIN_S = 2.0
_LOOPBACK = "127.0.0.1"
_SECRETS_OF = {
    "auth": ("BAND_CLIENT_SECRET", "BAND_TOKEN_KEYS"),
    "notification": ("PUSH_APNS_KEY", "PUSH_FCM_CREDENTIALS", "SMTP_URL", "MAIL_LINK_SECRET"),
}
"""What only one service may know: who holds tokens of Band how they are sealed, who pushes how pushes are signed."""
_log = logging.getLogger(__name__)


@dataclass
class _Place:
    """One process of the plan, through all its lives."""

    name: str
    start: Callable[[], ForkedProcess]
    process: ForkedProcess
    since_s: float
    """When it was started last, on the monotonic clock."""
    ends: int = 0
    """How often running it ended early."""
    again_at_s: float = 0.0
    """When it is started again; 0 while it runs."""


class ServiceSupervisor:
    """Runs the plan of `settings.mesh.services`; `arguments` are those of this program, the `main` of `module`."""

    def __init__(self, settings: Settings, arguments: Sequence[str], module: str = "dbz.server.__main__") -> None:
        self._settings = settings
        self._arguments = list(arguments)
        self._grace_s = settings.http.drain_s + 4
        self._places: list[_Place] = []
        self._stopping = False
        mesh = f"apart-{secrets.token_hex(6)}"
        self._common = ["--services", "", "--group", mesh, "--warmup", "none", "--demo-clubs", "0"]
        unknown = ("JWT_SECRET", "MESH_SECRET", *chain.from_iterable(_SECRETS_OF.values()))
        self._forks = Forks(module, unknown, self._grace_s + _MARGIN_S)
        self._secrets = {"MESH_SECRET": secrets.token_urlsafe(32)}

    def run(self) -> None:
        """Until SIGTERM or SIGINT; `DependencyError` when the port is taken."""
        http = self._settings.http
        check_port(http.host, http.port)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._ask_to_stop)
        try:
            self._start_all()
            while not self._stopping:
                self._look_after(time.monotonic())
                time.sleep(_LOOK_S)
        finally:
            self._stop_all()

    def _ask_to_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_all(self) -> None:
        for name, count in self._counts().items():
            if name == GATEWAY:
                http = self._settings.http
                where = ["--host", http.host, "--port", str(http.port), "--processes", str(count)]
                self._add(name, where)
                continue
            for _ in range(count):
                self._add(name, ["--host", _LOOPBACK, "--port", str(free_port()), "--processes", "1", "--emf", ""])

    def _counts(self) -> dict[str, int]:
        return instances_of(self._settings.mesh.services, band=bool(self._settings.band.url))

    def _add(self, name: str, where: list[str]) -> None:
        # Of an option that is given twice the last one holds.
        arguments = [*self._arguments, *self._common, "--service", name, *where]
        # Only who reads and writes tokens knows how they are signed.
        known = {"JWT_SECRET": self._settings.jwt_secret} if name in ("auth", GATEWAY) else {}
        known |= {each: os.environ.get(each, "") for each in _SECRETS_OF.get(name, ())}

        def start() -> ForkedProcess:
            return self._forks.start(f"dbz-{name}", arguments, {**self._secrets, **known})

        if not self._stopping:
            self._places.append(_Place(name, start, start(), time.monotonic()))

    def _look_after(self, now_s: float) -> None:
        for place in self._places:
            if place.again_at_s:
                if now_s >= place.again_at_s:
                    place.process, place.since_s, place.again_at_s = place.start(), now_s, 0.0
                continue
            code = place.process.exit_code
            if code is None:
                continue
            place.ends = 1 if now_s - place.since_s > _SOUND_S else place.ends + 1
            pause_s = min(_FIRST_PAUSE_S * 2 ** (place.ends - 1), _MOST_PAUSE_S)
            place.again_at_s = now_s + pause_s
            _log.error("a process ended", extra={"service": place.name, "code": code, "again_in_s": pause_s})

    def _stop_all(self) -> None:
        """The gateway first: while it drains it still has its services."""
        for gateways in (True, False):
            stopping = [place.process for place in self._places if (place.name == GATEWAY) is gateways]
            for process in stopping:
                process.release()
            for process in stopping:
                process.stop(self._grace_s)
        self._forks.close()
