"""`dbz schema`: what may stand in the YAML files that dbz reads."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    name: Annotated[
        str, typer.Argument(metavar="profile|budgets|phases|shards|warmup|monitor|monitor-test|incidents")
    ] = "profile",
) -> None:
    """Print the JSON Schema of a YAML file that dbz reads; `dbz report schema` has those that it writes.

    \b
    With the schema beside a file, editors check it and know its keys:
      # yaml-language-server: $schema=profile.schema.json

    \b
    Examples:
      dbz schema profile > profile.schema.json
      dbz schema budgets
    """
    from dbz.config.schemas import config_schema_text

    typer.echo(config_schema_text(name), nl=False)
