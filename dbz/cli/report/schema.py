"""`dbz report schema`."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(name: Annotated[str, typer.Argument(metavar="run|comparison|trend|capacity")] = "run") -> None:
    """Print the JSON Schema of what dbz writes.

    \b
    Examples:
      dbz report schema > run.schema.json
      dbz report schema comparison
    """
    from dbz.report import schema_text

    typer.echo(schema_text(name), nl=False)
