"""`dbz monitor status`."""

from __future__ import annotations

import json
import time

import typer

from dbz.cli.monitor.options import MonitorConfig, StateFile, store_at
from dbz.cli.options import AsJson


def status(config: MonitorConfig = "default", state: StateFile = None, as_json: AsJson = False) -> None:
    """Show where each alert is, its newest value, and how far that is from the limit.

    \b
    Examples:
      dbz monitor status --config monitor.yaml
      dbz monitor status --json | jq '.[] | select(.state == "firing")'
    """
    from dbz.config.monitor.file import load_monitor
    from dbz.monitor.store.silences import SilenceBook
    from dbz.report.terminal.alerts.standings import standing_rows, standings_text

    loaded = load_monitor(config)
    now_s = time.time()
    with store_at(state) as store:
        silences = SilenceBook(store).since(now_s)
        rows = standing_rows(loaded, store.standings(), silences, now_s)
        waiting = store.waiting()
    typer.echo(json.dumps(rows, indent=2) if as_json else standings_text(rows, waiting))
