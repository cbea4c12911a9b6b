"""`dbz shard control`: telling a running rebalance something."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.options import AsJson
from dbz.cli.shard.deployment import need_clients
from dbz.cli.shard.moving import control_path
from dbz.units import format_bytes


def control(
    order: Annotated[
        list[str], typer.Argument(metavar="ORDER...", help="status, pause, resume, rate RATE, switch, switch all")
    ],
    as_json: AsJson = False,
) -> None:
    """Tell the rebalance that runs on this machine something.

    \b
    status says how far it is; pause and resume hold it and let it go on, between
    two batches, with every club where it is; rate changes the most that is copied
    a second; switch lets the club switch over that --postpone-switch keeps
    waiting (one of several), switch all these and all that follow.

    \b
    Examples:
      dbz shard control status
      dbz shard control rate 5MB/s
      dbz shard control switch

    \b
    Exit codes: 0 told, 2 no such order, or no rebalance runs here.
    """
    need_clients()
    from dbz.shards.move.steering import send_order

    found = send_order(control_path(), " ".join(order))
    if as_json:
        typer.echo(
            json.dumps({"schema": "dbz.shard-control/1", **found, "next_steps": ["dbz shard control status"]}, indent=2)
        )
        return
    now = found["standing"]
    rate = "unlimited" if found["rate_bytes_per_s"] is None else f"{format_bytes(found['rate_bytes_per_s'])}/s"
    state = "paused" if found["paused"] else f"held: {found['held']}" if found["held"] else "going on"
    typer.echo(f"{state}; {now['moves_done']} of {now['moves']} clubs moved; rate {rate}")
    for move in now["moves_in_hand"]:
        typer.echo(f"{move['id']}  {move['club']}  {move['phase']}")
