"""What the commands about monitoring share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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


def store_at(state: Path | None, retention: Retention | None = None) -> MonitorStore:
    """The store of a monitor; what only reads it needs no retention."""
    from dbz.config.folders import state_dir
    from dbz.monitor.store.store import MonitorStore

    return MonitorStore(state or state_dir() / "monitor.db", retention)
