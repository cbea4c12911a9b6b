"""Values in JSON trees: where they stand, and how a tree with values of the run in it is written as Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbz.errors import UsageError
from dbz.printable import printable

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
_PLAIN_KEY = re.compile(r"[\w-]+")
MAX_DEPTH = 60
"""Python reads brackets in brackets only so far."""
_MAX_LEAVES = 20_000
_WIDTH = 96


@dataclass(frozen=True)
class Expression:
    """A piece of Python that stands where a value would."""

    code: str


@dataclass(frozen=True)
class Formatted:
    """A text in which some parts are expressions."""

    parts: Sequence[str | Expression]


def leaves(tree: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Every value that is neither an object nor a list, with its place; of very large trees the first 20,000."""
    count = 0
    open_parts: list[tuple[Location, Any]] = [(location, tree)]
    while open_parts and count < _MAX_LEAVES:
        place, value = open_parts.pop()
        if isinstance(value, dict):
            open_parts += [((*place, key), part) for key, part in reversed(list(value.items()))]
        elif isinstance(value, list | tuple):
            open_parts += [((*place, index), part) for index, part in reversed(list(enumerate(value)))]
        else:
            count += 1
            yield place, value


def value_at(tree: Any, location: Location) -> Any:
    """The value at a place; None where the tree has no such place."""
    for key in location:
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def replaced(tree: Any, change: Callable[[Location, Any], Any], location: Location = ()) -> Any:
    """A copy of a tree with each leaf as `change` gives it; `UsageError` for one too deep to be written as Python."""
    if len(location) > MAX_DEPTH:
        raise UsageError(f"a body or message is nested too deeply: it has more than {MAX_DEPTH} levels", code="B002")
    if isinstance(tree, Mapping):
        return {key: replaced(part, change, (*location, key)) for key, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [replaced(part, change, (*location, index)) for index, part in enumerate(tree)]
    return change(location, tree)


def lookup(location: Location) -> str:
    """The subscripts that lead to a place, as Python."""
    return "".join(f"[{key!r}]" if isinstance(key, int) else f"[{quoted(key)}]" for key in location)


def json_path(location: Location) -> str:
    """The JSONPath of a place; "*" is every part of a list."""
    return "$" + "".join(_path_step(key) for key in location)


def _path_step(key: str | int) -> str:
    if isinstance(key, int) or key == "*":
        return f"[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f".{key}"
    quote = '"' if "'" in key else "'"
    return f"[{quote}{key}{quote}]"


def docstring(text: str) -> str:
    """A text from outside as the docstring of a module, on one line: nothing in it ends the docstring."""
    plain = printable(text).replace("\\", "\\\\").replace('"', "'")
    return f'"""{plain}"""'


def comment(text: str) -> str:
    """A text from outside as a comment: nothing in it begins another line."""
    return f"# {printable(text)}"


def quoted(text: str) -> str:
    """A text as a Python literal in double quotes."""
    plain = repr(text)
    if plain[0] == "'" and '"' not in plain:
        return f'"{plain[1:-1]}"'.replace("\\'", "'")
    return plain


def code(value: Any, indent: int = 0) -> str:
    """A tree as Python, on one line where it fits, else with a line for each part; `indent` is in spaces."""
    flat = _flat(value)
    if indent + len(flat) <= _WIDTH or not isinstance(value, Mapping | list | tuple) or not value:
        return flat
    inner = " " * (indent + 4)
    if isinstance(value, Mapping):
        lines = [f"{inner}{_flat(key)}: {code(part, indent + 4)}," for key, part in value.items()]
        return "{\n" + "\n".join(lines) + "\n" + " " * indent + "}"
    lines = [f"{inner}{code(part, indent + 4)}," for part in value]
    return "[\n" + "\n".join(lines) + "\n" + " " * indent + "]"


def _flat(value: Any) -> str:
    if isinstance(value, Expression):
        return value.code
    if isinstance(value, Formatted):
        return _f_string(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flat(key)}: {_flat(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return repr(value) if isinstance(value, bool | int | float | bytes | None) else quoted(str(value))


def _f_string(value: Formatted) -> str:
    parts = []
    for part in value.parts:
        if isinstance(part, Expression):
            parts.append("{" + part.code.replace('"', "'") + "}")
        else:
            text = quoted(part)
            parts.append(
                (text[1:-1] if text[0] == '"' else text[1:-1].replace('"', '\\"')).replace("{", "{{").replace("}", "}}")
            )
    return 'f"' + "".join(parts) + '"'
