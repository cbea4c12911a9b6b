"""`dbz monitor`: watch services, and tell people once when something is wrong."""

from __future__ import annotations

import typer

from dbz.cli.monitor.backtest import backtest
from dbz.cli.monitor.check import check
from dbz.cli.monitor.drill import drill
from dbz.cli.monitor.export import export
from dbz.cli.monitor.history import history
from dbz.cli.monitor.report import report
from dbz.cli.monitor.silence import silence
from dbz.cli.monitor.status import status
from dbz.cli.monitor.test import prove
from dbz.cli.monitor.watch import watch
from dbz.cli.options import grouped

app = typer.Typer()
app.callback(invoke_without_command=True)(watch)
for _command in (backtest, check, drill, export, history, report, status):
    app.command()(grouped(_command))
app.command("test")(grouped(prove))
app.add_typer(silence, name="silence")
