"""`dbz shard rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.confirm import confirm
from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson, Yes
from dbz.cli.shard.deployment import DEFAULT_CONFIG, DEFAULT_RATE, ConfigFile, Rate, open_deployment
from dbz.cli.shard.moving import MaxFence, MaxLatency, Offline, carry_out, options_of, report, working
from dbz.cli.shard.unexplained import Discard, refuse_unexplained
from dbz.errors import UsageError

MoveName = Annotated[str, typer.Argument(metavar="MOVE", help="A move's name, as dbz shard status shows it.")]


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
                raise UsageError(f"move '{move}' is {chosen.state}: there is no old copy to go back to", code="H013")
            if last_moves(journal.all())[chosen.club] != chosen or control.map().shard_of(chosen.club) != chosen.target:
                raise UsageError(f"club '{chosen.club}' was moved again since: roll that move back first", code="H013")
            if work.unfinished():
                raise UsageError("a rebalance is not finished", hint="finish it, or cancel its moves", code="H011")
            if not discard:
                left = unexplained(deployment, control, journal, chosen)
                refuse_unexplained(left, f"Club '{chosen.club}' stays on {chosen.target}")
            confirm(f"Move club '{chosen.club}' from {chosen.target} back to {chosen.source}?", yes=yes)
            work.undo(chosen)
            outcome = carry_out(work, options, interrupts, as_json=as_json)
    report(outcome, options.tracker, as_json=as_json)
