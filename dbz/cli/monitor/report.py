"""`dbz monitor report`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.monitor.options import MonitorConfig, StateFile, TimeRange, kept_at, range_of
from dbz.cli.options import AsJson


def report(
    range_: TimeRange = "24h",
    config: MonitorConfig = "default",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with charts, which works offline.")
    ] = None,
    state: StateFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how a range of time was: figures, alerts, trends, changes, and what to do next.

    \b
    Trends and changes are told when noise whose neighbours are alike does not
    explain them; a trend says after how many days its rule would fire. Every
    advice has its evidence and the command to run.

    \b
    Examples:
      dbz monitor report
      dbz monitor report --range 7d --html week.html
      dbz monitor report --config monitor.yaml --json | jq .advice
    """
    from dbz.config.monitor.file import load_monitor
    from dbz.monitor.review.review import review
    from dbz.report.html.monitor_page import write_monitor_page
    from dbz.report.terminal.monitor_report import print_review

    loaded = load_monitor(config)
    begin_s, end_s = range_of(range_)
    with kept_at(state) as store:
        found, series = review(store, loaded, begin_s, end_s)
    if html is not None:
        write_monitor_page(html, found, series, loaded)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        print_review(found)
    if html is not None:
        typer.echo(f"\nPage  {html}", err=as_json)
