"""`dbz shard rebalance`: carrying a plan out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
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
from dbz.cli.shard.plan import last_plan
from dbz.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.shards.control import Control
    from dbz.shards.deployment import Deployment
    from dbz.shards.journal import MoveJournal
    from dbz.shards.move.mover import MoveOptions
    from dbz.shards.move.progress import MoveTracker
    from dbz.shards.move.rebalance import MoveOutcome, Rebalance
    from dbz.shards.plan.document import MovePlan

MaxLatency = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Copy more slowly while a shard answers later than this (p95) [default: twice as late as before].",
    ),
]
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
    max_latency: MaxLatency = None,
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
    --rate is the most that is copied a second. Meanwhile each shard is asked
    something small, all the time: while it answers late, copying gives way, down
    to a fortieth of the rate, and comes back when it answers in time. With
    --rate unlimited the stores are copied as fast as they can.

    \b
    Examples:
      dbz shard plan --add shard_2 && dbz shard rebalance --yes
      dbz shard rebalance --plan plan.json --rate 5MB/s --window 01:00-05:00
      dbz shard rebalance --yes                  go on after a pause

    \b
    Exit codes: 0 done, 1 a move was given up (the club stays where it was), 2
    refused before anything was touched, 3 a store is out of reach, 130 paused.
    """
    from dbz.shards.move.pace import parse_window
    from dbz.shards.move.preflight import refuse_unready
    from dbz.shards.move.rebalance import check_plan
    from dbz.shards.plan.document import load_plan

    chosen = load_plan(plan) if plan else last_plan()
    hours = parsed("--window", window, parse_window) if window else lambda: True
    watching = Interrupts("before any club was moved; nothing was changed").watch()
    with watching as interrupts, open_deployment(config) as deployment:
        options = replace(options_of(rate, max_latency, max_fence, interrupts), may_work=hours)
        with working(deployment, options, offline=offline) as (work, control, _):
            with deployment.reaching("the control store"):
                if chosen is not None and not work.unfinished() and not work.current():
                    check_plan(chosen, control.map())
                    refuse_unready(deployment, chosen, force=force)
                _take_on(work, chosen, given=plan is not None, yes=yes)
            outcome = carry_out(work, options, interrupts, as_json=as_json)
    report(outcome, options.tracker, as_json=as_json)


def options_of(rate: str, max_latency: str | None, max_fence: str, interrupts: Interrupts) -> MoveOptions:
    """How to move, from the command line."""
    from dbz.shards.move.mover import MoveOptions
    from dbz.units import parse_duration

    max_fence_s = parsed("--max-fence", max_fence, parse_duration)
    if not 0.01 <= max_fence_s <= 30:
        raise UsageError(f"--max-fence: '{max_fence}' is not between 10ms and 30s")
    max_latency_s = parsed("--max-latency", max_latency, parse_duration) if max_latency else None
    if max_latency_s == 0:
        raise UsageError(f"--max-latency: '{max_latency}' is no time to answer in; write for example 20ms")
    return MoveOptions(
        rate_bytes_per_s=parsed("--rate", rate, bytes_per_s),
        max_latency_s=max_latency_s,
        max_fence_s=max_fence_s,
        stop=lambda: interrupts.requested,
    )


def carry_out(work: Rebalance, options: MoveOptions, interrupts: Interrupts, *, as_json: bool) -> MoveOutcome:
    """Do what is to be done, and show how far it is. A first Ctrl-C pauses, a second one ends it where it stands."""
    from dbz.report.terminal.shards.moves import moves_view

    interrupts.defer("in the middle of a move; it can be resumed all the same: dbz shard rebalance --yes")
    with moves_view(options.tracker, lambda: interrupts.requested, as_json=as_json):
        return work.run()


@contextmanager
def working(
    deployment: Deployment, options: MoveOptions, *, offline: bool
) -> Iterator[tuple[Rebalance, Control, MoveJournal]]:
    """The means to move clubs, under the lease; `UsageError` when it would not be safe."""
    from dbz.shards.control import Control
    from dbz.shards.deployment import check_shards
    from dbz.shards.journal import MoveJournal
    from dbz.shards.lease import hold_lease
    from dbz.shards.move.rebalance import Rebalance

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
            journal = MoveJournal(control.database, lease)
        yield Rebalance(deployment, control, journal, options), control, journal


def _take_on(work: Rebalance, chosen: MovePlan | None, *, given: bool, yes: bool) -> None:
    from dbz.report.terminal.shards.status import print_plan

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


def report(outcome: MoveOutcome, tracker: MoveTracker, *, as_json: bool) -> None:
    """Print what became of the moves, and exit with the code for it."""
    import json

    from dbz.report.terminal.shards.status import print_outcome
    from dbz.report.words.shards_progress import outcome_document, paused_text

    standing = tracker.standing()
    if as_json:
        typer.echo(json.dumps(outcome_document(outcome, standing), indent=2))
    else:
        print_outcome(outcome, standing)
    if outcome.paused:
        hint = "dbz shard rebalance --yes goes on from here; dbz shard cancel gives up what is not finished"
        raise InterruptedRunError(paused_text(standing), hint=hint)
    raise typer.Exit(ExitCode.BROKEN if outcome.failed else ExitCode.OK)
