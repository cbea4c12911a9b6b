"""Names of operations that differ only in an id: what they have in common, and how to join them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbz.runs.schema import Operation, Run

MANY = 20
"""So many names that differ in one place only are one operation with a parameter."""
_PARTS = re.compile(r"[/?&=]|[^/?&=]+")
_ID = re.compile(r"\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=\S*\d)[\w.~-]{8,}|\w*\d+")
_HOLE = "{id}"


@dataclass(frozen=True)
class JoinedNames:
    """Many operations that one `name=` would make one."""

    kind: str
    name: str
    """The common name, with `{id}` where they differ: `GET /posts/{id}`."""
    count: int
    """How many names they are now."""


def joined_names(run: Run) -> list[JoinedNames]:
    """Which operations of a run should have one name, the most numerous first; empty where all names are good."""
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for operation in run.operations:
        by_kind[operation.kind].append(operation.name)
    found = [one for kind, names in by_kind.items() for one in _joined(kind, names)]
    return sorted(found, key=lambda one: (-one.count, one.kind, one.name))


def names_advice(run: Run) -> list[str]:
    """What to do about it, a sentence for each of the two largest groups."""
    return [
        f"{one.count:,} operations of {one.kind} differ only in an id: give them one name, as in "
        f'name="{one.name.partition(" ")[2] or one.name}", to have figures of {one.name}.'
        for one in joined_names(run)[:2]
    ]


def by_common_name(operations: Iterable[Operation]) -> int:
    """How many operations there would be with the names joined."""
    return len({(one.kind, _with_holes(one.name)) for one in operations})


def _joined(kind: str, names: Iterable[str]) -> Iterator[JoinedNames]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_with_holes(name)].append(name)
    rest: list[str] = []
    for common, members in groups.items():
        if _HOLE in common and len(members) >= MANY:
            yield JoinedNames(kind, common, len(members))
        else:
            rest += members
    for common, count in _differing_in_one_place(rest):
        yield JoinedNames(kind, common, count)


def _with_holes(name: str) -> str:
    """The name with a hole in the place of each part of its path or query that looks like an id."""
    parts = _PARTS.findall(name)
    return "".join(_HOLE if at and _ID.fullmatch(part) else part for at, part in enumerate(parts))


def _differing_in_one_place(names: list[str]) -> Iterator[tuple[str, int]]:
    """The same for parts that do not look like ids, such as names of people."""
    groups: defaultdict[str, int] = defaultdict(int)
    for name in names:
        parts = _PARTS.findall(name)
        for at in range(2, len(parts)):
            if len(parts[at]) > 1:
                groups["".join([*parts[:at], _HOLE, *parts[at + 1 :]])] += 1
    for common, count in groups.items():
        if count >= MANY:
            yield common, count
