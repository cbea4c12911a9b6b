"""The reference server, which kills itself with SIGKILL at points on the way of a push that files name.

The files in the folder that the variable VICTIM_POINTS names have the names of points, like `send:after`; a kill takes
its file away, so that it strikes once.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbz.server import process
from dbz.server.__main__ import command_line, settings_of
from dbz.server.app import Application
from dbz.server.notification.inbox import Inbox
from dbz.server.notification.sending.channels import OutsideChannels
from dbz.server.notification.sending.held import HeldNotifications
from dbz.server.notification.sending.ledger import SendLedger
from dbz.server.observe.logs import configure_logs
from dbz.server.process import serve, with_secret
from dbz.server.push.apns import Apns

PUSH_VICTIM = "tests.server.push.victim"
POINTS = "VICTIM_POINTS"
STEPS: dict[str, tuple[type, str]] = {
    "hold": (HeldNotifications, "add"),
    "promise": (OutsideChannels, "_send"),
    "release": (HeldNotifications, "remove"),
    "claim": (SendLedger, "claim"),
    "send": (Apns, "send"),
    "written": (SendLedger, "end"),
    "told": (Inbox, "delivered"),
}


def _struck(step: str, work: Callable[..., Any]) -> Callable[..., Any]:
    async def struck(*arguments: Any, **options: Any) -> Any:
        _strike(f"{step}:before")
        answer = await work(*arguments, **options)
        _strike(f"{step}:after")
        return answer

    return struck


def _strike(point: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        (Path(os.environ[POINTS]) / point).unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve until SIGTERM."""
    chosen = settings_of(command_line())
    for step, (owner, name) in STEPS.items():
        setattr(owner, name, _struck(step, getattr(owner, name)))
    process._CRASHES_WITHIN_S = 0.0  # that its workers end often is what it is for
    configure_logs(chosen.log_level)
    serve(with_secret(chosen), Application)


if __name__ == "__main__":
    main()
