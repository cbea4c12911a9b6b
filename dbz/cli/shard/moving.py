"""What the commands that move clubs share: how to move, under the lease, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.options import parsed
from dbz.cli.shard.deployment import bytes_per_s
from dbz.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.shards.control import Control
    from dbz.shards.deployment import Deployment
    from dbz.shards.journal import MoveJournal
    from dbz.shards.move.mover import MoveOptions
    from dbz.shards.move.progress import MoveTracker
    from dbz.shards.move.rebalance import MoveOutcome, Rebalance

MaxLatency = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Copy more slowly while a shard answers later than this (p95) [default: twice as late as before].",
    ),
]
MaxFence = Annotated[str, typer.Option(metavar="TIME", help="How long writes of a club may be held.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="No server follows the map, and nobody writes: move all the same.")
]


def options_of(rate: str, max_latency: str | None, max_fence: str, interrupts: Interrupts) -> MoveOptions:
    """How to move, from the command line."""
    from dbz.shards.move.mover import MoveOptions
    from dbz.shards.move.steering import MoveSteering
    from dbz.units import parse_duration

    max_fence_s = parsed("--max-fence", max_fence, parse_duration)
    if not 0.01 <= max_fence_s <= 30:
        raise UsageError(f"--max-fence: '{max_fence}' is not between 10ms and 30s", code="E002")
    max_latency_s = parsed("--max-latency", max_latency, parse_duration) if max_latency else None
    if max_latency_s == 0:
        raise UsageError(f"--max-latency: '{max_latency}' is no time to answer in; write for example 20ms", code="E002")
    return MoveOptions(
        rate_bytes_per_s=parsed("--rate", rate, bytes_per_s),
        max_latency_s=max_latency_s,
        max_fence_s=max_fence_s,
        steering=MoveSteering(parsed("--rate", rate, bytes_per_s)),
        stop=lambda: interrupts.requested,
    )


def carry_out(work: Rebalance, options: MoveOptions, interrupts: Interrupts, *, as_json: bool) -> MoveOutcome:
    """Do what is to be done, and show how far it is. A first Ctrl-C pauses, a second one ends it where it stands."""
    from dbz.report.terminal.shards.moves import moves_view
    from dbz.report.words.shards_progress import standing_document
    from dbz.shards.move.steering import ControlSocket, MoveSteering

    interrupts.defer("in the middle of a move; it can be resumed all the same: dbz shard rebalance --yes")
    steering = options.steering or MoveSteering(options.rate_bytes_per_s)
    orders = ControlSocket(control_path(), steering, lambda: standing_document(options.tracker.standing()), bytes_per_s)
    with orders, moves_view(options.tracker, lambda: interrupts.requested, as_json=as_json):
        return work.run()


def control_path() -> Path:
    """The socket through which moves that run here take orders."""
    from dbz.config.folders import state_dir

    return state_dir() / "shard-moves.sock"


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
                code="H008",
            )
        with deployment.reaching("the control store"):
            lease = resources.enter_context(hold_lease(control.database))
            journal = MoveJournal(control.database, lease)
        yield Rebalance(deployment, control, journal, options), control, journal


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
