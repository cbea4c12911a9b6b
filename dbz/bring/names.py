"""Names of operations, with the ids in their paths left out, and of values that one answer gives to later requests."""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from dbz.masking import is_secret_field

_ID = re.compile(
    r"\d+"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=.*\d)[0-9a-f]{8,}"
    r"|(?=.*\d)(?=.*[a-z])[\w-]{14,}"
    r"|[a-z_-]+\d{2,}"
    r"|[\w-]+:[\w:.-]+",
    re.IGNORECASE,
)
"""Numbers, UUIDs, hexadecimal and long mixed texts, `user0042`, `room:club07`."""
_ID_KEY = re.compile(
    r"(^|_)(id|uuid|guid|key|token|cursor|slug|hash|code|nonce|csrf|ticket|sid|session|room|after|next)s?$"
)
_ENOUGH_SIBLINGS = 3
_KEYS = 20_000
"""A recording has few different keys, each many thousands of times: what they are called is worked out once."""


def is_id(segment: str) -> bool:
    """Whether a part of a path looks like the id of a thing rather than the name of a kind."""
    return bool(_ID.fullmatch(segment))


@lru_cache(_KEYS)
def is_id_key(key: str) -> bool:
    """Whether what stands under a key identifies something, such as `id`, `userId` or `next_cursor`."""
    return bool(_ID_KEY.search(snake(key)))


@lru_cache(_KEYS)
def is_secret_key(key: str) -> bool:
    """Whether what stands under a key must not be written into a file."""
    return is_secret_field(snake(key))


@lru_cache(_KEYS)
def snake(name: str) -> str:
    """`tempId`, `temp-id` and `Temp Id` as `temp_id`; always a Python name."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-z]+", "_", name).strip("_").lower()
    safe = parted if parted and not parted[0].isdigit() else f"value_{parted}"
    return f"{safe}_" if keyword.iskeyword(safe) else safe


def singular(name: str) -> str:
    """`posts` as `post`, `entries` as `entry`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def without_ids(path: str) -> str:
    """A path with `{id}` for each part that looks like one."""
    return "/".join("{id}" if is_id(part) else part for part in path.split("/"))


class PathTemplates:
    """The templates of the paths of a recording: `/posts/17` is `/posts/{id}`.

    What looks like an id is one. Beside that a part is one when at least three paths differ in it alone.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._varying: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for path in set(paths):
            parts = without_ids(path).split("/")
            for place, part in enumerate(parts):
                self._varying[*parts[:place], "*", *parts[place + 1 :]].add(part)

    def of(self, path: str) -> str:
        """The template of one path."""
        parts = without_ids(path).split("/")
        named = [
            "{id}"
            if place > 1 and len(self._varying[*parts[:place], "*", *parts[place + 1 :]]) >= _ENOUGH_SIBLINGS
            else part
            for place, part in enumerate(parts)
        ]
        return "/".join(named)
