"""`dbz shard cancel`."""

from __future__ import annotations

import itertools
import json
from typing import Annotated

import typer

from dbz.cli.confirm import confirm
from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson, Yes
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, open_deployment
from dbz.cli.shard.moving import working
from dbz.errors import InterruptedRunError, UsageError
from dbz.units import counted


def cancel(
    move: Annotated[
        str | None, typer.Argument(metavar="[MOVE]", help="A move; without it all unfinished ones.")
    ] = None,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Give up moves that have not switched over; their clubs stay, and what was copied is removed.

    \b
    A move that has switched over is undone with dbz shard rollback. Without MOVE
    the whole plan is given up: slots that a new shard had got go back, so that
    new clubs begin where they did before.

    \b
    Examples:
      dbz shard cancel m0004
      dbz shard cancel --yes                     everything that is not finished
    """
    from dbz.report.words.shards import move_text
    from dbz.shards.journal import UNFINISHED, State
    from dbz.shards.move.mover import MoveOptions
    from dbz.shards.move.rebalance import abort

    watching = Interrupts("before anything was given up; nothing was changed").watch()
    with (
        watching as interrupts,
        open_deployment(config) as deployment,
        working(deployment, MoveOptions(), offline=True) as (work, control, journal),
    ):
        chosen = [journal.get(move)] if move else work.unfinished()
        for one in chosen:
            if one.state not in UNFINISHED:
                hint = f"dbz shard rollback {one.id}" if one.state == State.REVERSING else ""
                raise UsageError(f"move '{one.id}' is {one.state}: there is nothing to cancel", hint=hint, code="H013")
        confirm(f"Give up {counted(len(chosen), 'move')}?", yes=yes)
        interrupts.defer()
        ended = []
        for one in itertools.takewhile(lambda _: not interrupts.requested, chosen):
            ended.append(abort(deployment, control, journal, one, "cancelled"))
            typer.echo(move_text(ended[-1]), err=True)
        returned = False
        if not work.unfinished():
            returned = work.give_up() if move is None else work.settle()
    gone = [one.id for one in ended if one.state == State.ABORTED]
    if as_json:
        document = {"schema": "dbz.shard-cancel/1", "cancelled": gone, "left": len(chosen) - len(ended)}
        steps = ["dbz shard status", "dbz shard plan"]
        typer.echo(json.dumps({**document, "slots_returned": returned, "next_steps": steps}, indent=2))
    slots = " The slots that were to change hands are where they were." if returned else ""
    if not as_json:
        typer.echo(f"{counted(len(gone), 'move')} given up.{slots}")
    if len(ended) < len(chosen):
        raise InterruptedRunError(f"interrupted; {counted(len(chosen) - len(ended), 'move')} left", hint="run it again")
