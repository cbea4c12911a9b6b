"""Reading YAML while remembering on which line each value stands."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from dbz.errors import ConfigError, Problem

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass
class YamlSource:
    """The plain data of a file and the line of each value in it; `origin` names it in messages."""

    origin: str
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def where(self, location: Location) -> str:
        """`file:line` of a value, or of the nearest thing around it."""
        for length in range(len(location), -1, -1):
            line = self.lines.get(location[:length])
            if line is not None:
                return f"{self.origin}:{line}"
        return self.origin


def read_yaml(path: Path) -> YamlSource:
    """Parse a YAML file; `ConfigError` when it cannot be read, is malformed or repeats a key."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([Problem(str(path), f"cannot be read: {reason}")]) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, origin: str) -> YamlSource:
    """Parse YAML text; `origin` is what messages call it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{origin}:{mark.line + 1}" if mark else origin
        raise ConfigError([Problem(where, f"malformed YAML: {error.problem or error}")]) from error
    except yaml.YAMLError as error:
        raise ConfigError([Problem(origin, f"malformed YAML: {error}")]) from error
    source = YamlSource(origin, None)
    if node is None:
        return source
    problems: list[Problem] = []
    _collect(node, (), source, problems)
    if problems:
        raise ConfigError(problems)
    try:
        source.data = yaml.SafeLoader("").construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([Problem(f"{origin}:{line}", f"malformed YAML: {error.problem}")]) from error
    return source


def _collect(node: yaml.Node, location: Location, source: YamlSource, problems: list[Problem]) -> None:
    source.lines[location] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect(item, (*location, index), source, problems)
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if key.value in seen:
                problems.append(Problem(f"{source.origin}:{key.start_mark.line + 1}", f"key '{key.value}' is repeated"))
            seen.add(key.value)
            _collect(value, (*location, key.value), source, problems)
            source.lines[(*location, key.value)] = key.start_mark.line + 1


def expanded(source: YamlSource, environment: Mapping[str, str] = os.environ) -> YamlSource:
    """The source with each `${NAME}` in its texts replaced by that variable of the environment.

    `ConfigError` names every variable that is not set, and its line: an empty value would be another load.
    """
    problems: list[Problem] = []

    def expand(value: Any, location: Location) -> Any:
        if isinstance(value, dict):
            return {key: expand(item, (*location, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [expand(item, (*location, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        text, missing = expanded_text(value, environment)
        problems.extend(Problem(source.where(location), not_set(name)) for name in missing)
        return text

    data = expand(source.data, ())
    if problems:
        raise ConfigError(problems, hint="set it, or write the value itself")
    return replace(source, data=data)


def expanded_text(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, list[str]]:
    """A text with its variables replaced, and the names of those that are not set."""
    missing = [name for name in _VARIABLE.findall(text) if name not in environment]
    return _VARIABLE.sub(lambda match: environment.get(match[1], ""), text), missing


def not_set(name: str) -> str:
    """What is wrong with a variable that is not set."""
    return f"${{{name}}}: the environment variable {name} is not set"
