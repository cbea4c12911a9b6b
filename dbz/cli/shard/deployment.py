"""What the commands of `dbz shard` share: their options, and the way to the stores."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.extras import STORE_CLIENTS, need

if TYPE_CHECKING:
    from dbz.shards.deployment import Deployment

_LOG = logging.getLogger(__name__)

ConfigFile = Annotated[str, typer.Option("--config", metavar="FILE", help="The shards file; see configs/shards.yaml.")]
Rate = Annotated[str, typer.Option(metavar="RATE", help="Bytes copied a second at most, like 20MB/s, or unlimited.")]
DEFAULT_CONFIG = "default"
DEFAULT_RATE = "20MB/s"


def need_clients() -> None:
    """`DependencyError` when the client libraries of the stores are not installed."""
    need("dbz shard", STORE_CLIENTS, "embedded")


def open_deployment(config: str) -> Deployment:
    """The shards of a file; nothing is connected yet."""
    need_clients()
    from dbz.config.shards import load_shards
    from dbz.shards.deployment import Deployment

    file = load_shards(config)
    if config == DEFAULT_CONFIG and not any(os.environ.get(variable) for variable in file.shards.values()):
        _LOG.info("no variable of the bundled shards file is set: taking the shards of the running dbz serve")
        environment = _running_stack()
        return Deployment(load_shards(config, environment), environment)
    return Deployment(file)


def _running_stack() -> dict[str, str]:
    """The shards of `dbz serve`. Never beside variables of the user's own: that would mix two deployments."""
    from dbz.stack.state import find_stack

    running = find_stack()
    return dict(running.shards) if running else {}


def bytes_per_s(text: str) -> float | None:
    """The rate in `20MB/s`; None for `unlimited`."""
    from dbz.units import parse_size

    if text == "unlimited":
        return None
    size, _, unit = text.replace(" ", "").partition("/")
    if unit != "s" or not (rate := parse_size(size)):
        raise ValueError(f"'{text}' is not a rate; write for example 20MB/s, or unlimited")
    return float(rate)
