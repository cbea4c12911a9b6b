"""`dbz monitor backtest`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.monitor.options import MonitorConfig
from dbz.cli.options import DEFAULT_REPORTS, AsJson, Reports, time_of
from dbz.cli.report.runs import RunName


def backtest(
    run: RunName = "latest",
    config: MonitorConfig = "default",
    reports: Reports = DEFAULT_REPORTS,
    interval: Annotated[str, typer.Option(help="How often it would have asked [default: the file's].")] = "",
    memory_limit: Annotated[
        str, typer.Option(help="What memory is a share of, like 4GB [default: the memory of the machine of the run].")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say when each rule would have fired in a run that was recorded.

    \b
    Examples:
      dbz monitor backtest                          the newest run, the bundled rules
      dbz monitor backtest 20261129 --config monitor.yaml
      dbz monitor backtest --interval 2s --json
    """
    from dbz.cli.options import parsed
    from dbz.config.monitor.file import load_monitor
    from dbz.monitor.rules.backtest import backtest as followed
    from dbz.report import open_run
    from dbz.report.terminal.alerts.backtest import backtest_rows, backtest_text
    from dbz.runs.folder import find_run
    from dbz.units import parse_size

    loaded = load_monitor(config)
    period_s = time_of("--interval", interval) if interval else loaded.interval
    found, record = open_run(find_run(reports, run))
    machine = found.environment.get("memory_bytes")
    limit = parsed("--memory-limit", memory_limit, parse_size) if memory_limit else machine
    outcomes = followed(record, loaded.alerts, period_s, limit if isinstance(limit, int | float) else None)
    if as_json:
        typer.echo(json.dumps(backtest_rows(outcomes), indent=2))
    else:
        typer.echo(backtest_text(found.id, record.last_s, period_s, outcomes))
