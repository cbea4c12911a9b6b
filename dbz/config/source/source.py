"""Reading YAML while remembering on which line each value stands."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from dbz.bounded import CONFIGURATION, fault_of, read_within
from dbz.config.source.nodes import MAX_VALUES, Document, YamlFaultError
from dbz.errors import ConfigError, Problem

_LOG = logging.getLogger(__name__)

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
_NO_KEY = "a list or a mapping cannot be a key; was a template such as {{ NAME }} meant to be filled in before?"
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
    """Parse a YAML file; `ConfigError` when it cannot be read, is no such file, is malformed or repeats a key."""
    _LOG.info("reading %s", path)
    return parse_yaml(_text(path), str(path))


def parse_yaml(text: str, origin: str, most_values: int = MAX_VALUES) -> YamlSource:
    """Parse YAML text; `origin` is what messages call it."""
    source = YamlSource(origin, None, {(): 1})
    try:
        document = Document(text, most_values)
        if document.root is None:
            return source
        problems: list[Problem] = []
        _collect(document.root, (), source, problems)
        if problems:
            raise ConfigError(problems)
        source.data = document.data()
    except YamlFaultError as fault:
        raise ConfigError([Problem(f"{origin}:{fault.line}", fault.what)], code="E009") from fault
    return source


def _text(path: Path) -> str:
    """The text of a file of ours; never waits for a pipe, nor reads a device without end."""
    origin = str(path)
    if fault := fault_of(path):
        raise ConfigError([Problem(origin, f"it {fault}")], code="E009")
    try:
        content = read_within(path, CONFIGURATION)
    except OSError as error:
        raise ConfigError([Problem(origin, f"cannot be read: {error.strerror}")], code="E009") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(f"{origin}:{line}", "cannot be read: it is not UTF-8 text")], code="E009") from error


def _collect(node: yaml.Node, location: Location, source: YamlSource, problems: list[Problem]) -> None:
    """Note the line of each value, and what is wrong with keys."""
    source.lines[location] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect(item, (*location, index), source, problems)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                problems.append(Problem(f"{source.origin}:{line}", _NO_KEY))
                continue
            if key.value in seen:
                problems.append(Problem(f"{source.origin}:{line}", f"key '{key.value}' is repeated"))
            seen.add(key.value)
            _collect(value, (*location, key.value), source, problems)
            source.lines[(*location, key.value)] = line


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
        raise ConfigError(problems, hint="set it, or write the value itself", code="E010")
    return replace(source, data=data)


class PlaceholderVariables(Mapping[str, str]):
    """The environment, in which every variable is set: a value that is not known is a URL, which is a text too."""

    def __getitem__(self, name: str) -> str:
        return os.environ.get(name, f"https://not-set.invalid/{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def expanded_text(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, list[str]]:
    """A text with its variables replaced, and the names of those that are not set."""
    missing = [name for name in _VARIABLE.findall(text) if name not in environment]
    return _VARIABLE.sub(lambda match: environment.get(match[1], ""), text), missing


def not_set(name: str) -> str:
    """What is wrong with a variable that is not set."""
    return f"${{{name}}}: the environment variable {name} is not set"
