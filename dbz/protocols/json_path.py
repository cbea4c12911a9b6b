"""The part of JSONPath (RFC 9535) that checks need: `$.items[0].id`, `$['a b']`, `$.list[-1]`, `$..id`, `$.list[*]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"\.\.(?P<deep>[\w-]+)|\.(?P<name>[\w-]+|\*)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\]"
)
_MAX_VALUES = 10_000

Step = tuple[str, str | int]


@lru_cache(maxsize=1000)
def _steps(path: str) -> tuple[Step, ...]:
    """The steps of a path: (kind, key); `ValueError` when it is none."""
    if not path.startswith("$"):
        raise ValueError(f"'{path}' is no JSONPath: it begins with $, like $.items[0].id")
    steps: list[Step] = []
    place = 1
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise ValueError(f"'{path}' is no JSONPath that dbz knows: '{path[place:]}' cannot be read")
        kind = match.lastgroup if match.lastgroup != "quoted" else "name"
        if match["index"] is not None:
            steps.append(("index", int(match["index"])))
        elif match["deep"] is not None:
            steps.append(("deep", match["deep"]))
        elif match["all"] is not None or match["name"] == "*":
            steps.append(("all", "*"))
        else:
            steps.append((str(kind), match["name"] if match["name"] is not None else match["quoted"]))
        place = match.end()
    return tuple(steps)


def find(path: str, tree: Any) -> list[Any]:
    """Every value of a JSON tree that a path leads to, in order; `ValueError` when the path cannot be read."""
    values = [tree]
    for kind, key in _steps(path):
        values = [value for part in values for value in _step(kind, key, part)][:_MAX_VALUES]
    return values


def _step(kind: str, key: str | int, tree: Any) -> Iterator[Any]:
    if kind == "index":
        if isinstance(tree, list) and isinstance(key, int) and -len(tree) <= key < len(tree):
            yield tree[key]
    elif kind == "all":
        yield from tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    elif kind == "deep":
        yield from _below(str(key), tree)
    elif isinstance(tree, dict) and key in tree:
        yield tree[key]


def _below(key: str, tree: Any) -> Iterator[Any]:
    """What stands under a key anywhere in a tree, outer values first."""
    parts = [tree]
    while parts:
        part = parts.pop(0)
        if isinstance(part, dict):
            if key in part:
                yield part[key]
            parts += part.values()
        elif isinstance(part, list):
            parts += part
