"""`dbz report schema`."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    name: Annotated[str, typer.Argument(metavar="run|comparison|trend|capacity|monitor-report")] = "run",
) -> None:
    """Print the JSON Schema of what dbz writes.

    \b
    Examples:
      dbz report schema > run.schema.json
      dbz report schema comparison
      dbz report schema monitor-report    what dbz monitor report --json has
    """
    from dbz.report import schema_text

    typer.echo(schema_text(name), nl=False)
