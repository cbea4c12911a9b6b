"""The reference server, which kills itself with SIGKILL, or fails, at points of sagas that files name.

The files in the folder that the variable VICTIM_POINTS names have the names of points, like `game_result.record:after`,
with `before`, `after`, `fails` or `refused`. A kill takes its file away, so that it strikes once. With services apart
the file says which service is killed there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from dbz.server import process
from dbz.server.__main__ import _with_own_keys, command_line, settings_of
from dbz.server.apart.band import RemoteBandAccess
from dbz.server.apart.processes import ServiceSupervisor
from dbz.server.app import Application
from dbz.server.band_api import BandApi
from dbz.server.band_sync.cached import BandCache
from dbz.server.band_sync.logbook import Logbook
from dbz.server.observe.logs import configure_logs
from dbz.server.process import serve, with_secret
from dbz.server.sagas import SagaRunner, StepRefusedError
from dbz.server.sagas.catalogue import BAND_SYNC
from dbz.server.sagas.definition import Action, SagaData

VICTIM = "tests.server.victim"
POINTS = "VICTIM_POINTS"
FOLDER = Path(os.environ.get(POINTS, ""))
SYNC = BAND_SYNC.name
WITHIN_SYNC: dict[str, type] = {
    "take_up": Logbook,
    "token": RemoteBandAccess,
    "page": BandApi,
    "write": BandCache,
    "turn_page": Logbook,
}
"""What steps of a synchronisation with Band do within, one after the other, and whose methods that are."""


class Victim(Application):
    """Ends where it is told to."""

    def _compose_services(self) -> None:
        super()._compose_services()
        for runner in (service for service in self.parts.services if isinstance(service, SagaRunner)):
            for (saga, name), action in list(runner.actions.items()):
                runner.actions[saga, name] = _struck(_failing(action, f"{saga}.{name}"), f"{saga}.{name}")


def _failing(action: Action, point: str) -> Action:
    async def failing(data: SagaData) -> SagaData | None:
        if (FOLDER / f"{point}:fails").exists():
            raise ValueError("this never works")
        if (FOLDER / f"{point}:refused").exists():
            raise StepRefusedError("this is not wanted")
        return await action(data)

    return failing


def _struck(work: Callable[..., Awaitable[Any]], point: str) -> Callable[..., Awaitable[Any]]:
    async def struck(*arguments: Any, **options: Any) -> Any:
        _strike(f"{point}:before")
        answer = await work(*arguments, **options)
        _strike(f"{point}:after")
        return answer

    return struck


def _strike(point: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        service = (FOLDER / point).read_text()
        (FOLDER / point).unlink()
        for pid in _programs(service) if service else [os.getpid()]:
            os.kill(pid, signal.SIGKILL)


def _programs(service: str) -> list[int]:
    """The supervisor of a service apart, with which its worker ends; this process too, at once, when it is that."""
    forkserver = psutil.Process().parent().parent()
    assert forkserver is not None
    named = [each.pid for each in forkserver.children() if each.name().startswith(f"dbz-{service}"[:15])]
    return [*named, os.getpid()] if os.getppid() in named else named


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    chosen = _with_own_keys(settings_of(command_line(arguments)))
    for name, owner in WITHIN_SYNC.items():
        setattr(owner, name, _struck(getattr(owner, name), f"{SYNC}.{name}"))
    process._CRASHES_WITHIN_S = 0.0  # that its workers end often is what it is for
    configure_logs(chosen.log_level)
    if chosen.mesh.services:
        ServiceSupervisor(with_secret(chosen), sys.argv[1:] if arguments is None else arguments, VICTIM).run()
    else:
        serve(with_secret(chosen), Victim)


if __name__ == "__main__":
    main()
