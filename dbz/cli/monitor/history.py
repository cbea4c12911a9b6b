"""`dbz monitor history`."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from dbz.cli.monitor.options import StateFile, store_at
from dbz.cli.options import AsJson


def history(
    state: StateFile = None,
    most: Annotated[int, typer.Option("--last", min=1, max=100_000, help="How many messages.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was sent, when, to whom, what was answered, what still waits, and who was to hear nothing when.

    \b
    Examples:
      dbz monitor history --last 20
    """
    from dbz.monitor.store.silences import SilenceBook
    from dbz.report.terminal.alerts.history import history_text

    with store_at(state) as store:
        rows, silences = store.history(most), SilenceBook(store).since(0.0)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    else:
        typer.echo(history_text(rows, silences))
