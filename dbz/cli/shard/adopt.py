"""`dbz shard adopt`: from the app's own formula to a map."""

from __future__ import annotations

import json

import typer

from dbz.cli.options import AsJson
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, open_deployment


def adopt(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Take over a deployment that uses the app's own hash, without moving a document.

    \b
    Checks that every club lies where `hash % shard_count` leads, and writes the
    map that says the same for every club, known or not. Doing it twice changes
    nothing. Servers that follow the map take it up by themselves.

    \b
    Examples:
      dbz shard adopt
      dbz shard adopt --config shards.yaml
    """
    from dbz.shards.plan.adoption import adopt as take_over

    with open_deployment(config) as deployment:
        shard_map, inventory, created = take_over(deployment)
    clubs = {name: len(found) for name, found in inventory.shards.items()}
    if as_json:
        document = {"schema": "dbz.shard-adoption/1", "created": created, "deployment": shard_map.deployment}
        steps = ["dbz shard status", "dbz shard plan"]
        typer.echo(json.dumps({**document, "epoch": shard_map.epoch, "clubs": clubs, "next_steps": steps}, indent=2))
        return
    held = ", ".join(f"{name} {count:,} clubs" for name, count in clubs.items())
    how = "Adopted" if created else "It was adopted before"
    typer.echo(f"{how}: {len(shard_map.slots):,} slots, epoch {shard_map.epoch}; {held}. No document was moved.")
