"""`dbz schema`: what may stand in the YAML files that dbz reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dbz.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel


def schema(
    name: Annotated[
        str,
        typer.Argument(metavar="profile|budgets|phases|shards|warmup|behaviour|monitor|monitor-test|incidents|server"),
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
      dbz schema behaviour           what visitors do, as `dbz import --model` learns it
      dbz schema server              the settings of the reference server
    """
    texts = schema_texts()
    if name not in texts:
        raise UsageError(f"there is no schema '{name}' (known: {', '.join(texts)})", code="E011")
    typer.echo(texts[name], nl=False)


def schema_texts() -> dict[str, str]:
    """The schemas of all YAML files by the name of their kind, as texts of files."""
    from dbz.config.schemas import CONFIG_MODELS, model_schema_text
    from dbz.server.settings import Settings

    models: dict[str, type[BaseModel]] = {**CONFIG_MODELS, "server": Settings}
    return {name: model_schema_text(model) for name, model in models.items()}
