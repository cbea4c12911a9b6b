"""The shards file, schema `dbz.shards/1`: which stores hold the clubs, and which collections move with a club."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dbz.config.bundled import bundled_folder
from dbz.config.source.files import existing_file
from dbz.config.source.model import Strict, build
from dbz.config.source.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem, UsageError
from dbz.suggest import did_you_mean

DEFAULT = "default"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}").fullmatch


def _variable(text: str) -> str:
    if "://" in text:
        raise ValueError("URIs hold passwords; write the name of the environment variable that has it")
    if not _VARIABLE(text):
        raise ValueError(f"'{text}' is not the name of an environment variable")
    return text


def _name(text: str) -> str:
    if not _NAME(text):
        raise ValueError(f"'{text}' cannot be a name; letters, digits, '_' and '-', at most 63")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
Name = Annotated[str, AfterValidator(_name)]
Field_ = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^$\x00]+$")]


class Shards(Strict):
    """The shards in the order of the app's numbers, and what lies on them."""

    schema_: Literal["dbz.shards/1"] = Field(alias="schema")
    database: Name = "dbz"
    """The database of the club data, on every shard."""
    shard_count: int = Field(default=2, ge=1, le=1000)
    """The number of shards that the app's own hash spreads the clubs over."""
    shards: dict[Name, Variable] = Field(min_length=1)
    """{shard: the environment variable that has its URI}"""
    control: Variable | None = None
    """The variable with the URI of the store that has the map; without one it is on the first shard."""
    redis: Variable | None = None
    """The variable with the URL of the Redis through which servers hear of a new map."""
    collections: dict[Field_, Field_] = Field(min_length=1)
    """{collection: the field that names a document's club}"""
    guard_old_copies: bool = False
    """Have the stores refuse writes to what moved clubs left behind."""

    @property
    def names(self) -> tuple[str, ...]:
        """All shards' names, in the order of the file."""
        return tuple(self.shards)

    def known(self, name: str, option: str) -> str:
        """`name`, if a shard has it; `UsageError` names the nearest one when none has."""
        if name in self.shards:
            return name
        suggestion = did_you_mean(name, self.names)
        raise UsageError(f"{option}: unknown shard '{name}'{suggestion} (known: {', '.join(self.names)})", code="E011")

    def uri_of(self, name: str, environment: Mapping[str, str] = os.environ) -> str:
        """The URI of a shard; `UsageError` names the variable that is not set."""
        uri = environment.get(self.shards[name], "")
        if not uri:
            raise UsageError(
                f"shard '{name}' has no URI: the environment variable {self.shards[name]} is not set",
                hint="set it, or start `dbz serve --shards 2` for shards to try things on",
                code="H001",
            )
        return uri


def load_shards(path: str | Path = DEFAULT, environment: Mapping[str, str] = os.environ) -> Shards:
    """The bundled example, or a YAML file; `ConfigError` names every problem in it.

    The app's own variable SHARD_COUNT goes before the file's `shard_count`.
    """
    named = bundled_folder("configs") / "shards.yaml" if path == DEFAULT else Path(path)
    source = read_yaml(existing_file("shards", named, hint="configs/shards.yaml is an example with comments"))
    count = environment.get("SHARD_COUNT", "")
    if count and isinstance(source.data, dict):
        source.data["shard_count"] = int(count) if count.isdigit() else count
    return build_shards(source)


def build_shards(source: YamlSource) -> Shards:
    """The shards of a source."""
    file = build(Shards, source)
    problems: list[Problem] = []
    variables = list(file.shards.values())
    for at, (name, variable) in enumerate(file.shards.items()):
        if variable in variables[:at]:
            other = file.names[variables.index(variable)]
            where = source.where(("shards", name))
            problems.append(Problem(where, f"shards '{other}' and '{name}' have the same URI, that of {variable}"))
    if file.shard_count > len(file.shards):
        where = source.where(("shard_count",))
        problems.append(Problem(where, f"shard_count is {file.shard_count}, but there are {len(file.shards)} shards"))
    if problems:
        raise ConfigError(problems)
    return file
