"""`dbz shard query`: one answer from all shards."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.options import parsed
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, need_clients, open_deployment


def query(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="A collection of the shards file.")],
    wanted: Annotated[str, typer.Argument(metavar="[FILTER]", help="A filter, as extended JSON.")] = "{}",
    sort: Annotated[str, typer.Option(metavar="FIELDS", help="Order, like -created_at,title.")] = "_id",
    skip: Annotated[int, typer.Option(min=0, max=100_000, help="Leave out so many first.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Query all shards as if they were one collection; one document a line, as extended JSON.

    \b
    Each shard gives at most skip + limit documents, which are merged in order.
    A document of a club that is being moved comes once. When a shard does not
    answer, there is no answer.

    \b
    Examples:
      dbz shard query posts '{"status": "published"}' --sort -created_at --limit 5
      dbz shard query games '{"status": "ongoing"}' | jq -r .title
    """
    need_clients()
    from bson.json_util import dumps

    from dbz.filters import parse_filter
    from dbz.shards.map_store import current_map
    from dbz.shards.query import parse_order, query_all

    order = parsed("--sort", sort, parse_order)
    document = parsed("FILTER", wanted, parse_filter)
    with open_deployment(config) as deployment:
        found = query_all(deployment, collection, document, order, skip, limit, lambda: current_map(deployment)[0])
    for row in found:
        typer.echo(dumps(row))
