"""Where people go in an app: a Markov chain in a YAML file, schema `dbz.behaviour/1`.

    schema: dbz.behaviour/1
    start: posts
    screens:
      posts: {think: [3s, 9s], next: {posts: 40%, post: 60%}}
      post:  {think: [5s, 20s], next: {posts: 100%}}

`think` is how long somebody stays at a screen, evenly distributed between two times; `next` where they go then.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbz.config.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem
from dbz.suggest import did_you_mean
from dbz.units import format_percent, parse_duration, parse_percent

SCHEMA = "dbz.behaviour/1"
_SHARE_ERROR = 1e-6
_ROUNDS = 10_000
_KEYS = ("schema", "start", "screens")
_SCREEN_KEYS = ("think", "next")


@dataclass(frozen=True)
class Screen:
    """One screen of the app."""

    shortest_s: float
    """How long people stay at least."""
    longest_s: float
    next: Mapping[str, float]
    """Where they go then, by the share of them."""


@dataclass(frozen=True)
class Behaviour:
    """All screens, and where the app begins."""

    start: str
    screens: Mapping[str, Screen]

    def after(self, screen: str, numbers: random.Random) -> str:
        """Where somebody goes from a screen."""
        following = self.screens[screen].next
        return numbers.choices(list(following), list(following.values()))[0]

    def think_s(self, screen: str, numbers: random.Random) -> float:
        """How long somebody stays at a screen."""
        here = self.screens[screen]
        return numbers.uniform(here.shortest_s, here.longest_s)

    def shares(self) -> dict[str, float]:
        """How many of all visits are visits of each screen in the long run: the chain's stationary distribution.

        By power iteration of the lazy chain, which has the same distribution and never oscillates.
        """
        shares = dict.fromkeys(self.screens, 0.0) | {self.start: 1.0}
        for _ in range(_ROUNDS):
            moved = {name: share / 2 for name, share in shares.items()}
            for name, share in shares.items():
                for following, part in self.screens[name].next.items():
                    moved[following] += share * part / 2
            if max(abs(moved[name] - share) for name, share in shares.items()) < 1e-12:
                break
            shares = moved
        return shares


def read_behaviour(path: str | Path) -> Behaviour:
    """The behaviour in a file; `ConfigError` with every problem in it, and its line."""
    source = read_yaml(Path(path))
    reader = _Reader(source)
    found = reader.behaviour()
    if found is None or reader.problems:
        raise ConfigError(reader.problems)
    return found


class _Reader:
    """Reads by hand what the models of the command line would read: a generator process has none of them."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source
        self.problems: list[Problem] = []

    def behaviour(self) -> Behaviour | None:
        data = self._source.data
        if not self._is_mapping(data, (), _KEYS):
            return None
        if data.get("schema") != SCHEMA:
            self._note(("schema",), f"schema: '{data.get('schema')}' is not allowed", SCHEMA)
        screens = data.get("screens")
        if not isinstance(screens, dict) or not screens:
            self._note(("screens",), "screens: is not a mapping of screens")
            return None
        read = {name: self._screen(name, one, screens) for name, one in screens.items()}
        start = data.get("start", next(iter(screens)))
        if start not in screens:
            self._note(("start",), f"start: there is no screen '{start}'{did_you_mean(str(start), screens)}")
        return Behaviour(start, {name: screen for name, screen in read.items() if screen is not None})

    def _screen(self, name: str, data: Any, screens: Mapping[str, Any]) -> Screen | None:
        where = ("screens", name)
        if not self._is_mapping(data, where, _SCREEN_KEYS):
            return None
        shortest_s, longest_s = self._think((*where, "think"), data.get("think", ["0s", "0s"]))
        return Screen(shortest_s, longest_s, self._next((*where, "next"), data.get("next"), screens))

    def _think(self, where: tuple[str, ...], times: Any) -> tuple[float, float]:
        both = times if isinstance(times, list) else [times, times]
        try:
            shortest_s, longest_s = (parse_duration(str(one)) for one in both)
        except ValueError as error:
            self._note(where, f"{'.'.join(where)}: {error}", "a time, or two of them: [3s, 9s]")
            return 0.0, 0.0
        if shortest_s > longest_s:
            self._note(where, f"{'.'.join(where)}: the shorter time comes first")
        return shortest_s, longest_s

    def _next(self, where: tuple[str, ...], following: Any, screens: Mapping[str, Any]) -> dict[str, float]:
        shares: dict[str, float] = {}
        if not isinstance(following, dict) or not following:
            self._note(where, f"{'.'.join(where)}: is not a mapping of screens to shares", "{posts: 40%, post: 60%}")
            return shares
        for name, share in following.items():
            if name not in screens:
                self._note(
                    (*where, name), f"{'.'.join(where)}: there is no screen '{name}'{did_you_mean(name, screens)}"
                )
            try:
                shares[name] = parse_percent(str(share))
            except ValueError as error:
                self._note((*where, name), f"{'.'.join((*where, name))}: {error}")
        total = sum(shares.values())
        if len(shares) == len(following) and abs(total - 1) > _SHARE_ERROR:
            self._note(where, f"{'.'.join(where)}: the shares add up to {format_percent(total)}, not to 100 %")
        return shares

    def _is_mapping(self, data: Any, where: tuple[str, ...], keys: tuple[str, ...]) -> bool:
        if not isinstance(data, dict):
            self._note(where, f"{'.'.join(where) or 'the file'} is not a mapping of keys to values", ", ".join(keys))
            return False
        for key in data.keys() - set(keys):
            self._note(
                (*where, key), f"unknown key '{'.'.join((*where, key))}'{did_you_mean(key, keys)}", ", ".join(keys)
            )
        return True

    def _note(self, where: tuple[str, ...], message: str, allowed: str = "") -> None:
        self.problems.append(Problem(self._source.where(where), message, allowed))
