"""`dbz monitor check`."""

from __future__ import annotations

from typing import Annotated

import typer


def check(file: Annotated[str, typer.Argument(metavar="FILE")] = "default") -> None:
    """Check a monitor file, and say what goes where.

    Shards files, scenarios and budgets that it names are opened and checked
    too; nothing is asked.

    \b
    Examples:
      dbz monitor check monitor.yaml

    \b
    Exit codes: 0 right, 2 wrong, with every problem and its line.
    """
    from dbz.cli.monitor.named import check_named
    from dbz.config.monitor.file import load_monitor
    from dbz.report.terminal.alerts.rules import rules_text

    config = load_monitor(file)
    check_named(config)
    typer.echo(rules_text(config))
