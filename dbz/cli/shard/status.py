"""`dbz shard status` and `route`: looking only."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.shard.app import DEFAULT_CONFIG, AsJson, ConfigFile, open_deployment


def route(
    club: Annotated[str, typer.Argument(metavar="CLUB", help="A club's id.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say on which shard a club lies, and why.

    \b
    Examples:
      dbz shard route club00
      dbz shard route club00 --json | jq -r .shard
    """
    from dbz.shards.map_store import current_map
    from dbz.shards.routing import explain

    with open_deployment(config) as deployment:
        found = explain(*current_map(deployment), club)
    typer.echo(json.dumps(found.document(), indent=2) if as_json else found.sentence())


def status(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the shards, how even they are, and the moves under way.

    \b
    Examples:
      dbz shard status
      dbz shard status --json | jq .imbalance
    """
    from dbz.report.terminal.shards.status import print_status
    from dbz.shards.status import status_of

    with open_deployment(config) as deployment:
        found = status_of(deployment)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        print_status(found)
