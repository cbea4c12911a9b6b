"""`dbz scale`: the group of commands about the number of servers."""

from __future__ import annotations

import typer

from dbz.cli.scale.auto import auto
from dbz.cli.scale.change import apply, plan
from dbz.cli.scale.doing import history, rollback
from dbz.cli.scale.set import set_
from dbz.cli.scale.simulate import simulate
from dbz.cli.scale.size import size
from dbz.cli.scale.status import status

app = typer.Typer(no_args_is_help=True, help="Plan, rehearse and change how many servers run.")
app.command()(status)
app.command()(plan)
app.command()(apply)
app.command("set")(set_)
app.command()(rollback)
app.command()(history)
app.command()(auto)
app.command()(simulate)
app.command()(size)
