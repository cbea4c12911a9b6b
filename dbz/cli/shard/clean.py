"""`dbz shard clean`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.confirm import confirm
from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson, Yes, duration_of
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, open_deployment
from dbz.cli.shard.moving import working
from dbz.cli.shard.unexplained import Discard, refuse_unexplained
from dbz.errors import InterruptedRunError
from dbz.units import counted

After = Annotated[str, typer.Option(metavar="TIME", help="Only copies that are at least this old.")]


def clean(
    after: After = "24h",
    discard: Discard = False,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Remove the old copies of moved clubs; after that there is no rollback.

    \b
    Each copy is first compared with its club, document by document, beside what
    was written since. A document that differs all the same was written past the
    map, and may be nowhere else: it is named, and the whole copy stays, unless
    --discard says that it may go.

    \b
    Examples:
      dbz shard clean                            copies older than a day
      dbz shard clean --after 0s --yes           all of them, now

    \b
    Exit codes: 0 cleaned, 1 documents were found that are only in an old copy, 4
    the stores no longer have the history that would tell.
    """
    from dbz.shards.copies.cleaning import Cleaned, due
    from dbz.shards.copies.cleaning import clean as clean_move
    from dbz.shards.move.mover import MoveOptions

    after_s = duration_of("--after", after)
    done = Cleaned()
    watching = Interrupts("before anything was removed; nothing was changed").watch()
    with (
        watching as interrupts,
        open_deployment(config) as deployment,
        working(deployment, MoveOptions(), offline=True) as (_, control, journal),
    ):
        ready, waiting = due(journal, after_s)
        if ready:
            confirm(f"Remove the old copies of {counted(len(ready), 'club')} for good?", yes=yes)
        interrupts.defer()
        for number, move in enumerate(ready):
            if interrupts.requested:
                left = len(ready) - number
                raise InterruptedRunError(f"interrupted; {left} of {len(ready)} copies are left", hint="run it again")
            done.add(clean_move(deployment, control, journal, move, discard=discard))
    later = f" {len(waiting)} copies are not {after} old yet." if waiting else ""
    copies = counted(len(done.cleaned), "old copy", "old copies")
    if as_json:
        document = {"schema": "dbz.shard-clean/1", "documents": done.removed, "copies": len(done.cleaned)}
        steps = ["dbz shard status", "dbz shard verify"]
        typer.echo(json.dumps({**document, "waiting": len(waiting), "next_steps": steps}, indent=2))
    else:
        typer.echo(f"{counted(done.removed, 'document')} removed from {copies}.{later}")
    refuse_unexplained(done.left, f"{len(ready) - len(done.cleaned)} old copies stay as they are")
