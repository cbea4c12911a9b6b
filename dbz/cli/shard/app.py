"""What the commands of `dbz shard` share: their group, their options, and the way to the stores."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dbz.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbz.shards.deployment import Deployment

app = typer.Typer(no_args_is_help=True, help="Move clubs between shards while the app keeps writing.")

ConfigFile = Annotated[str, typer.Option("--config", metavar="FILE", help="The shards file; see configs/shards.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Rate = Annotated[str, typer.Option(metavar="RATE", help="Bytes copied a second at most, like 20MB/s, or unlimited.")]
DEFAULT_CONFIG = "default"
DEFAULT_RATE = "20MB/s"
Value = TypeVar("Value")


def open_deployment(config: str) -> Deployment:
    """The shards of a file; nothing is connected yet."""
    missing = [name for name in ("pymongo", "redis") if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"dbz shard needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'dbz-ops[embedded]'",
        )
    from dbz.config.shards import load_shards
    from dbz.shards.deployment import Deployment

    file = load_shards(config)
    if config == DEFAULT_CONFIG and not any(os.environ.get(variable) for variable in file.shards.values()):
        environment = _running_stack()
        return Deployment(load_shards(config, environment), environment)
    return Deployment(file)


def _running_stack() -> dict[str, str]:
    """The shards of `dbz serve`. Never beside variables of the user's own: that would mix two deployments."""
    from dbz.stack.state import find_stack

    running = find_stack()
    return dict(running.shards) if running else {}


def parsed(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """An option's value; `UsageError` names the option."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def bytes_per_s(text: str) -> float | None:
    """The rate in `20MB/s`; None for `unlimited`."""
    from dbz.units import parse_size

    if text == "unlimited":
        return None
    size, _, unit = text.replace(" ", "").partition("/")
    if unit != "s" or not (rate := parse_size(size)):
        raise ValueError(f"'{text}' is not a rate; write for example 20MB/s, or unlimited")
    return float(rate)
