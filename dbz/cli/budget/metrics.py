"""`dbz budget metrics`."""

from __future__ import annotations

import typer

from dbz.cli.options import AsJson


def metrics(as_json: AsJson = False) -> None:
    """List what a budget can be about: metrics, their labels and statistics.

    \b
    Examples:
      dbz budget metrics
      dbz budget metrics --json | jq -r '.metrics[].name'
    """
    from dbz.report import metrics_json, print_metrics

    if as_json:
        typer.echo(metrics_json())
    else:
        print_metrics()
