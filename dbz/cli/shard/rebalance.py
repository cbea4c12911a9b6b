"""`dbz shard rebalance`: carrying a plan out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.confirm import confirm
from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson, Yes, parsed
from dbz.cli.shard.deployment import DEFAULT_CONFIG, DEFAULT_RATE, ConfigFile, Rate, bytes_per_s, open_deployment
from dbz.cli.shard.holding import hook_of, throttled
from dbz.cli.shard.moving import MaxFence, MaxLatency, Offline, carry_out, options_of, report, working
from dbz.cli.shard.plan import last_plan
from dbz.errors import UsageError
from dbz.units import counted

if TYPE_CHECKING:
    from dbz.shards.move.rebalance import Rebalance
    from dbz.shards.move.schedule import Parallelism
    from dbz.shards.plan.document import MovePlan

Parallel = Annotated[
    int, typer.Option("--parallel", min=1, max=64, metavar="N", help="Move so many clubs at the same time.")
]
PerShard = Annotated[
    int, typer.Option("--per-shard", min=1, max=16, metavar="N", help="Of which so many leave, and come to, one shard.")
]
Window = Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="Work only in these hours, in UTC.")]


def rebalance(
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="A saved plan [default: the last one made].")
    ] = None,
    rate: Rate = DEFAULT_RATE,
    max_latency: MaxLatency = None,
    max_fence: MaxFence = "500ms",
    parallel: Parallel = 1,
    per_shard: PerShard = 1,
    window: Window = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Copy and verify, then remove the copies: nothing switches over.")
    ] = False,
    postpone_switch: Annotated[
        bool, typer.Option("--postpone-switch", help="Follow each club until dbz shard control switch.")
    ] = False,
    hook: Annotated[
        str, typer.Option(metavar="COMMAND", help="Run it before and after each move; a failure before is a veto.")
    ] = "",
    throttle_url: Annotated[str, typer.Option(metavar="URL", help="Hold back while this does not answer 200.")] = "",
    throttle_query: Annotated[
        str,
        typer.Option(metavar="COLLECTION:FILTER", help="Hold back while a document on the first shard matches."),
    ] = "",
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
    also after a crash. A plan that reality has left behind is refused. Old
    copies stay for a rollback until dbz shard clean.

    \b
    --rate is the most that is copied a second, of all clubs together that move at
    once (--parallel). While a shard answers late, copying gives way, down to a
    fortieth of the rate; with --rate unlimited it is as fast as the stores can.

    \b
    While it runs, dbz shard control says how far it is, pauses it, changes the
    rate, and lets a postponed club switch over. --hook gets what happens in
    DBZ_HOOK (before-move, before-switch, after-switch), and DBZ_MOVE, DBZ_CLUB,
    DBZ_SOURCE, DBZ_TARGET.

    \b
    Examples:
      dbz shard plan --add shard_2 && dbz shard rebalance --yes
      dbz shard rebalance --rehearse --yes       would it work, and how long?
      dbz shard rebalance --plan plan.json --rate 5MB/s --window 01:00-05:00
      dbz shard rebalance --yes                  go on after a pause

    \b
    Exit codes: 0 done, 1 a move was given up (the club stays where it was), 2
    refused before anything was touched, 3 a store is out of reach, 130 paused.
    """
    from dbz.shards.move.pace import parse_window
    from dbz.shards.move.preflight import refuse_unready
    from dbz.shards.move.rebalance import check_plan
    from dbz.shards.move.schedule import Parallelism
    from dbz.shards.move.steering import MoveSteering
    from dbz.shards.plan.document import load_plan

    if rehearse and postpone_switch:
        raise UsageError(
            "--rehearse never switches over, so there is nothing for --postpone-switch to put off", code="E003"
        )
    chosen = load_plan(plan) if plan else last_plan()
    hours = parsed("--window", window, parse_window) if window else lambda: True
    watching = Interrupts("before any club was moved; nothing was changed").watch()
    with watching as interrupts, open_deployment(config) as deployment:
        options = replace(
            options_of(rate, max_latency, max_fence, interrupts),
            may_work=hours,
            rehearse=rehearse,
            steering=MoveSteering(parsed("--rate", rate, bytes_per_s), postpone=postpone_switch),
            hook=hook_of(hook),
            parallel=Parallelism(parallel, per_shard),
        )
        with (
            throttled(options, deployment, throttle_url, throttle_query),
            working(deployment, options, offline=offline) as (work, control, _),
        ):
            with deployment.reaching("the control store"):
                if chosen is not None and not work.unfinished() and not work.current():
                    check_plan(chosen, control.map())
                    refuse_unready(deployment, chosen, force=force)
                _take_on(work, chosen, given=plan is not None, yes=yes)
                _tell_what_is_not_parallel(work, options.parallel)
            outcome = carry_out(work, options, interrupts, as_json=as_json)
    report(outcome, options.tracker, as_json=as_json)


def _tell_what_is_not_parallel(work: Rebalance, allowed: Parallelism) -> None:
    from dbz.shards.move.schedule import startable

    left = work.unfinished()
    at_once = len(startable(left, (), allowed))
    if at_once < min(allowed.moves, len(left)):
        shards = "so many of them leave, or come to, one shard; --per-shard allows more of these at once"
        typer.echo(f"Only {counted(at_once, 'club')} can begin at the same time: {shards}.", err=True)


def _take_on(work: Rebalance, chosen: MovePlan | None, *, given: bool, yes: bool) -> None:
    from dbz.report.terminal.shards.status import print_plan

    left = work.unfinished()
    current = work.current()
    if (left or current) and not given:
        typer.echo(f"Going on with {counted(len(left), 'move')} not finished yet.", err=True)
        confirm("Go on?", yes=yes)
        return
    if chosen is None:
        raise UsageError(
            "there is no plan", hint="make one: dbz shard plan, with --add, --drain or --pin as you like", code="H012"
        )
    print_plan(chosen, sys.stderr)
    confirm(f"Move {counted(len(chosen.moves), 'club')}?", yes=yes)
    work.begin(chosen)
