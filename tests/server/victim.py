"""The reference server, which kills itself with SIGKILL, or fails, at points of sagas that files name.

The files in the folder that the variable VICTIM_POINTS names have the names of points, like
`game_result.record:after`, with `before`, `after` or `fails`. A kill takes its file away, so that it strikes once.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from dbz.server import process
from dbz.server.__main__ import parse
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
        (runner,) = (service for service in self.parts.services if isinstance(service, SagaRunner))
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
        (FOLDER / point).unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve until SIGTERM."""
    chosen = parse()
    process._CRASHES_WITHIN_S = 0.0  # that its workers end often is what it is for
    configure_logs(chosen.log_level)
    serve(with_secret(chosen), Victim)


if __name__ == "__main__":
    main()
