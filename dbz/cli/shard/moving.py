"""`dbz shard rebalance`: carrying a plan out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.shard.app import (
    DEFAULT_CONFIG,
    DEFAULT_RATE,
    AsJson,
    ConfigFile,
    Rate,
    bytes_per_s,
    open_deployment,
    parsed,
)
from dbz.cli.shard.planning import last_plan
from dbz.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.shards.control import Control
    from dbz.shards.deployment import Deployment
    from dbz.shards.journal import Journal, Move
    from dbz.shards.mover import Options
    from dbz.shards.plan import Plan
    from dbz.shards.rebalance import Outcome, Rebalance

MaxFence = Annotated[str, typer.Option(metavar="TIME", help="How long writes of a club may be held.")]
Window = Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="Work only in these hours, in UTC.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="No server follows the map, and nobody writes: move all the same.")
]


def rebalance(
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="A saved plan [default: the last one made].")
    ] = None,
    rate: Rate = DEFAULT_RATE,
    max_fence: MaxFence = "500ms",
    window: Window = None,
    offline: Offline = False,
    force: Annotated[
        bool, typer.Option("--force", help="Read large collections from end to end where they lack an index.")
    ] = False,
    yes: Yes = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Carry out a plan while the app keeps writing; or go on with one that was not finished.

    \b
    Each club is copied, followed, verified, and switched over in one step, for
    which its writes are held a moment. Ctrl-C pauses; running it again goes on,
    also after a crash at any point. A plan that reality has left behind is
    refused. Old copies stay for a rollback until dbz shard clean.

    \b
    Examples:
      dbz shard plan --add shard_2 && dbz shard rebalance --yes
      dbz shard rebalance --plan plan.json --rate 5MB/s --window 01:00-05:00
      dbz shard rebalance --yes                  go on after a pause

    \b
    Exit codes: 0 done, 1 a move was given up (the club stays where it was), 2
    refused before anything was touched, 3 a store is out of reach, 130 paused.
    """
    from dbz.shards.plan import load_plan
    from dbz.shards.readiness import refuse_unready
    from dbz.shards.rebalance import check_plan
    from dbz.shards.window import parse_window

    chosen = load_plan(plan) if plan else last_plan()
    hours = parsed("--window", window, parse_window) if window else None
    with Interrupts().watch() as interrupts, open_deployment(config) as deployment:
        options = options_of(rate, max_fence, interrupts, hours)
        with working(deployment, options, offline=offline) as (work, control, _):
            if chosen is not None and not work.unfinished() and not work.current():
                check_plan(chosen, control.map())
                refuse_unready(deployment, chosen, force=force)
            _take_on(work, chosen, given=plan is not None, yes=yes)
            interrupts.defer()
            outcome = work.run(say_ended)
    report(outcome, as_json)


def options_of(
    rate: str, max_fence: str, interrupts: Interrupts, may_work: Callable[[], bool] | None = None
) -> Options:
    """How to move, from the command line."""
    from dbz.shards.mover import Options
    from dbz.units import parse_duration

    max_fence_s = parsed("--max-fence", max_fence, parse_duration)
    if not 0.01 <= max_fence_s <= 30:
        raise UsageError(f"--max-fence: '{max_fence}' is not between 10ms and 30s")
    return Options(
        rate_bytes_per_s=parsed("--rate", rate, bytes_per_s),
        max_fence_s=max_fence_s,
        stop=lambda: interrupts.requested,
        may_work=may_work or (lambda: True),
        told=_Telling(),
    )


@contextmanager
def working(deployment: Deployment, options: Options, *, offline: bool) -> Iterator[tuple[Rebalance, Control, Journal]]:
    """The means to move clubs, under the lease; `UsageError` when it would not be safe."""
    from dbz.shards.control import Control
    from dbz.shards.identity import check_shards
    from dbz.shards.journal import Journal
    from dbz.shards.lease import hold_lease
    from dbz.shards.rebalance import Rebalance

    with ExitStack() as resources:
        with deployment.reaching("the control store"):
            control = resources.enter_context(Control(deployment))
            shard_map = control.map()
            followers = control.routers()
        check_shards(deployment, shard_map.shards, shard_map.deployment)
        if not followers and not offline:
            raise UsageError(
                "no server follows the map: whoever writes to the shards would not notice that a club moves",
                hint="start the servers with the shards file, or give --offline when nobody writes",
            )
        with deployment.reaching("the control store"):
            lease = resources.enter_context(hold_lease(control.database))
            journal = Journal(control.database, lease)
        yield Rebalance(deployment, control, journal, options), control, journal


def _take_on(work: Rebalance, chosen: Plan | None, *, given: bool, yes: bool) -> None:
    from dbz.report.terminal.shards import print_plan

    left = work.unfinished()
    current = work.current()
    if (left or current) and not given:
        typer.echo(f"Going on with {len(left)} moves that are not finished.", err=True)
        confirm("Go on?", yes=yes)
        return
    if chosen is None:
        raise UsageError("there is no plan", hint="make one: dbz shard plan, with --add, --drain or --pin as you like")
    print_plan(chosen, sys.stderr)
    confirm(f"Move {len(chosen.moves)} clubs?", yes=yes)
    work.begin(chosen)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when the user agrees; without a terminal only --yes agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: this needs --yes where nobody can be asked")
    if not typer.confirm(question, err=True):
        raise UsageError("nothing was done")


def report(outcome: Outcome, as_json: bool) -> None:
    """Print what became of the moves, and exit with the code for it."""
    import json

    from dbz.report.terminal.shards import outcome_document, print_outcome

    if as_json:
        typer.echo(json.dumps(outcome_document(outcome), indent=2))
    else:
        print_outcome(outcome)
    if outcome.paused:
        raise InterruptedRunError("paused; everything done is kept", hint="dbz shard rebalance goes on from here")
    raise typer.Exit(ExitCode.BROKEN if outcome.failed else ExitCode.OK)


def say_ended(move: Move) -> None:
    """A line on standard error about a move that has ended."""
    from dbz.report.shards_wording import move_text

    typer.echo(move_text(move), err=True)


class _Telling:
    """A line on standard error about the move in hand, not more than one in two seconds."""

    _EVERY_S = 2.0

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, move: Move, what: str) -> None:
        import time

        from dbz.report.shards_wording import progress_text

        if time.monotonic() - self._last > self._EVERY_S:
            self._last = time.monotonic()
            typer.echo(progress_text(move, what), err=True)
