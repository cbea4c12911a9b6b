"""`dbz shard route`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.options import AsJson
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, open_deployment


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
