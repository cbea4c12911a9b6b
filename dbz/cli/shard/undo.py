"""`dbz shard rollback`, `cancel` and `clean`: ending moves the other way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.shard.app import DEFAULT_CONFIG, DEFAULT_RATE, AsJson, ConfigFile, Rate, open_deployment, parsed
from dbz.cli.shard.rebalance import (
    MaxFence,
    MaxLatency,
    Offline,
    Yes,
    carry_out,
    confirm,
    options_of,
    report,
    working,
)
from dbz.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.shards.copies.verify_copies import Judgement

MoveName = Annotated[str, typer.Argument(metavar="MOVE", help="A move's name, as dbz shard status shows it.")]
Discard = Annotated[
    bool, typer.Option("--discard", help="Give up documents of the old copy that nobody wrote through the map.")
]
After = Annotated[str, typer.Option(metavar="TIME", help="Only copies that are at least this old.")]


def rollback(
    move: MoveName,
    discard: Discard = False,
    rate: Rate = DEFAULT_RATE,
    max_latency: MaxLatency = None,
    max_fence: MaxFence = "500ms",
    offline: Offline = False,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Move a club back to where it came from, with everything written since.

    \b
    What was written after the move is brought over to the old copy, which is
    still there; then the club is switched back like in any move. Only the
    documents that changed are copied, however large the club is. Documents that
    were written to the old copy past the map would be overwritten: they are
    named, and nothing is done, unless --discard says that they may go.

    \b
    Examples:
      dbz shard rollback m0003

    \b
    Exit codes: 0 done, 1 the move was given up, or documents would be lost, 4 the
    stores no longer have the history that would tell whether they are.
    """
    from dbz.shards.copies.cleaning import unexplained
    from dbz.shards.journal import State, last_moves

    watching = Interrupts("before anything was moved; nothing was changed").watch()
    with watching as interrupts, open_deployment(config) as deployment:
        options = options_of(rate, max_latency, max_fence, interrupts)
        with working(deployment, options, offline=offline) as (work, control, journal):
            chosen = journal.get(move)
            if chosen.state != State.REVERSING:
                raise UsageError(f"move '{move}' is {chosen.state}: there is no old copy to go back to")
            if last_moves(journal.all())[chosen.club] != chosen or control.map().shard_of(chosen.club) != chosen.target:
                raise UsageError(f"club '{chosen.club}' was moved again since: roll that move back first")
            if work.unfinished():
                raise UsageError("a rebalance is not finished", hint="finish it, or cancel its moves")
            if not discard:
                left = unexplained(deployment, control, journal, chosen)
                _refuse_unexplained(left, f"Club '{chosen.club}' stays on {chosen.target}")
            confirm(f"Move club '{chosen.club}' from {chosen.target} back to {chosen.source}?", yes=yes)
            work.undo(chosen)
            outcome = carry_out(work, options, interrupts, as_json=as_json)
    report(outcome, options.tracker, as_json=as_json)


def cancel(
    move: Annotated[
        str | None, typer.Argument(metavar="[MOVE]", help="A move; without it all unfinished ones.")
    ] = None,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Give up moves that have not switched over; their clubs stay, and what was copied is removed.

    \b
    A move that has switched over is undone with dbz shard rollback.

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
                raise UsageError(f"move '{one.id}' is {one.state}: there is nothing to cancel", hint=hint)
        confirm(f"Give up {len(chosen)} moves?", yes=yes)
        interrupts.defer()
        ended = []
        for one in itertools.takewhile(lambda _: not interrupts.requested, chosen):
            ended.append(abort(deployment, control, journal, one, "cancelled"))
            typer.echo(move_text(ended[-1]), err=True)
        if not work.unfinished():
            work.settle()
    typer.echo(f"{sum(one.state == State.ABORTED for one in ended)} moves given up.")
    if len(ended) < len(chosen):
        raise InterruptedRunError(f"interrupted; {len(chosen) - len(ended)} moves are left", hint="run it again")


def clean(
    after: After = "24h",
    discard: Discard = False,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
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
    from dbz.units import parse_duration

    after_s = parsed("--after", after, parse_duration)
    done = Cleaned()
    watching = Interrupts("before anything was removed; nothing was changed").watch()
    with (
        watching as interrupts,
        open_deployment(config) as deployment,
        working(deployment, MoveOptions(), offline=True) as (_, control, journal),
    ):
        ready, waiting = due(journal, after_s)
        if ready:
            confirm(f"Remove the old copies of {len(ready)} clubs for good?", yes=yes)
        interrupts.defer()
        for number, move in enumerate(ready):
            if interrupts.requested:
                left = len(ready) - number
                raise InterruptedRunError(f"interrupted; {left} of {len(ready)} copies are left", hint="run it again")
            done.add(clean_move(deployment, control, journal, move, discard=discard))
    later = f" {len(waiting)} copies are not {after} old yet." if waiting else ""
    typer.echo(f"{done.removed:,} documents removed from {len(done.cleaned)} old copies.{later}")
    _refuse_unexplained(done.left, f"{len(ready) - len(done.cleaned)} old copies stay as they are")


def _refuse_unexplained(left: Judgement, what: str) -> None:
    """Name what would be lost, and exit with the code for it."""
    from dbz.report.terminal.shards.status import print_strays

    if left.findings or left.unchecked:
        print_strays(left.findings, left.unchecked)
        typer.echo(f"{what}: this may be all that there is of those documents. --discard gives them up.", err=True)
        raise typer.Exit(ExitCode.BROKEN if left.findings else ExitCode.INVALID)
