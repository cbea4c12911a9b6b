"""`dbz shard status`."""

from __future__ import annotations

import json

import typer

from dbz.cli.options import AsJson
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, open_deployment


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
