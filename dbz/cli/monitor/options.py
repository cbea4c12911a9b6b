"""What the commands about monitoring share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import time_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.monitor.retention import Retention
    from dbz.monitor.store.store import MonitorStore

MonitorConfig = Annotated[
    str, typer.Option("--config", metavar="FILE", help="What is watched; see configs/monitor.yaml.")
]
StateFile = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", help="What the monitor knows [default: monitor.db in dbz's state folder]."),
]
TimeRange = Annotated[str, typer.Option("--range", metavar="DURATION", help="How far back, like 24h or 30d.")]


def range_of(text: str) -> tuple[float, float]:
    """The beginning and the end of a time range up to now, in seconds since the epoch."""
    now_s = time.time()
    return now_s - time_of("--range", text), now_s


def store_at(state: Path | None, retention: Retention | None = None) -> MonitorStore:
    """The store of a monitor; what only reads it needs no retention."""
    from dbz.config.folders import state_dir
    from dbz.monitor.store.store import MonitorStore

    return MonitorStore(state or state_dir() / "monitor.db", retention)


@contextmanager
def kept_at(state: Path | None) -> Iterator[MonitorStore]:
    """The store of a monitor that has kept something; `UsageError` otherwise."""
    with store_at(state) as store:
        if not store.targets():
            raise UsageError(
                f"{store.path} has no series yet", hint="dbz monitor keeps them while it watches", code="M003"
            )
        yield store
