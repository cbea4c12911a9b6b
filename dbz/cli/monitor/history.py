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
    """Show what was sent, when, to whom, what was answered, and what still waits.

    \b
    Examples:
      dbz monitor history --last 20
    """
    from dbz.report.terminal.monitor import history_text

    with store_at(state) as store:
        rows = store.history(most)
    typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2) if as_json else history_text(rows))
