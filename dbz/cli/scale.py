"""`dbz scale`: the group of commands about the number of servers."""

from __future__ import annotations

import typer

from dbz.cli.scale_simulate import simulate
from dbz.cli.scale_size import size

app = typer.Typer(no_args_is_help=True, help="Plan, rehearse and change how many servers run.")
app.command()(simulate)
app.command()(size)
