"""The reference server, which kills itself with SIGKILL, or fails, at points of sagas that files name.

The files in the folder that the variable VICTIM_POINTS names have the names of points, like
`game_result.record:after`, with `before`, `after` or `fails`. A kill takes its file away, so that it strikes once.
With services apart the file says which service is killed there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from dbz.server import process
from dbz.server.__main__ import parse
from dbz.server.apart.processes import ServiceSupervisor
from dbz.server.app import Application
from dbz.server.observe.logs import configure_logs
from dbz.server.process import serve, with_secret
from dbz.server.sagas import SagaRunner
from dbz.server.sagas.definition import Action, SagaData

VICTIM = "tests.server.victim"
POINTS = "VICTIM_POINTS"
FOLDER = Path(os.environ.get(POINTS, ""))


class Victim(Application):
    """Ends where it is told to."""

    def _compose_services(self) -> None:
        super()._compose_services()
        for runner in (service for service in self.parts.services if isinstance(service, SagaRunner)):
            for (saga, name), action in list(runner.actions.items()):
                runner.actions[saga, name] = _struck(action, f"{saga}.{name}")


def _struck(action: Action, point: str) -> Action:
    async def struck(data: SagaData) -> SagaData | None:
        if (FOLDER / f"{point}:fails").exists():
            raise ValueError("this never works")
        _strike(f"{point}:before")
        answer = await action(data)
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
    chosen = parse(arguments)
    process._CRASHES_WITHIN_S = 0.0  # that its workers end often is what it is for
    configure_logs(chosen.log_level)
    if chosen.mesh.services:
        ServiceSupervisor(with_secret(chosen), sys.argv[1:] if arguments is None else arguments, VICTIM).run()
    else:
        serve(with_secret(chosen), Victim)


if __name__ == "__main__":
    main()
